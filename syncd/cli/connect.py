"""The commands of the first day: `init` writes what is needed, `check` says whether it works."""

from __future__ import annotations

import sys
from pathlib import Path

import click

from syncd.checkup import Finding, State, exit_code
from syncd.checkup import check as look
from syncd.cli.installing import AUTHS, Answers, install
from syncd.config import file_in_use
from syncd.errors import ConfigError
from syncd.texts import json_text

_ASKED = {
    "my_domain": "The org's own host, from Setup > My Domain (acme.my.salesforce.com)",
    "username": "The Salesforce user that syncd works as",
    "consumer_key": "The consumer key of the External Client App",
}
"""What no program can know, asked on a terminal. Enter leaves it to be filled in."""


@click.command()
@click.option(
    "--directory",
    type=click.Path(path_type=Path, file_okay=False),
    help="Where syncd.toml and its secrets go. [default: where --config points, else /etc/syncd]",
)
@click.option("--force", is_flag=True, help="Write the configuration and the login's key anew; tokens are kept.")
@click.option("--auth", type=click.Choice(AUTHS), default="jwt", show_default=True, help="How to log in.")
@click.option(
    "--login-host", default="login.salesforce.com", show_default=True, help="test.salesforce.com for a sandbox org."
)
@click.option("--my-domain", default="", help="The org's own host: acme.my.salesforce.com.")
@click.option("--username", default="", help="The Salesforce user that syncd works as.")
@click.option("--consumer-key", default="", help="The consumer key of the External Client App.")
@click.option("--ca-bundle", default="", help="A PEM file, if a proxy of yours signs HTTPS.")
@click.pass_obj
def init(config: Path | None, /, *, directory: Path | None, force: bool, **given: str) -> None:
    """Write a commented configuration and its secrets, and say what to do next.

    Makes a token for Sarbacane's URL and, to log in with, a key with its certificate. What is there already is kept.
    The configuration begins in mode "observe": nothing is written to Salesforce until you change that.
    """
    if config and directory:
        raise ConfigError("--config and --directory say the same in two ways\n  do: give one of them")
    file = (directory / "syncd.toml").absolute() if directory else file_in_use(config)
    if _on_a_terminal() and (force or not file.exists()):
        for name in _asked(given["auth"]):
            given[name] = given[name] or click.prompt(_ASKED[name], default="", show_default=False)
    for line in install(file, Answers(**given), force=force):
        click.echo(line)


def _on_a_terminal() -> bool:
    return sys.stdin.isatty() and sys.stdout.isatty()


def _asked(auth: str) -> tuple[str, ...]:
    """What this way of logging in needs of it."""
    without: dict[str, tuple[str, ...]] = {"client_credentials": ("username",), "session": tuple(_ASKED)}
    return tuple(name for name in _ASKED if name not in without.get(auth, ()))


@click.command()
@click.option("--json", "as_json", is_flag=True, help="One JSON document.")
@click.pass_obj
def check(config: Path | None, *, as_json: bool) -> None:
    """Is everything there: configuration, store, login, permissions, fields? A line each, with what to do.

    Exits 0 when all is well, 1 if something is wrong, 2 if that is the configuration, 3 if Salesforce or the store
    cannot be reached. Changes nothing.
    """
    found: list[Finding] = []
    for finding in look(config):
        found.append(finding)
        if not as_json:
            click.echo("\n".join(lines(finding)))
    code = exit_code(found)
    if as_json:
        document = {"ok": code == 0, "exit_code": code, "findings": [finding.as_dict() for finding in found]}
        click.echo(json_text(document))
    sys.exit(code)


def lines(finding: Finding) -> list[str]:
    mark = click.style(f"{finding.state.value:<5}", fg=_COLOURS.get(finding.state))
    return [f"{mark}  {finding.thing}: {finding.text}", *(f"         {line}" for line in finding.do)]


_COLOURS = {State.OK: "green", State.WRONG: "red", State.HINT: "yellow"}
