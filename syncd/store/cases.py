"""The facts about subjects, as a run and who looks take them."""

from __future__ import annotations

import json
from collections import defaultdict
from typing import TYPE_CHECKING

from syncd.model import Aspect, Case, Decision, Ledger, Recipient, Verdict
from syncd.sarbacane import reread
from syncd.store.ledger import read_ledgers
from syncd.store.sqlite import rows

if TYPE_CHECKING:
    from collections.abc import Sequence

    from sqlite_utils import Database

    from syncd.model import Event, Subject


def read_cases(db: Database, subjects: Sequence[Subject], wrong: dict[int, Exception]) -> list[Case]:
    """All but those whose facts cannot be read; these are put into `wrong`."""
    ids = json.dumps([subject.id for subject in subjects])
    recipients = _recipients(db, ids)
    events = _histories(db, ids, wrong)
    decisions = read_decisions(db, ids)
    ledgers = read_ledgers(db, ids, decisions, wrong)
    return [
        Case(
            subject,
            tuple(recipients[subject.id]),
            tuple(events[subject.id]),
            tuple(decisions[subject.id]),
            ledgers.get(subject.id, Ledger()),
        )
        for subject in subjects
        if subject.id not in wrong
    ]


def _recipients(db: Database, ids: str) -> dict[int, list[Recipient]]:
    recipients: dict[int, list[Recipient]] = defaultdict(list)
    for subject_id, *columns in rows(
        db,
        "SELECT subject_id, id, address, whid, lookups, matched FROM recipients"
        " WHERE subject_id IN (SELECT value FROM json_each(?)) ORDER BY id",
        (ids,),
    ):
        recipients[subject_id].append(Recipient(*columns))
    return recipients


def _histories(db: Database, ids: str, wrong: dict[int, Exception]) -> dict[int, list[Event]]:
    events: dict[int, list[Event]] = defaultdict(list)
    for subject_id, raw, received_at in rows(
        db,
        "SELECT r.subject_id, e.raw, e.received_at FROM recipients r JOIN timeline t ON t.recipient_id = r.id"
        " JOIN events e ON e.id = t.event_id WHERE r.subject_id IN (SELECT value FROM json_each(?))",
        (ids,),
    ):
        try:
            events[subject_id].append(reread(raw, received_at))
        except Exception as error:
            wrong[subject_id] = error
    return events


def read_decisions(db: Database, ids: str) -> dict[int, list[Decision]]:
    """By subject id; `ids` is a JSON array."""
    decisions: dict[int, list[Decision]] = defaultdict(list)
    for subject_id, aspect, verdict, *columns in rows(
        db,
        "SELECT subject_id, aspect, verdict, at, through, by, note, sf_id FROM decisions"
        " WHERE subject_id IN (SELECT value FROM json_each(?)) ORDER BY id",
        (ids,),
    ):
        decisions[subject_id].append(Decision(Aspect(aspect), Verdict(verdict), *columns))
    return decisions
