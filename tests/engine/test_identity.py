"""One person, one record, one subject: whatever ids and spellings their mails carried, in whatever order they came."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import pytest

from syncd.config import Settings
from syncd.engine import Options
from syncd.salesforce import Crm
from syncd.sandbox import Org
from tests.conftest import Syncd
from tests.factories import ADDRESS, payload


@pytest.fixture
def contact(org: Org) -> str:
    return org.add("Contact", LastName="Durand", Email=ADDRESS)


def reason(org: Org, sf_id: str) -> Any:
    return org.get(sf_id)["EmailBouncedReason"]


def mangled(sf_id: str) -> str:
    """As a spreadsheet leaves it: the checksum mends what was lost."""
    return sf_id.lower()


@pytest.mark.parametrize("spell", [mangled, lambda sf_id: sf_id[:15]], ids=["lower-case", "15 characters"])
@pytest.mark.parametrize("batch_size", [2_000, 1])
def test_what_another_spelling_delivered_counts_before_anything_is_marked(
    syncd: Syncd, org: Org, contact: str, spell: Callable[[str], str], batch_size: int
) -> None:
    """Nothing was ever asked of the idle one, so its record was not looked for."""
    syncd.options = Options(batch_size=batch_size)
    syncd.receive(payload("delivered", 9, whId=spell(contact)))
    syncd.run()
    assert org.calls_count() == 0
    syncd.receive(payload("hard_bounce", 1, whId=contact))
    syncd.run()
    assert reason(org, contact) is None
    assert org.calls_count(writing=True) == 0
    assert {r["sf_id"] for r in syncd.desk.recipients()} == {contact}


@pytest.mark.parametrize("batch_size", [2_000, 1])
def test_the_same_for_a_record_that_is_known_already(syncd: Syncd, org: Org, contact: str, batch_size: int) -> None:
    syncd.options = Options(batch_size=batch_size)
    syncd.receive(payload("open", 0, "s", whId=contact))
    syncd.run()
    syncd.receive(payload("hard_bounce", 1, whId=contact), payload("delivered", 9, whId=mangled(contact)))
    writes = org.calls_count(writing=True)
    syncd.run()
    assert reason(org, contact) is None
    assert org.calls_count(writing=True) == writes


def test_fifteen_characters_with_another_address_may_be_somebody_elses(syncd: Syncd, org: Org, contact: str) -> None:
    syncd.receive(payload("delivered", 9, whId=contact[:15], email="other@example.fr"))
    syncd.run()
    syncd.receive(payload("hard_bounce", 1, whId=contact))
    syncd.run()
    assert reason(org, contact) == "550 5.1.1 user unknown"
    assert [r["sf_id"] for r in syncd.desk.recipients()] == [None, contact]


def test_a_person_account_is_joined_by_either_of_its_ids(syncd: Syncd, org: Org) -> None:
    account, person = org.add_person(LastName="Simon", PersonEmail=ADDRESS)
    syncd.receive(payload("delivered", 9, whId=person))
    syncd.run()
    syncd.receive(payload("hard_bounce", 1, whId=account))
    syncd.run()
    assert org.get(account)["PersonEmailBouncedReason"] is None
    syncd.receive(payload("hard_bounce", 20, whId=account))
    syncd.run()
    assert org.get(account)["PersonEmailBouncedReason"] == "550 5.1.1 user unknown"
    syncd.receive(payload("delivered", 30, whId=mangled(person)))
    syncd.run()
    assert org.get(account)["PersonEmailBouncedReason"] is None


def test_where_whids_are_external_ids_one_that_looks_like_an_id_names_nothing(
    configured: Callable[..., Settings], org: Org, contact: str
) -> None:
    org.add_field("Contact", "Shop__c", external_id=True)
    other = org.add("Contact", LastName="Martin", Email="bob@example.fr")
    org.edit(other, Shop__c=contact)
    org.edit(contact, Shop__c="S-1")
    settings = configured(mapping={"whid": "external_id", "external_id": {"Contact": "Shop__c"}})
    syncd = Syncd(settings, Crm(settings))
    try:
        syncd.receive(payload("delivered", 9, whId=contact))
        syncd.run()
        syncd.receive(payload("hard_bounce", 1, whId="S-1"))
        syncd.run()
        assert reason(org, contact) == "550 5.1.1 user unknown"
    finally:
        syncd.db.close()
        syncd.crm.session.close()


def test_a_subject_that_an_earlier_page_planned_is_planned_again_with_who_was_found_to_be_it(
    configured: Callable[..., Settings], org: Org, contact: str
) -> None:
    settings = configured(mapping={"match_by_email": "unique"})
    syncd = Syncd(settings, Crm(settings), options=Options(batch_size=1))
    try:
        syncd.receive(payload("open", 0, "s", whId=contact), payload("open", 1, "s", whId=""))
        syncd.run()
        syncd.run()
        (task,) = org.all("Task")
        assert task["Description"].startswith("Opened 2 times")
    finally:
        syncd.db.close()
        syncd.crm.session.close()
