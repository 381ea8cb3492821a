"""The port of a run: what is due, and the facts about it.

Every write is a short transaction of at most a hundred rows, so that the receiver gets its turn.
"""

from __future__ import annotations

import json
from typing import TYPE_CHECKING, Any

from syncd.ids import record_id
from syncd.model import Case, Kind, Subject
from syncd.store import lease, mailed, prune, tombstones, totals
from syncd.store.cases import read_cases
from syncd.store.matching import DUE, SUBJECT, Matching
from syncd.store.sqlite import ROWS_A_TRANSACTION, chunks, insert, many, pause, rows, transaction

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Mapping, Sequence


FARTHEST = 30 * 86_400_000
"""Nothing is put off for longer than a week. What is, was so by a clock that ran ahead, and would wait until then."""
FOLDED_AT_ONCE = 25
"""Events; each is about five rows."""


class Work(Matching):
    """Subjects: folded in, claimed, looked up, put off, given back."""

    looks_only = False  # whether nothing that a run hears is to change what is due
    releasing = False  # whether a run that only shows is to look as if nothing were held

    # --- the run itself -----------------------------------------------------------------------------------------

    def begin(self, cause: str, now: int, settle: int) -> int:
        """Starts a run; first frees what a dead one held. Tasks it may have sent are uncertain for `settle` ms."""
        dead = lease.dead_run(self._db, now)
        if dead is not None:
            self._recover(dead, now, now + settle)
        run_id = lease.begin(self._db, cause, now)
        if rows(self._db, f"{_STRANDED} LIMIT 1", (now + FARTHEST,)):
            self._bit_by_bit(f"UPDATE subjects SET due_at = ? WHERE id IN ({_STRANDED} LIMIT ?)", now, now + FARTHEST)
            with transaction(self._db):
                self._db.execute(_STRANDED_TASKS, (now + settle, now + FARTHEST))
        return run_id

    def first_run(self) -> int:
        """When the first run began that is known of; this one has begun."""
        return int(rows(self._db, "SELECT started_at FROM runs ORDER BY id LIMIT 1")[0][0])

    def beat(self, run_id: int, now: int) -> None:
        lease.beat(self._db, run_id, now)

    def end(self, run_id: int, now: int, summary: Mapping[str, Any]) -> None:
        """Gives back every claim and closes the run."""
        while self._release(run_id):
            pass
        lease.end(self._db, run_id, now, json.dumps(summary))

    def _release(self, run_id: int) -> int:
        with transaction(self._db):
            return int(
                self._db.execute(
                    "UPDATE subjects SET run_id = NULL,"
                    f" attempts = CASE WHEN {_WELL} THEN 0 ELSE attempts END,"
                    f" failing_since = CASE WHEN {_WELL} THEN NULL ELSE failing_since END"
                    " WHERE id IN (SELECT id FROM subjects WHERE run_id = ? LIMIT ?)",
                    (run_id, ROWS_A_TRANSACTION),
                ).rowcount
            )

    def _recover(self, run_id: int, now: int, not_before: int) -> None:
        """After a crash: a Task whose ledger line was written may exist; a field is settled by reading it.

        Killed in between, it is done again, for the run is open until the end.
        """
        carried = (  # what a job carries is settled with the job
            "EXISTS (SELECT 1 FROM changes c WHERE c.subject_id = activities.subject_id AND c.activity = activities.key"
            " AND c.job_id IS NOT NULL AND c.state = 'intended')"
        )
        unsure = (
            "EXISTS (SELECT 1 FROM activities a WHERE a.subject_id = changes.subject_id AND a.key = changes.activity"
            " AND a.state = 'uncertain')"
        )
        mine = "run_id = ? AND state = 'intended' AND job_id IS NULL"
        self._bit_by_bit(
            "UPDATE activities SET state = 'uncertain', not_before = ? WHERE (subject_id, key) IN ("
            # as the index `activities_unsure` has it, where those without a time come first
            "SELECT subject_id, key FROM activities WHERE state IN ('intended','uncertain') AND state = 'intended'"
            f" AND NOT {carried} LIMIT ?)",
            not_before,
        )
        self._bit_by_bit(
            "UPDATE changes SET state = 'superseded' WHERE id IN (SELECT id FROM changes"
            f" WHERE {mine} AND what = 'activity' AND NOT {unsure} LIMIT ?)",
            run_id,
        )
        self._bit_by_bit(
            f"UPDATE changes SET state = 'uncertain' WHERE id IN (SELECT id FROM changes WHERE {mine} LIMIT ?)", run_id
        )
        self._bit_by_bit(
            "UPDATE subjects SET due_at = ?1 WHERE id IN (SELECT id FROM subjects"
            " WHERE run_id = ?2 AND (due_at IS NULL OR due_at <> ?1) LIMIT ?3)",
            now,
            run_id,
        )
        while self._release(run_id):
            pause(self._db)
        lease.end(self._db, run_id, now, json.dumps({"ended": "found dead"}))

    def _bit_by_bit(self, sql: str, *arguments: int) -> None:
        """Until nothing is left to change; the statement's last parameter is how many rows it may change."""
        changed = ROWS_A_TRANSACTION
        while changed == ROWS_A_TRANSACTION:
            with transaction(self._db):
                changed = self._db.execute(sql, (*arguments, ROWS_A_TRANSACTION)).rowcount
            pause(self._db)

    # --- fresh events, due subjects -----------------------------------------------------------------------------

    def newest(self) -> int:
        """The last fresh event: how far this run folds, however many come meanwhile."""
        return int(rows(self._db, "SELECT coalesce(max(event_id), 0) FROM fresh")[0][0])

    def fold(self, now: int, through: int, usable: Callable[[str], bool] = bool) -> int:
        """Joins some fresh events to their recipients' time lines; how many. Their subjects become due.

        `usable`: whether a whId can name a record, which is counted.
        """
        with transaction(self._db, repeatable=True):
            fresh = rows(
                self._db,
                "SELECT e.id, e.at, e.kind, e.address, e.whid, e.send, e.campaign"
                " FROM fresh f JOIN events e ON e.id = f.event_id"
                " WHERE f.event_id <= ? ORDER BY f.event_id LIMIT ?",
                (through, FOLDED_AT_ONCE),
            )
            late = tombstones.late(self._db, [event[:4] for event in fresh])
            late |= prune.late(self._db, fresh)
            many(self._db, "DELETE FROM events WHERE id = ?", [(event_id,) for event_id in late])
            known = [event for event in fresh if event[0] not in late]
            mails: list[mailed.Mailed] = []
            for event_id, at, kind, address, whid, send, campaign in known:
                recipient, subject = self._recipient(address, whid)
                mails.append(mailed.Mailed(recipient, at, kind, address, send, campaign))
                if prune.is_sealed(self._db, recipient, send, campaign, kind):
                    continue  # its send is judged for good
                self._db.execute("INSERT OR IGNORE INTO timeline VALUES (?, ?, ?)", (recipient, at, event_id))
                if kind != Kind.UNKNOWN.value:
                    self._db.execute(DUE, (now, now, subject))
            many(self._db, "DELETE FROM fresh WHERE event_id = ?", [(event_id,) for event_id, *_ in fresh])
            mailed.add(self._db, mails)
            totals.add(
                self._db, ((at, kind, usable(whid), send, campaign) for _, at, kind, _, whid, send, campaign in known)
            )
        pause(self._db)
        return len(fresh)

    def _recipient(self, address: str, whid: str) -> tuple[int, int]:
        known = self._db.execute(
            "SELECT id, subject_id FROM recipients WHERE address = ? AND whid = ?", (address, whid)
        ).fetchone()
        if known:
            return known[0], known[1]
        subject = insert(self._db, "INSERT INTO subjects DEFAULT VALUES")
        named = record_id(whid)
        recipient = insert(
            self._db,
            "INSERT INTO recipients (address, whid, names, subject_id) VALUES (?, ?, ?, ?)",
            (address, whid, named and named.id, subject),
        )
        return recipient, subject

    def claim(self, run_id: int, limit: int, due_by: int, *, opt_outs_only: bool = False) -> list[Subject]:
        """Takes up to `limit` subjects that were due at `due_by`; their due time is cleared.

        `opt_outs_only`: none but those that somebody unsubscribed or complained for.
        """
        also = _OPTED_OUT if opt_outs_only else ""
        claimed: list[Subject] = []
        while len(claimed) < limit:
            size = min(ROWS_A_TRANSACTION, limit - len(claimed))
            # found before the transaction: while calls are short that may take a while, and nobody else claims
            due = rows(
                self._db,
                "SELECT id FROM subjects"
                f" WHERE due_at <= ? AND run_id IS NULL{_FREE}{also} ORDER BY due_at, id LIMIT ?",
                (due_by, size),
            )
            with transaction(self._db, repeatable=True):
                page = rows(
                    self._db,
                    "UPDATE subjects SET run_id = ?, due_at = NULL"
                    " WHERE id IN (SELECT value FROM json_each(?)) AND run_id IS NULL RETURNING " + SUBJECT,
                    (run_id, json.dumps([subject_id for (subject_id,) in due])),
                )
            claimed += [Subject(*row) for row in page]
            if len(page) < size:
                break
            pause(self._db)
        return claimed

    def is_due(self, due_by: int) -> bool:
        """Whether anything waits for a run."""
        return bool(rows(self._db, "SELECT 1 FROM subjects WHERE due_at <= ? AND run_id IS NULL LIMIT 1", (due_by,)))

    def put_off(self, subject_ids: Iterable[int], until: int) -> None:
        """Due again at `until`, or earlier if something comes."""
        for chunk in chunks(self._db, list(subject_ids)):
            with transaction(self._db, repeatable=True):
                many(self._db, DUE, [(until, until, subject_id) for subject_id in chunk])

    def failed(self, subjects: Iterable[tuple[int, int]], now: int, *, itself: bool = False) -> None:
        """(subject, when to try again): counts the attempt. `itself`: the record is at fault, and not Salesforce."""
        for chunk in chunks(self._db, list(subjects)):
            with transaction(self._db):
                many(
                    self._db,
                    "UPDATE subjects SET attempts = attempts + 1, failing_since = coalesce(failing_since, ?),"
                    " due_at = min(coalesce(due_at, ?), ?) WHERE id = ?",
                    [(now if itself else None, until, until, subject_id) for subject_id, until in chunk],
                )

    def wake_all(self, now: int) -> None:
        """Everything that waits is due now."""
        self._bit_by_bit(
            "UPDATE subjects SET due_at = ?1 WHERE id IN (SELECT id FROM subjects WHERE due_at > ?1 LIMIT ?2)", now
        )

    def wake_failing(self, now: int) -> None:
        """What could not be done, and waits for another try, is due now."""
        self._bit_by_bit(
            "UPDATE subjects SET due_at = ?1 WHERE id IN (SELECT id FROM subjects"
            " WHERE attempts > 0 AND due_at > ?1 LIMIT ?2)",
            now,
        )

    # --- small facts about the work itself ----------------------------------------------------------------------

    def meta(self, name: str) -> str:
        found = rows(self._db, "SELECT value FROM meta WHERE name = ?", (name,))
        return str(found[0][0]) if found else ""

    def set_meta(self, name: str, value: str) -> None:
        with transaction(self._db):
            self._db.execute("INSERT OR REPLACE INTO meta (name, value) VALUES (?, ?)", (name, value))

    # --- facts ----------------------------------------------------------------------------------------------------

    def cases(self, subjects: Sequence[Subject], spoilt: dict[int, Exception] | None = None) -> list[Case]:
        """The subjects with their recipients, histories, decisions and ledgers.

        Those whose facts cannot be read are left out, and named in `spoilt` with what is wrong; without it, raised.
        """
        wrong: dict[int, Exception] = {} if spoilt is None else spoilt
        found = read_cases(self._db, subjects, wrong)
        if wrong and spoilt is None:
            raise next(iter(wrong.values()))
        return found


_ANSWERED = "SELECT 1 FROM changes c WHERE c.subject_id = subjects.id AND c.run_id = subjects.run_id AND c.state"
_WELL = (  # a subject may be due again without having failed: for Tasks, or for an opt-out that is rejected every day
    "(attempts = 0 OR due_at IS NULL OR"
    f" (EXISTS ({_ANSWERED} IN ('done', 'rejected')) AND NOT EXISTS ({_ANSWERED} IN ('superseded', 'uncertain'))))"
)
_STRANDED = "SELECT id FROM subjects WHERE due_at > ? AND run_id IS NULL"
_STRANDED_TASKS = "UPDATE activities SET not_before = ? WHERE state IN ('intended','uncertain') AND not_before > ?"
_FREE = (  # of what a job carries the outcome is not known yet
    " AND NOT EXISTS (SELECT 1 FROM changes c WHERE c.subject_id = subjects.id AND c.job_id IS NOT NULL"
    " AND c.state = 'intended')"
)
_OPTED_OUT = (
    " AND EXISTS (SELECT 1 FROM recipients r JOIN timeline t ON t.recipient_id = r.id"
    " JOIN events e ON e.id = t.event_id WHERE r.subject_id = subjects.id AND e.kind IN ('unsubscribe', 'complaint'))"
)
