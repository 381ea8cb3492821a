"""The facts about a page of subjects, and the records they are about."""

from __future__ import annotations

from typing import TYPE_CHECKING

from syncd.activities import content_digest
from syncd.model import Activity, ActivityState, Receipt, State
from syncd.plan import wants_record
from syncd.salesforce import record_id
from syncd.store import Outcome

if TYPE_CHECKING:
    from collections.abc import Iterable, Mapping, Sequence

    from syncd.engine.context import Context, Summary
    from syncd.model import Case, Record, Rules, Subject
    from syncd.salesforce import Found, RecordId

DAY = 86_400_000
LOOK_AGAIN = (3_600_000, DAY, 7 * DAY)
"""When a record that was not found is looked for again; after that, only by `syncd resync`."""


def gather(c: Context, said: Summary, page: Sequence[Subject], rules: Rules) -> tuple[list[Case], dict[str, Record]]:
    """The cases of this page by subject, as they are after look-ups, and the records by id.

    A record is read only when the history asks for something or something of ours is on it. Subjects that turn out to
    be one record have become one case.
    """
    cases = _settled_tasks(c, page, c.work.cases(page))
    names = {case.subject.id: named for case in cases if (named := _named(c, case))}
    known = c.work.known(named.id for named in names.values())
    wanted = [case for case in cases if wants_record(case, rules) or _belongs(case, names, known)]
    records: dict[str, Record] = {}
    matched = _matched(c, wanted, names, records)
    strangers = [case for case in wanted if case.subject.id not in matched and not case.subject.sf_id]
    asked = c.crm.lookup.find([case.recipients[0] for case in strangers])
    found = {case.subject.id: named for case in strangers if (named := asked.get(case.recipients[0].id))}
    matched |= _matched(c, strangers, found, records)
    _not_found(c, said, [case for case in wanted if case.subject.id not in matched])
    newly = [
        (case, records[named.id].id, records[named.id].object, named.how)
        for case in wanted
        if not case.subject.sf_id and (named := matched.get(case.subject.id))
    ]
    if newly:
        carriers = c.work.attach(said.run_id, newly, {subject.id for subject in page}, c.now())
        joined = {case.subject.id for case, *_ in newly} | {carrier.id for carrier in carriers}
        cases = [case for case in cases if case.subject.id not in joined] + c.work.cases(carriers)
    return cases, records


def _matched(
    c: Context, cases: Sequence[Case], names: Mapping[int, RecordId], records: dict[str, Record]
) -> dict[int, RecordId]:
    """Reads the records that these subjects name into `records`; the subjects that are one of them."""
    named = {case.subject.id: names[case.subject.id] for case in cases if case.subject.id in names}
    records |= c.crm.records.read((name.object, name.id) for name in named.values())
    return {
        case.subject.id: name
        for case in cases
        if (name := named.get(case.subject.id)) and _agrees(case, name, records.get(name.id))
    }


def _named(c: Context, case: Case) -> RecordId | None:
    """The record that a subject is, or whose id its only recipient's whId is."""
    return record_id(case.subject.sf_id) if case.subject.sf_id else c.crm.lookup.named(case.recipients[0].whid)


def _belongs(case: Case, names: Mapping[int, RecordId], known: set[str]) -> bool:
    """Another recipient of a record that is known already: its history belongs there, whatever it says."""
    named = names.get(case.subject.id)
    return named is not None and not case.subject.sf_id and named.id in known


def _agrees(case: Case, named: RecordId, record: Record | None) -> bool:
    """An id without a checksum may be a mistyped one of somebody else: there the address has to agree."""
    if record is None:
        return False
    return bool(case.subject.sf_id) or named.checked or case.recipients[0].address in record.addresses


def _not_found(c: Context, said: Summary, cases: Iterable[Case]) -> None:
    for case in cases:
        said.unmatched += 1
        lookups = max(recipient.lookups for recipient in case.recipients)
        c.work.unmatched(case.recipients, c.now())
        if lookups < len(LOOK_AGAIN):
            c.work.put_off([case.subject.id], c.now() + LOOK_AGAIN[lookups])


def _settled_tasks(c: Context, page: Sequence[Subject], cases: list[Case]) -> list[Case]:
    """After an uncertain answer Salesforce may still commit: wait, then look the Task up; only then repeat it."""
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
    found = c.crm.tasks.find((pending.sf_id for pending in sent), min(p.intended_at for p in sent) - DAY)
    c.journal.record([_fate(case, activity, found.get(activity.token)) for case, activity in ripe], c.now())
    return c.work.cases(page)


def _fate(case: Case, activity: Activity, found: Found | None) -> Outcome:
    pending = next(change for change in case.ledger.pending if change.activity == activity.key)
    if found is None:
        return Outcome(pending.id, case.subject.id, State.SUPERSEDED, unmade=activity.key)
    state = ActivityState.GONE if found.deleted else ActivityState.KNOWN
    known = Activity(activity.key, activity.token, state, found.task_id, content_digest(found.values))
    receipt = Receipt(found.task_id, words="found after an uncertain answer")
    return Outcome(pending.id, case.subject.id, State.DONE, receipt, known)
