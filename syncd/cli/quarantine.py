"""`syncd quarantine`: what could not be read as an event, and reading it again."""

from __future__ import annotations

import time
from contextlib import closing
from typing import TYPE_CHECKING, Any

import click

from syncd import operate
from syncd.cli.given import CSV, DRY_RUN, JSON, NUMBER, SINCE, UNTIL
from syncd.cli.tables import LIMIT, show
from syncd.cli.words import counted, iso
from syncd.config import load
from syncd.store import Filter, Inbox, Lists, open_store
from syncd.texts import json_text, printable, printable_lines

if TYPE_CHECKING:
    from pathlib import Path

    from syncd.operate import Reread


@click.group()
def quarantine() -> None:
    """Look through deliveries that could not be read as an event, and read them again.

    They are kept whole and were acknowledged, since Sarbacane stops calling for good after ten failures.
    """


@quarantine.command("list")
@SINCE
@UNTIL
@click.option("--resolved", is_flag=True, help="Also those that have been read since.")
@LIMIT
@JSON
@CSV
@click.pass_obj
def list_(config: Path | None, /, *, limit: int, as_json: bool, as_csv: bool, **given: Any) -> None:
    """List them with the reason, the last received first."""
    settings = load(config)
    with closing(open_store(settings.store.path)) as db:
        rows = (
            {**row, "received_at": iso(row["received_at"]), "resolved_at": iso(row["resolved_at"])}
            for row in Lists(db).quarantine(Filter(**given))
        )
        show(rows, _line, _COLUMNS, limit=limit, as_json=as_json, as_csv=as_csv)


_COLUMNS = ("id", "received_at", "source", "reason", "bytes", "resolved_at")


def _line(row: dict[str, Any]) -> str:
    read = f", read {row['resolved_at'][:19]}Z" if row["resolved_at"] else ""
    return f"{row['id']:>6}  {row['received_at'][:19]}Z  {row['source']}  {row['bytes']} bytes: {row['reason']}{read}"


@quarantine.command("show")
@click.argument("kept_id", metavar="ID", type=NUMBER)
@JSON
@click.pass_obj
def show_(config: Path | None, *, kept_id: int, as_json: bool) -> None:
    """Show one whole, as it came."""
    settings = load(config)
    with closing(open_store(settings.store.path)) as db:
        kept = Lists(db).quarantined(kept_id)
    if kept is None:
        raise click.UsageError(f"There is no {kept_id} in quarantine. See: syncd quarantine list --resolved")
    text = kept["body"].decode("utf-8", "backslashreplace")
    if as_json:
        times = {name: iso(kept[name]) for name in ("received_at", "resolved_at")}
        click.echo(json_text({**kept, **times, "body": text}))
        return
    click.echo(printable(f"{kept['source']}, {iso(kept['received_at'])}: {kept['reason']}"), err=True)
    click.echo(printable_lines(text))


@quarantine.command("retry")
@click.argument("ids", metavar="[ID]…", type=NUMBER, nargs=-1)
@DRY_RUN
@JSON
@click.pass_obj
def retry_(config: Path | None, *, ids: tuple[int, ...], dry_run: bool, as_json: bool) -> None:
    """Read them again, all or these, for instance after an upgrade.

    What is an event now is stored as one, with the time it was received. Exits 1 if any stays.
    """
    settings = load(config)
    with closing(open_store(settings.store.path)) as db, closing(open_store(settings.store.path)) as for_inbox:
        now = time.time_ns() // 1_000_000
        done = _read_already(Lists(db), ids)
        read = list(operate.read_again(Lists(db), Inbox(for_inbox), ids, now, dry_run=dry_run))
    events = sum(one.events for one in read)
    stay = [one for one in read if not one.events]
    if as_json:
        document = {"events": events, "written": not dry_run, "deliveries": [_as_dict(one) for one in read]}
        click.echo(json_text(document))
    else:
        for kept_id in done:
            click.echo(f"{kept_id:>6}  has been read already")
        for one in read:
            click.echo(printable(f"{one.id:>6}  {one.source}: {one.reason or counted(one.events, 'event')}"))
        tail = "Nothing was changed (dry run)." if dry_run else "The next run works on them." if events else ""
        click.echo(f"{counted(events, 'event')} read; {len(stay):,} of {len(read):,} stay. {tail}".rstrip())
    raise SystemExit(1 if stay else 0)


def _read_already(lists: Lists, ids: tuple[int, ...]) -> list[int]:
    """Those of these that are not there any more to be read. Refuses one that never was."""
    kept = {kept_id: lists.quarantined(kept_id) for kept_id in ids}
    for kept_id, found in kept.items():
        if found is None:
            raise click.UsageError(f"There is no {kept_id} in quarantine. See: syncd quarantine list")
    return [kept_id for kept_id, found in kept.items() if found and found["resolved_at"]]


def _as_dict(one: Reread) -> dict[str, object]:
    return {"id": one.id, "source": one.source, "events": one.events, "reason": one.reason}
