"""All that is stored about one address, for who asks what that is."""

from __future__ import annotations

import json
from typing import TYPE_CHECKING, Any

from syncd.sarbacane import text_of
from syncd.store.mentions import Person
from syncd.store.sqlite import rows

if TYPE_CHECKING:
    from collections.abc import Iterator

    from sqlite_utils import Database

BODIES_A_PAGE = 10


def everything(db: Database, address: str) -> dict[str, list[dict[str, Any]]]:
    """By table. Payloads are as they came; instants in ms."""
    arguments = {"address": address}
    found = {name: list(_dicts(db, sql, arguments)) for name, sql in _TABLES.items()}
    found["quarantine"] = list(_quarantined(db, address))
    return found


def _dicts(db: Database, sql: str, arguments: dict[str, Any]) -> Iterator[dict[str, Any]]:
    cursor = db.execute(sql, arguments)
    names = [column[0] for column in cursor.description]
    for row in cursor.fetchall():
        yield {name: json.loads(it) if name in _JSON and it else it for name, it in zip(names, row, strict=True)}


def _quarantined(db: Database, address: str) -> Iterator[dict[str, Any]]:
    """Deliveries that could not be read and have the address in them, however it is spelt."""
    person = Person(address)
    last = rows(db, "SELECT coalesce(max(id), 0) FROM quarantine")[0][0]
    for start in range(0, last, BODIES_A_PAGE):
        for kept_id, received_at, reason, body in rows(
            db,
            "SELECT id, received_at, reason, body FROM quarantine WHERE id > ? AND id <= ?",
            (start, start + BODIES_A_PAGE),
        ):
            if person.is_in_body(bytes(body)):
                yield {"id": kept_id, "received_at": received_at, "reason": reason, "body": text_of(bytes(body))}


_JSON = frozenset({"raw", "before", "after", "why"})
_MINE = "(SELECT subject_id FROM recipients WHERE address = :address)"
_TABLES = {
    "recipients": "SELECT r.address, r.whid, r.matched, s.sf_id AS record, s.object"
    " FROM recipients r JOIN subjects s ON s.id = r.subject_id WHERE r.address = :address ORDER BY r.id",
    "events": """SELECT e.id, e.at, e.received_at, e.kind, e.campaign, e.send, e.repeats, e.raw
        FROM events e WHERE e.id IN (
        SELECT t.event_id FROM timeline t JOIN recipients r ON r.id = t.recipient_id WHERE r.address = :address
        UNION SELECT n.id FROM events n WHERE n.address = :address)
        ORDER BY e.at, e.id""",
    "decisions": f"SELECT aspect, verdict, at, by, note FROM decisions WHERE subject_id IN {_MINE} ORDER BY id",
    "changes": "SELECT id, what, object, sf_id AS record, before, after, why, state, intended_at"
    f" FROM changes WHERE subject_id IN {_MINE} ORDER BY id",
    "receipts": "SELECT o.change_id, o.at, o.ok, o.sf_id AS record, o.code, o.words FROM receipts o"
    f" JOIN changes c ON c.id = o.change_id WHERE c.subject_id IN {_MINE} ORDER BY o.id",
    "activities": f"SELECT key, task_id AS task, state FROM activities WHERE subject_id IN {_MINE} ORDER BY key",
}
