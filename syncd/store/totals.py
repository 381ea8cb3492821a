"""What was counted of the events, so that nobody has to count them: by day and kind, by hour, by send.

Kept by the fold, in its transactions. Days and hours are UTC, by event time.
"""

from __future__ import annotations

from collections import Counter
from dataclasses import dataclass
from typing import TYPE_CHECKING

from syncd.store.sqlite import many, rows

if TYPE_CHECKING:
    from collections.abc import Iterable

    from sqlite_utils import Database

DAY = 86_400_000
HOUR = 3_600_000


@dataclass(frozen=True, slots=True)
class OfADay:
    """`day`: its first instant. `usable`: how many came with a whId that can name a record."""

    day: int
    kind: str
    number: int
    usable: int


def add(db: Database, events: Iterable[tuple[int, str, bool, str, str]]) -> None:
    """(at, kind, whether its whId is usable, sendId, campaignId) of each; inside the caller's transaction."""
    kinds, usable, hours = Counter[tuple[int, str]](), Counter[tuple[int, str]](), Counter[int]()
    sends: dict[str, list[tuple[int, str]]] = {}
    for at, kind, is_usable, send, campaign in events:
        kinds[at // DAY, kind] += 1
        usable[at // DAY, kind] += is_usable
        hours[at // HOUR] += 1
        if send or campaign:
            sends.setdefault(send or campaign, []).append((at, campaign))
    many(db, _KIND, [(*of, number, usable[of]) for of, number in kinds.items()])
    many(db, _HOUR, hours.items())
    many(db, _SEND, [(send, max(c for _, c in its), min(its)[0], max(its)[0], len(its)) for send, its in sends.items()])


def by_day(db: Database, since: int = 0) -> list[OfADay]:
    """All days with events from this instant on, for instance for a chart."""
    found = rows(db, "SELECT day, kind, number, usable FROM totals WHERE day >= ? ORDER BY day, kind", (since // DAY,))
    return [OfADay(day * DAY, *columns) for day, *columns in found]


def by_kind(db: Database) -> dict[str, tuple[int, int]]:
    """Kind → how many there ever were, and how many of them had a usable whId."""
    found = rows(db, "SELECT kind, sum(number), sum(usable) FROM totals GROUP BY kind ORDER BY kind")
    return {kind: (number, usable) for kind, number, usable in found}


_KIND = """INSERT INTO totals VALUES (?, ?, ?, ?) ON CONFLICT (day, kind)
  DO UPDATE SET number = number + excluded.number, usable = usable + excluded.usable"""
_HOUR = "INSERT INTO hours VALUES (?, ?) ON CONFLICT (hour) DO UPDATE SET number = number + excluded.number"
_SEND = """INSERT INTO sends VALUES (?, ?, ?, ?, ?) ON CONFLICT (send)
  DO UPDATE SET first_at = min(first_at, excluded.first_at), last_at = max(last_at, excluded.last_at),
  events = events + excluded.events"""
