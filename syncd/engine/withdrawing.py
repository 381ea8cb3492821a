"""Tasks that should never have been made: the machine behind an open or a click was seen only after a run.

They go as if they had never been there, so that what Salesforce says in the end does not depend on when the runs were.
But only what still says what syncd wrote: a Task that somebody has written on is theirs. Where an org lets nobody
delete Tasks, its text says who opened.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from syncd.activities import is_as_written
from syncd.engine.writing import AGAIN, ask, field_unsent, record, refused, state_of, task_id_of, token_of, update_tasks
from syncd.errors import Refused
from syncd.model import Activity, ActivityState, Fate, Receipt, State
from syncd.store import Outcome

if TYPE_CHECKING:
    from collections.abc import Sequence

    from syncd.engine.context import Context, Summary
    from syncd.engine.writing import Locked
    from syncd.salesforce import Found
    from syncd.store import Intent


def withdraw_tasks(c: Context, said: Summary, intents: Sequence[Intent]) -> Locked:
    """Deletes them; what is to be tried again is given back."""
    known = [task_id_of(intent) for intent in intents]
    try:
        found = ask(c, said, intents, lambda: c.crm.tasks.read(known), field_unsent)
    except Refused as error:
        raise refused(c, said, intents, error, field_unsent) from error
    ours = [intent for intent in intents if _is_ours(intent, found)]
    record(c, said, [_left(c, intent, found) for intent in intents if intent not in ours])
    if not ours:
        return []
    ids = [task_id_of(intent) for intent in ours]
    try:
        receipts = ask(c, said, ours, lambda: c.crm.tasks.delete(ids), field_unsent)
    except Refused:
        return update_tasks(c, said, ours)
    pairs = list(zip(ours, receipts, strict=True))
    record(c, said, [_gone(c, i, receipt) for i, receipt in pairs if receipt.fate not in (*AGAIN, Fate.REJECTED)])
    kept = [intent for intent, receipt in pairs if receipt.fate is Fate.REJECTED]
    locked = [(intent, receipt) for intent, receipt in pairs if receipt.fate in AGAIN]
    return locked + (update_tasks(c, said, kept) if kept else [])


def _is_ours(intent: Intent, found: dict[str, Found]) -> bool:
    there = found.get(task_id_of(intent))
    return bool(there and not there.deleted and is_as_written(there.values, bytes.fromhex(_written(intent))))


def _written(intent: Intent) -> str:
    return str(intent.change.why["as_written"])


def _gone(c: Context, intent: Intent, receipt: Receipt) -> Outcome:
    if receipt.fate in (Fate.TAKEN, Fate.GONE):
        told = Receipt(task_id_of(intent), words="deleted: only a machine opened it")
        return Outcome(intent.id, intent.subject_id, State.DONE, told, unmade=intent.change.activity)
    return Outcome(intent.id, intent.subject_id, state_of(c, intent, receipt), receipt)


def _left(c: Context, intent: Intent, found: dict[str, Found]) -> Outcome:
    """It is deleted, by a person or by an earlier call that was not heard of; or somebody has written on it."""
    there = found.get(task_id_of(intent))
    if (there is None or there.deleted) and c.journal.tried_to_withdraw(intent):
        return _gone(c, intent, Receipt())
    words = "somebody has changed it: left" if there and not there.deleted else "it was deleted"
    theirs = Activity(intent.change.activity, token_of(intent), ActivityState.GONE, task_id_of(intent))
    receipt = Receipt(task_id_of(intent), words=words)
    return Outcome(intent.id, intent.subject_id, State.SUPERSEDED, receipt, theirs)
