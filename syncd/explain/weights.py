"""What each send to an address weighs, and what they amount to."""

from __future__ import annotations

from collections import Counter
from dataclasses import dataclass
from enum import StrEnum
from typing import TYPE_CHECKING

from syncd.model import Outcome
from syncd.rules import bounce_reason, first_bounce, invalid, local_day, machine_events, order, sends

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence
    from datetime import date

    from syncd.model import Event, Justification, Rules, Send

BOUNCED = (Outcome.HARD_BOUNCED, Outcome.SOFT_BOUNCED)


class Weight(StrEnum):
    """What a send says of its address."""

    COUNTS = "counts"
    SAME_DAY = "same day"
    OUTSIDE = "outside the window"
    AFTER = "after the address was invalid already"
    BEFORE_SUCCESS = "before a mail that arrived"
    SETTLED = "settled by a person"
    REASON = "a reason that does not count"
    APART = "counted apart by its reason"
    NO_BOUNCE = ""


@dataclass(frozen=True, slots=True)
class Weighed:
    send: Send
    weight: Weight


@dataclass(frozen=True, slots=True)
class SoftCount:
    """Soft-bounced sends in a row, against the rule. `left_out`: how many did not count, by why."""

    counted: int
    threshold: int
    days: int  # from the first counted to the last
    span_days: int
    left_out: Mapping[Weight, int]


@dataclass(frozen=True, slots=True)
class Judged:
    """One address: its sends by time, and what they amount to."""

    address: str
    sends: tuple[Weighed, ...]
    invalid: Justification | None
    soft: SoftCount
    machine: frozenset[bytes] = frozenset()  # keys of the opens and clicks that machines made


def judge(address: str, events: Sequence[Event], spent: int, rules: Rules) -> Judged:
    """The sends to one address, each with what it weighs. `spent`: up to when a person has settled the evidence."""
    mailings = sends(events, rules.timezone)
    verdict = invalid(events, spent, rules)
    arrived = max((i for i, send in enumerate(mailings) if send.outcome is Outcome.SUCCEEDED), default=-1)
    recent = {send.key: first_bounce(send, spent, rules) for send in mailings[arrived + 1 :] if send.outcome in BOUNCED}
    soft = {
        send.key: bounce
        for send in mailings
        if send.outcome is Outcome.SOFT_BOUNCED and (bounce := recent.get(send.key))
    }
    weights = _soft_weights(soft, verdict, rules)
    counted = [soft[key] for key, weight in weights.items() if weight is Weight.COUNTS]
    days = [local_day(bounce.at, rules.timezone) for bounce in counted]
    weighed = tuple(Weighed(send, _weight(send, recent, weights, spent)) for send in mailings)
    left_out: Counter[Weight] = Counter(
        one.weight
        for one in weighed
        if one.send.outcome is Outcome.SOFT_BOUNCED and one.weight not in (Weight.COUNTS, Weight.NO_BOUNCE)
    )
    rule = rules.soft_bounce
    span = (max(days) - min(days)).days if days else 0
    count = SoftCount(len(counted), rule.threshold, span, rule.span_days, left_out)
    return Judged(address, weighed, verdict, count, machine_events(events, rules.timezone))


def _weight(send: Send, recent: Mapping[str, Event | None], soft: Mapping[str, Weight], spent: int) -> Weight:
    if send.outcome not in BOUNCED:
        return Weight.NO_BOUNCE
    if send.key not in recent:
        return Weight.BEFORE_SUCCESS
    if recent[send.key] is None:
        return Weight.REASON if any(bounce.at > spent for bounce in send.bounces) else Weight.SETTLED
    return soft.get(send.key, Weight.COUNTS)


def _soft_weights(bounces: Mapping[str, Event], verdict: Justification | None, rules: Rules) -> dict[str, Weight]:
    """By send. What `rules.invalid` decides is not decided here again: this names why the others did not count."""
    made = verdict if verdict and verdict.rule == "soft_bounce" else None
    apart = dict(rules.soft_bounce.by_reason)
    weights: dict[str, Weight] = {}
    a_day: Counter[date] = Counter()
    for key, bounce in sorted(bounces.items(), key=lambda item: order(item[1])):
        if bounce_reason(bounce) in apart:
            weights[key] = Weight.APART
            continue
        day = local_day(bounce.at, rules.timezone)
        a_day[day] += 1
        if made and order(bounce) > order(made.event):
            weights[key] = Weight.AFTER
        elif a_day[day] > rules.soft_bounce.max_per_day:
            weights[key] = Weight.SAME_DAY
        else:
            weights[key] = Weight.COUNTS
    counting = [key for key, weight in weights.items() if weight is Weight.COUNTS]
    if counting:
        last = local_day(bounces[counting[-1]].at, rules.timezone)
        for key in counting:
            if (last - local_day(bounces[key].at, rules.timezone)).days > rules.soft_bounce.window_days:
                weights[key] = Weight.OUTSIDE
    return weights
