"""Runs against a Salesforce over HTTPS: what ends up on the records, and what is remembered of it."""

from __future__ import annotations

from typing import Any

import pytest

from syncd.engine import Options
from syncd.errors import Busy, StoreError
from syncd.model import What
from syncd.sandbox import Fault, Org
from syncd.store import Journal, Work
from tests.conftest import Syncd
from tests.factories import ADDRESS, payload

OTHER = "bob.martin@example.fr"
SOFT = [("soft_bounce", day) for day in (0, 10, 20, 30, 40)]


@pytest.fixture
def contact(org: Org) -> str:
    return org.add("Contact", LastName="Durand", Email=ADDRESS)


@pytest.fixture
def lead(org: Org) -> str:
    return org.add("Lead", LastName="Martin", Company="Exemple SA", Email=OTHER)


def bounce_of(org: Org, sf_id: str) -> tuple[Any, Any]:
    record = org.get(sf_id)
    return record["EmailBouncedDate"], record["EmailBouncedReason"]


MARKED = ("2026-03-02T09:00:00.000+0000", "550 5.1.1 user unknown")
BLANK = (None, None)


# --- the main job ---------------------------------------------------------------------------------------------


def test_a_hard_bounce_marks_its_record_and_a_second_run_writes_nothing(syncd: Syncd, org: Org, contact: str) -> None:
    syncd.receive(payload("hard_bounce", whId=contact))
    said = syncd.run()
    assert bounce_of(org, contact) == MARKED
    assert (said.ended, said.events, said.subjects, dict(said.changes)) == ("done", 1, 1, {"done": 1})
    writes = org.calls_count(writing=True)
    assert syncd.run().subjects == 0
    syncd.receive(payload("delivered", -1, whId=contact))
    assert syncd.run().planned == {}
    assert org.calls_count(writing=True) == writes


def test_five_soft_bounces_mark_and_a_later_delivery_lifts(syncd: Syncd, org: Org, contact: str) -> None:
    syncd.receive(*(payload(kind, day, whId=contact) for kind, day in SOFT))
    syncd.run()
    assert bounce_of(org, contact) == ("2026-04-11T09:00:00.000+0000", "5 soft bounces, 2026-03-02 to 2026-04-11")
    syncd.receive(payload("delivered", 50, whId=contact))
    syncd.run()
    assert bounce_of(org, contact) == BLANK
    assert syncd.changes() == [("mark", "done"), ("lift", "done")]


def test_an_opt_out_a_mark_and_a_task_of_one_lead_take_two_writing_calls(syncd: Syncd, org: Org, lead: str) -> None:
    syncd.receive(
        *(payload(kind, day, "s", whId=lead, email=OTHER) for kind, day in [("open", 0), ("hard_bounce", 1)]),
        payload("unsubscribe", 2, whId=lead, email=OTHER),
    )
    before = org.calls_count(writing=True)
    syncd.run()
    record = org.get(lead)
    assert (record["HasOptedOutOfEmail"], record["EmailBouncedReason"]) == (True, "550 5.1.1 user unknown")
    assert [task["WhoId"] for task in org.all("Task")] == [lead]
    assert org.calls_count(writing=True) - before == 2


def test_opt_outs_go_out_before_marks(syncd: Syncd, org: Org, contact: str, lead: str) -> None:
    syncd.receive(payload("hard_bounce", whId=contact), payload("unsubscribe", 1, whId=lead, email=OTHER))
    org.faults.add(Fault(path="composite/sobjects", method="PATCH", skip=1, times=1, status=503))
    syncd.run()
    assert org.get(lead)["HasOptedOutOfEmail"] is True
    assert bounce_of(org, contact) == BLANK


def test_an_update_runs_no_assignment_rule(syncd: Syncd, org: Org, lead: str) -> None:
    owner = org.get(lead)["OwnerId"]
    org.assignment_rule("Lead", "005Sb0000000009IAA")
    syncd.receive(payload("hard_bounce", whId=lead, email=OTHER))
    syncd.run()
    assert bounce_of(org, lead) == MARKED
    assert org.get(lead)["OwnerId"] == owner


def test_a_mark_that_a_person_cleared_stays_cleared_until_a_later_bounce(syncd: Syncd, org: Org, contact: str) -> None:
    syncd.receive(payload("hard_bounce", whId=contact))
    syncd.run()
    org.edit(contact, EmailBouncedDate=None, EmailBouncedReason=None)
    syncd.receive(payload("delivered", -1, whId=contact))
    syncd.run()
    assert bounce_of(org, contact) == BLANK
    assert [(d["aspect"], d["verdict"]) for d in syncd.desk.decisions()] == [("invalid", "cleared_in_salesforce")]
    syncd.later(days=1)
    syncd.receive(payload("hard_bounce", 1, whId=contact))
    syncd.run()
    assert bounce_of(org, contact) == BLANK
    syncd.receive(payload("hard_bounce", whId=contact, date=syncd.clock.at))
    syncd.run()
    assert bounce_of(org, contact) != BLANK


def test_a_changed_address_is_not_marked_and_the_receipt_says_so(syncd: Syncd, org: Org, contact: str) -> None:
    org.edit(contact, Email="new@example.fr")
    syncd.receive(payload("hard_bounce", whId=contact))
    syncd.run()
    assert bounce_of(org, contact) == BLANK
    (change,) = syncd.desk.changes()
    assert (change["state"], change["receipts"][0]["code"]) == ("refused", "address_changed")


def test_a_mark_found_there_is_left_alone_and_its_removal_by_a_person_respected(
    syncd: Syncd, org: Org, contact: str
) -> None:
    org.edit(contact, EmailBouncedReason="called: has left")
    syncd.receive(payload("hard_bounce", whId=contact))
    syncd.run()
    assert bounce_of(org, contact) == (None, "called: has left")
    org.edit(contact, EmailBouncedReason=None)
    syncd.receive(payload("delivered", -1, whId=contact))
    syncd.run()
    assert bounce_of(org, contact) == BLANK


# --- activities -----------------------------------------------------------------------------------------------


def test_a_task_grows_with_what_comes_later(syncd: Syncd, org: Org, contact: str) -> None:
    syncd.receive(payload("open", 0, "s", whId=contact))
    syncd.run()
    syncd.receive(payload("click", 0.5, "s", whId=contact))
    syncd.run()
    (task,) = org.all("Task")
    assert task["Description"].startswith("Opened once, clicked once")
    assert (task["Subject"], task["Status"], task["WhoId"]) == ("Nos nouveautés", "Completed", contact)


def test_a_task_that_a_person_deleted_is_not_made_again(syncd: Syncd, org: Org, contact: str) -> None:
    syncd.receive(payload("open", 0, "s", whId=contact))
    syncd.run()
    org.delete(org.all("Task")[0]["Id"])
    for day in (0.5, 0.6):
        syncd.receive(payload("click", day, "s", whId=contact))
        assert syncd.run().changes["rejected"] == 0
    assert org.all("Task") == []
    assert syncd.changes() == [("activity", "done"), ("activity", "superseded")]


def test_tasks_wait_so_that_one_gathers_what_came_and_marks_do_not(syncd: Syncd, org: Org, contact: str) -> None:
    syncd.run(tasks_now=True)
    syncd.receive(payload("open", 0, "s", whId=contact), payload("hard_bounce", 1, whId=contact))
    syncd.run(tasks_now=False)
    assert bounce_of(org, contact) == ("2026-03-03T09:00:00.000+0000", "550 5.1.1 user unknown")
    assert org.all("Task") == []
    syncd.later(minutes=16)
    syncd.run(tasks_now=False)
    assert len(org.all("Task")) == 1


# --- which record ---------------------------------------------------------------------------------------------


@pytest.mark.parametrize("whid", ["", "42", "003Sb0000000099IAA", "001Sb0000000001IAA", "//evil.example/x"])
def test_without_a_record_nothing_is_written_and_it_is_looked_for_again(syncd: Syncd, org: Org, whid: str) -> None:
    syncd.receive(payload("hard_bounce", whId=whid))
    looked = [syncd.run().unmatched]
    for wait in ({"minutes": 59}, {"minutes": 2}, {"hours": 23}, {"hours": 2}, {"days": 6}, {"days": 2}, {"days": 99}):
        syncd.later(**wait)
        looked.append(syncd.run().unmatched)
    assert looked == [1, 0, 1, 0, 1, 0, 1, 0]
    assert org.calls_count(writing=True) == 0
    assert syncd.desk.status(syncd.clock())["unmatched"] == 1


def test_who_opted_out_is_looked_for_every_day_for_ever(syncd: Syncd) -> None:
    syncd.receive(payload("unsubscribe", whId="003Sb0000000099IAA"))
    looked = [syncd.run().unmatched]
    for wait in ({"minutes": 59}, {"minutes": 2}, *({"hours": 23}, {"hours": 2}) * 5):
        syncd.later(**wait)
        looked.append(syncd.run().unmatched)
    assert looked == [1, 0, 1, *(0, 1) * 5]


def test_a_record_that_appears_later_is_found(syncd: Syncd, org: Org, contact: str) -> None:
    org.delete(contact)
    syncd.receive(payload("hard_bounce", whId=contact))
    assert syncd.run().unmatched == 1
    org.undelete(contact)
    syncd.later(hours=2)
    syncd.run()
    assert bounce_of(org, contact) == MARKED


def test_fifteen_characters_need_the_address_to_agree(syncd: Syncd, org: Org, contact: str) -> None:
    syncd.receive(payload("hard_bounce", whId=contact[:15], email="somebody@example.fr"))
    assert syncd.run().unmatched == 1
    syncd.receive(payload("hard_bounce", whId=contact[:15]))
    syncd.run()
    assert bounce_of(org, contact) == MARKED


def test_recipients_of_one_record_are_planned_together(syncd: Syncd, org: Org, contact: str) -> None:
    syncd.receive(
        payload("hard_bounce", whId=contact),
        payload("unsubscribe", 1, whId=contact, email="old@example.fr"),
        payload("open", 2, "s", whId=contact[:15]),
        payload("open", 2.1, "s", whId=contact),
    )
    syncd.run()
    syncd.run()
    assert org.get(contact)["HasOptedOutOfEmail"] is True
    (task,) = org.all("Task")
    assert task["Description"].startswith("Opened 2 times")
    assert {r["sf_id"] for r in syncd.desk.recipients()} == {contact}


def test_another_spelling_of_a_known_record_belongs_to_it_whatever_it_says(
    syncd: Syncd, org: Org, contact: str
) -> None:
    syncd.receive(payload("hard_bounce", whId=contact))
    syncd.run()
    syncd.receive(payload("delivered", 1, whId=contact[:15]))
    syncd.run()
    assert bounce_of(org, contact) == BLANK


def test_a_record_that_two_pages_share_is_planned_once_a_run(syncd: Syncd, org: Org, contact: str) -> None:
    syncd.options = Options(batch_size=1)
    syncd.receive(payload("open", 0, "s", whId=contact), payload("open", 1, "s", whId=contact[:15]))
    syncd.run()
    syncd.run()
    (task,) = org.all("Task")
    assert task["Description"].startswith("Opened 2 times")
    assert syncd.changes() == [("activity", "done")]


# --- looking only ---------------------------------------------------------------------------------------------


def test_without_writing_everything_is_planned_shown_and_still_due(syncd: Syncd, org: Org, contact: str) -> None:
    syncd.receive(payload("hard_bounce", whId=contact), payload("open", -1, whId=contact))
    said = syncd.run(write=False)
    assert said.planned == {"mark": 1, "activity": 1}
    assert [change.what for plan in syncd.plans for change in plan.changes] == [What.MARK, What.ACTIVITY]
    assert org.calls_count(writing=True) == 0
    assert syncd.run().changes == {"done": 2}


def test_what_is_shown_is_exactly_what_is_then_done(syncd: Syncd, org: Org, contact: str, lead: str) -> None:
    syncd.receive(
        *(payload(kind, day, whId=contact) for kind, day in [*SOFT, ("open", -1), ("unsubscribe", -2)]),
        payload("hard_bounce", 1, whId=lead, email=OTHER),
        payload("hard_bounce", 1, whId=lead, email="old@example.fr"),
        payload("click", 0, whId=lead, email=OTHER),
    )
    syncd.run(write=False)
    shown = [change for plan in syncd.plans for change in plan.changes]
    syncd.run()
    done = [(c["what"], c["sf_id"], c["before"], c["after"], c["why"]) for c in syncd.desk.changes()]
    assert done == [(c.what.value, c.sf_id, c.before, c.after, c.why) for c in shown]
    assert {c["state"] for c in syncd.desk.changes()} == {"done", "refused"}


def test_what_is_observed_is_not_read_every_minute_and_written_by_the_first_run_that_writes(
    syncd: Syncd, org: Org, contact: str
) -> None:
    syncd.receive(payload("hard_bounce", whId=contact), payload("open", -1, whId=contact))
    observing = {"write": False, "tasks_now": False, "show_again_in": 900_000}
    assert syncd.run(**observing).planned == {"mark": 1, "activity": 1}
    calls = org.calls_count()
    syncd.later(minutes=14)
    assert syncd.run(**observing).subjects == 0
    assert org.calls_count() == calls
    syncd.later(minutes=2)
    assert syncd.run(**observing).subjects == 1
    assert syncd.run().changes == {"done": 2}
    assert org.calls_count(writing=True) == 2
    assert syncd.run().subjects == 0


# --- one run at a time ----------------------------------------------------------------------------------------


def test_a_second_run_is_refused_while_one_lives(syncd: Syncd) -> None:
    syncd.run()
    syncd.db.execute("UPDATE runs SET ended_at = NULL, owner = 'elsewhere x 1 1'")
    with pytest.raises(Busy):
        syncd.run()


def test_a_run_without_a_heartbeat_is_dead_wherever_it_ran(syncd: Syncd) -> None:
    syncd.run()
    syncd.db.execute("UPDATE runs SET ended_at = NULL, owner = 'elsewhere x 1 1'")
    syncd.later(minutes=3)
    assert syncd.run().ended == "done"


def test_a_run_lives_as_long_as_its_calls_go_on(syncd: Syncd, org: Org, monkeypatch: pytest.MonkeyPatch) -> None:
    """Ten in a row between two steps, and each look at the clock is a quarter of a minute later."""
    gone = [org.add("Contact", LastName=f"N{i}", Email=f"n{i}@example.fr") for i in range(2_000)]
    for sf_id in gone:
        org.delete(sf_id)
    syncd.receive(*(payload("unsubscribe", whId=sf_id, email=f"n{i}@example.fr") for i, sf_id in enumerate(gone)))
    adapter, ages = syncd.crm.session._adapter, []
    send = adapter.send

    def slow(*arguments: Any, **keywords: Any) -> Any:
        answer = send(*arguments, **keywords)
        (seen,) = syncd.db.execute("SELECT heartbeat_at FROM runs WHERE ended_at IS NULL").fetchone()
        ages.append(syncd.clock.at - seen)
        syncd.clock.step = 15_000
        return answer

    monkeypatch.setattr(adapter, "send", slow)
    assert syncd.run().unmatched == 2_000
    assert len(ages) >= 6
    assert max(ages) < 120_000


def test_a_run_that_was_taken_for_dead_stops(syncd: Syncd, contact: str) -> None:
    syncd.receive(payload("hard_bounce", whId=contact))

    def taken_over() -> bool:
        syncd.db.execute("UPDATE runs SET ended_at = 1")
        return False

    syncd.stopping = taken_over
    with pytest.raises(StoreError, match="another one has taken over"):
        syncd.run()


@pytest.mark.parametrize("when", ["before", "after"])
def test_a_run_that_was_taken_for_dead_makes_no_task_and_the_next_one_does(
    syncd: Syncd, org: Org, contact: str, monkeypatch: pytest.MonkeyPatch, when: str
) -> None:
    """It was away for minutes, before or after it wrote the ledger's line, and another one has tidied up."""
    syncd.receive(payload("open", whId=contact))
    sending = Journal.sending

    def late(journal: Journal, tokens: Any) -> None:
        if when == "after":
            sending(journal, tokens)
        syncd.later(minutes=3)
        other = Work(syncd.db)
        other.end(other.begin("other", syncd.clock(), 600_000), syncd.clock(), {})
        if when == "before":
            sending(journal, tokens)

    monkeypatch.setattr(Journal, "sending", late)
    with pytest.raises(StoreError, match="another one has taken over"):
        syncd.run()
    monkeypatch.undo()
    assert org.all("Task") == []
    syncd.run()
    syncd.later(minutes=11)  # for all the next one knows, it may have been made
    syncd.run()
    assert len(org.all("Task")) == 1
    assert [state for _, state in syncd.changes()] == ["superseded", "done"]


def test_what_a_dead_run_held_is_settled_by_reading(syncd: Syncd, org: Org, contact: str, lead: str) -> None:
    """It had committed its intents; nobody knows what was sent."""
    syncd.receive(payload("hard_bounce", whId=contact), payload("hard_bounce", 1, whId=lead, email=OTHER))
    syncd.run(write=False)
    syncd.receive(payload("open", -1, "s", whId=contact))

    class Killed(BaseException):
        pass

    def die_before_the_calls() -> bool:
        if any(state == "intended" for _, state in syncd.changes()):
            raise Killed
        return False

    syncd.stopping = die_before_the_calls
    with pytest.raises(Killed):
        syncd.run()
    org.edit(contact, EmailBouncedDate=MARKED[0], EmailBouncedReason=MARKED[1])  # this call had gone out
    syncd.stopping = lambda: False
    syncd.run()
    assert bounce_of(org, contact) == MARKED
    assert bounce_of(org, lead)[1] == "550 5.1.1 user unknown"
    assert len(org.all("Task")) == 1
    assert sorted(syncd.changes()) == [
        ("activity", "done"),
        ("activity", "superseded"),
        ("mark", "done"),
        ("mark", "done"),
        ("mark", "superseded"),
    ]


def test_a_task_that_waits_is_not_forgotten_by_a_run_that_only_shows(syncd: Syncd, org: Org, contact: str) -> None:
    syncd.receive(payload("open", 0, "s", whId=contact))
    syncd.run(tasks_now=False)
    syncd.receive(payload("open", 1, "s2", whId=contact))
    syncd.run(write=False, tasks_now=False, show_again_in=900_000)
    syncd.later(minutes=20)
    syncd.run(tasks_now=False)
    assert len(org.all("Task")) == 2
