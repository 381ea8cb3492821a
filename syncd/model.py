"""The values everything speaks in. Instants are milliseconds UTC; no value knows a clock, a store or a vendor."""

from __future__ import annotations

from dataclasses import dataclass, field
from enum import StrEnum
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from collections.abc import Mapping

BEFORE_ALL = -1  # earlier than any event


class Kind(StrEnum):
    """What happened to a mail. The order breaks ties between events of one millisecond."""

    DELIVERED = "delivered"
    SOFT_BOUNCE = "soft_bounce"
    HARD_BOUNCE = "hard_bounce"
    OPEN = "open"
    CLICK = "click"
    UNSUBSCRIBE = "unsubscribe"
    COMPLAINT = "complaint"
    UNKNOWN = "unknown"


@dataclass(frozen=True, slots=True)
class Event:
    """One thing that happened to one mail. Two events with the same `key` are one event delivered twice."""

    key: bytes  # version, claimed time (6 bytes), hash of what makes the event itself (10 bytes)
    at: int  # what judgement goes by: the claimed time, or the receipt's if that lies ahead of it
    claimed_at: int
    received_at: int
    word: str  # the vendor's
    kind: Kind
    address: str
    whid: str
    campaign: str
    send: str
    raw: str  # the payload as JSON
    subject: str = ""
    url: str = ""
    smtp: str = ""
    category: str = ""
    return_code: str = ""
    client: str = ""


# --- judgement ----------------------------------------------------------------------------------------------


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


@dataclass(frozen=True, slots=True)
class Rules:
    """What judgement depends on besides the history. Every receipt names the rules it was made under."""

    timezone: str = "UTC"
    lift_on_success: bool = True
    soft_bounce: SoftBounceRule = field(default_factory=SoftBounceRule)
    activities: str = "per_send"  # or "off"
    activity_kinds: frozenset[str] = frozenset({"open", "click"})
    subject: str = "{subject}"
    hard_bounce_spare: frozenset[str] = frozenset()  # reasons of hard bounces that don't mark


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
    """All opens and clicks of one send, as one activity shows them."""

    key: str
    events: tuple[Event, ...]


@dataclass(frozen=True, slots=True)
class Standing:
    """What the history says. `elsewhere`: addresses that are invalid but are not, or no longer, the record's."""

    invalid: Justification | None = None
    elsewhere: tuple[Justification, ...] = ()
    opted_out: Event | None = None
    engagements: tuple[Engagement, ...] = ()


# --- the ledger: what syncd wrote, saw and was told about a record ------------------------------------------


class Aspect(StrEnum):
    INVALID = "invalid"
    OPTED_OUT = "opted_out"


class Verdict(StrEnum):
    UNDONE = "undone"
    DROPPED = "dropped"
    RELEASED = "released"
    CLEARED = "cleared_in_salesforce"


@dataclass(frozen=True, slots=True)
class Decision:
    """What a person settled. Evidence dated up to `through` is spent: it never sets that aspect again."""

    aspect: Aspect
    verdict: Verdict
    at: int
    through: int
    by: str
    note: str = ""


@dataclass(frozen=True, slots=True)
class Remembered:
    """The last thing known of an aspect: written by syncd, or found there. `values` by role, as Salesforce has them."""

    ours: bool
    values: Mapping[str, Value]
    through: int
    address: str = ""


class ActivityState(StrEnum):
    INTENDED = "intended"  # committed before the call; after a crash nobody knows whether it went out
    UNCERTAIN = "uncertain"  # the call went out and no clear answer came
    KNOWN = "known"
    GONE = "gone"  # a person deleted the Task: not made again
    SEALED = "sealed"


@dataclass(frozen=True, slots=True)
class Activity:
    """The ledger's line on one Task. `digest` is of the content that Salesforce last took."""

    key: str
    token: str
    state: ActivityState
    task_id: str = ""
    digest: bytes = b""
    not_before: int = 0


@dataclass(frozen=True, slots=True)
class Pending:
    """A change that may or may not have reached Salesforce: settled by reading."""

    id: int
    what: What
    after: Mapping[str, Value]
    through: int
    address: str = ""
    activity: str = ""
    intended_at: int = 0
    sf_id: str = ""


@dataclass(frozen=True, slots=True)
class Ledger:
    """What is remembered of one subject. `refused`: (what, why, event key) that were already told once."""

    mark: Remembered | None = None
    opt_out: Remembered | None = None
    activities: Mapping[str, Activity] = field(default_factory=dict)
    pending: tuple[Pending, ...] = ()
    refused: frozenset[tuple[str, str, str]] = frozenset()


# --- records and changes ------------------------------------------------------------------------------------

Value = str | int | bool | None
"""A field's value by role: text, an instant in ms, a flag, or nothing."""


@dataclass(frozen=True, slots=True)
class Shape:
    """What can be done with an object's fields, by role (bounce_date, bounce_reason, opted_out)."""

    writable: frozenset[str] = frozenset({"bounce_date", "bounce_reason", "opted_out"})
    lengths: Mapping[str, int] = field(default_factory=lambda: {"bounce_reason": 255})


@dataclass(frozen=True, slots=True)
class Record:
    """A Contact, a Lead or a person account as it is now."""

    id: str  # 18 characters
    object: str
    addresses: tuple[str, ...]  # as recipients are written: NFC, lower-case; the first is the main one
    values: Mapping[str, Value]
    shape: Shape = field(default_factory=Shape)
    contact: str = ""  # of a person account: the Contact that its activities belong to

    @property
    def who(self) -> tuple[str, str]:
        """(object, id) that an activity is for."""
        return ("Contact", self.contact) if self.contact else (self.object, self.id)


class What(StrEnum):
    MARK = "mark"
    LIFT = "lift"
    OPT_OUT = "opt_out"
    ACTIVITY = "activity"


class State(StrEnum):
    """A change's life: intended, then one of the others."""

    INTENDED = "intended"  # committed, perhaps sent
    UNCERTAIN = "uncertain"  # sent, no clear answer; settled by reading
    DONE = "done"
    REJECTED = "rejected"  # Salesforce will not take it; see the receipt
    SUPERSEDED = "superseded"  # not sent, or not needed any more: a later plan took its place
    FOUND = "found"  # already so in Salesforce: nothing was written, but it is remembered
    REFUSED = "refused"  # syncd would not write it; the receipt says why


@dataclass(frozen=True, slots=True)
class Change:
    """Fields to set on one record, or one activity to create or update, with before, after and why."""

    what: What
    object: str
    sf_id: str
    before: Mapping[str, Value]
    after: Mapping[str, Value]
    why: Mapping[str, Any]
    through: int  # the latest evidence, in event time
    state: State = State.INTENDED
    code: str = ""  # with REFUSED and REJECTED: the receipt's code and words
    words: str = ""
    activity: str = ""  # key of the activity

    @property
    def is_open(self) -> bool:
        """Whether it is meant to be written."""
        return self.state is State.INTENDED


@dataclass(frozen=True, slots=True)
class Plan:
    """What follows for one subject: earlier changes settled by reading, facts seen in Salesforce, and the changes."""

    settled: tuple[tuple[int, State], ...] = ()
    decisions: tuple[Decision, ...] = ()
    changes: tuple[Change, ...] = ()


class Fate(StrEnum):
    """What an answer means for the change."""

    TAKEN = "taken"
    LATER = "later"
    GONE = "gone"  # the record or Task is deleted
    REJECTED = "rejected"


@dataclass(frozen=True, slots=True)
class Receipt:
    """Salesforce's answer to one row. `code` is empty when it took it."""

    sf_id: str = ""
    code: str = ""
    words: str = ""
    fate: Fate = Fate.TAKEN

    @property
    def ok(self) -> bool:
        return not self.code


# --- what the store hands to a run --------------------------------------------------------------------------


@dataclass(frozen=True, slots=True)
class Recipient:
    """One (whId, address) pair."""

    id: int
    address: str
    whid: str
    lookups: int = 0


@dataclass(frozen=True, slots=True)
class Subject:
    """One Salesforce record, or (with no `sf_id`) one recipient whose record is not known yet."""

    id: int
    sf_id: str = ""
    object: str = ""
    attempts: int = 0
    failing_since: int | None = None


@dataclass(frozen=True, slots=True)
class Case:
    """One subject with all the facts: what a plan is made from, besides the record itself."""

    subject: Subject
    recipients: tuple[Recipient, ...]
    events: tuple[Event, ...]
    decisions: tuple[Decision, ...] = ()
    ledger: Ledger = field(default_factory=Ledger)
