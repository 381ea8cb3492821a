"""What the store and the machine say, as values: what there is to judge."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Mapping

MINUTE = 60_000
HOUR = 60 * MINUTE
DAY = 24 * HOUR

YOUNG = 48 * HOUR
"""So long after its first event a send is expected to bring more."""
QUIET = 6 * HOUR
LIVELY = 20
"""So many events a send must lead to expect within six hours; one that has thinned out has ended, and is not silent."""


@dataclass(frozen=True, slots=True)
class Pulse:
    """When events happened, by event time. `gap`: the longest without any that ended in the last 90 days."""

    first: int | None = None
    last: int | None = None
    gap: int = 0
    lively: int = 0  # events between `tail_begins` of the youngest send and the last; LIVELY stands for more, too
    young_send: int | None = None  # the first event of the youngest send


@dataclass(frozen=True, slots=True)
class LastRun:
    """The last that says something: it called Salesforce, or could not."""

    ended: str  # done | stopped | unavailable | fatal | …
    code: str = ""
    words: str = ""


@dataclass(frozen=True, slots=True)
class Waiting:
    """A held group: what waits and what was written of it before, in words."""

    id: int
    group: str
    shifted: bool
    held: str
    written: str


@dataclass(frozen=True, slots=True)
class Situation:
    """What the store and the machine say now. Counts are of what is there, ages in ms; None: there is none."""

    now: int
    open: Mapping[str, int] = field(default_factory=dict)  # the alarms that are open: key → since when
    watch_silence: bool = True
    pulse: Pulse = field(default_factory=Pulse)
    last_run: LastRun | None = None
    failing_since: int | None = None  # the first run that failed since one ended well
    crashed: int = 0  # runs of the last hour that ended in a way nobody thought of
    started_at: int | None = None  # the latest run's start
    heartbeat_at: int | None = None  # of a run that is going on
    every: int = MINUTE  # how often a run should start
    oldest_fresh: int | None = None  # receipt of the oldest event that no run has seen
    oldest_due: int | None = None  # since when the longest waiting subject is due
    budget_spent: bool = False
    unread: int = 0  # deliveries that came into quarantine in the last 24 hours and are there still
    oversized: int = 0  # of these, those that were cut
    strangers: int = 0  # calls with an unknown token in the last six hours
    refused: int = 0  # deliveries answered 503 in this hour and the last
    received_at: int | None = None  # when the receiver last proved that it stores what comes
    missed_at: int | None = None  # the first run since then
    disk_free: int | None = None
    waiting: tuple[Waiting, ...] = ()  # groups that the brake holds
    paused_since: int | None = None  # soft-bounce marks, since nothing that arrived is reported
    stuck_opt_outs: int = 0  # for a day and longer
    backup_at: int | None = None  # when the last was made, of those that somebody expects
    backup_problem: str = ""  # why there is no newer one


def tail_begins(first: int, last: int) -> int:
    """From when on as many events came as six hours without any would have brought.

    What a mailing brings falls off as one by its age does, so that as much comes between two and four hours as between
    four and eight: the next six hours weigh as much as a stretch of the past that is shorter in the same proportion.
    """
    age = last - first
    return first + age * age // (age + QUIET)
