"""What tests are made of: payloads in Sarbacane's documented shapes, and events read from them."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta
from typing import Any

from syncd.model import Case, Event, Ledger, Recipient, Record, Subject
from syncd.sarbacane import read

START = datetime(2026, 3, 2, 9, 0, tzinfo=UTC)
NOW = int(datetime(2026, 11, 24, 12, 0, tzinfo=UTC).timestamp() * 1000)
ADDRESS = "jeanne.durand@example.fr"
CONTACT = "003A000010khO8JIAU"


def date(day: float = 0, *, start: datetime = START) -> str:
    """Sarbacane's date form, so many days after the first."""
    return (start + timedelta(days=day)).strftime("%Y-%m-%d T %H:%M:%S.%f")[:-3] + "Z"


def millis(day: float = 0) -> int:
    return round((START + timedelta(days=day)).timestamp() * 1000)


def payload(kind: str, day: float = 0, send: str | None = None, **more: Any) -> dict[str, Any]:
    """An event as Sarbacane documents it. Without `send` each day is a send of its own."""
    said: dict[str, Any] = {
        "email": ADDRESS,
        "campaignId": "c1",
        "sendId": f"s{int(day)}" if send is None else send,
        "subject": "Nos nouveautés",
        "from": "news@acme.example",
        "date": date(day),
        "type": kind,
        "whId": CONTACT,
    }
    if kind == "hard_bounce":
        said |= {"smtpDescription": "550 5.1.1 user unknown", "category": "BAD_MAILBOX", "returnCode": 550}
    if kind == "soft_bounce":
        said |= {"smtpDescription": "Read timed out", "category": "DEFAULT_SOFTBOUNCE", "returnCode": -1}
    if kind in ("open", "click"):
        said |= {"operatingSystem": "LINUX", "language": "fr", "browser": "FIREFOX4 48.0", "webmail": "Unknown"}
    if kind == "click":
        said["url"] = "https://acme.example/offre"
    return said | more


def event(kind: str, day: float = 0, send: str | None = None, **more: Any) -> Event:
    return read(payload(kind, day, send, **more), NOW)


def record(**values: Any) -> Record:
    """A Contact that says nothing yet."""
    addresses = values.pop("addresses", (ADDRESS,))
    shape = {"shape": values.pop("shape")} if "shape" in values else {}
    blank = {"bounce_date": None, "bounce_reason": None, "opted_out": False}
    return Record(CONTACT, "Contact", addresses, blank | values, **shape)


def case(*events: Event, ledger: Ledger | None = None, **more: Any) -> Case:
    """A subject that is known, with these events."""
    addresses = dict.fromkeys(e.address for e in events)
    recipients = tuple(Recipient(i, address, CONTACT) for i, address in enumerate(addresses, 1))
    return Case(Subject(1, CONTACT, "Contact"), recipients, events, ledger=ledger or Ledger(), **more)
