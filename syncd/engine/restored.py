"""After a backup was restored: Tasks may have been made since it was, of which this store knows nothing.

Their tokens are derived from record and send, so they are found by their text, and taken over instead of made again.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from syncd.activities import activity_token, content_digest
from syncd.model import Activity, ActivityState, Receipt, State
from syncd.store import COPIED_AT, Outcome

if TYPE_CHECKING:
    from collections.abc import Sequence

    from syncd.engine.context import Context
    from syncd.salesforce import Found
    from syncd.store import Intent

DAY = 86_400_000  # clocks differ, and Salesforce's says when a Task was made


def is_restored(c: Context) -> bool:
    """Whether this store is a copy, so that Salesforce may know more Tasks of ours than it does."""
    return bool(c.work.meta(COPIED_AT))


def taken_over(c: Context, intents: Sequence[Intent]) -> list[Outcome]:
    """Of those that are to be created, what is there already. Asks nothing in a store that is no restored one."""
    copied_at = c.work.meta(COPIED_AT)
    if not copied_at or not intents:
        return []
    found = c.crm.tasks.find((intent.change.sf_id for intent in intents), int(copied_at) - DAY)
    there = [(intent, token) for intent in intents if (token := _token(intent)) in found]
    c.journal.sending(there)
    return [_known(intent, token, found[token]) for intent, token in there]


def _token(intent: Intent) -> str:
    return activity_token(intent.change.sf_id, intent.change.activity)


def _known(intent: Intent, token: str, found: Found) -> Outcome:
    """Its text is left as it is until something new comes: it may tell of events that this store has lost."""
    state = ActivityState.GONE if found.deleted else ActivityState.KNOWN
    activity = Activity(intent.change.activity, token, state, found.task_id, content_digest(intent.change.after))
    receipt = Receipt(found.task_id, words="found: made after the backup that this store was restored from")
    return Outcome(intent.id, intent.subject_id, State.DONE, receipt, activity)
