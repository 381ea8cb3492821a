"""The commands that do something once."""

from __future__ import annotations

import json
import sys
from contextlib import nullcontext
from dataclasses import replace
from itertools import count
from typing import TYPE_CHECKING, NoReturn

import click

from syncd import logs
from syncd.cli.progress import progress
from syncd.cli.words import change_line, counted
from syncd.config import load
from syncd.model import State
from syncd.store import migrate as migrate_store
from syncd.store import pending_migrations
from syncd.texts import json_text, printable, printable_lines

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence
    from pathlib import Path

    from syncd.config import Settings
    from syncd.engine import Summary
    from syncd.model import Case, Change, Plan
    from syncd.store import Work

AMISS, WRONG, NOT_NOW = 1, 2, 3
WORTH_A_BAR = 500  # subjects


@click.command()
@click.option("--dry-run", is_flag=True, help="Plan and show every change, before → after, and write nothing.")
@click.option("--json", "as_json", is_flag=True, help="One JSON document.")
@click.pass_obj
def sync(config: Path | None, *, dry_run: bool, as_json: bool) -> None:
    """Reconcile everything that is due, now.

    What has failed before is tried now, too, whenever else it would be. Exits 1 if something was rejected or held, or
    failed and is tried again; 2 if a secret is missing; 3 if Salesforce or the store could not be used or another run
    is going on.
    """
    settings = load(config)
    logs.configure(settings.logs.level, settings.logs.by_logger())
    reconcile(settings, "sync", dry_run=dry_run, as_json=as_json)


def reconcile(
    settings: Settings,
    cause: str,
    *,
    dry_run: bool,
    as_json: bool,
    preview: Work | None = None,
    expected: int = 0,
    more: Mapping[str, int] | None = None,
) -> NoReturn:
    """A run, told; exits with its code.

    `preview` is what a dry run looks at, `expected` how many subjects about; `more` is for the JSON document.
    """
    from syncd.engine import assemble, run  # here, since listing what is held needs neither them nor their libraries
    from syncd.salesforce import Crm

    planned: dict[int, Sequence[Change]] = {}
    write = settings.sync.mode == "live" and not dry_run
    number = count(1)

    with progress(cause, expected) if expected >= WORTH_A_BAR else nullcontext(lambda _: None) as is_at:

        def show(case: Case, plan: Plan) -> None:
            is_at(next(number))
            if not write:
                planned[case.subject.id] = plan.changes

        with assemble(settings, Crm(settings), show=show) as context:
            if settings.sync.mode == "observe" and preview is None:
                context.work.wake_all(context.now())  # what the scheduler showed and put off is shown again
            elif cause == "sync":
                context.work.wake_failing(context.now())  # a person does not wait
            said = run(replace(context, work=preview) if preview else context, cause, write=write)
    changes = [_foreseen(change, said) for of_subject in planned.values() for change in of_subject]
    if as_json:
        shown = [change_as_dict(change) for change in changes]
        click.echo(json_text({**(more or {}), **said.as_dict(), "written": write, "would_change": shown}))
    else:
        for change in changes:
            click.echo(change_line(change))
        _tell(said, write=write, observing=settings.sync.mode == "observe")
    amiss = said.changes["rejected"] or (write and said.held) or said.failed
    sys.exit(exit_code(said, amiss=bool(amiss)))


def exit_code(said: Summary, *, amiss: bool) -> int:
    """What a run did, as an exit code. `amiss`: though it came to its end."""
    if said.ended == "done":
        return AMISS if amiss else 0
    return WRONG if said.is_misconfigured else NOT_NOW


def _foreseen(change: Change, said: Summary) -> Change:
    """As it would be: written, or held by the brake."""
    group = said.foresight.holds(change)
    return replace(change, state=State.HELD, words=str(group)) if group else change


def change_as_dict(change: Change) -> dict[str, object]:
    return {
        "what": change.what.value,
        "object": change.object,
        "sf_id": change.sf_id,
        "before": dict(change.before),
        "after": dict(change.after),
        "why": dict(change.why),
        "state": change.state.value,
        "code": change.code,
    }


def _tell(said: Summary, *, write: bool, observing: bool) -> None:
    if not write:
        reason = '[sync] mode is "observe"; with "live" it is written' if observing else "dry run"
        click.echo(f"Nothing was written to Salesforce ({reason}).")
    changes = ", ".join(f"{number} {state}" for state, number in sorted(said.changes.items())) or "no change"
    click.echo(
        f"Run {said.run_id}: {counted(said.events, 'new event')}, {counted(said.subjects, 'subject')}, {changes};"
        f" {counted(said.calls, 'call')}."
    )
    if said.in_jobs:
        click.echo(f"{said.in_jobs} more are in a job of the Bulk API that has not ended; a later run takes it up.")
    if said.unmatched:
        click.echo(f"{said.unmatched} without a record in Salesforce: no usable whId, or it is gone.")
    if said.failed:
        click.echo(f"{said.failed} failed and wait for another try.", err=True)
    for code, number in said.rejections.most_common():
        click.echo(printable(f"  {number} × {code}"), err=True)
    for trouble in said.troubles:
        click.echo(printable(f"  {trouble}"), err=True)
    for group, number in sorted(said.held.items()):
        holds, tail = ("holds", ". Type: syncd held") if write else ("would hold", "")
        click.echo(printable(f"The brake {holds} {counted(number, 'change')} back: {group}{tail}"), err=True)
    if said.full:
        click.echo(printable(f"Nothing new could be created: {said.code} {said.words}".rstrip()), err=True)
    if said.ended != "done":
        click.echo(printable_lines(f"Ended early, {said.ended}: {f'{said.code} {said.words}'.strip()}"), err=True)
        click.echo("Everything is kept and is tried again.", err=True)


@click.command()
@click.option("--dry-run", is_flag=True, help="Name what is pending, and apply nothing.")
@click.option("--json", "as_json", is_flag=True, help="One JSON document.")
@click.pass_obj
def migrate(config: Path | None, *, dry_run: bool, as_json: bool) -> None:
    """Bring the store to this version's schema. Back it up first."""
    path = load(config).store.path
    names = pending_migrations(path) if dry_run else migrate_store(path)
    if as_json:
        click.echo(json.dumps({"written": not dry_run, "migrations": names}, indent=2))
        return
    did = "would apply" if dry_run else "applied"
    click.echo("\n".join(f"{did} {name}" for name in names) or "Nothing to do: the store is up to date.")
