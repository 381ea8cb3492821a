"""What the services tell systemd, heard on a socket as systemd's: ready, reloading, stopping, and that they get on."""

from __future__ import annotations

import json
import signal
import socket
import sqlite3
import tempfile
import threading
from collections.abc import Iterator
from pathlib import Path

import pytest
import requests

from syncd.sandbox import Fault, Org
from tests.factories import payload
from tests.system.conftest import PATIENCE, Installation, until

WATCHDOG = 0.6  # seconds: fed every 0.2


class Systemd:
    """The end of the line that systemd holds."""

    def __init__(self, line: socket.socket) -> None:
        self._line = line

    def hears(self, wanted: str) -> str:
        """The first message with this line in it."""
        self._line.settimeout(PATIENCE)
        while wanted not in (said := self._line.recv(4096).decode()).split("\n"):
            pass
        return said

    def hears_no_pulse(self) -> bool:
        """Nothing for longer than the watchdog allows, but for what was on its way."""
        self._line.setblocking(False)
        try:
            while self._line.recv(4096):
                pass
        except BlockingIOError:
            pass
        self._line.settimeout(WATCHDOG)
        try:
            self._line.recv(4096)
        except TimeoutError:
            return True
        return False


@pytest.fixture
def systemd(monkeypatch: pytest.MonkeyPatch) -> Iterator[Systemd]:
    # not tmp_path: the path of a socket is 107 bytes at most
    with tempfile.TemporaryDirectory() as directory, socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM) as line:
        address = str(Path(directory) / "notify")
        line.bind(address)
        monkeypatch.setenv("NOTIFY_SOCKET", address)
        monkeypatch.setenv("WATCHDOG_USEC", str(round(WATCHDOG * 1e6)))
        yield Systemd(line)


def test_an_idle_scheduler_feeds_the_watchdog_and_one_whose_call_hangs_does_not(
    installation: Installation, org: Org, people: list[str], web: requests.Session, systemd: Systemd
) -> None:
    receiver = installation.serve("receive")
    event = payload("hard_bounce", whId=people[0], email="n0@example.fr")
    assert web.post(receiver.url, data=json.dumps(event), timeout=30).status_code == 204
    assert receiver.terminate() == 0
    systemd.hears("STOPPING=1")

    held = threading.Event()
    fault = org.faults.add(Fault(path="composite/sobjects$", method="PATCH", hold=held, times=1))
    scheduler = installation.serve("schedule")
    systemd.hears("READY=1")
    until(lambda: fault.fired)
    assert systemd.hears_no_pulse()
    held.set()
    systemd.hears("WATCHDOG=1")
    until(lambda: installation.status()["last_run"])
    for _ in range(3):
        systemd.hears("WATCHDOG=1")
    assert scheduler.terminate() == 0
    systemd.hears("STOPPING=1")


def test_a_receiver_feeds_the_watchdog_from_its_store_and_not_while_that_hangs(
    installation: Installation, web: requests.Session, systemd: Systemd
) -> None:
    receiver = installation.serve("receive")
    systemd.hears("READY=1")
    for _ in range(3):
        systemd.hears("WATCHDOG=1")
    store = sqlite3.connect(installation.directory / "syncd.db", isolation_level=None)
    store.execute("BEGIN IMMEDIATE")
    assert systemd.hears_no_pulse()
    store.execute("ROLLBACK")
    store.close()
    systemd.hears("WATCHDOG=1")
    assert web.post(receiver.url, data=json.dumps(payload("open")), timeout=30).status_code == 204
    systemd.hears("WATCHDOG=1")
    assert receiver.terminate() == 0
    systemd.hears("STOPPING=1")


@pytest.mark.parametrize("command", ["receive", "schedule"])
def test_a_reload_is_announced_and_a_wrong_configuration_is_told_and_not_taken(
    installation: Installation, systemd: Systemd, command: str
) -> None:
    service = installation.serve(command)
    systemd.hears("READY=1")
    service.process.send_signal(signal.SIGHUP)
    assert "MONOTONIC_USEC=" in systemd.hears("RELOADING=1")
    systemd.hears("READY=1")
    installation.config.write_text(installation.config.read_text() + "\nnonsense = 1\n")
    service.process.send_signal(signal.SIGHUP)
    systemd.hears("RELOADING=1")
    assert "the old one goes on" in systemd.hears("READY=1")
    assert service.terminate() == 0


def test_serve_keeps_its_children_from_speaking_for_it(installation: Installation, systemd: Systemd) -> None:
    service = installation.serve()
    assert service.url
    until(lambda: any("scheduler started" in line for line in service.said))
    assert service.terminate() == 0
    assert systemd.hears_no_pulse()


def test_a_dashboard_feeds_the_watchdog_while_it_takes_connections(
    installation: Installation, systemd: Systemd
) -> None:
    dashboard = installation.serve("dashboard")
    systemd.hears("READY=1")
    systemd.hears("WATCHDOG=1")
    dashboard.process.send_signal(signal.SIGSTOP)
    assert systemd.hears_no_pulse()
    dashboard.process.send_signal(signal.SIGCONT)
    systemd.hears("WATCHDOG=1")
    assert dashboard.terminate() == 0
