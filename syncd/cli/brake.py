"""What the brake keeps back, and what a person decides about it."""

from __future__ import annotations

import time
from contextlib import closing
from typing import TYPE_CHECKING, Any

import click

from syncd import logs, operate
from syncd.brake import numbers
from syncd.cli.given import CSV, DRY_RUN, JSON, NUMBER, who_types
from syncd.cli.tables import LIMIT, show
from syncd.cli.words import counted, difference, iso
from syncd.cli.work import reconcile
from syncd.config import load
from syncd.store import Chosen, Holds, open_store
from syncd.texts import json_text, printable

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

    from syncd.store import Hold

GROUP = click.argument("group", type=NUMBER)

MEANS = {
    "total": "more hard bounces in a day than is usual",
    "domain": "nearly everything mailed to this domain bounced",
    "send": "a large share of this send bounced",
    "text": "many servers gave the same reason, and it is not that the user is unknown",
    "shifted": "the records have other addresses: is the column whId of this send's list in the wrong rows?",
}


@click.command("held")
@click.argument("group", type=NUMBER, required=False)
@LIMIT
@JSON
@CSV
@click.pass_obj
def held(config: Path | None, *, group: int | None, limit: int, as_json: bool, as_csv: bool) -> None:
    """List the groups of changes that wait for you, or with a number the changes of that GROUP.

    \b
    syncd release GROUP    it is right: plan again, and write what still follows
    syncd drop GROUP       it is not: these bounces never mark anybody
    """
    settings = load(config)
    with closing(open_store(settings.store.path)) as db:
        holds = Holds(db)
        if group is None:
            rows: Iterator[dict[str, Any]] = map(_group, holds.groups())
            show(rows, _group_line, _GROUP, limit=limit, as_json=as_json, as_csv=as_csv)
            return
        found = _found(holds, group)
        rows = ({**change, "intended_at": iso(change["intended_at"])} for change in holds.held(found.id))
        if as_csv:
            rows = map(_flat, rows)
        show(rows, _change_line, _CHANGE, limit=limit, as_json=as_json, as_csv=as_csv)


@click.command("release")
@GROUP
@DRY_RUN
@JSON
@click.pass_obj
def release(config: Path | None, *, group: int, dry_run: bool, as_json: bool) -> None:
    """Say that a held group is right: it is planned again, and what still follows is written.

    For a day, what else belongs to the group is not held either. Exits as `syncd sync` does.
    """
    settings = load(config)
    logs.configure(settings.logs.level, settings.logs.by_logger())
    with closing(open_store(settings.store.path)) as db:
        holds = Holds(db)
        hold = _found(holds, group)
        due = operate.release(holds, Chosen(db), hold, who_types(), _now(), dry_run=dry_run)
        if not as_json:
            what = "would be released" if dry_run else "released"
            click.echo(printable(f"{counted(due.changes, 'change')} {what}: {hold.group}."))
        more = {"released": due.changes, "chosen": due.subjects}
        reconcile(
            settings, "release", dry_run=dry_run, as_json=as_json, preview=due.preview, expected=due.subjects, more=more
        )


@click.command("drop")
@GROUP
@DRY_RUN
@JSON
@click.pass_obj
def drop(config: Path | None, *, group: int, dry_run: bool, as_json: bool) -> None:
    """Say that a held group is wrong: nothing of it is written, and what happened until now never marks these records.

    What happens later may. Opt-outs that are held with it are refused, too, and held Tasks are not made. Who opted
    out by another send is opted out.
    """
    settings = load(config)
    with closing(open_store(settings.store.path)) as db:
        holds = Holds(db)
        hold = _found(holds, group)
        if dry_run and not as_json:
            for change in holds.held(group):
                click.echo(printable(_change_line(change)))
        number = sum(hold.held.values()) if dry_run else holds.drop(group, who_types(), _now())
    if as_json:
        click.echo(json_text({**_group(hold), "dropped": number, "dry_run": dry_run}))
        return
    done = "would be dropped" if dry_run else "dropped"
    click.echo(printable(f"{counted(number, 'change')} {done}: {hold.group}."))
    if hold.written:
        click.echo(f"{numbers(hold.written)} went out before it was held. To take them back: {_undo(hold)}")


def _found(holds: Holds, group: int) -> Hold:
    hold = holds.group(group)
    if hold is None:
        raise click.UsageError(f"No group {group} waits. See: syncd held")
    return hold


def _group(hold: Hold) -> dict[str, Any]:
    return {
        "group": hold.id, "by": hold.group.by, "value": hold.group.value, "means": MEANS[hold.group.by],
        "opened_at": iso(hold.opened_at), "held": dict(hold.held), "written": dict(hold.written),
        "runs": list(hold.runs), "undo": _undo(hold) if hold.written else "",
    }  # fmt: skip


_GROUP = ("group", "by", "value", "means", "opened_at", "held", "written", "undo")
_CHANGE = ("id", "what", "object", "sf_id", "address", "text", "intended_at")


def _undo(hold: Hold) -> str:
    return f"syncd undo --group {hold.id}"


def _group_line(row: dict[str, Any]) -> str:
    written = f"; {numbers(row['written'])} written before: {row['undo']}" if row["written"] else ""
    return (
        f"{row['group']:>4}  {row['opened_at'][:19]}Z  {row['by']} {row['value']}: "
        f"{numbers(row['held']) or 'nothing'} held ({row['means']}){written}"
    )


def _change_line(row: dict[str, Any]) -> str:
    text = row["why"].get("text") or row["why"].get("send", "")
    what = f"Task “{row['after'].get('subject', '')}”" if row["activity"] else difference(row["before"], row["after"])
    return f"{row['what']} {row['object']} {row['sf_id']}  {row['why'].get('address', '')}  {what} ({text})"


def _flat(row: dict[str, Any]) -> dict[str, Any]:
    why = row["why"]
    return {**row, "address": why.get("address", ""), "text": why.get("text") or why.get("send", "")}


def _now() -> int:
    return time.time_ns() // 1_000_000
