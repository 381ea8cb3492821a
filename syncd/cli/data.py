"""The commands for the data itself: copying it, and keeping only what is needed."""

from __future__ import annotations

import json
import time
from datetime import UTC, datetime
from pathlib import Path

import click

from syncd.cli.given import JSON
from syncd.cli.progress import progress
from syncd.cli.words import counted
from syncd.config import load
from syncd.errors import StoreError
from syncd.store import back_up

NAMED = "syncd-%Y%m%dT%H%M%SZ.db"
KEPT = "syncd-*T*Z.db"


@click.command()
@click.argument("target", metavar="FILE", type=click.Path(path_type=Path))
@click.option("--overwrite", is_flag=True, help="Replace the file if there is one.")
@click.option(
    "--keep",
    type=click.IntRange(1),
    help="FILE is a directory: name the file by the time, and keep the newest so many.",
)
@JSON
@click.pass_obj
def backup(config: Path | None, *, target: Path, overwrite: bool, keep: int | None, as_json: bool) -> None:
    """Copy the store to a file while everything runs, and check the copy.

    The copy is consistent, is opened and checked, and is then readable for you alone. It holds the addresses that the
    store holds, and nothing of the configuration or the secrets. The README says how to go back to it.

    \b
    syncd backup /var/backups/syncd.db
    syncd backup --keep 14 /var/backups/syncd      what the timer does
    """
    settings = load(config)
    now = time.time_ns() // 1_000_000
    if keep and not target.is_dir():
        raise click.UsageError(f"With --keep, FILE is a directory; {target} is none. Make it: mkdir -p {target}")
    file = target / datetime.fromtimestamp(now / 1000, UTC).strftime(NAMED) if keep else target
    with progress("backup", settings.store.path.stat().st_size if settings.store.path.exists() else 0) as is_at:
        copy = back_up(settings.store.path, file, now, overwrite=overwrite, is_at=lambda done, of: is_at(done * 4096))
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


def _rotate(directory: Path, keep: int) -> list[Path]:
    """Removes all but the newest copies; only those that `--keep` has named."""
    old = sorted(directory.glob(KEPT))[:-keep]
    for path in old:
        try:
            path.unlink()
        except OSError as error:
            raise StoreError(f"the backup is made, but {path} could not be removed: {error}") from error
    return old
