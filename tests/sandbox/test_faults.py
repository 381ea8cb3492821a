import threading
from typing import Any

import pytest
import requests

from syncd.sandbox import Fault, Org
from tests.sandbox.conftest import Api


def mark(api: Api, contact: str, title: str = "x") -> requests.Response:
    records = [{"attributes": {"type": "Contact"}, "id": contact, "Title": title}]
    return api.patch(f"{api.base}composite/sobjects", json={"records": records}, timeout=10)


def test_an_error_before_the_work_leaves_it_undone(api: Api, org: Org, contact: str) -> None:
    org.faults.add(Fault(path="composite/sobjects", method="PATCH", status=503, message="Down for maintenance"))
    answer = mark(api, contact)
    assert answer.status_code == 503
    assert answer.json() == [{"message": "Down for maintenance", "errorCode": "SERVER_UNAVAILABLE"}]
    assert org.get(contact)["Title"] is None
    assert mark(api, contact).status_code == 200
    assert [(call.status, call.writing) for call in org.calls] == [(503, True), (200, True)]


def test_an_error_after_the_work_hides_that_it_is_done(api: Api, org: Org, contact: str) -> None:
    org.faults.add(Fault(path="composite", when="after", status=500, code="UNKNOWN_EXCEPTION"))
    answer = mark(api, contact)
    assert (answer.status_code, answer.json()[0]["errorCode"]) == (500, "UNKNOWN_EXCEPTION")
    assert org.get(contact)["Title"] == "x"


@pytest.mark.parametrize("body", ["<html>503</html>", '[{"id": "003', ""])
def test_any_bytes_may_be_the_answer(api: Api, org: Org, contact: str, body: str) -> None:
    org.faults.add(Fault(path="composite", body=body, status=200, content_type="text/html"))
    answer = mark(api, contact)
    assert (answer.status_code, answer.text, answer.headers["Content-Type"]) == (200, body, "text/html")


@pytest.mark.parametrize(("when", "title"), [("before", None), ("after", "x")])
def test_a_cut_connection_gives_no_answer(api: Api, org: Org, contact: str, when: str, title: str | None) -> None:
    org.faults.add(Fault(path="composite", when=when, reset=True))
    with pytest.raises(requests.ConnectionError):
        mark(api, contact)
    assert org.get(contact)["Title"] == title
    assert org.calls[-1].status == 0
    assert mark(api, contact, "y").status_code == 200


@pytest.mark.parametrize(("when", "title"), [("before", None), ("after", "x"), ("late", None)])
def test_a_held_answer_makes_the_client_time_out(
    api: Api, org: Org, contact: str, when: str, title: str | None
) -> None:
    release = threading.Event()
    fault = org.faults.add(Fault(path="composite", when=when, hold=release))
    records = [{"attributes": {"type": "Contact"}, "id": contact, "Title": "x"}]
    with pytest.raises(requests.ReadTimeout):
        api.patch(f"{api.base}composite/sobjects", json={"records": records}, timeout=0.2)
    assert fault.fired == 1
    assert org.get(contact)["Title"] == title
    release.set()


def test_late_work_is_done_when_the_wait_is_over(api: Api, org: Org, contact: str) -> None:
    release = threading.Event()
    org.faults.add(Fault(path="composite", when="late", hold=release))
    release.set()
    assert mark(api, contact).status_code == 200
    assert org.get(contact)["Title"] == "x"


def test_a_wait_before_an_error_is_a_slow_error(api: Api, org: Org, contact: str) -> None:
    org.faults.add(Fault(path="composite", hold=0.01, status=504))
    assert mark(api, contact).status_code == 504
    org.faults.add(Fault(path="composite", hold=0.01))
    assert mark(api, contact).status_code == 503


@pytest.mark.parametrize("by_id", [True, False])
def test_single_rows_are_refused_and_not_committed(api: Api, org: Org, contact: str, by_id: bool) -> None:
    other = org.add("Contact", LastName="Other")
    row: Any = f"^{other}$" if by_id else [1]
    org.faults.add(Fault(path="composite", row_code="UNABLE_TO_LOCK_ROW", row_message="unable to lock row", row=row))
    first, second = api.update("Contact", {"id": contact, "Title": "x"}, {"id": other, "Title": "x"})
    assert first["success"] is True
    assert second["errors"] == [{"statusCode": "UNABLE_TO_LOCK_ROW", "message": "unable to lock row", "fields": []}]
    assert (org.get(contact)["Title"], org.get(other)["Title"]) == ("x", None)


def test_every_row_is_refused_without_a_choice(api: Api, org: Org, contact: str) -> None:
    org.add_field("Contact", "key__c", external_id=True, unique=True)
    org.faults.add(Fault(path="composite", row_code="STORAGE_LIMIT_EXCEEDED", times=None))
    (created,) = api.create("Contact", {"LastName": "New"})
    (updated,) = api.update("Contact", {"id": contact, "Title": "x"})
    records = [{"attributes": {"type": "Contact"}, "key__c": "a", "LastName": "New"}]
    (upserted,) = api.call("PATCH", "composite/sobjects/Contact/key__c", json={"records": records})
    (deleted,) = api.call("DELETE", "composite/sobjects", params={"ids": contact})
    assert {row["errors"][0]["statusCode"] for row in (created, updated, upserted, deleted)} == {
        "STORAGE_LIMIT_EXCEEDED"
    }
    assert len(org.all("Contact")) == 1


def test_an_external_id_chooses_the_row_of_an_upsert(api: Api, org: Org) -> None:
    org.add_field("Task", "key__c", external_id=True, unique=True)
    org.faults.add(Fault(path="key__c", row_code="UNABLE_TO_LOCK_ROW", row="^b$"))
    records = [{"attributes": {"type": "Task"}, "key__c": key} for key in ("a", "b")]
    answer = api.call("PATCH", "composite/sobjects/Task/key__c", json={"records": records})
    assert [row["success"] for row in answer] == [True, False]


def test_faults_wait_for_their_turn(api: Api, org: Org, contact: str) -> None:
    org.faults.add(Fault(path="composite", skip=1, times=2, status=503))
    assert [mark(api, contact).status_code for _ in range(4)] == [200, 503, 503, 200]


def test_chance_is_the_same_every_time(contact: str) -> None:
    def sequence() -> list[bool]:
        org = Org(seed=7)
        org.faults.add(Fault(chance=0.5, times=None, status=503))
        return [org.faults.meet("GET", "/services/data/") is not None for _ in range(40)]

    first = sequence()
    assert first == sequence()
    assert 10 < sum(first) < 30


def test_one_call_meets_one_fault(api: Api, org: Org, contact: str) -> None:
    org.faults.add(Fault(path="composite", status=500))
    org.faults.add(Fault(path="composite", status=503))
    assert [mark(api, contact).status_code for _ in range(3)] == [500, 503, 200]


def test_a_login_can_fail_like_any_call(stranger: Api, org: Org) -> None:
    org.faults.add(Fault(path="oauth2/token", body="<html>maintenance</html>", status=503))
    answer = stranger.post(f"{stranger.url}/services/oauth2/token", data={}, timeout=10)
    assert (answer.status_code, answer.text) == (503, "<html>maintenance</html>")


def test_faults_are_ordered_and_ended_over_http(api: Api, org: Org, contact: str) -> None:
    url = f"{api.url}/sandbox/faults"
    assert api.post(url, json={"path": "composite", "status": 503, "times": None}, timeout=10).status_code == 201
    assert mark(api, contact).status_code == 503
    assert api.delete(url, timeout=10).status_code == 204
    assert mark(api, contact).status_code == 200
    assert len(org.calls) == 2


@pytest.mark.parametrize(
    ("given", "told"),
    [
        ({"path": "x"}, "a fault needs one of"),
        ({"path": "(", "status": 503}, "not a regular expression"),
        ({"status": 503, "colour": "red"}, "unknown key colour"),
        ({"status": 503, "when": "never"}, "when is one of"),
        ({"status": 503, "when": "late"}, "late goes with hold"),
        ({"hold": "long"}, "hold can't be 'long'"),
        (["status"], "JSON object"),
    ],
)
def test_a_fault_that_makes_no_sense_is_refused(api: Api, org: Org, given: object, told: str) -> None:
    answer = api.post(f"{api.url}/sandbox/faults", json=given, timeout=10)
    assert answer.status_code == 400
    assert told in answer.json()["error"]
    assert list(org.faults) == []
