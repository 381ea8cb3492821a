"""The port of whoever receives: durable appends, many deliveries a transaction."""

from __future__ import annotations

import sqlite3
from contextlib import contextmanager
from dataclasses import dataclass
from hashlib import blake2b
from typing import TYPE_CHECKING

from syncd.errors import StoreError
from syncd.store.sqlite import chunks, many, pause, rows, transaction

if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence

    from sqlite_utils import Database

    from syncd.model import Event
    from syncd.store.home import Home


RECEIVED = "received"
"""In `meta`: when a receiver last proved that it stores what comes."""
_REFUSED = (sqlite3.IntegrityError, sqlite3.DataError, sqlite3.InterfaceError, ValueError, OverflowError)
"""A broken CHECK, a text too long or with half a surrogate pair, an integer beyond 64 bits."""


class Unstorable(StoreError):  # noqa: N818
    """The rows themselves are refused, today and tomorrow: trying again mends nothing."""


@dataclass(frozen=True, slots=True)
class Unread:
    """A delivery, or one item of it, that is no event: kept whole."""

    received_at: int
    source: str
    reason: str
    body: bytes


class Inbox:
    """Appends events and quarantined deliveries; knows nothing of what becomes of them."""

    def __init__(self, db: Database, home: Home | None = None) -> None:
        self._db = db
        self._home = home

    def append(self, events: Sequence[Event], unread: Sequence[Unread] = ()) -> int:
        """One durable transaction for all of them; what is stored already stays as it is. How many events were new.

        Raises Unstorable if it is a row's fault, StoreError if it is the store's.
        """
        try:
            with transaction(self._db):
                new = _insert(self._db, events)
                many(
                    self._db,
                    "INSERT INTO quarantine (digest, received_at, source, reason, body) VALUES (?, ?, ?, ?, ?)"
                    " ON CONFLICT (digest) DO NOTHING",
                    [(_digest(u.body), u.received_at, u.source, u.reason, u.body) for u in unread],
                )
            return new
        except (StoreError, *_REFUSED) as error:
            cause = error.__cause__ if isinstance(error, StoreError) else error
            if isinstance(cause, _REFUSED):
                raise Unstorable(f"the store refuses a row: {type(cause).__name__}") from error
            raise

    def unknown(self, events: Sequence[Event]) -> list[Event]:
        """Those of these that are not stored already, each once."""
        new = {event.key: event for event in events}
        marks = ", ".join("?" * len(new))
        for (key,) in rows(self._db, f"SELECT key FROM events WHERE key IN ({marks})", list(new)):
            del new[key]
        return list(new.values())

    def is_writable(self) -> None:
        """Proves that the store takes a write now. Raises StoreError."""
        self._put("written", "yes")

    def is_left(self) -> bool:
        """Whether the store's files are others by now, so that what was appended is to be appended to those.

        Raises Astray if there are no others, or not yet. Never without a `home`.
        """
        return self._home is not None and self._home.is_left()

    def is_received(self, now: int) -> None:
        """The same by a receiver, and remembered: who looks for alarms knows by it that deliveries are taken."""
        self._put(RECEIVED, str(now))

    def _put(self, name: str, value: str) -> None:
        with transaction(self._db):
            self._db.execute("INSERT OR REPLACE INTO meta (name, value) VALUES (?, ?)", (name, value))

    @contextmanager
    def durable_at_the_end(self) -> Iterator[None]:
        """What is appended inside is durable only once this has ended, however it ends. For what can be done again.

        In WAL mode synchronous=NORMAL risks no damage, only that a power cut takes the last commits back; a commit with
        FULL, the receiver's too, makes all before it durable. The others wait less: no sync while the lock is held.
        """
        self._db.execute("PRAGMA synchronous=NORMAL")
        try:
            yield
        finally:
            self._db.execute("PRAGMA synchronous=FULL")
            self.is_writable()

    def turns(self, events: Sequence[Event]) -> Iterator[Sequence[Event]]:
        """As many at a time as an import may append at once, with a pause before each for the receiver."""
        for chunk in chunks(self._db, events):
            pause(self._db)
            yield chunk

    def close(self) -> None:
        self._db.close()


def _digest(body: bytes) -> bytes:
    return blake2b(body, digest_size=16).digest()


_ROW = "(?, ?, ?, ?, ?, ?, ?, ?, ?, ?)"
_STATEMENTS = {
    # not OR IGNORE: that would also swallow a row that breaks a CHECK
    size: "INSERT INTO events (key, at, received_at, word, kind, address, whid, campaign, send, raw) VALUES "
    + ", ".join([_ROW] * size)
    + " ON CONFLICT (key) DO UPDATE SET repeats = repeats + 1"
    for size in (64, 32, 16, 8, 4, 2, 1)
}


def _insert(db: Database, events: Sequence[Event]) -> int:
    """How many were new. Many rows a statement: Python's lock changes hands once a statement, not once a row.

    Beside a thread that keeps the lock busy that halves the receiver's p99 at 64 connections (112 to 49 ms).
    """
    start = rows_touched = 0
    before = db.conn.total_changes
    for size, statement in _STATEMENTS.items():
        while len(events) - start >= size:
            values: list[str | int | bytes] = []
            for e in events[start : start + size]:
                values += (e.key, e.at, e.received_at, e.word, e.kind.value)
                values += (e.address, e.whid, e.campaign, e.send, e.raw)
            rows_touched += db.execute(statement, values).rowcount
            start += size
    # a new one is a row more than that: its line in `fresh`, which a trigger writes
    return db.conn.total_changes - before - rows_touched
