"""What the receiver counts, in files beside the store, so that another process can show it.

Nothing is counted per request: a commit counts for all that shared it, which costs a few microseconds a group.
"""

from __future__ import annotations

import logging
import os
import stat
from contextlib import suppress
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from pathlib import Path

    from prometheus_client.registry import Collector

_VARIABLE = "PROMETHEUS_MULTIPROC_DIR"
_log = logging.getLogger(__name__)
BUCKETS = (0.001, 0.0025, 0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1, 2.5, 5, 10)


def directory_of(store: Path) -> Path:
    return store.with_name("receiver-metrics")


def start(store: Path) -> None:
    """Before a worker starts: counts begin at nothing and go into files. prometheus_client asks when it is imported.

    Where that cannot be, it counts for itself alone: a figure that nobody sees is no reason to refuse an event.
    """
    directory = directory_of(store)
    with suppress(OSError):
        _make(directory)
        for old in directory.glob("*.db"):
            old.unlink()
    if os.access(directory, os.W_OK | os.X_OK):
        os.environ[_VARIABLE] = str(directory)
    else:
        _log.error("nobody sees what is counted: no directory that this user may write to is at %s", directory)


def _make(directory: Path) -> None:
    """By root it becomes its parent's owner's, as the store does: the service is to write there next time."""
    if directory.exists():
        return
    directory.mkdir()
    parent = directory.parent.stat()
    if os.geteuid() == 0 and parent.st_uid != 0:
        os.chown(directory, parent.st_uid, parent.st_gid)
        directory.chmod(stat.S_IMODE(parent.st_mode))


def exposition(store: Path, *more: Collector) -> bytes:
    """The sums over all workers, dead ones too, and `more`, in Prometheus' text format. For any process that may read
    the files."""
    from prometheus_client import CollectorRegistry, generate_latest
    from prometheus_client.multiprocess import MultiProcessCollector

    registry = CollectorRegistry()
    if directory_of(store).is_dir():
        MultiProcessCollector(registry, str(directory_of(store)))  # type: ignore[no-untyped-call]
    for collector in more:
        registry.register(collector)
    return generate_latest(registry)


def counted(store: Path) -> dict[str, int]:
    """The receiver's counters by name, summed over its workers; nothing if it never ran."""
    from prometheus_client import CollectorRegistry
    from prometheus_client.multiprocess import MultiProcessCollector

    if not directory_of(store).is_dir():
        return {}
    registry = CollectorRegistry()
    MultiProcessCollector(registry, str(directory_of(store)))  # type: ignore[no-untyped-call]
    return {
        family.name: int(sum(s.value for s in family.samples))
        for family in registry.collect()
        if family.type == "counter"
    }


class Counts:
    """The receiver's counters."""

    def __init__(self) -> None:
        from prometheus_client import CollectorRegistry, Counter, Histogram

        registry = CollectorRegistry()
        self._events = Counter("syncd_events_received", "Events committed, duplicates too", registry=registry)
        self._unread = Counter("syncd_deliveries_quarantined", "What was no event", registry=registry)
        self._refused = Counter("syncd_deliveries_refused", "Answered 503: the store could not", registry=registry)
        self._unknown = Counter("syncd_unknown_token", "Calls whose token is not in the list", registry=registry)
        self._seconds = Histogram(
            "syncd_commit_seconds", "From a group's first delivery to its commit", buckets=BUCKETS, registry=registry
        )

    def committed(self, events: int, unread: int, seconds: float) -> None:
        """A group is durable."""
        self._seconds.observe(seconds)
        if events:
            self._events.inc(events)
        if unread:
            self._unread.inc(unread)

    def refused(self, deliveries: int) -> None:
        self._refused.inc(deliveries)

    def unknown_token(self) -> None:
        self._unknown.inc()
