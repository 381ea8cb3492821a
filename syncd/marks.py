"""The mark of an invalid address on one record: to write, to leave, to take back. Pure.

What a record carries is either ours (as the ledger remembers it), or somebody else's and then left alone, and
remembered, so that its removal by a person is noticed too.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from syncd.figures import kept
from syncd.model import Aspect, Change, Remembered, State, What
from syncd.rules import BOUNCES, bounce_reason, mailing
from syncd.texts import beginning

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping, Sequence

    from syncd.model import Decision, Event, Justification, Ledger, Record, Rules, Standing, Value

BOUNCE_ROLES = ("bounce_date", "bounce_reason")
MARK_ROLES = (*BOUNCE_ROLES, "invalid")
PAUSED = "paused"
PAUSED_WORDS = "no delivered, open or click is reported of anybody, so soft bounces mark nobody for the time being"
LIFT_REASONS = {
    "address_changed": "the record has another address now",
    "no_longer_invalid": "the history does not call the address invalid any more",
    "removed": "a person took the mark away; this was left of it",
}


def changes_of_mark(
    said: Standing,
    record: Record,
    ledger: Ledger,
    decisions: Sequence[Decision],
    rules: Rules,
    paused: Justification | None,
) -> Iterator[Change]:
    """What is to be done about the mark, and what is seen of it. `paused`: what would mark, and does not for now."""
    roles = writable(record, MARK_ROLES)
    current = {role: record.values.get(role) for role in roles}
    blank = is_blank(record, roles)
    remembered = ledger.mark
    if decided(decisions, Aspect.INVALID):
        yield from _left_over(remembered, record, current)
        remembered = None
    elif remembered is None and (remembered := _came_along(ledger, current)):
        yield _known(remembered, record, current)
    if remembered and roles and blank and moved(remembered, record):
        yield _lift(remembered, record, current, "address_changed", State.FOUND)
        remembered = None
    ours = remembered is not None and remembered.ours and not blank and _still_ours(remembered, record, current)
    for elsewhere in said.elsewhere:
        yield from _refused(elsewhere, record, ledger, rules, *_not_of_it(elsewhere, record))
    if paused and (ours or not said.invalid):
        if blank and roles:
            yield from _refused(paused, record, ledger, rules, PAUSED, PAUSED_WORDS)
        return
    if said.invalid and not roles:
        yield from _refused(said.invalid, record, ledger, rules, "not_writable", "no bounce field can be written")
    elif said.invalid:
        yield from _as_said(said.invalid, record, current, remembered, rules, ours=ours)
    elif ours and remembered and (rules.lift_on_success or moved(remembered, record)):
        rule = "address_changed" if moved(remembered, record) else "no_longer_invalid"
        yield _lift(remembered, record, current, rule)


def _not_of_it(why: Justification, record: Record) -> tuple[str, str]:
    """Code and words of why the bounce of an address says nothing of the record."""
    if record.lacks(why.event.address):
        return "address_changed", "the record's address is another one now"
    return "address_unseen", f"syncd's user may not see {record.object}.{', '.join(record.shape.unseen)}"


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
    if (ours or not any(current.values())) and not same(current, wanted):
        yield _marking(why, record, current, wanted)
    elif any(current.values()) and not ours and not (remembered and same(current, remembered.values)):
        yield _marking(why, record, current, current, State.FOUND)


def _still_ours(mark: Remembered, record: Record, current: Mapping[str, Value]) -> bool:
    """Whether all that syncd wrote is there; of an address that changed, all that Salesforce has not cleared itself."""
    written = {role: value for role, value in current.items() if role in mark.values}
    differing = [value for role, value in written.items() if value != mark.values[role]]
    return bool(written) and (not differing or (moved(mark, record) and not any(differing)))


def _left_over(mark: Remembered | None, record: Record, current: Mapping[str, Value]) -> Iterator[Change]:
    """Of a mark that a person took away: a box still ticked, or a bounce still there, as syncd wrote it."""
    left = {role: value for role, value in current.items() if value and mark and value == mark.values.get(role)}
    if mark and mark.ours and left:
        yield _lift(mark, record, left, "removed")


def _came_along(ledger: Ledger, current: Mapping[str, Value]) -> Remembered | None:
    """A mark of syncd's that a merge took over from the record which it had been written to."""
    there = any(current.values())
    return next((it for it in ledger.inherited if there and it.ours and same(current, it.values)), None)


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
    told = evidence(why.rule, why.reason, why.event, why.counted)
    return Change(What.MARK, record.object, record.id, current, wanted, told, why.event.at, state)


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
        told = evidence(why.rule, why.reason, why.event, why.counted)
        wanted = _mark_values(why, record, BOUNCE_ROLES, rules)
        yield Change(
            What.MARK,
            record.object,
            record.id,
            {},
            wanted,
            told,
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


def moved(remembered: Remembered, record: Record) -> bool:
    return record.lacks(remembered.address)


def writable(record: Record, roles: Sequence[str]) -> tuple[str, ...]:
    return tuple(role for role in roles if role in record.shape.writable)


def is_blank(record: Record, roles: Sequence[str]) -> bool:
    return not any(record.values.get(role) for role in roles)


def same(current: Mapping[str, Value], other: Mapping[str, Value]) -> bool:
    return all(other.get(role) == value for role, value in current.items())


def _fitting(text: str, length: int) -> str:
    return beginning(text.strip(), length).strip()


def decided(decisions: Sequence[Decision], aspect: Aspect) -> bool:
    return any(decision.aspect is aspect for decision in decisions)


def evidence(rule: str, text: str, event: Event, counted: Sequence[Event]) -> dict[str, object]:
    """Why something is set on a record, as its change keeps it: what `explain`, the brake and `undo` go by."""
    said: dict[str, object] = {
        "rule": rule,
        "text": text,
        "address": event.address,
        "event": event.key.hex(),
        "send": mailing(event),
        "counted": [counts.key.hex() for counts in counted],
    }
    return said | {"reason": bounce_reason(event).value} if event.kind in BOUNCES else said
