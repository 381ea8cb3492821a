"""Commands as a person types them, on the store and the Salesforce of `syncd`; no process for each."""

from __future__ import annotations

import csv
import io
import json
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pytest
from click.testing import CliRunner

from syncd.cli import cli
from syncd.sandbox import Org, Sandbox
from tests.conftest import Syncd
from tests.factories import ADDRESS


@dataclass
class Commands:
    """`syncd …` with a configuration file; what it prints, once the exit code is the one expected."""

    config: Path

    def __call__(self, *arguments: str, code: int | None = 0) -> str:
        done = CliRunner().invoke(cli, ["--config", str(self.config), *arguments], catch_exceptions=False)
        assert code in (None, done.exit_code), done.output
        self.errors, self.code = done.stderr, done.exit_code
        return done.stdout

    def json(self, *arguments: str, code: int | None = 0) -> Any:
        return json.loads(self(*arguments, "--json", code=code))

    def csv(self, *arguments: str) -> list[dict[str, str]]:
        return list(csv.DictReader(io.StringIO(self(*arguments, "--csv"))))

    def configure(self, sandbox: Sandbox, directory: Path, *, mode: str = "live", more: str = "") -> None:
        self.config.write_text(
            f"""\
secrets_dir = "{directory}/secrets"
[store]
url = "sqlite:///{directory}/syncd.db"
[sync]
mode = "{mode}"
[salesforce]
login_host = "{sandbox.address}"
username = "{sandbox.username}"
consumer_key = "{sandbox.consumer_key}"
ca_bundle = "{sandbox.ca_bundle}"
timeout = "5s"
{more}"""
        )


@pytest.fixture
def command(syncd: Syncd, sandbox: Sandbox, tmp_path: Path) -> Commands:
    """On the same store and Salesforce as `syncd`."""
    made = Commands(tmp_path / "syncd.toml")
    made.configure(sandbox, tmp_path)
    return made


@pytest.fixture
def contact(org: Org) -> str:
    return org.add("Contact", LastName="Durand", Email=ADDRESS)


@pytest.fixture
def add(org: Org) -> Callable[[str], str]:
    """A Contact with this address."""
    return lambda address: org.add("Contact", LastName="Durand", Email=address)
