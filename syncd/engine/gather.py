"""The facts about a page of subjects, and the records they are about."""

from __future__ import annotations

from functools import partial
from typing import TYPE_CHECKING

from syncd.engine.finding import Found, find
from syncd.engine.unsure import settled_tasks
from syncd.ids import record_id
from syncd.plan import wants_record

if TYPE_CHECKING:
    from collections.abc import Collection, Container, Mapping, Sequence

    from syncd.engine.context import Context, Summary
    from syncd.engine.guard import Guard
    from syncd.ids import RecordId
    from syncd.model import Case, Record, Rules, Subject


def gather(
    c: Context, said: Summary, guard: Guard, page: Sequence[Subject], rules: Rules, figures: Collection[str]
) -> tuple[list[Case], dict[str, Record]]:
    """The cases of this page by subject, as they are after look-ups, and the records by id.

    A record is read only when the history asks for something, something of ours is on it, or it may have to show other
    `figures` (by role). Subjects that turn out to be one record have become one case.
    """
    cases = guard.cases(page)
    named = {case.subject.id: name for case in cases if (name := _named(c, case))}
    names = {name.id for name in named.values()}
    known, gone = c.work.known(names), c.work.led_to(names)
    wants = partial(wants_record, rules=rules, figures=figures)
    wanted = [case for case in cases if _belongs(case, named, known, gone) or guard.think(case, wants)]
    found = find(c, said, guard, wanted, named)
    if found.matches:
        cases = _attached(c, said, guard, page, cases, found)
    return settled_tasks(c, guard, guard.standing(cases), found.records), found.records


def _attached(
    c: Context, said: Summary, guard: Guard, page: Sequence[Subject], cases: Sequence[Case], found: Found
) -> list[Case]:
    """The cases once subjects of one record are one."""
    carriers = c.work.attach(said.run_id, found.matches, {subject.id for subject in page}, c.now())
    whole = {match.subject.id for match in found.matches if not match.recipients}
    again = {match.subject.id: match.subject for match in found.matches if match.subject.id not in whole}
    again |= {carrier.id: carrier for carrier in carriers}
    changed = whole | again.keys()
    return [case for case in cases if case.subject.id not in changed] + guard.cases(list(again.values()))


def _named(c: Context, case: Case) -> RecordId | None:
    """The record that a subject is, or whose id its only recipient's whId is."""
    return record_id(case.subject.sf_id) if case.subject.sf_id else c.crm.lookup.named(case.recipients[0].whid)


def _belongs(case: Case, named: Mapping[int, RecordId], known: Container[str], gone: Container[str]) -> bool:
    """Its history belongs to that of another record, whatever it says: its own has become that one, or it is only
    another recipient of one that is known already."""
    name = named.get(case.subject.id)
    return name is not None and (name.id in gone or (not case.subject.sf_id and name.id in known))
