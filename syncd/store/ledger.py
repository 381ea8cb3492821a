"""What is remembered of a subject, read back from its changes, receipts, activities and decisions."""

from __future__ import annotations

import json
from collections import defaultdict
from typing import TYPE_CHECKING, Any

from syncd.model import Activity, ActivityState, Aspect, Ledger, Pending, Remembered, State, Verdict, What
from syncd.store.sqlite import rows

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

    from sqlite_utils import Database

    from syncd.model import Decision

_ASPECTS = {
    What.MARK: Aspect.INVALID,
    What.LIFT: Aspect.INVALID,
    What.UNDO: Aspect.INVALID,
    What.OPT_OUT: Aspect.OPTED_OUT,
}


def read_ledgers(db: Database, ids: str, decisions: Mapping[int, Sequence[Decision]]) -> dict[int, Ledger]:
    """By subject id; `ids` is a JSON array. Subjects nothing is known of are left out."""
    changes: dict[int, list[Any]] = defaultdict(list)
    for subject_id, *columns in rows(db, _CHANGES, (ids,)):
        changes[subject_id].append(columns)
    activities: dict[int, dict[str, Activity]] = defaultdict(dict)
    for subject_id, key, token, state, task_id, digest, not_before in rows(db, _ACTIVITIES, (ids,)):
        activities[subject_id][key] = Activity(key, token, ActivityState(state), task_id, digest, not_before)
    return {
        subject_id: _ledger(changes[subject_id], activities[subject_id], decisions.get(subject_id, ()))
        for subject_id in changes.keys() | activities.keys()
    }


def _ledger(changes: Sequence[Any], activities: Mapping[str, Activity], decisions: Sequence[Decision]) -> Ledger:
    remembered: dict[Aspect, Remembered | None] = {}
    pending: list[Pending] = []
    refused: set[tuple[str, str, str]] = set()
    decided = {d.aspect: d.at for d in decisions if d.verdict is not Verdict.RELEASED}
    for change_id, sf_id, word, state, activity, after, why_text, through, intended_at, code in changes:
        what, why = What(word), json.loads(why_text)
        values, address = json.loads(after), why.get("address", "")
        if state in (State.INTENDED, State.UNCERTAIN):
            pending.append(Pending(change_id, what, values, through, address, activity, intended_at, sf_id))
        elif state == State.HELD:
            pending.append(Pending(change_id, what, values, through, address, activity, intended_at, sf_id, held=True))
        elif state in (State.REFUSED, State.REJECTED):
            refused.add((word, code, why.get("event", "")))
        elif intended_at >= decided.get(_ASPECTS[what], 0):
            ours = state == State.DONE and what is not What.UNDO  # what a person had put back is a person's
            blank = what is What.LIFT or (what is What.UNDO and not any(values.values()))
            remembered[_ASPECTS[what]] = None if blank else Remembered(ours, values, through, address)
    return Ledger(
        mark=remembered.get(Aspect.INVALID),
        opt_out=remembered.get(Aspect.OPTED_OUT),
        activities=dict(activities),
        pending=tuple(pending),
        refused=frozenset(refused),
    )


# The last receipt of a change is the one that counts; those of activities are kept in `activities`, but for open ones.
_CHANGES = """
SELECT c.subject_id, c.id, c.sf_id, c.what, c.state, coalesce(c.activity, ''), c.after, c.why, c.through, c.intended_at,
  coalesce((SELECT r.code FROM receipts r WHERE r.change_id = c.id ORDER BY r.id DESC LIMIT 1), '')
FROM changes c WHERE c.subject_id IN (SELECT value FROM json_each(?))
  AND (c.state IN ('intended','uncertain','held')
    OR (c.what <> 'activity' AND c.state NOT IN ('superseded','dropped')))
ORDER BY c.id"""

_ACTIVITIES = """
SELECT subject_id, key, token, state, coalesce(task_id, ''), coalesce(digest, x''), coalesce(not_before, 0)
FROM activities WHERE subject_id IN (SELECT value FROM json_each(?))"""
