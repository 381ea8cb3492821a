"""Bytes become events or quarantined deliveries, durably: what waits together shares one commit.

One thread writes. A delivery that finds it idle is committed at once; those that come during a commit are the next
group, so the slower the disk, the larger the group, and nothing waits for a timer.
"""

from __future__ import annotations

import json
import logging
import threading
import time
from concurrent.futures import Future
from dataclasses import dataclass, field
from queue import SimpleQueue
from typing import TYPE_CHECKING

from syncd.errors import StoreError, Unreadable
from syncd.sarbacane import decode, read
from syncd.store.home import Astray
from syncd.store.inbox import Unread, Unstorable

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence

    from syncd.metrics import Counts
    from syncd.model import Event
    from syncd.store.inbox import Inbox

MAX_GROUP = 500
"""Events a transaction: about 7 ms of the write lock, which others wait for."""
MAX_WAITING = 32 * 1024 * 1024
"""Bytes of bodies that may wait for the writer; from there on deliveries are refused instead of filling the memory."""
MAX_KEPT = 64 * 1024
"""Of a body that is too large, this much is kept."""
MAX_APART = 500
"""Items of one body that are no events are kept each on its own, unless more are: half a million fit into 1 MiB."""
PATIENCE = 10.0
"""Seconds a group may have waited behind one that failed before it is refused untried: its senders have most likely
hung up, and those that came later need not wait as long. What waited for another reason, since the process was stopped
or the machine stood still, is stored all the same."""

_log = logging.getLogger(__name__)


@dataclass(slots=True)
class _Group:
    """What shares one commit, and the future of that commit."""

    future: Future[None] = field(default_factory=Future)
    since: float = field(default_factory=time.monotonic)
    events: list[Event] = field(default_factory=list)
    unread: list[Unread] = field(default_factory=list)
    size: int = 0
    proves: bool = False  # that the receiver lives, for who looks after it

    @property
    def is_full(self) -> bool:
        return len(self.events) + len(self.unread) >= MAX_GROUP


class Intake:
    """Takes deliveries from any thread. `open_inbox` gives a connection that the writer thread may use alone."""

    def __init__(self, open_inbox: Callable[[], Inbox], counts: Counts | None = None) -> None:
        self._open_inbox = open_inbox
        self._counts = counts
        self._inbox: Inbox | None = open_inbox()  # here, so that a store that can't be used stops the start
        self._lock = threading.Lock()
        self._queue: SimpleQueue[_Group | None] = SimpleQueue()
        self._gathering: _Group | None = None
        self._waiting = 0
        self._has_failed = False  # the last group
        self._is_closed = False
        self._writer = threading.Thread(target=self._write, name="intake", daemon=True)
        self._writer.start()

    def submit(self, body: bytes, received_at: int, source: str) -> Future[None]:
        """The future of the commit that holds this delivery; many deliveries share one.

        It ends with None once all of it is durable, or with a StoreError; then the same body may be submitted again.
        """
        events, unread = sort(body, received_at, source)
        return self._gather(events, unread, len(body))

    def submit_events(self, body: bytes, received_at: int) -> Future[None] | None:
        """As `submit` for a body that is all events. Of any other nothing is taken, and the answer is None."""
        try:
            events = [read(item, received_at) for item in decode(body)]
        except Exception:  # whatever it is: `submit` says
            return None
        return self._gather(events, [], len(body))

    def submit_oversized(self, start: bytes, limit: int, received_at: int, source: str) -> Future[None]:
        """For a body of more than `limit` bytes, of which only the start was read."""
        _log.warning("a body of more than %d bytes goes to quarantine", limit)
        reason = f"larger than max_body_bytes = {limit}; only the first {MAX_KEPT // 1024} KiB are kept"
        return self._gather([], [Unread(received_at, source, reason, start[:MAX_KEPT])], len(start))

    def probe(self) -> Future[None]:
        """Proves that a write is taken now, and remembers when."""
        return self._gather([], [], 0, proves=True)

    def close(self) -> None:
        """Commits what was submitted and refuses the rest."""
        with self._lock:
            if not self._is_closed:
                self._is_closed = True
                self._queue.put(None)
        self._writer.join()

    def _gather(self, events: list[Event], unread: list[Unread], size: int, *, proves: bool = False) -> Future[None]:
        with self._lock:
            if self._is_closed:
                return _refused("the receiver is stopping")
            if self._waiting >= MAX_WAITING:
                return _refused("too much waits for the store already")
            group = self._gathering
            if group is None or group.is_full:
                group = self._gathering = _Group()
                self._queue.put(group)
            group.events += events
            group.unread += unread
            group.size += size
            group.proves |= proves
            self._waiting += size
            return group.future

    def _write(self) -> None:
        while (group := self._queue.get()) is not None:
            with self._lock:
                if self._gathering is group:
                    self._gathering = None
            self._settle(group)
            with self._lock:
                self._waiting -= group.size
        if self._inbox:
            self._inbox.close()

    def _settle(self, group: _Group) -> None:
        try:
            self._store(group)
        except StoreError as error:
            self._fail(group, error)
        except BaseException as error:  # the thread must outlive anything: without it nothing is received
            self._fail(group, StoreError(f"the store cannot be written: {type(error).__name__}"))
        else:
            self._has_failed = False
            group.future.set_result(None)
            if self._counts and group.size:
                self._counts.committed(len(group.events), len(group.unread), time.monotonic() - group.since)

    def _fail(self, group: _Group, error: StoreError) -> None:
        refused = len(group.events) + len(group.unread)
        _log.error("%d deliveries refused: %s", refused, error)
        self._has_failed = True
        if not isinstance(error, Astray):  # then no other is to be opened
            self._reopen_later()
        group.future.set_exception(error)
        if self._counts:
            self._counts.refused(refused)

    def _store(self, group: _Group) -> None:
        if self._has_failed and time.monotonic() - group.since > PATIENCE:
            raise StoreError("the store was busy for too long")
        self._append(group)
        if self._inbox and self._inbox.is_left():
            _log.warning("the store's file is another one now; storing in that")
            self._reopen_later()
            self._append(group)

    def _append(self, group: _Group) -> None:
        if self._inbox is None:
            self._inbox = self._open_inbox()
        if group.events or group.unread:
            keep(self._inbox, group.events, group.unread)
        if group.proves:
            self._inbox.is_received(time.time_ns() // 1_000_000)

    def _reopen_later(self) -> None:
        """A connection may stay unusable after an I/O error; a new one costs nothing beside the failure."""
        inbox, self._inbox = self._inbox, None
        if inbox:
            try:
                inbox.close()
            except Exception as error:
                _log.warning("closing the store failed: %s", type(error).__name__)


def sort(body: bytes, received_at: int, source: str) -> tuple[list[Event], list[Unread]]:
    """What a body holds: events, and what is no event with the reason. Of an empty body nothing."""
    if not body.strip():
        return [], []
    try:
        items = decode(body)
    except Exception as error:
        return [], [Unread(received_at, source, _reason(error), body)]
    events: list[Event] = []
    odd: list[tuple[object, str]] = []
    for item in items:
        try:
            events.append(read(item, received_at))
        except Exception as error:
            odd.append((item, _reason(error)))
    if len(odd) > MAX_APART:
        reason = f"{len(odd):,} of {len(items):,} items, the first: {odd[0][1]}"
        return events, [Unread(received_at, source, reason, _dump([item for item, _ in odd], body))]
    apart = len(items) > 1
    return events, [Unread(received_at, source, why, _dump(item, body) if apart else body) for item, why in odd]


def keep(inbox: Inbox, events: Sequence[Event], unread: Sequence[Unread]) -> tuple[int, list[Unread]]:
    """Appends them. How many events were new, and those that the store refuses: they are quarantined one by one.

    One bad row must not keep the others out, and refusing it would only bring it back.
    """
    try:
        return inbox.append(events, unread), []
    except Unstorable:
        new, refused = 0, []
        for event in events:
            try:
                new += inbox.append([event])
            except Unstorable as error:
                body = event.raw.encode(errors="backslashreplace")
                refused.append(Unread(event.received_at, "intake", str(error), body))
        inbox.append([], [*refused, *unread])
        return new, refused


def _reason(error: Exception) -> str:
    """Our own words, or the mere name of what was not foreseen: its text could quote an address."""
    return str(error) if isinstance(error, Unreadable) else f"reading it failed: {type(error).__name__}"


def _dump(item: object, body: bytes) -> bytes:
    """The item alone, so that the good ones of its array are not read a second time."""
    try:
        return json.dumps(item).encode()
    except (ValueError, RecursionError):
        return body


def _refused(why: str) -> Future[None]:
    future: Future[None] = Future()
    future.set_exception(StoreError(why))
    return future
