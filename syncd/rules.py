"""What a history says of an address. Pure: the same events, in any order and however often delivered, say the same.

The unit of judgement is the send: many servers accept a mail and bounce it later, so the last word on a send counts.
Days are those of `rules.timezone`; windows are relative to events, so a standing never depends on when it is asked for.
"""

from __future__ import annotations

from collections import Counter
from dataclasses import replace
from datetime import UTC, date, datetime
from typing import TYPE_CHECKING
from zoneinfo import ZoneInfo

from syncd.bounces import Reason, classify
from syncd.machines import machine_made
from syncd.model import BEFORE_ALL, Aspect, Engagement, Event, Justification, Kind, Outcome, Send, Standing, Verdict
from syncd.texts import without_commands

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator, Sequence

    from syncd.model import Decision, Rules, Seen, SoftBounceRule

DAY = 86_400_000
BOUNCES = frozenset({Kind.SOFT_BOUNCE, Kind.HARD_BOUNCE})
TRANSPORT = BOUNCES | {Kind.DELIVERED}
OPT_OUTS = frozenset({Kind.UNSUBSCRIBE, Kind.COMPLAINT})
SUCCESSES = frozenset({Kind.DELIVERED, Kind.OPEN, Kind.CLICK})
HARD_BOUNCE, SOFT_BOUNCE = "hard_bounce", "soft_bounce"
"""The rules that make an address invalid, as a mark's `why` names them."""
_TELLING = frozenset({Kind.DELIVERED, Kind.OPEN, Kind.CLICK})
_RANK = {kind: rank for rank, kind in enumerate(Kind)}


def standing(
    events: Iterable[Event], addresses: Sequence[str], decisions: Iterable[Decision], rules: Rules
) -> Standing:
    """All that follows from one subject's history, for a record that now has these addresses.

    Bounces say something of an address, so only those of the record's own make it invalid; opt-outs and engagement are
    the person's, whatever address they came from.
    """
    history = _history(events)
    spent = spent_through(decisions)
    of_address: dict[str, list[Event]] = {}
    for event in history:
        of_address.setdefault(event.address, []).append(event)
    judged = {address: invalid(mail, spent[Aspect.INVALID], rules) for address, mail in of_address.items()}
    own = [judged[address] for address in addresses if address in judged]
    return Standing(
        invalid=_earliest(own),
        elsewhere=tuple(verdict for address, verdict in judged.items() if verdict and address not in addresses),
        opted_out=next((e for e in history if e.kind in OPT_OUTS and e.at > spent[Aspect.OPTED_OUT]), None),
        engagements=engagements(history, rules),
    )


def deliveries_unseen(seen: Seen, rule: SoftBounceRule) -> bool:
    """Whether bounces come and no mail that arrived is reported: the webhook is probably not subscribed to them.

    A soft bounce can then not be told from one that was followed by a delivery. One recipient alone tells nothing.
    """
    if not rule.pause_days or seen.recipients < 2 or seen.last_bounce is None or seen.first_bounce is None:
        return False
    since = seen.first_bounce if seen.last_success is None else seen.last_success
    return seen.last_bounce - since >= rule.pause_days * DAY


def without_soft_bounces(rules: Rules) -> Rules:
    """The same rules, under which only hard bounces mark."""
    return replace(rules, soft_bounce=replace(rules.soft_bounce, threshold=1 << 30, by_reason=()))


def spent_through(decisions: Iterable[Decision]) -> dict[Aspect, int]:
    """Up to when evidence is spent, for each aspect: what a person took back never counts again.

    Who drops an opt-out says that it was another person's: that of one send, which says nothing of others.
    """
    through = dict.fromkeys(Aspect, BEFORE_ALL)
    for decision in decisions:
        of_one_send = decision.aspect is Aspect.OPTED_OUT and decision.verdict is Verdict.DROPPED
        if decision.verdict is not Verdict.RELEASED and not of_one_send:
            through[decision.aspect] = max(through[decision.aspect], decision.through)
    return through


def invalid(events: Iterable[Event], spent: int, rules: Rules) -> Justification | None:
    """Why one address is invalid, or None. Only what bounced after the last success, and after `spent`, counts."""
    return invalid_by(sends(events, rules.timezone), spent, rules)


def invalid_by(mailings: Sequence[Send], spent: int, rules: Rules) -> Justification | None:
    """The same of sends that were told apart already, by days of the same timezone."""
    recent = _since_last_success(mailings)
    firsts = {outcome: _first_bounces(recent, outcome, spent, rules) for outcome in Outcome}
    hard, soft = firsts[Outcome.HARD_BOUNCED], firsts[Outcome.SOFT_BOUNCED]
    return _earliest((_hard(hard), _soft(soft, rules.soft_bounce, rules.timezone)))


def sends(events: Iterable[Event], timezone: str) -> tuple[Send, ...]:
    """The mailings to one address, in the order of their first events, each with its outcome."""
    groups: dict[str, list[Event]] = {}
    for event in _history(events):
        groups.setdefault(send_key(event, timezone), []).append(event)
    return tuple(_judged(key, tuple(group)) for key, group in groups.items())


def send_key(event: Event, timezone: str) -> str:
    """Which mailing an event belongs to: its sendId, else its campaign, else its day."""
    return mailing(event) or f"day:{local_day(event.at, timezone)}"


def mailing(event: Event) -> str:
    """Which mailing an event names, by its sendId or else its campaign; nothing if it names none."""
    if event.send:
        return f"send:{event.send}"
    return f"campaign:{event.campaign}" if event.campaign else ""


def engagements(events: Iterable[Event], rules: Rules) -> tuple[Engagement, ...]:
    """Opens and clicks as activities show them: gathered by send, or each on its own; by the first of each send.

    It says which of them machines made.
    """
    if rules.activities == "off":
        return ()
    history = _history(events)
    by_machine = machine_events(history, rules.timezone)
    groups: dict[str, list[Event]] = {}
    for event in history:
        if event.kind.value in rules.activity_kinds:
            groups.setdefault(send_key(event, rules.timezone), []).append(event)
    return tuple(
        Engagement(key, some, frozenset(event.key for event in some) & by_machine)
        for send, group in groups.items()
        for key, some in _shown(send, group, rules)
    )


def machine_events(events: Iterable[Event], timezone: str) -> frozenset[bytes]:
    """The keys of the machine-made opens and clicks in a history: judged by send and address."""
    mails: dict[tuple[str, str], list[Event]] = {}
    for event in events:
        if event.kind in _TELLING:
            mails.setdefault((event.address, send_key(event, timezone)), []).append(event)
    return frozenset().union(*(machine_made(mail) for mail in mails.values()))


EACH = 20
"""Activities of one send in `per_event`: the last one gathers all that is received after it, so that a machine cannot
make thousands of them, and nothing is left out either. By receipt, so that what comes late joins the last one: by time
it would push another event out of an activity of its own that is written already."""


def _shown(send: str, events: Sequence[Event], rules: Rules) -> Iterator[tuple[str, tuple[Event, ...]]]:
    """(key, events) of each activity of one send."""
    if rules.activities != "per_event":
        yield send, tuple(events)
        return
    received = sorted(events, key=lambda event: (event.received_at, order(event)))
    for event in received[: EACH - 1]:
        yield event.key.hex(), (event,)
    if rest := received[EACH - 1 :]:
        yield rest[0].key.hex(), tuple(sorted(rest, key=order))


def bounce_reason(event: Event) -> Reason:
    """Why it bounced, as far as the server's text, the vendor's category and the reply code tell."""
    return classify(event.smtp, event.category, event.return_code)


def local_day(at: int, timezone: str) -> date:
    return datetime.fromtimestamp(at / 1000, UTC).astimezone(ZoneInfo(timezone)).date()


def order(event: Event) -> tuple[int, int, bytes]:
    """By time; within one millisecond as a mail's life goes; the key makes it total."""
    return event.at, _RANK[event.kind], event.key


def _history(events: Iterable[Event]) -> list[Event]:
    return sorted({event.key: event for event in events}.values(), key=order)


def _judged(key: str, events: tuple[Event, ...]) -> Send:
    by_machine = machine_made(events)
    people = [event for event in events if event.key not in by_machine]
    transport = [event for event in events if event.kind in TRANSPORT]
    if transport and transport[-1].kind in BOUNCES and not _clicked_after(people, transport[-1]):
        bounces = tuple(event for event in transport if event.kind in BOUNCES)
        hard = tuple(event for event in bounces if event.kind is Kind.HARD_BOUNCE)
        return Send(key, events, Outcome.HARD_BOUNCED if hard else Outcome.SOFT_BOUNCED, hard or bounces)
    arrived = any(event.kind in SUCCESSES for event in people)
    return Send(key, events, Outcome.SUCCEEDED if arrived else Outcome.OPEN)


def _clicked_after(events: Sequence[Event], bounce: Event) -> bool:
    return any(event.kind is Kind.CLICK and order(event) > order(bounce) for event in events)


def _since_last_success(mailings: Sequence[Send]) -> Sequence[Send]:
    last = max((i for i, send in enumerate(mailings) if send.outcome is Outcome.SUCCEEDED), default=-1)
    return mailings[last + 1 :]


def first_bounce(send: Send, spent: int, rules: Rules) -> Event | None:
    """The bounce that counts of a bounced send: its first, spent ones and reasons that are left out passed over."""
    hard = send.outcome is Outcome.HARD_BOUNCED
    left_out = rules.hard_bounce_spare if hard else rules.soft_bounce.ignore_reasons
    return next((e for e in send.bounces if e.at > spent and not (left_out and bounce_reason(e) in left_out)), None)


def _first_bounces(mailings: Iterable[Send], outcome: Outcome, spent: int, rules: Rules) -> list[Event]:
    firsts = (first_bounce(send, spent, rules) for send in mailings if send.outcome is outcome)
    return sorted((event for event in firsts if event), key=order)


def _hard(bounces: Sequence[Event]) -> Justification | None:
    if not bounces:
        return None
    first = bounces[0]
    reason = " ".join(without_commands(first.smtp or first.category).split()) or "hard bounce"
    return Justification(HARD_BOUNCE, first, (first,), reason)


def _soft(bounces: Iterable[Event], rule: SoftBounceRule, timezone: str) -> Justification | None:
    """Reasons with a threshold of their own are counted apart, the others together."""
    thresholds = dict(rule.by_reason)
    groups: dict[str, list[Event]] = {}
    for bounce in bounces:
        reason = bounce_reason(bounce).value if thresholds else ""
        groups.setdefault(reason if reason in thresholds else "", []).append(bounce)
    return _earliest(
        _reached(group, replace(rule, threshold=thresholds.get(reason, rule.threshold)), timezone)
        for reason, group in groups.items()
    )


def _reached(bounces: Sequence[Event], rule: SoftBounceRule, timezone: str) -> Justification | None:
    """The first bounce at which the rule holds. From there it holds until a success: the first justification stays."""
    counted: list[tuple[date, Event]] = []
    a_day: Counter[date] = Counter()
    for bounce in bounces:
        day = local_day(bounce.at, timezone)
        a_day[day] += 1
        if a_day[day] > rule.max_per_day:
            continue
        counted.append((day, bounce))
        window = [(when, event) for when, event in counted if (day - when).days <= rule.window_days]
        first = window[0][0]
        if len(window) >= rule.threshold and (day - first).days >= rule.span_days:
            reason = f"{len(window)} soft bounces, {first} to {day}"
            return Justification(SOFT_BOUNCE, bounce, tuple(event for _, event in window), reason)
    return None


def _earliest(verdicts: Iterable[Justification | None]) -> Justification | None:
    return min((verdict for verdict in verdicts if verdict), key=lambda verdict: order(verdict.event), default=None)
