"""What a person steers by hand: one function a verb.

There is no second path: each verb adds facts or makes subjects due, and a run does the rest.
"""

from __future__ import annotations

import time
from contextlib import nullcontext
from dataclasses import dataclass, field
from typing import TYPE_CHECKING

from syncd.intake import keep, sort
from syncd.offline import items
from syncd.store import Unread
from syncd.store.sqlite import PAUSE, chunks

if TYPE_CHECKING:
    import io
    from collections.abc import Iterator, Sequence

    from syncd.model import Event
    from syncd.offline import Item
    from syncd.store import Choice, Chosen, Inbox, Lists, Preview

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


@dataclass(frozen=True, slots=True)
class Taken:
    """How far an import is. `unread`: what it put in quarantine last, or would put there."""

    items: int = 0
    new: int = 0
    known: int = 0
    quarantined: int = 0
    unread: Sequence[Unread] = ()


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
        if dry_run:
            new, refused = len({event.key for event in self.events}) - inbox.known(self.events), list[Unread]()
        else:
            new, refused = _keep(inbox, self.events, self.unread)
        unread = (*self.unread, *refused)
        return Taken(
            before.items + self.items,
            before.new + new,
            before.known + len(self.events) - new - len(refused),
            before.quarantined + len(unread),
            unread,
        )


def _keep(inbox: Inbox, events: Sequence[Event], unread: Sequence[Unread]) -> tuple[int, list[Unread]]:
    """As `intake.keep`, in transactions that leave the receiver its turn."""
    new, refused = 0, list[Unread]()
    for chunk in chunks(events):
        stored, odd = keep(inbox, chunk, ())
        new += stored
        refused += odd
    if unread:
        keep(inbox, (), unread)
    time.sleep(PAUSE)
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
