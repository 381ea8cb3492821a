"""What happens when Salesforce refuses or does not answer a whole call: nothing is lost, nothing is there twice."""

from __future__ import annotations

import json
from collections.abc import Callable
from typing import Any

import pytest

from syncd.config import Settings
from syncd.salesforce import Crm
from syncd.sandbox import Fault, Org, Sandbox
from tests.conftest import Syncd
from tests.factories import ADDRESS, payload

CREATE: dict[str, Any] = {"path": "composite/sobjects$", "method": "POST"}
UPDATE: dict[str, Any] = {"path": "composite/sobjects$", "method": "PATCH"}


@pytest.fixture
def contact(org: Org) -> str:
    return org.add("Contact", LastName="Durand", Email=ADDRESS)


def reason(org: Org, sf_id: str) -> Any:
    return org.get(sf_id)["EmailBouncedReason"]


def test_a_field_that_refuses_the_whole_call_is_rejected_alone(syncd: Syncd, org: Org) -> None:
    """Whether an unknown field refuses a row or the call is not documented."""
    people = [org.add("Contact", LastName=f"N{i}", Email=f"n{i}@example.fr") for i in range(3)]
    who: list[dict[str, Any]] = [{"whId": person, "email": f"n{i}@example.fr"} for i, person in enumerate(people)]
    org.faults.add(Fault(**UPDATE, status=400, code="INVALID_FIELD", message="No such column", times=1))
    org.faults.add(Fault(**UPDATE, status=400, code="INVALID_FIELD", message="No such column", skip=2, times=2))
    syncd.receive(
        payload("hard_bounce", 1, **who[0]),
        payload("hard_bounce", 1, **who[1]),
        payload("unsubscribe", 1, **who[1]),
        payload("unsubscribe", 1, **who[2]),
    )
    assert syncd.run().changes == {"done": 2, "rejected": 2}
    assert [bool(org.get(person)["HasOptedOutOfEmail"]) for person in people] == [False, True, True]


def test_a_field_of_leads_that_refuses_the_whole_call_keeps_nothing_from_contacts(
    syncd: Syncd, org: Org, contact: str
) -> None:
    lead = org.add("Lead", LastName="N", Company="Exemple SA", Email="n@example.fr")
    for skip in (0, 2):  # the call for both, then the one for Leads
        org.faults.add(Fault(**UPDATE, status=400, code="INVALID_FIELD", skip=skip, times=1))
    syncd.receive(payload("unsubscribe", whId=contact), payload("unsubscribe", whId=lead, email="n@example.fr"))
    assert syncd.run().changes == {"done": 1, "rejected": 1}
    assert [org.get(one)["HasOptedOutOfEmail"] for one in (contact, lead)] == [True, False]
    syncd.later(days=1)
    syncd.run()
    assert org.get(lead)["HasOptedOutOfEmail"] is True
    assert sum(call.path.endswith("Lead/describe") for call in org.calls) == 2  # anew after the refusal


def test_a_field_that_disappears_between_two_runs_is_described_anew(syncd: Syncd, org: Org, contact: str) -> None:
    syncd.receive(payload("unsubscribe", whId=contact))
    syncd.run()
    org.hide_field("Contact", "EmailBouncedReason")
    syncd.receive(payload("hard_bounce", 1, whId=contact))
    assert syncd.run().changes == {"done": 1}
    assert org.get(contact)["EmailBouncedDate"]


def test_a_reading_that_is_refused_for_good_puts_off_that_object_alone(syncd: Syncd, org: Org, contact: str) -> None:
    lead = org.add("Lead", LastName="N", Company="Exemple SA", Email="n@example.fr")
    org.faults.add(Fault(path="composite/sobjects/Contact", status=400, code="INVALID_FIELD", times=None))
    other = org.add("Contact", LastName="N", Email="other@example.fr")
    syncd.receive(*(payload("unsubscribe", whId=who) for who in (contact, other, lead)))
    said = syncd.run()
    assert (said.ended, said.failed, len(said.troubles), dict(said.changes)) == ("done", 2, 1, {"done": 1})
    assert len([c for c in org.calls if c.path.endswith("Contact")]) == 2  # described anew once


def test_a_task_that_is_refused_as_a_whole_is_fatal_and_kept(syncd: Syncd, org: Org, contact: str) -> None:
    syncd.receive(payload("open", 0, "s", whId=contact))
    org.faults.add(Fault(**CREATE, status=400, code="INVALID_FIELD", times=1))
    assert (syncd.run().ended, syncd.changes()) == ("fatal", [("activity", "superseded")])
    syncd.later(minutes=3)
    syncd.run()
    org.faults.add(Fault(**UPDATE, status=400, code="INVALID_FIELD", times=1))
    syncd.receive(payload("open", 0.1, "s", whId=contact))
    assert syncd.run().ended == "fatal"
    syncd.later(minutes=3)
    syncd.run()
    assert [task["Description"].splitlines()[0] for task in org.all("Task")] == ["Opened 2 times, not clicked"]


PAGE = "<html>" + "<p>Access denied by the edge, jeanne.durand@example.fr</p>" * 2_200 + "</html>"  # 120 kB


@pytest.mark.parametrize("status", [200, 403, 503])
@pytest.mark.parametrize("path", ["describe", "composite/sobjects/Contact", "TaskStatus|query", "composite/sobjects$"])
def test_a_page_of_somebody_in_between_is_no_answer_and_is_kept_nowhere(
    syncd: Syncd, org: Org, contact: str, path: str, status: int, capsys: pytest.CaptureFixture[str]
) -> None:
    org.faults.add(Fault(path=path, status=status, body=PAGE, times=1))
    syncd.receive(payload("open", whId=contact))
    said = syncd.run()
    assert said.ended == "unavailable"
    assert "Access denied" not in json.dumps(said.as_dict()) + str(syncd.desk.changes()) + capsys.readouterr().err
    syncd.later(minutes=15)
    syncd.run()
    assert len(org.all("Task")) == 1


@pytest.mark.parametrize("body", ["{}", "null", "3", '[{"id": 3}]', '{"records": 1}'])
@pytest.mark.parametrize("path", ["describe", "composite/sobjects/Contact", "query$", "composite/sobjects$"])
def test_an_answer_of_another_shape_is_no_answer(syncd: Syncd, org: Org, contact: str, path: str, body: str) -> None:
    org.faults.add(Fault(path=path, status=200, body=body, content_type="application/json", times=1))
    syncd.receive(payload("open", whId=contact))
    said = syncd.run()
    assert (said.ended, said.code) == ("unavailable", "unreadable_answer")
    syncd.later(minutes=15)
    syncd.run()
    assert len(org.all("Task")) == 1


def test_a_redirect_is_not_followed(syncd: Syncd, org: Org, contact: str) -> None:
    org.faults.add(Fault(path="describe", status=302, body="", times=1))
    syncd.receive(payload("open", whId=contact))
    assert (syncd.run().ended, org.calls[-1].path[-8:]) == ("unavailable", "describe")


@pytest.mark.parametrize("when", ["before", "after"])
def test_an_uncertain_update_is_settled_by_reading(syncd: Syncd, org: Org, contact: str, when: Any) -> None:
    org.faults.add(Fault(**UPDATE, status=503, code="SERVER_UNAVAILABLE", when=when, times=1))
    syncd.receive(payload("hard_bounce", whId=contact))
    said = syncd.run()
    assert (said.ended, said.code, dict(said.changes)) == ("unavailable", "SERVER_UNAVAILABLE", {"uncertain": 1})
    syncd.later(minutes=5)
    syncd.run()
    assert reason(org, contact) == "550 5.1.1 user unknown"
    states = [state for _, state in syncd.changes()]
    assert states == (["done"] if when == "after" else ["superseded", "done"])


@pytest.mark.parametrize(
    "fault",
    [
        {"status": 503, "code": "SERVER_UNAVAILABLE"},
        {"status": 500, "code": "UNKNOWN_EXCEPTION"},
        {"status": 502, "body": "<html>Bad Gateway</html>", "content_type": "text/html"},
        {"status": 200, "body": '[{"id": "00T'},
        {"status": 200, "body": ""},
        {"status": 200, "body": "[]"},
        {"reset": True},
    ],
    ids=["503", "500", "html", "cut off", "empty", "no rows", "reset"],
)
@pytest.mark.parametrize("when", ["before", "after"])
def test_a_task_of_unknown_fate_is_looked_up_before_it_is_made_again(
    syncd: Syncd, org: Org, contact: str, when: Any, fault: dict[str, Any]
) -> None:
    org.faults.add(Fault(**CREATE, **fault, when=when, times=1))
    syncd.receive(payload("open", 0, "s", whId=contact))
    said = syncd.run()
    assert (said.ended, dict(said.changes)) == ("unavailable", {"uncertain": 1})
    syncd.later(minutes=5)
    calls = org.calls_count()
    syncd.run()  # Salesforce may still commit
    assert not [call for call in org.calls[calls:] if "queryAll" in call.path or call.writing]
    syncd.later(minutes=6)
    syncd.run()
    syncd.run()
    assert len(org.all("Task")) == 1
    assert syncd.changes()[-1] == ("activity", "done")
    syncd.receive(payload("open", 0.1, "s", whId=contact))
    syncd.run()
    assert [task["Description"].splitlines()[0] for task in org.all("Task")] == ["Opened 2 times, not clicked"]


def test_a_task_of_unknown_fate_that_a_person_deleted_is_not_made_again(syncd: Syncd, org: Org, contact: str) -> None:
    org.faults.add(Fault(**CREATE, status=503, when="after", times=1))
    syncd.receive(payload("open", 0, "s", whId=contact))
    syncd.run()
    org.delete(org.all("Task")[0]["Id"])
    syncd.later(minutes=11)
    syncd.receive(payload("open", 0.1, "s", whId=contact))
    syncd.run()
    assert org.all("Task") == []


def test_what_was_not_sent_yet_when_a_call_failed_is_planned_again(syncd: Syncd, org: Org, contact: str) -> None:
    others = [org.add("Contact", LastName=f"N{i}", Email=f"n{i}@example.fr") for i in range(250)]
    org.faults.add(Fault(**CREATE, status=503, when="before", times=1))
    syncd.receive(*(payload("open", whId=sf_id, email=f"n{i}@example.fr") for i, sf_id in enumerate(others)))
    assert syncd.run().changes == {"uncertain": 200}
    syncd.later(minutes=12)
    syncd.run()
    assert len(org.all("Task")) == 250


@pytest.mark.parametrize("when", ["read", "write"])
def test_salesforce_out_of_reach_loses_nothing(
    syncd: Syncd, org: Org, sandbox: Sandbox, contact: str, when: str
) -> None:
    syncd.receive(payload("open", 0, "s", whId=contact))
    if when == "write":
        org.faults.add(Fault(**CREATE, status=403, code="REQUEST_LIMIT_EXCEEDED", message="TotalRequests", times=1))
        assert syncd.run().code == "REQUEST_LIMIT_EXCEEDED"
    else:
        sandbox.stop()
        said = syncd.run()
        assert (said.ended, said.code) == ("unavailable", "unreachable")
        assert "jeanne" not in said.words
        sandbox.start()
    syncd.later(minutes=5)
    syncd.run()
    assert len(org.all("Task")) == 1


def test_a_refused_login_is_fatal_and_everything_is_kept(syncd: Syncd, org: Org, contact: str) -> None:
    org.revoke_logins()
    syncd.receive(payload("hard_bounce", whId=contact))
    said = syncd.run()
    assert (said.ended, said.code) == ("fatal", "invalid_grant")
    assert said.words.startswith("user hasn't approved this consumer")
    org.allow_logins()
    syncd.later(hours=2)
    syncd.run()
    assert reason(org, contact) == "550 5.1.1 user unknown"


def test_a_call_that_salesforce_refuses_for_good_is_fatal(syncd: Syncd, org: Org, contact: str) -> None:
    org.faults.add(Fault(**CREATE, status=403, code="API_DISABLED_FOR_ORG", times=1))
    syncd.receive(payload("open", whId=contact))
    said = syncd.run()
    assert (said.ended, said.code, dict(said.changes)) == ("fatal", "API_DISABLED_FOR_ORG", {"superseded": 1})


def test_a_session_that_expires_in_the_middle_is_renewed(syncd: Syncd, org: Org, contact: str) -> None:
    syncd.receive(payload("hard_bounce", whId=contact))
    syncd.run()
    org.expire_sessions()
    syncd.receive(payload("delivered", 1, whId=contact))
    assert syncd.run().ended == "done"
    assert reason(org, contact) is None


def test_a_given_session_that_expires_is_fatal_and_says_what_to_do(
    configured: Callable[..., Settings], org: Org, sandbox: Sandbox, contact: str
) -> None:
    settings = configured(salesforce={"auth": "session", "instance_url": sandbox.url})
    secret = settings.secrets_dir / "salesforce_session_id"
    secret.touch(mode=0o600)
    secret.write_text(sandbox.session_id())
    syncd = Syncd(settings, Crm(settings))
    try:
        syncd.receive(payload("hard_bounce", whId=contact))
        assert syncd.run().ended == "done"
        org.expire_sessions()
        syncd.receive(payload("delivered", 1, whId=contact))
        said = syncd.run()
        assert (said.ended, said.code) == ("fatal", "INVALID_SESSION_ID")
        assert "salesforce_session_id" in said.words
    finally:
        syncd.db.close()
        syncd.crm.session.close()


def test_a_task_of_unknown_fate_is_not_forgotten_when_another_recipient_appears(
    syncd: Syncd, org: Org, contact: str
) -> None:
    org.faults.add(Fault(**CREATE, status=503, when="before", times=1))
    syncd.receive(payload("open", 0, "s", whId=contact))
    syncd.run()
    syncd.receive(payload("unsubscribe", 1, whId=contact, email="old@example.fr"))
    syncd.later(minutes=3)
    syncd.run()
    syncd.later(minutes=9)
    syncd.run()
    syncd.later(minutes=9)
    syncd.run()
    assert len(org.all("Task")) == 1


def test_looking_ahead_leaves_an_uncertain_change_due(syncd: Syncd, org: Org, contact: str) -> None:
    org.faults.add(Fault(**UPDATE, status=503, when="after", times=1))
    syncd.receive(payload("hard_bounce", whId=contact))
    syncd.run()
    syncd.later(minutes=5)
    syncd.run(write=False)
    syncd.run()
    assert syncd.changes() == [("mark", "done")]


def test_a_key_that_cannot_be_read_is_fatal_and_keeps_everything(syncd: Syncd, org: Org, contact: str) -> None:
    key = syncd.settings.secrets_dir / "salesforce_private_key"
    good = key.read_text()
    key.write_text("no key")
    syncd.receive(payload("hard_bounce", whId=contact))
    said = syncd.run()
    assert (said.ended, said.code) == ("fatal", "configuration")
    key.write_text(good)
    syncd.later(hours=2)
    assert syncd.run().changes == {"done": 1}


def test_a_field_that_is_closed_between_two_runs_costs_nobody_a_mark(syncd: Syncd, org: Org, contact: str) -> None:
    """It can still be read, so only the refusal tells; what was described is kept for an hour."""
    syncd.receive(payload("unsubscribe", whId=contact))
    syncd.run()
    org.read_only("Contact", "EmailBouncedReason")
    syncd.receive(payload("hard_bounce", 1, whId=contact))
    assert syncd.run().changes == {"superseded": 1}
    syncd.later(minutes=2)
    assert syncd.run().changes == {"done": 1}
    assert org.get(contact)["EmailBouncedDate"]


def test_a_field_that_is_refused_though_it_is_described_as_open_is_rejected(
    syncd: Syncd, org: Org, contact: str
) -> None:
    org.faults.add(Fault(**UPDATE, row_code="INVALID_FIELD_FOR_INSERT_UPDATE", times=2))
    syncd.receive(payload("hard_bounce", whId=contact))
    assert syncd.run().changes == {"superseded": 1}
    syncd.later(minutes=2)
    assert syncd.run().changes == {"rejected": 1}


MOVED = {"status": 400, "code": "URL_NOT_RESET", "message": "Destination URL not reset"}


@pytest.mark.parametrize("answer", [MOVED, {"status": 302, "body": ""}, {"status": 420, "body": ""}])
def test_an_org_that_has_moved_is_found_again_by_logging_in(
    syncd: Syncd, org: Org, contact: str, answer: dict[str, Any]
) -> None:
    """A session lives for hours, and every call of it would go to where the org was."""
    org.faults.add(Fault(**UPDATE, **answer, times=1))
    syncd.receive(payload("hard_bounce", whId=contact))
    said = syncd.run()
    assert (said.ended, dict(said.changes)) == ("unavailable", {"superseded": 1})
    syncd.later(minutes=2)
    assert syncd.run().changes == {"done": 1}
    assert sum(call.path.endswith("/oauth2/token") for call in org.calls) == 2


# --- a whole call -------------------------------------------------------------------------------------------------
