"""The README's stories for the administrator: what it says to type does what it says."""

from __future__ import annotations

import json
import os
import re
import shutil
import subprocess
import sys
import threading
from collections.abc import Callable
from functools import partial
from pathlib import Path
from typing import Any

import pytest
import requests

from syncd.sandbox import Fault, Org
from tests.factories import ADDRESS, date, payload
from tests.system.conftest import TOKEN, Installation, until
from tests.system.test_readme import block


@pytest.fixture
def story(installation: Installation) -> Callable[..., str]:
    return partial(tell, installation)


def tell(installation: Installation, name: str, systemctl: str = ":", code: int = 0) -> str:
    """Runs the commands of one; the paths are the test's, and so is what systemctl does."""
    directory = installation.directory
    script = block(f"story {name}").replace("/var/lib/syncd", str(directory)).replace("/etc/syncd", str(directory))
    script = script.replace("/var/backups", f"{directory}/backups")
    environ = {
        **os.environ,
        "SYNCD_CONFIG": str(installation.config),
        "PATH": f"{Path(sys.executable).parent}:{os.environ['PATH']}",
    }
    done = subprocess.run(
        ["bash", "-ec", f"systemctl() {{ {systemctl}; }}\n{script}"],
        cwd=directory, env=environ, capture_output=True, text=True, timeout=100,
    )  # fmt: skip
    assert done.returncode == code, done.stdout + done.stderr
    return done.stdout


def post(web: requests.Session, url: str, *payloads: dict[str, Any]) -> None:
    assert web.post(url, json=list(payloads), timeout=30).status_code == 204


def idle(installation: Installation) -> bool:
    said = installation.status()
    waits = ("events_waiting", "subjects_due", "subjects_later", "run_going_on")
    return bool(said["last_run"]) and not any(said[name] for name in waits)


def children(pid: int) -> list[int]:
    return [int(child) for child in Path(f"/proc/{pid}/task/{pid}/children").read_text().split()]


def command_line(pid: int) -> list[bytes]:
    return Path(f"/proc/{pid}/cmdline").read_bytes().split(b"\0")


def test_salesforce_is_down_for_a_day(
    installation: Installation, story: Callable[..., str], web: requests.Session, org: Org
) -> None:
    contact = org.add("Contact", LastName="Durand", Email=ADDRESS)
    org.faults.add(Fault(path=".", status=503))
    service = installation.serve("receive")
    post(web, service.url, payload("hard_bounce", whId=contact))
    installation.syncd("sync", code=3)
    org.faults.clear()
    installation.syncd("resync", "--email", ADDRESS)
    assert "done; no change" in story("outage")
    assert org.get(contact)["EmailBouncedReason"]


def test_sarbacane_went_silent(
    installation: Installation, story: Callable[..., str], web: requests.Session, org: Org
) -> None:
    contact = org.add("Contact", LastName="Durand", Email=ADDRESS)
    post(web, installation.serve("receive").url, payload("delivered", 0, whId=contact))
    missed = [payload("delivered", 0, whId=contact), payload("hard_bounce", 1, whId=contact)]
    (installation.directory / "gap.json").write_text(json.dumps(missed))
    assert "1 new event, 1 known already" in story("silence")
    assert org.get(contact)["EmailBouncedReason"] == "550 5.1.1 user unknown"


@pytest.mark.skipif(shutil.which("openssl") is None, reason="openssl is missing")
def test_the_token_is_replaced_without_a_gap(
    installation: Installation, story: Callable[..., str], web: requests.Session
) -> None:
    # a worker that was replaced closes idle connections, and who is just sending on one cannot know
    web.headers["Connection"] = "close"
    service = installation.serve()
    url = service.url
    calls: list[int] = []
    stop = threading.Event()

    def call() -> None:
        """With the newest token that is known, as Sarbacane does once its URL was changed."""
        while not stop.is_set():
            token = (installation.directory / "secrets/webhook_tokens").read_text().split()[0]
            calls.append(web.get(url.replace(TOKEN, token), timeout=30).status_code)

    thread = threading.Thread(target=call)
    thread.start()
    try:
        until(lambda: calls)  # it is all there
        # the receiver has taken the new list once its new worker is the only one; a person changes the URL later
        (receiver,) = [pid for pid in children(service.process.pid) if b"receive" in command_line(pid)]
        workers = f"$(cat /proc/{receiver}/task/{receiver}/children)"
        is_new = '[ "$now" != "$old" ] && [ $(wc -w <<< "$now") = 1 ]'
        wait = f'old="{workers}"; kill -HUP {service.process.pid}; until now="{workers}"; {is_new}; do sleep 0.1; done'
        token = re.search(r"[0-9a-f]{48}", story("token", systemctl=wait))
        assert token
        until(lambda: web.get(url, timeout=30).status_code == 404)
        assert web.get(url.replace(TOKEN, token[0]), timeout=30).status_code == 200
    finally:
        stop.set()
        thread.join()
    assert set(calls) == {200}


def test_an_auditor_asks_what_is_stored(
    installation: Installation, story: Callable[..., str], web: requests.Session
) -> None:
    post(web, installation.serve("receive").url, payload("open"), payload("open", email="other@example.fr"))
    installation.syncd("sync")
    said = story("auditor")
    assert "Would erase: 1 event of 1 recipient" in said
    assert "Erased: 1 event of 1 recipient" in said
    (exported,) = json.loads((installation.directory / "jeanne.json").read_text())["events"]
    assert exported["raw"]["email"] == ADDRESS
    assert ADDRESS not in (installation.directory / "syncd.db").read_bytes().decode(errors="replace")


def test_the_store_is_lost_under_load_and_restored(
    installation: Installation, story: Callable[..., str], web: requests.Session, org: Org, people: list[str]
) -> None:
    """Backup while events come in, kill -9, the files destroyed: the same state in Salesforce, and nothing twice."""
    service = installation.serve()
    sent: list[dict[str, Any]] = []

    def campaign(number: int) -> None:
        for i, contact in enumerate(people):
            kind = ("open", "hard_bounce", "unsubscribe", "click")[i % 4]
            sent.append(payload(kind, number, email=f"n{i}@example.fr", whId=contact, date=date(number + i / 1000)))
            post(web, url, sent[-1])

    url = service.url
    campaign(0)
    posting = threading.Thread(target=campaign, args=(1,))
    posting.start()
    assert "checked" in story("backup")
    posting.join()
    until(lambda: idle(installation))
    before = org.snapshot()
    assert len(org.all("Task")) == len(people)
    service.kill_group()
    (installation.directory / "gap.json").write_text(json.dumps(sent))
    assert "0 in quarantine" in story("restore")
    installation.serve()
    until(lambda: idle(installation))
    assert org.snapshot() == before


def test_a_contact_was_marked_wrongly(
    installation: Installation, story: Callable[..., str], web: requests.Session, org: Org
) -> None:
    contact = org.add("Contact", LastName="Durand", Email=ADDRESS)
    post(web, installation.serve("receive").url, payload("hard_bounce", whId=contact))
    installation.syncd("sync")
    assert org.get(contact)["EmailBouncedReason"]
    assert "1 record put back, 0 left" in story("wrong")
    installation.syncd("resync", "--all")
    assert org.get(contact)["EmailBouncedReason"] is None


def test_too_many_bounces_at_once_and_before_you_change_a_rule(
    installation: Installation, story: Callable[..., str], web: requests.Session, org: Org
) -> None:
    mailed = [(f"n{i}@gone.example", org.add("Contact", LastName="N", Email=f"n{i}@gone.example")) for i in range(60)]
    bounced = [payload("hard_bounce", 1, "s", email=address, whId=contact) for address, contact in mailed]
    post(web, installation.serve("receive").url, *bounced)
    installation.syncd("sync", code=1)
    assert sum(bool(contact["EmailBouncedReason"]) for contact in org.all("Contact")) == 49
    assert "0 records would newly be marked" in story("backtest")
    assert "11 changes released: domain gone.example." in story("brake")
    assert all(contact["EmailBouncedReason"] for contact in org.all("Contact"))
