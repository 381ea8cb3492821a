"""What the rules are, and what they say of a history."""

from __future__ import annotations

from dataclasses import dataclass, field
from enum import StrEnum
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from syncd.model.events import Event

SENDERS_FAULT = frozenset({"blocked", "content", "policy", "sender_auth", "rate_limited", "too_large"})
"""Bounce reasons that blame who sends or what is sent: they say nothing of the address."""


@dataclass(frozen=True, slots=True)
class SoftBounceRule:
    """When soft bounces add up to an invalid address: so many sends in a row, within a window, over a span of days."""

    threshold: int = 5
    window_days: int = 365
    max_per_day: int = 1
    span_days: int = 7
    ignore_reasons: frozenset[str] = SENDERS_FAULT  # neither count nor end the row
    by_reason: tuple[tuple[str, int], ...] = ()  # those with a threshold of their own, which are counted apart
    pause_days: int = 7  # without any mail that arrived, soft bounces mark nobody; 0: they always do


@dataclass(frozen=True, slots=True)
class Rules:
    """What judgement depends on besides the history. Every receipt names the rules it was made under."""

    timezone: str = "UTC"
    lift_on_success: bool = True
    soft_bounce: SoftBounceRule = field(default_factory=SoftBounceRule)
    activities: str = "per_send"  # or "per_event", or "off"
    activity_kinds: frozenset[str] = frozenset({"open", "click"})
    subject: str = "{subject}"
    hard_bounce_spare: frozenset[str] = frozenset()  # reasons of hard bounces that don't mark


@dataclass(frozen=True, slots=True)
class Seen:
    """When what was reported, of all recipients together, by event time."""

    recipients: int = 0
    first_bounce: int | None = None
    last_bounce: int | None = None
    last_success: int | None = None  # delivered, open or click


class Outcome(StrEnum):
    """How a send ended for one address."""

    HARD_BOUNCED = "hard-bounced"
    SOFT_BOUNCED = "soft-bounced"
    SUCCEEDED = "succeeded"
    OPEN = "open"  # nothing says yet


@dataclass(frozen=True, slots=True)
class Send:
    """One mailing to one address, its events by time. `bounces` are those that make the outcome, if it is a bounce."""

    key: str
    events: tuple[Event, ...]
    outcome: Outcome
    bounces: tuple[Event, ...] = ()


@dataclass(frozen=True, slots=True)
class Justification:
    """Why an address is invalid: the event that first made it so, and all that were counted."""

    rule: str  # hard_bounce | soft_bounce
    event: Event
    counted: tuple[Event, ...]
    reason: str  # the text for Salesforce


@dataclass(frozen=True, slots=True)
class Engagement:
    """All opens and clicks of one send, as one activity shows them. `machine`: the keys of those that machines made."""

    key: str
    events: tuple[Event, ...]
    machine: frozenset[bytes] = frozenset()

    @property
    def people(self) -> tuple[Event, ...]:
        """Those that a person may have made."""
        return tuple(event for event in self.events if event.key not in self.machine)


@dataclass(frozen=True, slots=True)
class Standing:
    """What the history says. `elsewhere`: addresses that are invalid but are not, or no longer, the record's."""

    invalid: Justification | None = None
    elsewhere: tuple[Justification, ...] = ()
    opted_out: Event | None = None
    engagements: tuple[Engagement, ...] = ()
