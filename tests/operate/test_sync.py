"""`syncd sync`: what it exits with."""

from __future__ import annotations

from typing import Any

from syncd.sandbox import Fault, Org
from tests.conftest import Syncd
from tests.factories import payload
from tests.operate.conftest import Commands


def test_a_row_that_was_only_put_off_is_told_and_exits_1(
    command: Commands, syncd: Syncd, org: Org, contact: str
) -> None:
    lock: dict[str, Any] = {"row_code": "UNABLE_TO_LOCK_ROW", "row_message": "unable to obtain exclusive access"}
    org.faults.add(Fault(path="composite/sobjects$", method="PATCH", **lock, times=3))
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
