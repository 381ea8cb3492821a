"""The scheduler: a run at once, then one every so often, never two at a time, and a clean stop."""

from __future__ import annotations

import signal
import threading
from datetime import UTC, datetime
from typing import TYPE_CHECKING

import structlog
from apscheduler.executors.pool import ThreadPoolExecutor
from apscheduler.schedulers.background import BackgroundScheduler

from syncd.engine import assemble, run
from syncd.errors import Busy, StoreError
from syncd.salesforce import Crm
from syncd.store import open_store

if TYPE_CHECKING:
    from syncd.config import Settings
    from syncd.engine import Summary

log = structlog.get_logger()

STOP = (signal.SIGTERM, signal.SIGINT)


def schedule(settings: Settings) -> None:
    """Blocks until SIGTERM or SIGINT; raises StoreError if the store cannot be used to begin with.

    A run that is going on then lets go between two calls and gives back its claims.
    """
    open_store(settings.store.path).close()
    stopping = threading.Event()
    # Waited for, not handled: a handler that sets an Event can meet its lock, held by the thread it interrupts.
    signal.pthread_sigmask(signal.SIG_BLOCK, STOP)
    crm = Crm(settings)
    scheduler = BackgroundScheduler(executors={"default": ThreadPoolExecutor(1)}, timezone=UTC)
    scheduler.add_job(
        lambda: _tick(settings, crm, stopping),
        "interval",
        seconds=settings.sync.every.total_seconds(),
        next_run_time=datetime.now(UTC),  # an interval job would first wait for one interval
        max_instances=1,
        coalesce=True,
        misfire_grace_time=None,
    )
    scheduler.start()
    log.info("scheduler started", mode=settings.sync.mode, every=str(settings.sync.every))
    signal.sigwait(STOP)
    stopping.set()
    scheduler.shutdown(wait=True)
    log.info("scheduler stopped")


def _tick(settings: Settings, crm: Crm, stopping: threading.Event) -> None:
    """One run. Whatever goes wrong, the next one comes."""
    try:
        with assemble(settings, crm, stopping.is_set) as context:
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


def report(said: Summary) -> None:
    """One line, if anything happened."""
    words = {name: value for name, value in said.as_dict().items() if value}
    if said.ended in ("unavailable", "fatal"):
        log.error("run", **words)
    elif said.ended == "budget":
        log.warning("run", **words)
    elif said.events or said.subjects:
        log.info("run", **words)
