"""What was called, what was saved by it, and what is being answered now."""

import threading
from collections import deque
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from typing import NamedTuple

CALLS_KEPT = 100_000
WRITES_KEPT = 1_000_000


@dataclass(slots=True)
class Call:
    """One HTTP call, noted on arrival. `status` is 0 while it has no answer, and for ever if the connection was cut;
    `rows` is how many records it sent, asked for by id, or was given by a query."""

    method: str
    path: str
    status: int = 0
    rows: int | None = None
    writing: bool = False


class Write(NamedTuple):
    """One record saved through the API."""

    type: str
    id: str
    created: bool


class Traffic:
    """`lock` guards what is kept; waiting for the last answer holds up nobody who works."""

    def __init__(self, lock: threading.RLock) -> None:
        self.lock = lock
        self._calls: deque[Call] = deque(maxlen=CALLS_KEPT)
        self.writes: deque[Write] = deque(maxlen=WRITES_KEPT)
        self._idle = threading.Condition()
        self._under_way = 0

    @property
    def calls(self) -> list[Call]:
        with self.lock:
            return list(self._calls)

    def calls_count(self, *, writing: bool | None = None) -> int:
        return sum(1 for call in self.calls if writing is None or call.writing == writing)

    def note(self, call: Call) -> Call:
        with self.lock:
            self._calls.append(call)
        return call

    @contextmanager
    def under_way(self) -> Iterator[None]:
        """A call being answered, or held back by a fault."""
        with self._idle:
            self._under_way += 1
        try:
            yield
        finally:
            with self._idle:
                self._under_way -= 1
                self._idle.notify_all()

    @property
    def is_busy(self) -> bool:
        """Whether a call is under way."""
        with self._idle:
            return self._under_way > 0

    def wait_until_idle(self, seconds: float = 60) -> bool:
        """Until no call is under way, those included whose client has given up; False if that took too long."""
        with self._idle:
            return self._idle.wait_for(lambda: self._under_way == 0, seconds)

    def forget_calls(self) -> None:
        with self.lock:
            self._calls.clear()
            self.writes.clear()

    def wrote(self, kind: str, record_id: str, *, created: bool) -> None:
        self.writes.append(Write(kind, record_id, created))
