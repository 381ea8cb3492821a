"""The chain from facts to receipts, as values: what was reported, what counts of it and why, what was written. Pure.

It tells what the store knows, without asking Salesforce: what a record said is in the changes that were planned on it.
"""

from __future__ import annotations

from collections import Counter
from dataclasses import asdict, dataclass, field
from enum import StrEnum
from typing import TYPE_CHECKING, Any

from syncd.model import Aspect, Outcome, State, Verdict, What
from syncd.rules import (
    OPT_OUTS,
    bounce_reason,
    first_bounce,
    invalid,
    local_day,
    machine_events,
    order,
    sends,
    spent_through,
)

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping, Sequence
    from datetime import date

    from syncd.model import Decision, Event, Justification, Move, Rules, Send

BOUNCED = (Outcome.HARD_BOUNCED, Outcome.SOFT_BOUNCED)
ASPECTS = {Aspect.INVALID: (What.MARK, What.LIFT, What.UNDO), Aspect.OPTED_OUT: (What.OPT_OUT,)}


# --- what is known --------------------------------------------------------------------------------------------------


@dataclass(frozen=True, slots=True)
class Mailed:
    """A recipient, and how often a record was looked for."""

    address: str
    whid: str
    matched: str
    lookups: int
    looked_up_at: int | None


@dataclass(frozen=True, slots=True)
class Answer:
    """A receipt."""

    at: int
    ok: bool
    sf_id: str
    code: str
    words: str


@dataclass(frozen=True, slots=True)
class Holding:
    """The group with which the brake keeps a change back, or kept it. `waiting`: how many changes wait in it now."""

    group: int
    of: str  # as the brake names it: `domain example.fr`
    waiting: int


@dataclass(frozen=True, slots=True)
class Made:
    """A change as it was committed, with the rules it was made under and its receipts."""

    id: int
    run: int
    at: int
    what: What
    object: str
    sf_id: str
    activity: str
    before: Mapping[str, Any]
    after: Mapping[str, Any]
    why: Mapping[str, Any]
    state: State
    rules: int
    rules_body: Mapping[str, Any]
    answers: tuple[Answer, ...]
    hold: Holding | None = None


@dataclass(frozen=True, slots=True)
class Facts:
    """All that the store has of one subject. `unfolded`: events of its recipients that no run has seen yet."""

    subject: int
    sf_id: str
    object: str
    due_at: int | None
    attempts: int
    failing_since: int | None
    recipients: tuple[Mailed, ...]
    events: tuple[Event, ...]
    decisions: tuple[Decision, ...]
    changes: tuple[Made, ...]
    unfolded: int = 0
    moved: tuple[Move, ...] = ()  # ids that lead to this record
    repeats: Mapping[bytes, int] = field(default_factory=dict)  # by event key: how often it came again


# --- what follows ---------------------------------------------------------------------------------------------------


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


@dataclass(frozen=True, slots=True)
class Point:
    """One sentence of the short answer: `code` says which, `about` what stands in it."""

    code: str
    about: Mapping[str, Any]


@dataclass(frozen=True, slots=True)
class Story:
    facts: Facts
    addresses: tuple[Judged, ...]
    opted_out: Event | None
    points: tuple[Point, ...]


def explain(facts: Facts, rules: Rules) -> Story:
    """What follows from the facts under the rules of today, and how that became what is, or is not, in Salesforce."""
    spent = spent_through(facts.decisions)
    of_address: dict[str, list[Event]] = {mailed.address: [] for mailed in facts.recipients}
    for event in sorted(facts.events, key=order):
        of_address.setdefault(event.address, []).append(event)
    judged = tuple(judge(address, mail, spent[Aspect.INVALID], rules) for address, mail in of_address.items())
    said = (e for mail in of_address.values() for e in mail if e.kind in OPT_OUTS and e.at > spent[Aspect.OPTED_OUT])
    opted_out = min(said, key=order, default=None)
    return Story(facts, judged, opted_out, tuple(_points(facts, judged, opted_out)))


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


# --- the short answer -------------------------------------------------------------------------------------------------


def _points(facts: Facts, judged: Sequence[Judged], opted_out: Event | None) -> Iterator[Point]:
    if facts.unfolded:
        yield Point("unfolded", {"events": facts.unfolded})
    yield from _of_record(facts)
    for aspect in Aspect:
        yield from _of_aspect(facts, aspect)
    for one in judged:
        yield from _of_address(one)
    if opted_out:
        yield Point("opted_out", {"kind": opted_out.kind.value, "at": opted_out.at, "address": opted_out.address})
    if facts.failing_since is not None:
        yield Point("failing", {"since": facts.failing_since, "times": facts.attempts})
    if facts.due_at is not None and (facts.sf_id or not any(mailed.lookups for mailed in facts.recipients)):
        yield Point("due", {"at": facts.due_at})


def _of_record(facts: Facts) -> Iterator[Point]:
    for move in facts.moved:
        yield Point(f"record_{move.how}", {"from": move.sf_id, "to": move.to_id})
    looked = max(facts.recipients, key=lambda mailed: mailed.lookups, default=None)
    if facts.sf_id:
        if looked and looked.lookups:
            yield Point("record_gone", {"times": looked.lookups, "at": looked.looked_up_at, "next": facts.due_at})
        return
    if looked is None or not looked.lookups:
        yield Point("record_not_needed", {})
        return
    about = {"whid": looked.whid, "times": looked.lookups, "at": looked.looked_up_at, "next": facts.due_at}
    yield Point("no_record" if looked.whid else "no_whid", about)


def _of_aspect(facts: Facts, aspect: Aspect) -> Iterator[Point]:
    """The last that was written, found or refused of it; or the person's word that came after."""
    made = [c for c in facts.changes if c.what in ASPECTS[aspect] and c.state is not State.SUPERSEDED]
    # a release settles nothing: what was held is planned again
    words = (word for word in facts.decisions if word.verdict is not Verdict.RELEASED)
    settled = [word for word in words if word.aspect is aspect]
    last = made[-1] if made else None
    if settled and (last is None or settled[-1].at >= last.at):
        word = settled[-1]
        yield Point(
            "settled", {"aspect": aspect.value, "verdict": word.verdict.value, "at": word.at, "note": word.note}
        )
    elif last:
        answer = last.answers[-1] if last.answers else None
        yield Point(
            f"{last.what.value}_{last.state.value}",
            {
                "at": last.at, "run": last.run,
                "text": last.why.get("text", ""), "address": last.why.get("address", ""),
                "code": answer.code if answer else "", "words": answer.words if answer else "",
                **(asdict(last.hold) if last.hold else {}),
            },
        )  # fmt: skip


def _of_address(judged: Judged) -> Iterator[Point]:
    if judged.machine:
        yield Point("machine", {"address": judged.address, "made": len(judged.machine)})
    bounced = [one for one in judged.sends if one.send.outcome in BOUNCED]
    soft = judged.soft
    if judged.invalid:
        yield Point(
            "invalid", {"address": judged.address, "text": judged.invalid.reason, "at": judged.invalid.event.at}
        )
    elif soft.counted:
        yield Point("below", {"address": judged.address, "soft": soft})
    elif bounced and all(one.weight is Weight.BEFORE_SUCCESS for one in bounced):
        yield Point("arrived_since", {"address": judged.address, "bounced": len(bounced)})
    elif bounced:
        yield Point("settled_all", {"address": judged.address, "bounced": len(bounced)})
    else:
        yield Point("fine", {"address": judged.address, "sends": len(judged.sends)})
