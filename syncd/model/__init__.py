"""The values everything speaks in. Instants are milliseconds UTC; no value knows a clock, a store or a vendor."""

from __future__ import annotations

from syncd.model.changes import Change, Fate, Plan, Receipt, Record, Shape, State
from syncd.model.events import BEFORE_ALL, Event, Kind
from syncd.model.facts import Case, Match, Move, Recipient, Subject
from syncd.model.judgement import (
    SENDERS_FAULT,
    Engagement,
    Justification,
    Outcome,
    Rules,
    Seen,
    Send,
    SoftBounceRule,
    Standing,
)
from syncd.model.ledger import (
    Activity,
    ActivityState,
    Aspect,
    Decision,
    Ledger,
    Pending,
    Remembered,
    Value,
    Verdict,
    What,
)

__all__ = [
    "BEFORE_ALL",
    "SENDERS_FAULT",
    "Activity",
    "ActivityState",
    "Aspect",
    "Case",
    "Change",
    "Decision",
    "Engagement",
    "Event",
    "Fate",
    "Justification",
    "Kind",
    "Ledger",
    "Match",
    "Move",
    "Outcome",
    "Pending",
    "Plan",
    "Receipt",
    "Recipient",
    "Record",
    "Remembered",
    "Rules",
    "Seen",
    "Send",
    "Shape",
    "SoftBounceRule",
    "Standing",
    "State",
    "Subject",
    "Value",
    "Verdict",
    "What",
]
