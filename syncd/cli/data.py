"""The commands for the data itself: copying it, and keeping only what is needed."""

from __future__ import annotations

import json
import sys
import time
from contextlib import closing, contextmanager, suppress
from dataclasses import asdict
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import TYPE_CHECKING

import click

from syncd import custody
from syncd.cli.given import DRY_RUN, JSON, Whole
from syncd.cli.progress import TOLD_EVERY, progress
from syncd.cli.words import counted
from syncd.config import load
from syncd.errors import StoreError
from syncd.store import Watched, back_up, open_store, watch_backup
from syncd.store.person import everything
from syncd.store.prune import Pruned
from syncd.texts import json_text, printable

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

NAMED = "syncd-%Y%m%dT%H%M%SZ.db"
KEPT = f"syncd-{'[0-9]' * 8}T{'[0-9]' * 6}Z.db"
A_DAY = 86_400  # seconds


@click.command()
@click.argument("target", metavar="FILE", type=click.Path(path_type=Path))
@click.option("--overwrite", is_flag=True, help="Replace the file if there is one.")
@click.option(
    "--keep",
    type=click.IntRange(1),
    help="FILE is a directory: name the file by the time, and keep the newest so many.",
)
@click.option(
    "--alarm/--no-alarm",
    default=None,
    help="Raise the alarm `backup` when this fails, or when two days pass without the next; --no-alarm ends that.",
)
@JSON
@click.pass_obj
def backup(
    config: Path | None, *, target: Path, overwrite: bool, keep: int | None, alarm: bool | None, as_json: bool
) -> None:
    """Copy the store to a file while everything runs, and check the copy.

    The copy is consistent, is opened and checked, and is then readable for you alone. It holds the addresses that the
    store holds, and nothing of the configuration or the secrets. The README says how to go back to it.

    \b
    syncd backup /var/backups/syncd.db
    syncd backup --keep 14 --alarm /var/backups/syncd      what the timer does
    """
    store = load(config).store.path
    now = time.time_ns() // 1_000_000
    with _alarming(store, now, alarm=alarm):
        if keep and not target.is_dir():
            raise click.UsageError(f"With --keep, FILE is a directory; {target} is none. Make it: mkdir -p {target}")
        file = target / datetime.fromtimestamp(now / 1000, UTC).strftime(NAMED) if keep else target
        with progress("backup", store.stat().st_size if store.exists() else 0) as is_at:
            copy = back_up(store, file, now, overwrite=overwrite, is_at=lambda done, of: is_at(done * 4096))
        removed = _rotate(target, keep) if keep else []
    if as_json:
        document = {
            "file": str(copy.path),
            "bytes": copy.bytes,
            "rows": copy.rows,
            "removed": [str(r) for r in removed],
        }
        click.echo(json.dumps(document, indent=2))
    else:
        click.echo(f"{copy.path}: {counted(copy.rows['events'], 'event')}, {copy.bytes / 1e6:.1f} MB, checked.")
        for old in removed:
            click.echo(f"removed {old}")


@contextmanager
def _alarming(store: Path, now: int, *, alarm: bool | None) -> Iterator[None]:
    try:
        yield
    except (StoreError, click.UsageError) as error:
        with suppress(StoreError):  # the store may be what failed; then others tell of it, and the days that pass
            if alarm:
                watch_backup(store, Watched(problem=str(error)))
        raise
    if alarm is not None:
        watch_backup(store, Watched(now) if alarm else None)


def _rotate(directory: Path, keep: int) -> list[Path]:
    """Removes all but the newest copies; only those that `--keep` has named, and what killed ones left a day ago."""
    left = [path for path in directory.glob(f".{KEPT}.partial*") if time.time() - path.stat().st_mtime > A_DAY]
    old = [*sorted(directory.glob(KEPT))[:-keep], *left]
    for path in old:
        try:
            path.unlink(missing_ok=True)  # another one may have removed it
        except OSError as error:
            raise StoreError(f"the backup is made, but {path} could not be removed: {error}") from error
    return old


@click.command()
@DRY_RUN
@JSON
@click.pass_obj
def prune(config: Path | None, *, dry_run: bool, as_json: bool) -> None:
    """Remove what is older than [retention] says and what no rule needs any more.

    Of each address everything stays from its last mail that arrived on, so that no bounce counts differently, and every
    unsubscribe, complaint, last open and last click. Marks, opt-outs and what people decided stay with their receipts;
    of activities the Task stays known, and is not written again, so an open or click that comes later for a pruned mail
    is stored and changes nothing in Salesforce. Kept whole: whoever has work waiting, recipients without a record that
    opened something, and events without a sendId and campaignId. The file does not shrink: new events fill the room.
    """
    settings = load(config)
    kept, said, tell = settings.retention, Pruned(), _now_and_then()
    pruned = custody.prune(
        settings.store.path, settings.judgement(), time.time_ns() // 1_000_000,
        events_days=kept.events_days, quarantine_days=kept.quarantine_days, dry_run=dry_run,
    )  # fmt: skip
    for said in pruned:
        tell(said)
    if as_json:
        click.echo(json.dumps({"written": not dry_run, **asdict(said)}, indent=2))
    else:
        click.echo(
            f"{'Would remove' if dry_run else 'Removed'}: {counted(said.events, 'event')} of"
            f" {counted(said.subjects, 'subject')}, {counted(said.changes, 'change')} of activities,"
            f" {counted(said.runs, 'run')}, {said.quarantined:,} from quarantine."
        )
        click.echo(f"Kept because it is needed: {counted(said.needed, 'old event')}. See: syncd prune --help")
        if said.waiting:
            click.echo(f"Kept until the next time: all of {counted(said.waiting, 'subject')} with work waiting.")


def _now_and_then() -> Callable[[Pruned], None]:
    """How much there is to do is not known beforehand, so a line every few seconds."""
    told = time.monotonic()

    def tell(said: Pruned) -> None:
        nonlocal told
        if time.monotonic() - told >= TOLD_EVERY:
            told = time.monotonic()
            click.echo(f"prune: {counted(said.events, 'event')} of {counted(said.subjects, 'subject')}", err=True)

    return tell


@click.command()
@click.argument("address", metavar="EMAIL", type=Whole())
@click.pass_obj
def export(config: Path | None, *, address: str) -> None:
    """Print all that is stored about an address, as one JSON document: for who asks what is known of them.

    Events with their payloads, the records they led to, decisions, changes before and after, Salesforce's answers, and
    deliveries in quarantine that contain the address. Instants are ms since 1970, UTC.
    """
    with closing(open_store(load(config).store.path)) as db:
        found = everything(db, address)
    click.echo(json_text({"address": address, **found}))
    if not any(found.values()):
        click.echo(_nothing(address), err=True)


@click.command()
@click.argument("address", metavar="EMAIL", type=Whole())
@click.option("--rewrite", is_flag=True, help="Also write the store anew; stop syncd for that.")
@DRY_RUN
@JSON
@click.pass_obj
def forget(config: Path | None, *, address: str, rewrite: bool, dry_run: bool, as_json: bool) -> None:
    """Erase an address: its events with their payloads, its whId, and where it is mentioned. There is no way back.

    Counts stay, and a digest that keeps events from before today from coming back; but an unsubscribe or a complaint
    that Salesforce was not told is honoured when it comes, and brings the address back: then forget it once more.
    Salesforce is left as it is, and so are backups: delete those that are older, or let them grow old. Exits 1 if an
    unsubscribe has not reached Salesforce yet, or traces are left in unused space.

    \b
    syncd export jeanne.durand@example.fr > jeanne.json
    syncd forget jeanne.durand@example.fr --dry-run
    """
    settings = load(config)
    said = custody.forget(
        settings.store.path,
        address,
        lambda: time.time_ns() // 1_000_000,
        settle=settings.activities.settle_uncertain // timedelta(milliseconds=1),
        dry_run=dry_run,
        rewrite=rewrite,
    )
    if as_json:
        click.echo(json_text({"written": not dry_run, **asdict(said.erased), "traces": said.traces}))
    else:
        _tell(said, address, dry_run=dry_run)
    sys.exit(1 if said.traces or said.erased.not_opted_out else 0)


def _nothing(address: str) -> str:
    return f"Nothing is stored of {address}. If it was mailed: is it written as in Sarbacane?"


def _tell(said: custody.Forgotten, address: str, *, dry_run: bool) -> None:
    erased = said.erased
    if not any(asdict(erased).values()):
        click.echo(_nothing(address), err=True)
    click.echo(
        f"{'Would erase' if dry_run else 'Erased'}: {counted(erased.events, 'event')} of"
        f" {counted(erased.recipients, 'recipient')}, the content of {counted(erased.changes, 'change')} and of"
        f" {counted(erased.quarantined, 'quarantined delivery').replace('deliverys', 'deliveries')};"
        f" {counted(erased.mentions, 'mention')} elsewhere."
    )
    for other in erased.others:
        also = (
            f"The same record or whId also came with {other}, and stays. If it is the same person: syncd forget {other}"
        )
        click.echo(printable(also))
    when, then = ("has", "run syncd sync first") if dry_run else ("had", "opt the record out there")
    for who in erased.not_opted_out:
        whose = who or "this address"
        click.echo(
            printable(f"An unsubscribe or complaint of {whose} {when} not reached Salesforce: {then}."), err=True
        )
    if said.traces:
        click.echo(
            f"{counted(said.traces, 'trace')} left in space that is not used any more, which later writes cover."
            " To end them now, stop syncd and run it again with --rewrite.",
            err=True,
        )
    if not dry_run:
        click.echo("Backups made before still hold it.")
