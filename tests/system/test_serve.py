"""`syncd serve` against the sandbox: events by HTTP, kill -9, and what Salesforce says in the end."""

from __future__ import annotations

import json
import os
import random
import signal
import subprocess
import sys
import threading
from pathlib import Path
from typing import Any

import pytest
import requests

from syncd.sandbox import Fault, Org, Sandbox
from tests.factories import payload
from tests.system.conftest import TOKEN, Installation, everybody, process_of, until


def campaign(people: list[str]) -> list[dict[str, Any]]:
    """A third opens and clicks, some bounce, some leave: what happens to each depends on its number only."""
    said = []
    for i, sf_id in enumerate(people):
        who = {"whId": sf_id, "email": f"n{i}@example.fr"}
        if i % 10 == 0:
            said.append(payload("hard_bounce", 1, "s", **who))
        else:
            said.append(payload("delivered", 1, "s", **who))
        if i % 3 == 1:
            said += [payload("open", 1.1, "s", **who), payload("click", 1.2, "s", **who)]
        if i % 7 == 0:
            said.append(payload("unsubscribe", 1.3, "s", **who))
        if i % 11 == 0:
            said += [payload("soft_bounce", day, f"b{day}", **who) for day in (2, 9, 16, 23, 30)]
        if i % 11 == 1:  # to others the same mails arrive: else soft bounces would mark nobody for the time being
            said += [payload("delivered", day, f"b{day}", **who) for day in (2, 9, 16, 23, 30)]
    return said


def outcome(org: Org, people: list[str]) -> dict[str, Any]:
    """What Salesforce says of everybody, without what depends on the moment."""
    names = ("EmailBouncedDate", "EmailBouncedReason", "HasOptedOutOfEmail", "OwnerId")
    tasks: dict[str, list[Any]] = {sf_id: [] for sf_id in people}
    for task in org.all("Task"):
        tasks[task["WhoId"]].append((task["Subject"], task["Description"], task["ActivityDate"]))
    return {sf_id: ([org.get(sf_id)[name] for name in names], sorted(tasks[sf_id])) for sf_id in people}


def post_all(web: requests.Session, url: str, events: list[dict[str, Any]]) -> None:
    for said in events:
        assert web.post(url, data=json.dumps(said).encode(), timeout=30).status_code == 204


def is_idle(installation: Installation) -> bool:
    said = installation.status()
    left = ("events_waiting", "subjects_due", "subjects_later", "unsettled", "run_going_on")
    return not any(said[name] for name in left)


def assert_every_write_has_an_owner(installation: Installation, org: Org) -> None:
    with installation.desk() as desk:
        changes = [change for change in desk.changes() if change["state"] == "done"]
    written = {receipt["sf_id"] for change in changes for receipt in change["receipts"]}
    assert {task["Id"] for task in org.all("Task")} <= written
    marked = {c["Id"] for c in org.all("Contact") if c["EmailBouncedReason"] or c["HasOptedOutOfEmail"]}
    assert marked <= {change["sf_id"] for change in changes if change["what"] in ("mark", "opt_out")}


@pytest.fixture(scope="module")
def expected(tmp_path_factory: pytest.TempPathFactory, keys: Path) -> dict[str, Any]:
    """The campaign in order, undisturbed, by `syncd sync`."""
    org = Org()
    people = everybody(org)
    with Sandbox(org, directory=keys) as sandbox:
        installation = Installation(tmp_path_factory.mktemp("undisturbed"), sandbox)
        service = installation.serve("receive")
        with requests.Session() as web:
            web.trust_env = False
            post_all(web, service.url, campaign(people))
        assert service.terminate() == 0
        installation.syncd("sync")
        return outcome(org, people)


def test_a_campaign_ends_the_same_reversed_and_shuffled_with_every_event_sent_three_times(
    installation: Installation, org: Org, people: list[str], web: requests.Session, expected: dict[str, Any]
) -> None:
    events = campaign(people)
    url = installation.serve().url
    post_all(web, url, events[::-1])
    until(lambda: is_idle(installation))
    assert outcome(org, people) == expected
    thrice = events * 3
    random.Random(7).shuffle(thrice)
    post_all(web, url, thrice)
    until(lambda: is_idle(installation))
    assert outcome(org, people) == expected


def test_shuffled_from_the_start_while_the_scheduler_runs(
    installation: Installation, org: Org, people: list[str], web: requests.Session, expected: dict[str, Any]
) -> None:
    thrice = campaign(people) * 3
    random.Random(8).shuffle(thrice)
    post_all(web, installation.serve().url, thrice)
    until(lambda: is_idle(installation))
    assert outcome(org, people) == expected
    assert_every_write_has_an_owner(installation, org)


def test_what_was_acknowledged_before_kill_9_arrives(
    installation: Installation, sandbox: Sandbox, org: Org, people: list[str], web: requests.Session,
    expected: dict[str, Any],
) -> None:  # fmt: skip
    installation.configure(sandbox, every="1h")
    service = installation.serve()
    until(lambda: installation.status()["last_run"])  # the scheduler's first run is over
    post_all(web, service.url, campaign(people))
    service.kill_group()
    assert not org.all("Task")
    installation.configure(sandbox)
    installation.serve()
    until(lambda: is_idle(installation))
    assert outcome(org, people) == expected
    assert_every_write_has_an_owner(installation, org)


@pytest.mark.parametrize(
    "moment",
    [
        {"path": "composite/sobjects/Contact", "method": "POST"},
        {"path": "composite/sobjects$", "method": "PATCH", "when": "before"},
        {"path": "composite/sobjects$", "method": "PATCH", "when": "after"},
        {"path": "composite/sobjects$", "method": "POST", "when": "before"},
        {"path": "composite/sobjects$", "method": "POST", "when": "after"},
    ],
    ids=["reading", "before fields", "after fields", "before Tasks", "after Tasks"],
)
def test_kill_9_in_the_middle_of_a_sync_loses_and_doubles_nothing(
    installation: Installation, org: Org, people: list[str], web: requests.Session, expected: dict[str, Any],
    moment: dict[str, Any],
) -> None:  # fmt: skip
    service = installation.serve("receive")
    post_all(web, service.url, campaign(people))
    held = threading.Event()
    fault = org.faults.add(Fault(**moment, hold=held, times=1))
    scheduler = installation.serve("schedule")
    until(lambda: fault.fired)
    scheduler.kill_group()
    held.set()
    installation.serve("schedule")
    until(lambda: is_idle(installation))
    assert outcome(org, people) == expected
    assert_every_write_has_an_owner(installation, org)


def test_sigterm_in_the_middle_of_a_sync_is_a_clean_stop(
    installation: Installation, org: Org, people: list[str], web: requests.Session, expected: dict[str, Any]
) -> None:
    service = installation.serve("receive")
    post_all(web, service.url, campaign(people))
    held = threading.Event()
    fault = org.faults.add(Fault(path="composite/sobjects$", method="PATCH", when="late", hold=held, times=1))
    scheduler = installation.serve("schedule")
    until(lambda: fault.fired)
    scheduler.process.terminate()
    until(lambda: any("scheduler stopping" in line for line in scheduler.said))
    held.set()
    assert scheduler.process.wait(30) == 0
    assert not installation.status()["run_going_on"]
    assert not org.all("Task")
    assert installation.json("sync")["ended"] == "done"
    assert outcome(org, people) == expected


def test_serve_stops_all_of_its_processes_on_sigterm(installation: Installation) -> None:
    service = installation.serve()
    assert service.url
    until(lambda: len(service.members()) == 5)  # itself, the receiver and its worker, the scheduler, the dashboard
    assert service.terminate() == 0
    assert service.members() == []


def test_ctrl_c_reaches_all_of_them_at_once_and_they_still_stop_cleanly(installation: Installation) -> None:
    service = installation.serve()
    assert service.url
    until(lambda: any("scheduler started" in line for line in service.said))
    for number in (signal.SIGINT, signal.SIGINT, signal.SIGTERM):
        os.killpg(service.process.pid, number)
    assert service.process.wait(10) == 0
    assert service.members() == []


def test_no_half_of_serve_goes_on_when_its_parent_is_killed(installation: Installation) -> None:
    service = installation.serve()
    assert service.url
    os.kill(service.process.pid, signal.SIGKILL)
    service.process.wait()
    until(lambda: not service.members())


def test_a_receiver_that_dies_is_started_again_on_the_same_socket(
    installation: Installation, web: requests.Session
) -> None:
    service = installation.serve()
    url = service.url
    os.kill(process_of(service, b"receive"), signal.SIGKILL)
    assert web.post(url, data=json.dumps(payload("open")), timeout=30).status_code == 204


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


def test_the_token_is_in_no_log_and_no_process_list(installation: Installation, web: requests.Session) -> None:
    service = installation.serve()
    url = service.url
    web.post(url, data=b"nonsense", timeout=30)
    web.get(url + "x", timeout=30)
    commands = [Path(f"/proc/{pid}/cmdline").read_bytes() for pid in service.members()]
    service.terminate()
    assert TOKEN not in "".join(service.said)
    assert not any(TOKEN.encode() in command for command in commands)


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
