"""The port of whoever watches: what there is to judge, which alarms are open, and who was told."""

from __future__ import annotations

import json
import shutil
from dataclasses import dataclass
from datetime import timedelta
from typing import TYPE_CHECKING, Any

from syncd.alarms import DAY, HOUR, LIVELY, YOUNG, LastRun, Pulse, Situation, Waiting, tail_begins
from syncd.brake import numbers
from syncd.store.backup import watched
from syncd.store.choice import REJECTED
from syncd.store.holds import PAUSED_SINCE, Hold, Holds
from syncd.store.inbox import RECEIVED
from syncd.store.sqlite import chunks, many, rows, transaction

if TYPE_CHECKING:
    from collections.abc import Iterable, Mapping, Sequence

    from sqlite_utils import Database

    from syncd.alarms import Alarm
    from syncd.config import Settings

REMIND = DAY
"""What stays open is told again after so long."""
REMEMBERED = 400 * DAY
"""Events from before are not looked at to learn how often this company mails: a test mail of 2016 says nothing."""


@dataclass(frozen=True, slots=True)
class Message:
    """What is to be told of one alarm: that it is open (`again`: still), or over."""

    id: int
    words: str
    advice: str
    opened_at: int
    over: bool
    again: bool


def _waiting(hold: Hold) -> Waiting:
    return Waiting(hold.id, str(hold.group), hold.group.by == "shifted", numbers(hold.held), numbers(hold.written))


def situation(settings: Settings, alarms: Alarms, now: int) -> Situation:
    """What the store and the machine say now."""
    return alarms.situation(
        now,
        every=settings.sync.every // timedelta(milliseconds=1),
        watch_silence=settings.alerts.silence,
        disk_free=shutil.disk_usage(settings.store.path.parent).free,
    )


class Alarms:
    def __init__(self, db: Database) -> None:
        self._db = db

    def situation(self, now: int, *, every: int, watch_silence: bool, disk_free: int | None) -> Situation:
        """What the store says; it takes milliseconds however many events there are."""
        one = self._one
        day_ago = (now - DAY,)
        run, failing = self._runs()
        backup = watched(self._db)
        return Situation(
            now=now,
            open={key: opened_at for key, opened_at, *_ in self.open()},
            watch_silence=watch_silence,
            pulse=self._pulse(now),
            last_run=run,
            failing_since=failing,
            crashed=one(_CRASHED, now - HOUR),
            started_at=one("SELECT started_at FROM runs ORDER BY id DESC LIMIT 1"),
            heartbeat_at=one("SELECT heartbeat_at FROM runs WHERE ended_at IS NULL"),
            every=every,
            oldest_fresh=one("SELECT received_at FROM events WHERE id = (SELECT min(event_id) FROM fresh)"),
            oldest_due=one("SELECT min(due_at) FROM subjects WHERE due_at IS NOT NULL AND run_id IS NULL"),
            budget_spent=run is not None and run.ended == "budget",
            unread=one(_UNREAD, *day_ago),
            oversized=one(f"{_UNREAD} AND reason LIKE 'larger than max_body_bytes%'", *day_ago),
            strangers=self.signs("syncd_unknown_token", now, 6),
            refused=self.signs("syncd_deliveries_refused", now, 1),
            received_at=one(_RECEIVED_AT),
            missed_at=one(_MISSED_AT),
            disk_free=disk_free,
            waiting=tuple(_waiting(hold) for hold in Holds(self._db).groups()),
            paused_since=one("SELECT CAST(value AS INTEGER) FROM meta WHERE name = ? AND value <> ''", PAUSED_SINCE),
            stuck_opt_outs=one(_STUCK, now - DAY, now - DAY),
            backup_at=backup.made_at,
            backup_problem=backup.problem,
        )

    def open(self) -> list[tuple[str, int, str, str]]:
        """(key, since when, words, advice) of the alarms that are open, the oldest first."""
        return rows(self._db, "SELECT key, opened_at, words, advice FROM alarms WHERE over_at IS NULL ORDER BY id")

    def update(self, holding: Sequence[Alarm], now: int) -> None:
        """Opens what holds now and was not open; ends what was open and holds no more."""
        open_now = dict(rows(self._db, "SELECT key, words || advice FROM alarms WHERE over_at IS NULL"))
        over = [(now, key) for key in open_now.keys() - {alarm.key for alarm in holding}]
        changed = [alarm for alarm in holding if open_now.get(alarm.key) != alarm.words + alarm.advice]
        if over or changed:
            with transaction(self._db):
                many(self._db, "UPDATE alarms SET over_at = ? WHERE key = ? AND over_at IS NULL", over)
                many(self._db, _OPEN, [(alarm.key, alarm.words, alarm.advice, now) for alarm in changed])

    def untold(self, now: int) -> list[Message]:
        """What somebody has to hear: newly open, open for another day, or over after it was told."""
        return [
            Message(alarm_id, words, advice, opened_at, bool(over), bool(again))
            for alarm_id, words, advice, opened_at, over, again in rows(self._db, _UNTOLD, (now - REMIND,))
        ]

    def told(self, messages: Iterable[Message], now: int) -> None:
        for chunk in chunks(self._db, list(messages)):
            with transaction(self._db):
                many(
                    self._db, "UPDATE alarms SET over_told_at = ? WHERE id = ?", [(now, m.id) for m in chunk if m.over]
                )
                many(self._db, "UPDATE alarms SET told_at = ? WHERE id = ?", [(now, m.id) for m in chunk if not m.over])

    # --- what leaves no row of its own ------------------------------------------------------------------------------

    def count(self, counted: Mapping[str, int], now: int) -> None:
        """Takes over the receiver's counters: what they have grown by. One that is smaller has begun anew."""
        before: dict[str, int] = json.loads(self._one("SELECT value FROM meta WHERE name = 'counted'") or "{}")
        grown = {
            name: value - (before.get(name, 0) if value >= before.get(name, 0) else 0)
            for name, value in counted.items()
        }
        if before != dict(counted):
            with transaction(self._db):
                many(self._db, _SIGN, [(now // HOUR, name, number) for name, number in grown.items() if number])
                self._db.execute("INSERT OR REPLACE INTO meta VALUES ('counted', ?)", (json.dumps(dict(counted)),))

    def signs(self, name: str, now: int, hours: int) -> int:
        """How often in so many hours, and what has begun of this one."""
        sql = "SELECT coalesce(sum(number), 0) FROM signs WHERE name = ? AND hour BETWEEN ? AND ?"
        return int(self._one(sql, name, now // HOUR - hours, now // HOUR))

    # --- the parts of a situation -----------------------------------------------------------------------------------

    def _pulse(self, now: int) -> Pulse:
        one = self._one
        # keys begin with the time, so the last event is found without looking at any other
        last = one("SELECT at FROM events WHERE key < ? ORDER BY key DESC LIMIT 1", _key(now + 1))
        if last is None:
            return Pulse()
        young = one("SELECT max(first_at) FROM sends WHERE first_at BETWEEN ? AND ?", now - YOUNG, now)
        first = one("SELECT min(hour) FROM hours WHERE hour >= ?", (now - REMEMBERED) // HOUR)
        return Pulse(
            first=last if first is None else first * HOUR,
            last=last,
            gap=(one(_GAP, {"since": (now - 90 * DAY) // HOUR, "now": now // HOUR}) or 0) * HOUR,
            lively=0 if young is None else one(_LIVELY, _key(tail_begins(young, last)), _key(last + 1), LIVELY),
            young_send=young,
        )

    def _runs(self) -> tuple[LastRun | None, int | None]:
        """The last run that says how Salesforce is, and since when such runs fail."""
        found = rows(self._db, f"{_TELLING} ORDER BY r.id DESC LIMIT 1")
        if not found:
            return None, None
        run_id, _, *said = found[0]
        if said[0] not in ("unavailable", "fatal"):
            return LastRun(*said), None
        well = rows(
            self._db, f"{_TELLING} AND r.summary ->> '$.ended' IN ('done', 'budget') ORDER BY r.id DESC LIMIT 1"
        )
        since = self._one(
            f"SELECT min(started_at) FROM ({_TELLING} AND r.id > ? AND r.id <= ?)", well[0][0] if well else 0, run_id
        )
        return LastRun(*said), since

    def _one(self, sql: str, *arguments: Any) -> Any:
        found = rows(self._db, sql, arguments[0] if arguments and isinstance(arguments[0], dict) else arguments)
        return found[0][0] if found else None


def _key(at: int) -> bytes:
    """Where the keys of events at this instant begin."""
    return b"\x01" + max(at, 0).to_bytes(6, "big")


_LIVELY = "SELECT count(*) FROM (SELECT 1 FROM events WHERE key >= ? AND key < ? LIMIT ?)"

_OPEN = """INSERT INTO alarms (key, words, advice, opened_at) VALUES (?, ?, ?, ?)
  ON CONFLICT (key) WHERE over_at IS NULL DO UPDATE SET words = excluded.words, advice = excluded.advice"""

_UNTOLD = """SELECT id, words, advice, opened_at, over_at IS NOT NULL, told_at IS NOT NULL FROM alarms
  WHERE over_told_at IS NULL AND CASE WHEN over_at IS NULL THEN coalesce(told_at, 0) <= ? ELSE told_at IS NOT NULL END
  ORDER BY id"""

_SIGN = """INSERT INTO signs (hour, name, number) VALUES (?, ?, ?)
  ON CONFLICT (name, hour) DO UPDATE SET number = number + excluded.number"""

_GAP = """SELECT max(hour - before) FROM (SELECT hour, lag(hour) OVER (ORDER BY hour) AS before FROM hours
  WHERE hour >= coalesce((SELECT max(hour) FROM hours WHERE hour < :since), :since) AND hour <= :now)"""

_UNREAD = "SELECT count(*) FROM quarantine WHERE received_at >= ? AND resolved_at IS NULL"

_LATELY = "r.id > (SELECT max(id) FROM runs) - 10080"  # of runs every minute a week

# A run that had nothing to ask of Salesforce does not say whether it can be reached.
_TELLING = f"""SELECT r.id, r.started_at, r.summary ->> '$.ended', r.summary ->> '$.code', r.summary ->> '$.words'
  FROM runs r
  WHERE {_LATELY} AND (r.summary ->> '$.ended' IN ('unavailable', 'fatal', 'budget')
  OR (r.summary ->> '$.ended' = 'done' AND r.summary ->> '$.calls' > 0))"""

_CRASHED = f"""SELECT count(*) FROM runs r
  WHERE {_LATELY} AND r.ended_at >= ? AND r.summary ->> '$.ended' = 'found dead'"""

_RECEIVED_AT = f"SELECT CAST(value AS INTEGER) FROM meta WHERE name = '{RECEIVED}'"
_MISSED_AT = f"SELECT min(r.started_at) FROM runs r WHERE {_LATELY} AND r.started_at > ({_RECEIVED_AT})"

# Whoever opted out and has no record, or one that Salesforce would not change, for a day.
_STUCK = f"""SELECT count(*) FROM (
  SELECT r.subject_id FROM events e JOIN timeline t ON t.event_id = e.id JOIN recipients r ON r.id = t.recipient_id
    WHERE e.kind IN ('unsubscribe','complaint') AND e.received_at <= ? AND r.lookups > 0
  UNION SELECT c.subject_id FROM changes c WHERE c.what = 'opt_out' AND c.intended_at <= ? AND {REJECTED})"""
