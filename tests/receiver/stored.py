"""What a test reads back from the store, and bodies to send."""

from __future__ import annotations

import json
from contextlib import closing
from typing import TYPE_CHECKING, Any

from syncd.store import open_store

if TYPE_CHECKING:
    from pathlib import Path


def payload(number: int = 0, **changes: Any) -> dict[str, Any]:
    """A valid event; another number is another event."""
    return {
        "email": f"user{number}@example.com",
        "campaignId": "campaign",
        "sendId": "send",
        "type": "open",
        "date": "2026-03-02T10:00:00.000Z",
        "whId": "",
    } | changes


def body(number: int = 0, **changes: Any) -> bytes:
    return json.dumps(payload(number, **changes)).encode()


def addresses(path: Path) -> list[str]:
    return [row[0] for row in query(path, "SELECT address FROM events ORDER BY id")]


def reasons(path: Path) -> list[str]:
    return [row[0] for row in query(path, "SELECT reason FROM quarantine ORDER BY id")]


def query(path: Path, sql: str) -> list[tuple[Any, ...]]:
    with closing(open_store(path)) as db:
        return list(db.execute(sql).fetchall())
