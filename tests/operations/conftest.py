"""Commands on the store and the Salesforce of `syncd`, as for what a person steers by hand."""

from tests.operate.conftest import add, command, contact

__all__ = ["add", "command", "contact"]
