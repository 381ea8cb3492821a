"""The scheduler: a run at once, then one every so often, never two at a time, and a clean stop."""

from __future__ import annotations

import signal
import threading
from contextlib import contextmanager
from datetime import UTC, datetime
from functools import partial
from typing import TYPE_CHECKING

import structlog
from apscheduler.executors.pool import ThreadPoolExecutor
from apscheduler.schedulers.background import BackgroundScheduler

from syncd.config import format_duration
from syncd.engine import assemble, run
from syncd.errors import Busy, StoreError
from syncd.salesforce import Crm
from syncd.store import open_store
from syncd.systemd import RELOAD, STOP, Pulse, notify, until_told
from syncd.watch import Watch

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator
    from pathlib import Path

    from syncd.config import Settings
    from syncd.engine import Summary

log = structlog.get_logger()

LOOK = 60.0
"""Seconds between two looks at what needs a person, beside those after each run."""


def schedule(settings: Settings, config_path: Path | None = None) -> None:
    """Blocks until SIGTERM or SIGINT; raises StoreError if the store cannot be used to begin with.

    SIGHUP reads `config_path` anew. In either case a run that is going on lets go between two calls and gives back its
    claims.
    """
    open_store(settings.store.path).close()
    # Waited for, not handled: a handler that sets an Event can meet its lock, held by the thread it interrupts.
    signal.pthread_sigmask(signal.SIG_BLOCK, (*STOP, RELOAD))
    pulse = Pulse()
    told: int = RELOAD
    while told == RELOAD:
        with _scheduler(settings, pulse):
            notify("READY=1", f"STATUS=mode {settings.sync.mode}, a run every {format_duration(settings.sync.every)}")
            settings, told = until_told(settings, config_path)
    log.info("scheduler stopped")


@contextmanager
def _scheduler(settings: Settings, pulse: Pulse) -> Iterator[None]:
    """Runs go on inside of it, in a thread of their own, and none afterwards."""
    stopping = threading.Event()
    crm = Crm(settings)
    scheduler = BackgroundScheduler(executors={"default": ThreadPoolExecutor(1)}, timezone=UTC)
    every = partial(scheduler.add_job, trigger="interval", max_instances=1, coalesce=True, misfire_grace_time=None)
    # an interval job would first wait for one interval
    first = {"next_run_time": datetime.now(UTC)}
    seconds = settings.sync.every.total_seconds()
    watch = Watch(settings)
    every(_tick, args=[settings, crm, stopping, pulse, watch.wake], seconds=seconds, **first)
    if pulse.every:  # in the thread of the runs: a run that hangs keeps it waiting, and systemd ends the process
        every(pulse, seconds=pulse.every, **first)
    scheduler.start()
    log.info("scheduler started", mode=settings.sync.mode, every=str(settings.sync.every))
    try:
        with watch.going_on(every=min(seconds, LOOK)):
            yield
    finally:
        stopping.set()
        log.info("scheduler stopping, once a run has let go")
        scheduler.shutdown(wait=True)
        crm.session.close()


def _tick(
    settings: Settings, crm: Crm, stopping: threading.Event, pulse: Pulse, afterwards: Callable[[], object]
) -> None:
    """One run. Whatever goes wrong, the next one comes, and who watches hears of it."""

    def is_to_stop() -> bool:
        """Asked between any two steps, so a run that comes by here is alive."""
        pulse()
        return stopping.is_set()

    structlog.contextvars.clear_contextvars()  # of the last run
    try:
        with assemble(settings, crm, is_to_stop) as context:
            # what is only shown need not be read every minute
            again_in = context.options.tasks_every
            write = settings.sync.mode == "live"
            said = run(context, "schedule", write=write, tasks_now=False, patient=True, show_again_in=again_in)
    except Busy:
        log.info("another run is going on")
    except StoreError as error:
        log.error("the store could not be used", error=str(error))
    except Exception:
        log.exception("a run failed in a way nobody thought of; please report it")
    else:
        report(said)
    afterwards()


def report(said: Summary) -> None:
    """One line, if anything happened."""
    words = {name: value for name, value in said.as_dict().items() if value}
    notify(f"STATUS=run {said.run_id} {said.ended}: {said.events} new events, {said.subjects} records looked at")
    if said.ended in ("unavailable", "fatal"):
        log.error("run", **words)
    elif said.ended == "budget":
        log.warning("run", **words)
    elif said.events or said.subjects:
        log.info("run", **words)
