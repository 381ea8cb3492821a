"""After a backup was restored: Tasks may have been made since it was, of which this store knows nothing.

Their tokens are derived from record and send, so they are found by their text, and taken over instead of made again.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

from syncd.activities import activity_token, content_digest
from syncd.model import Activity, ActivityState, Receipt, State
from syncd.store import COPIED_AT, Outcome

if TYPE_CHECKING:
    from collections.abc import Iterable, Mapping, Sequence

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
    earlier = c.work.ids_of(intent.subject_id for intent in intents) if found else {}
    there = [(i, told) for i in intents if (told := _told(i, earlier.get(i.subject_id, ()), found))]
    c.journal.sending((intent, told.token) for intent, told in there)
    return [_known(intent, told) for intent, told in there]


@dataclass(frozen=True, slots=True)
class _Told:
    """The Task that tells of it; with another `key` than the activity's it was made in another `[activities] mode`."""

    token: str
    key: str
    task: Found


def _told(intent: Intent, earlier: Iterable[str], found: Mapping[str, Found]) -> _Told | None:
    """A merge or a conversion takes Tasks along, with the tokens of the records they were made for: `earlier`."""
    own, why = intent.change.activity, intent.change.why
    ids = (intent.change.sf_id, *earlier)
    there = [
        _Told(token, key, found[token])
        for key in dict.fromkeys((own, str(why["send"]), *why["events"]))
        for sf_id in ids
        if (token := activity_token(sf_id, key)) in found
    ]
    return min(there, key=lambda told: (told.key != own, told.task.deleted), default=None)


def _known(intent: Intent, told: _Told) -> Outcome:
    """Its text is left as it is until something new comes: it may tell of events that this store has lost."""
    key, task = intent.change.activity, told.task
    receipt = Receipt(task.task_id, words="found: made after the backup that this store was restored from")
    if told.key != key:  # as everywhere, not told a second time
        sealed = Activity(key, told.token, ActivityState.SEALED)
        return Outcome(intent.id, intent.subject_id, State.SUPERSEDED, receipt, sealed)
    state = ActivityState.GONE if task.deleted else ActivityState.KNOWN
    text = str(intent.change.after["description"]).removesuffix(activity_token(intent.change.sf_id, key)) + told.token
    digest = content_digest({**intent.change.after, "description": text})
    return Outcome(
        intent.id, intent.subject_id, State.DONE, receipt, Activity(key, told.token, state, task.task_id, digest)
    )
