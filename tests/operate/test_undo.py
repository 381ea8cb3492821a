"""A contact was marked wrongly: explain, undo, and it stays so. Against a Salesforce over HTTPS."""

from __future__ import annotations

import time
from typing import Any

import pytest

from syncd.engine import Summary, assemble, undo
from syncd.salesforce import Crm
from syncd.sandbox import Fault, Org
from syncd.store import Undoing, Wanted
from tests.conftest import Syncd
from tests.factories import ADDRESS, payload
from tests.operate.conftest import Commands

REASON = "550 5.1.1 user unknown"


def bounce_of(org: Org, sf_id: str) -> Any:
    return org.get(sf_id)["EmailBouncedReason"]


def later(syncd: Syncd) -> None:
    """Past what was decided on the command line, which goes by the real clock."""
    syncd.clock.at = time.time_ns() // 1_000_000 + 40 * 86_400_000


@pytest.fixture
def marked(syncd: Syncd, org: Org, contact: str) -> str:
    before = org.get(contact)
    syncd.receive(payload("hard_bounce", whId=contact))
    syncd.run()
    assert bounce_of(org, contact) == REASON
    assert before["EmailBouncedReason"] is None
    return contact


@pytest.mark.parametrize("which", [("--run", "1"), ("--record", "")])
def test_a_wrong_mark_is_explained_taken_back_and_stays_so(
    command: Commands, syncd: Syncd, org: Org, marked: str, which: tuple[str, str]
) -> None:
    assert "Marked invalid in run 1, " in command("explain", ADDRESS)
    option = (which[0], which[1] or marked)
    told = command("undo", *option, "--dry-run")
    assert f"bounce_reason: {REASON} → empty" in told
    assert bounce_of(org, marked) == REASON
    assert "1 record put back, 0 left" in command("undo", *option)
    assert (bounce_of(org, marked), org.get(marked)["EmailBouncedDate"]) == (None, None)
    command("resync", "--all")
    assert bounce_of(org, marked) is None
    assert "A person's word stands: invalid undone" in command("explain", ADDRESS)
    assert "Nothing that was written is left to be taken back." in command("undo", *option)


def test_a_table_has_the_fields_before_and_after_in_a_cell_each(command: Commands, syncd: Syncd, marked: str) -> None:
    (row,) = command.csv("undo", "--run", "1", "--dry-run")
    assert row["before"] == f"bounce_date: 2026-03-02 09:00:00Z; bounce_reason: {REASON}"
    assert row["after"] == "bounce_date: empty; bounce_reason: empty"


def test_who_has_no_name_on_this_machine_can_decide_too(
    command: Commands, syncd: Syncd, marked: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    for name in ("LOGNAME", "USER", "LNAME", "USERNAME"):
        monkeypatch.delenv(name, raising=False)
    monkeypatch.setattr("os.getuid", lambda: 54_321)  # as in a container
    command("undo", "--record", marked)
    assert "by uid 54321" in command("explain", marked)


def test_a_later_bounce_marks_again(command: Commands, syncd: Syncd, org: Org, marked: str) -> None:
    command("undo", "--record", marked)
    later(syncd)
    syncd.receive(payload("hard_bounce", 1, "s2", whId=marked))  # of a day before the decision
    syncd.run()
    assert bounce_of(org, marked) is None
    syncd.receive(payload("hard_bounce", 300, "s3", whId=marked))
    syncd.run()
    assert bounce_of(org, marked) == REASON


@pytest.mark.parametrize(
    "theirs",
    [
        {"EmailBouncedReason": None, "EmailBouncedDate": None},
        {"EmailBouncedReason": "moved house", "EmailBouncedDate": "2026-01-01T00:00:00.000+0000"},
    ],
    ids=["cleared", "changed"],
)
def test_what_a_person_did_meanwhile_is_left_and_said(
    command: Commands, syncd: Syncd, org: Org, marked: str, theirs: dict[str, Any]
) -> None:
    org.edit(marked, **theirs)
    before = org.get(marked)
    told = command("undo", "--record", marked, code=1)
    assert f"left: mark of Contact {marked}: the field no longer holds what syncd wrote" in told
    command("resync", "--all")
    assert {name: org.get(marked)[name] for name in theirs} == {name: before[name] for name in theirs}


def test_a_lift_that_is_taken_back_puts_the_mark_back_for_good(
    command: Commands, syncd: Syncd, org: Org, marked: str
) -> None:
    syncd.receive(payload("delivered", 5, whId=marked))
    syncd.run()
    assert bounce_of(org, marked) is None
    command("undo", "--run", "2")
    command("resync", "--all")
    assert bounce_of(org, marked) == REASON


def test_opt_outs_and_tasks_are_left_and_listed(command: Commands, syncd: Syncd, org: Org, marked: str) -> None:
    syncd.receive(payload("unsubscribe", 2, whId=marked), payload("open", 0.5, "s0", whId=marked))
    syncd.run()
    told = command.json("undo", "--record", marked, code=1)
    assert sorted((row["what"], row["done"]) for row in told["rows"]) == [
        ("activity", False), ("opt_out", False), ("undo", True),
    ]  # fmt: skip
    assert (told["left"], len(org.all("Task")), org.get(marked)["HasOptedOutOfEmail"]) == (2, 1, True)
    assert "Task “Nos nouveautés”" in command("undo", "--record", marked, code=1)


def test_with_activities_tasks_are_deleted_and_not_made_again(
    command: Commands, syncd: Syncd, org: Org, contact: str
) -> None:
    syncd.receive(payload("open", 2, "s", whId=contact))
    syncd.run()
    assert "1 Task deleted, 0 left" in command("undo", "--run", "1", "--activities")
    before = org.calls_count(writing=True)
    syncd.receive(payload("click", 3, "s", whId=contact))
    later(syncd)
    syncd.run()
    assert (org.all("Task"), org.calls_count(writing=True)) == ([], before)


def test_what_was_written_of_a_held_group_is_taken_back(command: Commands, syncd: Syncd, org: Org) -> None:
    addresses = [f"n{i}@gone.example" for i in range(60)]
    other = org.add("Contact", LastName="O", Email="o@other.example")
    syncd.receive(
        payload("hard_bounce", 1, "t", email="o@other.example", whId=other),
        *(payload("hard_bounce", 1, "s", email=a, whId=org.add("Contact", LastName="N", Email=a)) for a in addresses),
    )
    syncd.run()
    (group,) = command.json("held")
    command("drop", "1")
    assert "49 records put back, 0 left" in command(*group["undo"].split()[1:])
    command("resync", "--all")
    assert [c["Id"] for c in org.all("Contact") if c["EmailBouncedReason"]] == [other]


def test_what_salesforce_refuses_to_put_back_exits_1_and_can_be_typed_again(
    command: Commands, syncd: Syncd, org: Org, marked: str
) -> None:
    refuse = {"row_code": "FIELD_CUSTOM_VALIDATION_EXCEPTION", "row_message": "no"}
    org.faults.add(Fault(path="composite/sobjects$", method="PATCH", times=1, **refuse))  # type: ignore[arg-type]
    command("undo", "--record", marked, code=1)
    command("resync", "--all", code=0)
    assert bounce_of(org, marked) == REASON
    command("undo", "--record", marked)
    assert bounce_of(org, marked) is None


def test_an_answer_that_never_came_is_settled_by_reading(
    command: Commands, syncd: Syncd, org: Org, marked: str
) -> None:
    org.faults.add(Fault(path="composite/sobjects$", method="PATCH", times=1, status=503, when="after"))
    command("undo", "--record", marked, code=3)
    assert bounce_of(org, marked) is None
    command("sync")
    assert [change["state"] for change in syncd.desk.changes()] == ["done", "done"]
    assert "Nothing that was written is left" in command("undo", "--record", marked)


def test_it_wants_to_know_what_and_in_observe_mode_it_writes_nothing(
    command: Commands, syncd: Syncd, org: Org, marked: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    command("undo", code=2)
    command("undo", "--run", "1", "--record", marked, code=2)
    command("undo", "--group", "7", code=2)
    monkeypatch.setenv("SYNCD_SYNC__MODE", "observe")
    assert 'mode is "observe"' in command("undo", "--run", "1")
    assert bounce_of(org, marked) == REASON
    assert [row["text"] for row in command.csv("undo", "--run", "1")] == [f"taken back by {user()}: {REASON}"]


def user() -> str:
    import getpass

    return getpass.getuser()


# --- an undo that does not come to its end ------------------------------------------------------------------------


def undo_run(syncd: Syncd, *, stopping: bool = False) -> Summary:
    with assemble(syncd.settings, syncd.crm, lambda: stopping) as context:
        undoing = Undoing(syncd.db)
        return undo(context, undoing, Wanted(run=1), "test", lambda _: None, write=True, tasks=True)


def test_one_that_is_stopped_takes_nothing_back(syncd: Syncd, org: Org, marked: str) -> None:
    assert undo_run(syncd, stopping=True).ended == "stopped"
    assert bounce_of(org, marked) == REASON
    assert undo_run(syncd).ended == "done"
    assert bounce_of(org, marked) is None


def test_one_without_calls_left_or_without_a_secret_says_so(syncd: Syncd, org: Org, marked: str) -> None:
    syncd.db.execute("INSERT OR REPLACE INTO api_calls VALUES (?, 1000000)", (time.time_ns() // 3_600_000_000_000,))
    assert undo_run(syncd).ended == "budget"
    syncd.db.execute("DELETE FROM api_calls")
    (syncd.settings.secrets_dir / "salesforce_private_key").unlink()
    syncd.crm = Crm(syncd.settings)
    said = undo_run(syncd)
    assert (said.ended, said.code) == ("fatal", "configuration")
    assert bounce_of(org, marked) == REASON


def test_a_task_that_may_not_be_deleted_is_counted_as_rejected(syncd: Syncd, org: Org, contact: str) -> None:
    syncd.receive(payload("open", whId=contact))
    syncd.run()
    org.faults.add(
        Fault(path="composite/sobjects", method="DELETE", row_code="INSUFFICIENT_ACCESS_OR_READONLY", times=1)
    )
    assert undo_run(syncd).changes == {"rejected": 1}
    assert len(org.all("Task")) == 1
