"""What a run works with, and what it tells afterwards."""

from __future__ import annotations

import random
import time
from collections import Counter
from contextlib import contextmanager
from dataclasses import dataclass, field
from datetime import timedelta
from typing import TYPE_CHECKING

from syncd.brake import Limits
from syncd.budget import Budget
from syncd.engine.foresight import Foresight
from syncd.store import Calls, Holds, Jobs, Journal, Work, open_store

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

    from syncd.config import Settings
    from syncd.errors import BudgetSpent
    from syncd.model import Case, Plan, Rules
    from syncd.salesforce import Crm

PULSE = 10_000  # ms; after two minutes without a heartbeat a run is taken for dead
BY_CONFIGURATION = "configuration"
"""The code of a run that a wrong setting, or a secret that is missing, brought to its end."""
FIRST_RETRY = 60_000
LAST_RETRY = 3_600_000
READS = 4
"""Contacts and Leads are read by calls of their own, and a page's last call for each is seldom full: with pages of one
call's records a hundred thousand recipients of both kinds took 100 reads, with four it is 63."""


@dataclass(frozen=True, slots=True)
class Options:
    """Times in ms."""

    batch_size: int = 2_000  # records read in one call
    reads: int = 1  # so many times as many subjects are planned together
    retry_for: int = 7 * 86_400_000
    settle: int = 600_000  # how long Salesforce may still commit what it did not answer
    tasks_every: int = 900_000
    daily_budget: str | int = "20%"
    bulk_threshold: int = 2_000


@dataclass(frozen=True, slots=True)
class Context:
    """The store, Salesforce, the rules; and clock, chance and the wish to stop as arguments."""

    work: Work
    journal: Journal
    holds: Holds
    calls: Calls
    jobs: Jobs
    crm: Crm
    rules: Rules
    limits: Limits
    options: Options
    now: Callable[[], int]
    chance: Callable[[], float]  # in [0, 1)
    stopping: Callable[[], bool]
    show: Callable[[Case, Plan], None]
    sleep: Callable[[float], None] = time.sleep

    @property
    def budget(self) -> Budget:
        """What every call of this run asks first."""
        asked = self.crm.session.budget
        if asked is None or asked.ledger is not self.calls:
            self.crm.session.budget = asked = Budget(self.calls, self.options.daily_budget, self.now)
        return asked

    def begin(self, cause: str, now: int) -> int:
        """Starts a run, which every call to Salesforce shows to live from now on: a few in a row may take minutes."""
        run_id = self.work.begin(cause, now, self.options.settle)
        self.crm.session.alive = _Pulse(self, run_id, now)
        return run_id

    def end(self, said: Summary) -> None:
        self.crm.session.alive = None
        self.work.end(said.run_id, self.now(), said.as_dict())

    def going_on(self, run_id: int) -> None:
        """Between two steps: shows that the run lives, and lets go if somebody wants it to."""
        if self.stopping():
            raise Stopped
        self.work.beat(run_id, self.now())

    def retry_at(self, attempts: int) -> int:
        """Back-off doubles up to an hour, with jitter so that not everything comes back at once."""
        pause = min(FIRST_RETRY << min(attempts, 16), LAST_RETRY)
        return self.now() + round(pause * (0.5 + self.chance()))


class _Pulse:
    """Shows that a run lives, but not oftener than is needed."""

    def __init__(self, c: Context, run_id: int, now: int) -> None:
        self._c, self._run_id, self._last = c, run_id, now

    def __call__(self) -> None:
        now = self._c.now()
        if now - self._last >= PULSE:
            self._last = now
            self._c.stopping()  # who is asked that watches, too; the answer is heeded between two steps
            self._c.work.beat(self._run_id, now)


@dataclass(slots=True)
class Summary:
    """What a run did; `ended` is done, stopped, budget, unavailable or fatal, with Salesforce's code and words.

    `resumes_at`: when the budget has calls again for what it ended, or left waiting, for.
    """

    run_id: int = 0
    ended: str = "done"
    code: str = ""
    words: str = ""
    events: int = 0
    subjects: int = 0
    unmatched: int = 0
    failed: int = 0  # subjects put off because something that is theirs went wrong
    calls: int = 0
    troubles: list[str] = field(default_factory=list)  # what that was, each once
    resumes_at: int = 0
    in_jobs: int = 0  # changes that Salesforce has taken in a job and not answered yet
    waited: float = 0.0  # seconds, for jobs
    insisted: int = 0  # calls for what was locked
    full: bool = False  # Salesforce has no room for anything new
    planned: Counter[str] = field(default_factory=Counter)  # by what
    changes: Counter[str] = field(default_factory=Counter)  # by state
    rejections: Counter[str] = field(default_factory=Counter)  # by Salesforce's code
    held: Counter[str] = field(default_factory=Counter)  # by group; of a run that only shows, what would be
    foresight: Foresight = field(default_factory=Foresight)  # of a run that only shows

    @property
    def is_misconfigured(self) -> bool:
        return self.code == BY_CONFIGURATION

    def as_dict(self) -> dict[str, object]:
        return {
            "run": self.run_id,
            "ended": self.ended,
            "code": self.code,
            "words": self.words,
            "events": self.events,
            "subjects": self.subjects,
            "unmatched": self.unmatched,
            "failed": self.failed,
            "troubles": self.troubles,
            "calls": self.calls,
            "resumes_at": self.resumes_at,
            "in_jobs": self.in_jobs,
            "planned": dict(self.planned),
            "changes": dict(self.changes),
            "rejections": dict(self.rejections),
            "held": dict(self.held),
        }

    def trouble(self, text: str) -> None:
        if text not in self.troubles:
            self.troubles.append(text)

    def spent(self, error: BudgetSpent | None) -> None:
        """What there are calls for goes on; the rest waits."""
        if error:
            self.ended, self.words, self.resumes_at = "budget", error.words, error.until


class Stopped(Exception):  # noqa: N818
    """Somebody asked the run to stop; it has let go between two calls."""


@contextmanager
def assemble(
    settings: Settings,
    crm: Crm,
    stopping: Callable[[], bool] = lambda: False,
    show: Callable[[Case, Plan], None] = lambda _case, _plan: None,
) -> Iterator[Context]:
    """A context on this thread's own connection to the store, with the real clock and real chance."""
    db = open_store(settings.store.path)
    try:
        yield Context(
            work=Work(db),
            journal=Journal(db),
            holds=Holds(db),
            calls=Calls(db),
            jobs=Jobs(db),
            crm=crm,
            rules=settings.judgement(),
            limits=Limits(**settings.brake.model_dump()),
            options=Options(
                batch_size=settings.sync.batch_size,
                reads=READS,
                retry_for=_ms(settings.sync.retry_for),
                settle=_ms(settings.activities.settle_uncertain),
                tasks_every=_ms(settings.activities.every),
                daily_budget=settings.salesforce.daily_budget,
                bulk_threshold=settings.salesforce.bulk_threshold,
            ),
            now=lambda: time.time_ns() // 1_000_000,
            chance=random.random,
            stopping=stopping,
            show=show,
        )
    finally:
        crm.session.budget = None  # it counts in this store
        crm.session.alive = None
        db.close()


def _ms(duration: timedelta) -> int:
    return duration // timedelta(milliseconds=1)
