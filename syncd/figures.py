"""What a record can show of its history in fields of its own: soft bounces in a row, last open, last click. Pure.

They inform and decide nothing: no person's word applies to them, and nothing is judged by them.
"""

from __future__ import annotations

from collections import Counter
from datetime import UTC, datetime
from typing import TYPE_CHECKING

from syncd.model import BEFORE_ALL, Change, Kind, Outcome, What
from syncd.rules import first_bounce, local_day, machine_events, order, sends

if TYPE_CHECKING:
    from collections.abc import Collection, Iterable, Iterator

    from syncd.model import Case, Event, Ledger, Record, Rules, Value

COUNT = "soft_bounce_count"
MOMENTS = {"last_open": Kind.OPEN, "last_click": Kind.CLICK}
FIGURES = (COUNT, *MOMENTS)


def shown(case: Case, record: Record, ledger: Ledger, rules: Rules) -> Iterator[Change]:
    """What the record is to show. It follows the history both ways; a moment later than ours is somebody else's."""
    unknown = {COUNT} if record.shape.unseen else set()  # of which addresses?
    now = {role: record.values.get(role) for role in FIGURES if role in record.shape.writable - unknown}
    said = figures(case.events, record.addresses, rules) if now else {}
    wanted = {role: kept(role, said[role], record, rules) for role in now}
    after = {
        role: value
        for role, value in wanted.items()
        if (value or None) != (now[role] or None) and not _is_later(role, now[role], value, ledger)
    }
    if after:
        why = {"rule": "engagement", "text": "as the events say"}
        through = max((event.at for event in case.events), default=BEFORE_ALL)
        before = {role: now[role] for role in after}
        yield Change(What.ENGAGEMENT, record.object, record.id, before, after, why, through)


def are_due(case: Case, rules: Rules, roles: Collection[str]) -> bool:
    """Whether the record may have to show something else than it was last made to show."""
    everywhere = {recipient.address for recipient in case.recipients}
    said = figures(case.events, everywhere, rules) if roles else {}
    return any(not _is(said[role], case.ledger.engagement.get(role), rules) for role in roles)


def kept(role: str, value: Value, record: Record, rules: Rules) -> Value:
    """A moment as its field keeps it: one of type date has the local day, written as that day's midnight UTC."""
    if role in record.shape.days and isinstance(value, int):
        return _day(value, rules.timezone)
    return value


def figures(events: Iterable[Event], addresses: Collection[str], rules: Rules) -> dict[str, Value]:
    """By role. Of several addresses the one with most soft bounces counts; what a machine opened counts for nobody."""
    history = {event.key: event for event in events}.values()
    machines = machine_events(history, rules.timezone)
    people = [event for event in history if event.key not in machines]
    counts = [soft_bounces([e for e in history if e.address == address], rules) for address in addresses]
    last = {role: _last(people, kind) for role, kind in MOMENTS.items()}
    return {COUNT: max(counts, default=0), **last}


def soft_bounces(events: Iterable[Event], rules: Rules) -> int:
    """Soft-bounced sends in a row to one address, as the rule counts them, whatever a person settled meanwhile."""
    mailings = sends(events, rules.timezone)
    arrived = max((i for i, send in enumerate(mailings) if send.outcome is Outcome.SUCCEEDED), default=-1)
    soft = (send for send in mailings[arrived + 1 :] if send.outcome is Outcome.SOFT_BOUNCED)
    firsts = sorted((first for send in soft if (first := first_bounce(send, BEFORE_ALL, rules))), key=order)
    a_day = Counter(local_day(first.at, rules.timezone) for first in firsts)
    rule = rules.soft_bounce
    latest = max(a_day, default=None)
    return sum(
        min(number, rule.max_per_day)
        for day, number in a_day.items()
        if latest and (latest - day).days <= rule.window_days
    )


def _is(said: Value, known: Value, rules: Rules) -> bool:
    if not said or not known:
        return not said and not known
    return said == known or _day(int(said), rules.timezone) == known


def _is_later(role: str, now: Value, wanted: Value, ledger: Ledger) -> bool:
    if role not in MOMENTS or not now or now == ledger.engagement.get(role):
        return False
    return not wanted or int(now) > int(wanted)


def _day(moment: int, timezone: str) -> int:
    day = local_day(moment, timezone)
    return int(datetime(day.year, day.month, day.day, tzinfo=UTC).timestamp()) * 1000


def _last(events: Iterable[Event], kind: Kind) -> int | None:
    return max((event.at // 1000 * 1000 for event in events if event.kind is kind), default=None)
