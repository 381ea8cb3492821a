"""What the store has of one subject."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from collections.abc import Mapping

    from syncd.model import Decision, Event, Move, State, What


@dataclass(frozen=True, slots=True)
class Mailed:
    """A recipient, and how often a record was looked for."""

    address: str
    whid: str
    matched: str
    lookups: int
    looked_up_at: int | None


@dataclass(frozen=True, slots=True)
class Answer:
    """A receipt."""

    at: int
    ok: bool
    sf_id: str
    code: str
    words: str


@dataclass(frozen=True, slots=True)
class Holding:
    """The group with which the brake keeps a change back, or kept it. `waiting`: how many changes wait in it now."""

    group: int
    of: str  # as the brake names it: `domain example.fr`
    waiting: int


@dataclass(frozen=True, slots=True)
class Made:
    """A change as it was committed, with the rules it was made under and its receipts."""

    id: int
    run: int
    at: int
    what: What
    object: str
    sf_id: str
    activity: str
    before: Mapping[str, Any]
    after: Mapping[str, Any]
    why: Mapping[str, Any]
    state: State
    rules: int
    rules_body: Mapping[str, Any]
    answers: tuple[Answer, ...]
    hold: Holding | None = None


@dataclass(frozen=True, slots=True)
class Facts:
    """All that the store has of one subject. `unfolded`: events of its recipients that no run has seen yet."""

    subject: int
    sf_id: str
    object: str
    due_at: int | None
    attempts: int
    failing_since: int | None
    recipients: tuple[Mailed, ...]
    events: tuple[Event, ...]
    decisions: tuple[Decision, ...]
    changes: tuple[Made, ...]
    unfolded: int = 0
    moved: tuple[Move, ...] = ()  # ids that lead to this record
    repeats: Mapping[bytes, int] = field(default_factory=dict)  # by event key: how often it came again
