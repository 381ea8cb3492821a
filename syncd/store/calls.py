"""The port of the budget: how many calls were made in which hour, and how many the org allows."""

from __future__ import annotations

from typing import TYPE_CHECKING

from syncd.store.sqlite import rows, transaction

if TYPE_CHECKING:
    from sqlite_utils import Database

HOUR = 3_600_000
WINDOW = 24  # hours
_LIMIT = "org_daily_limit"


class Calls:
    """Counted before they are made, in a commit of their own: a crash forgets none."""

    def __init__(self, db: Database) -> None:
        self._db = db

    def add(self, calls: int, now: int) -> None:
        with transaction(self._db):
            self._db.execute(
                "INSERT INTO api_calls VALUES (?, ?) ON CONFLICT (hour) DO UPDATE SET calls = calls + excluded.calls",
                (now // HOUR, calls),
            )

    def recent(self, now: int) -> list[tuple[int, int]]:
        """(when they have left the last 24 hours for sure, calls) by hour, the oldest first.

        Calls are known by the hour, so an hour counts until its last minute is a day old. Those of a clock that ran
        ahead count as well, for a day at most: they may have been made just now.
        """
        found = rows(
            self._db,
            "SELECT (hour + 1 + ?) * ?, calls FROM api_calls WHERE hour BETWEEN ? AND ? AND calls > 0 ORDER BY hour",
            (WINDOW, HOUR, now // HOUR - WINDOW, now // HOUR + WINDOW),
        )
        return [(leaves_at, calls) for leaves_at, calls in found]

    @property
    def org_limit(self) -> int:
        """What Salesforce last said that the org may make in 24 hours; 0 if it never did."""
        found = rows(self._db, "SELECT value FROM meta WHERE name = ?", (_LIMIT,))
        return int(found[0][0]) if found else 0

    @org_limit.setter
    def org_limit(self, calls: int) -> None:
        with transaction(self._db):
            self._db.execute("INSERT OR REPLACE INTO meta (name, value) VALUES (?, ?)", (_LIMIT, str(calls)))
