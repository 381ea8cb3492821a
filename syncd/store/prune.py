"""The port of retention: what is old is found, removed in small transactions, and its sends are sealed.

A sealed send is known by a digest: later events of it join no time line, and those that were removed and come again, by
an import, are dropped again. That holds on events that tell an opt-out too little, so these always join.
"""

from __future__ import annotations

from collections import Counter
from contextlib import contextmanager
from dataclasses import dataclass
from hashlib import blake2b
from itertools import groupby
from typing import TYPE_CHECKING, Any, NamedTuple

from syncd.model import Subject
from syncd.rules import OPT_OUTS
from syncd.store.sqlite import ROWS_A_TRANSACTION, many, pause, rows, settle, together, transaction

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator, Sequence

    from sqlite_utils import Database

    from syncd.model import Case
    from syncd.retention import ClosedSend, Surplus

SUBJECTS_A_PAGE = 50
_OPT_OUTS = {kind.value for kind in OPT_OUTS}


@dataclass(slots=True)
class Pruned:
    """`needed`: old events that stay; `waiting`: subjects that keep theirs, since a run has to look at them."""

    subjects: int = 0
    events: int = 0
    needed: int = 0
    waiting: int = 0
    changes: int = 0
    runs: int = 0
    quarantined: int = 0


class _Going(NamedTuple):
    case: Case
    surplus: Surplus
    send: ClosedSend


def late(db: Database, fresh: Sequence[Any]) -> set[int]:
    """Of the rows that a fold works on, those that were pruned and have come again. In the caller's transaction."""
    if not rows(db, "SELECT 1 FROM sealed LIMIT 1"):
        return set()
    return {
        event_id
        for event_id, at, kind, address, whid, send, campaign in fresh
        if kind not in _OPT_OUTS and at <= _through(db, (address, whid), send, campaign)
    }


def is_sealed(db: Database, recipient_id: int, send: str, campaign: str, kind: str) -> bool:
    sql = "SELECT 1 FROM sealed WHERE recipient_id = ? AND send = ?"
    return kind not in _OPT_OUTS and bool(rows(db, sql, (recipient_id, _digest(_key(send, campaign)))))


def _through(db: Database, recipient: tuple[str, str], send: str, campaign: str) -> int:
    found = rows(
        db,
        "SELECT s.through FROM recipients r JOIN sealed s ON s.recipient_id = r.id"
        " WHERE r.address = ? AND r.whid = ? AND s.send = ?",
        (*recipient, _digest(_key(send, campaign))),
    )
    return int(found[0][0]) if found else -1


class Prune:
    def __init__(self, db: Database, *, dry_run: bool = False) -> None:
        self._db = db
        self._dry_run = dry_run

    def old(self, before: int) -> Iterator[list[Case]]:
        """Pages of the subjects with events before then, but for those that are due or that a run holds."""
        from syncd.store.work import Work  # which looks here whether a send is sealed

        work, after = Work(self._db), 0
        while page := rows(self._db, _OLD, (after, before, SUBJECTS_A_PAGE)):
            after = page[-1][0]
            yield work.cases([Subject(*row) for row in page])
            pause(self._db)

    def waiting(self, before: int) -> int:
        """How many subjects with old events are due, or held by a run."""
        return int(rows(self._db, _WAITING, (before,))[0][0])

    def remove(self, page: Iterable[tuple[Case, Surplus]], before: int, said: Pruned) -> None:
        """Of these subjects: whole sends, half of one would say something else.

        Neighbours share a transaction: the events that one mailing to them brought lie side by side, so that removing
        them together leaves hardly more pages in the log than removing one.

        If something of a subject came meanwhile, the rest of it stays until the next time.
        """
        surpluses, removed = list(page), Counter[int]()
        for case, surplus in surpluses if self._dry_run else ():
            removed[case.subject.id] = surplus.events
        sends = (_Going(case, surplus, send) for case, surplus in surpluses for send in surplus.sends)
        for part in () if self._dry_run else together(sends, lambda going: len(going.send.events)):
            with self._removing():
                for subject_id, its in groupby(part, lambda going: going.case.subject.id):
                    removed[subject_id] += self._seal(list(its), removed[subject_id])
        for case, _ in surpluses:
            gone = removed[case.subject.id]
            said.subjects += bool(gone)
            said.events += gone
            said.needed += sum(event.at < before for event in case.events) - gone

    def _seal(self, its: Sequence[_Going], removed: int) -> int:
        """Sends of one subject, in the caller's transaction: how many events go. `removed`: those gone before."""
        case, surplus, _ = its[0]
        if not rows(self._db, _IDLE, (case.subject.id, len(case.events) - removed)):
            return 0
        sends = [going.send for going in its]
        seals = [
            (recipient.id, _digest(send.key), send.through)
            for send in sends
            for recipient in case.recipients
            if recipient.address == send.address
        ]
        many(self._db, "INSERT OR REPLACE INTO sealed VALUES (?, ?, ?)", seals)
        events = [(event.key,) for send in sends for event in send.events]
        many(self._db, "DELETE FROM events WHERE key = ?", events)
        many(
            self._db,
            "UPDATE activities SET state = 'sealed' WHERE subject_id = ? AND key = ? AND state = 'known'",
            [(case.subject.id, key) for key in surplus.activities],
        )
        return len(events)

    def changes(self, before: int) -> int:
        """Of activities, with their receipts, but for open ones: what is known of the Task is in the ledger."""
        return self._delete("changes", _ACTIVITIES, before, "DELETE FROM receipts WHERE change_id = ?")

    def runs(self, before: int) -> int:
        """Those that no change, job or subject names."""
        return self._delete("runs", _RUNS, before)

    def quarantine(self, before: int) -> int:
        return self._delete("quarantine", _QUARANTINE, before)

    def _delete(self, table: str, which: str, before: int, *first: str) -> int:
        """`which`: the next ids, after one and before an instant."""
        number, after = 0, 0
        while page := rows(self._db, which, (after, before, ROWS_A_TRANSACTION)):
            after, number = page[-1][0], number + len(page)
            if not self._dry_run:
                with self._removing():
                    for sql in (*first, f"DELETE FROM {table} WHERE id = ?"):
                        many(self._db, sql, page)
        return number

    @contextmanager
    def _removing(self) -> Iterator[None]:
        """One transaction, and the receiver's turn after it. What a power cut takes back is removed the next time.

        It waits for the disk without the lock: within it, the receiver's p99 was up to four times as long.
        """
        with transaction(self._db, repeatable=True):
            yield
        settle(self._db)
        pause(self._db)


def _key(send: str, campaign: str) -> str:
    """As `rules.send_key` has it; those that only have a day are never sealed."""
    return f"send:{send}" if send else f"campaign:{campaign}"


def _digest(key: str) -> bytes:
    return blake2b(key.encode(errors="surrogatepass"), digest_size=8).digest()


_HAS_OLD = """EXISTS (SELECT 1 FROM recipients r JOIN timeline t ON t.recipient_id = r.id AND t.at < ?
  WHERE r.subject_id = s.id)"""
_OLD = f"""SELECT s.id, coalesce(s.sf_id, ''), coalesce(s.object, ''), s.attempts, s.failing_since FROM subjects s
  WHERE s.id > ? AND s.due_at IS NULL AND s.run_id IS NULL AND {_HAS_OLD} ORDER BY s.id LIMIT ?"""
_WAITING = f"""SELECT count(*) FROM subjects s WHERE (s.due_at IS NOT NULL OR s.run_id IS NOT NULL) AND {_HAS_OLD}"""

_IDLE = """SELECT 1 FROM subjects s WHERE s.id = ? AND s.due_at IS NULL AND s.run_id IS NULL AND ? = (
  SELECT count(*) FROM recipients r JOIN timeline t ON t.recipient_id = r.id WHERE r.subject_id = s.id)"""

_ACTIVITIES = """SELECT id FROM changes WHERE id > ? AND what = 'activity' AND intended_at < ?
  AND state IN ('done','superseded','found','refused') ORDER BY id LIMIT ?"""
_RUNS = """SELECT id FROM runs r WHERE id > ? AND ended_at < ?
  AND NOT EXISTS (SELECT 1 FROM changes c WHERE c.run_id = r.id)
  AND NOT EXISTS (SELECT 1 FROM subjects s WHERE s.run_id = r.id)
  AND NOT EXISTS (SELECT 1 FROM jobs j WHERE j.run_id = r.id) ORDER BY id LIMIT ?"""
_QUARANTINE = "SELECT id FROM quarantine WHERE id > ? AND received_at < ? ORDER BY id LIMIT ?"
