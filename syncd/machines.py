"""Which opens and clicks a machine made: scanners that follow every link of a mail before a person sees it. Pure.

The burst tells, not the time since sending: in a study of 836 bursts of scanners one in two hundred began within
ten seconds of it, two thirds after 20 to 60 (putyourlightson/craft-campaign issue 546). What makes no burst, such as
Apple's prefetch of pictures, cannot be told from a person, so it counts as one.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from syncd.model import Kind

if TYPE_CHECKING:
    from collections.abc import Iterable, Sequence

    from syncd.model import Event

BURST = 2_000
"""ms within which a person does not follow two different links."""


def machine_made(events: Iterable[Event]) -> frozenset[bytes]:
    """The keys of the machine-made among these events, which are all of one send and one address, in any order.

    A click on another link within a burst's time, a click before the mail was delivered, and an open beside a burst.
    """
    ordered = sorted(events, key=lambda event: event.at)
    clicks = [event for event in ordered if event.kind is Kind.CLICK]
    if not clicks:
        return frozenset()  # an open alone is never guessed to be a machine's
    burst = _burst(clicks)
    delivered = next((event.at for event in ordered if event.kind is Kind.DELIVERED), None)
    early = [click for click in clicks if delivered is not None and click.at < delivered]
    beside = [event for event in ordered if event.kind is Kind.OPEN and _is_beside(event, burst)]
    return frozenset(event.key for event in (*burst, *early, *beside))


def _burst(clicks: Sequence[Event]) -> list[Event]:
    """Clicks with one on another link at most `BURST` away. The latest click on each link so far is the nearest."""
    found: dict[bytes, Event] = {}
    latest: dict[str, list[Event]] = {}
    for click in (click for click in clicks if click.url):
        near = [
            other
            for url, others in latest.items()
            if url != click.url
            for other in others
            if click.at - other.at <= BURST
        ]
        found |= {event.key: event for event in (*near, click) if near}
        recent = latest.setdefault(click.url, [])
        recent[:] = [other for other in recent if click.at - other.at <= BURST] + [click]
    return list(found.values())


def _is_beside(event: Event, burst: Iterable[Event]) -> bool:
    return any(abs(event.at - click.at) <= BURST for click in burst)
