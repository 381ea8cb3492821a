"""The processes of `syncd serve`: started, signalled, killed, reloaded, and what is said of a wrong configuration."""

from __future__ import annotations

import json
import os
import signal
import subprocess
import sys
from pathlib import Path

import requests

from tests.factories import payload
from tests.system.conftest import TOKEN, Installation, process_of, until


def test_serve_shows_the_token_nowhere_and_stops_all_of_its_processes_on_sigterm(
    installation: Installation, web: requests.Session
) -> None:
    service = installation.serve()
    url = service.url
    web.post(url, data=b"nonsense", timeout=30)
    web.get(url + "x", timeout=30)
    until(lambda: len(service.members()) == 5)  # itself, the receiver and its worker, the scheduler, the dashboard
    commands = [Path(f"/proc/{pid}/cmdline").read_bytes() for pid in service.members()]
    assert service.terminate() == 0
    assert service.members() == []
    assert TOKEN not in "".join(service.said)
    assert not any(TOKEN.encode() in command for command in commands)


def test_ctrl_c_reaches_all_of_them_at_once_and_they_still_stop_cleanly(installation: Installation) -> None:
    service = installation.serve()
    assert service.url
    until(lambda: any("scheduler started" in line for line in service.said))
    for number in (signal.SIGINT, signal.SIGINT, signal.SIGTERM):
        os.killpg(service.process.pid, number)
    assert service.process.wait(10) == 0
    assert service.members() == []


def test_a_receiver_that_dies_is_started_again_and_no_half_of_serve_goes_on_without_its_parent(
    installation: Installation, web: requests.Session
) -> None:
    service = installation.serve()
    url = service.url
    os.kill(process_of(service, b"receive"), signal.SIGKILL)
    assert web.post(url, data=json.dumps(payload("open")), timeout=30).status_code == 204  # on the same socket
    os.kill(service.process.pid, signal.SIGKILL)
    service.process.wait()
    until(lambda: not service.members())


def test_a_token_is_rotated_by_sighup_without_a_refused_call(installation: Installation, web: requests.Session) -> None:
    service = installation.serve()
    old = service.url
    until(lambda: any("scheduler started" in line for line in service.said))
    new = old.replace(TOKEN, "the-next-token-0123456789-abcdef")
    assert web.get(old, timeout=30).status_code == 200
    assert web.get(new, timeout=30).status_code == 404
    secret = installation.directory / "secrets" / "webhook_tokens"
    secret.write_text(f"{TOKEN}\nthe-next-token-0123456789-abcdef\n")
    service.process.send_signal(signal.SIGHUP)
    until(lambda: web.get(new, timeout=30).status_code == 200)
    assert web.get(old, timeout=30).status_code == 200
    until(lambda: sum("scheduler started" in line for line in service.said) == 2)


def test_a_reload_that_comes_while_everything_starts_ends_nothing(
    installation: Installation, web: requests.Session
) -> None:
    service = installation.serve()
    until(lambda: len(service.members()) >= 4)
    secret = installation.directory / "secrets" / "webhook_tokens"
    secret.write_text(f"{TOKEN}\nthe-next-token-0123456789-abcdef\n")
    service.process.send_signal(signal.SIGHUP)
    new = service.url.replace(TOKEN, "the-next-token-0123456789-abcdef")
    until(lambda: web.get(new, timeout=30).status_code == 200)
    assert service.terminate() == 0
    assert not any("a process ended" in line for line in service.said)


def test_a_configuration_broken_later_does_not_stop_the_receiver(
    installation: Installation, web: requests.Session
) -> None:
    service = installation.serve()
    url = service.url
    for started in ("scheduler started", "metrics on"):
        until(lambda started=started: any(started in line for line in service.said))  # type: ignore[misc]
    installation.config.write_text(installation.config.read_text() + "\nnonsense = 1\n")
    service.process.send_signal(signal.SIGHUP)
    until(lambda: sum("the old one goes on" in line for line in service.said) == 3)
    os.kill(process_of(service, b"schedule"), signal.SIGKILL)
    until(lambda: sum("a process ended" in line for line in service.said) >= 2)
    assert web.post(url, data=json.dumps(payload("open")), timeout=30).status_code == 204
    assert service.terminate() == 0


def test_a_wrong_configuration_is_told_before_anything_starts(installation: Installation) -> None:
    installation.config.write_text("[sync]\nmode = 'maybe'\n")
    done = subprocess.run(
        [sys.executable, "-m", "syncd", "--config", str(installation.config), "serve"],
        capture_output=True,
        text=True,
        timeout=30,
    )
    assert done.returncode == 2
    assert 'sync.mode: must be "live" or "observe"' in done.stderr
