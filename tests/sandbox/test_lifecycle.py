"""What people do to whole records, and what the API then says of them."""

from datetime import UTC, datetime, timedelta
from typing import Any

import pytest

from syncd.sandbox import Org
from tests.sandbox.conftest import Api

FATE = "SELECT Id, IsDeleted, MasterRecordId FROM Contact WHERE Id IN ('{}')"


def task(org: Org, who: str, **more: object) -> str:
    return org.add("Task", WhoId=who, Subject="Opened", Status="Completed", **more)


def retrieved(api: Api, record_id: str, kind: str = "Contact") -> Any:
    (row,) = api.call("POST", f"composite/sobjects/{kind}", json={"ids": [record_id], "fields": ["Id", "Email"]})
    return row


def test_the_loser_of_a_merge_is_deleted_and_names_its_master(api: Api, org: Org, contact: str) -> None:
    loser = org.add("Contact", LastName="Durand", Email="old@example.com")
    org.merge(contact, [loser], Title="Directrice")
    assert retrieved(api, loser) is None
    assert retrieved(api, contact)["Email"] == "lea@example.com"
    assert org.get(contact)["Title"] == "Directrice"
    assert api.query(FATE.format(loser))["totalSize"] == 0
    (row,) = api.query(FATE.format(loser), "queryAll")["records"]
    assert (row["IsDeleted"], row["MasterRecordId"]) == (True, contact)
    assert api.refusal("Contact", {"id": loser, "Title": "x"})[0] == "ENTITY_IS_DELETED"


@pytest.mark.parametrize(
    ("kind", "gone"),
    [
        ("Contact", "IsDeleted = true AND MasterRecordId != null"),
        ("Lead", "(IsConverted = true OR (IsDeleted = true AND MasterRecordId != null))"),
        ("Account", "IsDeleted = true AND MasterRecordId != null"),
    ],
)
def test_what_was_merged_or_converted_since_a_moment_is_found(api: Api, org: Org, kind: str, gone: str) -> None:
    """SOAP API guide, merge(), "List merged records"."""
    at = datetime(2026, 11, 24, 12, tzinfo=UTC)
    org.clock = lambda: at
    company = {"Company": "Durand SA"} if kind == "Lead" else {}
    name = {"Name": "Durand"} if kind == "Account" else {"LastName": "Durand", **company}
    master, early, late, deleted, restored = (org.add(kind, **name) for _ in range(5))
    org.merge(master, [early, restored])
    at += timedelta(hours=1)
    org.merge(master, [late])
    org.undelete(restored)
    org.delete(deleted)
    found = [late]
    if kind == "Lead":
        org.convert(master)
        found = sorted((late, master))
    soql = f"SELECT Id FROM {kind} WHERE SystemModstamp >= 2026-11-24T12:30:00+00:00 AND {gone}"
    assert [row["Id"] for row in api.query(soql, "queryAll")["records"]] == found
    assert [row["Id"] for row in api.query(soql)["records"]] == [one for one in found if one == master]


def test_what_hung_on_the_loser_hangs_on_the_master(org: Org, contact: str) -> None:
    account = org.add("Account", Name="Durand SA")
    org.edit(contact, AccountId=account)
    loser = org.add("Contact", LastName="Durand")
    moved = [task(org, loser, ActivityDate="2026-11-20"), task(org, loser, IsArchived=True)]
    left = task(org, loser)
    org.delete(left)
    case = org.add("Case", ContactId=loser, Subject="Help")
    org.merge(contact, [loser])
    assert [org.get(one)["WhoId"] for one in moved] == [contact, contact]
    assert [org.get(one)["AccountId"] for one in moved] == [account, account]
    assert org.get(left)["WhoId"] == loser
    assert org.get(case)["ContactId"] == contact
    assert (org.get(contact)["LastActivityDate"], org.get(loser)["LastActivityDate"]) == ("2026-11-20", None)


def test_a_chain_of_merges_is_followed_link_by_link(org: Org) -> None:
    first, second, third = (org.add("Contact", LastName=name) for name in "ABC")
    org.merge(second, [first])
    org.merge(third, [second])
    assert [org.get(one)["MasterRecordId"] for one in (first, second, third)] == [second, third, None]


def test_merged_accounts_take_their_people_along(org: Org, contact: str) -> None:
    master, loser = (org.add("Account", Name=name) for name in ("Durand SA", "Durand"))
    org.edit(contact, AccountId=loser)
    tasks = [task(org, contact), org.add("Task", WhatId=loser)]
    org.merge(master, [loser])
    assert org.get(contact)["AccountId"] == master
    assert [org.get(one)["AccountId"] for one in tasks] == [master, master]
    assert [org.get(one)["WhoId"] for one in tasks] == [contact, None]


def test_a_merged_person_account_takes_its_contact_along(org: Org) -> None:
    (master, survivor), (loser, contact) = (org.add_person(LastName=name, PersonEmail="a@b.fr") for name in "AB")
    moved = task(org, contact)
    org.merge(master, [loser])
    assert (org.get(contact)["IsDeleted"], org.get(contact)["MasterRecordId"]) == (True, survivor)
    assert org.get(moved)["WhoId"] == survivor


def test_a_merge_that_can_not_be_is_refused_and_changes_nothing(org: Org, contact: str, lead: str) -> None:
    gone = org.add("Contact", LastName="Gone")
    org.delete(gone)
    company, (person, private) = org.add("Account", Name="SA"), org.add_person(LastName="Petit")
    converted = org.add("Lead", LastName="Converted", Company="SA")
    org.convert(converted)
    before = org.snapshot()
    many = [org.add("Contact", LastName=str(number)) for number in range(3)]
    for one in many:
        org.delete(one)
        org.purge(one)
    for master, losers in (
        (contact, [lead]),
        (contact, [contact]),
        (contact, []),
        (contact, [gone]),
        (lead, [converted]),
        (company, [person]),
        (private, [contact]),
        (org.person, [org.integration_user]),
    ):
        with pytest.raises(ValueError, match="merge"):
            org.merge(master, losers)
    assert org.snapshot() == before


def test_a_converted_lead_is_a_contact_now_and_is_still_read(api: Api, org: Org, lead: str) -> None:
    org.edit(lead, HasOptedOutOfEmail=True, EmailBouncedReason="550")
    moved = task(org, lead)
    account, contact = org.convert(lead)
    made = org.get(contact)
    assert (made["Email"], made["HasOptedOutOfEmail"], made["AccountId"]) == ("moreau@example.com", True, account)
    assert made["EmailBouncedReason"] is None
    assert org.get(account)["Name"] == "Moreau SA"
    assert (org.get(moved)["WhoId"], org.get(moved)["AccountId"]) == (contact, account)
    soql = f"SELECT IsConverted, ConvertedContactId, ConvertedAccountId FROM Lead WHERE Id = '{lead}'"
    for resource in ("query", "queryAll"):
        (row,) = api.query(soql, resource)["records"]
        assert (row["IsConverted"], row["ConvertedContactId"], row["ConvertedAccountId"]) == (True, contact, account)
    assert retrieved(api, lead, "Lead")["Id"] == lead
    assert api.refusal("Lead", {"id": lead, "Title": "x"})[0] == "CANNOT_UPDATE_CONVERTED_LEAD"
    assert api.refusal("Task", {"WhoId": lead}, creating=True)[0] == "CANNOT_UPDATE_CONVERTED_LEAD"


def test_a_lead_becomes_a_contact_that_is_there_already(org: Org, lead: str, contact: str) -> None:
    account = org.add("Account", Name="Durand SA")
    org.edit(contact, AccountId=account)
    assert org.convert(lead, contact=contact) == (account, contact)
    assert org.get(contact)["Email"] == "lea@example.com"
    for again in (lead, contact):
        with pytest.raises(ValueError, match="convert"):
            org.convert(again)


def test_a_deleted_record_comes_back_as_it_was(api: Api, org: Org, contact: str) -> None:
    org.edit(contact, EmailBouncedReason="550")
    org.delete(contact)
    (row,) = api.query(FATE.format(contact), "queryAll")["records"]
    assert (row["IsDeleted"], row["MasterRecordId"]) == (True, None)
    org.undelete(contact)
    assert org.get(contact)["EmailBouncedReason"] == "550"
    assert api.update("Contact", {"id": contact, "Title": "x"})[0]["success"]


def test_a_restored_loser_stands_on_its_own_again(org: Org, contact: str) -> None:
    loser = org.add("Contact", LastName="Durand")
    org.merge(contact, [loser])
    org.undelete(loser)
    assert (org.get(loser)["IsDeleted"], org.get(loser)["MasterRecordId"]) == (False, None)


def test_a_purged_record_never_was(api: Api, org: Org, contact: str) -> None:
    org.delete(contact)
    org.purge(contact)
    assert retrieved(api, contact) is None
    assert api.query(FATE.format(contact), "queryAll")["totalSize"] == 0
    assert api.refusal("Contact", {"id": contact, "Title": "x"})[0] == "INVALID_CROSS_REFERENCE_KEY"


def test_people_work_over_http_too(api: Api, org: Org, contact: str, lead: str) -> None:
    def deed(name: str, **given: object) -> Any:
        answer = api.post(f"{api.url}/sandbox/{name}", json=given, timeout=10)
        return answer.json() if answer.content else answer.status_code

    loser = deed("add", type="contact", LastName="Durand")["id"]
    assert deed("edit", id=loser, Title="Chef") == 204
    assert org.get(loser)["Title"] == "Chef"
    assert deed("merge", master=contact, losers=[loser]) == 204
    assert org.get(loser)["MasterRecordId"] == contact
    assert org.get(deed("convert", lead=lead)["contactId"])["LastName"] == "Moreau"
    assert [deed(name, id=contact) for name in ("delete", "undelete", "delete", "purge")] == [204] * 4
    assert deed("edit", id=contact) == {"error": f"there is no {contact}"}
    assert deed("merge", master=loser, losers=[loser])["error"].startswith("a master is merged with")
    assert deed("add", type="Shoe")["error"].startswith("type is one of Account")
    assert deed("add", type="Contact")["error"].startswith("REQUIRED_FIELD_MISSING")
    assert deed("convert", lead=loser, colour="red")["error"]
