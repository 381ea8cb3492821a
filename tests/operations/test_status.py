"""`syncd status`: one screen, one document whose keys don't change, and an exit code that says whether to look."""

from __future__ import annotations

import re
import time
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import pytest

from syncd.brake import Group
from syncd.model import SENDERS_FAULT
from syncd.sandbox import Fault, Org
from syncd.store import Alarms, totals
from syncd.store.desk import BLAMED
from tests.conftest import Syncd
from tests.effort import effort
from tests.factories import payload
from tests.operate.conftest import Commands

README = (Path(__file__).parents[2] / "README.md").read_text()

SCHEMA: dict[str, Any] = {
    "mode": str, "store": str, "last_event_at": str, "events": int, "events_waiting": int, "subjects_due": int,
    "subjects_later": int, "subjects_failing": int, "unmatched": int, "rejected": int, "held": int, "unsettled": int,
    "rejections": {},
    "quarantined": int, "calls_24h": int, "calls_resume_at": None, "calls_allowed": int, "run_going_on": bool,
    "last_run": {
        "run": int, "cause": str, "started_at": str, "ended_at": str, "ended": str, "code": str, "words": str,
        "events": int, "subjects": int, "unmatched": int, "failed": int, "troubles": [], "calls": int,
        "resumes_at": int, "in_jobs": int, "planned": {}, "changes": {}, "rejections": {}, "held": {},
    },
    "kinds": {"hard_bounce": int}, "rules_changed": bool, "marks_by_senders_fault": int,
    "lately": {"events": int, "with_usable_whid": int, "bounces_judged": int, "address_mismatches": int},
    "disk_free_bytes": int, "alarms": [{"key": str, "words": str, "advice": str, "since": None}],
}  # fmt: skip
"""None: a text (an instant), or null."""


def shape_of(it: Any, like: Any) -> Any:
    if isinstance(like, dict) and isinstance(it, dict):
        return {name: shape_of(value, like.get(name)) for name, value in it.items()} if like else {}
    if isinstance(like, list):
        return [shape_of(value, like[0]) for value in it] or like
    return None if like is None else type(it)


def test_the_keys_and_types_of_the_document_are_those_promised(syncd: Syncd, command: Commands, contact: str) -> None:
    syncd.receive(payload("hard_bounce", whId=contact))
    syncd.run()
    document = command.json("status", code=1)  # the test's clock stands in the future or past: an alarm is on
    assert shape_of(document, SCHEMA) == {**SCHEMA, "alarms": SCHEMA["alarms"] * max(1, len(document["alarms"]))}


def test_the_readme_names_these_keys_and_no_others() -> None:
    table = README.partition("| keys | what |\n|---|---|\n")[2].partition("\n\n")[0]
    keys, what = zip(*(line.split(" | ", 1) for line in table.splitlines()), strict=True)
    assert sorted(re.findall(r"`(\w+)`", "".join(keys))) == sorted(SCHEMA)
    said = dict(zip(keys, what, strict=True))
    assert re.findall(r"`(\w+)`", said["| `lately`"]) == list(SCHEMA["lately"])
    assert re.findall(r"`(\w+)`", said["| `alarms`"]) == list(SCHEMA["alarms"][0])


def test_a_store_without_anything_has_the_same_keys(command: Commands) -> None:
    document = command.json("status")
    assert document.keys() == SCHEMA.keys()
    assert (document["last_event_at"], document["last_run"], document["alarms"]) == (None, None, [])
    said = command("status")
    assert "events            0\n" in said
    assert "in 30 days        no event\n" in said


def test_whids_that_can_name_nobody_and_addresses_of_somebody_else_show(
    syncd: Syncd, command: Commands, contact: str, org: Org
) -> None:
    other = org.add("Contact", LastName="Moved", Email="new@example.fr")
    syncd.clock.at = time.time_ns() // 1_000_000
    recent = datetime.now(UTC).isoformat()
    syncd.receive(
        payload("hard_bounce", whId=contact, date=recent),
        payload("hard_bounce", whId=other, date=recent),
        payload("open", whId="Durand", email="a@example.fr", date=recent),
        payload("open", whId="", email="b@example.fr", date=recent),
    )
    syncd.run()
    said = command("status")
    assert "50.0% of the events have a usable whId; 50.0% of the bounces were of another address" in said


def test_a_rejected_change_shows_and_makes_it_exit_1(syncd: Syncd, command: Commands, contact: str, org: Org) -> None:
    org.faults.add(Fault(path="composite/sobjects$", method="PATCH", row_code="FIELD_CUSTOM_VALIDATION_EXCEPTION"))
    syncd.receive(payload("hard_bounce", whId=contact))
    syncd.run()
    assert re.search(r"rejected +1 change that", command("status", code=1))


def test_why_changes_are_rejected_is_told_where_they_are_counted(unbraked: Syncd, command: Commands, org: Org) -> None:
    """An org's rule or permission has a thousand victims, and whoever looks does not know one of them by name."""
    refused: dict[str, Any] = {"path": "composite/sobjects$", "method": "PATCH", "times": None}
    people = [org.add("Contact", LastName="N", Email=f"n{i}@example.fr") for i in range(3)]
    org.faults.add(Fault(**refused, row_code="INSUFFICIENT_ACCESS_OR_READONLY", row=[0, 1]))
    unbraked.receive(*(payload("hard_bounce", whId=who, email=f"n{i}@example.fr") for i, who in enumerate(people)))
    command("sync", code=1)
    assert "  2 × INSUFFICIENT_ACCESS_OR_READONLY\n" in command.errors
    assert re.search(
        r"2 changes that Salesforce would not take: 2 × INSUFFICIENT_ACCESS_OR_READONLY; .*syncd retry",
        command("status", code=1),
    )
    org.faults.clear()
    command("retry")
    assert command.json("status")["rejections"] == {}


def test_totals_are_what_a_count_would_say_whenever_it_is_folded(syncd: Syncd) -> None:
    days = [0, 0.2, 1, 40, 40.1, 0.1]
    for day in days:
        syncd.receive(payload("open", day), payload("delivered", day))
        syncd.receive(payload("open", day))  # twice delivered, once counted
        syncd.run()
    counted = {
        (row[0] * 86_400_000, row[1]): row[2]
        for row in syncd.db.execute("SELECT at / 86400000, kind, count(*) FROM events GROUP BY 1, 2").fetchall()
    }
    assert {(day.day, day.kind): day.number for day in totals.by_day(syncd.db)} == counted
    assert totals.by_kind(syncd.db) == {"delivered": (6, 6), "open": (6, 6)}
    sends = syncd.db.execute("SELECT send, events FROM sends ORDER BY send").fetchall()
    assert sends == [("s0", 6), ("s1", 2), ("s40", 4)]


def test_marks_that_look_like_the_senders_fault_are_counted_while_they_stand(
    syncd: Syncd, command: Commands, contact: str
) -> None:
    syncd.receive(payload("hard_bounce", whId=contact, smtpDescription="550 5.7.1 blocked by our spam filter"))
    syncd.run()
    assert command.json("status", code=None)["marks_by_senders_fault"] == 1
    assert "1 mark of bounces that blame who sends" in command("status", code=None)
    command("undo", "--record", contact)
    assert command.json("status", code=None)["marks_by_senders_fault"] == 0


COLUMNS = "run_id, subject_id, rules_id, object, sf_id, before, after, why, through, intended_at"


def test_it_is_no_more_work_the_more_was_written(syncd: Syncd, contact: str) -> None:
    syncd.receive(payload("hard_bounce", whId=contact))
    syncd.run()
    syncd.holds.open(Group("shifted", "send:elsewhere"), syncd.clock())
    alarms = Alarms(syncd.db)

    def look() -> int:
        return effort(
            syncd.db,
            lambda: (
                syncd.desk.status(syncd.clock.at),
                alarms.situation(syncd.clock.at, every=60_000, watch_silence=True, disk_free=None),
            ),
        )

    before = look()
    syncd.db.execute(
        f"INSERT INTO changes ({COLUMNS}, what, state) SELECT {COLUMNS}, 'lift', 'done' FROM changes, ("
        "WITH RECURSIVE n(i) AS (SELECT 1 UNION ALL SELECT i + 1 FROM n WHERE i < 3000) SELECT i FROM n)"
    )
    assert look() < before + 1_000


def test_the_reasons_that_are_counted_are_those_that_blame_the_sender() -> None:
    assert set(re.findall(r"'(\w+)'", BLAMED.partition("IN")[2])) == SENDERS_FAULT


def test_changed_rules_are_told_until_everything_was_judged_by_them(
    syncd: Syncd, command: Commands, contact: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    syncd.receive(payload("open", whId=contact))
    syncd.run()
    assert command.json("status", code=None)["rules_changed"] is False
    monkeypatch.setenv("SYNCD_RULES__SOFT_BOUNCE__THRESHOLD", "4")
    assert "rules             changed since" in command("status", code=None)
    command("resync", "--all", "--dry-run")
    assert command.json("status", code=None)["rules_changed"] is True
    command("resync", "--all")
    assert command.json("status", code=None)["rules_changed"] is False
    command("resync", "--all", "--email", "nobody@example.fr")  # that is not everything
