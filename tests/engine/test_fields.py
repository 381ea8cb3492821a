"""Fields beyond the standard ones: a box for invalid addresses, a count, two moments; of whatever type they are."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from typing import Any

import pytest

from syncd.config import Settings
from syncd.salesforce import Crm
from syncd.sandbox import Fault, Org
from tests.conftest import Syncd
from tests.factories import ADDRESS, payload

USER_UNKNOWN = "550 5.1.1 user unknown"
OWN = {
    "invalid": "Invalid__c",
    "soft_bounce_count": "Soft_Bounces__c",
    "last_open": "Last_Open__c",
    "last_click": "Last_Click__c",
}


@pytest.fixture
def contact(org: Org) -> str:
    org.add_field("Contact", "Invalid__c", type="boolean")
    org.add_field("Contact", "Soft_Bounces__c", type="double", length=0)
    org.add_field("Contact", "Last_Open__c", type="datetime", length=0)
    org.add_field("Contact", "Last_Click__c", type="date", length=0)
    org.add_field("Contact", "Bounced_On__c", type="date", length=0)
    return org.add("Contact", LastName="Durand", Email=ADDRESS)


@pytest.fixture
def with_fields(configured: Callable[..., Settings]) -> Iterator[Callable[..., Syncd]]:
    made: list[Syncd] = []

    def make(**fields: str) -> Syncd:
        sections: dict[str, Any] = {"fields": {"Contact": fields}, "rules": {"timezone": "Europe/Paris"}}
        settings = configured(**sections)
        made.append(Syncd(settings, Crm(settings)))
        return made[-1]

    yield make
    for syncd in made:
        syncd.db.close()
        syncd.crm.session.close()


@pytest.fixture
def syncd(with_fields: Callable[..., Syncd]) -> Syncd:
    return with_fields(**OWN)


def said(org: Org, sf_id: str) -> dict[str, Any]:
    record = org.get(sf_id)
    return {role: record[name] for role, name in OWN.items()}


# --- the box --------------------------------------------------------------------------------------------------------


def test_the_box_is_ticked_with_a_mark_and_unticked_when_it_is_lifted(syncd: Syncd, org: Org, contact: str) -> None:
    syncd.receive(payload("hard_bounce", whId=contact))
    syncd.run()
    assert (said(org, contact)["invalid"], org.get(contact)["EmailBouncedReason"]) == (True, USER_UNKNOWN)
    syncd.receive(payload("delivered", 1, whId=contact))
    syncd.run()
    assert (said(org, contact)["invalid"], org.get(contact)["EmailBouncedReason"]) == (False, None)


@pytest.mark.parametrize(
    "edit", [{"Invalid__c": False}, {"EmailBouncedDate": None, "EmailBouncedReason": None}], ids=["box", "bounce"]
)
def test_a_person_who_takes_one_part_of_a_mark_away_means_all_of_it(
    syncd: Syncd, org: Org, contact: str, edit: dict[str, Any]
) -> None:
    syncd.receive(payload("hard_bounce", whId=contact))
    syncd.run()
    org.edit(contact, **edit)
    syncd.receive(payload("delivered", -1, whId=contact))
    syncd.run()
    assert (said(org, contact)["invalid"], org.get(contact)["EmailBouncedReason"]) == (False, None)
    assert [word["verdict"] for word in syncd.desk.decisions()] == ["cleared_in_salesforce"]
    syncd.receive(payload("delivered", -2, whId=contact))
    syncd.run()
    assert said(org, contact)["invalid"] is False
    syncd.later(days=1)
    syncd.receive(payload("hard_bounce", whId=contact, date=syncd.clock.at))
    syncd.run()
    assert (said(org, contact)["invalid"], org.get(contact)["EmailBouncedReason"]) == (True, USER_UNKNOWN)


def test_when_the_address_changes_salesforce_clears_the_bounce_and_syncd_the_box(
    syncd: Syncd, org: Org, contact: str
) -> None:
    syncd.receive(payload("hard_bounce", whId=contact))
    syncd.run()
    org.edit(contact, Email="new@example.fr")
    assert (said(org, contact)["invalid"], org.get(contact)["EmailBouncedReason"]) == (True, None)
    syncd.receive(payload("delivered", -1, whId=contact))
    syncd.run()
    assert said(org, contact)["invalid"] is False
    assert syncd.desk.decisions() == []


def test_a_box_that_is_configured_later_is_ticked_beside_marks_that_are_there(
    with_fields: Callable[..., Syncd], org: Org, contact: str
) -> None:
    before = with_fields()
    before.receive(payload("hard_bounce", whId=contact))
    before.run()
    after = with_fields(**OWN)
    after.receive(payload("delivered", -1, whId=contact))
    after.run()
    assert said(org, contact)["invalid"] is True
    after.receive(payload("delivered", 1, whId=contact))
    after.run()
    assert (said(org, contact)["invalid"], org.get(contact)["EmailBouncedReason"]) == (False, None)


# --- figures --------------------------------------------------------------------------------------------------------


def test_figures_follow_the_history_both_ways(syncd: Syncd, org: Org, contact: str) -> None:
    syncd.receive(*(payload("soft_bounce", day, whId=contact) for day in (0, 10, 10.1, 20)))
    syncd.run()
    assert said(org, contact) == dict.fromkeys(OWN) | {"invalid": False, "soft_bounce_count": 3}
    syncd.receive(payload("open", 30, whId=contact), payload("click", 30.6, "s30", whId=contact))
    syncd.run()
    assert said(org, contact) == {
        "invalid": False,
        "soft_bounce_count": 0,
        "last_open": "2026-04-01T09:00:00.000+0000",
        "last_click": "2026-04-02",  # 23:24 UTC, but in Paris it is the next day
    }
    assert [what for what, _ in syncd.changes() if what != "activity"] == ["engagement", "engagement"]
    before = org.calls_count()
    syncd.receive(payload("delivered", 40, whId=contact))
    syncd.run()
    assert org.calls_count() == before


def test_they_are_written_beside_a_mark_in_one_row(syncd: Syncd, org: Org, contact: str) -> None:
    syncd.receive(payload("open", -5, "s", whId=contact), payload("hard_bounce", 1, whId=contact))
    syncd.run()
    assert org.calls_count(writing=True) == 2  # the fields, the Task
    assert said(org, contact)["last_open"] == "2026-02-25T09:00:00.000+0000"


def test_a_later_open_that_another_tool_saw_is_left_as_it_is(syncd: Syncd, org: Org, contact: str) -> None:
    org.edit(contact, Last_Open__c="2026-05-01T00:00:00Z", Soft_Bounces__c=7)
    syncd.receive(payload("open", 0, "s", whId=contact), payload("soft_bounce", 2, whId=contact))
    syncd.run()
    now = said(org, contact)
    assert (now["last_open"], now["soft_bounce_count"]) == ("2026-05-01T00:00:00.000+0000", 1)


def test_like_tasks_they_gather_for_a_while(syncd: Syncd, org: Org, contact: str) -> None:
    syncd.receive(payload("open", 0, "s", whId=contact))
    syncd.run(tasks_now=False)
    syncd.receive(payload("soft_bounce", 2, whId=contact))
    syncd.run(tasks_now=False)
    assert said(org, contact)["soft_bounce_count"] is None
    syncd.later(minutes=16)
    syncd.run(tasks_now=False)
    assert said(org, contact)["soft_bounce_count"] == 1


def test_a_figure_that_cannot_be_written_is_left_out_alone(syncd: Syncd, org: Org, contact: str) -> None:
    org.read_only("Contact", "Last_Open__c")
    org.hide_field("Contact", "Last_Click__c")
    syncd.receive(payload("open", 0, "s", whId=contact), payload("soft_bounce", 2, whId=contact))
    said_so = syncd.run()
    assert (said_so.ended, said(org, contact)["soft_bounce_count"], said(org, contact)["last_open"]) == (
        "done",
        1,
        None,
    )


def test_a_rule_against_a_figure_keeps_no_mark_from_being_written(syncd: Syncd, org: Org, contact: str) -> None:
    rule = {"row_code": "FIELD_CUSTOM_VALIDATION_EXCEPTION", "row_message": "no"}
    update: dict[str, Any] = {"path": "composite/sobjects$", "method": "PATCH", **rule}
    org.faults.add(Fault(**update, times=1))
    org.faults.add(Fault(**update, skip=2, times=1))
    syncd.receive(payload("soft_bounce", 0, whId=contact), payload("hard_bounce", 1, whId=contact))
    assert syncd.run().changes == {"done": 1, "rejected": 1}
    assert org.get(contact)["EmailBouncedReason"] == USER_UNKNOWN
    assert said(org, contact)["soft_bounce_count"] is None


def test_an_uncertain_figure_is_settled_by_reading(syncd: Syncd, org: Org, contact: str) -> None:
    org.faults.add(Fault(path="composite/sobjects$", method="PATCH", status=503, when="after", times=1))
    syncd.receive(payload("soft_bounce", 0, whId=contact))
    syncd.run()
    syncd.later(minutes=2)
    syncd.run()
    assert syncd.changes() == [("engagement", "done")]


# --- types ----------------------------------------------------------------------------------------------------------


def test_a_bounce_date_may_be_a_day(with_fields: Callable[..., Syncd], org: Org, contact: str) -> None:
    syncd = with_fields(bounce_date="Bounced_On__c")
    syncd.receive(payload("hard_bounce", 0.6, whId=contact))  # 23:24 UTC
    syncd.run()
    assert org.get(contact)["Bounced_On__c"] == "2026-03-03"
    syncd.receive(payload("delivered", -1, whId=contact))
    assert syncd.run().planned == {}
    syncd.receive(payload("delivered", 3, whId=contact))
    syncd.run()
    assert (org.get(contact)["Bounced_On__c"], org.get(contact)["EmailBouncedReason"]) == (None, None)
