"""`syncd alert`: whether alarms reach anybody."""

from __future__ import annotations

import json
import sys
from typing import TYPE_CHECKING

import click

from syncd import alerts
from syncd.cli.given import JSON
from syncd.config import load

if TYPE_CHECKING:
    from pathlib import Path


@click.group()
def alert() -> None:
    """Try the ways by which alarms are told.

    They are [alerts] urls, in the form of Apprise, which knows mail, chat and pagers: "mailto://user:password@host",
    "slack://…", "msteams://…", "jsons://host/path". The form of each is in Apprise's documentation.
    """


@alert.command()
@JSON
@click.pass_obj
def test(config: Path | None, *, as_json: bool) -> None:
    """Send one message to each of [alerts] urls, and say whether it went. Exits 1 if one did not."""
    urls = load(config).alerts.urls
    if not urls:
        raise click.UsageError('There is nobody to tell. Write under [alerts]: urls = ["mailto://…"]')
    sent = alerts.send(urls, "syncd: a test", "If you read this, alarms of syncd reach you.", alerts.GOOD)
    if as_json:
        document = {"sent": [{"to": one.name, "ok": not one.problem, "problem": one.problem} for one in sent]}
        click.echo(json.dumps(document, indent=2))
    else:
        for one in sent:
            click.echo(f"{'WRONG' if one.problem else 'ok   '}  {one.name}{': ' * bool(one.problem)}{one.problem}")
    sys.exit(1 if any(one.problem for one in sent) else 0)
