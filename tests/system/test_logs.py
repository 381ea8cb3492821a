"""What is logged: a JSON document a line, as much as `[logs]` says, of each run its number, and no address."""

from __future__ import annotations

import json
import re
import subprocess
import sys
from typing import Any

import pytest
import requests

from tests.factories import payload
from tests.system.conftest import Installation

CALL = re.compile(r"(GET|POST|PATCH) /services/\S+: 20\d in \d+ ms")


@pytest.fixture
def received(installation: Installation, people: list[str], web: requests.Session) -> Installation:
    receiver = installation.serve("receive")
    event = payload("hard_bounce", whId=people[0], email="n0@example.fr")
    assert web.post(receiver.url, data=json.dumps(event), timeout=30).status_code == 204
    assert receiver.terminate() == 0
    return installation


def lines_of(installation: Installation, *, more: str = "") -> list[dict[str, Any]]:
    """What `syncd sync` logs."""
    installation.config.write_text(installation.config.read_text() + more)
    done = subprocess.run(
        [sys.executable, "-m", "syncd", "--config", str(installation.config), "sync"],
        stdout=subprocess.DEVNULL, stderr=subprocess.PIPE, text=True, timeout=60,
    )  # fmt: skip
    assert done.returncode == 0, done.stderr
    return [json.loads(line) for line in done.stderr.splitlines()]


def test_a_part_can_say_more_and_each_line_of_a_run_names_it(received: Installation) -> None:
    said = lines_of(received, more='[logs]\nsalesforce = "debug"\n')
    calls = [line for line in said if CALL.fullmatch(line["event"])]
    assert {line["run"] for line in calls} == {1}
    assert {line["event"].split()[0] for line in calls} >= {"POST", "PATCH"}
    assert "example.fr" not in json.dumps(said)


def test_as_shipped_no_call_is_logged(received: Installation) -> None:
    assert not [line for line in lines_of(received) if CALL.fullmatch(line["event"])]


def test_a_service_can_be_told_to_say_less(installation: Installation) -> None:
    installation.config.write_text(installation.config.read_text() + '[logs]\nlevel = "error"\nreceiver = "info"\n')
    service = installation.serve()
    assert service.url  # the receiver's line
    assert service.terminate() == 0
    assert not any("scheduler" in line for line in service.said)


def test_what_nobody_caught_is_one_document_in_the_journal() -> None:
    fails = "raise ValueError('nobody thought of jeanne.durand@example.fr')"
    code = (
        "import os, threading; there = os.fstat(2); os.environ['JOURNAL_STREAM'] = f'{there.st_dev}:{there.st_ino}'\n"
        f"from syncd import logs; logs.configure()\ndef fail(): {fails}\n"
        "thread = threading.Thread(target=fail); thread.start(); thread.join(); fail()"
    )
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=False, timeout=60)
    assert done.returncode == 1
    said = [json.loads(line) for line in done.stderr.splitlines()]
    assert [line["level"] for line in said] == ["critical"] * 2
    assert all("nobody thought of j…d@example.fr" in line["exception"] for line in said)
