"""Which old events a standing does not need. Pure.

For one address only what happened from its last success on counts. So the sends before a success that is old itself can
go: whatever comes later, their place is before it. They are sealed: an event that comes for one of them afterwards
would look like a send of its own, and like a later one. What may still be judged anew is kept whole.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

from syncd.activities import is_due
from syncd.figures import figures
from syncd.machines import machine_made
from syncd.model import Aspect, Kind, Outcome
from syncd.rules import OPT_OUTS, engagements, invalid, sends, spent_through, standing

if TYPE_CHECKING:
    from collections.abc import Iterable, Sequence

    from syncd.model import Case, Event, Rules, Send


@dataclass(frozen=True, slots=True)
class ClosedSend:
    """A send to be sealed. `events`: those that go; `through`: its last one."""

    address: str
    key: str
    through: int
    events: tuple[Event, ...]


@dataclass(frozen=True, slots=True)
class Surplus:
    """What may go, a send at a time or all together. `activities`: keys of Tasks that are not written again."""

    sends: tuple[ClosedSend, ...] = ()
    activities: tuple[str, ...] = ()

    @property
    def events(self) -> int:
        return sum(len(send.events) for send in self.sends)


def surplus(case: Case, rules: Rules, before: int) -> Surplus:
    """Of one subject; `before`: events from then on stay. Nothing while something of it is to be written."""
    if case.ledger.pending or is_due(case, rules):
        return Surplus()
    by_address: dict[str, list[Event]] = {}
    for event in case.events:
        by_address.setdefault(event.address, []).append(event)
    closed = [
        ClosedSend(address, send.key, send.events[-1].at, tuple(e for e in send.events if e.kind not in OPT_OUTS))
        for address, its in by_address.items()
        for send in _closed(its, rules, before)
    ]
    gone = {event.key for send in closed for event in send.events}
    kept = [event for event in case.events if event.key not in gone]
    if not gone or not _same(case, by_address, kept, rules):
        return Surplus()
    told = engagements(case.events, rules)
    return Surplus(tuple(closed), tuple(one.key for one in told if any(event.key in gone for event in one.events)))


def _closed(events: Sequence[Event], rules: Rules, before: int) -> list[Send]:
    """The sends of one address before its last success that is old. Those without a name of their own stay."""
    judged = sends(events, rules.timezone)
    old = [send for send in judged if send.events[-1].at < before]
    last = max((judged.index(send) for send in old if send.outcome is Outcome.SUCCEEDED), default=0)
    shown = {_last(judged, kind) for kind in (Kind.OPEN, Kind.CLICK)}  # in fields of the record
    return [s for s in judged[:last] if s in old and not s.key.startswith("day:") and s.key not in shown]


def _last(judged: Iterable[Send], kind: Kind) -> str:
    """The send with the last event of a kind that a person made."""
    found = [
        (event.at, send.key)
        for send in judged
        for event in send.events
        if event.kind is kind and event.key not in machine_made(send.events)
    ]
    return max(found, default=(0, ""))[1]


def _same(case: Case, by_address: dict[str, list[Event]], kept: Iterable[Event], rules: Rules) -> bool:
    """A check of the above, with the rules themselves: nothing is judged differently without them."""
    kept = list(kept)
    addresses = tuple(by_address)
    before = standing(case.events, addresses, case.decisions, rules)
    after = standing(kept, addresses, case.decisions, rules)
    spent = spent_through(case.decisions)[Aspect.INVALID]
    same_figures = figures(case.events, addresses, rules) == figures(kept, addresses, rules)
    return (
        same_figures
        and before.opted_out == after.opted_out
        and all(
            invalid(its, spent, rules) == invalid([e for e in kept if e.address == address], spent, rules)
            for address, its in by_address.items()
        )
    )
