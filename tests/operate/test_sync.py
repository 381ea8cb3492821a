"""`syncd sync`: what it exits with."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest

from syncd.sandbox import Fault, Org
from tests.conftest import Syncd
from tests.factories import payload
from tests.operate.conftest import Commands


def test_a_row_that_was_only_put_off_is_told_and_exits_1(
    command: Commands, syncd: Syncd, org: Org, contact: str
) -> None:
    lock: dict[str, Any] = {"row_code": "UNABLE_TO_LOCK_ROW", "row_message": "unable to obtain exclusive access"}
    org.faults.add(Fault(path="composite/sobjects$", method="PATCH", **lock, times=4))
    syncd.receive(payload("hard_bounce", whId=contact))
    command("sync", code=1)
    assert command.errors == "1 failed and wait for another try.\n"
    assert command.json("runs")[0]["failed"] == 1


def test_an_object_that_cannot_be_seen_is_named_and_exits_1(
    command: Commands, syncd: Syncd, org: Org, contact: str
) -> None:
    org.hide_object("Contact")
    syncd.receive(payload("hard_bounce", whId=contact))
    assert command.json("sync", code=1)["failed"] == 1
    syncd.later(hours=1)
    syncd.receive(payload("hard_bounce", 1, whId=contact))
    command("sync", code=1)
    assert "  Contact: NOT_FOUND: " in command.errors


def test_what_has_failed_is_tried_by_hand_at_once(command: Commands, syncd: Syncd, org: Org, contact: str) -> None:
    org.faults.add(Fault(status=503, times=1))
    syncd.receive(payload("hard_bounce", whId=contact))
    command("sync", code=3)
    assert "1 done" in command("sync")


@pytest.mark.parametrize("arguments", [("sync",), ("resync", "--all"), ("undo", "--run", "1", "--activities")])
def test_a_secret_that_is_missing_is_the_configurations_fault_and_is_said(
    command: Commands, syncd: Syncd, contact: str, tmp_path: Path, arguments: tuple[str, ...]
) -> None:
    syncd.receive(payload("open", whId=contact))
    if arguments[0] == "undo":
        command("sync")
    (tmp_path / "secrets" / "salesforce_private_key").unlink()
    said = command(*arguments, code=2)
    assert "Nothing that was written" not in said
    assert "salesforce_private_key: there is no such file" in command.errors
    assert "salesforce_private_key: there is no such file: " in command("runs", "--limit", "1").splitlines()[0]
