"""A copy of the store while everything runs.

SQLite's online backup in small steps, inside one read transaction: without it every write of the receiver would make
the copy begin anew. The WAL cannot be folded back meanwhile and grows by what is written.
"""

from __future__ import annotations

import json
import os
import shutil
import sqlite3
import time
from contextlib import closing
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

from syncd.errors import StoreError
from syncd.store.migrations import migrations
from syncd.store.sqlite import open_store, rows, transaction

if TYPE_CHECKING:
    from collections.abc import Callable

    from sqlite_utils import Database

PAGES_A_STEP = 64
"""A quarter of a megabyte; then as long a pause as it took, and for the disk to take it, so that the receiver's commits
are not behind a long queue."""
STEPS_A_FLUSH = 8
ROOM = 50 * 1024 * 1024
"""Bytes that a copy leaves free where the store is: with less the receiver calls itself unready."""
COPIED_AT = "copied_at"
"""In the copy: when it was made. A run on it knows by this that Tasks may have been made since."""
_WATCHED = "backup"
"""In the store: when the last watched backup was made, and what was wrong with the last try."""
_COUNTED = ("events", "recipients", "subjects", "decisions", "changes", "receipts", "activities", "quarantine")


@dataclass(frozen=True, slots=True)
class Copy:
    path: Path
    bytes: int
    rows: dict[str, int]  # by table
    seconds: float


def back_up(
    store: Path,
    target: Path,
    now: int,
    *,
    overwrite: bool = False,
    is_at: Callable[[int, int], object] = lambda *_: None,
) -> Copy:
    """Copies the store to a file, opens and checks the copy, and only then names it. `is_at`: (done, of) pages.

    Raises StoreError, and leaves nothing behind, if there is a file already, no room, or the copy is not whole.
    """
    started = time.monotonic()
    if not store.exists():
        raise StoreError(f"there is no store at {store} yet; nothing to back up")
    if not target.parent.is_dir():
        raise StoreError(f"the directory {target.parent} does not exist. Make it: mkdir -p {target.parent}")
    _is_free(target, store, overwrite=overwrite)
    _fits(target.parent, store)
    partial = target.with_name(f".{target.name}.partial")
    try:
        partial.unlink(missing_ok=True)
        os.close(os.open(partial, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600))
        _copy(store, partial, now, is_at)
        counted = _checked(partial)
        _name(partial, target, overwrite=overwrite)
    except (OSError, sqlite3.Error) as error:
        raise StoreError(f"the backup to {target} failed: {error}") from error
    finally:
        for left in (partial, *(Path(f"{partial}{end}") for end in ("-journal", "-wal", "-shm"))):
            left.unlink(missing_ok=True)
    return Copy(target, target.stat().st_size, counted, time.monotonic() - started)


@dataclass(frozen=True, slots=True)
class Watched:
    """What is remembered of the backups whose failing is an alarm."""

    made_at: int | None = None
    problem: str = ""  # of the last try


def watched(db: Database) -> Watched:
    found = rows(db, "SELECT value FROM meta WHERE name = ?", (_WATCHED,))
    return Watched(**json.loads(found[0][0])) if found else Watched()


def watch_backup(store: Path, said: Watched | None) -> None:
    """Remembers how one ended: a problem without `made_at` leaves the one before. None: nobody expects any more."""
    if not store.exists():
        return
    with closing(open_store(store)) as db, transaction(db):
        if said is None:
            db.execute("DELETE FROM meta WHERE name = ?", (_WATCHED,))
            return
        made_at = watched(db).made_at if said.made_at is None else said.made_at
        value = json.dumps({"made_at": made_at, "problem": said.problem})
        db.execute("INSERT OR REPLACE INTO meta VALUES (?, ?)", (_WATCHED, value))


def _is_free(target: Path, store: Path, *, overwrite: bool) -> None:
    if target.is_dir():
        raise StoreError(f"{target} is a directory. Name a file in it, or say --keep, with how many")
    if target.exists() and not target.is_file():
        raise StoreError(f"{target} is no file. Name another one")
    itself = {store.with_name(f"{store.name}{end}").resolve() for end in ("", "-wal", "-shm", "-journal")}
    if target.resolve() in itself or (target.exists() and target.samefile(store)):
        # whoever has it open would go on writing to a file that has no name any more
        raise StoreError(f"{target} is the store itself. Name another file")
    if target.exists() and not overwrite:
        raise StoreError(f"{target} exists. Name another file, or say --overwrite")


def _fits(directory: Path, store: Path) -> None:
    """Known before a byte is written: a copy that fills the disk has the receiver refuse events until it gives up."""
    wal = store.with_name(f"{store.name}-wal")
    needed = store.stat().st_size + (wal.stat().st_size if wal.exists() else 0)
    if directory.stat().st_dev == store.stat().st_dev:
        needed += ROOM
    free = shutil.disk_usage(directory).free
    if free < needed:
        raise StoreError(
            f"the backup is not begun: it needs {needed / 1e6:.0f} MB at {directory}, of which"
            f" {free / 1e6:.0f} MB are free. Remove old backups, or name a directory on another disk"
        )


def _copy(store: Path, partial: Path, now: int, is_at: Callable[[int, int], object]) -> None:
    with closing(open_store(store)) as db, closing(sqlite3.connect(partial, isolation_level=None)) as copy:
        for pragma in ("journal_mode=OFF", "synchronous=OFF", "cache_size=-2000"):
            copy.execute(f"PRAGMA {pragma}")
        db.execute("BEGIN")
        before = _last_ids(db)  # the first read fixes what the transaction sees
        with partial.open("rb") as file:
            _step_by_step(db, copy, file.fileno(), is_at)
        db.execute("ROLLBACK")
        copy.execute("PRAGMA journal_mode=DELETE")  # one file, without a -wal beside it
        copy.execute("INSERT OR REPLACE INTO meta VALUES (?, ?)", (COPIED_AT, str(now)))
        after = [copy.execute(sql).fetchone()[0] for sql in _LAST_IDS]
    if before != after:
        raise StoreError(f"the copy holds {after} and the store {before} (last events and changes)")


def _step_by_step(db: Database, copy: sqlite3.Connection, descriptor: int, is_at: Callable[[int, int], object]) -> None:
    at, steps = time.monotonic(), 0

    def pause(_status: int, remaining: int, total: int) -> None:
        nonlocal at, steps
        steps += 1
        if steps % STEPS_A_FLUSH == 0:
            os.fdatasync(descriptor)
        is_at(total - remaining, total)
        time.sleep(min(time.monotonic() - at, 0.1))
        at = time.monotonic()

    db.conn.backup(copy, pages=PAGES_A_STEP, progress=pause)


def _checked(partial: Path) -> dict[str, int]:
    """Opens the copy as a store would be opened; the rows of each table."""
    with closing(open_store(partial)) as db:
        said = rows(db, "PRAGMA integrity_check(1)")[0][0]
        if said != "ok":
            raise StoreError(f"the copy is not whole: {said}. The store may be damaged; see: syncd check")
        if migrations.pending(db):
            raise StoreError("the copy has another schema than the store")
        counted = {table: int(rows(db, f"SELECT count(*) FROM {table}")[0][0]) for table in _COUNTED}
        db.execute("PRAGMA journal_mode=DELETE")
    return counted


def _name(partial: Path, target: Path, *, overwrite: bool) -> None:
    """Durably, at once or not at all, and never over a file that has come meanwhile."""
    with partial.open("rb") as file:
        os.fsync(file.fileno())
    if overwrite:
        partial.replace(target)
    else:
        try:
            os.link(partial, target)
        except FileExistsError as error:
            raise StoreError(f"{target} exists. Name another file, or say --overwrite") from error
        except OSError:  # a file system without hard links
            partial.rename(target)
    directory = os.open(target.parent, os.O_RDONLY)
    try:
        os.fsync(directory)
    finally:
        os.close(directory)


def _last_ids(db: Database) -> list[int]:
    return [int(rows(db, sql)[0][0]) for sql in _LAST_IDS]


_LAST_IDS = tuple(f"SELECT coalesce(max(id), 0) FROM {table}" for table in ("events", "changes", "receipts", "runs"))
