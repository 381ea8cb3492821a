"""The shapes of real orgs, where recordings of them are at hand."""

import json
from typing import Any

import pytest

from syncd.sandbox import Org
from tests.sandbox.conftest import SHARED, Api

RECORDINGS = SHARED / "data" / "salesforce"
pytestmark = pytest.mark.skipif(not RECORDINGS.is_dir(), reason="no recordings here")

NOT_COMPARED = {"picklistValues", "compoundFieldName", "searchPrefilterable", "extraTypeInfo"}


def recorded(case: str) -> Any:
    return json.loads((RECORDINGS / f"{case}.json").read_text())["response"]["body_json"]


def shape(value: Any) -> Any:
    """Keys and types, all the way down; a list is as its first element."""
    if isinstance(value, dict):
        return {key: shape(inner) for key, inner in value.items()}
    if isinstance(value, list):
        return [shape(value[0])] if value else []
    return type(value).__name__


def test_a_row_that_was_saved_looks_as_recorded(api: Api, contact: str) -> None:
    rows = [{"id": contact, "Title": "x"}]
    assert shape(api.update("Contact", *rows)) == shape(recorded("collections_patch_update_6_ok"))


def test_a_row_of_an_unknown_record_is_refused_exactly_as_recorded(api: Api) -> None:
    answer = api.update("Account", {"id": "001xx000003DHP0AAO", "Name": "Updated Account Name"})
    assert answer == recorded("nango_collections_patch_INVALID_CROSS_REFERENCE_KEY")


def test_an_upsert_without_a_type_is_refused_exactly_as_recorded(api: Api) -> None:
    sent = {"records": [{"Id": "001000000000000000", "Name": "TestAccountUpsert12345"}], "allOrNone": False}
    answer = api.call("PATCH", "composite/sobjects/Account/Id", json=sent)
    assert answer == recorded("nango_collections_upsert_row_JSON_PARSER_ERROR")


def test_an_upsert_by_address_looks_as_recorded(api: Api) -> None:
    records = [{"FirstName": "Lindsay", "LastName": "Sitwell", "Email": "lindsay@example.com"}]
    sent = {"records": [{**row, "attributes": {"type": "Contact"}} for row in records]}
    answer = api.call("PATCH", "composite/sobjects/Contact/Email", json=sent)
    assert shape(answer) == shape(recorded("collections_patch_upsert_contact_email_all_created"))


def test_a_deletion_looks_as_recorded(api: Api, contact: str) -> None:
    answer = api.call("DELETE", "composite/sobjects", params={"ids": contact})
    assert shape(answer) == shape(recorded("nango_collections_delete_200"))


def test_a_created_record_looks_as_recorded(api: Api) -> None:
    answer = api.call("POST", "sobjects/Contact", 201, json={"LastName": "Somebody"})
    assert shape(answer) == shape(recorded("sobject_contact_create_201"))


def test_a_deleted_record_is_refused_exactly_as_recorded(api: Api, org: Org, contact: str) -> None:
    org.delete(contact)
    assert api.call("DELETE", f"sobjects/Contact/{contact}", 404) == recorded("sobject_delete_404")


def test_upserts_of_one_record_look_as_recorded(api: Api, contact: str) -> None:
    path = "sobjects/Contact/Email/new%40example.com"
    created = api.call("PATCH", path, 201, json={"LastName": "TestUser"})
    assert shape(created) == shape(recorded("nango_upsert_contact_email_201_created"))
    updated = api.call("PATCH", f"sobjects/Contact/Id/{contact}", json={"Phone": "555"})
    assert shape(updated) == shape(recorded("nango_upsert_by_Id_updateOnly_200_created_false"))


@pytest.mark.parametrize("resource", ["query", "queryAll"])
def test_a_query_looks_as_recorded(api: Api, org: Org, resource: str) -> None:
    org.add("Account", Name="Edge Communications")
    answer = api.query("SELECT Id, Name FROM Account LIMIT 5", resource)
    assert shape(answer) == shape(recorded("nango_queryAll_200"))


def test_a_page_with_more_to_come_looks_as_recorded(api: Api, org: Org) -> None:
    for number in range(201):
        org.add("Contact", LastName=str(number))
    headers = {"Sforce-Query-Options": "batchSize=200"}
    page = api.call("GET", "query", params={"q": "SELECT Id FROM Contact"}, headers=headers)
    assert list(page) == list(recorded("query_page1_nextRecordsUrl"))


def test_a_query_that_finds_nothing_is_answered_exactly_as_recorded(api: Api) -> None:
    soql = "select Id, SystemModstamp, LastModifiedById, Email from Contact where Id = ''"
    assert api.query(soql) == recorded("query_zero_2015")


def test_errors_are_worded_as_recorded(api: Api) -> None:
    refused = api.call("GET", "query/", 400, params={"q": "select count() from XYZZY"})
    inner = recorded("composite_subrequest_invalid_type_400")["compositeResponse"][1]["body"]
    assert refused == inner
    missing = recorded("composite_subrequest_unknown_sobject_404")["compositeResponse"][0]["body"]
    assert api.call("GET", "sobjects/Foo", 404) == missing


def test_an_unknown_client_is_refused_in_the_recorded_shape(stranger: Api) -> None:
    form = {"grant_type": "urn:ietf:params:oauth:grant-type:jwt-bearer", "assertion": "x"}
    answer = stranger.post(f"{stranger.url}/services/oauth2/token", data=form, timeout=10)
    assert shape(answer.json()) == shape(recorded("oauth_refresh_invalid_client_id_400"))


def test_versions_look_as_recorded(stranger: Api) -> None:
    versions = stranger.get(f"{stranger.url}/services/data", timeout=10).json()
    listed = {one["version"]: one for one in versions}
    assert all(listed[one["version"]] == one for one in recorded("nango_versions_200"))


@pytest.mark.parametrize("kind", ["Contact", "Lead", "Account"])
def test_fields_are_described_as_recorded(api: Api, kind: str) -> None:
    real = recorded(f"describe_{kind.lower()}")
    ours = api.call("GET", f"sobjects/{kind}/describe")
    assert real.keys() <= ours.keys()
    real_fields = {field["name"]: field for field in real["fields"]}
    for field in ours["fields"]:
        if field["name"] in real_fields:
            compared = real_fields[field["name"]].keys() - NOT_COMPARED
            expected = {key: real_fields[field["name"]][key] for key in compared}
            assert {key: field[key] for key in compared} == expected, field["name"]


def test_picklist_values_are_described_as_recorded(api: Api) -> None:
    def statuses(described: Any) -> Any:
        return next(field["picklistValues"] for field in described["fields"] if field["name"] == "Status")

    assert statuses(api.call("GET", "sobjects/Lead/describe")) == statuses(recorded("describe_lead"))
