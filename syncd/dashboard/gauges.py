"""What the store says now, as gauges: asked when somebody asks, in milliseconds however much is stored."""

from __future__ import annotations

import time
from contextlib import closing
from typing import TYPE_CHECKING

import structlog
from prometheus_client.core import GaugeMetricFamily
from prometheus_client.registry import Collector

from syncd.alarms import conditions
from syncd.errors import StoreError
from syncd.store import Alarms, Desk, open_store, situation

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator

    from syncd.alarms import Alarm
    from syncd.config import Settings

log = structlog.get_logger()

COUNTS = {
    "syncd_events_stored": ("events", "Events in the store, or pruned from it"),
    "syncd_events_waiting": ("events_waiting", "Received, and not yet looked at by a run"),
    "syncd_subjects_due": ("subjects_due", "Records to be looked at now"),
    "syncd_subjects_failing": ("subjects_failing", "Records that are tried again after a failure"),
    "syncd_recipients_unmatched": ("unmatched", "Recipients without a record in Salesforce"),
    "syncd_changes_rejected": ("rejected", "Changes that Salesforce would not take"),
    "syncd_changes_held": ("held", "Changes that the brake keeps until a person releases them"),
    "syncd_tasks_unsettled": ("unsettled", "Tasks of which it is not known whether Salesforce has them"),
    "syncd_quarantined": ("quarantined", "Deliveries that could not be read"),
    "syncd_salesforce_calls_24h": ("calls_24h", "Calls to Salesforce in the last 24 hours"),
    "syncd_run_going_on": ("run_going_on", "1 while there is a run"),
}
"""Name → the count of `syncd status`, and what it means."""
INSTANTS = {
    "syncd_last_event_timestamp_seconds": ("last_event_at", "Receipt of the latest event"),
    "syncd_run_last_success_timestamp_seconds": ("last_success_at", "End of the latest run that did all it meant to"),
    "syncd_mark_last_timestamp_seconds": ("last_mark_at", "When a record was last marked invalid"),
}


class Gauges(Collector):
    """For one scrape. Instants that were never are left out, so that no alert takes them for 1970."""

    def __init__(self, settings: Settings) -> None:
        self._settings = settings

    def collect(self) -> Iterable[GaugeMetricFamily]:
        try:
            with closing(open_store(self._settings.store.path, busy=1.0)) as db:
                desk, now = Desk(db), time.time_ns() // 1_000_000
                counts, instants = desk.status(now), desk.latest()
                # judged here: it tells as well that no scheduler is there to judge
                alarms = conditions(situation(self._settings, Alarms(db), now))
        except StoreError as error:
            log.error("no gauges: the store could not be read", error=str(error))
            return [_gauge("syncd_store_up", "1 if the store can be read", 0)]
        return [
            _gauge("syncd_store_up", "1 if the store can be read", 1),
            _gauge("syncd_mode_live", '1 if [sync] mode is "live"', self._settings.sync.mode == "live"),
            *(_gauge(name, words, counts[key]) for name, (key, words) in COUNTS.items()),
            *_instants(instants),
            _holding(alarms),
        ]


def _holding(alarms: Iterable[Alarm]) -> GaugeMetricFamily:
    family = GaugeMetricFamily("syncd_alarm", "1 for each alarm that holds; see syncd status", labels=["alarm"])
    for alarm in alarms:
        family.add_metric([alarm.key], 1)
    return family


def _instants(found: dict[str, int | None]) -> Iterator[GaugeMetricFamily]:
    for name, (key, words) in INSTANTS.items():
        if at := found[key]:
            yield _gauge(name, words, at / 1000)


def _gauge(name: str, words: str, value: float) -> GaugeMetricFamily:
    return GaugeMetricFamily(name, words, value=float(value))
