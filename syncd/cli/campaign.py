"""The demo's people and what happened to their mails, in the shapes that Sarbacane documents."""

from __future__ import annotations

import json
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping

CAMPAIGN = "vdsioBFBFDS15dsBSGSD"


@dataclass(frozen=True, slots=True)
class Person:
    """A record, and the story its events tell."""

    type: str
    first: str
    last: str
    story: str
    happened: tuple[tuple[str, float, str], ...]  # kind, days ago, send
    mailed_at: str = ""  # if it is another address than the record's
    fields: Mapping[str, object] | None = None

    @property
    def email(self) -> str:
        return f"{self.first}.{self.last}@example.fr".lower()

    def record(self) -> dict[str, object]:
        company = {"Company": "Exemple SA"} if self.type == "Lead" else {}
        return {"FirstName": self.first, "LastName": self.last, "Email": self.email, **company, **(self.fields or {})}


PEOPLE = (
    Person(
        "Contact", "Jeanne", "Durand", "opened twice and clicked",
        (("delivered", 2, "A"), ("open", 1.9, "A"), ("open", 1.5, "A"), ("click", 1.4, "A")),
    ),
    Person("Contact", "Marc", "Petit", "hard bounce: the mailbox is unknown", (("hard_bounce", 2, "A"),)),
    Person(
        "Contact", "Sophie", "Bernard", "five soft bounces in a row, over six weeks",
        tuple(("soft_bounce", days, f"W{days}") for days in (44, 37, 30, 16, 2)),
    ),
    Person(
        "Contact", "Luc", "Moreau", "four soft bounces, then a mail arrived",
        (*(("soft_bounce", days, f"W{days}") for days in (44, 37, 30, 16)), ("delivered", 2, "A")),
    ),
    Person("Lead", "Ines", "Robert", "unsubscribed", (("delivered", 2, "A"), ("unsubscribe", 1.5, "A"))),
    Person(
        "Lead", "Paul", "Leroy", "hard bounce of an address he no longer has", (("hard_bounce", 2, "A"),),
        mailed_at="p.leroy@ancienne-adresse.example",
    ),
    Person(
        "Contact", "Claire", "Simon", "hard bounce years ago, clicked this week",
        (("hard_bounce", 2200, "OLD"), ("delivered", 2, "A"), ("click", 1.8, "A")),
    ),
    Person(
        "Contact", "Hugo", "Laurent", "hard bounce, but a colleague had marked him already", (("hard_bounce", 2, "A"),),
        fields={"EmailBouncedReason": "called: has left", "EmailBouncedDate": "2026-01-15T09:00:00Z"},
    ),
)  # fmt: skip

DOCUMENTED = (
    {"operatingSystem": "LINUX", "browser": "FIREFOX4 48.0", "webmail": "Unknown", "type": "open"},
    {"operatingSystem": "LINUX", "browser": "FIREFOX4 48.0", "url": "http://www.google.com", "type": "click"},
    {"type": "delivered"},
    {"smtpDescription": "Read timed out", "category": "DEFAULT_SOFTBOUNCE", "returnCode": -1, "type": "soft_bounce"},
    {
        "smtpDescription": "550 5.1.1 user unknown (UserSearch)", "category": "BAD_MAILBOX", "returnCode": 550,
        "type": "hard_bounce",
    },
)  # fmt: skip
"""The five payloads of Sarbacane's help page, but for what they share. They carry no whId."""

_DETAILS: dict[str, dict[str, object]] = {
    "open": {"operatingSystem": "LINUX", "language": "fr", "browser": "FIREFOX4 48.0", "webmail": "Unknown"},
    "click": {"operatingSystem": "LINUX", "language": "fr", "browser": "FIREFOX4 48.0", "url": "https://acme.example"},
    "soft_bounce": {"smtpDescription": "452 4.2.2 mailbox full", "category": "QUOTA_ISSUES", "returnCode": 452},
    "hard_bounce": {"smtpDescription": "550 5.1.1 user unknown", "category": "BAD_MAILBOX", "returnCode": 550},
}


def deliveries(ids: Mapping[str, str], now: datetime) -> Iterator[bytes]:
    """The request bodies: everybody's events, newest first and some of them twice, as retries do; then oddities."""
    events = sorted(
        (payload(person, ids[person.email], happened, now) for person in PEOPLE for happened in person.happened),
        key=lambda said: str(said["date"]),
        reverse=True,
    )
    for number, said in enumerate(events):
        yield _body(said)
        if number % 5 == 0:
            yield _body(said)
    yield from (_body(_documented(details)) for details in DOCUMENTED)
    yield _body(payload(PEOPLE[0], ids[PEOPLE[0].email], ("FORM_SUBMIT", 1, "A"), now))
    yield b"this is no event"


def payload(person: Person, whid: str, happened: tuple[str, float, str], now: datetime) -> dict[str, Any]:
    kind, days_ago, send = happened
    moment = now.astimezone(UTC) - timedelta(days=days_ago)
    return {
        "email": person.mailed_at or person.email,
        "campaignId": CAMPAIGN,
        "sendId": f"feizjfsVGVGRS55grgrs{send}",
        "subject": "Nos nouveautés de novembre",
        "from": "news@acme.example",
        **_DETAILS.get(kind, {}),
        "date": moment.strftime("%Y-%m-%d T %H:%M:%S.") + f"{moment.microsecond // 1000:03}Z",
        "type": kind,
        "whId": whid,
    }


def _documented(details: Mapping[str, object]) -> dict[str, object]:
    return {
        "email": "user@email.com",
        "campaignId": CAMPAIGN,
        "sendId": "feizjfsVGVGRS55grgrs444",
        "subject": "Test Déploiement Manager",
        "from": "user@email.com",
        **details,
        "date": "2016-08-11 T 12:25:18.889Z",
    }


def _body(said: Mapping[str, object]) -> bytes:
    return json.dumps(said, ensure_ascii=False).encode()
