"""Which record each subject is: read by id, followed where it went, looked up, or not found."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import TYPE_CHECKING

from syncd.engine.unsure import void
from syncd.errors import Fatal
from syncd.model import Match
from syncd.rules import OPT_OUTS
from syncd.salesforce import UNSEEN, Reading

if TYPE_CHECKING:
    from collections.abc import Container, Iterable, Mapping, Sequence

    from syncd.engine.context import Context, Summary
    from syncd.engine.guard import Guard
    from syncd.ids import RecordId
    from syncd.model import Case, Move, Record

DAY = 86_400_000
LOOK_AGAIN = (3_600_000, DAY, 7 * DAY)
"""When a record that was not found is looked for again; after that, only by `syncd resync`."""


@dataclass(slots=True)
class Found:
    """`records` by their own ids, `matches` that change who is which record, `moves`: where ids lead."""

    records: dict[str, Record] = field(default_factory=dict)
    matches: list[Match] = field(default_factory=list)
    moves: list[Move] = field(default_factory=list)


def find(c: Context, said: Summary, guard: Guard, wanted: Sequence[Case], named: Mapping[int, RecordId]) -> Found:
    """Reads the records of these cases: first those that they name, then those that have to be looked up."""
    found = Found()
    ids = {named[case.subject.id].id for case in wanted if case.subject.id in named}
    # a record that was merged into the subject's may have been restored
    ids |= {name.id for case in wanted for r in case.recipients if (name := c.crm.lookup.named(r.whid))}
    reading = c.crm.read(ids, c.work.led_to(ids))
    found.moves += reading.led_to()
    lost = []
    for case in wanted:
        if record := _agreed(case, named, reading):
            _has(c, case, record, reading, found)
        elif refusal := _refusal(case, named, reading):
            guard.refused([case.subject], f"{named[case.subject.id].object}: {refusal}")
        else:
            lost.append(case)
    elsewhere = _looked_up(c, guard, lost, found)
    _not_found(c, said, guard.standing(lost), elsewhere)
    remembered = c.work.led_to(move.sf_id for move in found.moves)
    c.work.remember((move for move in found.moves if move != remembered.get(move.sf_id)), c.now())
    if found.records:
        _left_behind(c, found)
    if c.crm.lookup.by_id and found.records:
        _others(c, found)
    return found


def _has(c: Context, case: Case, record: Record, reading: Reading, found: Found) -> None:
    """The record that a case names; the store has to be told if that was not known, is another one, or is back."""
    found.records[record.id] = record
    _restored(c, case, record, reading, found)
    is_back = record.id in reading.moves or any(recipient.lookups for recipient in case.recipients)
    if is_back or case.subject.sf_id != record.id:
        found.matches.append(Match(case.subject, record.id, record.object, "" if case.subject.sf_id else "id"))


def _agreed(case: Case, named: Mapping[int, RecordId], reading: Reading) -> Record | None:
    """An id without a checksum may be a mistyped one of somebody else: there the address has to agree."""
    name = named.get(case.subject.id)
    record = reading.record(name.id) if name else None
    if name is None or record is None:
        return None
    agrees = case.subject.sf_id or name.checked or case.recipients[0].address in record.addresses
    return record if agrees else None


def _refusal(case: Case, named: Mapping[int, RecordId], reading: Reading) -> Fatal | None:
    name = named.get(case.subject.id)
    if name and (record := reading.record(name.id)) and record.may_have(case.recipients[0].address):
        return unseen(record)
    return reading.refusal(name.id) if name else None


def unseen(record: Record) -> Fatal:
    """What keeps syncd from telling whether an address is the record's."""
    return Fatal("INVALID_FIELD", f"the user may not see {', '.join(record.shape.unseen)}, which may hold the address")


def _looked_up(c: Context, guard: Guard, lost: Sequence[Case], found: Found) -> set[int]:
    """The recipients that have a record all the same, by external id or address.

    Those of a record that is gone are looked up if they had been so before: their record may have been made anew.
    """
    seekers = [(case, r) for case in lost for r in case.recipients if not case.subject.sf_id or r.matched != "id"]
    try:
        asked = c.crm.lookup.find([recipient for _, recipient in seekers])
        reading = c.crm.read({name.id for name in asked.values()}, {})
    except Fatal as error:
        if error.code not in UNSEEN:
            raise
        guard.refused({case.subject.id: case.subject for case, _ in seekers}.values(), f"looking records up: {error}")
        return set()
    homes = set()
    for case, recipient in seekers:
        name = asked.get(recipient.id)
        if name and (record := reading.record(name.id)):
            homes.add(recipient.id)
            found.records[record.id] = record
            only = (recipient.id,) if case.subject.sf_id else ()
            found.matches.append(Match(case.subject, record.id, record.object, name.how, only))
        elif name and (refusal := reading.refusal(name.id)):
            guard.refused([case.subject], f"{name.object}: {refusal}")
    found.moves += reading.led_to()
    return homes


def _restored(c: Context, case: Case, record: Record, reading: Reading, found: Found) -> None:
    """Recipients that name a record which had been merged into this one, and is a record of its own again."""
    apart: dict[str, list[int]] = {}
    for recipient in case.recipients:
        name = c.crm.lookup.named(recipient.whid)
        own = reading.records.get(name.id) if name else None
        if own and own.id != record.id and recipient.matched == "id":
            apart.setdefault(own.id, []).append(recipient.id)
    for sf_id, recipients in apart.items():
        found.records[sf_id] = reading.records[sf_id]
        match = Match(case.subject, sf_id, reading.records[sf_id].object, "id", tuple(recipients))
        found.matches.append(match)


def _left_behind(c: Context, found: Found) -> None:
    """Subjects of records that have become one of these, though nothing of theirs was due."""
    matched = {match.subject.id for match in found.matches if not match.recipients}
    for subject, sf_id in c.work.left_behind(found.records):
        if subject.id not in matched:
            found.matches.append(Match(subject, sf_id, found.records[sf_id].object))


def _others(c: Context, found: Found) -> None:
    """Recipients that name one of these records in another spelling and that nothing was asked of so far."""
    matched = {match.subject.id for match in found.matches}
    by_id = {record.contact: record for record in found.records.values() if record.contact} | found.records
    for subject, address, whid, sf_id in c.work.others(by_id):
        name, record = c.crm.lookup.named(whid), by_id[sf_id]
        if subject.id not in matched and name and (name.checked or address in record.addresses):
            found.matches.append(Match(subject, record.id, record.object, "id"))


def _not_found(c: Context, said: Summary, cases: Iterable[Case], elsewhere: Container[int]) -> None:
    """`elsewhere`: recipients that have been found all the same."""
    for case in cases:
        missing = [recipient for recipient in case.recipients if recipient.id not in elsewhere]
        if all(recipient.lookups >= len(LOOK_AGAIN) for recipient in missing):
            void(c, case)
        if missing:
            said.unmatched += 1
            lookups = max(recipient.lookups for recipient in missing)
            c.work.unmatched(missing, c.now())
            if any(event.kind in OPT_OUTS for event in case.events):  # nobody's wish to be left alone is given up
                c.work.put_off([case.subject.id], c.now() + (DAY if lookups else LOOK_AGAIN[0]))
            elif lookups < len(LOOK_AGAIN):
                c.work.put_off([case.subject.id], c.now() + LOOK_AGAIN[lookups])
