"""What is stored when a value is written, what is refused, and what Salesforce does by itself."""

from datetime import UTC, date, datetime, timedelta
from typing import Any

import pytest

from syncd.sandbox import Org
from syncd.sandbox.errors import RowError
from tests.sandbox.conftest import Api

BOUNCED = {"EmailBouncedReason": "550 user unknown", "EmailBouncedDate": "2026-11-24T10:00:00Z"}


@pytest.mark.parametrize(
    ("field", "sent", "stored"),
    [
        ("Title", "  Directrice  ", "Directrice"),
        ("Title", "   ", None),
        ("Title", "", None),
        ("Title", None, None),
        ("Title", "é" * 128, "é" * 128),
        ("EmailBouncedDate", "2026-11-24T10:00:00.999Z", "2026-11-24T10:00:00.000+0000"),
        ("EmailBouncedDate", "2026-11-24T11:00:00+01:00", "2026-11-24T10:00:00.000+0000"),
        ("EmailBouncedDate", "2026-11-24T00:30:00.000+0100", "2026-11-23T23:30:00.000+0000"),
        ("Birthdate", "1990-02-28", "1990-02-28"),
        ("HasOptedOutOfEmail", "true", True),
        ("Email", "Léa.O'Neil+x@sous.domaine.example", "Léa.O'Neil+x@sous.domaine.example"),
        ("hasoptedoutofemail", True, True),
    ],
)
def test_values_are_stored_as_salesforce_keeps_them(
    api: Api, org: Org, contact: str, field: str, sent: object, stored: object
) -> None:
    (result,) = api.update("Contact", {"id": contact, field: sent})
    assert result["success"], result
    record = {name.lower(): value for name, value in org.get(contact).items()}
    assert record[field.lower()] == stored


@pytest.mark.parametrize(
    ("field", "sent", "code"),
    [
        ("EmailBouncedReason", "x" * 256, "STRING_TOO_LONG"),
        ("Email", "not an address", "INVALID_EMAIL_ADDRESS"),
        ("Email", "a@b", "INVALID_EMAIL_ADDRESS"),
        ("EmailBouncedDate", "2026-11-24T10:00:00", "JSON_PARSER_ERROR"),
        ("EmailBouncedDate", "2026-02-30T10:00:00Z", "JSON_PARSER_ERROR"),
        ("Birthdate", "yesterday", "JSON_PARSER_ERROR"),
        ("HasOptedOutOfEmail", "perhaps", "JSON_PARSER_ERROR"),
        ("HasOptedOutOfEmail", None, "REQUIRED_FIELD_MISSING"),
        ("LastName", " ", "REQUIRED_FIELD_MISSING"),
        ("IsEmailBounced", True, "INVALID_FIELD_FOR_INSERT_UPDATE"),
        ("LastModifiedDate", "2026-11-24T10:00:00Z", "INVALID_FIELD_FOR_INSERT_UPDATE"),
        ("AccountId", "001", "MALFORMED_ID"),
        ("AccountId", "003xx000004TmiQAAS", "MALFORMED_ID"),
        ("AccountId", "001xx000003DHP0AAO", "INVALID_CROSS_REFERENCE_KEY"),
    ],
)
def test_values_that_can_not_be_stored_refuse_the_row_and_name_the_field(
    api: Api, org: Org, contact: str, field: str, sent: object, code: str
) -> None:
    before = org.snapshot()
    assert api.refusal("Contact", {"id": contact, "Title": "x", field: sent}) == (code, [field])
    assert org.snapshot() == before


@pytest.mark.parametrize(
    ("field", "sent", "stored"),
    [
        ("NumberOfEmployees", "12", 12),
        ("NumberOfEmployees", 12.0, 12),
        ("AnnualRevenue", 7, 7.0),
        ("Name", 7, "7"),
        ("Name", True, "true"),
    ],
)
def test_numbers_are_stored_as_their_field_has_them(
    api: Api, org: Org, field: str, sent: object, stored: object
) -> None:
    account = org.add("Account", Name="Durand SA")
    assert api.update("Account", {"id": account, field: sent})[0]["success"]
    assert org.get(account)[field] == stored
    assert type(org.get(account)[field]) is type(stored)


@pytest.mark.parametrize(("field", "sent"), [("NumberOfEmployees", "many"), ("AnnualRevenue", True), ("Name", {})])
def test_what_is_no_number_or_text_is_refused(api: Api, org: Org, field: str, sent: object) -> None:
    account = org.add("Account", Name="Durand SA")
    assert api.refusal("Account", {"id": account, field: sent}) == ("JSON_PARSER_ERROR", [field])


def test_a_set_up_may_give_dates_as_dates(org: Org) -> None:
    contact = org.add("Contact", LastName="Durand", Birthdate=date(1990, 2, 3))
    org.edit(contact, EmailBouncedDate=datetime(2026, 11, 24, 10, tzinfo=UTC))
    assert org.get(contact)["Birthdate"] == "1990-02-03"
    assert org.get(contact)["EmailBouncedDate"] == "2026-11-24T10:00:00.000+0000"


def test_a_value_too_long_is_said_with_label_and_limit(api: Api, contact: str) -> None:
    (row,) = api.update("Contact", {"id": contact, "EmailBouncedReason": "x" * 256})
    message = f"Email Bounced Reason: data value too large: {'x' * 256} (max length=255)"
    assert row["errors"][0]["message"] == message


def test_an_unknown_field_is_named_in_the_refusal(api: Api, contact: str) -> None:
    (row,) = api.update("Contact", {"id": contact, "Nope__c": "x"})
    error = {
        "statusCode": "INVALID_FIELD",
        "message": "No such column 'Nope__c' on sobject of type Contact",
        "fields": [],
    }
    assert row["errors"] == [error]


@pytest.mark.parametrize("kind", ["contact", "lead"])
def test_a_new_address_clears_the_bounce(org: Org, request: pytest.FixtureRequest, kind: str) -> None:
    record_id = request.getfixturevalue(kind)
    org.edit(record_id, **BOUNCED)
    org.edit(record_id, Title="Chef")
    assert org.get(record_id)["EmailBouncedReason"] == "550 user unknown"
    org.edit(record_id, Email="new@example.com")
    assert (org.get(record_id)["EmailBouncedReason"], org.get(record_id)["EmailBouncedDate"]) == (None, None)


def test_a_new_address_through_the_api_clears_the_bounce_too(api: Api, org: Org, contact: str) -> None:
    api.update("Contact", {"id": contact, **BOUNCED})
    assert org.get(contact)["IsEmailBounced"] is True
    api.update("Contact", {"id": contact, "Email": "new@example.com"})
    assert org.get(contact)["EmailBouncedDate"] is None
    assert org.get(contact)["IsEmailBounced"] is False


def test_a_lead_takes_a_bounce_when_updated_but_not_when_created(api: Api, lead: str) -> None:
    assert api.update("Lead", {"id": lead, **BOUNCED})[0]["success"]
    new = {"LastName": "New", "Company": "New SA", **BOUNCED}
    code, fields = api.refusal("Lead", new, creating=True)
    assert (code, set(fields)) == ("INVALID_FIELD_FOR_INSERT_UPDATE", set(BOUNCED))


def test_missing_fields_are_named_together(api: Api) -> None:
    code, fields = api.refusal("Lead", {"FirstName": "Léa"}, creating=True)
    assert (code, set(fields)) == ("REQUIRED_FIELD_MISSING", {"LastName", "Company"})


OWNER = "005Sb0000000002IAA"


@pytest.mark.parametrize(("header", "reassigned"), [(None, True), ("TRUE", True), ("FALSE", False), ("false", False)])
def test_assignment_rules_run_on_creation_and_update_unless_the_header_says_no(
    api: Api, org: Org, lead: str, header: str | None, reassigned: bool
) -> None:
    org.edit(lead, OwnerId="005Sb0000000001IAA")
    org.assignment_rule("Lead", OWNER)
    headers = {"Sforce-Auto-Assign": header} if header else {}
    api.update("Lead", {"id": lead, "Title": "x"}, headers=headers)
    (made,) = api.create("Lead", {"LastName": "New", "Company": "New SA"}, headers=headers)
    assert [org.get(one)["OwnerId"] == OWNER for one in (lead, made["id"])] == [reassigned, reassigned]


def test_a_persons_edit_runs_no_assignment_rule(org: Org, lead: str) -> None:
    org.edit(lead, OwnerId="005Sb0000000001IAA")
    org.assignment_rule("Lead", OWNER)
    org.edit(lead, Title="x")
    assert org.get(lead)["OwnerId"] == "005Sb0000000001IAA"


def test_contacts_have_no_assignment_rules(org: Org) -> None:
    with pytest.raises(ValueError, match="Lead, Account, Case"):
        org.assignment_rule("Contact", OWNER)


def test_a_hidden_field_does_not_exist(api: Api, org: Org, contact: str) -> None:
    org.hide_field("Contact", "HasOptedOutOfEmail")
    assert api.refusal("Contact", {"id": contact, "HasOptedOutOfEmail": True}) == ("INVALID_FIELD", [])
    names = [field["name"] for field in api.call("GET", "sobjects/Contact/describe")["fields"]]
    assert "HasOptedOutOfEmail" not in names
    sent = {"ids": [contact], "fields": ["HasOptedOutOfEmail"]}
    assert api.call("POST", "composite/sobjects/Contact", 400, json=sent)[0]["errorCode"] == "INVALID_FIELD"
    refused = api.call("GET", "query", 400, params={"q": "SELECT HasOptedOutOfEmail FROM Contact"})
    assert refused[0]["errorCode"] == "INVALID_FIELD"
    assert "HasOptedOutOfEmail" not in api.call("GET", f"sobjects/Contact/{contact}")
    org.show_field("Contact", "HasOptedOutOfEmail")
    assert api.call("GET", f"sobjects/Contact/{contact}")["HasOptedOutOfEmail"] is False


def test_a_read_only_field_is_described_so_and_refused(api: Api, org: Org, contact: str) -> None:
    org.read_only("Contact", "EmailBouncedDate")
    fields = {field["name"]: field for field in api.call("GET", "sobjects/Contact/describe")["fields"]}
    assert (fields["EmailBouncedDate"]["createable"], fields["EmailBouncedDate"]["updateable"]) == (False, False)
    refusal = ("INVALID_FIELD_FOR_INSERT_UPDATE", ["EmailBouncedDate"])
    assert api.refusal("Contact", {"id": contact, **BOUNCED}) == refusal
    org.edit(contact, **BOUNCED)
    assert org.get(contact)["IsEmailBounced"] is True


def test_a_task_has_its_defaults_and_its_account(api: Api, org: Org) -> None:
    account = org.add("Account", Name="Durand SA")
    who = org.add("Contact", LastName="Durand", AccountId=account)
    (row,) = api.create("Task", {"WhoId": who, "Subject": "Opened"})
    task = org.get(row["id"])
    shown = {name: task[name] for name in ("Status", "Priority", "TaskSubtype", "IsClosed", "AccountId", "OwnerId")}
    assert shown == {
        "Status": "Not Started",
        "Priority": "Normal",
        "TaskSubtype": "Task",
        "IsClosed": False,
        "AccountId": account,
        "OwnerId": org.integration_user,
    }


@pytest.mark.parametrize(
    ("field", "sent", "code"),
    [
        ("WhoId", "001Sb0000000001IAA", "MALFORMED_ID"),
        ("WhoId", "003xx000004TmiQAAS", "INVALID_CROSS_REFERENCE_KEY"),
        ("WhoId", "701xx000004TmiQAAS", "MALFORMED_ID"),
        ("Status", "Nearly", "INVALID_OR_NULL_FOR_RESTRICTED_PICKLIST"),
        ("TaskSubtype", "Letter", "INVALID_OR_NULL_FOR_RESTRICTED_PICKLIST"),
        ("Description", "x" * 32_001, "STRING_TOO_LONG"),
        ("IsClosed", True, "INVALID_FIELD_FOR_INSERT_UPDATE"),
        ("CompletedDateTime", "2026-11-24T10:00:00Z", "INVALID_FIELD_FOR_INSERT_UPDATE"),
    ],
)
def test_a_task_that_can_not_be_is_refused(api: Api, field: str, sent: object, code: str) -> None:
    assert api.refusal("Task", {field: sent}, creating=True)[0] == code


def test_a_task_for_someone_deleted_is_refused(api: Api, org: Org, contact: str) -> None:
    org.delete(contact)
    assert api.refusal("Task", {"WhoId": contact}, creating=True) == ("ENTITY_IS_DELETED", ["WhoId"])


def test_the_subtype_of_a_task_is_given_at_creation_only(api: Api) -> None:
    (made,) = api.create("Task", {"TaskSubtype": "Email"})
    refusal = ("INVALID_FIELD_FOR_INSERT_UPDATE", ["TaskSubtype"])
    assert api.refusal("Task", {"id": made["id"], "TaskSubtype": "Call"}) == refusal


def test_closing_a_task_is_timed_and_moves_the_last_activity(api: Api, org: Org, contact: str) -> None:
    rows = [{"WhoId": contact, "Status": "Completed", "ActivityDate": day} for day in ("2026-11-20", "2026-11-23")]
    _, second = api.create("Task", *rows, {"WhoId": contact, "ActivityDate": "2026-12-24"})[:2]
    assert org.get(second["id"])["CompletedDateTime"] is not None
    assert org.get(contact)["LastActivityDate"] == "2026-11-23"
    api.update("Task", {"id": second["id"], "Status": "In Progress"})
    assert org.get(second["id"])["CompletedDateTime"] is None
    assert org.get(contact)["LastActivityDate"] == "2026-11-20"


def test_a_converted_lead_is_frozen(api: Api, org: Org, lead: str, contact: str) -> None:
    org.edit(lead, IsConverted=True, ConvertedContactId=contact)
    assert api.refusal("Lead", {"id": lead, "Title": "x"})[0] == "CANNOT_UPDATE_CONVERTED_LEAD"
    assert api.refusal("Task", {"WhoId": lead}, creating=True)[0] == "CANNOT_UPDATE_CONVERTED_LEAD"


def test_saving_is_stamped_with_the_time_and_the_one_who_saved(keys: Any) -> None:
    times = iter([datetime(2026, 11, 24, 10, tzinfo=UTC) + timedelta(minutes=minute) for minute in range(60)])
    org = Org(clock=lambda: next(times))
    contact = org.add("Contact", LastName="Durand")
    created = org.get(contact)
    org.edit(contact, Title="x")
    edited = org.get(contact)
    assert created["CreatedDate"] == created["LastModifiedDate"] == edited["CreatedDate"]
    assert edited["LastModifiedDate"] > created["LastModifiedDate"]
    assert edited["LastModifiedById"] == org.person


def test_the_api_saves_as_the_integration_user(api: Api, org: Org, contact: str) -> None:
    api.update("Contact", {"id": contact, "Title": "x"})
    assert org.get(contact)["LastModifiedById"] == org.integration_user


def test_a_snapshot_tells_whether_anything_changed(org: Org, contact: str) -> None:
    before = org.snapshot()
    org.edit(contact, Title="x")
    assert org.snapshot() != before
    org.edit(contact, Title=None)
    assert org.snapshot() == before
    assert not {"CreatedDate", "LastModifiedDate", "SystemModstamp"} & before["Contact"][0].keys()


def test_what_a_set_up_gives_is_kept_though_only_salesforce_writes_it(org: Org) -> None:
    task = org.add("Task", IsArchived=True, CreatedDate=datetime(2024, 1, 2, tzinfo=UTC), Status="Completed")
    kept = org.get(task)
    assert (kept["IsArchived"], kept["CreatedDate"]) == (True, "2024-01-02T00:00:00.000+0000")
    org.edit(task, Subject="x")
    assert org.get(task)["IsArchived"] is True


def test_a_set_up_that_makes_no_sense_is_refused(org: Org) -> None:
    with pytest.raises(RowError, match="No such column 'Shoes'"):
        org.add("Contact", LastName="Durand", Shoes=42)
    with pytest.raises(KeyError):
        org.get("003xx000004TmiQAAS")
    with pytest.raises(ValueError, match="ends in __c"):
        org.add_field("Task", "key")


def test_a_custom_field_is_there_for_old_and_new_records(api: Api, org: Org, contact: str) -> None:
    org.add_field("Contact", "Soft_Bounces__c", type="int")
    org.add_field("Contact", "Invalid__c", type="boolean")
    assert (org.get(contact)["Soft_Bounces__c"], org.get(contact)["Invalid__c"]) == (None, False)
    api.update("Contact", {"id": contact, "Soft_Bounces__c": 3, "Invalid__c": True})
    found = api.query("SELECT Id FROM Contact WHERE Soft_Bounces__c >= 3 AND Invalid__c = true")
    assert found["totalSize"] == 1
