"""How much there is to do a day, from what was received lately."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

from syncd.store.sqlite import rows

if TYPE_CHECKING:
    from collections.abc import Sequence

    from sqlite_utils import Database

DAY = 86_400_000
WINDOW = 30 * DAY


@dataclass(frozen=True, slots=True)
class Load:
    """`events`: all that are stored. The rates are of the last 30 days, or of fewer if the first event is younger; of
    at least one, so that a first hour is not taken for a month."""

    events: int
    events_a_day: float
    tasks_a_day: float
    days: float


def load_a_day(db: Database, now: int, kinds: Sequence[str]) -> Load:
    """`kinds`: the events that make a Task; a recipient's of one send make one together."""
    (total,) = rows(db, "SELECT count(*) FROM events")[0]
    # The key begins with its version and the event's time: a range of it is read by its index.
    first = b"\x01" + (now - WINDOW).to_bytes(6, "big")
    marks = ",".join("?" * len(kinds))
    ((recent, oldest),) = rows(db, "SELECT count(*), min(at) FROM events WHERE key >= ?", [first])
    ((tasks,),) = rows(
        db,
        "SELECT count(*) FROM (SELECT DISTINCT address, whid, coalesce(nullif(send, ''), nullif(campaign, ''), at / ?)"
        f" FROM events WHERE key >= ? AND kind IN ({marks}))",
        [DAY, first, *kinds],
    )
    days = max(1.0, (now - (oldest or now)) / DAY)
    return Load(total, recent / days, tasks / days, days)
