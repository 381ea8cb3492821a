"""Standing, record and ledger → what to write. Pure: whoever calls says what time it is.

Level-triggered: the plan is the difference between what the history says and what the record says now, so planning
twice plans nothing the second time.
"""

from __future__ import annotations

from dataclasses import replace
from typing import TYPE_CHECKING

from syncd.activities import any_stale, changes_of_activities
from syncd.figures import are_due, shown
from syncd.marks import BOUNCE_ROLES, changes_of_mark, evidence, is_blank, same, writable
from syncd.model import ActivityState, Aspect, Change, Decision, Plan, Remembered, State, Verdict, What
from syncd.rules import BOUNCES, OPT_OUTS, SOFT_BOUNCE, mailing, order, spent_through, standing, without_soft_bounces

if TYPE_CHECKING:
    from collections.abc import Collection, Iterable, Iterator, Mapping, Sequence

    from syncd.model import Case, Event, Ledger, Pending, Record, Rules, Value

OPT_OUT_ROLE = "opted_out"
BY_SALESFORCE = "salesforce"


def plan(case: Case, record: Record, rules: Rules, now: int, *, pausing: bool = False) -> Plan:
    """The changes that make this record agree with the case's history, and what is seen on it of earlier ones.

    `pausing`: soft bounces mark nobody for the time being, and what they marked stays.
    """
    settled, ledger = settle(in_these_fields(case.ledger, record), record)
    decisions = tuple(removals(ledger, record, case.events, now))
    history = (case.events, record.addresses, (*case.decisions, *decisions))
    said, paused = standing(*history, rules), None
    if pausing and said.invalid and said.invalid.rule == SOFT_BOUNCE:
        paused, said = said.invalid, replace(said, invalid=standing(*history, without_soft_bounces(rules)).invalid)
    unsure = ledger.mark and record.may_have(ledger.mark.address)  # or is it of another address by now?
    changes = (
        *_opt_out(_opted_out(case, record, ledger, history[2]), record, ledger),
        *(() if unsure else changes_of_mark(said, record, ledger, decisions, rules, paused)),
        *shown(case, record, ledger, rules),
        *changes_of_activities(case, said.engagements, record, ledger, rules),
    )
    void, fresh = _held_back(ledger, changes, rules)
    return Plan((*settled, *void), decisions, tuple(_naming_fields(change, record) for change in fresh))


def wants_record(case: Case, rules: Rules, figures: Collection[str] = ()) -> bool:
    """Whether the record has to be read at all: not when the history asks for nothing and nothing of ours is on it.

    `figures`: the roles of those that records are to show.
    """
    if case.ledger.mark or case.ledger.opt_out or case.ledger.pending:
        return True
    everywhere = tuple(dict.fromkeys(recipient.address for recipient in case.recipients))
    said = standing(case.events, everywhere, case.decisions, rules)
    asks = said.invalid or said.opted_out or any_stale(said.engagements, case.ledger, rules)
    return bool(asks) or are_due(case, rules, figures)


def opt_out_is_stuck(case: Case, record: Record) -> bool:
    """Whether somebody opted out and the record can't be made to say so."""
    asked = any(event.kind in OPT_OUTS for event in case.events)
    return asked and OPT_OUT_ROLE not in record.shape.writable and not record.values.get(OPT_OUT_ROLE)


def mark_is_stuck(case: Case, record: Record) -> bool:
    """Whether a mark may have to be written or taken back, and nobody can see if it is of the record's address."""
    bounced = {event.address for event in case.events if event.kind in BOUNCES}
    marked = {case.ledger.mark.address} if case.ledger.mark else set()
    return any(map(record.may_have, bounced | marked))


# --- changes of unknown fate ---------------------------------------------------------------------------------


def settle(ledger: Ledger, record: Record) -> tuple[tuple[tuple[int, State], ...], Ledger]:
    """What became of changes that a crash or a time-out left open: the record says what they wanted, or they are void.

    A void one is planned again if it still follows. Tasks of unknown fate are not settled here: they are looked up.
    """
    settled: list[tuple[int, State]] = []
    for change in ledger.pending:
        if change.held:
            continue
        if change.what is What.ACTIVITY:
            known = ledger.activities.get(change.activity)
            if known is None or known.state is not ActivityState.UNCERTAIN:
                settled.append((change.id, State.SUPERSEDED))
        elif says(record, change.after):
            settled.append((change.id, State.DONE))
            ledger = _remembering(ledger, change)
        else:
            settled.append((change.id, State.SUPERSEDED))
    return tuple(settled), ledger


def says(record: Record, values: Mapping[str, Value]) -> bool:
    """Whether the record has all these values."""
    return same(values, record.values)


def _remembering(ledger: Ledger, change: Pending) -> Ledger:
    written = Remembered(True, change.after, change.through, change.address)
    if change.what is What.OPT_OUT:
        return replace(ledger, opt_out=written)
    if change.what is What.ENGAGEMENT:
        return replace(ledger, engagement={**ledger.engagement, **change.after})
    if change.what is What.UNDO:
        # what a person had put back is a person's
        return replace(ledger, mark=replace(written, ours=False) if any(change.after.values()) else None)
    return replace(ledger, mark=None if change.what is What.LIFT else written)


def _held_back(
    ledger: Ledger, changes: Sequence[Change], rules: Rules
) -> tuple[list[tuple[int, State]], tuple[Change, ...]]:
    """What is held and follows no more is void; what follows and is held already is not planned a second time."""
    waiting = {_content(held): held for held in ledger.pending if held.held}
    following = {_content(change) for change in changes if change.is_open}
    void = [
        (held.id, State.SUPERSEDED)
        for held in ledger.pending
        if held.held and _content(held) not in following and not (held.activity and rules.activities == "off")
    ]
    return void, tuple(change for change in changes if not (change.is_open and _content(change) in waiting))


def _content(change: Change | Pending) -> tuple[object, ...]:
    send = _send(change) if change.what is What.OPT_OUT else ""  # one that is asked for by another send, too, goes out
    return change.what, change.sf_id, change.activity, send, tuple(sorted(change.after.items()))


def _send(change: Change | Pending) -> object:
    return change.why["send"] if isinstance(change, Change) else change.send


# --- which fields it was kept in ---------------------------------------------------------------------------------


def in_these_fields(ledger: Ledger, record: Record) -> Ledger:
    """What is remembered of the fields that the configuration names now: that others are empty is nobody's word."""
    return replace(ledger, mark=_kept_here(ledger.mark, record), opt_out=_kept_here(ledger.opt_out, record))


def _kept_here(remembered: Remembered | None, record: Record) -> Remembered | None:
    names = record.shape.names
    if remembered is None or not names or not remembered.fields:
        return remembered
    elsewhere = {role for role, name in remembered.fields.items() if role in names and names[role] != name}
    values = {role: value for role, value in remembered.values.items() if role not in elsewhere}
    return replace(remembered, values=values) if any(values.values()) else None


def _naming_fields(change: Change, record: Record) -> Change:
    if change.what not in (What.MARK, What.OPT_OUT) or not record.shape.names:
        return change
    fields = {role: record.shape.names[role] for role in change.after if role in record.shape.names}
    return replace(change, why={**change.why, "fields": fields})


# --- what a person, or another tool, took away --------------------------------------------------------------


def removals(ledger: Ledger, record: Record, events: Iterable[Event], now: int) -> Iterator[Decision]:
    """What was on the record when syncd last looked, and is there no more.

    Spent is all evidence up to this moment; of opt-outs only what can have been before somebody took the opt-out away,
    for what makes syncd look again may be that the person unsubscribed once more.
    """
    mark, opt_out = ledger.mark, ledger.opt_out
    # Salesforce itself clears a bounce when the address changes (help 000393429): nobody's word on the old address.
    if mark and mark.address in record.addresses and _taken_away(mark, record):
        yield _removal(Aspect.INVALID, mark, now, now)
    if opt_out and OPT_OUT_ROLE in record.shape.writable and not record.values.get(OPT_OUT_ROLE):
        yield _removal(Aspect.OPTED_OUT, opt_out, now, min(now, _latest_overruled(record, events) or now))


def _taken_away(mark: Remembered, record: Record) -> bool:
    """A person clears the bounce or unticks the box; either means the whole mark."""
    parts = (writable(record, BOUNCE_ROLES), writable(record, ("invalid",)))
    return any(any(mark.values.get(role) for role in part) and is_blank(record, part) for part in parts)


def _latest_overruled(record: Record, events: Iterable[Event]) -> int:
    """Nothing was taken away later than the record was last changed. What was known by then was overruled as well,
    though its clock may have been ahead. 0: nobody tells."""
    if not record.changed_at:
        return 0
    known = (e.at for e in events if e.kind in OPT_OUTS and e.received_at <= record.changed_at)
    return max(record.changed_at, max(known, default=0))


def _removal(aspect: Aspect, remembered: Remembered, now: int, through: int) -> Decision:
    whose = "written by syncd" if remembered.ours else "found in Salesforce"
    return Decision(
        aspect, Verdict.CLEARED, now, max(through, remembered.through), BY_SALESFORCE, f"it had been {whose}"
    )


# --- opt-outs -----------------------------------------------------------------------------------------------


def _opted_out(case: Case, record: Record, ledger: Ledger, decisions: Iterable[Decision]) -> Event | None:
    """The first, but what nobody doubts before what may be another person's: so that it doesn't wait with that."""
    spent = spent_through(decisions)[Aspect.OPTED_OUT]
    held = {change.send for change in ledger.pending if change.held and change.what is What.OPT_OUT}
    asked = [e for e in case.events if e.kind in OPT_OUTS and e.at > spent and mailing(e) not in ledger.dropped]
    return min(asked, key=lambda e: (mailing(e) in held, e.address not in record.addresses, order(e)), default=None)


def _opt_out(event: Event | None, record: Record, ledger: Ledger) -> Iterator[Change]:
    """One-way: nothing here ever clears it."""
    if event is None:
        return
    why = evidence(event.kind.value, f"{event.kind.value} reported", event, (event,))
    there, after = {OPT_OUT_ROLE: record.values.get(OPT_OUT_ROLE)}, {OPT_OUT_ROLE: True}
    if OPT_OUT_ROLE not in record.shape.writable:
        if (What.OPT_OUT.value, "not_writable", event.key.hex()) not in ledger.refused:
            yield Change(
                What.OPT_OUT, record.object, record.id, {}, after, why, event.at, State.REJECTED,
                code="not_writable", words="the opt-out field can't be written",
            )  # fmt: skip
    elif not there[OPT_OUT_ROLE]:
        yield Change(What.OPT_OUT, record.object, record.id, there, after, why, event.at)
    elif ledger.opt_out is None:
        yield Change(What.OPT_OUT, record.object, record.id, there, after, why, event.at, State.FOUND)
