"""Taking back what syncd wrote on a record, as far as the record still says it. Pure.

A field that somebody has set since is theirs, whatever it says now: what syncd wrote is put back to the value from
before only where the field still holds it.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from syncd.model import Aspect, Change, Decision, Verdict, What

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

    from syncd.model import Record, Value

UNDOABLE = frozenset({What.MARK, What.LIFT})
"""Opt-outs are one-way, and Tasks are no fields."""


@dataclass(frozen=True, slots=True)
class Written:
    """A change that Salesforce took and that has not been taken back."""

    id: int
    run: int
    subject: int
    what: What
    object: str
    sf_id: str
    activity: str
    before: Mapping[str, Value]
    after: Mapping[str, Value]
    why: Mapping[str, Any]
    through: int


@dataclass(frozen=True, slots=True)
class Left:
    """What is not taken back, and why not: gone | changed_since | one_way | task."""

    written: Written
    reason: str


@dataclass(frozen=True, slots=True)
class Reversal:
    """What follows for one record. Without a `change` nothing on it is touched."""

    change: Change | None = None
    decision: Decision | None = None
    left: tuple[Left, ...] = ()


def reverse(written: Sequence[Written], record: Record | None, now: int, by: str) -> Reversal:
    """Takes back these changes of one record, the last first; from the first that somebody overruled, nothing more."""
    fields = sorted((one for one in written if one.what in UNDOABLE), key=lambda one: one.id)
    left = [Left(one, "task" if one.activity else "one_way") for one in written if one.what not in UNDOABLE]
    if record is None:
        return Reversal(left=(*left, *(Left(one, "gone") for one in fields)))
    now_there = dict(record.values)
    undone: list[Written] = []
    while fields and all(now_there.get(role) == value for role, value in fields[-1].after.items()):
        now_there |= fields[-1].before
        undone.append(fields.pop())
    left += [Left(one, "changed_since") for one in fields]
    after = {role: value for role, value in now_there.items() if record.values.get(role) != value}
    if not after:
        return Reversal(left=tuple(left))
    first = undone[-1]
    through = max(now, *(one.through for one in undone))
    why = {
        "rule": "undo",
        "text": f"taken back by {by}: {first.why.get('text', first.what.value)}",
        "address": first.why.get("address", ""),
        "undoes": [one.id for one in undone],
    }
    before = {role: record.values.get(role) for role in after}
    return Reversal(
        Change(What.UNDO, record.object, record.id, before, after, why, through),
        Decision(Aspect.INVALID, Verdict.UNDONE, now, through, by),
        tuple(left),
    )
