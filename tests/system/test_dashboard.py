"""`syncd dashboard`: what Prometheus reads, across processes, and that the examples speak of what is there."""

from __future__ import annotations

import json
import os
import re
import shutil
import signal
import socket
from importlib import import_module
from pathlib import Path
from typing import Any

import pytest
import requests
from prometheus_client.parser import text_string_to_metric_families

from syncd.sandbox import Org
from tests.factories import payload
from tests.system.conftest import Installation, Service, process_of, until

CONFIG = Path(__file__).parents[2] / "config"


@pytest.fixture
def dashboard(installation: Installation) -> Service:
    return installation.serve("dashboard")


def addresses(service: Service) -> list[str]:
    """Where it said that it listens, again each time it began to."""
    said = re.findall(r"metrics on (http://[\d.:]+)", "".join(service.said))
    return [str(where) for where in said]


def address(service: Service) -> str:
    return str(until(lambda: addresses(service))[-1])


def scraped(web: requests.Session, dashboard: Service) -> dict[str, float]:
    """Every sample by its name; of a histogram's buckets the last."""
    answer = web.get(f"{address(dashboard)}/metrics", timeout=30)
    assert answer.status_code == 200
    return {s.name: s.value for family in text_string_to_metric_families(answer.text) for s in family.samples}


def names_in(said: str) -> set[str]:
    return set(re.findall(r"\bsyncd_\w+", said))


def test_it_shows_what_the_receiver_counted_and_what_the_store_says(
    installation: Installation, dashboard: Service, web: requests.Session, people: list[str], org: Org
) -> None:
    empty = scraped(web, dashboard)
    assert (empty["syncd_store_up"], empty["syncd_events_stored"], empty["syncd_mode_live"]) == (1, 0, 1)
    assert not {"syncd_run_last_success_timestamp_seconds", "syncd_last_event_timestamp_seconds"} & empty.keys()

    receiver = installation.serve("receive")
    url = receiver.url
    event = payload("hard_bounce", whId=people[0], email="n0@example.fr")
    for body in (json.dumps(event).encode(), json.dumps(event).encode(), b"nonsense"):
        assert web.post(url, data=body, timeout=30).status_code == 204
    before = scraped(web, dashboard)
    assert before["syncd_events_received_total"] == 2
    assert (before["syncd_deliveries_quarantined_total"], before["syncd_quarantined"]) == (1, 1)
    assert (before["syncd_events_stored"], before["syncd_events_waiting"]) == (1, 1)

    installation.syncd("sync")
    after = scraped(web, dashboard)
    assert after["syncd_events_waiting"] == 0
    assert after["syncd_salesforce_calls_24h"] == len(org.calls)
    assert after["syncd_mark_last_timestamp_seconds"] > after["syncd_last_event_timestamp_seconds"]
    assert after["syncd_run_last_success_timestamp_seconds"] >= after["syncd_mark_last_timestamp_seconds"]
    for said in ("prometheus-alerts.example.yml", "grafana.example.json"):
        assert names_in((CONFIG / said).read_text()) <= {*after, "syncd_commit_seconds_bucket", "syncd_alarm"}

    assert receiver.terminate() == 0
    assert scraped(web, dashboard)["syncd_events_received_total"] == 2  # the counts outlive who counted
    installation.serve("receive")
    until(lambda: scraped(web, dashboard).get("syncd_events_received_total") == 0)
    again = scraped(web, dashboard)  # new counts, and what happened before has happened
    assert again["syncd_last_event_timestamp_seconds"] == after["syncd_last_event_timestamp_seconds"]
    assert dashboard.terminate() == 0


def test_an_alarm_that_holds_is_shown_by_its_name(
    installation: Installation, dashboard: Service, web: requests.Session
) -> None:
    receiver = installation.serve("receive")
    assert web.post(receiver.url, data=b" " * 2_000_000, timeout=30).status_code == 204
    answer = web.get(f"{address(dashboard)}/metrics", timeout=30).text
    assert re.findall(r"^syncd_alarm\{(.*)", answer, re.MULTILINE) == ['alarm="oversized"} 1.0']


def test_a_store_that_cannot_be_read_is_told_and_health_is_the_process_own(
    installation: Installation, dashboard: Service, web: requests.Session
) -> None:
    assert scraped(web, dashboard)["syncd_store_up"] == 1
    for file in installation.directory.glob("syncd.db*"):
        file.unlink()
    (installation.directory / "syncd.db").mkdir()
    assert scraped(web, dashboard)["syncd_store_up"] == 0
    health = web.get(f"{address(dashboard)}/healthz", timeout=30)
    assert (health.text, health.headers["Server"]) == ("alive\n", "syncd")
    assert dashboard.terminate() == 0
    shutil.rmtree(installation.directory / "syncd.db")


def test_serve_shows_it_too_starts_it_again_and_reads_its_configuration_anew(
    installation: Installation, web: requests.Session
) -> None:
    service = installation.serve()
    events = service.url
    assert scraped(web, service)["syncd_mode_live"] == 1
    os.kill(process_of(service, b"dashboard"), signal.SIGKILL)
    assert web.post(events, json=payload("open"), timeout=30).status_code == 204
    until(lambda: len(addresses(service)) == 2)
    assert scraped(web, service)["syncd_events_received_total"] == 1
    pid, config = process_of(service, b"dashboard"), installation.config.read_text()
    installation.config.write_text(config.replace('mode = "live"', 'mode = "observe"'))
    service.process.send_signal(signal.SIGHUP)
    until(lambda: scraped(web, service)["syncd_mode_live"] == 0)
    assert len(set(addresses(service)[1:])) == 1  # the same address as before
    assert process_of(service, b"dashboard") == pid
    assert service.terminate() == 0
    assert service.members() == []


def test_another_address_is_taken_up_and_one_that_is_taken_is_not(
    installation: Installation, dashboard: Service, web: requests.Session
) -> None:
    old, config = address(dashboard), installation.config.read_text()
    with socket.create_server(("127.0.0.1", 0)) as taken:
        number = taken.getsockname()[1]
        before = 'bind = "127.0.0.1:0"\n[activities]'
        installation.config.write_text(config.replace(before, f'bind = "127.0.0.1:{number}"\n[activities]'))
        dashboard.process.send_signal(signal.SIGHUP)
        until(lambda: any("the old address stays" in line for line in dashboard.said))
        assert web.get(f"{old}/healthz", timeout=30).status_code == 200
    installation.config.write_text(config.replace(before, 'bind = "127.0.0.2:0"\n[activities]'))
    dashboard.process.send_signal(signal.SIGHUP)
    until(lambda: addresses(dashboard)[-1].startswith("http://127.0.0.2:"))
    assert web.get(f"{address(dashboard)}/healthz", timeout=30).status_code == 200
    with pytest.raises(requests.ConnectionError):
        web.get(f"{old}/healthz", timeout=30)


def test_events_come_though_somebody_else_has_the_dashboards_address(
    installation: Installation, web: requests.Session
) -> None:
    with socket.create_server(("127.0.0.1", 0)) as taken:
        bind = f'bind = "127.0.0.1:{taken.getsockname()[1]}"\n[activities]'
        config = installation.config.read_text()
        installation.config.write_text(config.replace('bind = "127.0.0.1:0"\n[activities]', bind))
        service = installation.serve()
        events = service.url
        until(lambda: any("dashboard.bind: cannot listen" in line for line in service.said))
        until(lambda: any("a process ended" in line for line in service.said))
        assert web.post(events, json=payload("open"), timeout=30).status_code == 204
    until(lambda: addresses(service))


def test_the_example_alerts_and_board_are_well_formed() -> None:
    rules: dict[str, Any] = import_module("yaml").safe_load((CONFIG / "prometheus-alerts.example.yml").read_text())
    (group,) = rules["groups"]
    for rule in group["rules"]:
        assert rule.keys() >= {"alert", "expr", "annotations"}
        assert names_in(rule["expr"])
        assert rule["annotations"].keys() == {"summary", "description"}
    board = json.loads((CONFIG / "grafana.example.json").read_text())
    assert all(names_in(target["expr"]) for panel in board["panels"] for target in panel["targets"])
