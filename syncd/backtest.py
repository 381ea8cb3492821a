"""What other rules would say: who would newly be invalid, and who no longer. Pure."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

from syncd.model import Aspect
from syncd.rules import BOUNCES, invalid_by, order, sends, spent_through

if TYPE_CHECKING:
    from collections.abc import Iterable, Mapping, Sequence

    from syncd.model import Decision, Event, Justification, Rules, Send


@dataclass(frozen=True, slots=True)
class Difference:
    """One subject whose standing is another one: `now` and `then` say why it is invalid, or nothing."""

    subject: int
    now: Justification | None
    then: Justification | None

    @property
    def is_marked(self) -> bool:
        """Newly, under the other rules; else it is one that they lift."""
        return self.then is not None

    @property
    def because(self) -> Justification:
        """Why it would be marked, or is, and would not be any more."""
        why = self.then or self.now
        if why is None:
            raise ValueError("no difference")
        return why


def compare(
    subject: int, mail: Mapping[str, Sequence[Event]], decisions: Iterable[Decision], now: Rules, then: Rules
) -> Difference | None:
    """`mail`: the events of each address that may be the record's. None if both rules agree whether it is invalid."""
    spent = spent_through(decisions)[Aspect.INVALID]
    today: list[Justification] = []
    other: list[Justification] = []
    for events in mail.values():
        if any(event.kind in BOUNCES for event in events):  # nothing else makes an address invalid
            mailings = sends(events, now.timezone)
            today += _why(mailings, spent, now)
            other += _why(mailings if then.timezone == now.timezone else sends(events, then.timezone), spent, then)
    if bool(today) == bool(other):
        return None
    return Difference(subject, _earliest(today), _earliest(other))


def _why(mailings: Sequence[Send], spent: int, rules: Rules) -> list[Justification]:
    verdict = invalid_by(mailings, spent, rules)
    return [verdict] if verdict else []


def _earliest(verdicts: Iterable[Justification]) -> Justification | None:
    return min(verdicts, key=lambda verdict: order(verdict.event), default=None)
