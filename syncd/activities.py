"""What an activity says: the opens and clicks of one send, or one of them, in words. Pure."""

from __future__ import annotations

import json
import re
from collections import Counter
from datetime import UTC, datetime
from hashlib import blake2b
from typing import TYPE_CHECKING

from syncd.model import Kind
from syncd.rules import local_day

if TYPE_CHECKING:
    from collections.abc import Iterable, Mapping

    from syncd.model import Engagement, Event, Rules, Value

SUBJECT_LENGTH = 255  # Task.Subject
DESCRIPTION_LENGTH = 32_000  # Task.Description
SIGNATURE = "syncd "
_SIGNED = re.compile(rf"{SIGNATURE}([0-9a-f]{{16}})\s*\Z")
LISTED = 20  # of links and of clients: more than that is noise in a Task


def content(engagement: Engagement, token: str, rules: Rules) -> dict[str, Value]:
    """The activity by role: subject, description, day (ISO). The token at the end finds it after an uncertain call."""
    last = (engagement.people or engagement.events)[-1]
    named = next((event.subject for event in reversed(engagement.events) if event.subject), "(no subject)")
    subject = rules.subject.format(subject=named, campaign=last.campaign, send=last.send)
    return {
        "subject": subject.strip()[:SUBJECT_LENGTH].strip(),
        "description": _description(engagement, token, by_send=rules.activities != "per_event"),
        "day": local_day(last.at, rules.timezone).isoformat(),
    }


def token_in(description: str) -> str:
    """The token at the end of a Task's text, or nothing."""
    signed = _SIGNED.search(description)
    return signed.group(1) if signed else ""


def content_digest(values: Mapping[str, Value]) -> bytes:
    """Tells whether Salesforce already has this content."""
    return blake2b(json.dumps(values, sort_keys=True).encode(), digest_size=16).digest()


def _description(engagement: Engagement, token: str, *, by_send: bool) -> str:
    tail = f"\n\n{SIGNATURE}{token}"
    one = not by_send and len(engagement.events) == 1
    lines = _single(engagement.events[0]) if one else _gathered(engagement)
    return "\n".join(lines)[: DESCRIPTION_LENGTH - len(tail)] + tail


def _single(event: Event) -> list[str]:
    done = "Opened" if event.kind is Kind.OPEN else f"Clicked {event.url}".rstrip()
    return [f"{done}, {_moment(event)}", *([f"Read with {event.client}"] if event.client else []), _sent(event)]


def _sent(event: Event) -> str:
    return f"Sarbacane campaign {event.campaign or '-'}, send {event.send or '-'}"


def _gathered(engagement: Engagement) -> list[str]:
    people = engagement.people
    events = people or engagement.events
    clicks = [event for event in people if event.kind is Kind.CLICK]
    return [
        _counts(people),
        *_apart(event for event in engagement.events if event.key in engagement.machine),
        f"First: {_moment(events[0])}",
        f"Last: {_moment(events[-1])}",
        *_listed("Links", Counter(event.url for event in clicks if event.url)),
        *_listed("Read with", Counter(event.client for event in people if event.client)),
        _sent(events[0]),
    ]


def _counts(events: Iterable[Event]) -> str:
    kinds = Counter(event.kind for event in events)
    return f"{_times('Opened', kinds[Kind.OPEN])}, {_times('clicked', kinds[Kind.CLICK])}"


def _apart(machine: Iterable[Event]) -> list[str]:
    """What a security scanner did is no interest of the person's."""
    events = list(machine)
    return [f"Not counted, made by a machine: {_counts(events).lower()}"] if events else []


def _times(done: str, times: int) -> str:
    return f"{done} once" if times == 1 else f"{done} {times} times" if times else f"not {done.lower()}"


def _moment(event: Event) -> str:
    return datetime.fromtimestamp(event.at / 1000, UTC).strftime("%Y-%m-%d %H:%M:%S UTC")


def _listed(title: str, counts: Counter[str]) -> list[str]:
    if not counts:
        return []
    ranked = sorted(counts.items(), key=lambda item: (-item[1], item[0]))
    more = [f"  and {len(ranked) - LISTED} more"] if len(ranked) > LISTED else []
    return [f"{title}:", *(f"  {times} × {what}" for what, times in ranked[:LISTED]), *more]
