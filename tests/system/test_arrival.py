"""`syncd serve` against the sandbox: events by HTTP, kill -9, and what Salesforce says in the end."""

from __future__ import annotations

import json
import random
import threading
from dataclasses import dataclass
from pathlib import Path
from shutil import copy
from typing import Any

import pytest
import requests

from syncd.sandbox import Fault, Org, Sandbox
from tests.factories import payload
from tests.system.conftest import Installation, everybody, until


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


@dataclass(frozen=True)
class Undisturbed:
    """The campaign in order: the store once it is received, and what `syncd sync` makes of it."""

    received: Path
    outcome: dict[str, Any]


@pytest.fixture(scope="module")
def undisturbed(tmp_path_factory: pytest.TempPathFactory, keys: Path) -> Undisturbed:
    org = Org()
    people = everybody(org)
    with Sandbox(org, directory=keys) as sandbox, requests.Session() as web:
        web.trust_env = False
        installation = Installation(tmp_path_factory.mktemp("undisturbed"), sandbox)
        service = installation.serve("receive")
        post_all(web, service.url, campaign(people))
        assert service.terminate() == 0
        received = Path(copy(installation.directory / "syncd.db", tmp_path_factory.mktemp("received")))
        installation.syncd("sync")
    return Undisturbed(received, outcome(org, people))


@pytest.fixture
def expected(undisturbed: Undisturbed) -> dict[str, Any]:
    return undisturbed.outcome


@pytest.fixture
def received(installation: Installation, people: list[str], undisturbed: Undisturbed) -> None:
    """These people's campaign waits in the store; they have the ids that they have in any new org."""
    copy(undisturbed.received, installation.directory)


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


@pytest.mark.usefixtures("received")
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
    installation: Installation, org: Org, people: list[str], expected: dict[str, Any], moment: dict[str, Any]
) -> None:
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


@pytest.mark.usefixtures("received")
def test_sigterm_in_the_middle_of_a_sync_is_a_clean_stop(
    installation: Installation, org: Org, people: list[str], expected: dict[str, Any]
) -> None:
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
