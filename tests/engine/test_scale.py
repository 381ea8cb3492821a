"""How many calls a campaign takes: the number that Salesforce counts."""

from __future__ import annotations

import json
from collections.abc import Iterator

import pytest

from syncd.model import Change, Plan, Rules, State, What
from syncd.sandbox import Org
from syncd.store import Intent, Jobs, Journal, Outcome, Work
from tests.conftest import Syncd
from tests.effort import effort
from tests.factories import payload


@pytest.mark.parametrize(
    ("recipients", "calls"), [(1_600, 20), pytest.param(8_000, 60, marks=pytest.mark.large)], ids=["some", "many"]
)
def test_a_campaign_takes_few_calls(unbraked: Syncd, org: Org, recipients: int, calls: int) -> None:
    """10,000 events of 8,000 recipients at most 60: of 40, 30 end with a Task, one with a mark, two with an opt-out."""
    syncd = unbraked
    people = [
        org.add("Lead", LastName=f"N{i}", Company="Exemple SA", Email=f"n{i}@example.fr")
        if i % 8 == 7
        else org.add("Contact", LastName=f"N{i}", Email=f"n{i}@example.fr")
        for i in range(recipients)
    ]
    events = []
    for i, sf_id in enumerate(people):
        place = i * 40 // recipients
        kind = "open" if place < 30 else "hard_bounce" if place < 31 else "unsubscribe" if place < 33 else "delivered"
        who = {"whId": sf_id, "email": f"n{i}@example.fr"}
        events.append(payload(kind, 1, "s", **who))
        if place < 10:
            events.append(payload("click", 1.1, "s", **who))
    assert len(events) == recipients * 5 / 4
    syncd.receive(*events)
    said = syncd.run()
    done = recipients * 33 // 40
    assert (said.ended, said.events, dict(said.changes)) == ("done", len(events), {"done": done})
    assert len(org.all("Task")) == recipients * 30 // 40
    assert sum(bool(r["EmailBouncedReason"]) for kind in ("Contact", "Lead") for r in org.all(kind)) == recipients // 40
    assert sum(bool(r["HasOptedOutOfEmail"]) for kind in ("Contact", "Lead") for r in org.all(kind)) == recipients // 20
    print(f"{said.calls} calls")
    assert said.calls == org.calls_count() <= calls
    assert syncd.run().calls == 0


@pytest.mark.parametrize("which", ["opt-outs", "known Tasks", "new Tasks", "answers of a job", "rest of a job"])
def test_the_last_page_of_what_is_open_is_read_as_easily_as_the_first(syncd: Syncd, which: str) -> None:
    """By SQLite's steps. Did each page pass over all before it, a hundred thousand changes would take minutes."""
    steps = 0

    def step() -> None:
        nonlocal steps
        steps += 1

    pages, costs = _pages(syncd, which), []
    syncd.db.conn.set_progress_handler(step, 10)
    while page := next(pages, None):
        costs.append(steps)
        Journal(syncd.db).record([Outcome(intent.id, intent.subject_id, State.DONE) for intent in page], 0)
        steps = 0
    assert (len(costs), costs[-1] < 1.05 * costs[0]) == (4 if "job" in which else 2, True), costs


def _pages(syncd: Syncd, which: str) -> Iterator[list[Intent]]:
    """Of three changes one is an opt-out, one a Task that is there, one a Task that is not; four hundred of each."""
    journal, jobs, run_id = Journal(syncd.db), Jobs(syncd.db), Work(syncd.db).begin("test", 0, 0)
    changes = [
        Change(
            What.ACTIVITY if i % 3 else What.OPT_OUT,
            "Contact",
            f"003{i:015}",
            {},
            {},
            {},
            0,
            activity="a" * (i % 3 > 0),
        )
        for i in range(1, 1_201)
    ]
    syncd.db.execute("PRAGMA synchronous = OFF")
    syncd.db.execute(
        "INSERT INTO subjects (id, sf_id, object) SELECT key + 1, value, 'Contact' FROM json_each(?)",
        (json.dumps([change.sf_id for change in changes]),),
    )
    syncd.db.execute(
        "INSERT INTO activities (subject_id, key, token, state, task_id)"
        " SELECT id, 'a', '', 'known', 'Task ' || id FROM subjects WHERE id % 3 = 1"
    )
    plans = ((i, Plan(changes=(change,))) for i, change in enumerate(changes, 1))
    journal.commit(run_id, journal.rules_id(Rules(), 0), plans, 0)
    if which == "opt-outs":
        return journal.fields(run_id, What.OPT_OUT)
    known = journal.activities(run_id, known=which != "new Tasks")
    if which.endswith("Tasks"):
        return known
    job = jobs.begin(run_id, "Task", "update", 0)
    jobs.carry(job, [intent for page in known for intent in page])
    if which == "rest of a job":
        return jobs.left(job)
    ids = [f"Task {i}" for i in range(1, 1_201, 3)]
    return (jobs.of_tasks(job, ids[start : start + 100]) for start in range(0, len(ids), 100))


def test_what_a_dead_run_left_is_found_without_going_through_all_tasks(syncd: Syncd, org: Org) -> None:
    contact = org.add("Contact", LastName="N", Email="n@example.fr")
    syncd.receive(payload("open", whId=contact, email="n@example.fr"))
    syncd.run()
    work = Work(syncd.db)

    def begin() -> int:
        """Each takes the one before for dead."""
        syncd.later(minutes=10)
        return effort(syncd.db, lambda: work.begin("test", syncd.clock.at, 0))

    begin()
    before = begin()
    syncd.db.conn.executemany(
        "INSERT INTO activities (subject_id, key, token, task_id, state) VALUES (1, ?1, ?1, ?1, 'known')",
        [(f"00T{i}",) for i in range(3_000)],
    )
    assert begin() < before + 1_000
