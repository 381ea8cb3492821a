"""Erasing a person: every trace of an address, and of what Sarbacane calls its owner (whId), but for the counts.

What stays is a tombstone. Backups and Salesforce are not reached from here.
"""

from __future__ import annotations

import json
import time
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from syncd.store import tombstones
from syncd.store.mentions import GONE, NOBODY, Mentions, Person
from syncd.store.sqlite import PAUSE, chunks, many, rows, transaction

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator, Sequence

    from sqlite_utils import Database

EVENTS_A_PAGE = 10_000
BODIES_A_PAGE = 10
_GOING_ON = "forgetting"


@dataclass(slots=True)
class Erased:
    """How many rows of each. `mentions`: of other people's events and of runs, in which the address stood."""

    events: int = 0
    recipients: int = 0
    changes: int = 0
    decisions: int = 0
    quarantined: int = 0
    mentions: int = 0
    others: tuple[str, ...] = ()  # other addresses with the same whId, which stay
    not_opted_out: tuple[str, ...] = ()  # records, or whIds, of an opt-out that Salesforce was not told


class Forget:
    """For a connection of its own, while no run goes on and every event is folded in. `beat` is called often."""

    def __init__(self, db: Database, address: str, beat: Callable[[], object], *, dry_run: bool = False) -> None:
        self._db = db
        self._address = address
        self._beat = beat
        self._dry_run = dry_run
        self._recipients = rows(db, "SELECT id, subject_id, whid, names FROM recipients WHERE address = ?", (address,))
        self.person = self._known_by()
        db.execute("PRAGMA secure_delete=ON")  # what is deleted is overwritten, too

    def everywhere(self, now: int) -> Erased:
        """All of it. Killed in between, it is done again by the next call."""
        said = Erased(others=self._others())
        untold = rows(
            self._db, _OPT_OUTS_OF.format(which="DISTINCT coalesce(s.sf_id, r.whid)", told=0), (self._address,)
        )
        said.not_opted_out = tuple(who for (who,) in untold)
        if not self._dry_run:
            self._tombstone(now)
        for recipient_id, subject_id, *_ in self._recipients:
            self._ledger(subject_id, said)
            said.events += self._history(recipient_id)
            said.recipients += 1
        said.events += self._outside()
        said.quarantined = self._quarantine(now)
        said.mentions = self._mentions()
        return said

    def _known_by(self) -> Person:
        """The address, and the ids that lead to nobody else; also those of an erasure that was killed."""
        own = [subject_id for _, subject_id, *_ in self._recipients if not self._is_shared(subject_id)]
        ids = {str(one) for sql in (_RECORDS, _LED_THERE) for (one,) in rows(self._db, sql, (json.dumps(own),))}
        whids = set()
        for *_, whid, names in self._recipients:
            if not rows(self._db, _NAMED_SO, {"address": self._address, "whid": whid, "names": names}):
                ids |= {names} if names else set()
                whids |= set() if names or not whid else {whid}
        for (left,) in rows(self._db, "SELECT value FROM meta WHERE name = ?", (_GOING_ON,)):
            ids, whids = ids | set(json.loads(left)["ids"]), whids | set(json.loads(left)["whids"])
        return Person(self._address, frozenset(ids), frozenset(whids))

    def _is_shared(self, subject_id: int) -> bool:
        sql = "SELECT 1 FROM recipients WHERE subject_id = ? AND address <> ? LIMIT 1"
        return bool(rows(self._db, sql, (subject_id, self._address)))

    def _tombstone(self, now: int) -> None:
        with transaction(self._db):
            told = rows(self._db, _OPT_OUTS_OF.format(which="e.key", told=1), (self._address,))
            tombstones.put(self._db, self._address, [key for (key,) in told], now)
            left = json.dumps({"ids": sorted(self.person.ids), "whids": sorted(self.person.whids)})
            self._db.execute("INSERT OR REPLACE INTO meta VALUES (?, ?)", (_GOING_ON, left))

    def _others(self) -> tuple[str, ...]:
        """Other addresses of the same record, or with the same whId."""
        found = rows(self._db, _OTHERS, {"address": self._address})
        return tuple(address for (address,) in found)

    # --- what is the person's own -----------------------------------------------------------------------------------

    def _history(self, recipient_id: int) -> int:
        ids = [i for (i,) in rows(self._db, "SELECT event_id FROM timeline WHERE recipient_id = ?", (recipient_id,))]
        if self._dry_run:
            return len(ids)
        for chunk in self._chunks(ids):
            with transaction(self._db):
                many(self._db, "DELETE FROM events WHERE id = ?", [(i,) for i in chunk])
        with transaction(self._db):
            self._db.execute("DELETE FROM recipients WHERE id = ?", (recipient_id,))
        return len(ids)

    def _outside(self) -> int:
        """Events that no time line holds: those of sealed sends."""
        sql = " AND address = :address AND NOT EXISTS (SELECT 1 FROM timeline t WHERE t.event_id = events.id)"
        found = [(event_id,) for event_id, _ in self._pages("events", "at", EVENTS_A_PAGE, sql)]
        for chunk in () if self._dry_run else self._chunks(found):
            with transaction(self._db):
                many(self._db, "DELETE FROM events WHERE id = ?", chunk)
        return len(found)

    def _ledger(self, subject_id: int, said: Erased) -> None:
        """Of a subject that is this address alone, all of it; of one with other addresses what speaks of this one.

        A mark of theirs is not taken back by this: without the change that made it, it counts as somebody else's.
        """
        shared = self._is_shared(subject_id)
        changes = rows(self._db, _CHANGES, (subject_id,))
        mine = [row[0] for row in changes if not shared or self._is_mine(row)]
        said.changes += len(mine)
        decisions = rows(self._db, "SELECT id, note, by FROM decisions WHERE subject_id = ?", (subject_id,))
        notes = [i for i, *texts in decisions if not shared or any(map(self.person.is_in, texts))]
        said.decisions += len(notes)
        if self._dry_run:
            return
        for chunk in self._chunks(mine):
            with transaction(self._db):
                many(self._db, "UPDATE receipts SET words = '', sf_id = '' WHERE change_id = ?", [(i,) for i in chunk])
                for change_id in chunk:
                    self._db.execute(_BLANK, {"id": change_id, "shared": shared})
                many(self._db, _UNSURE, [(subject_id, i) for i in chunk])
        with transaction(self._db):
            many(self._db, "UPDATE decisions SET note = ? WHERE id = ?", [(GONE, i) for i in notes])
            if not shared:
                for sql in _NO_RECORD:
                    self._db.execute(sql, {"id": subject_id})

    def _is_mine(self, change: Sequence[Any]) -> bool:
        _, *texts, why = change
        return any(map(self.person.is_in, (*texts, why))) or json.loads(why).get("address") == self._address

    # --- where it is mentioned --------------------------------------------------------------------------------------

    def _quarantine(self, now: int) -> int:
        """Deliveries with the address in them: emptied whole, since who else is in them cannot be told."""
        found = []
        for kept_id, body in self._pages("quarantine", "body", BODIES_A_PAGE):
            if self.person.is_in_body(bytes(body)):
                found.append(kept_id)
        if not self._dry_run:
            for chunk in self._chunks(found):
                with transaction(self._db):
                    many(
                        self._db,
                        "UPDATE quarantine SET body = x'', source = 'forgotten', resolved_at = coalesce(resolved_at, ?)"
                        " WHERE id = ?",
                        [(now, i) for i in chunk],
                    )
        return len(found)

    def _mentions(self) -> int:
        """In what mail servers, Salesforce, people and syncd itself said: of others, in alarms, in runs.

        A mark of somebody else whose reason has the address in it is no longer known to be syncd's, and stays.
        """
        own = {"meta": f"name <> '{_GOING_ON}'"}
        if self._dry_run:  # nothing of the person's own is gone
            mine = ", ".join(str(subject_id) for _, subject_id, *_ in self._recipients)
            own |= {table: sql.format(mine=mine) for table, sql in _NOT_OWN.items()}
        else:  # what is left of records that were merged into theirs
            with transaction(self._db):
                many(self._db, "DELETE FROM moved WHERE sf_id = ?", [(one,) for one in self.person.ids])
                many(self._db, _LEFT, [(one,) for one in self.person.ids])
        mentions = Mentions(self._db, self.person, self._beat, dry_run=self._dry_run).everywhere(own)
        if not self._dry_run:
            with transaction(self._db):
                self._db.execute("DELETE FROM meta WHERE name = ?", (_GOING_ON,))
        return mentions

    def _pages(self, table: str, column: str, size: int, also: str = "") -> Iterator[tuple[int, Any]]:
        """Every row, a range of ids a statement: no read transaction outlives a page."""
        after, last = rows(self._db, f"SELECT coalesce(min(id), 0) - 1, coalesce(max(id), -1) FROM {table}")[0]
        for start in range(after, last, size):
            self._beat()
            yield from rows(
                self._db,
                f"SELECT id, {column} FROM {table} WHERE id > :after AND id <= :last{also}",
                {"after": start, "last": start + size, "address": self._address},
            )

    def _chunks(self, ids: Sequence[Any]) -> Iterator[Sequence[Any]]:
        for chunk in chunks(self._db, ids):
            self._beat()
            yield chunk


def fold_back(db: Database) -> bool:
    """Moves what the WAL holds into the store and empties the WAL: it keeps old pages. Whether it went."""
    for _ in range(100):
        busy, *_ = rows(db, "PRAGMA wal_checkpoint(TRUNCATE)")[0]
        if not busy:
            return True
        time.sleep(PAUSE * 50)
    return False


def compact(db: Database) -> None:
    """Writes the whole store anew, without what unused space still holds. Nobody else may use it meanwhile."""
    db.execute("VACUUM")


_OPT_OUTS_OF = """SELECT {which} FROM recipients r JOIN subjects s ON s.id = r.subject_id
  JOIN timeline t ON t.recipient_id = r.id JOIN events e ON e.id = t.event_id
  WHERE r.address = ? AND e.kind IN ('unsubscribe', 'complaint') AND {told} = EXISTS (
    SELECT 1 FROM changes c WHERE c.subject_id = s.id AND c.what = 'opt_out' AND c.state IN ('done', 'found'))"""

_CHANGES = "SELECT id, before, after, why FROM changes WHERE subject_id = ?"

# Open ones are void: nothing of it may be planned, sent or told again. Of a subject that goes on (:shared) all are, so
# that its ledger does not read them.
_BLANK = f"""UPDATE changes SET before = '{{}}', after = '{{}}', why = '{{}}', sf_id = '{NOBODY}', hold_id = NULL,
  state = CASE WHEN :shared OR state IN ('held','intended','uncertain','rejected') THEN 'superseded' ELSE state END
  WHERE id = :id"""

# A Task of unknown fate that nobody can look up any more, since its change is void: never made, so never twice.
_UNSURE = """UPDATE activities SET state = 'sealed', not_before = NULL WHERE subject_id = ? AND state IN
  ('intended','uncertain') AND key = (SELECT activity FROM changes WHERE id = ?)"""

_LEFT = "UPDATE subjects SET sf_id = NULL, object = NULL WHERE sf_id = ?"
_RECORDS = """SELECT sf_id FROM subjects WHERE id IN (SELECT value FROM json_each(?)) AND sf_id IS NOT NULL"""
_LED_THERE = f"SELECT sf_id FROM moved WHERE to_id IN ({_RECORDS})"
# An id is somebody else's as well if theirs is the same, leads to the same, or if it is the record that they are on.
_NAMED_SO = """SELECT 1 FROM recipients WHERE address <> :address AND (whid <> '' AND whid = :whid OR names = :names
  OR names IN (SELECT sf_id FROM moved WHERE to_id = :names)
  OR subject_id = (SELECT id FROM subjects WHERE sf_id = :names)) LIMIT 1"""
_OTHERS = """WITH mine AS (SELECT subject_id, whid, names FROM recipients WHERE address = :address)
  SELECT DISTINCT address FROM recipients WHERE address <> :address AND (
    subject_id IN (SELECT subject_id FROM mine) OR (whid <> '' AND whid IN (SELECT whid FROM mine))
    OR names IN (SELECT names FROM mine)) ORDER BY address"""

# For a dry run.
_NOT_OWN = {
    "recipients": "subject_id NOT IN ({mine})",
    "subjects": "id NOT IN ({mine})",
    "decisions": "subject_id NOT IN ({mine})",
    "activities": "subject_id NOT IN ({mine})",
    "changes": "subject_id NOT IN ({mine})",
    "receipts": "change_id NOT IN (SELECT id FROM changes WHERE subject_id IN ({mine}))",
    "events": "id NOT IN (SELECT t.event_id FROM timeline t JOIN recipients r ON r.id = t.recipient_id"
    " WHERE r.subject_id IN ({mine}))",
    "moved": "to_id NOT IN (SELECT sf_id FROM subjects WHERE id IN ({mine}) AND sf_id IS NOT NULL)",
}

_RECORD = "(SELECT sf_id FROM subjects WHERE id = :id)"
_NO_RECORD = (
    "DELETE FROM activities WHERE subject_id = :id",
    f"DELETE FROM moved WHERE sf_id = {_RECORD} OR to_id = {_RECORD}",
    "UPDATE decisions SET sf_id = '' WHERE subject_id = :id",
    """UPDATE subjects SET sf_id = NULL, object = NULL, due_at = NULL, attempts = 0, failing_since = NULL
  WHERE id = :id""",
)
