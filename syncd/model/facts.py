"""What the store hands to a run."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import TYPE_CHECKING

from syncd.model.ledger import Ledger

if TYPE_CHECKING:
    from syncd.model.events import Event
    from syncd.model.ledger import Decision


@dataclass(frozen=True, slots=True)
class Recipient:
    """One (whId, address) pair."""

    id: int
    address: str
    whid: str
    lookups: int = 0
    matched: str = "no"  # id, external_id, email: how its record was found


@dataclass(frozen=True, slots=True)
class Subject:
    """One Salesforce record, or (with no `sf_id`) one recipient whose record is not known yet."""

    id: int
    sf_id: str = ""
    object: str = ""
    attempts: int = 0
    failing_since: int | None = None


@dataclass(frozen=True, slots=True)
class Match:
    """A subject, or only some `recipients` of it (their ids), is this record. `how` it was found: id, external_id,
    email; empty if nothing new was found out about its recipients."""

    subject: Subject
    sf_id: str
    object: str
    how: str = ""
    recipients: tuple[int, ...] = ()


@dataclass(frozen=True, slots=True)
class Move:
    """An id that leads to another record: merged into it, a Lead converted to it, or the Contact of a person account.

    `how`: merged, converted or person.
    """

    sf_id: str
    to_id: str
    how: str


@dataclass(frozen=True, slots=True)
class Case:
    """One subject with all the facts: what a plan is made from, besides the record itself."""

    subject: Subject
    recipients: tuple[Recipient, ...]
    events: tuple[Event, ...]
    decisions: tuple[Decision, ...] = ()
    ledger: Ledger = field(default_factory=Ledger)
