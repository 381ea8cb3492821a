"""One record by its URL, as a person tries it with curl."""

import pytest

from syncd.sandbox import Org
from tests.sandbox.conftest import Api

MISSING = "003xx000004TmiQAAS"


def test_a_record_is_created_read_changed_and_deleted(api: Api, org: Org) -> None:
    made = api.call("POST", "sobjects/Contact/", 201, json={"LastName": "Durand", "Email": "lea@example.com"})
    assert made == {"id": made["id"], "success": True, "errors": []}
    path = f"sobjects/Contact/{made['id']}"
    assert api.call("GET", f"{path}?fields=LastName,Email")["Email"] == "lea@example.com"
    assert api.call("PATCH", path, 204, json={"Title": "Directrice"}) is None
    assert api.call("GET", path)["Title"] == "Directrice"
    assert api.call("DELETE", path, 204) is None
    assert api.call("GET", path, 404)[0]["errorCode"] == "NOT_FOUND"
    gone = [{"message": "entity is deleted", "errorCode": "ENTITY_IS_DELETED", "fields": []}]
    assert api.call("PATCH", path, 404, json={"Title": "x"}) == gone
    assert api.call("DELETE", path, 404) == gone
    assert [call.writing for call in org.calls] == [True, False, True, False, True, False, True, True]


def test_what_is_purged_never_was(api: Api, org: Org, contact: str) -> None:
    with pytest.raises(ValueError, match="recycle bin"):
        org.purge(contact)
    org.delete(contact)
    org.purge(contact)
    assert api.query("SELECT Id FROM Contact", "queryAll")["records"] == []
    assert api.refusal("Contact", {"id": contact, "Title": "x"}) == ("INVALID_CROSS_REFERENCE_KEY", [])
    with pytest.raises(KeyError):
        org.get(contact)


def test_a_merged_record_points_to_its_survivor(api: Api, org: Org, contact: str) -> None:
    loser = org.add("Contact", LastName="Durand")
    org.edit(loser, MasterRecordId=contact)
    org.delete(loser)
    (found,) = api.query(f"SELECT IsDeleted, MasterRecordId FROM Contact WHERE Id = '{loser}'", "queryAll")["records"]
    assert (found["IsDeleted"], found["MasterRecordId"]) == (True, contact)


def test_a_refused_record_is_answered_with_error_codes_at_the_top(api: Api) -> None:
    answer = api.call("POST", "sobjects/Contact", 400, json={"FirstName": "Léa"})
    assert answer == [
        {
            "message": "Required fields are missing: [LastName]",
            "errorCode": "REQUIRED_FIELD_MISSING",
            "fields": ["LastName"],
        }
    ]


@pytest.mark.parametrize("record_id", [MISSING, "00Qxx0000001AbCEAU", "nonsense"])
def test_what_does_not_exist_is_not_found(api: Api, record_id: str) -> None:
    for method in ("GET", "PATCH", "DELETE"):
        (error,) = api.call(method, f"sobjects/Contact/{record_id}", 404, json={})
        assert error["errorCode"] == "NOT_FOUND"


def test_a_record_is_found_and_upserted_by_external_id(api: Api, org: Org) -> None:
    org.add_field("Task", "syncd_key__c", length=80, external_id=True, unique=True)
    path = "sobjects/Task/syncd_key__c/campaign%207%2Flea"
    made = api.call("PATCH", path, 201, json={"Subject": "Opened"})
    assert made["created"] is True
    assert api.call("PATCH", path, 200, json={"Subject": "Clicked"}) == made | {"created": False}
    found = api.call("GET", path)
    assert (found["Id"], found["syncd_key__c"], found["Subject"]) == (made["id"], "campaign 7/lea", "Clicked")
    assert api.call("GET", "sobjects/Task/syncd_key__c/other", 404)[0]["errorCode"] == "NOT_FOUND"
    assert api.call("GET", "sobjects/Task/Subject/Clicked", 404)[0]["errorCode"] == "NOT_FOUND"


def test_an_old_version_answers_an_update_by_external_id_with_nothing(api: Api, org: Org, contact: str) -> None:
    url = f"{api.url}/services/data/v45.0/sobjects/Contact/Email/lea@example.com"
    answer = api.patch(url, json={"Title": "x"}, timeout=10)
    assert (answer.status_code, answer.content) == (204, b"")
    assert org.get(contact)["Title"] == "x"


def test_an_address_two_contacts_have_is_a_choice(api: Api, org: Org, contact: str) -> None:
    other = org.add("Contact", LastName="Durand", Email="lea@example.com")
    for method in ("GET", "PATCH"):
        urls = api.call(method, "sobjects/Contact/Email/lea@example.com", 300, json={})
        assert [url.rpartition("/")[2] for url in urls] == [contact, other]


def test_a_record_is_updated_by_its_id_as_a_key(api: Api, org: Org, contact: str) -> None:
    answer = api.call("PATCH", f"sobjects/Contact/Id/{contact}", 200, json={"Title": "x"})
    assert answer == {"id": contact, "success": True, "errors": [], "created": False}
    api.call("PATCH", f"sobjects/Contact/Id/{MISSING}", 404, json={"Title": "x"})


@pytest.mark.parametrize(
    ("version", "status"), [("v31.0", 200), ("v66.0", 200), ("v99.0", 200), ("v30.0", 410), ("v20.0", 404)]
)
def test_versions_from_31_on_answer(api: Api, version: str, status: int) -> None:
    assert api.get(f"{api.url}/services/data/{version}/limits", timeout=10).status_code == status


def test_the_versions_are_listed_for_everyone(stranger: Api) -> None:
    versions = stranger.get(f"{stranger.url}/services/data/", timeout=10).json()
    assert {"label": "Spring '26", "url": "/services/data/v66.0", "version": "66.0"} in versions
    assert {"label": "Winter '26", "url": "/services/data/v65.0", "version": "65.0"} in versions
    assert versions[-1]["version"] == "67.0"


def test_objects_are_listed_and_described(api: Api) -> None:
    listed = {one["name"]: one["keyPrefix"] for one in api.call("GET", "sobjects")["sobjects"]}
    assert listed.items() >= {"Contact": "003", "Lead": "00Q", "Account": "001", "Task": "00T"}.items()
    described = api.call("GET", "sobjects/task/describe")
    fields = {field["name"]: field for field in described["fields"]}
    assert described["keyPrefix"] == "00T"
    assert fields["Subject"]["length"] == 255
    assert (fields["TaskSubtype"]["createable"], fields["TaskSubtype"]["updateable"]) == (True, False)
    assert fields["Status"]["picklistValues"][0]["value"] == "Not Started"
    assert fields["Description"]["filterable"] is False


def test_a_custom_external_id_is_described_as_one(api: Api, org: Org) -> None:
    org.add_field("Task", "syncd_key__c", type="string", length=80, external_id=True, unique=True)
    fields = {field["name"]: field for field in api.call("GET", "sobjects/Task/describe")["fields"]}
    key = fields["syncd_key__c"]
    described = {name: key[name] for name in ("externalId", "unique", "idLookup", "custom", "length", "type")}
    assert described == {
        "externalId": True,
        "unique": True,
        "idLookup": True,
        "custom": True,
        "length": 80,
        "type": "string",
    }


def test_statuses_of_tasks_are_not_written_through_the_api(api: Api) -> None:
    (error,) = api.call("POST", "sobjects/TaskStatus", 405, json={"MasterLabel": "Nearly"})
    assert error["errorCode"] == "METHOD_NOT_ALLOWED"


def test_a_method_a_resource_does_not_know_is_refused(api: Api) -> None:
    (error,) = api.call("PUT", "limits", 405)
    assert error["errorCode"] == "METHOD_NOT_ALLOWED"


def test_the_resources_are_listed(api: Api) -> None:
    assert api.call("GET", "")["query"] == "/services/data/v66.0/query"
