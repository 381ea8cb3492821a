"""Many changes of a kind go as one job of the Bulk API, and a job outlives the run that made it."""

from __future__ import annotations

import math
from collections.abc import Callable, Iterator
from itertools import count
from typing import Any

import pytest

from syncd.config import Settings
from syncd.salesforce import Crm
from syncd.sandbox import Fault, Org
from syncd.store import COPIED_AT
from tests.conftest import Syncd
from tests.factories import payload

MANY = 30
FIELD = "Syncd_Token__c"


@pytest.fixture
def made(configured: Callable[..., Settings], org: Org) -> Iterator[Callable[..., Syncd]]:
    opened: list[Syncd] = []

    def make(**sections: dict[str, Any]) -> Syncd:
        own = {"salesforce": {"bulk_threshold": 10} | sections.pop("salesforce", {}), "brake": {"enabled": False}}
        settings = configured(**own, **sections)
        opened.append(Syncd(settings, Crm(settings)))
        return opened[-1]

    yield make
    for one in opened:
        one.db.close()
        one.crm.session.close()


@pytest.fixture
def syncd(made: Callable[..., Syncd]) -> Syncd:
    return made()


def people(org: Org, number: int = MANY) -> list[dict[str, Any]]:
    addresses = [f"n{i}@example.fr" for i in range(number)]
    return [{"whId": org.add("Contact", LastName="N", Email=a), "email": a} for a in addresses]


def called(org: Org) -> list[str]:
    """The calls of the Bulk API, in short."""
    return [f"{c.method} {c.path.partition('/ingest')[2][19:]}" for c in org.calls if "/jobs/" in c.path]


def test_a_job_whose_rows_a_trigger_refuses_together_is_followed_by_smaller_calls(syncd: Syncd, org: Org) -> None:
    """A job is saved 200 rows at a time: it would be refused again and again."""
    them = people(org)
    org.trigger("Contact", stumbles=them[7]["whId"])
    syncd.receive(*(payload("hard_bounce", **one) for one in them))
    said = syncd.run()
    assert said.changes == {"superseded": MANY}
    assert [trouble for trouble in said.troubles if "CANNOT_INSERT_UPDATE_ACTIVATE_ENTITY" in trouble]
    syncd.later(minutes=2)
    assert syncd.run().changes == {"done": MANY - 1, "rejected": 1}


def test_a_job_with_a_field_that_was_closed_meanwhile_costs_nobody_a_mark(syncd: Syncd, org: Org) -> None:
    them = people(org, 220)  # more than one part of the results
    syncd.receive(*(payload("unsubscribe", **one) for one in them[:1]))
    syncd.run()
    org.read_only("Contact", "EmailBouncedReason")
    syncd.receive(*(payload("hard_bounce", 1, **one) for one in them))
    assert syncd.run().changes == {"superseded": 220}
    syncd.later(minutes=2)
    assert syncd.run().changes == {"done": 220}


WHOLE = ["POST ", "PUT /batches", "PATCH ", "GET ", "GET /successfulResults"]


@pytest.mark.parametrize("field", ["", FIELD], ids=["insert", "upsert"])
def test_tasks_are_made_and_then_updated_by_a_job_each(made: Callable[..., Syncd], org: Org, field: str) -> None:
    if field:
        org.add_field("Task", FIELD, external_id=True, unique=True)
    syncd = made(activities={"external_id_field": field})
    who = people(org)
    syncd.receive(*(payload("open", 0, "s", **one) for one in who))
    assert syncd.run().changes == {"done": MANY}
    assert (called(org), org.calls_count(writing=True) <= 4) == (WHOLE, True)
    syncd.receive(*(payload("open", 0.1, "s", subject='Un "titre",\nsur deux lignes', **one) for one in who))
    assert syncd.run().changes == {"done": MANY}
    assert called(org) == WHOLE * 2
    assert {task["Description"].splitlines()[0] for task in org.all("Task")} == {"Opened 2 times, not clicked"}
    assert len(org.all("Task")) == MANY
    assert syncd.run().subjects == 0


def test_a_restored_store_looks_each_task_up_and_makes_none_twice(syncd: Syncd, org: Org) -> None:
    """A job would insert what was made after the copy."""
    who = people(org)
    copied_at = syncd.clock()
    syncd.receive(*(payload("open", 0, "s", **one) for one in who))
    syncd.run()
    syncd.db.execute("DELETE FROM activities")  # as in a copy from before
    syncd.db.execute("DELETE FROM receipts")
    syncd.db.execute("DELETE FROM changes")
    syncd.db.execute("INSERT INTO meta VALUES ('copied_at', ?)", (str(copied_at),))
    before = called(org)
    syncd.wake()
    assert (syncd.run().changes, called(org)) == ({"done": MANY}, before)
    assert len(org.all("Task")) == MANY


def test_fields_are_written_by_a_job_and_emptied_by_one(syncd: Syncd, org: Org) -> None:
    who = people(org)
    syncd.receive(*(payload("hard_bounce", **one) for one in who))
    assert syncd.run().changes == {"done": MANY}
    assert {contact["EmailBouncedReason"] for contact in org.all("Contact")} == {"550 5.1.1 user unknown"}
    syncd.receive(*(payload("delivered", 1, **one) for one in who))
    assert syncd.run().changes == {"done": MANY}
    assert {(c["EmailBouncedReason"], c["EmailBouncedDate"]) for c in org.all("Contact")} == {(None, None)}
    assert called(org) == WHOLE * 2


def test_few_changes_go_as_ever(syncd: Syncd, org: Org) -> None:
    syncd.receive(*(payload("open", **one) for one in people(org, 9)))
    assert (syncd.run().changes, called(org)) == ({"done": 9}, [])


def test_rows_that_fail_are_sorted_as_in_any_call(syncd: Syncd, org: Org) -> None:
    who = people(org)
    rule: dict[str, Any] = {"row_code": "FIELD_CUSTOM_VALIDATION_EXCEPTION", "row_message": "no bounces on Mondays"}
    lock: dict[str, Any] = {"row_code": "UNABLE_TO_LOCK_ROW"}
    syncd.receive(*(payload("hard_bounce", **one) for one in who))
    org.faults.add(Fault(path="jobs/ingest/.*", method="PATCH", **rule, row=str(who[3]["whId"]), times=1))
    assert syncd.run().changes == {"done": MANY - 1, "rejected": 1}
    (words,) = [c["receipts"] for c in syncd.desk.changes() if c["state"] == "rejected"]
    assert (words[0]["code"], words[0]["words"]) == (rule["row_code"], rule["row_message"])
    syncd.receive(*(payload("unsubscribe", 1, **one) for one in who))
    org.faults.add(Fault(path="jobs/ingest/.*", method="PATCH", **lock, row=str(who[4]["whId"]), times=1))
    assert syncd.run().changes == {"done": MANY, "superseded": 1}  # with the mark that nothing forbids any more
    syncd.later(minutes=3)
    assert syncd.run().changes == {"done": 1}


def test_a_mark_that_is_rejected_in_a_job_leaves_the_opt_out_beside_it(syncd: Syncd, org: Org) -> None:
    who = people(org)
    org.faults.add(Fault(path="jobs/ingest/.*", method="PATCH", row_code="TRIGGER", row=str(who[0]["whId"]), times=1))
    org.faults.add(Fault(path="composite/sobjects$", method="PATCH", row_code="TRIGGER", times=1))
    for kind in ("hard_bounce", "unsubscribe"):
        syncd.receive(*(payload(kind, **one) for one in who))
    assert syncd.run().changes == {"done": 2 * MANY - 2, "superseded": 2}
    syncd.later(minutes=3)
    syncd.run()
    assert all(contact["HasOptedOutOfEmail"] for contact in org.all("Contact"))


def test_a_job_that_takes_longer_than_a_run_waits_is_taken_up_by_the_next(syncd: Syncd, org: Org) -> None:
    org.jobs.takes = math.inf
    who = people(org)
    syncd.receive(*(payload("open", 0, "s", **one) for one in who))
    said = syncd.run()
    assert (said.ended, said.in_jobs, sum(syncd.slept) >= 120) == ("done", MANY, True)
    # what comes meanwhile waits for the answer, and nothing is sent twice
    syncd.receive(payload("open", 0.1, "s", **who[0]))
    assert (syncd.run().subjects, syncd.run().in_jobs) == (0, MANY)
    org.jobs.takes = 0
    assert syncd.run().changes == {"done": MANY + 1}
    assert (len(org.all("Task")), org.all("Task")[0]["Description"].splitlines()[0][:6]) == (MANY, "Opened")


STEPS = {"create": ("POST", "ingest$"), "upload": ("PUT", "batches"), "close": ("PATCH", "ingest/750"),
         "poll": ("GET", "ingest/750[^/]*$"), "results": ("GET", "successfulResults")}  # fmt: skip


@pytest.mark.parametrize("when", ["before", "after"])
@pytest.mark.parametrize("step", STEPS)
def test_whatever_fails_on_the_way_every_task_is_there_once(syncd: Syncd, org: Org, step: str, when: Any) -> None:
    method, path = STEPS[step]
    org.faults.add(Fault(path=path, method=method, reset=True, when=when, times=1))
    syncd.receive(*(payload("open", 0, "s", **one) for one in people(org)))
    assert syncd.run().ended == "unavailable"
    for _ in range(3):
        syncd.later(minutes=11)
        syncd.run()
    assert len(org.all("Task")) == MANY
    assert {state for _, state in syncd.changes()} <= {"done", "superseded"}
    assert sum(state == "done" for _, state in syncd.changes()) == MANY


@pytest.mark.parametrize("step", STEPS)
@pytest.mark.parametrize("kind", ["open", "hard_bounce"])
def test_a_run_that_is_killed_leaves_its_job_to_the_next(syncd: Syncd, org: Org, step: str, kind: str) -> None:
    """Killed: nothing is tidied up after the call, as with kill -9."""
    method, path = STEPS[step]
    syncd.receive(*(payload(kind, 0, "s", **one) for one in people(org)))

    class KilledError(BaseException):
        pass

    def killed(*arguments: Any, **keywords: Any) -> Any:
        answer = send(*arguments, **keywords)
        request = arguments[0]
        if request.method == method and any(part in request.url for part in (path.strip("$").split("[")[0],)):
            raise KilledError
        return answer

    adapter = syncd.crm.session._adapter
    send, adapter.send = adapter.send, killed  # type: ignore[method-assign]
    with pytest.raises(KilledError):
        syncd.run()
    adapter.send = send  # type: ignore[method-assign]
    for _ in range(3):
        syncd.later(minutes=11)
        syncd.run()
    assert sum(state == "done" for _, state in syncd.changes()) == MANY
    if kind == "open":
        assert len(org.all("Task")) == MANY
    assert [job.state for job in org.jobs if job.state == "InProgress"] == []


@pytest.mark.parametrize("kind", ["hard_bounce", "open"])
def test_a_job_that_is_stuck_does_not_hold_its_records_for_ever(syncd: Syncd, org: Org, kind: str) -> None:
    """Seen for hours and days (jetstream#1147, simple-salesforce#482); Salesforce forgets it after a week only."""
    who = people(org)
    org.jobs.takes = math.inf
    syncd.receive(*(payload(kind, 0, "s", **one) for one in who))
    assert syncd.run().in_jobs == MANY
    syncd.receive(payload("unsubscribe", 1, **who[0]))
    syncd.later(hours=5)
    assert syncd.run().in_jobs == MANY
    syncd.later(hours=2)
    said = syncd.run()
    assert [trouble for trouble in said.troubles if "was UploadComplete for hours, so it was aborted" in trouble]
    for _ in range(3):
        syncd.later(minutes=11)
        syncd.run()
    assert org.get(str(who[0]["whId"]))["HasOptedOutOfEmail"]
    if kind == "open":
        assert len(org.all("Task")) == MANY
    else:
        assert all(contact["EmailBouncedDate"] for contact in org.all("Contact"))


def test_a_job_that_salesforce_has_forgotten_is_settled_by_looking(syncd: Syncd, org: Org) -> None:
    org.jobs.takes = math.inf
    syncd.receive(*(payload("open", 0, "s", **one) for one in people(org)))
    syncd.run()
    syncd.later(days=8)
    org.jobs.takes = 0
    org.jobs.advance()
    for job in list(org.jobs):
        org.jobs.forget(job)
    assert syncd.run().changes == {"uncertain": MANY}
    syncd.later(minutes=11)
    syncd.run()
    assert (len(org.all("Task")), syncd.changes()[-1]) == (MANY, ("activity", "done"))


@pytest.mark.parametrize("step", ["upload", "download"])
def test_a_run_lives_as_long_as_a_long_call_goes_on(
    syncd: Syncd, org: Org, monkeypatch: pytest.MonkeyPatch, step: str
) -> None:
    """Parts of 64 kB on a slow line, with a minute between two looks at the clock. systemd hears of it as well."""
    session, beats, asked = syncd.crm.session, [], count()
    real = getattr(session, step)

    def slow(*arguments: Any) -> None:
        syncd.clock.step = 60_000
        before, asked_before = heartbeat(syncd), next(asked)
        real(*arguments)
        beats.append(min((heartbeat(syncd) - before) // 60_000, next(asked) - asked_before))
        syncd.clock.step = 1

    syncd.stopping = lambda: next(asked) < 0
    monkeypatch.setattr(session, step, slow)
    links = [f"https://acme.example/{i}?{'x' * 1_000}" for i in range(20)]
    syncd.receive(
        *(payload("click", i / 10, "s", url=url, **one) for one in people(org) for i, url in enumerate(links))
    )
    assert syncd.run().changes == {"done": MANY}
    assert sum(beats) >= 8


@pytest.mark.parametrize("kind", ["open", "hard_bounce"])
@pytest.mark.parametrize(("status", "code"), [(400, "EXCEEDED_ID_LIMIT"), (403, "FEATURENOTENABLED")])
def test_where_salesforce_makes_no_job_the_changes_go_by_other_calls(
    syncd: Syncd, org: Org, kind: str, status: int, code: str
) -> None:
    """The org's jobs of the day may be spent, or its edition or this user may have none."""
    who = people(org)
    org.faults.add(Fault(path="jobs/ingest$", method="POST", status=status, code=code, message="no bulk", times=1))
    syncd.receive(*(payload(kind, 0, "s", **one) for one in who))
    said = syncd.run()
    assert (said.ended, said.changes, said.in_jobs, called(org)) == ("done", {"done": MANY}, 0, ["POST "])
    assert [text[-len(code) - 9 :] for text in said.troubles] == [f"{code}: no bulk"]
    assert len(org.all("Task")) == (MANY if kind == "open" else 0)
    syncd.receive(*(payload("unsubscribe", 1, "s", **one) for one in who))
    assert (syncd.run().troubles, called(org)) == ([], ["POST ", *WHOLE])


def test_without_a_job_and_without_calls_for_the_rest_it_waits(made: Callable[..., Syncd], org: Org) -> None:
    syncd = made(salesforce={"daily_budget": 10})
    org.faults.add(Fault(path="jobs/ingest$", method="POST", status=400, code="EXCEEDED_ID_LIMIT", times=None))
    syncd.receive(*(payload("open", 0, "s", **one) for one in people(org, 900)))
    said = syncd.run()
    assert (said.ended, said.calls <= 10, 0 < len(org.all("Task")) < 900) == ("budget", True, True)
    syncd.later(days=2)
    syncd.run()
    assert (len(org.all("Task")), syncd.desk.status(syncd.clock())["unsettled"]) == (900, 0)


def heartbeat(syncd: Syncd) -> int:
    return int(syncd.db.execute("SELECT max(heartbeat_at) FROM runs").fetchone()[0])


REFUSALS = {"upload": ("PUT", "/batches"), "close": ("PATCH", "/ingest/750")}


@pytest.mark.parametrize("kind", ["open", "hard_bounce"])
@pytest.mark.parametrize("step", [*REFUSALS, "job"])
def test_after_a_job_that_is_not_taken_as_a_whole_the_changes_go_by_other_calls(
    syncd: Syncd, org: Org, step: str, kind: str
) -> None:
    who = people(org)
    if step == "job":
        org.faults.add(Fault(path="jobs/ingest/", method="PATCH", job_error="InternalServerError", times=None))
    else:
        method, path = REFUSALS[step]
        refused: dict[str, Any] = {"status": 400, "code": "INVALIDJOB", "message": "nothing of that"}
        org.faults.add(Fault(path=path, method=method, times=1, **refused))
    syncd.receive(*(payload(kind, 0, "s", **one) for one in who))
    said = syncd.run()
    assert (said.ended, said.changes["done"], len(said.troubles)) == ("done", 0, 1)
    for _ in range(2):
        syncd.later(minutes=11)
        syncd.run()
    assert called(org).count("POST ") == 1
    told = org.all("Task") if kind == "open" else [one for one in org.all("Contact") if one["EmailBouncedDate"]]
    assert (len(told), syncd.desk.status(syncd.clock())["unsettled"]) == (MANY, 0)
    org.faults.clear()
    syncd.later(minutes=60)
    syncd.receive(*(payload("unsubscribe", 1, "s", **one) for one in who))
    assert (syncd.run().changes, called(org)[-len(WHOLE) :]) == ({"done": MANY}, WHOLE)


def test_results_that_are_cut_off_are_read_again(syncd: Syncd, org: Org) -> None:
    body = '"sf__Id","sf__Created",WhoId\n'
    org.faults.add(Fault(path="successfulResults", status=200, body=body, content_type="text/csv", times=1))
    syncd.receive(*(payload("open", 0, "s", **one) for one in people(org)))
    assert (syncd.run().code, syncd.run().changes) == ("unreadable_answer", {"done": MANY})


def test_a_session_that_expires_before_the_upload_is_renewed(syncd: Syncd, org: Org) -> None:
    org.faults.add(Fault(path="batches", status=401, code="INVALID_SESSION_ID", times=1))
    syncd.receive(*(payload("open", 0, "s", **one) for one in people(org)))
    assert syncd.run().changes == {"done": MANY}


def test_with_little_budget_a_job_that_cannot_be_sent_is_void(made: Callable[..., Syncd], org: Org) -> None:
    syncd = made(salesforce={"daily_budget": 7})
    syncd.receive(*(payload("open", 0, "s", **one) for one in people(org)))
    said = syncd.run()
    assert (said.ended, said.calls <= 7, org.all("Task")) == ("budget", True, [])


def test_forty_hundred_recipients_take_few_calls(made: Callable[..., Syncd], org: Org) -> None:
    """2,400 end with a Task, 200 with a field: through a job, and through collections alone."""
    calls = []
    for threshold, first in ((2_000, 0), (1_000_000, 1)):
        syncd = made(salesforce={"bulk_threshold": threshold})
        who = people(org, 4_000)
        before = org.calls_count()
        events = [payload("unsubscribe" if i < 200 else "open" if i < 2_600 else "delivered", first, f"s{first}", **one)
                  for i, one in enumerate(who)]  # fmt: skip
        syncd.receive(*events)
        assert syncd.run().changes == {"done": 2_600}
        calls.append(org.calls_count() - before)
    assert calls[0] <= 14 < calls[1] <= 22, calls


def test_another_recipient_of_a_record_that_a_job_carries_waits_for_it(syncd: Syncd, org: Org) -> None:
    org.jobs.takes = math.inf
    who = people(org)
    syncd.receive(*(payload("hard_bounce", 0, "s", **one) for one in who))
    assert syncd.run().in_jobs == MANY
    syncd.receive(payload("unsubscribe", 1, whId=who[0]["whId"], email="another@example.fr"))
    assert (dict(syncd.run().changes), org.all("Contact")[0]["HasOptedOutOfEmail"]) == ({}, False)
    org.jobs.takes = 0
    assert syncd.run().changes == {"done": MANY}
    syncd.later(minutes=2)
    assert (syncd.run().changes, org.get(str(who[0]["whId"]))["HasOptedOutOfEmail"]) == ({"done": 1}, True)


def test_records_that_are_merged_while_a_job_carries_a_task_of_each_end_with_one(syncd: Syncd, org: Org) -> None:
    """The one of the record that is gone is refused; the line that both share in the ledger is the other's."""
    winners, losers, olds = people(org), people(org), people(org)
    for loser, old in zip(losers, olds, strict=True):
        org.merge(str(loser["whId"]), [str(old["whId"])])
    org.jobs.takes = math.inf
    syncd.receive(*(payload("open", 0, "s", **one) for one in (*winners, *losers)))
    assert syncd.run().in_jobs == 2 * MANY
    for winner, loser in zip(winners, losers, strict=True):
        org.merge(str(winner["whId"]), [str(loser["whId"])])
    syncd.receive(*(payload("delivered", -1, "s", **one) for one in losers))
    syncd.receive(*(payload("open", 0.1, "s", **one) for one in olds))
    syncd.run()
    org.jobs.takes = 0
    for _ in range(3):
        syncd.later(minutes=2)
        syncd.run()
    assert sorted(task["WhoId"] for task in org.all("Task")) == [one["whId"] for one in winners]
    assert {task["Description"].splitlines()[0] for task in org.all("Task")} == {"Opened 3 times, not clicked"}


def test_without_room_for_tasks_what_needs_none_is_written(syncd: Syncd, org: Org) -> None:
    org.faults.add(Fault(path="ingest/750.*successfulResults", status=503, times=1))
    full = {"row_code": "STORAGE_LIMIT_EXCEEDED", "row_message": "storage limit exceeded"}
    org.faults.add(Fault(path="ingest/750", times=None, **full))  # type: ignore[arg-type]
    syncd.receive(*(payload("open", 0, "s", **one) for one in people(org)))
    syncd.run()
    other = people(org, 1)[0]
    syncd.receive(payload("unsubscribe", 1, **other))
    syncd.run()
    assert org.get(other["whId"])["HasOptedOutOfEmail"] is True


def test_a_restored_store_asks_first_and_makes_no_job(syncd: Syncd, org: Org) -> None:
    syncd.db.execute("INSERT INTO meta (name, value) VALUES (?, ?)", (COPIED_AT, str(syncd.clock())))
    syncd.receive(*(payload("open", 0, "s", **one) for one in people(org)))
    assert (syncd.run().changes, called(org)) == ({"done": MANY}, [])


@pytest.mark.parametrize("state", ["open", "closing"])
def test_a_job_that_may_not_be_looked_at_is_kept_and_keeps_nobody_waiting(syncd: Syncd, org: Org, state: str) -> None:
    step = "PUT" if state == "open" else "PATCH"
    org.faults.add(Fault(path="ingest/750", method=step, reset=True, when="after", times=1))
    syncd.receive(*(payload("open", 0, "s", **one) for one in people(org)))
    syncd.run()
    syncd.db.execute("UPDATE jobs SET state = ?", (state,))  # as a kill in that moment leaves it
    org.faults.add(Fault(path="ingest/750", status=403, code="INSUFFICIENT_ACCESS", times=1))
    syncd.receive(payload("unsubscribe", 1, whId=(other := people(org, 1)[0])["whId"], email=other["email"]))
    said = syncd.run()
    assert (said.ended, dict(said.changes), org.get(other["whId"])["HasOptedOutOfEmail"]) == ("done", {"done": 1}, True)
    assert "INSUFFICIENT_ACCESS" in said.troubles[0]
    for _ in range(3):
        syncd.later(minutes=11)
        syncd.run()
    assert len(org.all("Task")) == MANY


def test_without_calls_left_a_job_is_asked_after_later(syncd: Syncd, org: Org) -> None:
    org.faults.add(Fault(path="ingest/750", method="GET", status=503, times=1))
    syncd.receive(*(payload("open", 0, "s", **one) for one in people(org)))
    syncd.run()
    syncd.db.execute("INSERT OR REPLACE INTO api_calls VALUES (?, 1000000)", (syncd.clock() // 3_600_000,))
    before = org.calls_count()
    assert (syncd.run().ended, org.calls_count()) == ("budget", before)
    syncd.later(days=2)
    syncd.run()
    assert (len(org.all("Task")), syncd.run().subjects) == (MANY, 0)


def test_a_job_that_was_never_closed_and_is_gone_is_void(syncd: Syncd, org: Org) -> None:
    org.faults.add(Fault(path="batches", reset=True, times=1))
    syncd.receive(*(payload("open", 0, "s", **one) for one in people(org)))
    syncd.run()
    syncd.db.execute("UPDATE jobs SET state = 'open'")
    for job in list(org.jobs):
        org.jobs.forget(job)
    syncd.later(minutes=3)
    syncd.run()
    assert (len(org.all("Task")), syncd.desk.status(syncd.clock())["unsettled"]) == (MANY, 0)
