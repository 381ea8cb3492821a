"""What syncd wrote, saw and was told about a record."""

from __future__ import annotations

from dataclasses import dataclass, field
from enum import StrEnum
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Mapping

Value = str | int | bool | None
"""A field's value by role: text, an instant in ms, a flag, or nothing."""


class What(StrEnum):
    MARK = "mark"
    LIFT = "lift"
    OPT_OUT = "opt_out"
    ENGAGEMENT = "engagement"
    ACTIVITY = "activity"
    UNDO = "undo"


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
    sf_id: str = ""  # the record it was said of, if that was merged into the subject's since


@dataclass(frozen=True, slots=True)
class Remembered:
    """The last thing known of an aspect: written by syncd, or found there. `values` by role, as Salesforce has them."""

    ours: bool
    values: Mapping[str, Value]
    through: int
    address: str = ""
    fields: Mapping[str, str] = field(default_factory=dict)  # role → the field it was kept in, where that is known


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
    """A change that may or may not have reached Salesforce: settled by reading. `held`: it has not, and waits."""

    id: int
    what: What
    after: Mapping[str, Value]
    through: int
    address: str = ""
    activity: str = ""
    intended_at: int = 0
    sf_id: str = ""
    unsure_since: int = 0  # when it was last known to be under way
    send: str = ""  # of the evidence
    held: bool = False
    in_job: bool = False  # of the Bulk API, which answers for it


@dataclass(frozen=True, slots=True)
class Ledger:
    """What is remembered of one subject's record. `refused`: (what, why, event key) that were already told once."""

    mark: Remembered | None = None
    opt_out: Remembered | None = None
    activities: Mapping[str, Activity] = field(default_factory=dict)
    pending: tuple[Pending, ...] = ()
    refused: frozenset[tuple[str, str, str]] = frozenset()
    dropped: frozenset[str] = frozenset()  # sends whose opt-outs a person refused
    inherited: tuple[Remembered, ...] = ()  # marks of records that were merged into this one
    engagement: Mapping[str, Value] = field(default_factory=dict)  # what the record last said of it, by role
