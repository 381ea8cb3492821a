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


def read_ledgers(
    db: Database, ids: str, decisions: Mapping[int, Sequence[Decision]], wrong: dict[int, Exception]
) -> dict[int, Ledger]:
    """By subject id; `ids` is a JSON array. Subjects nothing is known of are left out, unreadable ones are `wrong`."""
    changes: dict[int, list[Any]] = defaultdict(list)
    for subject_id, *columns in rows(db, _CHANGES, (ids,)):
        changes[subject_id].append(columns)
    activities: dict[int, dict[str, Activity]] = defaultdict(dict)
    for subject_id, key, token, state, task_id, digest, not_before in rows(db, _ACTIVITIES, (ids,)):
        activities[subject_id][key] = Activity(key, token, ActivityState(state), task_id, digest, not_before)
    ledgers: dict[int, Ledger] = {}
    for subject_id in changes.keys() | activities.keys():
        try:
            ledgers[subject_id] = _ledger(changes[subject_id], activities[subject_id], decisions.get(subject_id, ()))
        except Exception as error:
            wrong[subject_id] = error
    return ledgers


def _ledger(changes: Sequence[Any], activities: Mapping[str, Activity], decisions: Sequence[Decision]) -> Ledger:
    """What a record was found to say, or was made to say, is remembered of that very record: another one that it was
    merged into may say something else without anybody having taken anything away."""
    remembered: dict[tuple[str, Aspect], Remembered | None] = {}
    engagement: dict[str, Any] = {}
    pending: list[Pending] = []
    refused: set[tuple[str, str, str]] = set()
    dropped: set[str] = set()
    decided = {(d.sf_id, d.aspect): d.at for d in decisions if d.verdict is not Verdict.RELEASED}
    for change_id, sf_id, merged, word, state, activity, after, why_text, through, intended_at, *more in changes:
        what, why, values = What(word), json.loads(why_text), json.loads(after)
        code, unsure, in_job = more
        address, of = why.get("address", ""), sf_id if merged else ""
        if state in (State.INTENDED, State.UNCERTAIN, State.HELD):
            held = state == State.HELD
            pending.append(
                Pending(
                    change_id,
                    what,
                    values,
                    through,
                    address,
                    activity,
                    intended_at,
                    sf_id,
                    unsure,
                    why.get("send", ""),
                    held=held,
                    in_job=state == State.INTENDED and bool(in_job),
                )
            )
        elif state == State.DROPPED:
            dropped.add(why.get("send", ""))
        elif state in (State.REFUSED, State.REJECTED):
            refused.add((word, code, why.get("event", "")))
        elif what is What.ENGAGEMENT:
            engagement |= {} if merged else values
        elif intended_at >= decided.get((of, _ASPECTS[what]), 0):
            # what a person had put back is a person's
            ours = (state == State.DONE and what is not What.UNDO) or bool(why.get("ours"))
            blank = what is What.LIFT or (what is What.UNDO and not any(values.values()))
            remembered[of, _ASPECTS[what]] = (
                None if blank else Remembered(ours, values, through, address, why.get("fields", {}))
            )
    return Ledger(
        mark=remembered.get(("", Aspect.INVALID)),
        opt_out=remembered.get(("", Aspect.OPTED_OUT)),
        activities=dict(activities),
        pending=tuple(pending),
        refused=frozenset(refused),
        dropped=frozenset(dropped - {""}),
        inherited=tuple(it for (of, aspect), it in remembered.items() if of and it and aspect is Aspect.INVALID),
        engagement=engagement,
    )


# The last receipt of a change is the one that counts; those of activities are kept in `activities`, but for open ones.
_CHANGES = """
SELECT c.subject_id, c.id, c.sf_id, c.sf_id <> s.sf_id, c.what,
  c.state, coalesce(c.activity, ''), c.after, c.why, c.through, c.intended_at,
  coalesce((SELECT r.code FROM receipts r WHERE r.change_id = c.id ORDER BY r.id DESC LIMIT 1), ''),
  coalesce((SELECT max(r.at) FROM receipts r WHERE r.change_id = c.id),
    (SELECT coalesce(u.ended_at, u.heartbeat_at) FROM runs u WHERE u.id = c.run_id)), c.job_id IS NOT NULL
FROM changes c JOIN subjects s ON s.id = c.subject_id WHERE c.subject_id IN (SELECT value FROM json_each(?))
  AND (c.state IN ('intended','uncertain','held')
    OR (c.what = 'opt_out' AND c.state = 'dropped')
    OR (c.what <> 'activity' AND c.state NOT IN ('superseded','dropped')))
ORDER BY c.id"""

_ACTIVITIES = """
SELECT subject_id, key, token, state, coalesce(task_id, ''), coalesce(digest, x''), coalesce(not_before, 0)
FROM activities WHERE subject_id IN (SELECT value FROM json_each(?))"""
