"""What each send to an address weighs, and what they amount to."""

from __future__ import annotations

from collections import Counter
from dataclasses import dataclass
from enum import StrEnum
from typing import TYPE_CHECKING

from syncd.model import Outcome
from syncd.rules import SOFT_BOUNCE, bounce_reason, first_bounce, invalid_by, local_day, machine_events, order, sends

if TYPE_CHECKING:
    from collections.abc import Iterable, Mapping, Sequence
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
    """Soft-bounced sends in a row, against the rule. `left_out`: how many did not count, by why.

    `reason`: of these alone, since the rule has a threshold of its own for it.
    """

    counted: int
    threshold: int
    days: int  # from the first counted to the last
    span_days: int
    left_out: Mapping[Weight, int]
    reason: str = ""


@dataclass(frozen=True, slots=True)
class Judged:
    """One address: its sends by time, and what they amount to."""

    address: str
    sends: tuple[Weighed, ...]
    invalid: Justification | None
    soft: SoftCount
    apart: tuple[SoftCount, ...] = ()
    machine: frozenset[bytes] = frozenset()  # keys of the opens and clicks that machines made


def judge(address: str, events: Sequence[Event], spent: int, rules: Rules) -> Judged:
    """The sends to one address, each with what it weighs. `spent`: up to when a person has settled the evidence."""
    mailings = sends(events, rules.timezone)
    verdict = invalid_by(mailings, spent, rules)
    arrived = max((i for i, send in enumerate(mailings) if send.outcome is Outcome.SUCCEEDED), default=-1)
    recent = {send.key: first_bounce(send, spent, rules) for send in mailings[arrived + 1 :] if send.outcome in BOUNCED}
    soft = (send.key for send in mailings if send.outcome is Outcome.SOFT_BOUNCED)
    rows = _rows({key: bounce for key in soft if (bounce := recent.get(key))}, rules)
    weights = {reason: _soft_weights(row, verdict, rules) for reason, row in rows.items()}
    of_send = {key: Weight.APART if reason else weight for reason in rows for key, weight in weights[reason].items()}
    weighed = tuple(Weighed(send, _weight(send, recent, of_send, spent)) for send in mailings)
    soft_ones = [one.weight for one in weighed if one.send.outcome is Outcome.SOFT_BOUNCED]
    return Judged(
        address,
        weighed,
        verdict,
        _count(rows[""], weights[""], soft_ones, rules),
        tuple(
            _count(row, weights[reason], weights[reason].values(), rules, reason)
            for reason, row in rows.items()
            if reason
        ),
        machine_events(events, rules.timezone),
    )


def _rows(bounces: Mapping[str, Event], rules: Rules) -> dict[str, dict[str, Event]]:
    """By reason with a threshold of its own, "" for all others: the first bounce of each send."""
    thresholds = dict(rules.soft_bounce.by_reason)
    rows: dict[str, dict[str, Event]] = {"": {}}
    for key, bounce in sorted(bounces.items(), key=lambda item: order(item[1])):
        reason = bounce_reason(bounce).value
        rows.setdefault(reason if reason in thresholds else "", {})[key] = bounce
    return rows


def _count(
    row: Mapping[str, Event], weights: Mapping[str, Weight], all_of_it: Iterable[Weight], rules: Rules, reason: str = ""
) -> SoftCount:
    rule = rules.soft_bounce
    days = [local_day(row[key].at, rules.timezone) for key, weight in weights.items() if weight is Weight.COUNTS]
    span = (max(days) - min(days)).days if days else 0
    left_out: Counter[Weight] = Counter(
        weight for weight in all_of_it if weight not in (Weight.COUNTS, Weight.NO_BOUNCE)
    )
    threshold = dict(rule.by_reason).get(reason, rule.threshold)
    return SoftCount(len(days), threshold, span, rule.span_days, left_out, reason)


def _weight(send: Send, recent: Mapping[str, Event | None], soft: Mapping[str, Weight], spent: int) -> Weight:
    if send.outcome not in BOUNCED:
        return Weight.NO_BOUNCE
    if send.key not in recent:
        return Weight.BEFORE_SUCCESS
    if recent[send.key] is None:
        return Weight.REASON if any(bounce.at > spent for bounce in send.bounces) else Weight.SETTLED
    return soft.get(send.key, Weight.COUNTS)


def _soft_weights(row: Mapping[str, Event], verdict: Justification | None, rules: Rules) -> dict[str, Weight]:
    """By send. What `rules.invalid` decides is not decided here again: this names why the others did not count."""
    made = verdict if verdict and verdict.rule == SOFT_BOUNCE else None
    weights: dict[str, Weight] = {}
    a_day: Counter[date] = Counter()
    for key, bounce in row.items():
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
        last = local_day(row[counting[-1]].at, rules.timezone)
        for key in counting:
            if (last - local_day(row[key].at, rules.timezone)).days > rules.soft_bounce.window_days:
                weights[key] = Weight.OUTSIDE
    return weights
