"""The command line: what it prints, and its exit codes."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from pathlib import Path
from shutil import copy
from typing import Any

import pytest
import requests

from syncd.sandbox import Fault, Org, Sandbox
from syncd.store import open_store
from tests.factories import ADDRESS, payload
from tests.system.conftest import Installation


def first_contact(org: Org) -> str:
    """It has the same id in every new org."""
    return org.add("Contact", LastName="Durand", Email=ADDRESS)


@pytest.fixture(scope="module")
def received(tmp_path_factory: pytest.TempPathFactory, keys: Path) -> Path:
    """A store with the hard bounce of a new org's first contact."""
    with Sandbox(Org(), directory=keys) as sandbox, requests.Session() as web:
        web.trust_env = False
        made = Installation(tmp_path_factory.mktemp("received"), sandbox)
        service = made.serve("receive")
        bounce = payload("hard_bounce", whId=first_contact(sandbox.org))
        assert web.post(service.url, data=json.dumps(bounce), timeout=30).status_code == 204
        assert service.terminate() == 0
    return made.directory / "syncd.db"


@pytest.fixture
def bounced(installation: Installation, received: Path, org: Org) -> str:
    """A contact whose hard bounce was received and not yet synced."""
    copy(received, installation.directory)
    return first_contact(org)


def test_sync_writes_and_says_what_it_did(installation: Installation, org: Org, bounced: str) -> None:
    assert installation.syncd("sync") == "Run 1: 1 new event, 1 subject, 1 done; 4 calls.\n"
    assert org.get(bounced)["EmailBouncedReason"] == "550 5.1.1 user unknown"
    assert installation.syncd("sync") == "Run 2: 0 new events, 0 subjects, no change; 0 calls.\n"


@pytest.mark.parametrize("way", ["dry run", "observe"])
def test_looking_shows_each_difference_and_writes_nothing(
    installation: Installation, sandbox: Sandbox, org: Org, bounced: str, way: str
) -> None:
    arguments = ["sync", "--dry-run"]
    if way == "observe":
        installation.configure(sandbox, mode="observe")
        arguments = ["sync"]
    said = installation.syncd(*arguments)
    difference = "bounce_date: empty → 2026-03-02 09:00:00Z; bounce_reason: empty → 550 5.1.1 user unknown"
    assert f"mark Contact {bounced}: {difference} (550 5.1.1 user unknown)" in said
    assert "Nothing was written to Salesforce" in said
    document = installation.json(*arguments)
    assert [change["what"] for change in document["would_change"]] == ["mark"]
    assert org.calls_count(writing=True) == 0


def test_sync_exits_1_when_something_was_rejected_and_status_does_too(
    installation: Installation, org: Org, bounced: str
) -> None:
    org.faults.add(Fault(path="composite/sobjects$", method="PATCH", row_code="FIELD_CUSTOM_VALIDATION_EXCEPTION"))
    assert installation.json("sync", code=1)["changes"] == {"rejected": 1}
    assert installation.json("status", code=1)["rejected"] == 1


def test_sync_exits_3_when_salesforce_is_out_of_reach_and_keeps_everything(
    installation: Installation, sandbox: Sandbox, bounced: str
) -> None:
    sandbox.stop()
    assert installation.json("sync", code=3)["code"] == "unreachable"
    assert installation.json("status", code=1)["subjects_failing"] == 1


def test_a_second_sync_exits_3_while_one_is_going_on(installation: Installation, bounced: str) -> None:
    installation.syncd("sync", "--dry-run")
    db = open_store(installation.directory / "syncd.db")
    db.execute("UPDATE runs SET ended_at = NULL, owner = 'elsewhere x 1 1', heartbeat_at = heartbeat_at + 60000")
    db.close()
    installation.syncd("sync", code=3)


def test_status_is_one_screen(installation: Installation, bounced: str) -> None:
    installation.syncd("sync")
    lines = installation.syncd("status").splitlines()
    assert len(lines) <= 24
    assert lines[0].split() == ["mode", "live"]
    said = installation.json("status")
    assert (said["events"], said["kinds"], said["subjects_due"], said["unmatched"]) == (1, {"hard_bounce": 1}, 0, 0)


def test_an_old_store_is_refused_until_it_is_migrated(installation: Installation) -> None:
    installation.syncd("status")
    db = open_store(installation.directory / "syncd.db")
    db.execute("DELETE FROM _sqlite_migrations WHERE name = 'm003_ledger'")
    for table in ("api_calls", "activities", "receipts", "changes", "rules"):
        db.execute(f"DROP TABLE {table}")
    db.close()
    for command in ("status", "sync", "receive", "schedule"):
        done = run(installation, command)
        assert done.returncode == 3
        assert "1 migration pending (m003_ledger). Back up and run: syncd migrate" in done.stderr
    assert installation.syncd("migrate", "--dry-run") == "would apply m003_ledger\n"
    assert installation.json("migrate") == {"written": True, "migrations": ["m003_ledger"]}
    assert installation.syncd("migrate") == "Nothing to do: the store is up to date.\n"
    installation.syncd("status")


def run(installation: Installation, *arguments: str) -> subprocess.CompletedProcess[str]:
    return subprocess.run(
        [sys.executable, "-m", "syncd", "--config", str(installation.config), *arguments],
        capture_output=True,
        text=True,
        timeout=60,
    )


def test_a_store_of_a_newer_version_is_refused(installation: Installation) -> None:
    installation.syncd("status")
    db = open_store(installation.directory / "syncd.db")
    db.execute("INSERT INTO _sqlite_migrations (migration_set, name, applied_at) VALUES ('syncd', 'm999', 'then')")
    db.close()
    assert "written by a newer syncd (m999)" in run(installation, "status").stderr


def test_a_missing_configuration_says_how_to_make_one() -> None:
    done = subprocess.run(
        [sys.executable, "-m", "syncd", "--config", "/nonexistent/syncd.toml", "status"],
        capture_output=True, text=True, timeout=30,
    )  # fmt: skip
    assert done.returncode == 2
    assert "/nonexistent/syncd.toml" in done.stderr


def test_a_store_whose_directory_is_missing_says_what_to_type(installation: Installation) -> None:
    text = installation.config.read_text()
    installation.config.write_text(text.replace("sqlite:///syncd.db", "sqlite:///missing/syncd.db"))
    done = run(installation, "status")
    assert done.returncode == 3
    assert "mkdir -p" in done.stderr


def test_a_reader_that_has_seen_enough_is_no_failure(installation: Installation) -> None:
    end, start = os.pipe()
    os.close(end)
    command = [sys.executable, "-m", "syncd", "--config", str(installation.config), "runs", "--csv"]
    done = subprocess.run(command, stdout=start, stderr=subprocess.PIPE, text=True, timeout=60)
    os.close(start)
    assert (done.returncode, done.stderr) == (0, "")


def test_the_demo_keeps_to_itself_whatever_the_environment_says(tmp_path: Path) -> None:
    store = tmp_path / "configured.db"
    elsewhere = {
        "SYNCD_STORE__URL": f"sqlite:///{store}",
        "SYNCD_SYNC__MODE": "observe",
        "SYNCD_CONFIG": str(tmp_path / "syncd.toml"),
        "HTTPS_PROXY": "http://127.0.0.1:9",
    }
    done = subprocess.run(
        [sys.executable, "-m", "syncd", "demo", "--once"],
        capture_output=True, text=True, timeout=60, env=os.environ | elsewhere,
    )  # fmt: skip
    assert "HasOptedOutOfEmail: no → yes" in done.stdout, done.stderr
    assert not store.exists()


def test_the_demo_names_every_event_decision_change_and_receipt() -> None:
    done = subprocess.run(
        [sys.executable, "-m", "syncd", "demo", "--once", "--json"], capture_output=True, text=True, timeout=60
    )
    assert done.returncode == 0, done.stderr
    said: dict[str, Any] = json.loads(done.stdout)
    events = {event["key"] for event in said["events"]}
    assert len(events) == len(said["events"]) == 28
    assert [(kept["reason"], kept["bytes"]) for kept in said["quarantine"]] == [
        ("neither JSON nor a URL-encoded form", 16)
    ]
    assert sorted((change["what"], change["state"]) for change in said["changes"]) == [
        ("activity", "done"),
        ("activity", "done"),
        ("mark", "done"),
        ("mark", "done"),
        ("mark", "found"),
        ("mark", "refused"),
        ("opt_out", "done"),
    ]
    for change in said["changes"]:
        assert set(change["why"].get("counted") or change["why"]["events"]) <= events
        assert [r["ok"] for r in change["receipts"]] == (
            [1] if change["state"] == "done" else [0][: change["state"] == "refused"]
        )
    assert said["decisions"] == []
    assert said["second_sync"]["writing_calls"] == 0
    assert {person["name"] for person in said["records"] if person["before"] != person["after"]} == {
        "Jeanne Durand", "Marc Petit", "Sophie Bernard", "Ines Robert", "Claire Simon",
    }  # fmt: skip


def test_the_package_needs_nothing_beside_it(tmp_path: Path) -> None:
    done = subprocess.run(
        [sys.executable, "-m", "syncd", "--version"], cwd=tmp_path, capture_output=True, text=True, timeout=30
    )
    assert done.stdout.startswith("syncd, version ")
