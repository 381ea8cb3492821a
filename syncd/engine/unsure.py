"""Changes of unknown fate: Salesforce may commit for a while what it did not answer. Wait, then look, then repeat."""

from __future__ import annotations

from typing import TYPE_CHECKING

from syncd.activities import content_digest
from syncd.model import Activity, ActivityState, Receipt, State, What
from syncd.plan import says
from syncd.store import Outcome

if TYPE_CHECKING:
    from collections.abc import Mapping

    from syncd.engine.context import Context
    from syncd.engine.guard import Guard
    from syncd.model import Case, Plan, Record
    from syncd.salesforce import Found

DAY = 86_400_000
MINUTE = 60_000


def must_wait(c: Context, case: Case, record: Record, planned: Plan) -> bool:
    """Whether a field change of unknown fate keeps this from being carried out yet; then the subject is put off.

    A record that does not say what it was told may say so any moment, and what is not written once more would then be
    taken for somebody else's word. The very same change can be sent again: whichever comes last says the same.
    """
    if any(change.in_job for change in case.ledger.pending):
        c.work.put_off([case.subject.id], c.now() + MINUTE)  # another recipient turned out to be this record
        return True
    again = [(change.what, change.after) for change in planned.changes if change.is_open]
    unsure = [
        change.unsure_since
        for change in case.ledger.pending
        if not change.held
        and change.what is not What.ACTIVITY
        and not says(record, change.after)
        and (change.what, change.after) not in again
    ]
    ripe_at = max(unsure, default=0) + c.options.settle
    if not unsure or ripe_at <= c.now():
        return False
    c.work.put_off([case.subject.id], ripe_at)
    return True


def void(c: Context, case: Case) -> None:
    """Field changes of unknown fate on a record that is gone for good: nobody will ever read what became of them."""
    receipt = Receipt(code="gone", words="the record is deleted, so what became of this cannot be read")
    left = [change for change in case.ledger.pending if not (change.held or change.in_job or change.activity)]
    c.journal.record([Outcome(it.id, case.subject.id, State.SUPERSEDED, receipt) for it in left], c.now())


def settled_tasks(c: Context, guard: Guard, cases: list[Case], records: Mapping[str, Record]) -> list[Case]:
    """Tasks that may have been made are looked up once they must be there, if ever."""
    unsure = [
        (case, activity)
        for case in cases
        for activity in case.ledger.activities.values()
        if activity.state is ActivityState.UNCERTAIN
    ]
    for case, activity in unsure:
        if activity.not_before > c.now():
            c.work.put_off([case.subject.id], activity.not_before)
    ripe = [(case, activity) for case, activity in unsure if activity.not_before <= c.now()]
    if not ripe:
        return cases
    sent = [pending for case, _ in ripe for pending in case.ledger.pending if pending.activity]
    # a merge or a conversion takes the Tasks along
    now_of = [records[case.subject.sf_id].who[1] for case, _ in ripe if case.subject.sf_id in records]
    whose = {*now_of, *(pending.sf_id for pending in sent)}
    found = c.crm.tasks.find(whose, min(pending.intended_at for pending in sent) - DAY)
    c.journal.record([_fate(case, activity, found.get(activity.token)) for case, activity in ripe], c.now())
    settled = {case.subject.id: case.subject for case, _ in ripe}
    return [case for case in cases if case.subject.id not in settled] + guard.cases(list(settled.values()))


def _fate(case: Case, activity: Activity, found: Found | None) -> Outcome:
    pending = next(change for change in case.ledger.pending if change.activity == activity.key)
    if found is None:
        return Outcome(pending.id, case.subject.id, State.SUPERSEDED, unmade=activity.key)
    state = ActivityState.GONE if found.deleted else ActivityState.KNOWN
    known = Activity(activity.key, activity.token, state, found.task_id, content_digest(found.values))
    receipt = Receipt(found.task_id, words="found after an uncertain answer")
    return Outcome(pending.id, case.subject.id, State.DONE, receipt, known)
