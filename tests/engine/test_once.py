"""An activity is made exactly once, whatever goes wrong on the way: with a field for its token, and without one."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from contextlib import contextmanager
from typing import Any

import pytest
from sqlite_utils import Database

from syncd.activities import activity_token
from syncd.config import Settings
from syncd.engine import Options
from syncd.salesforce import Crm
from syncd.sandbox import Fault, Org
from syncd.store import journal
from syncd.store.sqlite import transaction
from tests.conftest import Syncd
from tests.factories import ADDRESS, payload

FIELD = "Syncd_Token__c"
WITHOUT, WITH = "", FIELD

Made = Callable[..., Syncd]


@pytest.fixture
def made(configured: Callable[..., Settings], org: Org) -> Iterator[Made]:
    opened: list[Syncd] = []

    def make(field: str, **activities: Any) -> Syncd:
        if field:
            org.add_field("Task", field, external_id=True, unique=True)
        settings = configured(activities={"external_id_field": field} | activities)
        opened.append(Syncd(settings, Crm(settings)))
        return opened[-1]

    yield make
    for one in opened:
        one.db.close()
        one.crm.session.close()


@pytest.fixture
def contact(org: Org) -> str:
    return org.add("Contact", LastName="Durand", Email=ADDRESS)


def create(field: str) -> dict[str, Any]:
    """The call that makes Tasks."""
    return {"path": f"composite/sobjects/Task/{field}", "method": "PATCH"} if field else {
        "path": "composite/sobjects$", "method": "POST"
    }  # fmt: skip


FAULTS: dict[str, dict[str, Any]] = {
    "time-out": {"hold": 0.6},
    "reset": {"reset": True},
    "503": {"status": 503},
    "cut off": {"status": 200, "body": '[{"id": "00T', "content_type": "application/json"},
}


@pytest.mark.parametrize("when", ["before", "after"])
@pytest.mark.parametrize(
    ("field", "fault"),
    [(WITHOUT, FAULTS["time-out"]), *((WITH, fault) for fault in FAULTS.values())],
    ids=["without", *FAULTS],
)
def test_after_an_unclear_answer_it_is_looked_up_first(
    made: Made, org: Org, contact: str, field: str, when: Any, fault: dict[str, Any]
) -> None:
    syncd = made(field)
    syncd.crm.session.timeout = 0.3
    org.faults.add(Fault(**create(field), **fault, when=when, times=1))
    syncd.receive(payload("open", 0, "s", whId=contact))
    assert (syncd.run().ended, syncd.changes()) == ("unavailable", [("activity", "uncertain")])
    syncd.later(minutes=11)
    syncd.run()
    syncd.receive(payload("open", 0.1, "s", whId=contact))
    syncd.run()
    assert [task["Description"].splitlines()[0] for task in org.all("Task")] == ["Opened 2 times, not clicked"]


@pytest.mark.parametrize("field", [WITHOUT, WITH], ids=["without", "with"])
def test_a_task_that_a_person_deleted_is_not_made_again(made: Made, org: Org, contact: str, field: str) -> None:
    """An upsert would make it."""
    syncd = made(field)
    syncd.receive(payload("open", 0, "s", whId=contact))
    syncd.run()
    org.delete(org.all("Task")[0]["Id"])
    syncd.receive(payload("open", 0.1, "s", whId=contact))
    syncd.run()
    syncd.receive(payload("open", 0.2, "s", whId=contact))
    syncd.run()
    assert org.all("Task") == []


@pytest.mark.parametrize("field", [WITHOUT, WITH], ids=["without", "with"])
def test_a_task_that_a_person_deleted_before_it_was_known_is_not_made_again(
    made: Made, org: Org, contact: str, field: str
) -> None:
    syncd = made(field)
    org.faults.add(Fault(**create(field), reset=True, when="after", times=1))
    syncd.receive(payload("open", 0, "s", whId=contact))
    syncd.run()
    org.delete(org.all("Task")[0]["Id"])
    for day in (0.1, 0.2, 0.3):
        syncd.later(minutes=11)
        syncd.receive(payload("open", day, "s", whId=contact))
        syncd.run()
    assert (org.all("Task"), org.calls_count(writing=True)) == ([], 1)


def test_with_the_field_even_a_commit_long_after_the_waiting_makes_no_second_one(
    made: Made, org: Org, contact: str
) -> None:
    """Without it this is the risk that remains."""
    syncd = made(WITH)
    org.faults.add(Fault(**create(WITH), status=503, when="before", times=1))
    syncd.receive(payload("open", 0, "s", whId=contact))
    syncd.run()
    syncd.later(minutes=11)
    token = syncd.db.execute("SELECT token FROM activities").fetchone()[0]
    before = len(org.calls)
    syncd.stopping = lambda: _commits_late(org, before, contact, token)
    syncd.run()
    assert [task["Subject"] for task in org.all("Task")] == ["Nos nouveautés"]


def _commits_late(org: Org, before: int, contact: str, token: str) -> bool:
    """Between the look-up and the repetition the first call is done after all."""
    if any("queryAll" in call.path for call in org.calls[before:]) and not org.all("Task"):
        org.add("Task", WhoId=contact, Subject="late", Status="Completed", **{FIELD: token})
    return False


def test_with_the_field_a_store_that_was_restored_makes_no_second_one(made: Made, org: Org, contact: str) -> None:
    syncd = made(WITH)
    syncd.receive(payload("open", 0, "s", whId=contact))
    syncd.run()
    syncd.db.execute("DELETE FROM activities")
    syncd.receive(payload("open", 0.1, "s", whId=contact))
    syncd.run()
    assert [task["Description"].splitlines()[0] for task in org.all("Task")] == ["Opened 2 times, not clicked"]


def test_with_the_field_a_batch_of_many_is_one_call(made: Made, org: Org) -> None:
    syncd = made(WITH)
    people = [org.add("Contact", LastName=f"N{i}", Email=f"n{i}@example.fr") for i in range(200)]
    syncd.receive(*(payload("open", whId=who, email=f"n{i}@example.fr") for i, who in enumerate(people)))
    assert syncd.run().changes == {"done": 200}
    assert (org.calls_count(writing=True), len({task[FIELD] for task in org.all("Task")})) == (1, 200)


# --- there already, or a unique field of the org's own -------------------------------------------------------------

DUPLICATE: dict[str, Any] = {"row_code": "DUPLICATE_VALUE", "row_message": "duplicate value found: Ticket__c"}


@pytest.mark.parametrize("threshold", [1, 2_000], ids=["bulk", "collections"])
def test_a_task_that_is_there_already_is_looked_up(made: Made, org: Org, contact: str, threshold: int) -> None:
    """Its token's field refuses the second one."""
    syncd = made(WITH)
    syncd.receive(payload("open", 0, "s", whId=contact))
    syncd.run()
    syncd.db.execute("DELETE FROM activities")  # a restored store knows nothing of it
    syncd.options = Options(bulk_threshold=threshold)
    org.faults.add(Fault(path="sobjects/Task|ingest/750", method="PATCH", **DUPLICATE, times=1))
    syncd.receive(payload("open", 0.1, "s", whId=contact))
    assert syncd.run().changes == {"done": 1}
    assert syncd.run().changes == {"done": 1}
    assert [task["Description"].splitlines()[0] for task in org.all("Task")] == ["Opened 2 times, not clicked"]


def test_a_task_that_was_there_and_a_person_deleted_is_not_made_again(made: Made, org: Org, contact: str) -> None:
    syncd = made(WITH)
    syncd.receive(payload("open", 0, "s", whId=contact))
    syncd.run()
    org.delete(org.all("Task")[0]["Id"])
    syncd.db.execute("DELETE FROM activities")
    org.faults.add(Fault(**create(WITH), **DUPLICATE, times=1))
    for day in (0.1, 0.2, 0.3):
        syncd.receive(payload("open", day, "s", whId=contact))
        syncd.run()
    assert (org.all("Task"), org.calls_count(writing=True)) == ([], 2)  # the second one is refused, and no third made


@pytest.mark.parametrize("threshold", [1, 2_000], ids=["bulk", "collections"])
@pytest.mark.parametrize("field", [WITHOUT, WITH], ids=["without", "with"])
def test_a_unique_field_of_the_orgs_own_rejects_a_task_as_any_rule_does(
    made: Made, org: Org, contact: str, field: str, threshold: int
) -> None:
    syncd = made(field)
    syncd.options = Options(bulk_threshold=threshold)
    org.faults.add(Fault(path="composite/sobjects|ingest/750", **DUPLICATE, times=None))
    syncd.receive(payload("open", 0, "s", whId=contact))
    assert syncd.run().changes == {"rejected": 1}
    calls = org.calls_count()
    syncd.later(hours=2)
    assert (syncd.run().subjects, org.calls_count() - calls) == (0, 0)
    (change,) = syncd.desk.changes()
    assert [(r["code"], r["words"]) for r in change["receipts"]] == [(DUPLICATE["row_code"], DUPLICATE["row_message"])]


def test_without_an_answer_to_which_one_it_is_that_is_asked_later(made: Made, org: Org, contact: str) -> None:
    syncd = made(WITH)
    token = activity_token(contact, "send:s")
    org.add("Task", WhoId=contact, Subject="there", Status="Completed", **{FIELD: token})
    org.faults.add(Fault(**create(WITH), **DUPLICATE, times=1))
    org.faults.add(Fault(path="queryAll", status=503, times=1))
    syncd.receive(payload("open", 0, "s", whId=contact))
    assert syncd.run().changes == {"uncertain": 1}
    syncd.later(minutes=11)
    syncd.run()
    assert [task["Subject"] for task in org.all("Task")] == ["Nos nouveautés"]


# --- one for each event -------------------------------------------------------------------------------------------


def test_per_event_each_open_and_click_is_a_task_of_its_own(made: Made, org: Org, contact: str) -> None:
    syncd = made(WITHOUT, mode="per_event")
    syncd.receive(payload("open", 0, "s", whId=contact), payload("click", 0.1, "s", whId=contact))
    syncd.run()
    syncd.receive(payload("open", 0.2, "s", whId=contact), payload("open", 0, "s", whId=contact))
    syncd.run()
    assert sorted(task["Description"].splitlines()[0] for task in org.all("Task")) == [
        "Clicked https://acme.example/offre, 2026-03-02 11:24:00 UTC",
        "Opened, 2026-03-02 09:00:00 UTC",
        "Opened, 2026-03-02 13:48:00 UTC",
    ]


def test_per_event_a_machine_cannot_make_thousands(made: Made, org: Org, contact: str) -> None:
    syncd = made(WITHOUT, mode="per_event")
    for first in (0, 30, 60):
        syncd.receive(*(payload("click", i / 1000, "s", whId=contact) for i in range(first, first + 30)))
        syncd.run()
    said = [task["Description"].splitlines()[0] for task in org.all("Task")]
    assert (len(said), said[-1]) == (20, "not opened, clicked 71 times")


@pytest.mark.parametrize("runs", ["one run", "many"])
def test_per_event_what_comes_late_is_told_once_whenever_the_runs_are(
    made: Made, org: Org, contact: str, runs: str
) -> None:
    syncd = made(WITHOUT, mode="per_event")
    for hours in (range(5, 25), (0, 30, 1), (2, 12.5)):
        syncd.receive(*(payload("open", hour / 24, "s", whId=contact) for hour in hours))
        if runs == "many":
            syncd.run()
    syncd.run()
    said = [task["Description"].splitlines() for task in org.all("Task")]
    (gathered,) = [lines for lines in said if "times" in lines[0]]
    assert (len(said), gathered[:3]) == (
        20,
        ["Opened 6 times, not clicked", "First: 2026-03-02 09:00:00 UTC", "Last: 2026-03-03 15:00:00 UTC"],
    )


def test_per_event_what_an_old_history_leads_to_is_committed_in_pieces(
    made: Made, org: Org, contact: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A hundred rows at most, so that a receiver gets its turn; the mark goes with what was decided about it."""
    syncd = made(WITHOUT, mode="per_event")
    syncd.receive(payload("hard_bounce", -9, whId=contact))
    syncd.run()
    org.edit(contact, EmailBouncedDate=None, EmailBouncedReason=None)
    sizes: list[int] = []

    @contextmanager
    def counted(db: Database, **keywords: Any) -> Iterator[None]:
        with transaction(db, **keywords):
            before = db.conn.total_changes
            yield
            sizes.append(db.conn.total_changes - before)

    monkeypatch.setattr(journal, "transaction", counted)
    syncd.receive(payload("hard_bounce", 300, whId=contact, date=syncd.clock() + 60_000))
    syncd.receive(*(payload("open", i / 10, f"s{i // 20}", whId=contact) for i in range(250)))
    commit, during = journal.Journal.commit, []

    def committed(*arguments: Any) -> None:
        sizes.clear()
        commit(*arguments)
        during.extend(sizes)

    monkeypatch.setattr(journal.Journal, "commit", committed)
    assert syncd.run().changes == {"done": 251}
    assert (max(during), sum(during), len(org.all("Task"))) == (100, 252, 250)


def test_a_send_that_was_told_in_one_mode_is_not_told_again_in_the_other(made: Made, org: Org, contact: str) -> None:
    syncd = made(WITHOUT)
    syncd.receive(payload("open", 0, "old", whId=contact))
    syncd.run()
    changed = syncd.settings.model_copy(
        update={"activities": syncd.settings.activities.model_copy(update={"mode": "per_event"})}
    )
    other = Syncd(changed, syncd.crm, clock=syncd.clock)
    other.receive(payload("open", 0.1, "old", whId=contact), payload("open", 1, "new", whId=contact))
    other.run()
    other.db.close()
    assert len(org.all("Task")) == 2
