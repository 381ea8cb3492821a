"""`syncd import`: Sarbacane's files, on the same way as the webhook."""

from __future__ import annotations

import os
import sys
import time
from contextlib import closing, contextmanager
from io import BufferedReader, FileIO
from pathlib import Path
from typing import TYPE_CHECKING

import click

from syncd import operate
from syncd.cli.given import DRY_RUN, JSON
from syncd.cli.progress import progress
from syncd.cli.words import counted, event_line
from syncd.config import load
from syncd.errors import Unreadable
from syncd.offline import CHUNK
from syncd.operate import Taken
from syncd.store import Inbox, open_store
from syncd.texts import json_text, printable

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

SHOWN = 20  # unreadable items of a file that are shown; of a dry run also what it would store


@click.command("import")
@click.argument(
    "files", metavar="FILE…", nargs=-1, required=True,
    type=click.Path(path_type=Path, exists=True, dir_okay=False, readable=True),
)  # fmt: skip
@DRY_RUN
@JSON
@click.pass_obj
def take_in(config: Path | None, *, files: tuple[Path, ...], dry_run: bool, as_json: bool) -> None:
    """Take in events from files: Sarbacane's offline JSON, or a CSV whose first line names the same fields.

    JSON may be an object, an array or a line for each. What is stored already, by webhook or an earlier import, stays
    once, so an import that was stopped is just started again. What cannot be read goes to quarantine with file and
    line, and the exit code is 1. The next run of syncd works on what is new.
    """
    settings = load(config)
    now = time.time_ns() // 1_000_000
    told = {}
    with closing(open_store(settings.store.path)) as db:
        for path in files:
            told[str(path)] = _one(Inbox(db), path, now, dry_run=dry_run, quiet=as_json)
    if as_json:
        documents = {name: _as_dict(said) for name, said in told.items()}
        click.echo(json_text({"written": not dry_run, "files": documents}))
    elif dry_run:
        click.echo("Nothing was stored (dry run).")
    elif any(said.quarantined for said in told.values()):
        click.echo("See: syncd quarantine list")
    sys.exit(1 if any(said.quarantined for said in told.values()) else 0)


def _one(inbox: Inbox, path: Path, now: int, *, dry_run: bool, quiet: bool) -> Taken:
    said, shown, listed = Taken(), 0, 0
    name = printable(path.name)
    with BufferedReader(path.open("rb", buffering=0), CHUNK) as file, _bar(file, name) as is_at:
        try:
            for said in operate.take_in(inbox, file, name, now, dry_run=dry_run):
                is_at()
                for unread in said.unread[: 0 if quiet else SHOWN - shown]:
                    click.echo(printable(f"{unread.source}: {unread.reason}"), err=True)
                    shown += 1
                for event in said.would[: 0 if quiet else SHOWN - listed]:
                    click.echo(f"would store  {event_line(event)}")
                    listed += 1
        except Unreadable as error:
            raise click.UsageError(f"{path}: {error}") from error
    if not quiet:
        if dry_run and said.new > listed:
            click.echo(f"… and {counted(said.new - listed, 'more event')}")
        click.echo(printable(f"{path}: {_counts(said)}"))
    return said


@contextmanager
def _bar(file: BufferedReader[FileIO], name: str) -> Iterator[Callable[[], object]]:
    """How far it is read. A pipe, such as `<(zcat events.json.gz)`, does not say how much is to come."""
    if not file.seekable():
        yield lambda: None
        return
    with progress(name, os.fstat(file.fileno()).st_size) as is_at:
        yield lambda: is_at(file.tell())


def _counts(said: Taken) -> str:
    return f"{counted(said.new, 'new event')}, {said.known:,} known already, {said.quarantined:,} in quarantine"


def _as_dict(said: Taken) -> dict[str, int]:
    return {"items": said.items, "new": said.new, "known": said.known, "quarantined": said.quarantined}
