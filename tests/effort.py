"""How much work a statement is, which no clock tells as surely."""

from __future__ import annotations

from collections.abc import Callable

from sqlite_utils import Database


def effort(db: Database, do: Callable[[], object]) -> int:
    """Steps that SQLite's machine takes for it; a row that is looked at is two at least."""
    taken: list[None] = []
    db.conn.set_progress_handler(lambda: taken.append(None), 1)
    do()
    db.conn.set_progress_handler(None, 0)
    return len(taken)
