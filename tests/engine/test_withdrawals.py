"""A Task that was made before a machine was seen behind it is taken back; what is somebody's own is left."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import pytest

from syncd.config import Settings
from syncd.sandbox import Fault, Org
from tests.conftest import Syncd
from tests.factories import ADDRESS, payload

SECOND = 1 / 86_400
DELETE: dict[str, Any] = {"path": "composite/sobjects", "method": "DELETE"}


@pytest.fixture
def contact(org: Org) -> str:
    return org.add("Contact", LastName="Durand", Email=ADDRESS)


def click(second: float, contact: str) -> dict[str, Any]:
    return payload("click", second * SECOND, "s", whId=contact, url=f"https://acme.example/{second}")


@pytest.fixture
def scanned(syncd: Syncd, org: Org, contact: str) -> Syncd:
    """One click was written; that it is one of a burst is known now."""
    syncd.receive(click(0, contact))
    syncd.run()
    assert len(org.all("Task")) == 1
    syncd.receive(click(1, contact))
    return syncd


def texts(org: Org) -> list[str]:
    return [task["Description"].splitlines()[0] for task in org.all("Task")]


def test_it_goes_and_comes_again_with_a_person(scanned: Syncd, org: Org, contact: str) -> None:
    scanned.run()
    assert (org.all("Task"), scanned.run().planned) == ([], {})
    scanned.receive(click(900, contact))
    scanned.run()
    assert texts(org) == ["not opened, clicked once"]


def test_what_somebody_has_written_on_is_theirs(scanned: Syncd, org: Org, contact: str) -> None:
    org.edit(org.all("Task")[0]["Id"], Description="I called her about this")
    scanned.run()
    scanned.receive(click(900, contact))
    scanned.run()
    assert texts(org) == ["I called her about this"]
    assert scanned.changes()[1:] == [("activity", "superseded")]


def test_what_a_person_deleted_first_stays_away(scanned: Syncd, org: Org, contact: str) -> None:
    org.delete(org.all("Task")[0]["Id"])
    scanned.run()
    scanned.receive(click(900, contact))
    scanned.run()
    assert org.all("Task") == []


@pytest.mark.parametrize(
    "refusal",
    [{"row_code": "FIELD_CUSTOM_VALIDATION_EXCEPTION"}, {"status": 400, "code": "BAD_REQUEST"}],
    ids=["of the row", "of the call"],
)
def test_where_nobody_may_delete_its_text_says_who_clicked(scanned: Syncd, org: Org, refusal: dict[str, Any]) -> None:
    org.faults.add(Fault(**DELETE, **refusal))
    assert scanned.run().ended == "done"
    (task,) = org.all("Task")
    assert "Not counted, made by a machine: not opened, clicked 2 times" in task["Description"]
    assert scanned.run().planned == {}


@pytest.mark.parametrize("when", ["before", "after"])
def test_an_unclear_answer_leaves_no_doubt_in_the_end(scanned: Syncd, org: Org, contact: str, when: Any) -> None:
    """Deleted by a call that was not heard of, it is no person's doing: a person's click makes it again."""
    org.faults.add(Fault(**DELETE, reset=True, when=when, times=1))
    assert scanned.run().ended == "unavailable"
    scanned.later(hours=1)
    assert (scanned.run().ended, org.all("Task")) == ("done", [])
    scanned.receive(click(900, contact))
    scanned.run()
    assert texts(org) == ["not opened, clicked once"]


def test_one_that_is_locked_goes_later(scanned: Syncd, org: Org) -> None:
    org.faults.add(Fault(**DELETE, row_code="UNABLE_TO_LOCK_ROW", times=1))
    scanned.run()
    assert org.all("Task") == []


def test_one_that_salesforce_cannot_delete_now_goes_later(scanned: Syncd, org: Org) -> None:
    org.faults.add(Fault(**DELETE, row_code="SERVER_UNAVAILABLE", times=1))
    assert (scanned.run().failed, len(org.all("Task"))) == (1, 1)
    scanned.later(hours=1)
    assert (scanned.run().ended, org.all("Task")) == ("done", [])


def test_if_the_tasks_cannot_be_read_a_person_has_to_look(scanned: Syncd, org: Org) -> None:
    org.faults.add(Fault(path="queryAll", status=400, code="INVALID_FIELD", times=1))
    assert (scanned.run().ended, len(org.all("Task"))) == ("fatal", 1)
    scanned.later(hours=1)
    assert (scanned.run().ended, org.all("Task")) == ("done", [])


def test_a_kind_that_is_not_told_any_more_counts_as_a_persons_still(
    syncd: Syncd, configured: Callable[..., Settings], org: Org, contact: str
) -> None:
    """With `on = ["open"]` the click that the Task tells of is left out; it was a person's all the same."""
    syncd.receive(payload("open", 0, "s", whId=contact), click(0.5, contact), click(900, contact))
    syncd.run()
    syncd.settings = configured(activities={"on": ["open"]})
    syncd.receive(click(1, contact))
    syncd.run()
    assert len(org.all("Task")) == 1
