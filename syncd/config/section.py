"""What every section of the file is."""

from typing import Any

from pydantic import BaseModel, ConfigDict, Field


def section() -> Any:
    """A section left out is one whose keys are all left out: its defaults are checked like written values."""
    return Field(default_factory=dict, validate_default=True)


class Section(BaseModel):
    # strict: threshold = true or "5" would otherwise pass for a number
    model_config = ConfigDict(frozen=True, extra="forbid", strict=True, hide_input_in_errors=True)
