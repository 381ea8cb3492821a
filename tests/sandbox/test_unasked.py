"""What a real org does unasked, and what its administrators ask of it."""

from datetime import UTC, datetime, timedelta
from typing import Any

import pytest

from syncd.sandbox import Org
from tests.sandbox.conftest import Api


def archived(api: Api) -> list[str]:
    """The Tasks that only queryAll shows."""
    soql = "SELECT Id FROM Task"
    everything, living = ({row["Id"] for row in api.query(soql, how)["records"]} for how in ("queryAll", "query"))
    return sorted(everything - living)


def test_old_closed_tasks_are_archived_at_night_and_may_still_be_changed(api: Api, org: Org, contact: str) -> None:
    today = datetime.now(UTC)
    org.clock = lambda: today
    days = [(today - timedelta(days=days)).date().isoformat() for days in (366, 365, 364)]
    rows = [{"WhoId": contact, "Status": "Completed", "ActivityDate": day} for day in days]
    old, just, young, still_open, _ = (
        row["id"]
        for row in api.create("Task", *rows, {"WhoId": contact, "ActivityDate": days[0]}, {"Status": "Completed"})
    )
    assert archived(api) == []
    tomorrow = today + timedelta(days=1)
    org.clock = lambda: tomorrow
    assert archived(api) == sorted([old, just, young])
    assert org.get(still_open)["IsArchived"] is False
    assert api.update("Task", {"id": old, "Description": "x"})[0]["success"]
    assert (org.get(old)["Description"], org.get(old)["IsArchived"]) == ("x", True)


def test_a_validation_rule_refuses_a_row_and_lets_the_others_pass(api: Api, org: Org, contact: str) -> None:
    other = org.add("Contact", LastName="Other")
    org.validation_rule("Contact", "EmailBouncedReason", "550", "No bounces here.")
    rows = [{"id": one, "EmailBouncedReason": reason} for one, reason in ((contact, "550 5.1.1"), (other, "452"))]
    first, second = api.update("Contact", *rows)
    error = {"statusCode": "FIELD_CUSTOM_VALIDATION_EXCEPTION", "message": "No bounces here.", "fields": []}
    assert (first["errors"], second["success"]) == ([error], True)
    org.drop_validation_rules()
    assert api.update("Contact", rows[0])[0]["success"]


@pytest.mark.parametrize(
    ("code", "task_too"), [("UNABLE_TO_LOCK_ROW", "UNABLE_TO_LOCK_ROW"), ("ENTITY_IS_LOCKED", None)]
)
def test_a_locked_row_can_not_be_saved(api: Api, org: Org, contact: str, code: str, task_too: str | None) -> None:
    org.lock_row(contact, code)
    assert api.refusal("Contact", {"id": contact, "Title": "x"}) == (code, [])
    (made,) = api.create("Task", {"WhoId": contact})
    assert (made["errors"][0]["statusCode"] if made["errors"] else None) == task_too
    org.edit(contact, Title="y")
    org.unlock_row(contact)
    assert api.update("Contact", {"id": contact, "Title": "x"})[0]["success"]


def test_a_locked_account_locks_its_people(api: Api, org: Org, contact: str) -> None:
    account = org.add("Account", Name="Durand SA")
    org.edit(contact, AccountId=account)
    org.lock_row(account)
    assert api.refusal("Contact", {"id": contact, "Title": "x"})[0] == "UNABLE_TO_LOCK_ROW"


def test_a_full_org_takes_changes_but_nothing_new(api: Api, org: Org, contact: str) -> None:
    org.storage_full = True
    assert api.refusal("Task", {"WhoId": contact}, creating=True)[0] == "STORAGE_LIMIT_EXCEEDED"
    assert api.update("Contact", {"id": contact, "Title": "x"})[0]["success"]


def test_an_administrator_works_over_http_too(api: Api, org: Org, contact: str, lead: str) -> None:
    def deed(name: str, **given: object) -> Any:
        answer = api.post(f"{api.url}/sandbox/{name}", json=given, timeout=10)
        return answer.json() if answer.content else answer.status_code

    assert deed("rule", type="Contact", field="Title", pattern="^x$", message="No.") == 204
    assert api.refusal("Contact", {"id": contact, "Title": "x"})[0] == "FIELD_CUSTOM_VALIDATION_EXCEPTION"
    assert deed("rule", type="Contact", field="Title", pattern="(", message="No.")["error"]
    assert deed("assign", type="Lead", owner=org.integration_user) == 204
    api.update("Lead", {"id": lead, "Title": "x"})
    assert org.get(lead)["OwnerId"] == org.integration_user
    assert deed("lock", id=lead, code="ENTITY_IS_LOCKED") == 204
    assert api.refusal("Lead", {"id": lead, "Title": "y"})[0] == "ENTITY_IS_LOCKED"
    assert deed("lock", id=lead, code="x")["error"].startswith("code is one of")
    assert [deed("unlock", id=lead), deed("archive")] == [204, 204]
    assert deed("settings", daily_limit=1, bulk_takes=2.5)["bulk_takes"] == 2.5
    assert (org.daily_limit, org.jobs.takes) == (1, 2.5)
    assert api.get(f"{api.url}/sandbox/settings", timeout=10).json()["storage_full"] is False
    assert deed("settings", daily_limit=True)["error"] == "daily_limit can't be True"
    assert deed("settings", colour=1)["error"].startswith("unknown setting colour; known are daily_limit")
