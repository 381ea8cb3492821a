"""What the receiver counts, in files beside the store, so that another process can show it.

Nothing is counted per request: a commit counts for all that shared it, which costs a few microseconds a group.
"""

from __future__ import annotations

import os
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from pathlib import Path

    from prometheus_client.registry import Collector

_VARIABLE = "PROMETHEUS_MULTIPROC_DIR"
BUCKETS = (0.001, 0.0025, 0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1, 2.5, 5, 10)


def directory_of(store: Path) -> Path:
    return store.with_name("receiver-metrics")


def start(store: Path) -> None:
    """Before a worker starts: counts begin at nothing and go into files. prometheus_client asks when it is imported."""
    directory = directory_of(store)
    directory.mkdir(exist_ok=True)
    for old in directory.glob("*.db"):
        old.unlink()
    os.environ[_VARIABLE] = str(directory)


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
        from prometheus_client import CollectorRegistry, Counter, Gauge, Histogram

        registry = CollectorRegistry()
        self._events = Counter("syncd_events_received", "Events committed, duplicates too", registry=registry)
        self._unread = Counter("syncd_deliveries_quarantined", "What was no event", registry=registry)
        self._refused = Counter("syncd_deliveries_refused", "Answered 503: the store could not", registry=registry)
        self._unknown = Counter("syncd_unknown_token", "Calls whose token is not in the list", registry=registry)
        self._seconds = Histogram(
            "syncd_commit_seconds", "From a group's first delivery to its commit", buckets=BUCKETS, registry=registry
        )
        self._last = Gauge(
            "syncd_last_event_timestamp_seconds", "Receipt of the latest", multiprocess_mode="max", registry=registry
        )

    def committed(self, events: int, unread: int, seconds: float, latest: int) -> None:
        """A group is durable; `latest` is its last receipt in ms, 0 if it holds no event."""
        self._seconds.observe(seconds)
        if events:
            self._events.inc(events)
            self._last.set(latest / 1000)
        if unread:
            self._unread.inc(unread)

    def refused(self, deliveries: int) -> None:
        self._refused.inc(deliveries)

    def unknown_token(self) -> None:
        self._unknown.inc()
