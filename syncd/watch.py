"""Sees what needs a person, remembers it, and tells: when it begins, every day while it lasts, and when it is over."""

from __future__ import annotations

import socket
import threading
import time
from contextlib import contextmanager
from dataclasses import dataclass, field
from typing import TYPE_CHECKING

import structlog

from syncd import alerts, metrics
from syncd.alarms import conditions, store_failing
from syncd.errors import StoreError
from syncd.store import Alarms, open_store, situation
from syncd.store.alarms import REMIND

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator, Sequence

    from syncd.config import Settings
    from syncd.store import Message

MINUTE = 60_000
LONGEST_PAUSE = 30 * MINUTE
GRACE = 5.0
"""Seconds that a message under way gets when everything stops; it is told by the next one otherwise."""

log = structlog.get_logger()


@dataclass(slots=True)
class Watch:
    """For one thread. The store remembers what is open and told; what is remembered here may be forgotten."""

    settings: Settings
    now: Callable[[], int] = lambda: time.time_ns() // 1_000_000
    failures: int = 0  # of the store, in a row
    failing_told_at: int | None = None
    not_before: int = 0  # when to try again to tell
    attempts: int = 0
    _wake: threading.Event = field(default_factory=threading.Event)

    @contextmanager
    def going_on(self, every: float) -> Iterator[None]:
        """Looks every so many seconds, and when it is woken.

        In a thread of its own: a run that hangs, or a service that does not answer, holds up nobody else.
        """
        stopping = threading.Event()

        def looks() -> None:
            while not stopping.is_set():
                self._wake.wait(every)
                self._wake.clear()
                if not stopping.is_set():
                    self.look()

        thread = threading.Thread(target=looks, name="watch", daemon=True)
        thread.start()
        try:
            yield
        finally:
            stopping.set()
            self._wake.set()
            thread.join(GRACE)

    def wake(self) -> None:
        """Something happened: look soon."""
        self._wake.set()

    def look(self) -> None:
        """One look, and what is to be told of it. Whatever goes wrong, the next one comes."""
        try:
            self._look()
        except StoreError as error:
            self._store_fails(error)
        except Exception:
            log.exception("looking for alarms failed in a way nobody thought of; please report it")

    def _look(self) -> None:
        now = self.now()
        db = open_store(self.settings.store.path)
        try:
            alarms = Alarms(db)
            alarms.count(metrics.counted(self.settings.store.path), now)
            alarms.update(conditions(situation(self.settings, alarms, now)), now)
            self._store_works()
            if self.settings.alerts.urls and now >= self.not_before:
                self._tell(alarms, alarms.untold(now), now)
        finally:
            db.close()

    def _tell(self, alarms: Alarms, messages: Sequence[Message], now: int) -> None:
        for some, mood in (
            ([m for m in messages if not m.over], alerts.BAD),
            ([m for m in messages if m.over], alerts.GOOD),
        ):
            if some and self._send(*_text(some), mood):
                alarms.told(some, now)

    def _send(self, title: str, body: str, mood: str) -> bool:
        """Whether at least one service took it. If none did, it is tried again, after a pause that doubles."""
        sent = alerts.send(self.settings.alerts.urls, title, f"{body}\n\nsyncd on {socket.gethostname()}", mood)
        for one in sent:
            if one.problem:
                log.error("an alert could not be sent", to=one.name, problem=one.problem)
        if any(not one.problem for one in sent):
            self.attempts = self.not_before = 0
            return True
        self.not_before = self.now() + min(MINUTE << min(self.attempts, 16), LONGEST_PAUSE)
        self.attempts += 1
        return False

    # --- the store itself: where nothing can be remembered, it is remembered here ---------------------------------

    def _store_fails(self, error: StoreError) -> None:
        """Told from the second time on: once may be a lock that somebody held for long."""
        self.failures += 1
        now = self.now()
        log.error("the store could not be used", error=str(error))
        told = self.failing_told_at is not None and now - self.failing_told_at < REMIND
        if self.failures < 2 or told or not self.settings.alerts.urls or now < self.not_before:
            return
        alarm = store_failing(str(error))
        if self._send(f"syncd: {alarm.words}", alarm.advice, alerts.BAD):
            self.failing_told_at = now

    def _store_works(self) -> None:
        self.failures = 0
        if self.failing_told_at is not None and self._send("syncd: over: the store works again", "", alerts.GOOD):
            self.failing_told_at = None


def _text(messages: Sequence[Message]) -> tuple[str, str]:
    """Title and body of one message about all of them."""
    kind = "over: " if messages[0].over else "still: " if all(m.again for m in messages) else ""
    title = messages[0].words if len(messages) == 1 else f"{len(messages)} alarms"
    return f"syncd: {kind}{title}", "\n\n".join(
        f"{m.words}.\n{'It is over.' if m.over else m.advice}" for m in messages
    )
