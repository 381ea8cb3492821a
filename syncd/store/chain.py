"""The port of who asks why: all that is stored of the subjects that an address, a whId or a record leads to."""

from __future__ import annotations

import json
from typing import TYPE_CHECKING, Any

from syncd.brake import Group
from syncd.explain import Answer, Facts, Holding, Made, Mailed
from syncd.model import Move, State, Subject, What
from syncd.store.sqlite import rows
from syncd.store.work import Work

if TYPE_CHECKING:
    from sqlite_utils import Database


class Chain:
    def __init__(self, db: Database) -> None:
        self._db = db

    def facts(self, *, address: str = "", whid: str = "", sf_id: str = "") -> list[Facts]:
        """Of every subject that one of them leads to."""
        arguments = {"address": address, "whid": whid, "sf_id": sf_id}
        return [self._facts(row) for row in rows(self._db, _SUBJECTS, arguments)]

    def unfolded(self, *, address: str = "", whid: str = "") -> int:
        """How many events of an address, or of a whId, no run has seen yet."""
        return int(rows(self._db, f"{_UNFOLDED} {_OF_EITHER}", {"address": address, "whid": whid})[0][0])

    def quarantined(self, text: str) -> list[int]:
        """Ids of what waits in quarantine and has this text in it."""
        sql = "SELECT id FROM quarantine WHERE resolved_at IS NULL AND instr(body, CAST(? AS BLOB)) > 0 ORDER BY id"
        return [kept_id for (kept_id,) in rows(self._db, sql, (text,))]

    def _facts(self, row: Any) -> Facts:
        subject = Subject(*row[:5])
        (case,) = Work(self._db).cases([subject])
        recipients = tuple(Mailed(*found) for found in rows(self._db, _RECIPIENTS, (subject.id,)))
        return Facts(
            subject.id, subject.sf_id, subject.object, row[5], subject.attempts, subject.failing_since,
            recipients, case.events, case.decisions, self._changes(subject.id),
            rows(self._db, f"{_UNFOLDED} {_OF_SUBJECT}", {"subject": subject.id})[0][0],
            tuple(Move(*found) for found in rows(self._db, _MOVED, (subject.sf_id,))),
            dict(rows(self._db, _REPEATS, (subject.id,))),
        )  # fmt: skip

    def _changes(self, subject_id: int) -> tuple[Made, ...]:
        answers: dict[int, list[Answer]] = {}
        for change_id, at, ok, *words in rows(self._db, _ANSWERS, (subject_id,)):
            answers.setdefault(change_id, []).append(Answer(at, bool(ok), *words))
        return tuple(
            Made(
                change_id, run, at, What(what), object_, sf_id, activity,
                json.loads(before), json.loads(after), json.loads(why), State(state),
                rules, json.loads(body), tuple(answers.get(change_id, ())),
                Holding(hold, str(Group(by, value)), waiting) if hold else None,
            )
            for change_id, run, at, what, object_, sf_id, activity, before, after, why, state, rules, body,
            hold, by, value, waiting
            in rows(self._db, _CHANGES, (subject_id,))
        )  # fmt: skip


_SUBJECTS = """
SELECT id, coalesce(sf_id, ''), coalesce(object, ''), attempts, failing_since, due_at FROM subjects WHERE id IN (
  SELECT subject_id FROM recipients WHERE :address <> '' AND address = :address
  UNION SELECT subject_id FROM recipients WHERE :whid <> '' AND whid <> '' AND whid = :whid
  UNION SELECT subject_id FROM recipients WHERE :sf_id <> '' AND names = :sf_id
  UNION SELECT id FROM subjects WHERE :sf_id <> '' AND sf_id = :sf_id
  UNION SELECT s.id FROM moved m JOIN subjects s ON s.sf_id = m.to_id WHERE m.sf_id = :sf_id) ORDER BY id"""

_MOVED = "SELECT sf_id, to_id, how FROM moved WHERE to_id = ? ORDER BY seen_at, sf_id"

_RECIPIENTS = "SELECT address, whid, matched, lookups, looked_up_at FROM recipients WHERE subject_id = ? ORDER BY id"

# CROSS: by what is fresh. Left to itself, SQLite looks through all events, which have no index by address
_UNFOLDED = "SELECT count(*) FROM fresh f CROSS JOIN events e ON e.id = f.event_id WHERE"
_OF_EITHER = "(:address <> '' AND e.address = :address) OR (:whid <> '' AND e.whid = :whid)"
_OF_SUBJECT = """(e.address, e.whid) IN (SELECT address, whid FROM recipients WHERE subject_id = :subject)
  OR e.address IN (SELECT address FROM recipients WHERE subject_id = :subject AND whid = '')"""

_REPEATS = """
SELECT e.key, e.repeats FROM recipients r JOIN timeline t ON t.recipient_id = r.id JOIN events e ON e.id = t.event_id
WHERE r.subject_id = ? AND e.repeats > 0"""

_CHANGES = """
SELECT c.id, c.run_id, c.intended_at, c.what, c.object, c.sf_id, coalesce(c.activity, ''), c.before, c.after, c.why,
  c.state, c.rules_id, r.body, h.id, h.by_what, h.value,
  (SELECT count(*) FROM changes o WHERE o.hold_id = h.id AND o.state = 'held')
FROM changes c JOIN rules r ON r.id = c.rules_id LEFT JOIN holds h ON h.id = c.hold_id
WHERE c.subject_id = ? ORDER BY c.id"""

_ANSWERS = """
SELECT o.change_id, o.at, o.ok, o.sf_id, o.code, o.words FROM receipts o JOIN changes c ON c.id = o.change_id
WHERE c.subject_id = ? ORDER BY o.id"""
