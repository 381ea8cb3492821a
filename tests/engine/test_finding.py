"""Every way to find a recipient's record, and how each fails: events in by HTTP, Salesforce out."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import pytest

from syncd.config import Settings
from syncd.engine import Summary
from syncd.receiver import create_app
from syncd.salesforce import Crm
from syncd.sandbox import Org
from tests.conftest import Syncd
from tests.factories import ADDRESS, payload

EXTERNAL: dict[str, Any] = {"whid": "external_id", "external_id": {"Contact": "Shop_Id__c", "Lead": "Shop_No__c"}}
AUTO = EXTERNAL | {"whid": "auto"}
BY_EMAIL = {"match_by_email": "unique"}
OTHER = "bob@example.fr"


class World:
    """An org with fields of a shop, and syncd with a mapping."""

    def __init__(self, org: Org, configured: Callable[..., Settings]) -> None:
        self.org, self._configured = org, configured
        org.add_field("Contact", "Shop_Id__c", type="string", length=40, external_id=True, unique=False)
        org.add_field("Lead", "Shop_No__c", type="double", length=0, external_id=True, unique=False)
        self.ids: dict[str, str] = {}

    def add(self, name: str, kind: str, **fields: Any) -> None:
        company = {"Company": "Exemple SA"} if kind == "Lead" else {}
        self.ids[name] = self.org.add(kind, LastName=name, **company, **fields)

    def sync(self, mapping: dict[str, Any], *events: dict[str, Any]) -> tuple[Summary, list[str]]:
        """What a run said, and how each recipient was matched."""
        settings = self._configured(mapping=mapping)
        app = create_app(settings)
        (token,) = settings.secrets.webhook_tokens()
        for event in events:
            assert app.test_client().post(f"/webhooks/sarbacane/{token}", json=event).status_code == 204
        app.extensions["intake"].close()
        syncd = Syncd(settings, Crm(settings))
        try:
            return syncd.run(), [recipient["matched"] for recipient in syncd.desk.recipients()]
        finally:
            syncd.db.close()
            syncd.crm.session.close()

    def marked(self) -> set[str]:
        return {name for name, sf_id in self.ids.items() if self.org.get(sf_id)["EmailBouncedReason"]}


@pytest.fixture
def world(org: Org, configured: Callable[..., Settings]) -> World:
    made = World(org, configured)
    made.add("jeanne", "Contact", Email=ADDRESS, Shop_Id__c="S-1")
    made.add("bob", "Lead", Email=OTHER, Shop_No__c=42)
    made.add("twin a", "Contact", Email="twin@example.fr", Shop_Id__c="S-2")
    made.add("twin b", "Lead", Email="twin@example.fr")
    made.add("copy", "Contact", Email="copy@example.fr", Shop_Id__c="S-3")
    made.add("its double", "Contact", Email="double@example.fr", Shop_Id__c="S-3")
    made.add("converted", "Lead", Email="was@example.fr", Shop_No__c=7)
    org.edit(made.ids["converted"], IsConverted=True)
    made.add("gone", "Contact", Email="gone@example.fr", Shop_Id__c="S-9")
    org.delete(made.ids["gone"])
    return made


@pytest.mark.parametrize(
    ("story", "mapping", "whid", "email", "found", "how"),
    [
        ("an id of 18 characters", {}, "{jeanne}", ADDRESS, "jeanne", "id"),
        ("…padded", {}, "  {jeanne} ", ADDRESS, "jeanne", "id"),
        ("an external id is not followed unasked", {}, "S-1", ADDRESS, None, "no"),
        ("nor is the address", {}, "", ADDRESS, None, "no"),
        ("an external id", EXTERNAL, "S-1", ADDRESS, "jeanne", "external_id"),
        ("…in other letters, as Salesforce compares", EXTERNAL, "s-1", ADDRESS, "jeanne", "external_id"),
        ("…a number", EXTERNAL, "42", OTHER, "bob", "external_id"),
        ("…that two records have names neither", EXTERNAL, "S-3", "copy@example.fr", None, "no"),
        ("…of nobody", EXTERNAL, "S-99", ADDRESS, None, "no"),
        ("…of a deleted record", EXTERNAL, "S-9", "gone@example.fr", None, "no"),
        ("…of a converted lead", EXTERNAL, "7", "was@example.fr", None, "no"),
        ("…with a quote in it", EXTERNAL, "S-1' OR Name != '", ADDRESS, None, "no"),
        ("where external ids are used an id is none", EXTERNAL, "{jeanne}", ADDRESS, None, "no"),
        ("either: an id", AUTO, "{jeanne}", ADDRESS, "jeanne", "id"),
        ("either: an external id", AUTO, "S-1", ADDRESS, "jeanne", "external_id"),
        ("no whId: the only one with the address", BY_EMAIL, "", ADDRESS, "jeanne", "email"),
        ("…whatever its letters", BY_EMAIL, "", ADDRESS.upper(), "jeanne", "email"),
        ("…a whId that can be none", BY_EMAIL, "n/a", OTHER, "bob", "email"),
        ("…but not one of two", BY_EMAIL, "", "twin@example.fr", None, "no"),
        ("…nor a converted lead", BY_EMAIL, "", "was@example.fr", None, "no"),
        ("…nor for the id of a record that is gone", BY_EMAIL, "{gone}", ADDRESS, None, "no"),
        ("…nor for fifteen characters with another address", BY_EMAIL, "{bob:15}", ADDRESS, None, "no"),
        ("by external id, then by address", EXTERNAL | BY_EMAIL, "S-99", ADDRESS, "jeanne", "email"),
    ],
)
def test_how_a_record_is_found(
    world: World, story: str, mapping: dict[str, Any], whid: str, email: str, found: str | None, how: str
) -> None:
    for name, sf_id in world.ids.items():
        whid = whid.replace(f"{{{name}}}", sf_id).replace(f"{{{name}:15}}", sf_id[:15])
    said, matched = world.sync(mapping, payload("hard_bounce", whId=whid, email=email))
    assert world.marked() == ({found} if found else set()), story
    assert matched == [how]
    assert said.unmatched == (found is None)


@pytest.mark.parametrize("whid", ["{account}", "{contact}", ""])
def test_a_person_account_is_one_record_by_either_id_or_its_address(world: World, org: Org, whid: str) -> None:
    org.assignment_rule("Account", "005Sb0000000009IAA")
    account, contact = org.add_person(LastName="Simon", PersonEmail="claire@example.fr")
    who = {"email": "claire@example.fr", "whId": whid.format(account=account, contact=contact)}
    said, _ = world.sync(
        BY_EMAIL,
        payload("open", 0, "s", **who),
        payload("hard_bounce", 1, **who),
        payload("unsubscribe", 2, **who | {"whId": contact}),
        payload("complaint", 3, **who | {"whId": account}),
    )
    world.sync(BY_EMAIL)
    assert said.ended == "done"
    person = org.get(account)
    assert (person["PersonEmailBouncedReason"], person["PersonHasOptedOutOfEmail"]) == ("550 5.1.1 user unknown", True)
    assert [task["WhoId"] for task in org.all("Task")] == [contact]
    assert person["OwnerId"] != "005Sb0000000009IAA"


def test_an_account_that_is_no_person_is_no_recipient(world: World, org: Org) -> None:
    company = org.add("Account", Name="Exemple SA")
    said, matched = world.sync({}, payload("hard_bounce", whId=company))
    assert (said.unmatched, matched) == (1, ["no"])


def test_an_org_without_person_accounts_is_not_asked_for_them(world: World, org: Org) -> None:
    org.hide_field("Contact", "IsPersonAccount")
    world.sync({}, payload("hard_bounce", whId=world.ids["jeanne"]))
    assert world.marked() == {"jeanne"}


def test_many_long_ids_are_asked_for_in_several_queries(world: World) -> None:
    events = [payload("hard_bounce", whId=f"{'x' * 70}é{i}", email=f"n{i}@example.fr") for i in range(300)]
    said, _ = world.sync(EXTERNAL, *events, payload("hard_bounce", whId="S-1"))
    assert said.ended == "done"
    assert world.marked() == {"jeanne"}


def test_a_second_address_of_a_record_is_its_own_too(world: World, org: Org) -> None:
    org.add_field("Contact", "Second__c", type="email", length=80)
    org.edit(world.ids["jeanne"], Second__c="second@example.fr")
    configured = world._configured

    def with_second(**sections: Any) -> Settings:
        return configured(fields={"Contact": {"email": ["Email", "Second__c"]}}, **sections)

    world._configured = with_second
    world.sync(BY_EMAIL, payload("hard_bounce", whId="", email="second@example.fr"))
    assert world.marked() == {"jeanne"}


@pytest.mark.parametrize(
    "odd", ["9" * 20_000, "9" * 400, "x" * 20_000, "a\x1b\x01b", "a\nb", "\\", "' OR Id != '", "42\\'"]
)
@pytest.mark.parametrize("mapping", [EXTERNAL | BY_EMAIL, AUTO | BY_EMAIL], ids=["external", "auto"])
def test_what_no_record_can_have_keeps_nobody_else_from_being_found(
    world: World, mapping: dict[str, Any], odd: str
) -> None:
    said, _ = world.sync(
        mapping,
        payload("hard_bounce", whId=odd, email=f"{odd}@example.fr"),
        payload("hard_bounce", whId="42", email=OTHER),
    )
    assert ("done", 1, {"bob"}) == (said.ended, said.unmatched, world.marked())
    assert not said.troubles
