"""The port of what is written to Salesforce: intents before the calls, receipts after them, and the activity ledger."""

from __future__ import annotations

import json
from dataclasses import asdict, dataclass
from hashlib import blake2b
from typing import TYPE_CHECKING, Any

from syncd.activities import MACHINE_MADE
from syncd.errors import StoreError
from syncd.model import Change, Plan, Receipt, State, What
from syncd.store.sqlite import ROWS_A_TRANSACTION, chunks, insert, many, rows, transaction

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator

    from sqlite_utils import Database

    from syncd.model import Activity, Rules

_APPLIED = "rules_applied"
INTENTS_A_PAGE = 200  # what one call to sObject Collections takes
BY_ID = "c.id IN (SELECT value FROM json_each(:ids))"


@dataclass(frozen=True, slots=True)
class Intent:
    """A change that is committed, with the row that owns it."""

    id: int
    subject_id: int
    change: Change
    attempts: int
    failing_since: int | None


@dataclass(frozen=True, slots=True)
class Outcome:
    """What became of a change. `activity`: what the ledger now knows of its Task; `unmade`: the key of one not made."""

    change_id: int
    subject_id: int
    state: State
    receipt: Receipt | None = None
    activity: Activity | None = None
    unmade: str = ""


class Journal:
    """Nothing is written to Salesforce without a row here that owns it."""

    def __init__(self, db: Database) -> None:
        self._db = db

    def rules_id(self, rules: Rules, now: int) -> int:
        """The row of these rules: every change names the rules it was made under."""
        body, digest = _written(rules)
        with transaction(self._db):
            self._db.execute(
                "INSERT INTO rules (digest, body, first_used) VALUES (?, ?, ?) ON CONFLICT (digest) DO NOTHING",
                (digest, body, now),
            )
            return int(rows(self._db, "SELECT id FROM rules WHERE digest = ?", (digest,))[0][0])

    def rules_apply(self, rules: Rules, *, first: bool = False) -> None:
        """Notes that everything is judged by these rules, or due to be; `first`: unless that was noted of others."""
        verb = "INSERT OR IGNORE" if first else "INSERT OR REPLACE"
        with transaction(self._db):
            self._db.execute(f"{verb} INTO meta (name, value) VALUES (?, ?)", (_APPLIED, _written(rules)[1].hex()))

    def are_rules_applied(self, rules: Rules) -> bool:
        """Whether everything was judged by these rules, and they were not changed since."""
        found = rows(self._db, "SELECT value FROM meta WHERE name = ?", (_APPLIED,))
        return not found or str(found[0][0]) == _written(rules)[1].hex()

    def commit(self, run_id: int, rules_id: int, plans: Iterable[tuple[int, Plan]], now: int) -> None:
        """(subject, plan): what was settled, what was seen and what is meant to be done, before any call. Durable when
        this returns, not piece by piece: no sync while the lock is held, but for the last."""
        every = [(subject_id, piece) for subject_id, plan in plans for piece in _pieces(plan)]
        for chunk in chunks(self._db, every, lambda one: _size(one[1])):
            with transaction(self._db, repeatable=chunk[-1] is not every[-1]):
                for subject_id, plan in chunk:
                    many(self._db, "UPDATE changes SET state = ? WHERE id = ?", [(s.value, i) for i, s in plan.settled])
                    many(
                        self._db,
                        "INSERT INTO decisions (subject_id, aspect, verdict, at, through, by, note)"
                        " VALUES (?, ?, ?, ?, ?, ?, ?)",
                        [
                            (subject_id, d.aspect.value, d.verdict.value, d.at, d.through, d.by, d.note)
                            for d in plan.decisions
                        ],
                    )
                    for change in plan.changes:
                        self._intend(run_id, rules_id, subject_id, change, now)

    def _intend(self, run_id: int, rules_id: int, subject_id: int, change: Change, now: int) -> None:
        change_id = insert(
            self._db,
            "INSERT INTO changes (run_id, subject_id, rules_id, what, object, sf_id, activity, before, after, why,"
            " through, state, intended_at) VALUES (?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?)",
            (
                run_id, subject_id, rules_id, change.what.value, change.object, change.sf_id, change.activity or None,
                json.dumps(dict(change.before)), json.dumps(dict(change.after)), json.dumps(dict(change.why)),
                change.through, change.state.value, now,
            ),
        )  # fmt: skip
        if change.code:
            self._receipt(change_id, Receipt("", change.code, change.words), now)

    # --- reading intents back, a call at a time -------------------------------------------------------------------

    def fields(self, run_id: int, *first: What, object_: str = "") -> Iterator[list[Intent]]:
        """The field changes, page by page; `first`: of records with one of these; of one object only if that is given.

        All open changes of a record come together, so that they are one row of one call.
        """
        which = (
            "c.what <> 'activity' AND (:first = '[]' OR c.what IN (SELECT value FROM json_each(:first)))"
            " AND :object IN ('', c.object)"
        )
        return self._pages(which, {"run": run_id, "first": json.dumps(first), "object": object_}, _WITH_THE_RECORDS)

    def activities(self, run_id: int, *, known: bool) -> Iterator[list[Intent]]:
        """The activities to create, or (`known`) to update, page by page."""
        which = (
            "c.what = 'activity'"
            " AND :known = EXISTS (SELECT 1 FROM activities a WHERE a.subject_id = c.subject_id AND a.key = c.activity)"
        )
        return self._pages(which, {"run": run_id, "known": known})

    def withdrawals(self, run_id: int) -> Iterator[list[Intent]]:
        """The activities to take back, page by page."""
        return self._pages(_TAKES_BACK, {"run": run_id, "rule": MACHINE_MADE})

    def _pages(self, which: str, arguments: dict[str, Any], read: str = BY_ID) -> Iterator[list[Intent]]:
        """As much as one call takes at a time. A page begins behind the one before, whose changes have their answers:
        what was passed over is not looked at again."""
        sql = (
            "SELECT c.id FROM changes c WHERE c.state = 'intended' AND c.run_id = :run AND c.job_id IS NULL"
            f" AND c.id > :after AND {which} ORDER BY c.id LIMIT {INTENTS_A_PAGE}"
        )
        after = 0
        while page := [row[0] for row in rows(self._db, sql, {**arguments, "after": after})]:
            after = page[-1]
            yield read_intents(self._db, read, {**arguments, "ids": json.dumps(page)})

    def tried_to_withdraw(self, intent: Intent) -> bool:
        """Whether an earlier run may have taken this activity back and not heard of it."""
        sql = (
            "SELECT 1 FROM changes c WHERE c.subject_id = :subject AND c.activity = :key AND c.id < :id"
            f" AND c.state = 'superseded' AND {_TAKES_BACK} LIMIT 1"
        )
        change = intent.change
        values = {"subject": intent.subject_id, "key": change.activity, "id": intent.id, "rule": MACHINE_MADE}
        return bool(rows(self._db, sql, values))

    # --- answers ---------------------------------------------------------------------------------------------------

    def record(self, outcomes: Iterable[Outcome], now: int) -> None:
        every = list(outcomes)
        for chunk in chunks(self._db, every):
            with transaction(self._db, repeatable=chunk[-1] is not every[-1]):
                for outcome in chunk:
                    self._record(outcome, now)

    def _record(self, outcome: Outcome, now: int) -> None:
        self._db.execute("UPDATE changes SET state = ? WHERE id = ?", (outcome.state.value, outcome.change_id))
        if outcome.receipt:
            self._receipt(outcome.change_id, outcome.receipt, now)
        if outcome.unmade:
            self._db.execute(_UNMADE, (outcome.subject_id, outcome.unmade, outcome.change_id))
        if activity := outcome.activity:
            self._db.execute(
                _TOLD,
                (
                    outcome.subject_id, activity.key, activity.token, activity.state.value, activity.task_id or None,
                    activity.digest or None, activity.not_before or None,
                ),
            )  # fmt: skip

    def _receipt(self, change_id: int, receipt: Receipt, now: int) -> None:
        self._db.execute(
            "INSERT INTO receipts (change_id, at, ok, sf_id, code, words) VALUES (?, ?, ?, ?, ?, ?)",
            (change_id, now, receipt.ok, receipt.sf_id, receipt.code, receipt.words),
        )

    def give_up(self, run_id: int) -> list[tuple[int, int]]:
        """What is still intended was never sent, or not taken, and is void; the subjects concerned, with their failed
        attempts. What a job carries is the job's."""
        left: dict[int, int] = {}
        while page := rows(
            self._db,
            "SELECT c.id, s.id, s.attempts FROM changes c JOIN subjects s ON s.id = c.subject_id"
            " WHERE c.state = 'intended' AND c.run_id = ? AND c.job_id IS NULL LIMIT ?",
            (run_id, ROWS_A_TRANSACTION),
        ):
            with transaction(self._db):
                ids = [(row[0],) for row in page]
                many(
                    self._db,
                    "DELETE FROM activities WHERE state = 'intended' AND (subject_id, key) ="
                    " (SELECT subject_id, activity FROM changes WHERE id = ?)",
                    ids,
                )
                many(self._db, "UPDATE changes SET state = 'superseded' WHERE id = ?", ids)
            left |= {subject_id: attempts for _, subject_id, attempts in page}
        return list(left.items())

    # --- the activity ledger ----------------------------------------------------------------------------------------

    def sending(self, tokens: Iterable[tuple[Intent, str]]) -> None:
        """(intent, token): the ledger's lines, written before the call that creates the Tasks.

        Raises StoreError if the intents are no longer this run's to send: whoever took it for dead has settled them,
        and would not see these lines.
        """
        for chunk in chunks(self._db, tokens):
            with transaction(self._db):
                ids = json.dumps([intent.id for intent, _ in chunk])
                if rows(self._db, _SETTLED, (ids,)):
                    raise StoreError("this run was taken for dead and another one has taken over")
                many(
                    self._db,
                    "INSERT INTO activities (subject_id, key, token, state) VALUES (?, ?, ?, 'intended')"
                    " ON CONFLICT (subject_id, key) DO NOTHING",  # it was locked, and is sent again
                    [(intent.subject_id, intent.change.activity, token) for intent, token in chunk],
                )


def read_intents(db: Database, where: str, arguments: dict[str, Any]) -> list[Intent]:
    """The changes `c` that fulfil a condition, sorted as Salesforce locks least."""
    found = rows(
        db,
        "SELECT c.id, c.subject_id, c.what, c.object, c.sf_id, c.before, c.after, c.why, c.through, c.state,"
        " coalesce(c.activity, ''), s.attempts, s.failing_since"
        f" FROM changes c JOIN subjects s ON s.id = c.subject_id WHERE {where} ORDER BY c.object, c.sf_id, c.id",
        arguments,
    )
    return [
        Intent(
            change_id,
            subject_id,
            Change(
                What(what), object_, sf_id, json.loads(before), json.loads(after), json.loads(why), through,
                State(state), activity=activity,
            ),
            attempts,
            failing_since,
        )
        for (
            change_id, subject_id, what, object_, sf_id, before, after, why, through, state, activity,
            attempts, failing_since,
        ) in found
    ]  # fmt: skip


# Two records that are one by now share a line: what was not made for one says nothing of the other's Task.
_UNMADE = """DELETE FROM activities WHERE subject_id = ? AND key = ?
  AND (state <> 'known' OR task_id = (SELECT json_extract(before, '$.task_id') FROM changes WHERE id = ?))"""
_TOLD = """INSERT INTO activities (subject_id, key, token, state, task_id, digest, not_before)
  VALUES (?, ?, ?, ?, ?, ?, ?) ON CONFLICT (subject_id, key) DO UPDATE SET state = excluded.state,
    task_id = excluded.task_id, digest = excluded.digest, not_before = excluded.not_before,
    token = CASE WHEN task_id IS NULL THEN excluded.token ELSE token END"""

_SETTLED = "SELECT 1 FROM changes WHERE state <> 'intended' AND id IN (SELECT value FROM json_each(?)) LIMIT 1"
_WITH_THE_RECORDS = """c.id IN (SELECT o.id FROM json_each(:ids) page CROSS JOIN changes f ON f.id = page.value
  CROSS JOIN changes o INDEXED BY changes_subject ON o.subject_id = f.subject_id AND o.sf_id = f.sf_id
  WHERE o.state = 'intended' AND o.run_id = :run AND o.job_id IS NULL AND o.what <> 'activity'
    AND :object IN ('', o.object))"""
_TAKES_BACK = "c.what = 'activity' AND json_extract(c.why, '$.rule') = :rule"


def _pieces(plan: Plan) -> Iterator[Plan]:
    """A plan that is more than one transaction's: by Tasks, one for each event. What is decided about the record, and
    what follows from that, stays together; of the rest a crash in between takes nothing that is not planned again."""
    if _size(plan) <= ROWS_A_TRANSACTION:
        yield plan
        return
    tasks = [change for change in plan.changes if change.activity]
    for start in range(0, len(plan.settled), ROWS_A_TRANSACTION):
        yield Plan(settled=plan.settled[start : start + ROWS_A_TRANSACTION])
    yield Plan(decisions=plan.decisions, changes=tuple(change for change in plan.changes if not change.activity))
    for start in range(0, len(tasks), ROWS_A_TRANSACTION):
        yield Plan(changes=tuple(tasks[start : start + ROWS_A_TRANSACTION]))


def _size(plan: Plan) -> int:
    """Rows; those that are refused as they are planned have a receipt."""
    return len(plan.settled) + len(plan.decisions) + sum(1 + bool(change.code) for change in plan.changes)


def _written(rules: Rules) -> tuple[str, bytes]:
    body = json.dumps(asdict(rules), sort_keys=True, default=sorted)
    return body, blake2b(body.encode(), digest_size=16).digest()
