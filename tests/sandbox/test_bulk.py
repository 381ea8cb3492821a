"""Bulk API 2.0 ingest: what a job does with its lines, and when, and what it says of them."""

import csv
import gzip
import io
import math
from datetime import UTC, datetime, timedelta
from typing import Any

import pytest

from syncd.sandbox import Fault, Org
from tests.sandbox.conftest import VERSION, Api

UPDATE = {"object": "Contact", "operation": "update", "contentType": "CSV", "lineEnding": "LF"}


class Hands:
    """A clock that only a test moves."""

    def __init__(self) -> None:
        self.at = datetime(2026, 11, 24, 10, tzinfo=UTC)

    def __call__(self) -> datetime:
        return self.at

    def later(self, seconds: float) -> None:
        self.at += timedelta(seconds=seconds)


@pytest.fixture
def hands() -> Hands:
    return Hands()


@pytest.fixture
def org(hands: Hands) -> Org:
    return Org(clock=hands)


def opened(api: Api, **sent: object) -> str:
    return str(api.call("POST", "jobs/ingest", json=UPDATE | sent)["id"])


def upload(api: Api, job: str, text: str, expect: int = 201, *, encoding: str = "", kind: str = "text/csv") -> Any:
    data = gzip.compress(text.encode()) if encoding else text.encode()
    headers = {"Content-Type": kind, "Content-Encoding": encoding}
    return api.call("PUT", f"jobs/ingest/{job}/batches", expect, data=data, headers=headers)


def closed(api: Api, job: str, state: str = "UploadComplete", expect: int = 200) -> Any:
    return api.call("PATCH", f"jobs/ingest/{job}", expect, json={"state": state})


def begun(api: Api, text: str, **sent: object) -> str:
    job = opened(api, **sent)
    upload(api, job, text)
    closed(api, job)
    return job


def info(api: Api, job: str) -> Any:
    return api.call("GET", f"jobs/ingest/{job}")


def results(api: Api, job: str, which: str, expect: int = 200) -> str:
    answer = api.get(f"{api.base}jobs/ingest/{job}/{which}", timeout=10)
    assert answer.status_code == expect, answer.text
    return answer.text


def table(text: str) -> list[dict[str, str]]:
    return list(csv.DictReader(io.StringIO(text)))


def test_a_job_updates_what_it_was_given(api: Api, org: Org, contact: str) -> None:
    made = api.call("POST", "jobs/ingest", json=UPDATE)
    assert (made["state"], made["apiVersion"]) == ("Open", 66.0)
    assert made["contentUrl"] == f"services/data/{VERSION}/jobs/ingest/{made['id']}/batches"
    upload(api, made["id"], f'Id,Title\n{contact},"Chef\nde projet, ""A"""\n')
    answer = closed(api, made["id"])
    assert answer["state"] == "UploadComplete"
    assert not {"jobType", "contentUrl", "numberRecordsProcessed"} & answer.keys()
    told = info(api, made["id"])
    assert (told["state"], told["numberRecordsProcessed"], told["numberRecordsFailed"]) == ("JobComplete", 1, 0)
    assert told["jobType"] == "V2Ingest"
    assert org.get(contact)["Title"] == 'Chef\nde projet, "A"'
    text = results(api, made["id"], "successfulResults")
    assert text.startswith(f'"sf__Id","sf__Created",Id,Title\n"{contact}","false",')
    assert table(text)[0]["Title"] == 'Chef\nde projet, "A"'
    assert results(api, made["id"], "failedResults") == '"sf__Id","sf__Error",Id,Title\n'
    assert results(api, made["id"], "unprocessedrecords") == "Id,Title\n"
    assert [job["id"] for job in api.call("GET", "jobs/ingest")["records"]] == [made["id"]]


def test_a_refused_row_is_told_with_its_code_and_field(api: Api, org: Org, contact: str) -> None:
    gone = "003xx000004TmiQAAS"
    job = begun(api, f"Id,Email\n{contact},nobody\n{gone},a@b.fr\n")
    told = info(api, job)
    assert (told["state"], told["numberRecordsProcessed"], told["numberRecordsFailed"]) == ("JobComplete", 2, 2)
    errors = {row["Id"]: (row["sf__Id"], row["sf__Error"]) for row in table(results(api, job, "failedResults"))}
    invalid = "INVALID_EMAIL_ADDRESS:Email: invalid email address: nobody:Email --"
    assert errors == {
        contact: (contact, invalid),
        gone: ("", "INVALID_CROSS_REFERENCE_KEY:invalid cross reference id:--"),
    }


def test_an_empty_value_leaves_a_field_alone_and_a_special_word_empties_it(api: Api, org: Org, contact: str) -> None:
    org.edit(contact, Title="Chef", EmailBouncedReason="550")
    begun(api, f"Id,Title,EmailBouncedReason,HasOptedOutOfEmail\n{contact},,#N/A,1\n")
    kept = org.get(contact)
    assert (kept["Title"], kept["EmailBouncedReason"], kept["HasOptedOutOfEmail"]) == ("Chef", None, True)


def test_tasks_are_inserted_and_upserted(api: Api, org: Org, contact: str) -> None:
    org.add_field("Task", "key__c", external_id=True, unique=True)
    head = "WhoId,Subject,Status,ActivityDate,key__c"
    begun(api, f"{head}\n{contact},Opened,Completed,2026-11-20,a\n", object="Task", operation="insert")
    rows = f"{head}\n{contact},Clicked,Completed,2026-11-21,a\n{contact},Opened,Completed,2026-11-22,b\n"
    job = begun(api, rows, object="Task", operation="upsert", externalIdFieldName="key__c")
    made = {row["key__c"]: row["sf__Created"] for row in table(results(api, job, "successfulResults"))}
    assert made == {"a": "false", "b": "true"}
    assert [task["Subject"] for task in org.all("Task")] == ["Clicked", "Opened"]
    assert info(api, job)["externalIdFieldName"] == "key__c"


def test_a_job_takes_its_time_and_works_in_batches(api: Api, org: Org, hands: Hands) -> None:
    people = [org.add("Contact", LastName=str(number)) for number in range(10)]
    org.jobs.takes, org.jobs.batch = 60, 2
    job = begun(api, "Id,Title\n" + "".join(f"{one},x\n" for one in people))
    states = []
    for _ in range(4):
        told = info(api, job)
        states.append(
            (told["state"], told["numberRecordsProcessed"], sum(row["Title"] == "x" for row in org.all("Contact")))
        )
        hands.later(20)
    assert states == [("UploadComplete", 0, 0), ("InProgress", 2, 2), ("InProgress", 6, 6), ("JobComplete", 10, 10)]


def test_an_aborted_job_keeps_what_it_has_done(api: Api, org: Org, hands: Hands) -> None:
    people = [org.add("Contact", LastName=str(number)) for number in range(4)]
    org.jobs.takes, org.jobs.batch = 60, 1
    job = begun(api, "Id,Title\n" + "".join(f"{one},x\n" for one in people))
    assert results(api, job, "successfulResults", 400).startswith('[{"message"')
    hands.later(30)
    assert closed(api, job, "Aborted")["state"] == "Aborted"
    assert {row["Id"] for row in table(results(api, job, "successfulResults"))} == set(people[:2])
    assert [row["Id"] for row in table(results(api, job, "unprocessedrecords"))] == people[2:]
    (refused,) = closed(api, job, "Aborted", 400)
    assert refused["errorCode"] == "INVALIDJOBSTATE"
    api.call("DELETE", f"jobs/ingest/{job}", 204)
    assert api.call("GET", f"jobs/ingest/{job}", 404)[0]["errorCode"] == "NOT_FOUND"


def test_an_abandoned_job_does_nothing(api: Api, org: Org, contact: str) -> None:
    org.jobs.takes = math.inf
    open_one, closed_one = opened(api), begun(api, f"Id,Title\n{contact},x\n")
    assert [info(api, job)["state"] for job in (open_one, closed_one)] == ["Open", "UploadComplete"]
    assert org.get(contact)["Title"] is None
    assert "contentUrl" in info(api, open_one)
    api.call("DELETE", f"jobs/ingest/{open_one}", 400)


@pytest.mark.parametrize(
    ("text", "told"),
    [
        ("Id,Nope__c\n003,x\n", "InvalidBatch : Field name not found : Nope__c"),
        ("\ufeffId,Title\n003,x\n", "InvalidBatch : Field name not found : \ufeffId"),
        ("Id,Title\r\n003,x\r\n", "LineEnding is invalid on user data. Current LineEnding setting is LF"),
        ("", "InvalidBatch : Field name not found : "),
    ],
)
def test_a_header_that_can_not_be_fails_the_job(api: Api, text: str, told: str) -> None:
    job = begun(api, text)
    answer = info(api, job)
    assert (answer["state"], answer["errorMessage"], answer["numberRecordsFailed"]) == ("Failed", told, 0)


def test_a_job_that_fails_leaves_all_lines_unprocessed(api: Api, org: Org, contact: str) -> None:
    org.faults.add(Fault(path="jobs/ingest/", method="PATCH", job_error="InternalServerError : Internal error"))
    job = begun(api, f"Id,Title\n{contact},x\n")
    assert (info(api, job)["state"], org.get(contact)["Title"]) == ("Failed", None)
    assert [row["Id"] for row in table(results(api, job, "unprocessedrecords"))] == [contact]


def test_faults_reach_jobs(api: Api, org: Org, contact: str) -> None:
    org.faults.add(Fault(path="jobs/ingest/", method="PATCH", row_code="UNABLE_TO_LOCK_ROW", row_message="locked"))
    job = begun(api, f"Id,Title\n{contact},x\n")
    assert table(results(api, job, "failedResults"))[0]["sf__Error"] == "UNABLE_TO_LOCK_ROW:locked:--"
    org.faults.add(Fault(path="jobs/ingest$", method="POST", when="after", status=503))
    api.call("POST", "jobs/ingest", 503, json=UPDATE)
    assert len(api.call("GET", "jobs/ingest")["records"]) == 2


def test_uploads_may_be_gzipped_and_come_once(api: Api, org: Org, contact: str) -> None:
    job, text = opened(api), f"Id,Title\n{contact},x\n"
    assert closed(api, job, expect=400)[0]["errorCode"] == "INVALIDJOBSTATE"
    upload(api, job, text, encoding="gzip")
    assert upload(api, job, text, 400)[0]["errorCode"] == "INVALIDJOBSTATE"
    closed(api, job)
    assert closed(api, job, expect=400)[0]["errorCode"] == "INVALIDJOBSTATE"
    assert closed(api, job, "Odd", 400)[0]["errorCode"] == "API_ERROR"
    assert org.get(contact)["Title"] == "x"
    upload(api, opened(api), text, 415, kind="application/json")
    api.call("PUT", f"jobs/ingest/{opened(api)}/batches", 400, data=b"\xff", headers={"Content-Type": "text/csv"})


@pytest.mark.parametrize(
    ("sent", "code"),
    [
        ({"object": "Shoe"}, "INVALIDENTITY"),
        ({"operation": "paint"}, "API_ERROR"),
        ({"contentType": "JSON"}, "API_ERROR"),
        ({"operation": "upsert"}, "INVALIDJOB"),
    ],
)
def test_a_job_that_can_not_be_is_refused(api: Api, sent: dict[str, str], code: str) -> None:
    assert api.call("POST", "jobs/ingest", 400, json=UPDATE | sent)[0]["errorCode"] == code


def test_a_result_without_rows_may_have_no_content(api: Api, org: Org, contact: str) -> None:
    org.jobs.no_content_for_nothing = True
    job = begun(api, f"Id\n{contact}\n", operation="delete")
    assert results(api, job, "failedResults", 204) == ""
    assert org.get(contact)["IsDeleted"] is True


def test_assignment_rules_run_only_if_the_job_names_one(api: Api, org: Org, lead: str) -> None:
    org.assignment_rule("Lead", org.integration_user)
    begun(api, f"Id,Title\n{lead},x\n", object="Lead")
    assert org.get(lead)["OwnerId"] == org.person
    begun(api, f"Id,Title\n{lead},y\n", object="Lead", assignmentRuleId="01Qxx0000000001AAA")
    assert org.get(lead)["OwnerId"] == org.integration_user


def test_the_calls_that_are_left_are_told_and_end(api: Api, org: Org) -> None:
    org.daily_limit = 3
    left = api.call("GET", "limits")
    assert left["DailyApiRequests"] == {"Max": 3, "Remaining": 2}
    assert left["DailyBulkApiBatches"]["Max"] == 15_000
    api.call("GET", "limits")
    api.call("GET", "limits")
    answer = api.get(f"{api.base}limits", timeout=10)
    assert answer.json() == [{"message": "TotalRequests Limit exceeded.", "errorCode": "REQUEST_LIMIT_EXCEEDED"}]
    assert (answer.status_code, "Sforce-Limit-Info" in answer.headers) == (403, False)


def test_the_usage_told_may_go_back(api: Api, org: Org) -> None:
    org.api_usage, org.usage_wobbles = 1_000, True
    said = [api.get(f"{api.base}limits", timeout=10).headers["Sforce-Limit-Info"] for _ in range(20)]
    numbers = [int(one.removeprefix("api-usage=").partition("/")[0]) for one in said]
    assert numbers != sorted(numbers)
    assert all(990 < number <= 1_020 for number in numbers)
