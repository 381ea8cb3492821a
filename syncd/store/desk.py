"""The port of people: looks, and changes nothing."""

from __future__ import annotations

import json
from typing import TYPE_CHECKING, Any

from syncd.store.sqlite import rows

if TYPE_CHECKING:
    from sqlite_utils import Database

HOUR = 3_600_000


class Desk:
    """What the command line shows. Rows come as dicts, instants in ms, JSON columns decoded."""

    def __init__(self, db: Database) -> None:
        self._db = db

    def status(self, now: int) -> dict[str, Any]:
        """Counts and last times; see `syncd status`."""
        one = self._one
        return {
            "last_event_at": one("SELECT max(received_at) FROM events"),
            "events": one("SELECT count(*) FROM events"),
            "events_waiting": one("SELECT count(*) FROM fresh"),
            "subjects_due": one("SELECT count(*) FROM subjects WHERE due_at <= ? AND run_id IS NULL", now),
            "subjects_later": one("SELECT count(*) FROM subjects WHERE due_at > ?", now),
            "subjects_failing": one("SELECT count(*) FROM subjects WHERE attempts > 0"),
            "unmatched": one("SELECT count(*) FROM recipients WHERE lookups > 0"),
            "rejected": one(_REJECTED),
            "unsettled": one("SELECT count(*) FROM changes WHERE state = 'uncertain'"),
            "quarantined": one("SELECT count(*) FROM quarantine WHERE resolved_at IS NULL"),
            "calls_24h": one("SELECT coalesce(sum(calls), 0) FROM api_calls WHERE hour >= ?", now // HOUR - 24),
            "calls_resume_at": one("SELECT max(CAST(value AS INTEGER)) FROM meta WHERE name = 'budget_resumes_at'")
            or None,
            "run_going_on": bool(one("SELECT count(*) FROM runs WHERE ended_at IS NULL")),
            "last_run": self._last_run(),
            "kinds": dict(rows(self._db, "SELECT kind, count(*) FROM events GROUP BY kind ORDER BY kind")),
        }

    def _last_run(self) -> dict[str, Any] | None:
        found = self._dicts("SELECT * FROM runs WHERE ended_at IS NOT NULL ORDER BY id DESC LIMIT 1")
        return found[0] if found else None

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
        return rows(self._db, sql, arguments)[0][0]

    def _dicts(self, sql: str) -> list[dict[str, Any]]:
        cursor = self._db.execute(sql)
        names = [column[0] for column in cursor.description]
        return [
            {name: json.loads(v) if name in _JSON and v else v for name, v in zip(names, row, strict=True)}
            for row in cursor.fetchall()
        ]


_JSON = frozenset({"before", "after", "why", "summary", "raw"})

# What was rejected and has not been taken since.
_REJECTED = """SELECT count(*) FROM changes c WHERE state = 'rejected' AND NOT EXISTS (SELECT 1 FROM changes l
  WHERE l.subject_id = c.subject_id AND l.what = c.what AND l.activity IS c.activity AND l.id > c.id
  AND l.state IN ('done','found'))"""
