"""What happened to one mail."""

from __future__ import annotations

from dataclasses import dataclass
from enum import StrEnum

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
