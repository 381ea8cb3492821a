"""A connection to the SQLite store, set for durability, and its schema kept by explicit migrations."""

from __future__ import annotations

import os
import sqlite3
import stat
import time
from contextlib import contextmanager, suppress
from typing import TYPE_CHECKING, Any, TypeVar

from sqlite_utils import Database

from syncd.errors import StoreError
from syncd.store.migrations import migrations

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Iterator, Sequence
    from pathlib import Path

T = TypeVar("T")

ROWS_A_TRANSACTION = 100
"""SQLite's busy handler is not fair: beside back-to-back transactions of 2,000 rows a receiver's commit p99 was 3.4 s,
with 100 rows and a pause it was 13 ms, as if nobody else wrote."""
PAUSE, LONGEST_PAUSE = 0.002, 0.1
"""Seconds between two transactions of one job, if nobody else writes."""
_PRAGMAS = ("journal_mode=WAL", "synchronous=FULL", "foreign_keys=ON", "temp_store=MEMORY", "secure_delete=FAST")
_FULL = {sqlite3.SQLITE_FULL, sqlite3.SQLITE_IOERR_SHMSIZE}  # the latter: no room even to begin
BUSY = 10.0  # seconds a writer waits for another
POLL, SLOW_POLL = 0.0005, 0.01
"""Seconds between two tries of a connection that is `eager`; the latter once it has waited for PATIENT."""
PATIENT = 0.1


class _Connection(sqlite3.Connection):
    """`held`: seconds that its last transaction kept the others from writing; `seen`: the store's state then.

    `eager`: seconds that it tries to begin a transaction, again and again; 0: SQLite waits, as for everything else.
    """

    held = 0.0
    seen = 0
    eager = 0.0


def connect(path: Path, *, busy: float = BUSY, shared: bool = False, eager: bool = False) -> Database:
    """A connection for one thread (`shared`: for several that take turns). WAL, synchronous=FULL, foreign keys on.

    `eager`: begins as soon as another writer lets it. SQLite's own waiting takes ever longer pauses, 1, 2, 5, 10 ms and
    so on, and so misses the moments between two short transactions of somebody else.

    secure_delete=FAST: what is deleted is overwritten where that costs no further page, so that `forget` finds it gone.
    """
    with suppress(OSError):  # it is there, or SQLite says what is wrong
        _make(path)
    try:
        conn = sqlite3.connect(
            f"{path.absolute().as_uri()}?mode=rw", uri=True,
            timeout=busy, isolation_level=None, check_same_thread=not shared, factory=_Connection,
        )  # fmt: skip
        for pragma in _PRAGMAS:
            conn.execute(f"PRAGMA {pragma}")
        conn.eager = busy if eager else 0.0
    except sqlite3.Error as error:
        raise StoreError(f"cannot open the store {path}: {_words(error)}") from error
    return Database(conn, execute_plugins=False)


def _make(path: Path) -> None:
    """A new, empty one. SQLite would let everybody read it; the group, as services share it, is the umask's to say.

    By root in a directory of somebody else's it becomes theirs: a service must be able to write what a command began.
    SQLite itself sees to the files beside it, which get the owner and the mode of this one.
    """
    descriptor = os.open(path, os.O_CREAT | os.O_EXCL | os.O_WRONLY, 0o660)
    try:
        directory = path.parent.stat()
        if os.geteuid() == 0 and directory.st_uid != 0:
            os.fchown(descriptor, directory.st_uid, directory.st_gid)
            os.fchmod(descriptor, 0o660 if directory.st_mode & stat.S_IWGRP else 0o600)
    finally:
        os.close(descriptor)


def open_store(path: Path, *, busy: float = BUSY, shared: bool = False, eager: bool = False) -> Database:
    """Connects; makes the schema in a store that is new, and refuses one whose migrations are pending."""
    if not path.parent.is_dir():
        raise StoreError(f"the store's directory {path.parent} does not exist. Make it: mkdir -p {path.parent}")
    db = connect(path, busy=busy, shared=shared, eager=eager)
    try:
        if migrations.pending(db):
            with transaction(db):  # two processes may start at once: the second finds the work done
                if not _is_new(db):
                    _refuse(db, path)
                migrations.apply(db)
        _refuse_newer(db, path)
    except BaseException as error:
        db.close()
        if isinstance(error, sqlite3.Error):
            raise StoreError(f"cannot use the store {path}: {_words(error)}") from error
        raise
    return db


def pending_migrations(path: Path) -> list[str]:
    """The names of those that `migrate` would apply."""
    db = connect(path)
    try:
        return [migration.name for migration in migrations.pending(db)]
    finally:
        db.close()


def migrate(path: Path) -> list[str]:
    """Applies what is pending and names it."""
    db = connect(path)
    try:
        # A table that others refer to is replaced by a new one: SQLite's documented way checks references afterwards.
        db.execute("PRAGMA foreign_keys=OFF")
        with transaction(db):
            names = [migration.name for migration in migrations.pending(db)]
            migrations.apply(db)
            if broken := rows(db, "PRAGMA foreign_key_check"):
                raise StoreError(f"{path}: rows refer to others that are missing ({broken[0][0]}); nothing was changed")
        return names
    finally:
        db.close()


@contextmanager
def transaction(db: Database, *, repeatable: bool = False) -> Iterator[Database]:
    """All or nothing, and StoreError for what SQLite refuses.

    BEGIN IMMEDIATE: a deferred one fails at once when it reads first and somebody else writes meanwhile.
    `repeatable`: a power cut may take it back, since whoever did it will do it again; no sync while the lock is held.
    A later commit that is not, anybody's, makes it durable as well, so nothing durable can rest on what was lost.
    """
    if repeatable:
        db.execute("PRAGMA synchronous=NORMAL")
    try:
        _begin(db)
        began = time.perf_counter()
        yield db
        db.execute("COMMIT")
        if isinstance(db.conn, _Connection):
            db.conn.held = time.perf_counter() - began
    except BaseException as error:
        if db.conn.in_transaction:
            db.execute("ROLLBACK")
        if isinstance(error, sqlite3.Error):
            raise StoreError(f"the store cannot be written: {_words(error)}") from error
        raise
    finally:
        if repeatable:
            db.execute("PRAGMA synchronous=FULL")


def _begin(db: Database) -> None:
    conn = db.conn
    if not isinstance(conn, _Connection) or not conn.eager:
        db.execute("BEGIN IMMEDIATE")
        return
    conn.execute("PRAGMA busy_timeout=0")
    started = time.monotonic()
    try:
        while True:
            try:
                conn.execute("BEGIN IMMEDIATE")
                return
            except sqlite3.OperationalError as error:
                waited = time.monotonic() - started
                if error.sqlite_errorcode & 0xFF != sqlite3.SQLITE_BUSY or waited > conn.eager:
                    raise
            time.sleep(POLL if waited < PATIENT else SLOW_POLL)
    finally:
        conn.execute(f"PRAGMA busy_timeout={round(conn.eager * 1000)}")


def settle(db: Database) -> None:
    """Waits until what repeatable transactions left in the log is on the disk, and keeps nobody from writing meanwhile.

    Without it the next durable commit, a delivery's, would wait for all of it. The log itself carries no locks of
    SQLite's (they are on the -shm file), so a descriptor of one's own does no harm.
    """
    with suppress(FileNotFoundError):
        log = os.open(f"{rows(db, 'PRAGMA database_list')[0][2]}-wal", os.O_RDONLY)
        try:
            os.fdatasync(log)
        finally:
            os.close(log)


@contextmanager
def snapshot(db: Database) -> Iterator[None]:
    """What is read inside belongs together. For a few quick questions: the WAL cannot be emptied meanwhile."""
    db.execute("BEGIN")
    try:
        yield
    finally:
        db.execute("COMMIT")


def chunks(db: Database, rows: Iterable[T], weight: Callable[[T], int] = lambda _: 1) -> Iterator[list[T]]:
    """As many at a time as one write transaction may have, with a pause between them for the other writers."""
    for number, part in enumerate(together(rows, weight)):
        if number:
            pause(db)
        yield part


def together(rows: Iterable[T], weight: Callable[[T], int]) -> Iterator[list[T]]:
    """As many as one write transaction may have, by the rows that each is (`weight`); none is cut."""
    part: list[T] = []
    weighs = 0
    for row in rows:
        its = weight(row)
        if part and weighs + its > ROWS_A_TRANSACTION:
            yield part
            part, weighs = [], 0
        part.append(row)
        weighs += its
    if part:
        yield part


def pause(db: Database) -> None:
    """Between two transactions of one job: if others write meanwhile, as long as the last one kept them waiting."""
    conn = db.conn
    if not isinstance(conn, _Connection):
        raise TypeError(type(conn))
    before, conn.seen = conn.seen, conn.execute("PRAGMA data_version").fetchone()[0]
    time.sleep(PAUSE if conn.seen == before else max(PAUSE, min(conn.held, LONGEST_PAUSE)))


def rows(db: Database, sql: str, arguments: Sequence[Any] | dict[str, Any] = ()) -> list[Any]:
    """All rows at once: a cursor left open would keep a read transaction, and the WAL growing."""
    try:
        return db.execute(sql, arguments).fetchall()
    except sqlite3.Error as error:
        raise StoreError(f"the store cannot be read: {_words(error)}") from error


def _words(error: sqlite3.Error) -> str:
    full = getattr(error, "sqlite_errorcode", None) in _FULL
    return "the disk is full. Make room; README, “The disk is full”, says how" if full else str(error)


def insert(db: Database, sql: str, arguments: Sequence[Any] = ()) -> int:
    """The id of the new row."""
    row_id = db.execute(sql, arguments).lastrowid
    if row_id is None:
        raise StoreError("the store gave no id for a new row")
    return row_id


def many(db: Database, sql: str, arguments: Iterable[Sequence[Any]]) -> int:
    """How many rows were written; those of triggers are not counted."""
    return db.conn.executemany(sql, arguments).rowcount


def _is_new(db: Database) -> bool:
    return not any(name for name in db.table_names() if not name.startswith(("sqlite_", "_sqlite_")))


def _refuse(db: Database, path: Path) -> None:
    pending = migrations.pending(db)
    if pending:
        names = f"{pending[0].name}…{pending[-1].name}" if len(pending) > 1 else pending[0].name
        raise StoreError(
            f"{path}: {len(pending)} migration{'s' * (len(pending) > 1)} pending ({names})."
            " Back up and run: syncd migrate"
        )


def _refuse_newer(db: Database, path: Path) -> None:
    known = {migration.name for migration in migrations._migrations}  # noqa: SLF001 - there is no public list of all
    newer = [migration.name for migration in migrations.applied(db) if migration.name not in known]
    if newer:
        raise StoreError(
            f"{path} was written by a newer syncd ({newer[-1]}). Install that version, or restore a backup."
        )
