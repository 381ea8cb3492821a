"""What happens when Salesforce does not take a row, or a run is asked to stop: it is tried again, the others go on."""

from __future__ import annotations

from typing import Any

import pytest

from syncd.engine import Options
from syncd.sandbox import Fault, Org
from tests.conftest import Syncd
from tests.factories import ADDRESS, payload

READ: dict[str, Any] = {"path": "composite/sobjects/Contact$", "method": "POST"}
CREATE: dict[str, Any] = {"path": "composite/sobjects$", "method": "POST"}
UPDATE: dict[str, Any] = {"path": "composite/sobjects$", "method": "PATCH"}
LOCK: dict[str, Any] = {"row_code": "UNABLE_TO_LOCK_ROW", "row_message": "unable to obtain exclusive access"}
BUSY: dict[str, Any] = {"row_code": "TOO_MANY_APEX_REQUESTS", "row_message": "try again"}
TRIES = 4  # of a locked row in one run
RULE: dict[str, Any] = {"row_code": "FIELD_CUSTOM_VALIDATION_EXCEPTION", "row_message": "no bounces on Mondays"}


@pytest.fixture
def contact(org: Org) -> str:
    return org.add("Contact", LastName="Durand", Email=ADDRESS)


def reason(org: Org, sf_id: str) -> Any:
    return org.get(sf_id)["EmailBouncedReason"]


def test_a_rejected_mark_is_kept_with_salesforces_words(syncd: Syncd, org: Org, contact: str) -> None:
    org.faults.add(Fault(**UPDATE, **RULE, times=1))
    syncd.receive(payload("hard_bounce", whId=contact))
    assert syncd.run().changes == {"rejected": 1}
    (change,) = syncd.desk.changes()
    assert [(r["code"], r["words"]) for r in change["receipts"]] == [(RULE["row_code"], RULE["row_message"])]
    assert syncd.desk.status(syncd.clock())["rejected"] == 1
    syncd.later(days=30)
    assert syncd.run().subjects == 0


@pytest.mark.parametrize(("kind", "call"), [("hard_bounce", UPDATE), ("open", CREATE)])
def test_a_row_that_stays_locked_is_tried_again_later(
    syncd: Syncd, org: Org, contact: str, kind: str, call: dict[str, Any]
) -> None:
    org.faults.add(Fault(**call, **LOCK, times=TRIES))
    syncd.receive(payload(kind, whId=contact))
    assert syncd.run().changes == {"superseded": 1}
    assert syncd.run().subjects == 0  # not at once
    syncd.later(minutes=2)
    assert syncd.run().changes == {"done": 1}
    assert syncd.desk.status(syncd.clock())["subjects_failing"] == 0


@pytest.mark.parametrize(("kind", "call"), [("hard_bounce", UPDATE), ("open", CREATE)])
def test_locked_rows_are_sent_again_at_once_in_smaller_pieces(
    unbraked: Syncd, org: Org, kind: str, call: dict[str, Any]
) -> None:
    """One lock fails the whole batch; in smaller ones it fails fewer, and at last only itself."""
    syncd = unbraked
    people = [org.add("Contact", LastName=f"N{i}", Email=f"n{i}@example.fr") for i in range(120)]
    org.faults.add(Fault(**call, **LOCK, times=1))
    org.faults.add(Fault(**call, **LOCK, row=[0, 1], times=1))
    syncd.receive(*(payload(kind, whId=who, email=f"n{i}@example.fr") for i, who in enumerate(people)))
    assert syncd.run().changes == {"done": 120}
    assert [c.rows for c in org.calls if c.writing] == [120, 50, 50, 20, 2]
    assert syncd.slept == [0.25] * 4
    assert len(org.all("Task")) == (120 if kind == "open" else 0)


@pytest.mark.parametrize("kind", ["hard_bounce", "open"])
def test_one_row_on_which_a_trigger_stumbles_costs_no_other_row_its_change(
    unbraked: Syncd, org: Org, kind: str
) -> None:
    """What a trigger throws refuses all rows that are saved together; only alone it is the row's own."""
    people = [org.add("Contact", LastName=f"N{i}", Email=f"n{i}@example.fr") for i in range(120)]
    org.trigger("Contact" if kind == "hard_bounce" else "Task", stumbles=people[60])
    unbraked.receive(*(payload(kind, whId=who, email=f"n{i}@example.fr") for i, who in enumerate(people)))
    assert unbraked.run().changes == {"done": 119, "rejected": 1}
    assert [c.rows for c in org.calls if c.writing] == [120, 50, 50, 20, *[10] * 5, *[1] * 10]
    assert len(org.all("Task")) == (119 if kind == "open" else 0)


def test_what_is_too_much_for_a_trigger_is_written_in_calls_that_it_takes(syncd: Syncd, org: Org) -> None:
    """Governor limits are those of all rows together; what is left over when patience ends is not rejected."""
    people = [org.add("Contact", LastName=f"N{i}", Email=f"n{i}@example.fr") for i in range(400)]
    org.trigger("Task", most=12)
    syncd.receive(*(payload("open", whId=who, email=f"n{i}@example.fr") for i, who in enumerate(people)))
    assert syncd.run().changes == {"done": 320, "superseded": 80}
    syncd.later(minutes=2)
    assert syncd.run().changes == {"done": 80}
    assert len(org.all("Task")) == 400


def test_a_storm_of_locks_is_insisted_on_for_some_seconds_only(syncd: Syncd, org: Org) -> None:
    people = [org.add("Contact", LastName=f"N{i}", Email=f"n{i}@example.fr") for i in range(900)]
    org.faults.add(Fault(**CREATE, **LOCK, times=None))
    syncd.receive(*(payload("open", whId=who, email=f"n{i}@example.fr") for i, who in enumerate(people)))
    assert syncd.run().changes == {"superseded": 900}
    assert [c.rows for c in org.calls if c.writing][:36] == [200, *[50] * 4, *[10] * 20, *[1] * 10, 200]
    assert len(syncd.slept) == 40
    assert syncd.db.execute("SELECT count(*) FROM activities").fetchone() == (0,)
    org.faults.clear()
    syncd.later(minutes=2)
    assert syncd.run().changes == {"done": 900}
    assert len(org.all("Task")) == 900


def test_a_failure_between_the_smaller_pieces_leaves_no_line_for_what_was_not_made(syncd: Syncd, org: Org) -> None:
    people = [org.add("Contact", LastName=f"N{i}", Email=f"n{i}@example.fr") for i in range(120)]
    org.faults.add(Fault(**CREATE, **LOCK, times=1))
    org.faults.add(Fault(**CREATE, status=403, code="REQUEST_LIMIT_EXCEEDED", skip=2, times=1))
    syncd.receive(*(payload("open", whId=who, email=f"n{i}@example.fr") for i, who in enumerate(people)))
    assert syncd.run().changes == {"done": 50, "superseded": 50}
    syncd.later(minutes=3)
    syncd.run()
    assert len(org.all("Task")) == 120


LASTING: dict[str, dict[str, Any]] = {
    "row locked": {**UPDATE, **LOCK},
    "call unanswered": {**UPDATE, "status": 503},
    "reading unanswered": {**READ, "status": 503},
    "reading refused": {**READ, "status": 403, "code": "INSUFFICIENT_ACCESS"},
    "upload unanswered": {"path": "/batches", "status": 503},
}


@pytest.mark.parametrize("fault", LASTING.values(), ids=LASTING)
def test_the_pause_between_tries_doubles_up_to_an_hour(
    syncd: Syncd, org: Org, contact: str, fault: dict[str, Any]
) -> None:
    syncd.options = Options(bulk_threshold=1 if fault["path"] == "/batches" else 2_000)
    tried = org.faults.add(Fault(**fault, times=None))
    syncd.receive(payload("hard_bounce", whId=contact))
    pauses = []
    for _ in range(8):
        before, fired = syncd.clock.at, tried.fired
        syncd.run()
        assert tried.fired > fired
        due = syncd.db.execute("SELECT min(due_at) FROM subjects").fetchone()[0]
        pauses.append(round((due - before) / 60_000))
        syncd.clock.at = due
    assert pauses == [1, 2, 4, 8, 16, 32, 60, 60]


def test_a_row_that_stays_locked_for_a_week_is_rejected(syncd: Syncd, org: Org, contact: str) -> None:
    org.faults.add(Fault(**UPDATE, **LOCK, times=None))
    syncd.receive(payload("hard_bounce", whId=contact))
    syncd.run()
    syncd.later(days=6)
    assert syncd.run().changes == {"superseded": 1}
    syncd.later(days=1)
    assert syncd.run().changes == {"rejected": 1}


def test_what_succeeds_ends_a_failure_though_an_opt_out_stays_rejected(syncd: Syncd, org: Org, contact: str) -> None:
    """Such a subject is due every day for ever; a lock of today has nothing to do with one of last week."""
    org.faults.add(Fault(**UPDATE, **LOCK, times=TRIES))
    syncd.receive(payload("unsubscribe", whId=contact))
    assert syncd.run().changes == {"superseded": 1}
    org.faults.add(Fault(**UPDATE, **RULE, times=None))
    syncd.later(minutes=2)
    assert syncd.run().changes == {"rejected": 1}
    assert syncd.desk.status(syncd.clock())["subjects_failing"] == 0
    syncd.later(days=8)
    syncd.receive(payload("open", 1, "s", whId=contact))
    org.faults.add(Fault(**CREATE, **LOCK, times=TRIES))
    assert syncd.run().changes == {"rejected": 1, "superseded": 1}
    syncd.later(minutes=2)
    syncd.run()
    assert (len(org.all("Task")), syncd.desk.status(syncd.clock())["subjects_failing"]) == (1, 0)


def test_a_task_is_closed_where_the_org_has_another_word_for_it(syncd: Syncd, org: Org, contact: str) -> None:
    for status in org.all("TaskStatus"):
        org.edit(status["Id"], MasterLabel=f"{status['SortOrder']} (de)")
    syncd.receive(payload("open", whId=contact))
    assert syncd.run().changes == {"done": 1}
    (task,) = org.all("Task")
    assert (task["Status"], task["IsClosed"]) == ("Completed", True)


def test_a_rejected_task_may_be_made_when_something_new_comes(syncd: Syncd, org: Org, contact: str) -> None:
    org.faults.add(Fault(**CREATE, **RULE, times=1))
    syncd.receive(payload("open", 0, "s", whId=contact))
    assert syncd.run().changes == {"rejected": 1}
    assert org.all("Task") == []
    syncd.receive(payload("open", 0.1, "s", whId=contact))
    syncd.run()
    assert len(org.all("Task")) == 1


@pytest.mark.parametrize(("fault", "state"), [(BUSY, "superseded"), (RULE, "rejected")])
def test_a_task_that_cannot_be_updated_stays_as_it_was(
    syncd: Syncd, org: Org, contact: str, fault: dict[str, Any], state: str
) -> None:
    syncd.receive(payload("open", 0, "s", whId=contact))
    syncd.run()
    org.faults.add(Fault(**UPDATE, **fault, times=1))
    syncd.receive(payload("open", 0.1, "s", whId=contact))
    assert syncd.run().changes == {state: 1}
    syncd.receive(payload("open", 0.2, "s", whId=contact))
    syncd.later(hours=2)
    syncd.run()
    assert org.all("Task")[0]["Description"].startswith("Opened 3 times")


def test_a_task_that_is_out_of_the_recycle_bin_is_gone_and_no_failure(syncd: Syncd, org: Org, contact: str) -> None:
    syncd.receive(payload("open", 0, "s", whId=contact))
    syncd.run()
    (task,) = org.all("Task")
    org.delete(task["Id"])
    org.purge(task["Id"])
    syncd.receive(payload("click", 1, "s", whId=contact))
    assert syncd.run().changes == {"superseded": 1}
    assert syncd.desk.status(syncd.clock())["rejected"] == 0
    assert org.all("Task") == []


def test_a_rule_that_warns_of_duplicates_keeps_nobody_from_opting_out(syncd: Syncd, org: Org) -> None:
    for kind in ("Contact", "Lead"):
        twins = [org.add(kind, LastName="Durand", Company="Acme", Email=ADDRESS) if kind == "Lead" else
                 org.add(kind, LastName="Durand", Email=ADDRESS) for _ in range(2)]  # fmt: skip
        org.duplicate_rule(kind)
        syncd.receive(payload("unsubscribe", whId=twins[0]))
    assert syncd.run().changes == {"done": 2}
    org.duplicate_rule("Lead", blocks=True)
    syncd.receive(payload("unsubscribe", 1, whId=org.all("Lead")[1]["Id"]))
    assert syncd.run().changes == {"rejected": 1}


def test_emoji_are_two_characters_each_where_a_field_ends(syncd: Syncd, org: Org, contact: str) -> None:
    syncd.receive(
        payload("hard_bounce", whId=contact, smtpDescription="550 5.1.1 user unknown " + "\N{POSTBOX}" * 300),
        payload("open", -1, "other", whId=contact, subject="\N{PARTY POPPER}" * 200),
    )
    assert syncd.run().changes == {"done": 2}
    assert len(reason(org, contact)) == 23 + 116
    assert [len(task["Subject"]) for task in org.all("Task")] == [127]


def test_one_bad_row_does_not_hold_up_the_others(syncd: Syncd, org: Org, contact: str) -> None:
    others = [org.add("Contact", LastName=f"N{i}", Email=f"n{i}@example.fr") for i in range(5)]
    org.faults.add(Fault(**UPDATE, **RULE, row=contact))
    syncd.receive(
        payload("hard_bounce", whId=contact),
        *(payload("hard_bounce", whId=sf_id, email=f"n{i}@example.fr") for i, sf_id in enumerate(others)),
    )
    assert syncd.run().changes == {"rejected": 1, "done": 5}


@pytest.mark.parametrize("code", [RULE["row_code"], "DUPLICATE_VALUE"])
def test_an_opt_out_is_written_though_the_mark_beside_it_is_rejected(
    syncd: Syncd, org: Org, contact: str, code: str
) -> None:
    org.faults.add(Fault(**UPDATE, row_code=code, times=1))
    org.faults.add(Fault(**UPDATE, row_code=code, skip=2, times=1))
    syncd.receive(payload("hard_bounce", whId=contact), payload("unsubscribe", 1, whId=contact))
    assert syncd.run().changes == {"done": 1, "rejected": 1}
    assert org.get(contact)["HasOptedOutOfEmail"] is True
    assert reason(org, contact) is None


def test_a_field_that_cannot_be_written_counts_as_rejected(syncd: Syncd, org: Org, contact: str) -> None:
    org.hide_field("Contact", "HasOptedOutOfEmail")
    syncd.receive(payload("unsubscribe", whId=contact))
    assert syncd.run().changes == {"rejected": 1}


def test_an_outage_of_weeks_does_not_use_up_a_rows_own_tries(syncd: Syncd, org: Org, contact: str) -> None:
    org.revoke_logins()
    syncd.receive(payload("unsubscribe", whId=contact))
    syncd.run()
    syncd.later(days=8)
    org.allow_logins()
    org.faults.add(Fault(**UPDATE, **LOCK, times=TRIES))
    assert syncd.run().changes == {"superseded": 1}
    syncd.later(hours=2)
    assert syncd.run().changes == {"done": 1}


def test_a_lead_converted_since_it_was_read_is_planned_again(syncd: Syncd, org: Org, contact: str) -> None:
    org.faults.add(Fault(**UPDATE, row_code="CANNOT_UPDATE_CONVERTED_LEAD", times=1))
    syncd.receive(payload("hard_bounce", whId=contact))
    assert syncd.run().changes == {"superseded": 1}
    syncd.later(minutes=2)
    assert syncd.run().changes == {"done": 1}


def test_without_room_in_salesforce_nothing_is_created_and_the_rest_goes_on(syncd: Syncd, org: Org) -> None:
    people = [org.add("Contact", LastName=f"N{i}", Email=f"n{i}@example.fr") for i in range(450)]
    syncd.receive(payload("open", 0, "old", whId=people[0], email="n0@example.fr"))
    syncd.run()
    before = org.calls_count(writing=True)
    org.faults.add(Fault(**CREATE, row_code="STORAGE_LIMIT_EXCEEDED", row_message="storage limit exceeded", times=None))
    syncd.receive(
        payload("open", 0.1, "old", whId=people[0], email="n0@example.fr"),
        payload("unsubscribe", 1, whId=people[1], email="n1@example.fr"),
        *(payload("open", 2, whId=who, email=f"n{i}@example.fr") for i, who in enumerate(people)),
    )
    said = syncd.run()
    assert (said.ended, said.code, said.changes["done"]) == ("done", "STORAGE_LIMIT_EXCEEDED", 2)
    assert org.calls_count(writing=True) - before == 3  # the opt-out, the Task that exists, and one try
    org.faults.clear()
    syncd.later(minutes=3)
    syncd.run()
    assert len(org.all("Task")) == 451


@pytest.mark.parametrize(("kind", "call"), [("hard_bounce", UPDATE), ("open", CREATE)])
def test_a_policy_that_forbids_it_stops_the_run_and_rejects_nobody(
    unbraked: Syncd, org: Org, kind: str, call: dict[str, Any]
) -> None:
    syncd = unbraked
    people = [org.add("Contact", LastName=f"N{i}", Email=f"n{i}@example.fr") for i in range(250)]
    org.faults.add(Fault(**call, row_code="TXN_SECURITY_NO_ACCESS", times=None))
    syncd.receive(*(payload(kind, whId=who, email=f"n{i}@example.fr") for i, who in enumerate(people)))
    said = syncd.run()
    assert (said.ended, said.code, dict(said.changes)) == ("fatal", "TXN_SECURITY_NO_ACCESS", {"superseded": 200})
    org.faults.clear()
    syncd.later(minutes=3)
    syncd.run()
    assert syncd.desk.status(syncd.clock())["rejected"] == 0
    assert sum(state == "done" for _, state in syncd.changes()) == 250


# --- stopping -----------------------------------------------------------------------------------------------------


def test_a_run_that_is_asked_to_stop_lets_go_and_the_next_one_does_it(syncd: Syncd, org: Org, contact: str) -> None:
    others = [org.add("Contact", LastName=f"N{i}", Email=f"n{i}@example.fr") for i in range(250)]
    syncd.receive(*(payload("open", whId=sf_id, email=f"n{i}@example.fr") for i, sf_id in enumerate(others)))
    syncd.stopping = lambda: bool(org.all("Task"))
    said = syncd.run()
    assert (said.ended, dict(said.changes)) == ("stopped", {"done": 200})
    syncd.stopping = lambda: False
    assert syncd.run().changes == {"done": 50}
    assert len(org.all("Task")) == 250
