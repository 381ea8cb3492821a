"""The calls that change Salesforce. No transaction is open meanwhile; every answer becomes a receipt."""

from __future__ import annotations

from typing import TYPE_CHECKING

from syncd.budget import Need
from syncd.engine.bulk import fields_in_bulk, tasks_in_bulk
from syncd.engine.withdrawing import withdraw_tasks
from syncd.engine.writing import create_tasks, put_off_locked, update_tasks, write_fields
from syncd.model import What

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator, Sequence

    from syncd.engine.context import Context, Summary
    from syncd.engine.writing import Locked
    from syncd.store import Intent

    _Write = Callable[[Context, Summary, Sequence[Intent]], Locked]
    _Step = tuple[Need, Callable[[], None], Iterator[list[Intent]], _Write]

SMALLER = ((50, 4), (10, 20), (1, 10))
"""Rows a call and calls, after a call of 200: one lock, or one row on which a trigger stumbles, may fail a whole batch,
and in a smaller one it fails fewer."""
PATIENCE = 40  # such calls in a run: some ten seconds
PAUSE = 0.25  # seconds before each of them
FIELDS: tuple[tuple[Need, tuple[What, ...]], ...] = (
    (Need.OPT_OUTS, (What.OPT_OUT,)),
    (Need.MARKS, (What.MARK, What.LIFT, What.UNDO)),
    (Need.ACTIVITIES, ()),
)
"""Changes of fields, what matters most first: all open ones of a record that has one of these go out together."""


def apply(c: Context, said: Summary) -> None:
    """Opt-outs first, then marks and lifts, then figures and activities: what matters most, while calls are left."""
    run_id = said.run_id
    steps: list[_Step] = [
        *(_of_fields(c, said, need, *first) for need, first in FIELDS),
        _of_machines(c, said),
        *(_of_tasks(c, said, known=known) for known in (True, False)),
    ]
    for need, in_bulk, pages, write in steps:
        with c.budget.for_(need):
            in_bulk()
            _step(c, said, pages, write)
    # without room in Salesforce nothing more is created in this run
    c.work.failed(((i, c.retry_at(attempts)) for i, attempts in c.journal.give_up(run_id)), c.now())


def _of_fields(c: Context, said: Summary, need: Need, *first: What) -> _Step:
    return (
        need,
        lambda: fields_in_bulk(c, said, *first),
        c.journal.fields(said.run_id, *first),
        write_fields,
    )


def _of_machines(c: Context, said: Summary) -> _Step:
    """Few, so never in bulk."""
    return Need.ACTIVITIES, lambda: None, c.journal.withdrawals(said.run_id), withdraw_tasks


def _of_tasks(c: Context, said: Summary, *, known: bool) -> _Step:
    return (
        Need.ACTIVITIES,
        lambda: tasks_in_bulk(c, said, known=known),
        c.journal.activities(said.run_id, known=known),
        update_tasks if known else create_tasks,
    )


def _step(c: Context, said: Summary, pages: Iterator[list[Intent]], write: _Write) -> None:
    for intents in pages:
        if said.full and write is create_tasks:
            return
        c.going_on(said.run_id)
        locked = write(c, said, intents)
        for size, most in SMALLER:
            locked = _smaller(c, said, locked, write, size, most)
        put_off_locked(c, said, locked)


def _smaller(c: Context, said: Summary, locked: Locked, write: _Write, size: int, most: int) -> Locked:
    """Sends what was not taken again, in smaller pieces; what is locked still, or was not sent."""
    still: Locked = []
    for piece in range(0, len(locked), size):
        part = locked[piece : piece + size]
        if piece // size >= most or said.insisted >= PATIENCE:
            still += part
            continue
        said.insisted += 1
        c.sleep(PAUSE * (0.5 + c.chance()))
        c.going_on(said.run_id)
        still += write(c, said, [intent for intent, _ in part])
    return still
