"""The port of a back-test: histories of all subjects, as far as judgement needs them, a page of ids at a time.

What a payload says beside the columns matters only of bounces (why) and clicks (which link): the others are not read
again from their JSON, which is most of the work of a million events.
"""

from __future__ import annotations

import json
from collections import defaultdict
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from syncd.model import Event, Kind
from syncd.sarbacane import details
from syncd.store.cases import read_decisions
from syncd.store.sqlite import rows

if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence

    from sqlite_utils import Database

    from syncd.model import Decision

SUBJECTS_A_PAGE = 1_000


@dataclass(frozen=True, slots=True)
class History:
    """A subject's events by address; those of addresses that its record is known not to have are left out."""

    subject: int
    mail: dict[str, list[Event]]
    decisions: Sequence[Decision]


class Histories:
    def __init__(self, db: Database) -> None:
        self._db = db

    def last(self) -> int:
        """The largest id of a subject."""
        return int(rows(self._db, "SELECT coalesce(max(id), 0) FROM subjects")[0][0])

    def subjects(self) -> int:
        """How many there are."""
        return int(rows(self._db, "SELECT count(*) FROM subjects")[0][0])

    def between(self, after: int, last: int) -> Iterator[History]:
        """Of the subjects with ids in (after, last] that anything bounced for."""
        for start in range(after, last, SUBJECTS_A_PAGE):
            end = min(start + SUBJECTS_A_PAGE, last)
            mail: dict[int, dict[str, list[Event]]] = defaultdict(lambda: defaultdict(list))
            for subject, address, *columns in rows(self._db, _EVENTS, (start, end)):
                mail[subject][address].append(_event(address, *columns))
            decisions = read_decisions(self._db, json.dumps(list(mail)))
            for subject, of_subject in mail.items():
                yield History(subject, of_subject, decisions[subject])

    def told(self, subjects: Sequence[int]) -> dict[int, dict[str, Any]]:
        """Who these subjects are, and what syncd last wrote or found on their records: marked, or nothing."""
        names = ("sf_id", "object", "address", "whid", "last", "state")
        found = rows(self._db, _WHO, (json.dumps(subjects),))
        return {subject: dict(zip(names, columns, strict=True)) for subject, *columns in found}


def _event(
    address: str, key: bytes, at: int, received_at: int, word: str, kind: str, campaign: str, send: str, raw: str | None
) -> Event:
    url, smtp, category, return_code = details(raw) if raw is not None else ("", "", "", "")
    return Event(
        key, at, at, received_at, word, Kind(kind), address, "", campaign, send, "",
        url=url, smtp=smtp, category=category, return_code=return_code,
    )  # fmt: skip


_EVENTS = """
SELECT r.subject_id, r.address, e.key, e.at, e.received_at, e.word, e.kind, e.campaign, e.send,
  CASE WHEN e.kind IN ('soft_bounce','hard_bounce','click') THEN e.raw END
FROM recipients r JOIN timeline t ON t.recipient_id = r.id JOIN events e ON e.id = t.event_id
WHERE r.subject_id > ? AND r.subject_id <= ? AND coalesce(r.agrees, 1) = 1
  AND e.kind IN ('delivered','open','click','soft_bounce','hard_bounce')"""

_WHO = """
SELECT s.id, coalesce(s.sf_id, ''), coalesce(s.object, ''), min(r.address), min(r.whid), coalesce(c.what, ''),
  coalesce(c.state, '')
FROM subjects s JOIN recipients r ON r.subject_id = s.id
LEFT JOIN changes c ON c.id = (SELECT max(l.id) FROM changes l WHERE l.subject_id = s.id
  AND l.what IN ('mark','lift','undo') AND l.state IN ('done','found'))
WHERE s.id IN (SELECT value FROM json_each(?)) GROUP BY s.id"""
