"""What a record must finally say, reckoned a second time: the oracle of the property and end-to-end tests.

Written from the specification alone (product.md, sections 2, 4, 5 and 6) and deliberately naive: it sorts the whole
history and reads the rules off it, once, for a record that starts empty. Nothing of syncd is imported, on purpose.

Machine-made opens and clicks are read off the table of machines in product.md, pair by pair. "Several" links are two,
"a second or two" is two seconds, "within such a burst" is no further from a click of it than that.

Out of its scope: decisions of people, reasons that are spared or ignored, clocks that run ahead,
the brake, pauses, and marks that an earlier run left in place.

Two hard bounces of one millisecond with different texts: the specification doesn't say whose text counts. Here the
alphabetically first does; a test should not depend on it.
"""

from __future__ import annotations

from dataclasses import dataclass, field
from datetime import UTC, date, datetime, timedelta
from typing import TYPE_CHECKING
from zoneinfo import ZoneInfo

if TYPE_CHECKING:
    from collections.abc import Iterable

EPOCH = datetime(1970, 1, 1, tzinfo=UTC)
DELIVERED, SOFT, HARD, OPEN, CLICK, UNSUBSCRIBE, COMPLAINT = range(7)  # the order within one millisecond
TYPES = ("delivered", "soft_bounce", "hard_bounce", "open", "click", "unsubscribe", "complaint")
REASON_LENGTH = 255


@dataclass(frozen=True)
class Expected:
    """What the record says in the end."""

    bounce_date: str | None  # YYYY-MM-DDTHH:MM:SSZ
    bounce_reason: str | None
    opted_out: bool
    activities: frozenset[tuple[str, int, int]]  # (send, opens, clicks), those that machines made left out


@dataclass(frozen=True, order=True)
class Event:
    """One thing that happened. Equal (all fields but the category) means: the same event, delivered again."""

    at: int  # milliseconds
    type: int
    address: str
    whid: str
    campaign: str
    send: str
    url: str
    smtp: str
    category: str = field(compare=False)

    def day(self, zone: ZoneInfo) -> date:
        """The local day."""
        return (EPOCH + timedelta(milliseconds=self.at)).astimezone(zone).date()

    def mailing(self, zone: ZoneInfo) -> str:
        """The send it belongs to: by sendId, else by campaign, else by local day."""
        if self.send:
            return f"send:{self.send}"
        if self.campaign:
            return f"campaign:{self.campaign}"
        return f"day:{self.day(zone).isoformat()}"


@dataclass(frozen=True)
class Mark:
    """A reason to call an address invalid."""

    event: Event
    reason: str


def reckon(
    payloads: Iterable[dict[str, object]],
    address: str,
    *,
    timezone: str = "UTC",
    threshold: int = 5,
    window_days: int = 365,
    max_per_day: int = 1,
    span_days: int = 7,
) -> Expected:
    """What one record, whose current address is `address`, must say after all these events."""
    zone = ZoneInfo(timezone)
    everything = sorted({event for payload in payloads if (event := read(payload)) is not None})
    made = machines(everything, zone)
    events = [event for event in everything if event not in made]  # a machine's proves nothing and counts nowhere

    unsettled = after_last_success(mailings([event for event in events if event.address == address], zone))
    marks = [
        mark
        for mark in (
            hard_mark(unsettled),
            soft_mark(unsettled, zone, threshold, window_days, max_per_day, span_days),
        )
        if mark is not None
    ]
    mark = min(marks, key=lambda mark: mark.event, default=None)
    return Expected(
        bounce_date=None if mark is None else whole_seconds(mark.event.at),
        bounce_reason=None if mark is None else mark.reason[:REASON_LENGTH].strip(),
        opted_out=any(event.type in (UNSUBSCRIBE, COMPLAINT) for event in events),
        activities=activities(mailings(events, zone)),
    )


def read(payload: dict[str, object]) -> Event | None:
    """The event of a payload; None if its type is not one that anything follows from."""
    word = text(payload, "type").lower()
    if word not in TYPES:
        return None
    moment = datetime.fromisoformat(text(payload, "date").replace(" ", ""))
    if moment.tzinfo is None:
        moment = moment.replace(tzinfo=UTC)
    return Event(
        at=(moment - EPOCH) // timedelta(milliseconds=1),
        type=TYPES.index(word),
        address=text(payload, "email").lower(),
        whid=text(payload, "whId"),
        campaign=text(payload, "campaignId"),
        send=text(payload, "sendId"),
        url=text(payload, "url"),
        smtp=text(payload, "smtpDescription"),
        category=text(payload, "category"),
    )


def text(payload: dict[str, object], name: str) -> str:
    """A field, trimmed; missing and null are empty."""
    value = payload.get(name)
    return "" if value is None else str(value).strip()


def mailings(events: list[Event], zone: ZoneInfo) -> dict[str, list[Event]]:
    """The sorted events by send. Sends come in the order of their first events, events in that of their time."""
    sends: dict[str, list[Event]] = {}
    for event in events:
        sends.setdefault(event.mailing(zone), []).append(event)
    return sends


def machines(events: list[Event], zone: ZoneInfo) -> set[Event]:
    """The opens and clicks that no person made."""
    made: set[Event] = set()
    for click in events:
        if click.type != CLICK:
            continue
        mail = [e for e in events if (e.address, e.mailing(zone)) == (click.address, click.mailing(zone))]
        around = [e for e in mail if -2000 <= e.at - click.at <= 2000]
        if click.url and any(e.type == CLICK and e.url and e.url != click.url for e in around):
            made |= {click, *(e for e in around if e.type == OPEN)}
        deliveries = [e.at for e in mail if e.type == DELIVERED]
        if deliveries and click.at < min(deliveries):
            made.add(click)
    return made


def bounced(send: list[Event]) -> bool:
    """Its latest word on delivery is a bounce, and no click came after that."""
    words = [event for event in send if event.type in (DELIVERED, SOFT, HARD)]
    if not words or words[-1].type == DELIVERED:
        return False
    return not any(event.type == CLICK and event > words[-1] for event in send)


def succeeded(send: list[Event]) -> bool:
    """It did not bounce, and there is a sign that it arrived."""
    return not bounced(send) and any(event.type in (DELIVERED, OPEN, CLICK) for event in send)


def after_last_success(sends: dict[str, list[Event]]) -> list[list[Event]]:
    """The bounced sends that no later send has made good."""
    unsettled: list[list[Event]] = []
    for send in sends.values():
        if succeeded(send):
            unsettled = []
        elif bounced(send):
            unsettled.append(send)
    return unsettled


def hard_mark(unsettled: list[list[Event]]) -> Mark | None:
    """The first hard bounce marks."""
    bounces = sorted(event for send in unsettled for event in send if event.type == HARD)
    if not bounces:
        return None
    return Mark(bounces[0], " ".join(bounces[0].smtp.split()) or bounces[0].category or "hard bounce")


def soft_mark(
    unsettled: list[list[Event]], zone: ZoneInfo, threshold: int, window_days: int, max_per_day: int, span_days: int
) -> Mark | None:
    """The first counted soft bounce at which there are enough of them, over enough days, within the window."""
    soft_bounced = [send for send in unsettled if all(event.type != HARD for event in send)]
    one_a_send = sorted(next(event for event in send if event.type == SOFT) for send in soft_bounced)
    days: list[date] = []  # of the bounces counted so far
    for bounce in one_a_send:
        today = bounce.day(zone)
        if days.count(today) >= max_per_day:
            continue
        days.append(today)
        window = [day for day in days if (today - day).days <= window_days]
        if len(window) >= threshold and (today - window[0]).days >= span_days:
            return Mark(bounce, f"{len(window)} soft bounces, {window[0].isoformat()} to {today.isoformat()}")
    return None


def activities(sends: dict[str, list[Event]]) -> frozenset[tuple[str, int, int]]:
    """Opens and clicks of every send that has any."""
    words = {name: [event.type for event in send] for name, send in sends.items()}
    return frozenset((name, w.count(OPEN), w.count(CLICK)) for name, w in words.items() if OPEN in w or CLICK in w)


def whole_seconds(at: int) -> str:
    """Milliseconds as Salesforce keeps an instant: what is less than a second is cut off."""
    return (EPOCH + timedelta(seconds=at // 1000)).strftime("%Y-%m-%dT%H:%M:%SZ")
