"""What a person steers by hand: one function a verb.

There is no second path: each verb adds facts or makes subjects due, and a run does the rest.
"""

from __future__ import annotations

import os
from contextlib import closing, nullcontext
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any

from syncd.backtest import compare
from syncd.intake import keep, sort
from syncd.offline import items
from syncd.store import Histories, Unread, open_store

if TYPE_CHECKING:
    import io
    from collections.abc import Iterator, Mapping, Sequence
    from pathlib import Path

    from syncd.backtest import Difference
    from syncd.model import Event, Rules
    from syncd.offline import Item
    from syncd.store import Choice, Chosen, Hold, Holds, Inbox, Lists, Preview

_Row = dict[str, Any]

BYTES_A_TRANSACTION = 1 << 20
ROWS_A_TURN = 10
"""Rows of an import that go into one transaction. With 100 a receiver's p99 beside it was 2.8 to 4.8 times that of an
idle one, with 10 it was 1.3 to 3.3 times over ten measurements; a million lines take seven minutes instead of three.
That was with a sync in each; since then there is one at the end (`Inbox.durable_at_the_end`)."""


@dataclass(frozen=True, slots=True)
class Due:
    """What a run is to look at: so many subjects, and so many refused changes to be tried again.

    Of a dry run nothing is due; `preview` is the work to give to a run that does not write.
    """

    subjects: int
    changes: int = 0
    preview: Preview | None = None


def resync(chosen: Chosen, choice: Choice, now: int, *, dry_run: bool) -> Due:
    """Makes those that the choice means due."""
    subjects = chosen.add(choice)
    if dry_run:
        return Due(subjects, preview=chosen.preview())
    chosen.wake(now)
    return Due(subjects)


def retry(chosen: Chosen, now: int, *, run_id: int | None, record: str, dry_run: bool) -> Due:
    """Makes the subjects of refused changes due, and lets the same be tried, and refused, again."""
    subjects = chosen.add_refused(run_id, record)
    if dry_run:
        return Due(subjects, chosen.refused_changes(run_id), chosen.preview(forgiving=True))
    return Due(subjects, chosen.retry(now, run_id))


def release(holds: Holds, chosen: Chosen, hold: Hold, by: str, now: int, *, dry_run: bool) -> Due:
    """Makes the subjects of a held group due: what still follows is written, and not held again."""
    subjects = chosen.add_held(hold.id)
    changes = sum(hold.held.values())
    if dry_run:
        return Due(subjects, changes, chosen.preview(releasing=True))
    return Due(subjects, holds.release(hold.id, by, now))


@dataclass(frozen=True, slots=True)
class Taken:
    """How far an import is. `unread`: what it put in quarantine last, or would put there; `would`: what a dry run
    would have stored last.
    """

    items: int = 0
    new: int = 0
    known: int = 0
    quarantined: int = 0
    unread: Sequence[Unread] = ()
    would: Sequence[Event] = ()


def take_in(inbox: Inbox, file: io.BufferedReader[io.FileIO], name: str, now: int, *, dry_run: bool) -> Iterator[Taken]:
    """Stores what a file holds as if it had come by webhook; how far it is, after each transaction.

    Raises Unreadable for a file that is none of Sarbacane's. Killed and started again, it finds known what it stored.
    """
    batch = _Batch()
    said = Taken()
    with nullcontext() if dry_run else inbox.durable_at_the_end():
        for item in items(file):
            batch.add(item, f"{name}:{item.line}", now)
            if batch.is_full:
                said = batch.stored(inbox, said, dry_run=dry_run)
                batch = _Batch()
                yield said
        said = batch.stored(inbox, said, dry_run=dry_run)
    yield said


@dataclass(slots=True)
class _Batch:
    """What one transaction takes; the receiver has its turn behind it."""

    items: int = 0
    size: int = 0
    events: list[Event] = field(default_factory=list)
    unread: list[Unread] = field(default_factory=list)

    @property
    def is_full(self) -> bool:
        return len(self.events) + len(self.unread) >= ROWS_A_TURN or self.size >= BYTES_A_TRANSACTION

    def add(self, item: Item, source: str, now: int) -> None:
        self.items += 1
        self.size += len(item.body)
        if item.reason:  # whatever its text looks like
            self.unread.append(Unread(now, source, item.reason, item.body))
            return
        events, unread = sort(item.body, now, source)
        self.events += events
        self.unread += unread

    def stored(self, inbox: Inbox, before: Taken, *, dry_run: bool) -> Taken:
        would = inbox.unknown(self.events) if dry_run else []
        new, refused = (len(would), []) if dry_run else _keep(inbox, self.events, self.unread)
        unread = (*self.unread, *refused)
        return Taken(
            before.items + self.items,
            before.new + new,
            before.known + len(self.events) - new - len(refused),
            before.quarantined + len(unread),
            unread,
            would,
        )


def _keep(inbox: Inbox, events: Sequence[Event], unread: Sequence[Unread]) -> tuple[int, list[Unread]]:
    """As `intake.keep`, in transactions that leave the receiver its turn."""
    new, refused = 0, list[Unread]()
    for chunk in inbox.turns(events):
        stored, odd = keep(inbox, chunk, ())
        new += stored
        refused += odd
    if unread:
        keep(inbox, (), unread)
    return new, refused


@dataclass(frozen=True, slots=True)
class Reread:
    """One delivery from quarantine, read again: how many events it holds, and why not if none."""

    id: int
    source: str
    events: int
    reason: str


def read_again(lists: Lists, inbox: Inbox, ids: Sequence[int], now: int, *, dry_run: bool) -> Iterator[Reread]:
    """Reads what is in quarantine as it would be read today; what is an event now is stored as one."""
    for kept in lists.unresolved(ids):
        events, unread = sort(kept["body"], kept["received_at"], kept["source"])
        if events and not dry_run:
            # the unreadable items of an array become deliveries of their own; killed in between, both are done again
            _keep(inbox, events, unread)
            lists.resolve([kept["id"]], now)
        why = "" if events else unread[0].reason if unread else kept["reason"]
        yield Reread(kept["id"], kept["source"], len(events), why)


# --- back-tests -------------------------------------------------------------------------------------------------------

SUBJECTS_A_TASK = 5_000
ALONE = 20_000
"""Up to so many subjects one process is quicker than starting others."""


def backtest(path: Path, now: Rules, then: Rules, *, processes: int | None = None) -> Iterator[tuple[int, list[_Row]]]:
    """How many subjects are compared so far, and what of them the other rules would change. Changes nothing."""
    with closing(open_store(path)) as db:
        last = Histories(db).last()
    tasks = [(path, after, min(after + SUBJECTS_A_TASK, last), now, then) for after in range(0, last, SUBJECTS_A_TASK)]
    many = processes or (1 if last <= ALONE else min(4, os.cpu_count() or 1))
    if many == 1:
        yield from ((task[2], _compared(task)) for task in tasks)
        return
    # here, since no other verb has use for processes
    from concurrent.futures import ProcessPoolExecutor
    from multiprocessing import get_context

    # spawned, not forked: a connection to SQLite must not be carried over
    with ProcessPoolExecutor(many, mp_context=get_context("spawn")) as pool:
        for task, found in zip(tasks, pool.map(_compared, tasks), strict=True):
            yield task[2], found


def _compared(task: tuple[Path, int, int, Rules, Rules]) -> list[_Row]:
    path, after, last, now, then = task
    with closing(open_store(path)) as db:
        histories = Histories(db)
        found = [
            difference
            for history in histories.between(after, last)
            if (difference := compare(history.subject, history.mail, history.decisions, now, then))
        ]
        who = histories.told([difference.subject for difference in found])
    return [_as_row(difference, who[difference.subject]) for difference in found]


def _as_row(difference: Difference, who: Mapping[str, Any]) -> _Row:
    why = difference.because
    carries = {("mark", "done"): "syncd", ("mark", "found"): "somebody else"}
    return {
        "would_be": "marked" if difference.is_marked else "lifted",
        "object": who["object"],
        "record": who["sf_id"],
        "address": why.event.address,
        "whid": who["whid"],
        "rule": why.rule,
        "reason": why.reason,
        "at": why.event.at,
        "marked_by": carries.get((who["last"], who["state"]), ""),
    }
