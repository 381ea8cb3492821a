"""The commands by which a person steers: they choose what is looked at again, and a run does the rest."""

from __future__ import annotations

import time
from contextlib import closing
from typing import TYPE_CHECKING, Any

import click

from syncd import logs, operate
from syncd.cli.given import DRY_RUN, JSON, KINDS, NUMBER, SINCE, UNTIL, Address, Record
from syncd.cli.known import must_be_known
from syncd.cli.words import counted
from syncd.cli.work import reconcile
from syncd.config import load
from syncd.store import Choice, Chosen, Desk, Journal, open_store

if TYPE_CHECKING:
    from pathlib import Path


@click.command()
@SINCE
@UNTIL
@click.option("--campaign", default="", help="Only those with events of this campaignId.")
@click.option("--send", default="", help="Only those with events of this sendId.")
@click.option("--kind", type=KINDS, help="Only those with events of this kind.")
@click.option("--whid", default="", help="Only this whId, as Sarbacane sent it.")
@click.option("--email", type=Address(), default="", help="Only this address.")
@click.option("--record", type=Record(), help="Only this Salesforce record.")
@click.option("--unmatched", is_flag=True, help="Only those that were looked for and not found in Salesforce.")
@click.option("--rejected", is_flag=True, help="Only those with a change that Salesforce would not take.")
@click.option("--all", "everything", is_flag=True, help="Everything, for instance after the rules were changed.")
@DRY_RUN
@JSON
@click.pass_obj
def resync(config: Path | None, /, *, dry_run: bool, as_json: bool, **given: Any) -> None:
    """Look at the chosen records again, and write what differs.

    Options combine: all must hold. Doing it twice changes nothing the second time. Exits as `syncd sync` does.

    \b
    syncd resync --unmatched                    after missing Contacts were created
    syncd resync --campaign C --since 7d        what a campaign told in a week
    syncd resync --all --dry-run                what changed rules would change
    """
    choice = Choice(**{name: value for name, value in given.items() if value is not None})
    if choice.is_empty:
        raise click.UsageError("Say what: --since, --email, --unmatched …, or --all. See: syncd resync --help")
    settings = load(config)
    logs.configure(settings.logs.level, settings.logs.by_logger())
    with closing(open_store(settings.store.path)) as db:
        due = operate.resync(Chosen(db), choice, _now(), dry_run=dry_run)
        if choice == Choice(everything=True) and not dry_run:
            Journal(db).rules_apply(settings.judgement())
        if not as_json:
            click.echo(f"{counted(due.subjects, 'subject')} chosen.")
            if not due.subjects:
                click.echo("Nothing stored is meant by that. Is it written as it came? See: syncd events", err=True)
        reconcile(
            settings,
            "resync",
            dry_run=dry_run,
            as_json=as_json,
            preview=due.preview,
            expected=due.subjects,
            more={"chosen": due.subjects},
        )


@click.command()
@click.option("--run", "run_id", type=NUMBER, help="Only what was refused in this run; see `syncd runs`.")
@click.option("--record", type=Record(), default=None, help="Only what was refused on this Salesforce record.")
@DRY_RUN
@JSON
@click.pass_obj
def retry(config: Path | None, *, run_id: int | None, record: str | None, dry_run: bool, as_json: bool) -> None:
    """Try again what Salesforce would not take, once its cause is mended.

    What still follows from the events is planned afresh; the refusals stay with their receipts.
    """
    settings = load(config)
    logs.configure(settings.logs.level, settings.logs.by_logger())
    with closing(open_store(settings.store.path)) as db:
        must_be_known(Desk(db), run_id, record)
        due = operate.retry(Chosen(db), _now(), run_id=run_id, record=record or "", dry_run=dry_run)
        if not as_json:
            click.echo(f"{counted(due.changes, 'refused change')} of {counted(due.subjects, 'subject')}.")
        more = {"refused_changes": due.changes, "chosen": due.subjects}
        reconcile(
            settings,
            "retry",
            dry_run=dry_run,
            as_json=as_json,
            preview=due.preview,
            expected=due.subjects,
            more=more,
        )


def _now() -> int:
    return time.time_ns() // 1_000_000
