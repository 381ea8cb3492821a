"""Fields with addresses that syncd's user may not see: nobody knows what a record lacks, so no mark goes."""

from __future__ import annotations

from collections.abc import Callable

import pytest

from syncd.config import Settings
from syncd.salesforce import Crm
from syncd.sandbox import Org
from tests.conftest import Syncd
from tests.factories import ADDRESS, payload

USER_UNKNOWN = "550 5.1.1 user unknown"


@pytest.fixture
def contact(org: Org) -> str:
    return org.add("Contact", LastName="Durand", Email=ADDRESS)


def hide(syncd: Syncd, org: Org, name: str = "Email") -> None:
    org.hide_field("Contact", name)
    syncd.crm.records.forget_shapes()  # as after an hour


def show(syncd: Syncd, org: Org) -> None:
    org.show_field("Contact", "Email")
    syncd.crm.records.forget_shapes()
    syncd.later(days=1, minutes=1)


def test_a_mark_stays_while_the_address_cannot_be_seen(syncd: Syncd, org: Org, contact: str) -> None:
    syncd.receive(payload("hard_bounce", whId=contact))
    syncd.run()
    hide(syncd, org)
    syncd.wake()
    said = syncd.run()
    assert (said.failed, dict(said.changes), org.get(contact)["EmailBouncedReason"]) == (1, {}, USER_UNKNOWN)
    assert said.troubles == [
        "marks of Contacts wait: INVALID_FIELD: the user may not see Email, which may hold the address"
    ]
    show(syncd, org)
    assert (syncd.run().failed, org.get(contact)["EmailBouncedReason"]) == (0, USER_UNKNOWN)


def test_a_mark_that_somebody_takes_away_meanwhile_is_theirs_once_the_address_is_seen(
    syncd: Syncd, org: Org, contact: str
) -> None:
    syncd.receive(payload("hard_bounce", whId=contact))
    syncd.run()
    hide(syncd, org)
    org.edit(contact, EmailBouncedReason=None, EmailBouncedDate=None)
    syncd.wake()
    assert dict(syncd.run().changes) == {}
    show(syncd, org)
    syncd.run()
    assert [(d.verdict.value, d.aspect.value) for plan in syncd.plans for d in plan.decisions] == [
        ("cleared_in_salesforce", "invalid")
    ]
    assert org.get(contact)["EmailBouncedReason"] is None


def test_a_bounce_waits_and_an_opt_out_and_a_task_do_not(syncd: Syncd, org: Org, contact: str) -> None:
    hide(syncd, org)
    syncd.receive(
        payload("hard_bounce", 3, whId=contact), payload("unsubscribe", whId=contact), payload("open", whId=contact)
    )
    assert syncd.run().changes == {"done": 2}
    assert (org.get(contact)["HasOptedOutOfEmail"], len(org.all("Task"))) == (True, 1)
    receipt = next(change["receipts"][0] for change in syncd.desk.changes() if change["state"] == "refused")
    assert (receipt["code"], receipt["words"]) == ("address_unseen", "syncd's user may not see Contact.Email")
    show(syncd, org)
    syncd.run()
    assert org.get(contact)["EmailBouncedReason"] == USER_UNKNOWN


def test_of_two_fields_the_one_that_is_seen_marks(configured: Callable[..., Settings], org: Org) -> None:
    org.add_field("Contact", "Other__c", type="email", length=80)
    contact = org.add("Contact", LastName="Durand", Email=ADDRESS)
    settings = configured(fields={"Contact": {"email": ["Email", "Other__c"]}})
    syncd = Syncd(settings, Crm(settings))
    hide(syncd, org, "Other__c")
    syncd.receive(payload("hard_bounce", whId=contact))
    said = syncd.run()
    assert (said.failed, dict(said.changes), org.get(contact)["EmailBouncedReason"]) == (0, {"done": 1}, USER_UNKNOWN)
    syncd.db.close()
    syncd.crm.session.close()


def test_of_an_id_without_a_checksum_nobody_says_that_it_has_no_record(syncd: Syncd, org: Org, contact: str) -> None:
    hide(syncd, org)
    syncd.receive(payload("unsubscribe", whId=contact[:15]))
    said = syncd.run()
    assert (said.failed, said.unmatched) == (1, 0)
    show(syncd, org)
    assert syncd.run().changes == {"done": 1}


def test_an_address_is_nobodys_alone_while_others_may_have_it(configured: Callable[..., Settings], org: Org) -> None:
    org.add("Contact", LastName="Durand", Email=ADDRESS)
    org.hide_field("Lead", "Email")
    settings = configured(mapping={"match_by_email": "unique"})
    syncd = Syncd(settings, Crm(settings))
    syncd.receive(payload("hard_bounce", whId=""))
    said = syncd.run()
    assert (said.failed, said.unmatched, dict(said.changes)) == (1, 0, {})
    assert said.troubles[0].startswith("looking records up: INVALID_FIELD: Lead.Email: ")
    syncd.db.close()
    syncd.crm.session.close()


def test_no_send_is_taken_for_a_shifted_one_since_nobody_sees_the_addresses(syncd: Syncd, org: Org) -> None:
    hide(syncd, org)
    addresses = [f"n{i}@example.fr" for i in range(20)]
    who = [{"email": it, "whId": org.add("Contact", LastName="N", Email=it)} for it in addresses]
    syncd.receive(*(payload("open", 1, "s", **one) for one in who))
    said = syncd.run()
    assert (dict(said.held), len(org.all("Task"))) == ({}, 20)
