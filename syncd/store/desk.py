"""The port of people: looks, and changes nothing."""

from __future__ import annotations

import json
from typing import TYPE_CHECKING, Any

from syncd.store import totals
from syncd.store.calls import Calls
from syncd.store.choice import OPEN, REJECTED
from syncd.store.sqlite import rows, snapshot

if TYPE_CHECKING:
    from sqlite_utils import Database

HOUR = 3_600_000
BLAMED = (
    "c.what = 'mark' AND c.state = 'done' AND json_extract(c.why, '$.reason') IN"
    " ('blocked','content','policy','sender_auth','rate_limited','too_large')"
)
"""Written as the index `changes_blamed` has it. The reasons are `syncd.model.SENDERS_FAULT`."""


class Desk:
    """What the command line shows. Rows come as dicts, instants in ms, JSON columns decoded."""

    def __init__(self, db: Database) -> None:
        self._db = db

    def status(self, now: int) -> dict[str, Any]:
        """Counts and last times; see `syncd status`. Takes milliseconds, however many events there are."""
        with snapshot(self._db):
            return self._status(now)

    def has_run(self, run: int) -> bool:
        return bool(self._one("SELECT count(*) FROM runs WHERE id = ?", run))

    def knows_record(self, record: str) -> bool:
        """Whether a recipient was ever found to be this one (18 characters), or syncd wrote on it."""
        return bool(rows(self._db, _KNOWN, {"record": record})[0][0])

    def _status(self, now: int) -> dict[str, Any]:
        one = self._one
        kinds = totals.by_kind(self._db)
        waiting = one("SELECT count(*) FROM fresh")
        return {
            "last_event_at": one(_LAST_EVENT),
            "events": waiting + sum(number for number, _ in kinds.values()),
            "events_waiting": waiting,
            "subjects_due": one("SELECT count(*) FROM subjects WHERE due_at <= ? AND run_id IS NULL", now),
            "subjects_later": one("SELECT count(*) FROM subjects WHERE due_at > ? AND run_id IS NULL", now),
            "subjects_failing": one("SELECT count(*) FROM subjects WHERE attempts > 0"),
            "unmatched": one("SELECT count(*) FROM recipients WHERE lookups > 0"),
            "rejected": one(f"SELECT count(*) FROM changes c WHERE {REJECTED}"),
            "rejections": dict(rows(self._db, _REJECTIONS)),
            "held": one(f"SELECT count(*) FROM changes WHERE {OPEN} AND state = 'held'"),
            "unsettled": one(f"SELECT count(*) FROM changes WHERE {OPEN} AND state = 'uncertain'"),
            "quarantined": one("SELECT count(*) FROM quarantine WHERE resolved_at IS NULL"),
            "calls_24h": sum(calls for _, calls in Calls(self._db).recent(now)),
            "calls_resume_at": one("SELECT max(CAST(value AS INTEGER)) FROM meta WHERE name = 'budget_resumes_at'")
            or None,
            "run_going_on": bool(one("SELECT count(*) FROM runs WHERE ended_at IS NULL")),
            "last_run": self._last_run(),
            "kinds": {kind: number for kind, (number, _) in kinds.items()},
            "lately": self._lately(now),
            "marks_by_senders_fault": one(_BLAMED),
        }

    def _lately(self, now: int) -> dict[str, int]:
        """Of the last thirty days: what tells whether the recipient lists are in order."""
        since = now - 30 * 24 * HOUR
        days = totals.by_day(self._db, since)
        (marks, mismatched) = rows(self._db, _MARKS, (since,))[0]
        return {
            "events": sum(day.number for day in days),
            "with_usable_whid": sum(day.usable for day in days),
            "bounces_judged": marks,
            "address_mismatches": mismatched,
        }

    def _last_run(self) -> dict[str, Any] | None:
        found = self._dicts("SELECT * FROM runs WHERE ended_at IS NOT NULL ORDER BY id DESC LIMIT 1")
        return found[0] if found else None

    def latest(self) -> dict[str, int | None]:
        """When what should happen last happened, in ms; None: never."""
        return {
            "last_event_at": self._one(_LAST_EVENT),
            "last_success_at": self._one(
                "SELECT max(ended_at) FROM (SELECT ended_at FROM runs WHERE json_extract(summary, '$.ended') = 'done'"
                " ORDER BY id DESC LIMIT 1)"
            ),
            "last_mark_at": self._one(
                "SELECT max(intended_at) FROM (SELECT intended_at FROM changes WHERE what = 'mark' AND state = 'done'"
                " ORDER BY intended_at DESC LIMIT 1)"
            ),
        }

    def events(self) -> list[dict[str, Any]]:
        return self._dicts(
            "SELECT id, lower(hex(key)) AS key, at, received_at, word, kind, address, whid, campaign, send, raw"
            " FROM events ORDER BY id"
        )

    def quarantine(self) -> list[dict[str, Any]]:
        return self._dicts("SELECT id, received_at, source, reason, length(body) AS bytes FROM quarantine ORDER BY id")

    def recipients(self) -> list[dict[str, Any]]:
        return self._dicts(
            "SELECT r.id, r.address, r.whid, r.matched, r.lookups, s.sf_id, s.object"
            " FROM recipients r JOIN subjects s ON s.id = r.subject_id ORDER BY r.id"
        )

    def decisions(self) -> list[dict[str, Any]]:
        return self._dicts(
            "SELECT d.id, s.sf_id, d.aspect, d.verdict, d.at, d.through, d.by, d.note"
            " FROM decisions d JOIN subjects s ON s.id = d.subject_id ORDER BY d.id"
        )

    def changes(self) -> list[dict[str, Any]]:
        """Every change with its receipts."""
        receipts: dict[int, list[dict[str, Any]]] = {}
        for row in self._dicts("SELECT change_id, at, ok, sf_id, code, words FROM receipts ORDER BY id"):
            receipts.setdefault(row.pop("change_id"), []).append(row)
        return [
            {**change, "receipts": receipts.get(change["id"], [])}
            for change in self._dicts(
                "SELECT id, run_id, what, object, sf_id, activity, before, after, why, through, state, intended_at"
                " FROM changes ORDER BY id"
            )
        ]

    def runs(self) -> list[dict[str, Any]]:
        return self._dicts("SELECT id, cause, started_at, ended_at, summary FROM runs ORDER BY id")

    def _one(self, sql: str, *arguments: object) -> Any:
        found = rows(self._db, sql, arguments)
        return found[0][0] if found else None

    def _dicts(self, sql: str) -> list[dict[str, Any]]:
        cursor = self._db.execute(sql)
        names = [column[0] for column in cursor.description]
        return [
            {name: json.loads(v) if name in _JSON and v else v for name, v in zip(names, row, strict=True)}
            for row in cursor.fetchall()
        ]


_REJECTIONS = f"""SELECT code, count(*) FROM (SELECT
  (SELECT o.code FROM receipts o WHERE o.change_id = c.id ORDER BY o.id DESC LIMIT 1) AS code
  FROM changes c WHERE {REJECTED} ORDER BY c.id DESC LIMIT 1000) WHERE code <> '' GROUP BY code ORDER BY 2 DESC, 1"""
"""Of the newest thousand."""

_LAST_EVENT = "SELECT received_at FROM events WHERE id = (SELECT max(id) FROM events)"
_JSON = frozenset({"before", "after", "why", "summary", "raw"})

# What was to be marked, and what was not because the record's address is another one. Each is told once.
_MARKS = """SELECT count(*), coalesce(sum(c.state = 'refused' AND EXISTS (SELECT 1 FROM receipts r
  WHERE r.change_id = c.id AND r.code = 'address_changed')), 0)
  FROM changes c WHERE c.what = 'mark' AND c.intended_at >= ?"""

# Merged ones, too: what was written on them is theirs still.
_KNOWN = """SELECT EXISTS (SELECT 1 FROM subjects WHERE sf_id = :record)
  OR EXISTS (SELECT 1 FROM moved WHERE sf_id = :record) OR EXISTS (SELECT 1 FROM changes WHERE sf_id = :record)"""

# Marks that stand, of bounces that blame who sends: the address may well be good.
_BLAMED = f"""
SELECT count(*) FROM changes c WHERE {BLAMED}
  AND NOT EXISTS (SELECT 1 FROM changes l WHERE l.subject_id = c.subject_id AND l.id > c.id
    AND l.what IN ('mark','lift','undo') AND l.state IN ('done','found'))
  AND NOT EXISTS (SELECT 1 FROM decisions d WHERE d.subject_id = c.subject_id AND d.aspect = 'invalid'
    AND d.verdict <> 'released' AND d.at >= c.intended_at)"""
