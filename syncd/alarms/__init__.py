"""What needs a person. Pure: a situation in, the conditions that hold in it out; whoever calls says what time it is.

An alarm is a condition and not an incident: it holds or it does not, and who evaluates remembers which are open. So
nothing has to be acknowledged, and a restart forgets nothing.
"""

from __future__ import annotations

from dataclasses import dataclass
from datetime import UTC, datetime
from typing import TYPE_CHECKING

from syncd.alarms.situation import (
    DAY,
    HOUR,
    LIVELY,
    MINUTE,
    QUIET,
    YOUNG,
    LastRun,
    Pulse,
    Situation,
    Waiting,
    tail_begins,
)

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

__all__ = [
    "DAY",
    "HOUR",
    "LIVELY",
    "MINUTE",
    "ROOM",
    "YOUNG",
    "Alarm",
    "LastRun",
    "Pulse",
    "Situation",
    "Waiting",
    "conditions",
    "store_failing",
    "tail_begins",
]

LONGER = 1.5
"""Times the longest gap."""
KNOWN = 30 * DAY
"""From the first event to the last: before that nobody knows how often this company mails."""

UNREACHABLE = HOUR
LATE = 15 * MINUTE
MISSED = 5 * MINUTE
"""A receiver proves every minute that it lives."""
STUCK = 10 * MINUTE
CRASHES = 3
BACKUP_MISSING = 2 * DAY
WAITING = HOUR
UNREAD = 10
STRANGERS = 5
ROOM = 1 << 30


@dataclass(frozen=True, slots=True)
class Alarm:
    """One condition that holds. The key is what it is remembered by; words and advice may change while it is open."""

    key: str
    words: str
    advice: str


def conditions(situation: Situation) -> tuple[Alarm, ...]:
    """All alarms that hold, the worst first."""
    return tuple(alarm for condition in CONDITIONS for alarm in condition(situation))


def store_failing(words: str) -> Alarm:
    """For whoever has no situation, since the store gave none."""
    return Alarm("store", f"The store cannot be used: {words}", "See: syncd check; README, “The disk is full”")


# --- what comes in --------------------------------------------------------------------------------------------


def silence(s: Situation) -> Iterator[Alarm]:
    """Sarbacane stops calling after ten failures, and nobody else would notice."""
    if not s.watch_silence or s.pulse.last is None:
        return
    # It ends when something comes, and not because the send has grown old meanwhile.
    lasts = "silence" in s.open and s.pulse.last <= s.open["silence"] - QUIET
    if lasts or _silent_send(s.now, s.pulse) or _silent_habit(s.now, s.pulse):
        yield Alarm(
            "silence",
            f"Sarbacane reports nothing any more: the last event is of {_moment(s.pulse.last)}",
            "See whether the webhook is still on in Sarbacane; README, “Sarbacane went silent”",
        )


def _silent_send(now: int, pulse: Pulse) -> bool:
    """A young send brought events, and then none for six hours."""
    if pulse.young_send is None or pulse.last is None or pulse.lively < LIVELY:
        return False
    return now - pulse.young_send < YOUNG and now - pulse.last >= QUIET


def _silent_habit(now: int, pulse: Pulse) -> bool:
    """Nothing for much longer than is usual here."""
    if pulse.first is None or pulse.last is None or pulse.last - pulse.first < KNOWN:
        return False
    return now - pulse.last >= max(QUIET, LONGER * pulse.gap)


def strangers(s: Situation) -> Iterator[Alarm]:
    if s.strangers >= STRANGERS:
        yield Alarm(
            "unknown_token",
            f"{s.strangers} calls in six hours with a token that is not in the list, each answered 404",
            "If the URL was changed lately: add its token to secrets/webhook_tokens; README, “… the token must"
            " be replaced”",
        )


def refusals(s: Situation) -> Iterator[Alarm]:
    if s.refused:
        yield Alarm(
            "refused",
            f"{s.refused} deliveries lately were answered 503, because the store could not take them",
            "Sarbacane stops calling after ten failures. See the disk and the receiver's log, then: syncd check",
        )


def receiver(s: Situation) -> Iterator[Alarm]:
    """By the runs that went on without it: after a night switched off, both begin again."""
    if s.received_at is not None and s.missed_at is not None and s.now - s.missed_at >= MISSED:
        yield Alarm(
            "receiver",
            f"The receiver has not been heard of since {_moment(s.received_at)}: what is posted is not stored",
            "Sarbacane stops calling after ten failures. See: systemctl status syncd-receiver, syncd check",
        )


def quarantine(s: Situation) -> Iterator[Alarm]:
    if s.unread >= UNREAD:
        yield Alarm(
            "quarantine",
            f"{s.unread} deliveries in 24 hours could not be read as an event",
            "See what they are: syncd quarantine list, syncd quarantine show ID",
        )
    if s.oversized:
        yield Alarm(
            "oversized",
            f"{s.oversized} deliveries in 24 hours were larger than max_body_bytes; only their start is kept",
            "See what they are: syncd quarantine list; raise [receiver] max_body_bytes if they are events",
        )


# --- what gets done -------------------------------------------------------------------------------------------


def last_run(s: Situation) -> Iterator[Alarm]:
    if s.last_run and s.last_run.ended == "fatal":
        said = f"{s.last_run.code} {s.last_run.words}".strip()
        yield Alarm("run", f"The last run had to stop: {said}", "Nothing is lost. See what is wrong: syncd check")
    if s.crashed >= CRASHES:
        yield Alarm(
            "crashes",
            f"{s.crashed} runs of the last hour died",
            "Nothing is lost. See the scheduler's log; if syncd is at fault, please report it",
        )


def unreachable(s: Situation) -> Iterator[Alarm]:
    failing = s.last_run is not None and s.last_run.ended == "unavailable"
    if failing and s.failing_since is not None and s.now - s.failing_since >= UNREACHABLE:
        yield Alarm(
            "salesforce",
            f"Salesforce cannot be used since {_moment(s.failing_since)}",
            "Nothing is lost, and it is tried again by itself. See: syncd runs, syncd check",
        )


def no_runs(s: Situation) -> Iterator[Alarm]:
    if s.heartbeat_at is not None:
        if s.now - s.heartbeat_at >= STUCK:
            yield Alarm(
                "no_runs",
                f"A run is going on that has not moved since {_moment(s.heartbeat_at)}",
                "Restart the scheduler; the next run settles what this one left",
            )
    elif s.started_at is not None and s.now - s.started_at >= max(LATE, 10 * s.every):
        yield Alarm(
            "no_runs",
            f"No run has started since {_moment(s.started_at)}",
            "See whether the scheduler lives: syncd serve, or syncd schedule",
        )


def backlog(s: Situation) -> Iterator[Alarm]:
    waiting = [at for at in (s.oldest_fresh, s.oldest_due) if at is not None]
    if waiting and s.now - min(waiting) >= WAITING:
        yield Alarm(
            "backlog",
            f"Work is waiting since {_moment(min(waiting))}: runs don't keep up with what comes in",
            "See what they do: syncd runs, syncd status",
        )


def budget(s: Situation) -> Iterator[Alarm]:
    if s.budget_spent:
        yield Alarm(
            "budget",
            "The budget of calls to Salesforce is spent: what is left waits",
            "It goes on by itself. If that is too late: raise [salesforce] daily_budget",
        )


def disk(s: Situation) -> Iterator[Alarm]:
    if s.disk_free is not None and s.disk_free < ROOM:
        yield Alarm(
            "disk",
            f"Only {s.disk_free / 1e6:.0f} MB are free where the store is",
            "Make room, or run: syncd prune; README, “The disk is full”",
        )


def backup(s: Situation) -> Iterator[Alarm]:
    """Nobody looks at copies until one is needed. Where none is expected nothing is remembered of any."""
    missing = s.backup_at is not None and s.now - s.backup_at >= BACKUP_MISSING
    if s.backup_problem or missing:
        since = "" if s.backup_at is None else f"; the last is of {_moment(s.backup_at)}"
        yield Alarm(
            "backup",
            f"The last backup failed: {s.backup_problem}{since}" if s.backup_problem else f"No backup is made{since}",
            "See: journalctl -u syncd-backup, systemctl list-timers syncd-backup; README, “The store is lost”",
        )


def held(s: Situation) -> Iterator[Alarm]:
    """One alarm a group, with what was written of it before it was seen."""
    for one in s.waiting:
        why = "; the whId column of its list is probably in the wrong rows" if one.shifted else ""
        before = f" {one.written} went out before: syncd undo --group {one.id}." if one.written else ""
        yield Alarm(
            f"held {one.id}",
            f"{one.held or 'Nothing yet'} held back, {one.group}{why}",
            f"Look: syncd held {one.id}. Then: syncd release {one.id}, or syncd drop {one.id}.{before}",
        )


def nothing_delivered(s: Situation) -> Iterator[Alarm]:
    """Not before an hour: the bounces of a send are often the first that is heard of it."""
    if s.paused_since is not None and s.now - s.paused_since >= HOUR:
        yield Alarm(
            "nothing_delivered",
            "Bounces are reported and for a week no mail that arrived; soft bounces mark nobody meanwhile",
            "Tick “delivered” for the webhook in Sarbacane. What paused is then looked at again by itself",
        )


def stuck_opt_outs(s: Situation) -> Iterator[Alarm]:
    if s.stuck_opt_outs:
        yield Alarm(
            "opt_outs",
            f"{s.stuck_opt_outs} who opted out could not be marked so for a day: no record, or Salesforce refuses",
            "They are tried daily. See who: syncd explain, syncd retry --dry-run, syncd resync --unmatched --dry-run",
        )


CONDITIONS: tuple[Callable[[Situation], Iterator[Alarm]], ...] = (
    receiver, disk, refusals, last_run, stuck_opt_outs, held, no_runs, silence, nothing_delivered, strangers,
    unreachable, backlog, budget, quarantine, backup,
)  # fmt: skip
"""A condition of its own is a function here and, for what it asks, a field of Situation that the store fills."""


def _moment(at: int) -> str:
    return datetime.fromtimestamp(at / 1000, UTC).strftime("%Y-%m-%d %H:%M UTC")
