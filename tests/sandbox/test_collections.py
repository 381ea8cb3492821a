import gzip
import json
from typing import Any

import pytest

from syncd.sandbox import Org
from tests.sandbox.conftest import Api

MISSING = "003xx000004TmiQAAS"


def test_records_come_in_the_order_asked_for_with_null_for_what_is_not_there(
    api: Api, org: Org, contact: str, lead: str
) -> None:
    gone = org.add("Contact", LastName="Gone")
    org.delete(gone)
    other = org.add("Contact", LastName="Other")
    ids = [other, MISSING, contact, gone, lead, "no id", contact[:15]]
    answer = api.call("POST", "composite/sobjects/Contact", json={"ids": ids, "fields": ["Id", "email"]})
    url = "/services/data/v66.0/sobjects/Contact/"
    first = {"attributes": {"type": "Contact", "url": url + other}, "Id": other, "Email": None}
    second = {"attributes": {"type": "Contact", "url": url + contact}, "Id": contact, "Email": "lea@example.com"}
    assert answer == [first, None, second, None, None, None, second]
    assert (org.calls[-1].rows, org.calls[-1].writing) == (7, False)


@pytest.mark.parametrize(
    ("sent", "code"),
    [
        ({"ids": [MISSING], "fields": ["Id", "Nonsense"]}, "INVALID_FIELD"),
        ({"ids": [MISSING] * 2001, "fields": ["Id"]}, "EXCEEDED_ID_LIMIT"),
        ({"ids": [], "fields": ["Id"]}, "REQUIRED_FIELD_MISSING"),
        ({"ids": [MISSING]}, "REQUIRED_FIELD_MISSING"),
    ],
)
def test_a_read_that_can_not_be_served_is_refused_as_a_whole(api: Api, sent: dict[str, Any], code: str) -> None:
    assert api.call("POST", "composite/sobjects/Contact", 400, json=sent)[0]["errorCode"] == code


def test_a_few_records_are_read_by_their_ids_in_the_url(api: Api, contact: str) -> None:
    (record,) = api.call("GET", "composite/sobjects/Contact", params={"ids": contact, "fields": "Email"})
    assert record["Email"] == "lea@example.com"


def test_objects_that_can_not_be_deleted_are_read_too(api: Api, org: Org) -> None:
    sent = {"ids": [org.person], "fields": ["Name"]}
    assert api.call("POST", "composite/sobjects/User", json=sent)[0]["Name"] == "Camille Martin"


def test_an_unknown_object_is_a_resource_that_does_not_exist(api: Api) -> None:
    answer = api.call("POST", "composite/sobjects/Foo", 404, json={"ids": [MISSING], "fields": ["Id"]})
    assert answer == [{"errorCode": "NOT_FOUND", "message": "The requested resource does not exist"}]


def test_rows_are_judged_one_by_one_in_order(api: Api, org: Org, contact: str, lead: str) -> None:
    deleted = org.add("Contact", LastName="Deleted")
    org.delete(deleted)
    answer = api.update(
        "Contact",
        {"id": contact, "EmailBouncedReason": "550 user unknown", "EmailBouncedDate": "2026-11-24T11:00:00.987+01:00"},
        {"Id": MISSING, "Title": "x"},
        {"id": deleted, "Title": "x"},
        {"id": lead, "Title": "x"},
        {"Title": "x"},
        {"id": contact, "Nope__c": "x"},
    )
    assert answer[0] == {"id": contact, "success": True, "errors": []}
    assert all(set(row) == {"success", "errors"} and row["success"] is False for row in answer[1:])
    assert [row["errors"][0] for row in answer[1:4]] == [
        {"statusCode": "INVALID_CROSS_REFERENCE_KEY", "message": "invalid cross reference id", "fields": []},
        {"statusCode": "ENTITY_IS_DELETED", "message": "entity is deleted", "fields": []},
        {
            "statusCode": "MALFORMED_ID",
            "message": f"Contact ID: id value of incorrect type: {lead}",
            "fields": ["Id"],
        },
    ]
    assert [row["errors"][0]["statusCode"] for row in answer[4:]] == ["MISSING_ARGUMENT", "INVALID_FIELD"]
    assert org.get(contact)["EmailBouncedDate"] == "2026-11-24T10:00:00.000+0000"
    assert org.calls_count(writing=True) == 1


def test_a_row_without_a_type_is_refused_alone(api: Api, contact: str) -> None:
    records = [{"id": contact, "Title": "x"}, {"attributes": {"type": "Foo"}, "id": contact}]
    answer = api.call("PATCH", "composite/sobjects", json={"records": records})
    assert [row["errors"][0]["statusCode"] for row in answer] == ["JSON_PARSER_ERROR", "INVALID_TYPE"]


def test_all_or_none_leaves_everything_as_it_was(api: Api, org: Org, contact: str) -> None:
    before = org.snapshot()
    answer = api.update("Contact", {"id": contact, "Title": "x"}, {"id": MISSING, "Title": "x"}, all_or_none=True)
    codes = [row["errors"][0]["statusCode"] for row in answer]
    assert codes == ["ALL_OR_NONE_OPERATION_ROLLED_BACK", "INVALID_CROSS_REFERENCE_KEY"]
    assert org.snapshot() == before


def test_a_rolled_back_creation_is_not_found_again(api: Api, org: Org) -> None:
    api.create("Contact", {"LastName": "A", "Email": "a@example.com"}, {"Email": "b@example.com"}, all_or_none=True)
    assert org.all("Contact") == []
    assert api.query("SELECT Id FROM Contact WHERE Email = 'a@example.com'")["totalSize"] == 0


@pytest.mark.parametrize("method", ["PATCH", "POST"])
def test_no_records_are_refused_at_the_top(api: Api, method: str) -> None:
    (error,) = api.call(method, "composite/sobjects", 400, json={"records": []})
    assert (error["errorCode"], error["message"]) == ("REQUIRED_FIELD_MISSING", "At least 1 record is required")


def test_more_than_200_records_are_refused(api: Api, org: Org, contact: str) -> None:
    records = [{"attributes": {"type": "Contact"}, "id": contact, "Title": "x"}] * 201
    (error,) = api.call("PATCH", "composite/sobjects", 400, json={"records": records})
    assert error["errorCode"] == "EXCEEDED_ID_LIMIT"
    assert org.get(contact)["Title"] is None


def test_more_than_ten_chunks_of_types_are_refused(api: Api, contact: str, lead: str) -> None:
    pair = [
        {"attributes": {"type": "Contact"}, "id": contact, "Title": "x"},
        {"attributes": {"type": "Lead"}, "id": lead, "Title": "x"},
    ]
    assert len(api.call("PATCH", "composite/sobjects", json={"records": pair * 5})) == 10
    (error,) = api.call("PATCH", "composite/sobjects", 400, json={"records": pair * 6})
    assert error["errorCode"] == "LIMIT_EXCEEDED"


@pytest.mark.parametrize("body", [b"", b"{", b"[]", b"\xff"])
def test_a_body_that_is_no_json_object_is_refused(api: Api, body: bytes) -> None:
    headers = {"Content-Type": "application/json"}
    (error,) = api.call("PATCH", "composite/sobjects", 400, data=body, headers=headers)
    assert error["errorCode"] == "JSON_PARSER_ERROR"


def test_a_gzipped_body_is_understood(api: Api, org: Org, contact: str) -> None:
    sent = {"records": [{"attributes": {"type": "Contact"}, "id": contact, "Title": "x"}]}
    headers = {"Content-Type": "application/json", "Content-Encoding": "gzip"}
    api.call("PATCH", "composite/sobjects", data=gzip.compress(json.dumps(sent).encode()), headers=headers)
    assert org.get(contact)["Title"] == "x"


def test_records_are_deleted_by_id(api: Api, org: Org, contact: str) -> None:
    answer = api.call("DELETE", "composite/sobjects", params={"ids": f"{contact},{MISSING}", "allOrNone": "false"})
    assert [row["success"] for row in answer] == [True, False]
    assert org.get(contact)["IsDeleted"] is True
    org.undelete(contact)
    assert [row["Id"] for row in org.all("Contact")] == [contact]


def upsert(api: Api, *rows: dict[str, Any], key: str = "syncd_key__c", expect: int = 200) -> Any:
    records = [{"attributes": {"type": "Task"}, **row} for row in rows]
    return api.call("PATCH", f"composite/sobjects/Task/{key}", expect, json={"records": records})


def test_a_deletion_of_nothing_is_refused(api: Api) -> None:
    assert api.call("DELETE", "composite/sobjects", 400)[0]["errorCode"] == "REQUIRED_FIELD_MISSING"
    (row,) = api.call("DELETE", "composite/sobjects", params={"ids": "nonsense"})
    assert row["errors"][0]["statusCode"] == "MALFORMED_ID"


def test_a_creation_brings_no_id_and_an_upsert_no_other_type(api: Api, contact: str) -> None:
    assert api.refusal("Contact", {"id": contact}, creating=True)[0] == "INVALID_FIELD_FOR_INSERT_UPDATE"
    records = [{"attributes": {"type": "Lead"}, "Email": "a@example.com"}]
    (row,) = api.call("PATCH", "composite/sobjects/Contact/Email", json={"records": records})
    assert row["errors"][0]["statusCode"] == "INVALID_TYPE"


def test_an_upsert_creates_once_and_then_updates(api: Api, org: Org, contact: str) -> None:
    org.add_field("Task", "syncd_key__c", type="string", length=80, external_id=True, unique=True)
    row = {"syncd_key__c": "campaign-7:lea", "WhoId": contact, "Subject": "Opened"}
    (first,) = upsert(api, row)
    (second,) = upsert(api, row | {"syncd_key__c": "Campaign-7:LEA", "Subject": "Opened twice"})
    assert first == {"id": first["id"], "success": True, "errors": [], "created": True}
    assert second == first | {"created": False}
    assert [task["Subject"] for task in org.all("Task")] == ["Opened twice"]


def test_an_upsert_refuses_doubles_and_missing_keys_by_row(api: Api, org: Org) -> None:
    org.add_field("Task", "syncd_key__c", length=80, external_id=True, unique=True)
    answer = upsert(api, {"syncd_key__c": "a"}, {"syncd_key__c": "A"}, {"Subject": "x"}, {"syncd_key__c": "b"})
    codes = [row["errors"][0]["statusCode"] if row["errors"] else "created" for row in answer]
    assert codes == ["DUPLICATE_VALUE", "DUPLICATE_VALUE", "MISSING_ARGUMENT", "created"]
    assert [row["created"] for row in answer] == [False, False, False, True]


def test_an_external_id_two_records_hold_matches_neither(api: Api, org: Org) -> None:
    org.add_field("Task", "loose__c", external_id=True)
    for _ in range(2):
        org.add("Task", loose__c="same")
    (row,) = upsert(api, {"loose__c": "same"}, key="loose__c")
    assert row["errors"][0]["statusCode"] == "DUPLICATE_EXTERNAL_ID"


def test_only_external_ids_are_upserted_by(api: Api) -> None:
    (error,) = upsert(api, {"Subject": "x"}, key="Subject", expect=404)
    assert error["errorCode"] == "NOT_FOUND"


def test_a_unique_field_refuses_a_second_holder_unless_the_first_is_deleted(api: Api, org: Org) -> None:
    org.add_field("Task", "syncd_key__c", length=80, external_id=True, unique=True)
    holder = org.add("Task", syncd_key__c="a")
    assert api.refusal("Task", {"syncd_key__c": "A"}, creating=True) == ("DUPLICATE_VALUE", [])
    org.delete(holder)
    (row,) = api.create("Task", {"syncd_key__c": "A"})
    assert row["success"]


def test_an_unknown_field_may_refuse_the_whole_call(api: Api, org: Org, contact: str) -> None:
    org.unknown_field_refuses_call = True
    records = [
        {"attributes": {"type": "Contact"}, "id": contact, "Title": "x"},
        {"attributes": {"type": "Contact"}, "id": contact, "Nope__c": "x"},
    ]
    (error,) = api.call("PATCH", "composite/sobjects", 400, json={"records": records})
    assert error["errorCode"] == "INVALID_FIELD"
    assert org.get(contact)["Title"] is None


def test_the_usage_is_told_on_answers_and_not_on_errors(api: Api, org: Org) -> None:
    good = api.get(f"{api.base}limits", timeout=10)
    assert good.headers["Sforce-Limit-Info"] == "api-usage=1/100000"
    assert good.headers["Content-Type"] == "application/json;charset=UTF-8"
    bad = api.get(f"{api.base}nothing", timeout=10)
    assert bad.status_code == 404
    assert "Sforce-Limit-Info" not in bad.headers
    assert org.api_usage == 2


def test_calls_beyond_the_daily_limit_are_refused(api: Api, org: Org) -> None:
    org.daily_limit = 1
    api.call("GET", "limits")
    answer = api.call("GET", "limits", 403)
    assert answer == [{"message": "TotalRequests Limit exceeded.", "errorCode": "REQUEST_LIMIT_EXCEEDED"}]
    assert [call.status for call in org.calls] == [200, 403]
