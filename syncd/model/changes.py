"""Records as they are, and what is to be written to them."""

from __future__ import annotations

from dataclasses import dataclass, field
from enum import StrEnum
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from collections.abc import Mapping

    from syncd.model.ledger import Decision, Value, What


@dataclass(frozen=True, slots=True)
class Shape:
    """What can be done with an object's fields, by role (bounce_date, bounce_reason, opted_out, …).

    `days`: roles that are kept in fields of type date, so without the time. `unseen`: fields of addresses that the user
    may not see, so that nobody knows which addresses a record has besides those that are told.
    """

    writable: frozenset[str] = frozenset({"bounce_date", "bounce_reason", "opted_out"})
    lengths: Mapping[str, int] = field(default_factory=lambda: {"bounce_reason": 255})
    days: frozenset[str] = frozenset()
    unseen: tuple[str, ...] = ()
    names: Mapping[str, str] = field(default_factory=dict)  # role → field


@dataclass(frozen=True, slots=True)
class Record:
    """A Contact, a Lead or a person account as it is now."""

    id: str  # 18 characters
    object: str
    addresses: tuple[str, ...]  # as recipients are written: NFC, lower-case; the first is the main one
    values: Mapping[str, Value]
    shape: Shape = field(default_factory=Shape)
    contact: str = ""  # of a person account: the Contact that its activities belong to
    changed_at: int = 0  # when anything of it was last changed, by whomever; 0: not told

    def lacks(self, address: str) -> bool:
        """Whether it surely has other addresses. What cannot be seen may be this one."""
        return address not in self.addresses and not self.shape.unseen

    def may_have(self, address: str) -> bool:
        """Whether nobody can tell if it has this address."""
        return address not in self.addresses and bool(self.shape.unseen)

    @property
    def who(self) -> tuple[str, str]:
        """(object, id) that an activity is for."""
        return ("Contact", self.contact) if self.contact else (self.object, self.id)


class State(StrEnum):
    """A change's life: intended, then one of the others."""

    INTENDED = "intended"  # committed, perhaps sent
    UNCERTAIN = "uncertain"  # sent, no clear answer; settled by reading
    DONE = "done"
    REJECTED = "rejected"  # Salesforce will not take it; see the receipt
    SUPERSEDED = "superseded"  # not sent, or not needed any more: a later plan took its place
    FOUND = "found"  # already so in Salesforce: nothing was written, but it is remembered
    REFUSED = "refused"  # syncd would not write it; the receipt says why
    HELD = "held"  # the brake keeps it back until a person decides
    DROPPED = "dropped"  # a person refused it


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
    LOCKED = "locked"  # somebody else writes it at this moment
    CROWDED = "crowded"  # the org's own code gave up on the whole call: perhaps for its size, or for one row of it
    MOVED = "moved"  # not what it was when it was read: merged, converted; planned anew
    GONE = "gone"  # the record or Task is deleted
    FULL = "full"  # nothing new can be created; what exists can be changed
    STOP = "stop"  # nobody's row will be taken
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
