"""A person who asks for it is told what is stored, and erased: not a byte of the address is left in the files."""

from __future__ import annotations

import json
import time
from collections.abc import Callable
from pathlib import Path

import pytest

from syncd.salesforce.tasks import Tasks
from syncd.sandbox import Fault, Org
from syncd.store import Inbox, totals
from syncd.store.inbox import Unread
from tests.conftest import Syncd
from tests.factories import ADDRESS, payload
from tests.operate.conftest import Commands

OTHER = "paul.martin@example.fr"
WORDS = {"smtpDescription": f"550 <{ADDRESS.upper()}> is unknown here"}


def fill(syncd: Syncd, contact: str, add: Callable[[str], str]) -> str:
    """A person with a mark, a Task, an opt-out, something in quarantine, a mention by somebody else, and others."""
    other = add(OTHER)
    syncd.receive(
        *(payload("open", 0, "s0", email=f"n{i}@example.fr", whId="") for i in range(300)),
        payload("hard_bounce", 1, whId=contact, **WORDS),
        payload("open", 2, whId=contact),
        payload("unsubscribe", 2, whId=contact),
        payload("hard_bounce", 1, email=OTHER, whId=other, **WORDS),
    )
    syncd.run()
    kept = json.dumps({"email": ADDRESS.upper(), "date": "soon"}).encode()
    Inbox(syncd.db).append([], [Unread(syncd.clock(), "webhook", "no date", kept)])
    syncd.receive(payload("click", 3, whId=contact))
    return other


def bytes_of(directory: Path) -> bytes:
    return b"".join(file.read_bytes() for file in directory.glob("syncd.db*")).lower()


def test_nothing_of_the_address_and_its_whid_is_left_in_the_files(
    syncd: Syncd, command: Commands, contact: str, add: Callable[[str], str], org: Org, tmp_path: Path
) -> None:
    other = fill(syncd, contact, add)
    before, counted = (org.get(contact), org.get(other), org.all("Task")), totals.by_kind(syncd.db)
    assert ADDRESS.encode() in bytes_of(tmp_path)
    dry = command.json("forget", ADDRESS, "--dry-run")
    assert (dry["events"], dry["recipients"], dry["quarantined"], dry["written"]) == (4, 1, 1, False)
    assert len(json.loads(command("export", ADDRESS))["events"]) == 4
    said = command.json("forget", ADDRESS)
    assert (said["events"], said["recipients"], said["quarantined"], said["traces"]) == (4, 1, 1, 0)
    assert said["mentions"] > 0
    left = bytes_of(tmp_path)
    assert ADDRESS.encode() not in left
    assert contact.lower().encode() not in left
    assert OTHER.encode() in left
    command("resync", "--all")
    assert (org.get(contact), org.get(other), org.all("Task")) == before
    assert totals.by_kind(syncd.db) == counted | {"click": (1, 1)}
    exported = json.loads(command("export", ADDRESS))
    assert [name for name, found in exported.items() if found] == ["address"]


def test_what_happened_before_does_not_come_back_and_what_happens_later_counts(
    syncd: Syncd, command: Commands, contact: str, add: Callable[[str], str], org: Org
) -> None:
    fill(syncd, contact, add)
    command("forget", ADDRESS)
    org.edit(contact, EmailBouncedDate=None, EmailBouncedReason=None)
    syncd.receive(payload("hard_bounce", 1, whId=contact, **WORDS), payload("soft_bounce", 1, whId=contact))
    syncd.run()
    assert org.get(contact)["EmailBouncedReason"] is None
    assert json.loads(command("export", ADDRESS))["events"] == []
    syncd.later(days=400)
    syncd.receive(payload("hard_bounce", 600, whId=contact))
    syncd.run()
    assert org.get(contact)["EmailBouncedReason"] == "550 5.1.1 user unknown"


def test_an_opt_out_is_honoured_once_whenever_it_comes(
    syncd: Syncd, command: Commands, contact: str, add: Callable[[str], str], org: Org
) -> None:
    """Sarbacane delivers it when the person has been forgotten already; what had been honoured does not come back."""
    fill(syncd, contact, add)
    command("forget", ADDRESS)
    org.edit(contact, HasOptedOutOfEmail=False)
    syncd.receive(payload("unsubscribe", 2, whId=contact), payload("open", 4, whId=contact))
    syncd.run()
    assert org.get(contact)["HasOptedOutOfEmail"] is False
    assert json.loads(command("export", ADDRESS))["events"] == []
    late = payload("complaint", 2.5, whId=contact)
    syncd.receive(late)
    syncd.run()
    assert org.get(contact)["HasOptedOutOfEmail"] is True
    command("forget", ADDRESS)
    syncd.receive(late)
    syncd.run()
    assert json.loads(command("export", ADDRESS))["events"] == []


def test_an_opt_out_that_salesforce_was_not_told_is_named_and_honoured_if_it_comes_again(
    syncd: Syncd, command: Commands, contact: str, org: Org
) -> None:
    opt_out = payload("unsubscribe", 2, whId=contact)
    syncd.receive(opt_out)
    syncd.run(write=False)  # its record is known, and nothing is written
    assert command.json("forget", ADDRESS, "--dry-run", code=1)["not_opted_out"] == [contact]
    command("forget", ADDRESS, "--dry-run", code=1)
    assert f"{contact} has not reached Salesforce: run syncd sync first" in command.errors
    command("forget", ADDRESS, code=1)
    assert f"{contact} had not reached Salesforce: opt the record out there" in command.errors
    syncd.run()
    assert org.get(contact)["HasOptedOutOfEmail"] is False
    syncd.receive(opt_out)
    syncd.run()
    assert org.get(contact)["HasOptedOutOfEmail"] is True


def test_of_a_record_with_two_addresses_the_other_one_stays_as_it_was(
    syncd: Syncd, command: Commands, contact: str, org: Org
) -> None:
    """Its mark is left alone, too: it is no longer syncd's, so that nothing is written because of an erasure."""
    syncd.receive(
        payload("hard_bounce", 1, whId=contact, **WORDS), payload("open", 2, email=OTHER, whId=contact),
    )  # fmt: skip
    syncd.run()
    before = (org.get(contact), org.all("Task"))
    assert f"syncd forget {OTHER}" in command("forget", ADDRESS)
    command("resync", "--all")
    assert (org.get(contact), org.all("Task")) == before
    assert [event["email"] for event in map(_raw, json.loads(command("export", OTHER))["events"])] == [OTHER]


def test_a_task_of_unknown_fate_that_named_the_address_is_not_made_again_and_stops_no_run(
    syncd: Syncd, command: Commands, contact: str, org: Org
) -> None:
    org.faults.add(Fault(path="composite/sobjects$", method="POST", status=503, when="after", times=1))
    link = f"https://acme.example/?to={ADDRESS}"
    syncd.receive(payload("click", 1, "s", whId=contact, url=link), payload("open", 1, "s", email=OTHER, whId=contact))
    assert (syncd.run().ended, syncd.changes()) == ("unavailable", [("activity", "uncertain")])
    command("forget", ADDRESS)
    syncd.clock.at = time.time_ns() // 1_000_000
    syncd.later(minutes=11)
    syncd.receive(payload("open", 2, "s", email=OTHER, whId=contact))
    assert syncd.run().ended == "done"
    assert len(org.all("Task")) == 1


def test_what_a_crash_left_unclear_has_its_time_to_appear_though_somebody_is_forgotten_meanwhile(
    syncd: Syncd, command: Commands, contact: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    def die(*_: object) -> None:
        raise KeyboardInterrupt

    syncd.receive(payload("open", 1, "s", whId=contact))
    with monkeypatch.context() as patched:
        patched.setattr(Tasks, "create", die)
        with pytest.raises(KeyboardInterrupt):
            syncd.run()
    command("forget", OTHER)
    started = time.time_ns() // 1_000_000
    ((not_before,),) = syncd.db.execute("SELECT not_before FROM activities").fetchall()
    assert not_before > started + 9 * 60_000


def _raw(event: dict[str, dict[str, str]]) -> dict[str, str]:
    return event["raw"]


def test_nobody_of_that_address_is_no_error(command: Commands) -> None:
    assert command("forget", "nobody@example.fr").startswith("Erased: 0 events of 0 recipients")


def test_what_unused_space_holds_is_found_and_a_rewrite_ends_it(
    syncd: Syncd, command: Commands, contact: str, tmp_path: Path
) -> None:
    """As after a deletion by a program that does not overwrite."""
    syncd.receive(*(payload("open", i, f"s{i}", whId=contact, subject="x" * 500) for i in range(200)))
    syncd.run()
    syncd.db.execute("PRAGMA secure_delete=OFF")
    syncd.db.execute("DELETE FROM events")
    assert command.json("forget", ADDRESS, code=1)["traces"] > 0
    assert command.json("forget", ADDRESS, "--rewrite")["traces"] == 0
    assert ADDRESS.encode() not in bytes_of(tmp_path)
