"""The port of a run for which record a recipient is: attached, joined, parted, remembered.

A record is one subject, however many recipients name it and by whatever ids. An id that leads to another record (merged
away, a converted Lead, the Contact of a person account) is remembered, so that nobody has to ask again.
"""

from __future__ import annotations

import json
from typing import TYPE_CHECKING

from syncd.model import Match, Move, Subject
from syncd.store.sqlite import chunks, insert, many, rows, transaction

if TYPE_CHECKING:
    from collections.abc import Iterable

    from sqlite_utils import Database

    from syncd.model import Recipient

DUE = "UPDATE subjects SET due_at = min(coalesce(due_at, ?), ?) WHERE id = ?"
SUBJECT = "id, coalesce(sf_id, ''), coalesce(object, ''), attempts, failing_since"


class Matching:
    def __init__(self, db: Database) -> None:
        self._db = db

    def known(self, sf_ids: Iterable[str]) -> set[str]:
        """Those of these ids that are a record that has a subject already."""
        return {sf_id for (sf_id,) in rows(self._db, _KNOWN, (json.dumps(list(sf_ids)),))}

    def led_to(self, sf_ids: Iterable[str]) -> dict[str, Move]:
        """What is remembered of these ids, and of those that they lead to: where they lead."""
        return {row[0]: Move(*row) for row in rows(self._db, _LED_TO, (json.dumps(list(sf_ids)),))}

    def ids_of(self, subject_ids: Iterable[int]) -> dict[int, list[str]]:
        """By subject, the other ids that its record had or may have had: those that lead to it, and its whIds."""
        found: dict[int, list[str]] = {}
        for subject_id, sf_id in rows(self._db, _IDS, (json.dumps(list(subject_ids)),)):
            found.setdefault(subject_id, []).append(sf_id)
        return found

    def others(self, sf_ids: Iterable[str]) -> list[tuple[Subject, str, str, str]]:
        """Subjects without a record whose recipient names one of these: (subject, address, whId, which of these).

        Nothing was asked of them, so nobody looked; but what happened to them is part of the record's history.
        """
        found = rows(self._db, _OTHERS, (json.dumps(list(sf_ids)),))
        return [(Subject(subject_id), address, whid, sf_id) for subject_id, address, whid, sf_id in found]

    def left_behind(self, sf_ids: Iterable[str]) -> list[tuple[Subject, str]]:
        """Subjects of records that have become one of these since: (subject, which of these)."""
        found = rows(self._db, _LEFT_BEHIND, (json.dumps(list(sf_ids)),))
        return [(Subject(*columns), to_id) for to_id, *columns in found]

    def remember(self, moves: Iterable[Move], now: int) -> None:
        """Where ids lead now. What led to one of them leads on; an id that something leads to is no longer moved."""
        for chunk in chunks(self._db, list(moves)):
            with transaction(self._db, repeatable=True):
                for move in chunk:
                    self._db.execute("DELETE FROM moved WHERE sf_id = ?", (move.to_id,))
                    self._db.execute("UPDATE moved SET to_id = ? WHERE to_id = ?", (move.to_id, move.sf_id))
                    self._db.execute(_MOVED, (move.sf_id, move.to_id, move.how, now))

    def told(self, moves: Iterable[Move], now: int) -> None:
        """Where ids lead, said by Salesforce of many: remembered of those that are somebody's here, who are due then.

        Link by link, as it was said: a chain is made one step when it is followed.
        """
        said = {move.sf_id: move for move in moves}
        whose = rows(self._db, _WHOSE, (json.dumps(list(said)),))
        for chunk in chunks(self._db, whose, lambda _: 2):
            with transaction(self._db, repeatable=True):
                for sf_id, subject_id in chunk:
                    self._db.execute(_MOVED, (sf_id, said[sf_id].to_id, said[sf_id].how, now))
                    self._db.execute(DUE, (now, now, subject_id))

    def has_found(self, prefix: str) -> bool:
        """Whether there is a subject whose record's id begins so."""
        return bool(rows(self._db, "SELECT 1 FROM subjects WHERE sf_id >= ?1 AND sf_id < ?1 || '~' LIMIT 1", (prefix,)))

    def attach(self, run_id: int, matches: Iterable[Match], page: set[int], now: int) -> list[Subject]:
        """These subjects are these records: those of one record become one, with all that is known of each.

        Returns those that carry them, claimed by this run, to be planned with this page; one that an earlier page of
        the run has planned already is due again instead.
        """
        carriers: dict[int, Subject] = {}
        for chunk in chunks(self._db, list(matches)):
            with transaction(self._db, repeatable=True):
                for match in chunk:
                    self._db.execute("DELETE FROM moved WHERE sf_id = ?", (match.sf_id,))  # it is there (again)
                    self._void(match)
                    carrier, held_by = self._carrier(match)
                    if held_by is None:
                        # still due when it was: a Task of unknown fate may be waiting there
                        self._db.execute("UPDATE subjects SET run_id = ? WHERE id = ?", (run_id, carrier.id))
                    if held_by is None or carrier.id in page:
                        carriers[carrier.id] = carrier
                    else:
                        self._db.execute(DUE, (now + 1, now + 1, carrier.id))
                    if match.recipients:
                        self._part(match, carrier.id, now)
                    else:
                        self._join(match, carrier.id, now)
        return list(carriers.values())

    def unmatched(self, recipients: Iterable[Recipient], now: int) -> None:
        """Looked up, and no record was found."""
        for chunk in chunks(self._db, list(recipients)):
            with transaction(self._db, repeatable=True):
                many(
                    self._db,
                    "UPDATE recipients SET lookups = lookups + 1, looked_up_at = ? WHERE id = ?",
                    [(now, recipient.id) for recipient in chunk],
                )

    def _carrier(self, match: Match) -> tuple[Subject, int | None]:
        """The subject of a record, and the run that holds it: the one known, or else this one from now on."""
        columns = f"{SUBJECT}, run_id"
        known = rows(self._db, f"SELECT {columns} FROM subjects WHERE sf_id = ?", (match.sf_id,))
        if not known:
            subject_id = match.subject.id
            if match.recipients:
                subject_id = insert(self._db, "INSERT INTO subjects DEFAULT VALUES")
            elif match.subject.sf_id:
                self._tag(match.subject)
            known = rows(
                self._db,
                f"UPDATE subjects SET sf_id = ?, object = ? WHERE id = ? RETURNING {columns}",
                (match.sf_id, match.object, subject_id),
            )
        *subject, held_by = known[0]
        return Subject(*subject), held_by

    def _void(self, match: Match) -> None:
        """What this run has planned of a record that is another one by now, and not sent: it is planned anew."""
        if not match.recipients and match.subject.sf_id not in ("", match.sf_id):
            self._db.execute(
                "UPDATE changes SET state = 'superseded'"
                " WHERE subject_id = ? AND state = 'intended' AND job_id IS NULL",
                (match.subject.id,),
            )

    def _tag(self, subject: Subject) -> None:
        """What was said of the record that this subject was is still said of it, and of the one that it becomes."""
        self._db.execute(
            "UPDATE decisions SET sf_id = ? WHERE subject_id = ? AND sf_id = ''", (subject.sf_id, subject.id)
        )

    def _join(self, match: Match, carrier_id: int, now: int) -> None:
        subject = match.subject
        self._db.execute(
            "UPDATE recipients SET subject_id = ?, matched = coalesce(?, matched), looked_up_at = ?, lookups = 0"
            " WHERE subject_id = ?",
            (carrier_id, match.how or None, now, subject.id),
        )
        if subject.id == carrier_id:
            return
        if subject.sf_id:
            self._tag(subject)
        # one without a record has none of these, unless its record was blanked by an erasure that was killed
        self._db.execute("UPDATE decisions SET subject_id = ? WHERE subject_id = ?", (carrier_id, subject.id))
        self._db.execute("UPDATE changes SET subject_id = ? WHERE subject_id = ?", (carrier_id, subject.id))
        self._join_activities(subject.id, carrier_id)
        self._db.execute("DELETE FROM subjects WHERE id = ?", (subject.id,))

    def _join_activities(self, subject_id: int, carrier_id: int) -> None:
        """Of one send there may be a Task on both: one line is kept, the one that knows its Task, or the survivor's."""
        pair = (subject_id, carrier_id)
        self._db.execute(_DROP_OTHERS_LINE, pair)
        self._db.execute(_DROP_OWN_LINE, pair)
        self._db.execute("UPDATE activities SET subject_id = ? WHERE subject_id = ?", (carrier_id, subject_id))

    def _part(self, match: Match, carrier_id: int, now: int) -> None:
        """Some recipients are another record than their subject's, which had been merged away and was restored, or has
        a new id. What was written to that record goes with them; Tasks were moved by the merge and stay there."""
        subject_id = match.subject.id
        many(
            self._db,
            "UPDATE recipients SET subject_id = ?, matched = ?, looked_up_at = ?, lookups = 0 WHERE id = ?",
            [(carrier_id, match.how, now, recipient_id) for recipient_id in match.recipients],
        )
        self._db.execute(
            "UPDATE decisions SET subject_id = ?, sf_id = '' WHERE subject_id = ? AND sf_id = ?",
            (carrier_id, subject_id, match.sf_id),
        )
        self._db.execute(
            "UPDATE changes SET subject_id = ? WHERE subject_id = ? AND sf_id = ? AND what <> 'activity'",
            (carrier_id, subject_id, match.sf_id),
        )
        self._db.execute(
            "INSERT OR IGNORE INTO activities (subject_id, key, token, state)"
            " SELECT ?, key, token, 'sealed' FROM activities WHERE subject_id = ?",
            (carrier_id, subject_id),
        )


_KNOWN = "SELECT sf_id FROM subjects WHERE sf_id IN (SELECT value FROM json_each(?))"

_MOVED = "INSERT OR REPLACE INTO moved (sf_id, to_id, how, seen_at) VALUES (?, ?, ?, ?)"

_LED_TO = """
WITH RECURSIVE led(sf_id, to_id, how) AS (
  SELECT sf_id, to_id, how FROM moved WHERE sf_id IN (SELECT value FROM json_each(?))
  UNION SELECT m.sf_id, m.to_id, m.how FROM led JOIN moved m ON m.sf_id = led.to_id)
SELECT sf_id, to_id, how FROM led"""

# CROSS: first who is named; subjects without a record may be very many
_WHOSE = """
SELECT sf_id, id FROM subjects WHERE sf_id IN (SELECT value FROM json_each(?1))
UNION SELECT r.names, s.id FROM recipients r CROSS JOIN subjects s ON s.id = r.subject_id
  WHERE r.names IN (SELECT value FROM json_each(?1)) AND s.sf_id IS NULL"""

_LEFT_BEHIND = """
SELECT m.to_id, s.id, s.sf_id, s.object, s.attempts, s.failing_since FROM moved m JOIN subjects s ON s.sf_id = m.sf_id
WHERE m.to_id IN (SELECT value FROM json_each(?)) ORDER BY s.id"""

_IDS = """
SELECT s.id, m.sf_id FROM subjects s JOIN moved m ON m.to_id = s.sf_id WHERE s.id IN (SELECT value FROM json_each(?1))
UNION SELECT subject_id, names FROM recipients
  WHERE names IS NOT NULL AND subject_id IN (SELECT value FROM json_each(?1))"""

_OTHERS = """
WITH asked(sf_id, to_id) AS (SELECT value, value FROM json_each(?1)
  UNION SELECT m.sf_id, m.to_id FROM json_each(?1) JOIN moved m ON m.to_id = value)
SELECT s.id, r.address, r.whid, a.to_id FROM asked a JOIN recipients r ON r.names = a.sf_id
  JOIN subjects s ON s.id = r.subject_id WHERE s.sf_id IS NULL ORDER BY r.id"""

# A line that knows its Task wins, then one that may have one, then one whose Task was deleted.
_RANK = "CASE {}.state WHEN 'known' THEN 0 WHEN 'gone' THEN 3 WHEN 'sealed' THEN 2 ELSE 1 END"
_DROP_OTHERS_LINE = f"""DELETE FROM activities AS o WHERE o.subject_id = ?1 AND EXISTS (SELECT 1 FROM activities k
  WHERE k.subject_id = ?2 AND k.key = o.key AND {_RANK.format("k")} <= {_RANK.format("o")})"""
_DROP_OWN_LINE = """DELETE FROM activities WHERE subject_id = ?2
  AND key IN (SELECT key FROM activities WHERE subject_id = ?1)"""
