"""Standing, record and ledger → what to write. Pure: whoever calls says what time it is.

Level-triggered: the plan is the difference between what the history says and what the record says now, so planning
twice plans nothing the second time. What a record carries is either ours (as the ledger remembers it), or somebody
else's and then left alone, and remembered, so that its removal by a person is noticed too.
"""

from __future__ import annotations

from dataclasses import replace
from hashlib import blake2b
from typing import TYPE_CHECKING

from syncd.activities import content, content_digest
from syncd.figures import are_due, kept, shown
from syncd.model import ActivityState, Aspect, Change, Decision, Plan, Remembered, State, Verdict, What
from syncd.rules import BOUNCES, OPT_OUTS, bounce_reason, engagements, mailing, send_key, standing, without_soft_bounces

if TYPE_CHECKING:
    from collections.abc import Collection, Iterator, Mapping, Sequence

    from syncd.model import Case, Engagement, Event, Justification, Ledger, Pending, Record, Rules, Standing, Value

BOUNCE_ROLES = ("bounce_date", "bounce_reason")
MARK_ROLES = (*BOUNCE_ROLES, "invalid")
OPT_OUT_ROLE = "opted_out"
BY_SALESFORCE = "salesforce"
PAUSED = "paused"
PAUSED_WORDS = "no delivered, open or click is reported of anybody, so soft bounces mark nobody for the time being"
LIFT_REASONS = {
    "address_changed": "the record has another address now",
    "no_longer_invalid": "the history does not call the address invalid any more",
    "removed": "a person took the mark away; this was left of it",
}


def plan(case: Case, record: Record, rules: Rules, now: int, *, pausing: bool = False) -> Plan:
    """The changes that make this record agree with the case's history, and what is seen on it of earlier ones.

    `pausing`: soft bounces mark nobody for the time being, and what they marked stays.
    """
    settled, ledger = settle(case.ledger, record)
    decisions = tuple(removals(ledger, record, now))
    history = (case.events, record.addresses, (*case.decisions, *decisions))
    said, paused = standing(*history, rules), None
    if pausing and said.invalid and said.invalid.rule == "soft_bounce":
        paused, said = said.invalid, replace(said, invalid=standing(*history, without_soft_bounces(rules)).invalid)
    changes = (
        *_opt_out(said, record, ledger, decisions),
        *_mark(said, record, ledger, decisions, rules, paused),
        *shown(case, record, ledger, rules),
        *_activities(said, record, ledger, rules),
    )
    void, fresh = _held_back(ledger, changes, rules)
    return Plan((*settled, *void), decisions, fresh)


def wants_record(case: Case, rules: Rules, figures: Collection[str] = ()) -> bool:
    """Whether the record has to be read at all: not when the history asks for nothing and nothing of ours is on it.

    `figures`: the roles of those that records are to show.
    """
    if case.ledger.mark or case.ledger.opt_out or case.ledger.pending:
        return True
    everywhere = tuple(dict.fromkeys(recipient.address for recipient in case.recipients))
    said = standing(case.events, everywhere, case.decisions, rules)
    return bool(said.invalid or said.opted_out) or activity_is_due(case, rules) or are_due(case, rules, figures)


def activity_is_due(case: Case, rules: Rules) -> bool:
    """Whether an activity is to be written, now or with the next ones."""
    return any(_stale(engagement, case.ledger, rules) for engagement in engagements(case.events, rules))


def opt_out_is_stuck(case: Case, record: Record) -> bool:
    """Whether somebody opted out and the record can't be made to say so."""
    asked = any(event.kind in OPT_OUTS for event in case.events)
    return asked and OPT_OUT_ROLE not in record.shape.writable and not record.values.get(OPT_OUT_ROLE)


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
    return _same(values, record.values)


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
    return change.what, change.sf_id, change.activity, tuple(sorted(change.after.items()))


# --- what a person, or another tool, took away --------------------------------------------------------------


def removals(ledger: Ledger, record: Record, now: int) -> Iterator[Decision]:
    """What was on the record when syncd last looked, and is there no more. Spent: all evidence up to this moment."""
    mark, opt_out = ledger.mark, ledger.opt_out
    # Salesforce itself clears a bounce when the address changes (help 000393429): nobody's word on the old address.
    if mark and not _moved(mark, record) and _taken_away(mark, record):
        yield _removal(Aspect.INVALID, mark, now)
    if opt_out and OPT_OUT_ROLE in record.shape.writable and not record.values.get(OPT_OUT_ROLE):
        yield _removal(Aspect.OPTED_OUT, opt_out, now)


def _taken_away(mark: Remembered, record: Record) -> bool:
    """A person clears the bounce or unticks the box; either means the whole mark."""
    parts = (_writable(record, BOUNCE_ROLES), _writable(record, ("invalid",)))
    return any(any(mark.values.get(role) for role in part) and _is_blank(record, part) for part in parts)


def _removal(aspect: Aspect, remembered: Remembered, now: int) -> Decision:
    whose = "written by syncd" if remembered.ours else "found in Salesforce"
    return Decision(aspect, Verdict.CLEARED, now, max(now, remembered.through), BY_SALESFORCE, f"it had been {whose}")


# --- invalid addresses --------------------------------------------------------------------------------------


def _mark(
    said: Standing,
    record: Record,
    ledger: Ledger,
    decisions: Sequence[Decision],
    rules: Rules,
    paused: Justification | None,
) -> Iterator[Change]:
    roles = _writable(record, MARK_ROLES)
    current = {role: record.values.get(role) for role in roles}
    blank = _is_blank(record, roles)
    remembered = ledger.mark
    if _decided(decisions, Aspect.INVALID):
        yield from _left_over(remembered, record, current)
        remembered = None
    elif remembered is None and (remembered := _came_along(ledger, current)):
        yield _known(remembered, record, current)
    if remembered and roles and blank and _moved(remembered, record):
        yield _lift(remembered, record, current, "address_changed", State.FOUND)
        remembered = None
    ours = remembered is not None and remembered.ours and not blank and _still_ours(remembered, record, current)
    for elsewhere in said.elsewhere:
        yield from _refused(
            elsewhere, record, ledger, rules, "address_changed", "the record's address is another one now"
        )
    if paused and (ours or not said.invalid):
        if blank and roles:
            yield from _refused(paused, record, ledger, rules, PAUSED, PAUSED_WORDS)
        return
    if said.invalid and not roles:
        yield from _refused(said.invalid, record, ledger, rules, "not_writable", "no bounce field can be written")
    elif said.invalid:
        yield from _as_said(said.invalid, record, current, remembered, rules, ours=ours)
    elif ours and remembered and (rules.lift_on_success or _moved(remembered, record)):
        rule = "address_changed" if _moved(remembered, record) else "no_longer_invalid"
        yield _lift(remembered, record, current, rule)


def _as_said(
    why: Justification,
    record: Record,
    current: Mapping[str, Value],
    remembered: Remembered | None,
    rules: Rules,
    *,
    ours: bool,
) -> Iterator[Change]:
    """The mark, if it is ours to write; else what is there, to be remembered."""
    wanted = _mark_values(why, record, tuple(current), rules)
    if (ours or not any(current.values())) and not _same(current, wanted):
        yield _marking(why, record, current, wanted)
    elif any(current.values()) and not ours and not (remembered and _same(current, remembered.values)):
        yield _marking(why, record, current, current, State.FOUND)


def _still_ours(mark: Remembered, record: Record, current: Mapping[str, Value]) -> bool:
    """Whether all that syncd wrote is there; of an address that changed, all that Salesforce has not cleared itself."""
    written = {role: value for role, value in current.items() if role in mark.values}
    differing = [value for role, value in written.items() if value != mark.values[role]]
    return bool(written) and (not differing or (_moved(mark, record) and not any(differing)))


def _left_over(mark: Remembered | None, record: Record, current: Mapping[str, Value]) -> Iterator[Change]:
    """Of a mark that a person took away: a box still ticked, or a bounce still there, as syncd wrote it."""
    left = {role: value for role, value in current.items() if value and mark and value == mark.values.get(role)}
    if mark and mark.ours and left:
        yield _lift(mark, record, left, "removed")


def _came_along(ledger: Ledger, current: Mapping[str, Value]) -> Remembered | None:
    """A mark of syncd's that a merge took over from the record which it had been written to."""
    there = any(current.values())
    return next((it for it in ledger.inherited if there and it.ours and _same(current, it.values)), None)


def _known(mark: Remembered, record: Record, current: Mapping[str, Value]) -> Change:
    why = {"rule": "merged", "ours": True, "address": mark.address, "text": "it came along with a merge"}
    return Change(What.MARK, record.object, record.id, current, current, why, mark.through, State.FOUND)


def _marking(
    why: Justification,
    record: Record,
    current: Mapping[str, Value],
    wanted: Mapping[str, Value],
    state: State = State.INTENDED,
) -> Change:
    evidence = _evidence(why.rule, why.reason, why.event, why.counted)
    return Change(What.MARK, record.object, record.id, current, wanted, evidence, why.event.at, state)


def _lift(
    mark: Remembered, record: Record, current: Mapping[str, Value], rule: str, state: State = State.INTENDED
) -> Change:
    why = {"rule": rule, "address": mark.address, "text": LIFT_REASONS[rule]}
    after: dict[str, Value] = {role: False if role == "invalid" else None for role in current}
    return Change(What.LIFT, record.object, record.id, current, after, why, mark.through, state)


def _refused(
    why: Justification, record: Record, ledger: Ledger, rules: Rules, code: str, words: str
) -> Iterator[Change]:
    """A mark that is not written, told once."""
    if (What.MARK.value, code, why.event.key.hex()) not in ledger.refused:
        evidence = _evidence(why.rule, why.reason, why.event, why.counted)
        wanted = _mark_values(why, record, BOUNCE_ROLES, rules)
        yield Change(
            What.MARK,
            record.object,
            record.id,
            {},
            wanted,
            evidence,
            why.event.at,
            State.REFUSED,
            code=code,
            words=words,
        )


def _mark_values(why: Justification, record: Record, roles: Sequence[str], rules: Rules) -> dict[str, Value]:
    """As Salesforce keeps them: whole seconds or days, trimmed, cut to the field's length."""
    values: dict[str, Value] = {
        "bounce_date": kept("bounce_date", why.event.at // 1000 * 1000, record, rules),
        "bounce_reason": _fitting(why.reason, record.shape.lengths.get("bounce_reason", 255)),
        "invalid": True,
    }
    return {role: values[role] for role in roles}


def _moved(remembered: Remembered, record: Record) -> bool:
    return remembered.address not in record.addresses


def _writable(record: Record, roles: Sequence[str]) -> tuple[str, ...]:
    return tuple(role for role in roles if role in record.shape.writable)


def _is_blank(record: Record, roles: Sequence[str]) -> bool:
    return not any(record.values.get(role) for role in roles)


def _same(current: Mapping[str, Value], other: Mapping[str, Value]) -> bool:
    return all(other.get(role) == value for role, value in current.items())


def _fitting(text: str, length: int) -> str:
    return text.strip()[:length].strip()


def _decided(decisions: Sequence[Decision], aspect: Aspect) -> bool:
    return any(decision.aspect is aspect for decision in decisions)


def _evidence(rule: str, text: str, event: Event, counted: Sequence[Event]) -> dict[str, object]:
    evidence: dict[str, object] = {
        "rule": rule,
        "text": text,
        "address": event.address,
        "event": event.key.hex(),
        "send": mailing(event),
        "counted": [counts.key.hex() for counts in counted],
    }
    return evidence | {"reason": bounce_reason(event).value} if event.kind in BOUNCES else evidence


# --- opt-outs -----------------------------------------------------------------------------------------------


def _opt_out(said: Standing, record: Record, ledger: Ledger, decisions: Sequence[Decision]) -> Iterator[Change]:
    """One-way: nothing here ever clears it."""
    event = said.opted_out
    if event is None:
        return
    why = _evidence(event.kind.value, f"{event.kind.value} reported", event, (event,))
    there, after = {OPT_OUT_ROLE: record.values.get(OPT_OUT_ROLE)}, {OPT_OUT_ROLE: True}
    if OPT_OUT_ROLE not in record.shape.writable:
        if (What.OPT_OUT.value, "not_writable", event.key.hex()) not in ledger.refused:
            yield Change(
                What.OPT_OUT, record.object, record.id, {}, after, why, event.at, State.REJECTED,
                code="not_writable", words="the opt-out field can't be written",
            )  # fmt: skip
    elif not there[OPT_OUT_ROLE]:
        yield Change(What.OPT_OUT, record.object, record.id, there, after, why, event.at)
    elif ledger.opt_out is None or _decided(decisions, Aspect.OPTED_OUT):
        yield Change(What.OPT_OUT, record.object, record.id, there, after, why, event.at, State.FOUND)


# --- activities ---------------------------------------------------------------------------------------------


def _activities(said: Standing, record: Record, ledger: Ledger, rules: Rules) -> Iterator[Change]:
    for engagement in said.engagements:
        if not _stale(engagement, ledger, rules):
            continue
        known = ledger.activities.get(engagement.key)
        object_, who = record.who
        token = known.token if known else activity_token(who, engagement.key)
        before: dict[str, Value] = {"task_id": known.task_id} if known else {}
        why = {
            "rule": rules.activities,
            "send": send_key(engagement.events[0], rules.timezone),
            "events": [event.key.hex() for event in engagement.events],
        }
        yield Change(
            What.ACTIVITY, object_, who, before, content(engagement, token, rules), why,
            max(event.at for event in engagement.events), activity=engagement.key,
        )  # fmt: skip


def activity_token(sf_id: str, key: str) -> str:
    """What makes a Task findable by its text. Derived, not drawn: a restored store still knows the Tasks made since."""
    return blake2b(f"{sf_id} {key}".encode(), digest_size=8).hexdigest()


def _stale(engagement: Engagement, ledger: Ledger, rules: Rules) -> bool:
    """Whether the Task is missing or out of date. One of unknown fate is settled first; a deleted one stays away.

    What only machines did makes none; if one was made before that was known, its text says so.
    """
    known = ledger.activities.get(engagement.key)
    if known is None:
        return bool(engagement.people) and not _told_otherwise(engagement, ledger, rules)
    return known.state is ActivityState.KNOWN and known.digest != content_digest(
        content(engagement, known.token, rules)
    )


def _told_otherwise(engagement: Engagement, ledger: Ledger, rules: Rules) -> bool:
    """Whether its send was written while `[activities] mode` was another one: not told a second time."""
    keys = {send_key(engagement.events[0], rules.timezone), *(event.key.hex() for event in engagement.events)}
    return not keys.isdisjoint(ledger.activities)
