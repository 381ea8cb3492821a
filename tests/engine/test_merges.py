"""People merge, convert, delete and restore records between two runs; what syncd knows and writes goes along."""

from __future__ import annotations

from collections.abc import Callable
from itertools import count
from typing import Any

import pytest

from syncd.config import Settings
from syncd.engine import Options
from syncd.salesforce import Crm
from syncd.sandbox import Fault, Org
from tests.conftest import Syncd
from tests.factories import ADDRESS, payload

OTHER = "bob@example.fr"
USER_UNKNOWN = "550 5.1.1 user unknown"
moments = count()
UPDATE: dict[str, Any] = {"path": "composite/sobjects$", "method": "PATCH"}
MARK = {"EmailBouncedDate": "2026-03-02T09:00:00Z", "EmailBouncedReason": USER_UNKNOWN}
BLANK = dict.fromkeys(MARK)


@pytest.fixture
def winner(org: Org) -> str:
    return org.add("Contact", LastName="Durand", Email=ADDRESS)


@pytest.fixture
def loser(org: Org) -> str:
    return org.add("Contact", LastName="Durand-Martin", Email=ADDRESS)


@pytest.fixture
def lead(org: Org) -> str:
    return org.add("Lead", LastName="Durand", Company="Exemple SA", Email=ADDRESS)


def reason(org: Org, sf_id: str) -> Any:
    return org.get(sf_id)["EmailBouncedReason"]


def of(syncd: Syncd) -> set[str | None]:
    return {recipient["sf_id"] for recipient in syncd.desk.recipients()}


def calls(org: Org, syncd: Syncd) -> list[str]:
    before = org.calls_count()
    syncd.run()
    return [call.path.partition("/v67.0/")[2] for call in org.calls[before:]]


# --- who it is now --------------------------------------------------------------------------------------------------


def test_an_id_that_was_merged_away_is_followed_and_that_is_remembered(
    syncd: Syncd, org: Org, winner: str, loser: str
) -> None:
    org.merge(winner, [loser])
    syncd.receive(payload("hard_bounce", whId=loser))
    assert "queryAll" in calls(org, syncd)
    assert reason(org, winner) == USER_UNKNOWN
    syncd.receive(payload("delivered", 1, whId=loser.lower()))
    assert calls(org, syncd) == ["composite/sobjects/Contact", "composite/sobjects"]
    assert reason(org, winner) is None
    assert of(syncd) == {winner}


def test_nothing_more_is_asked_when_every_record_is_there(syncd: Syncd, org: Org, winner: str) -> None:
    syncd.receive(payload("hard_bounce", whId=winner))
    syncd.run()
    syncd.receive(payload("delivered", 1, whId=winner))
    assert calls(org, syncd) == ["composite/sobjects/Contact", "composite/sobjects"]


def test_chains_are_followed_to_their_end(syncd: Syncd, org: Org, lead: str, winner: str, loser: str) -> None:
    """A Lead merged into a Lead that became a Contact that was merged into another one."""
    first = org.add("Lead", LastName="Durand", Company="Exemple SA", Email=ADDRESS)
    org.merge(lead, [first])
    org.convert(lead, contact=loser)
    org.merge(winner, [loser])
    syncd.receive(payload("unsubscribe", whId=first), payload("hard_bounce", 1, whId=lead))
    syncd.run()
    assert (org.get(winner)["HasOptedOutOfEmail"], reason(org, winner)) == (True, USER_UNKNOWN)
    assert org.get(lead)["HasOptedOutOfEmail"] is False
    syncd.receive(payload("delivered", 9, whId=first))
    assert "queryAll" not in calls(org, syncd)
    assert reason(org, winner) is None


def test_a_circle_of_merges_ends(syncd: Syncd, org: Org, winner: str, loser: str) -> None:
    org.merge(winner, [loser])
    org.delete(winner)
    org.store.put("Contact", winner, org.get(winner) | {"MasterRecordId": loser})
    syncd.receive(payload("hard_bounce", whId=loser))
    said = syncd.run()
    assert (said.ended, said.unmatched) == ("done", 1)


@pytest.mark.parametrize("purged", [False, True])
def test_a_deleted_record_is_looked_for_again_and_found_when_it_is_restored(
    syncd: Syncd, org: Org, winner: str, *, purged: bool
) -> None:
    syncd.receive(payload("hard_bounce", whId=winner))
    syncd.run()
    org.delete(winner)
    if purged:
        org.purge(winner)
    syncd.receive(payload("unsubscribe", 1, whId=winner))
    assert syncd.run().unmatched == 1
    assert syncd.desk.status(syncd.clock())["unmatched"] == 1
    assert syncd.run().subjects == 0
    if not purged:
        org.undelete(winner)
    syncd.later(hours=2)
    assert syncd.run().unmatched == purged
    assert syncd.desk.status(syncd.clock())["unmatched"] == purged
    if not purged:
        assert org.get(winner)["HasOptedOutOfEmail"] is True


@pytest.mark.parametrize("kinds", [("hard_bounce",), ("hard_bounce", "unsubscribe")])
def test_what_became_of_a_change_of_a_record_that_is_gone_for_good_is_asked_no_more(
    syncd: Syncd, org: Org, winner: str, kinds: tuple[str, ...]
) -> None:
    org.faults.add(Fault(method="PATCH", path="composite/sobjects$", reset=True, when="after", times=1))
    syncd.receive(*(payload(kind, whId=winner) for kind in kinds))
    assert syncd.run().changes == {"uncertain": len(kinds)}
    org.delete(winner)
    for time in ({"hours": 1}, {"hours": 2}, {"days": 2}):
        syncd.later(**time)
        assert syncd.run().unmatched == 1
        assert syncd.desk.status(syncd.clock())["unsettled"] == len(kinds)  # it may be restored
    syncd.later(days=8)
    syncd.run()
    assert syncd.desk.status(syncd.clock())["unsettled"] == 0
    change, *_ = syncd.desk.changes()
    assert (change["state"], change["receipts"][-1]["code"]) == ("superseded", "gone")


def test_a_record_that_comes_back_in_time_says_what_became_of_the_change(syncd: Syncd, org: Org, winner: str) -> None:
    org.faults.add(Fault(method="PATCH", path="composite/sobjects$", reset=True, when="after", times=1))
    syncd.receive(payload("hard_bounce", whId=winner))
    syncd.run()
    org.delete(winner)
    syncd.later(hours=1)
    syncd.run()
    org.undelete(winner)
    syncd.later(hours=2)
    syncd.run()
    assert syncd.changes() == [("mark", "done")]


def test_a_lead_that_was_converted_is_a_contact(syncd: Syncd, org: Org, lead: str) -> None:
    syncd.receive(payload("open", 0, "s", whId=lead))
    syncd.run()
    _, contact = org.convert(lead)
    syncd.receive(payload("click", 0.5, "s", whId=lead), payload("hard_bounce", 1, whId=lead))
    syncd.run()
    assert (reason(org, contact), reason(org, lead)) == (USER_UNKNOWN, None)
    (task,) = org.all("Task")
    assert (task["WhoId"], task["Description"].splitlines()[0]) == (contact, "Opened once, clicked once")
    assert of(syncd) == {contact}
    org.delete(lead)
    syncd.receive(payload("delivered", 9, whId=lead))
    syncd.run()
    assert reason(org, contact) is None


def test_a_converted_lead_without_a_contact_is_gone(syncd: Syncd, org: Org, lead: str) -> None:
    org.convert(lead)
    org.hide_field("Lead", "ConvertedContactId")
    syncd.receive(payload("hard_bounce", whId=lead))
    assert syncd.run().unmatched == 1


def test_a_merged_person_account_is_followed_by_either_id(syncd: Syncd, org: Org) -> None:
    account, contact = org.add_person(LastName="Simon", PersonEmail=ADDRESS)
    old_account, old_contact = org.add_person(LastName="Simon", PersonEmail=ADDRESS)
    org.merge(account, [old_account])
    syncd.receive(payload("hard_bounce", whId=old_contact), payload("unsubscribe", 1, whId=old_account))
    syncd.run()
    person = org.get(account)
    assert (person["PersonEmailBouncedReason"], person["PersonHasOptedOutOfEmail"]) == (USER_UNKNOWN, True)
    assert of(syncd) == {account}
    syncd.receive(payload("delivered", 9, whId=contact))
    syncd.run()
    assert org.get(account)["PersonEmailBouncedReason"] is None


def test_what_is_gone_between_reading_and_writing_is_looked_at_again(
    syncd: Syncd, org: Org, winner: str, loser: str
) -> None:
    org.faults.add(Fault(**UPDATE, row_code="ENTITY_IS_DELETED", row_message="entity is deleted", times=1))
    syncd.receive(payload("hard_bounce", whId=loser))
    assert syncd.run().changes == {"superseded": 1}
    org.merge(winner, [loser])
    syncd.later(minutes=2)
    assert syncd.run().changes == {"done": 1}
    assert reason(org, winner) == USER_UNKNOWN


def test_so_is_a_lead_converted_in_between(syncd: Syncd, org: Org, lead: str) -> None:
    org.faults.add(Fault(**UPDATE, row_code="CANNOT_UPDATE_CONVERTED_LEAD", row_message="converted", times=1))
    syncd.receive(payload("hard_bounce", whId=lead))
    assert syncd.run().changes == {"superseded": 1}
    _, contact = org.convert(lead)
    syncd.later(minutes=2)
    syncd.run()
    assert reason(org, contact) == USER_UNKNOWN


def test_an_object_that_cannot_be_asked_where_its_records_went_waits(
    syncd: Syncd, org: Org, winner: str, loser: str
) -> None:
    org.merge(winner, [loser])
    org.faults.add(Fault(path="queryAll", status=403, code="INSUFFICIENT_ACCESS", times=1))
    syncd.receive(payload("hard_bounce", whId=loser))
    said = syncd.run()
    assert (said.failed, said.unmatched) == (1, 0)
    syncd.later(minutes=2)
    syncd.run()
    assert reason(org, winner) == USER_UNKNOWN


@pytest.mark.parametrize("unclear", [False, True], ids=["", "after an unclear answer"])
def test_a_record_made_anew_with_the_same_external_id_takes_its_place(
    configured: Callable[..., Settings], org: Org, winner: str, *, unclear: bool
) -> None:
    org.add_field("Contact", "Shop__c", external_id=True)
    org.edit(winner, Shop__c="S-1")
    settings = configured(mapping={"whid": "external_id", "external_id": {"Contact": "Shop__c"}})
    syncd = Syncd(settings, Crm(settings))
    try:
        if unclear:
            org.faults.add(Fault(method="PATCH", path="composite/sobjects$", reset=True, times=1))
        syncd.receive(payload("hard_bounce", whId="S-1"))
        syncd.run()
        org.delete(winner)
        anew = org.add("Contact", LastName="Durand", Email=ADDRESS, Shop__c="S-1")
        syncd.receive(payload("unsubscribe", 1, whId="S-1"))
        said = syncd.run()
        assert (said.unmatched, reason(org, anew), org.get(anew)["HasOptedOutOfEmail"]) == (0, USER_UNKNOWN, True)
        assert (of(syncd), syncd.desk.status(syncd.clock())["unsettled"]) == ({anew}, 0)
    finally:
        syncd.db.close()
        syncd.crm.session.close()


Merged = Callable[[int, str], list[str]]


@pytest.fixture
def merged(unbraked: Syncd, org: Org) -> Merged:
    """So many pairs of records, planned by one run with an event each, that are merged before it writes.

    Something else that is due leads the run to what was merged: a record that was merged into one of them earlier.
    """
    syncd = unbraked

    def run(number: int, kind: str) -> list[str]:
        syncd.options = Options(batch_size=2 * number)
        addresses = [f"n{i}@example.fr" for i in range(number)]
        winners, losers, olds = (
            [org.add("Contact", LastName="N", Email=address) for address in addresses] for _ in range(3)
        )
        for loser, old in zip(losers, olds, strict=True):
            org.merge(loser, [old])

        def merging() -> bool:
            if len(syncd.plans) == 2 * number:
                for winner, loser in zip(winners, losers, strict=True):
                    org.merge(winner, [loser])
                syncd.plans.clear()
            return False

        syncd.stopping = merging
        for day, whids in enumerate((winners, losers, olds)):
            them = zip(whids, addresses, strict=True)
            syncd.receive(*(payload(kind, day / 10, "s", whId=who, email=address) for who, address in them))
        assert syncd.run().ended == "done"
        return winners

    return run


def test_records_that_are_merged_in_the_middle_of_a_run_make_no_call_too_large(merged: Merged, org: Org) -> None:
    """What was planned of both is one subject's by then."""
    winners = merged(150, "unsubscribe")
    assert [call.rows for call in org.calls if call.writing] == [150]
    assert all(org.get(winner)["HasOptedOutOfEmail"] for winner in winners)


def test_a_task_of_each_record_that_is_merged_in_the_middle_of_a_run_is_one(
    merged: Merged, unbraked: Syncd, org: Org
) -> None:
    winners = merged(3, "open")
    unbraked.later(minutes=2)
    unbraked.run()
    assert sorted(task["WhoId"] for task in org.all("Task")) == winners
    assert {task["Description"].splitlines()[0] for task in org.all("Task")} == {"Opened 3 times, not clicked"}


# --- what is known of both ------------------------------------------------------------------------------------------


@pytest.fixture
def marked(syncd: Syncd, org: Org, winner: str, loser: str) -> None:
    """Both are, by the bounce of one mail each."""
    syncd.receive(payload("hard_bounce", whId=winner), payload("hard_bounce", whId=loser))
    syncd.run()
    assert (reason(org, winner), reason(org, loser)) == (USER_UNKNOWN, USER_UNKNOWN)


def touch(syncd: Syncd, *whids: str) -> None:
    """Something comes that changes nothing, but makes them due."""
    syncd.receive(*(payload("delivered", -1 - next(moments) / 1_000, whId=whid) for whid in whids))
    syncd.run()


@pytest.mark.usefixtures("marked")
def test_the_survivor_is_planned_with_the_history_of_both(syncd: Syncd, org: Org, winner: str, loser: str) -> None:
    org.merge(winner, [loser])
    syncd.receive(payload("delivered", 9, whId=loser))
    syncd.run()
    assert reason(org, winner) is None
    assert [row for row in syncd.changes() if row[0] == "lift"] == [("lift", "done")]


@pytest.mark.usefixtures("marked")
@pytest.mark.parametrize("said_of", ["winner", "loser"])
def test_a_mark_that_a_person_removed_from_either_stays_away(
    syncd: Syncd, org: Org, winner: str, loser: str, said_of: str
) -> None:
    org.edit({"winner": winner, "loser": loser}[said_of], **BLANK)
    touch(syncd, winner, loser)
    org.merge(winner, [loser])
    org.edit(winner, **BLANK)
    touch(syncd, winner, loser)
    assert reason(org, winner) is None
    syncd.later(days=1)
    syncd.receive(payload("hard_bounce", whId=loser, date=syncd.clock.at))
    syncd.run()
    assert reason(org, winner) == USER_UNKNOWN


@pytest.mark.usefixtures("marked")
def test_a_word_said_of_the_merged_one_lifts_our_mark_on_the_survivor(
    syncd: Syncd, org: Org, winner: str, loser: str
) -> None:
    org.edit(loser, **BLANK)
    touch(syncd, loser)
    org.merge(winner, [loser])
    syncd.receive(payload("open", 0, "s", whId=loser))
    syncd.run()
    assert reason(org, winner) is None
    assert ("lift", "done") in syncd.changes()


def test_a_mark_that_was_not_taken_over_was_not_removed_by_anybody(
    syncd: Syncd, org: Org, winner: str, loser: str
) -> None:
    syncd.receive(payload("hard_bounce", whId=loser))
    syncd.run()
    org.merge(winner, [loser])
    assert reason(org, winner) is None
    touch(syncd, loser)
    assert syncd.desk.decisions() == []
    assert reason(org, winner) == USER_UNKNOWN


def test_a_mark_of_ours_that_was_taken_over_is_ours(syncd: Syncd, org: Org, winner: str, loser: str) -> None:
    syncd.receive(payload("hard_bounce", whId=loser))
    syncd.run()
    org.merge(winner, [loser], **MARK)
    touch(syncd, loser)
    assert syncd.changes() == [("mark", "done"), ("mark", "found")]
    touch(syncd, loser)
    assert len(syncd.changes()) == 2
    syncd.receive(payload("delivered", 9, whId=loser))
    syncd.run()
    assert reason(org, winner) is None


def test_and_its_removal_by_a_person_is_seen(syncd: Syncd, org: Org, winner: str, loser: str) -> None:
    syncd.receive(payload("hard_bounce", whId=loser))
    syncd.run()
    org.merge(winner, [loser], **MARK)
    touch(syncd, loser)
    org.edit(winner, **BLANK)
    touch(syncd, loser)
    touch(syncd, loser)
    assert reason(org, winner) is None
    assert [word["verdict"] for word in syncd.desk.decisions()] == ["cleared_in_salesforce"]


def test_an_opt_out_of_the_merged_one_is_the_persons(syncd: Syncd, org: Org, winner: str, loser: str) -> None:
    syncd.receive(payload("unsubscribe", whId=loser))
    syncd.run()
    org.merge(winner, [loser])
    assert org.get(winner)["HasOptedOutOfEmail"] is False
    touch(syncd, loser)
    assert org.get(winner)["HasOptedOutOfEmail"] is True


def test_the_survivors_address_decides_about_marks(syncd: Syncd, org: Org, winner: str) -> None:
    loser = org.add("Contact", LastName="Durand", Email=OTHER)
    org.merge(winner, [loser])
    syncd.receive(payload("hard_bounce", whId=loser, email=OTHER))
    syncd.run()
    assert reason(org, winner) is None
    assert syncd.desk.changes()[0]["receipts"][0]["code"] == "address_changed"


# --- activities -----------------------------------------------------------------------------------------------------


def test_of_one_send_on_both_one_task_is_kept_up(syncd: Syncd, org: Org, winner: str, loser: str) -> None:
    syncd.receive(payload("open", 0, "s", whId=winner), payload("open", 0.1, "s", whId=loser))
    syncd.receive(payload("open", 0.2, "t", whId=loser))
    syncd.run()
    org.merge(winner, [loser])
    syncd.receive(payload("click", 0.5, "s", whId=loser), payload("click", 0.6, "t", whId=loser))
    syncd.run()
    texts = sorted(task["Description"].splitlines()[0] for task in org.all("Task"))
    assert texts == ["Opened 2 times, clicked once", "Opened once, clicked once", "Opened once, not clicked"]
    assert {task["WhoId"] for task in org.all("Task")} == {winner}
    writes = org.calls_count(writing=True)
    touch(syncd, winner, loser)
    assert org.calls_count(writing=True) == writes


def test_a_task_of_unknown_fate_is_looked_up_where_the_merge_took_it(
    syncd: Syncd, org: Org, winner: str, loser: str
) -> None:
    org.faults.add(Fault(path="composite/sobjects$", method="POST", status=503, when="after", times=1))
    syncd.receive(payload("open", 0, "s", whId=loser))
    syncd.run()
    org.merge(winner, [loser])
    syncd.later(minutes=11)
    syncd.run()
    syncd.run()
    assert [task["WhoId"] for task in org.all("Task")] == [winner]
    assert syncd.changes()[-1] == ("activity", "done")


# --- restored after a merge -----------------------------------------------------------------------------------------


@pytest.fixture
def parted(syncd: Syncd, org: Org, winner: str, loser: str) -> None:
    """Marked, cleared by a person, merged, and seen so; then the loser was restored."""
    syncd.receive(payload("hard_bounce", whId=loser), payload("open", -2, "s", whId=loser))
    syncd.receive(payload("open", -2, "s", whId=winner))
    syncd.run()
    org.edit(loser, **BLANK)
    touch(syncd, loser)
    org.merge(winner, [loser])
    syncd.receive(payload("open", -2.5, "t", whId=loser))
    syncd.run()
    assert of(syncd) == {winner}
    org.undelete(loser)


@pytest.mark.usefixtures("parted")
def test_a_restored_record_is_one_of_its_own_again_with_what_was_said_of_it(
    syncd: Syncd, org: Org, winner: str, loser: str
) -> None:
    syncd.receive(payload("unsubscribe", 3, whId=winner))
    syncd.run()
    assert of(syncd) == {winner, loser}
    assert (org.get(winner)["HasOptedOutOfEmail"], org.get(loser)["HasOptedOutOfEmail"]) == (True, False)
    assert reason(org, loser) is None
    assert len(org.all("Task")) == 3  # as before
    syncd.receive(payload("hard_bounce", 5, whId=winner))
    syncd.run()
    assert (reason(org, winner), reason(org, loser)) == (USER_UNKNOWN, None)


@pytest.mark.usefixtures("parted")
def test_so_it_is_when_a_mail_that_names_it_comes_first(syncd: Syncd, org: Org, winner: str, loser: str) -> None:
    syncd.receive(payload("unsubscribe", 3, whId=loser))
    syncd.run()
    assert (org.get(winner)["HasOptedOutOfEmail"], org.get(loser)["HasOptedOutOfEmail"]) == (False, True)
