"""`syncd undo`: what was written is put back, where nobody has touched it since."""

from __future__ import annotations

import sys
from contextlib import closing, nullcontext
from itertools import count
from typing import TYPE_CHECKING, Any

import click

from syncd import logs
from syncd.cli.given import CSV, DRY_RUN, JSON, NUMBER, Record, who_types
from syncd.cli.known import must_be_known
from syncd.cli.progress import progress
from syncd.cli.tables import show as show_table
from syncd.cli.words import counted, difference, value
from syncd.cli.work import WORTH_A_BAR, exit_code
from syncd.config import load
from syncd.engine import assemble
from syncd.engine import undo as take_back
from syncd.salesforce import Crm
from syncd.store import Desk, Holds, Undoing, Wanted, open_store
from syncd.texts import json_text, printable, printable_lines

if TYPE_CHECKING:
    from pathlib import Path

    from syncd.engine import Summary
    from syncd.reversal import Reversal

LEFT = {
    "gone": "the record is gone",
    "changed_since": "the field no longer holds what syncd wrote",
    "one_way": "an opt-out is never taken back by syncd; clear it in Salesforce if it is wrong",
    "task": "Tasks stay; --activities deletes them",
}
_COLUMNS = ("done", "what", "object", "sf_id", "address", "before", "after", "text")


@click.command("undo")
@click.option("--run", type=NUMBER, help="What this run wrote; see `syncd runs`.")
@click.option("--record", type=Record(), help="What was ever written on this Salesforce record.")
@click.option("--group", type=NUMBER, help="What was written of a held group; see `syncd held`.")
@click.option("--activities", is_flag=True, help="Delete the Tasks, too.")
@DRY_RUN
@JSON
@CSV
@click.pass_obj
def undo(
    config: Path | None, *, run: int | None, record: str | None, group: int | None, activities: bool, dry_run: bool,
    as_json: bool, as_csv: bool,
) -> None:  # fmt: skip
    """Put back the values from before, only where the fields still hold what syncd wrote.

    What is taken back stays so: only what happens later marks again. Opt-outs are left, Tasks too without --activities.
    Exits 1 if anything was left, 3 if Salesforce could not be used.
    """
    if sum((run is not None, bool(record), group is not None)) != 1:
        raise click.UsageError("Say what, once: --run N, --record ID, or --group N. See: syncd undo --help")
    settings = load(config)
    logs.configure(settings.logs.level, settings.logs.by_logger())
    lines: list[dict[str, Any]] = []
    write = settings.sync.mode == "live" and not dry_run
    number = count(1)
    with closing(open_store(settings.store.path)) as db:
        must_be_known(Desk(db), run, record)
        undoing = Undoing(db)
        wanted = _wanted(Holds(db), run, record, group)
        expected = undoing.count(wanted)
        with (
            progress("undo", expected) if expected >= WORTH_A_BAR else nullcontext(lambda _: None) as is_at,
            assemble(settings, Crm(settings)) as context,
        ):

            def show(reversal: Reversal) -> None:
                is_at(next(number))
                lines.extend(_rows(reversal))

            said = take_back(context, undoing, wanted, who_types(), show, write=write, tasks=activities)
    left = sum(not line["done"] for line in lines)
    if as_json:
        click.echo(json_text({**said.as_dict(), "written": write, "left": left, "rows": lines}))
    elif as_csv:
        show_table(map(_flat, lines), _line, _COLUMNS, limit=0, as_json=False, as_csv=True)
    else:
        for line in lines:
            click.echo(printable(_line(line)))
        _tell(said, left, write=write, observing=settings.sync.mode == "observe")
    sys.exit(exit_code(said, amiss=bool(left or said.changes["rejected"])))


def _wanted(holds: Holds, run: int | None, record: str | None, group: int | None) -> Wanted:
    if group is None:
        return Wanted(run=run, record=record or "")
    written = holds.written_of(group)
    if written is None:
        raise click.UsageError(f"There is no group {group}. See: syncd held")
    return Wanted(changes=tuple(written) or (0,))


def _rows(reversal: Reversal) -> list[dict[str, Any]]:
    made = reversal.change
    done = [
        {
            "done": True, "what": made.what.value, "object": made.object, "sf_id": made.sf_id,
            "address": made.why["address"], "before": dict(made.before), "after": dict(made.after),
            "text": made.why["text"],
        }
    ] if made else []  # fmt: skip
    left = [
        {
            "done": False, "what": x.written.what.value, "object": x.written.object, "sf_id": x.written.sf_id,
            "address": x.written.why.get("address", ""), "before": dict(x.written.before),
            "after": dict(x.written.after), "text": LEFT[x.reason],
        }
        for x in reversal.left
    ]  # fmt: skip
    return [*done, *left]


def _flat(row: dict[str, Any]) -> dict[str, Any]:
    """With its fields in a cell: `bounce_date: empty; bounce_reason: empty`."""
    return row | {
        side: "; ".join(f"{role}: {value(role, it)}" for role, it in row[side].items()) for side in ("before", "after")
    }


def _line(row: dict[str, Any]) -> str:
    if row["done"]:
        return f"{row['object']} {row['sf_id']}: {difference(row['before'], row['after'])} ({row['text']})"
    what = f"Task “{row['after']['subject']}”" if row["what"] == "activity" else row["what"].replace("_", "-")
    return f"left: {what} of {row['object']} {row['sf_id']}: {row['text']}"


def _tell(said: Summary, left: int, *, write: bool, observing: bool) -> None:
    if not write:
        reason = '[sync] mode is "observe"' if observing else "dry run"
        click.echo(f"Nothing was written to Salesforce ({reason}).")
    if said.subjects:
        done = said.changes["done"] if write else said.planned["undo"]
        would = "" if write else "would be "
        deleted = f", {counted(said.changes['deleted'], 'Task')} deleted" if said.changes["deleted"] else ""
        click.echo(f"Run {said.run_id}: {counted(done, 'record')} {would}put back{deleted}, {left} left.")
    elif said.ended == "done":
        click.echo("Nothing that was written is left to be taken back.")
    if said.ended != "done":
        click.echo(printable_lines(f"Ended early, {said.ended}: {said.code} {said.words}".rstrip()), err=True)
        click.echo("Type it again: what was put back already stays so.", err=True)
