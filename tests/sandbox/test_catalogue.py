"""Faults by name: each can be ordered as a person would write it, and each does what its line says."""

import json
import re
from typing import Any

import pytest
import requests

from syncd.sandbox import KINDS, Org, parse
from tests.sandbox.conftest import Api


def mark(api: Api, contact: str, title: str = "x", timeout: float = 10) -> requests.Response:
    records = [{"attributes": {"type": "Contact"}, "id": contact, "Title": title}]
    return api.patch(f"{api.base}composite/sobjects", json={"records": records}, timeout=timeout)


def test_there_are_at_least_25_kinds_and_each_can_be_ordered() -> None:
    assert len(KINDS) >= 25
    for name, kind in KINDS.items():
        fault = parse(f"{name}@10%")
        assert (fault.row_share if kind.of_rows else fault.chance) == 0.1
        assert fault.times is None


def test_a_spec_says_how_often_how_long_and_where() -> None:
    fault = parse("slow=0.5s@50% x3 on /query$")
    assert (fault.hold, fault.chance, fault.times, fault.path) == (0.5, 0.5, 3, "/query$")
    assert parse("503-before").chance is None
    assert parse("503-before") is not parse("503-before")


@pytest.mark.parametrize(
    ("spec", "told"),
    [
        ("503", "`list` shows the kinds"),
        ("", "`list` shows the kinds"),
        ("503-after@200%", "at most 100 %"),
        ("503-after@0%", "more than 0 %"),
        ("503-after=3s", "takes no seconds"),
        ("503-after on (", "not a regular expression"),
    ],
)
def test_a_spec_that_makes_no_sense_is_refused(spec: str, told: str) -> None:
    with pytest.raises(ValueError, match=re.escape(told)):
        parse(spec)


# kind: (status, title that is stored)
WHOLE_CALLS = {
    "503-before": (503, None),
    "503-after": (503, "x"),
    "500-before": (500, None),
    "500-after": (500, "x"),
    "502-html": (502, None),
    "503-html": (503, None),
    "503-cdn": (503, None),
    "420-no-route": (420, None),
    "429-retry-after": (429, None),
    "empty-answer": (200, "x"),
    "half-answer": (200, "x"),
    "wrong-answer": (200, "x"),
    "html-answer": (200, None),
    "fewer-rows": (200, "x"),
    "session-expired": (401, None),
    "session-ends": (200, "x"),
    "limit-total": (403, None),
    "limit-concurrent": (403, None),
    "lock-call": (400, None),
    "lock-batch": (200, None),
    "lock-row": (200, None),
    "entity-locked": (200, None),
    "row-unknown": (200, None),
    "apex-busy": (200, None),
}


@pytest.mark.parametrize("kind", WHOLE_CALLS)
def test_a_write_meets_it(api: Api, org: Org, contact: str, kind: str) -> None:
    org.faults.add(parse(f"{kind} x1"))
    answer = mark(api, contact)
    assert (answer.status_code, org.get(contact)["Title"]) == WHOLE_CALLS[kind]
    assert mark(api, contact).status_code == (401 if kind.startswith("session") else 200)


@pytest.mark.parametrize(("kind", "title"), [("reset-before", None), ("reset-after", "x")])
def test_a_connection_is_cut(api: Api, org: Org, contact: str, kind: str, title: str | None) -> None:
    org.faults.add(parse(f"{kind} x1"))
    with pytest.raises(requests.ConnectionError):
        mark(api, contact)
    assert org.get(contact)["Title"] == title


@pytest.mark.parametrize(("kind", "title"), [("timeout-before", None), ("timeout-after", "x"), ("timeout-late", None)])
def test_an_answer_does_not_come(api: Api, org: Org, contact: str, kind: str, title: str | None) -> None:
    org.faults.add(parse(f"{kind}=1s x1"))
    with pytest.raises(requests.ReadTimeout):
        mark(api, contact, timeout=0.2)
    assert org.get(contact)["Title"] == title


def test_answers_are_mangled_as_told(api: Api, org: Org, contact: str) -> None:
    def said(kind: str) -> str:
        org.faults.clear()
        org.faults.add(parse(kind))
        return mark(api, contact).text

    with pytest.raises(json.JSONDecodeError):
        json.loads(said("half-answer"))
    assert said("wrong-answer") == "{}"
    assert said("fewer-rows") == "[]"
    assert len(said("503-cdn")) > 120_000
    org.faults.clear()
    org.faults.add(parse("fewer-rows on /query"))
    assert api.query("SELECT Id FROM Contact") == {"totalSize": 1, "done": True, "records": []}


@pytest.mark.parametrize("kind", ["query-timeout", "414"])
def test_a_query_meets_it(api: Api, org: Org, kind: str) -> None:
    org.faults.add(parse(f"{kind} x1"))
    soql = {"q": "SELECT Id FROM Contact"}
    assert [api.get(f"{api.base}query", params=soql, timeout=10).status_code for _ in range(2)] == [
        414 if kind == "414" else 400,
        200,
    ]


def test_a_querys_second_page_gets_lost(api: Api, org: Org) -> None:
    org.page_size = 2
    for number in range(3):
        org.add("Contact", LastName=str(number))
    org.faults.add(parse("query-page-lost x1"))
    page = api.query("SELECT Id FROM Contact")["nextRecordsUrl"].split("/")[-1]
    assert api.call("GET", f"query/{page}", 400)[0]["errorCode"] == "INVALID_QUERY_LOCATOR"
    assert len(api.call("GET", f"query/{page}")["records"]) == 1


@pytest.mark.parametrize(("kind", "status"), [("login-503", 503), ("login-html", 200)])
def test_a_login_meets_it(stranger: Api, org: Org, kind: str, status: int) -> None:
    org.faults.add(parse(kind))
    answer = stranger.post(f"{stranger.url}/services/oauth2/token", data={}, timeout=10)
    assert (answer.status_code, answer.text[:6]) == (status, "<html>")


def test_a_full_storage_refuses_new_rows_only(api: Api, org: Org, contact: str) -> None:
    org.faults.add(parse("storage-full"))
    assert api.refusal("Task", {"WhoId": contact}, creating=True)[0] == "STORAGE_LIMIT_EXCEEDED"
    assert api.update("Contact", {"id": contact, "Title": "x"})[0]["success"]


def test_the_chance_of_a_row_kind_is_for_each_row(api: Api, org: Org) -> None:
    people = [{"id": org.add("Contact", LastName=str(number)), "Title": "x"} for number in range(200)]
    org.faults.add(parse("lock-row@10%"))
    refused = sum(not row["success"] for row in api.update("Contact", *people))
    assert 5 < refused < 40


@pytest.mark.parametrize(
    ("kind", "calls"),
    [
        ("bulk-create-lost", [503, 200, 201, 200, 200, 200]),
        ("bulk-close-lost", [200, 201, 503, 200, 200]),
        ("bulk-poll-503", [200, 201, 200, 503, 200]),
        ("bulk-results-503", [200, 201, 200, 200, 503]),
        ("bulk-job-failed", [200, 201, 200, 200, 200]),
        ("bulk-upload-reset", [200, 0, 200, 200, 200]),
    ],
)
def test_a_job_meets_it(api: Api, org: Org, contact: str, kind: str, calls: list[int]) -> None:
    org.faults.add(parse(f"{kind} x1"))

    def call(method: str, path: str = "", **more: Any) -> Any:
        try:
            answer = api.request(method, f"{api.base}jobs/ingest{path}", timeout=10, **more)
        except requests.ConnectionError:
            return {}
        return answer.json() if answer.content and answer.headers["Content-Type"].startswith("application/json") else {}

    sent = {"object": "Contact", "operation": "update"}
    made = call("POST", json=sent)
    job = f"/{made['id']}" if isinstance(made, dict) else f"/{call('POST', json=sent)['id']}"
    csv = {"Content-Type": "text/csv"}
    call("PUT", f"{job}/batches", data=f"Id,Title\n{contact},x\n".encode(), headers=csv)
    call("PATCH", job, json={"state": "UploadComplete"})
    told = call("GET", job)
    call("GET", f"{job}/successfulResults")
    assert [one.status for one in org.calls] == calls
    failed = kind == "bulk-job-failed"
    assert org.get(contact)["Title"] == (None if failed else "x")
    if failed:
        assert told["state"] == "Failed"


def test_kinds_are_ordered_and_listed_over_http(api: Api, org: Org, contact: str) -> None:
    url = f"{api.url}/sandbox/faults"
    assert api.post(url, data="503-after@100%", timeout=10).status_code == 201
    assert mark(api, contact).status_code == 503
    listed = api.get(url, timeout=10).json()
    assert listed["kinds"].keys() == KINDS.keys()
    assert listed["inForce"][0]["fired"] == 1
    assert api.post(url, data="nonsense", timeout=10).json()["error"].startswith("no fault 'nonsense'")
