"""What goes wrong for one must not go wrong for all, and must be told."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import pytest
from structlog.testing import capture_logs

from syncd import plan as planning
from syncd.config import Settings
from syncd.engine import Options
from syncd.errors import StoreError
from syncd.salesforce import Crm
from syncd.sandbox import Fault, Org
from tests.conftest import Syncd
from tests.factories import ADDRESS, payload

READ: dict[str, Any] = {"path": "composite/sobjects/Contact$", "method": "POST"}
UPDATE: dict[str, Any] = {"path": "composite/sobjects$", "method": "PATCH"}
OTHER = "bob@example.fr"
USER_UNKNOWN = "550 5.1.1 user unknown"


@pytest.fixture
def contact(org: Org) -> str:
    return org.add("Contact", LastName="Durand", Email=ADDRESS)


@pytest.fixture
def lead(org: Org) -> str:
    return org.add("Lead", LastName="Martin", Company="Exemple SA", Email=OTHER)


@pytest.fixture
def both(syncd: Syncd, contact: str, lead: str) -> None:
    syncd.receive(payload("hard_bounce", whId=contact), payload("hard_bounce", whId=lead, email=OTHER))


def reason(org: Org, sf_id: str) -> Any:
    return org.get(sf_id)["EmailBouncedReason"]


# --- an object that cannot be seen ----------------------------------------------------------------------------------


@pytest.mark.usefixtures("both")
def test_leads_that_cannot_be_seen_wait_and_contacts_go_on(syncd: Syncd, org: Org, contact: str, lead: str) -> None:
    org.hide_object("Lead")
    said = syncd.run()
    assert (said.ended, said.failed, said.unmatched, dict(said.changes)) == ("done", 1, 0, {"done": 1})
    assert [text.split(": ")[:2] for text in said.troubles] == [["Lead", "NOT_FOUND"]]
    assert reason(org, contact) == USER_UNKNOWN
    org.show_object("Lead")
    syncd.later(minutes=2)
    assert syncd.run().changes == {"done": 1}
    assert reason(org, lead) == USER_UNKNOWN


@pytest.mark.usefixtures("both")
def test_so_does_a_read_that_is_refused(syncd: Syncd, org: Org, contact: str, lead: str) -> None:
    path = "composite/sobjects/Lead$"
    org.faults.add(Fault(path=path, method="POST", status=403, code="INSUFFICIENT_ACCESS", times=1))
    said = syncd.run()
    assert (said.ended, said.failed) == ("done", 1)
    assert (reason(org, contact), reason(org, lead)) == (USER_UNKNOWN, None)


def test_a_person_account_waits_while_accounts_cannot_be_seen(syncd: Syncd, org: Org) -> None:
    account, person = org.add_person(LastName="Simon", PersonEmail=ADDRESS)
    syncd.receive(payload("hard_bounce", whId=person))
    org.hide_object("Account")
    said = syncd.run()
    assert (said.failed, said.unmatched) == (1, 0)
    org.show_object("Account")
    syncd.later(minutes=2)
    syncd.run()
    assert org.get(account)["PersonEmailBouncedReason"] == USER_UNKNOWN


def test_who_has_to_be_looked_up_waits_too_for_nobody_can_say_that_there_is_only_one(
    configured: Callable[..., Settings], org: Org, contact: str
) -> None:
    settings = configured(mapping={"match_by_email": "unique"})
    syncd = Syncd(settings, Crm(settings))
    twin = org.add("Contact", LastName="Martin", Email="twin@example.fr")
    org.hide_object("Lead")
    try:
        syncd.receive(payload("hard_bounce", whId=contact), payload("hard_bounce", whId="", email="twin@example.fr"))
        said = syncd.run()
        assert (said.ended, said.failed, said.unmatched, dict(said.changes)) == ("done", 1, 0, {"done": 1})
        assert said.troubles[0].startswith("looking records up: NOT_FOUND")
        org.show_object("Lead")
        syncd.later(minutes=2)
        syncd.run()
        assert reason(org, twin) == USER_UNKNOWN
    finally:
        syncd.db.close()
        syncd.crm.session.close()


@pytest.mark.parametrize(
    ("path", "code", "ended", "failed"),
    [
        ("composite/sobjects/Contact$", "INSUFFICIENT_ACCESS", "done", 1),  # found, but not to be read
        ("/query$", "API_DISABLED_FOR_ORG", "fatal", 0),
    ],
)
def test_a_look_up_may_be_refused_on_the_way(
    configured: Callable[..., Settings], org: Org, contact: str, path: str, code: str, ended: str, failed: int
) -> None:
    settings = configured(mapping={"match_by_email": "unique"})
    syncd = Syncd(settings, Crm(settings))
    try:
        org.faults.add(Fault(path=path, status=403, code=code, times=1))
        syncd.receive(payload("hard_bounce", whId=""))
        said = syncd.run()
        assert (said.ended, said.failed, said.unmatched) == (ended, failed, 0)
        syncd.later(hours=2)
        syncd.run()
        assert reason(org, contact) == USER_UNKNOWN
    finally:
        syncd.db.close()
        syncd.crm.session.close()


@pytest.mark.usefixtures("both")
def test_a_refusal_that_speaks_of_the_whole_org_still_ends_the_run(syncd: Syncd, org: Org) -> None:
    org.faults.add(Fault(**READ, status=403, code="API_DISABLED_FOR_ORG", times=1))
    assert syncd.run().ended == "fatal"


# --- Salesforce falls silent on the way -----------------------------------------------------------------------------


@pytest.mark.usefixtures("both")
def test_what_was_planned_before_a_page_that_could_not_be_read_is_written(syncd: Syncd, org: Org, contact: str) -> None:
    third = org.add("Contact", LastName="Petit", Email="third@example.fr")
    syncd.receive(payload("hard_bounce", whId=third, email="third@example.fr"))
    syncd.options = Options(batch_size=1)
    org.faults.add(Fault(**READ, skip=1, status=503, code="SERVER_UNAVAILABLE", times=1))
    said = syncd.run()
    assert (said.ended, said.code, dict(said.changes)) == ("unavailable", "SERVER_UNAVAILABLE", {"done": 2})
    assert (reason(org, contact), reason(org, third)) == (USER_UNKNOWN, None)
    syncd.later(minutes=2)
    syncd.run()
    assert reason(org, third) == USER_UNKNOWN


@pytest.mark.usefixtures("both")
def test_but_not_when_no_call_is_left(syncd: Syncd, org: Org) -> None:
    syncd.options = Options(batch_size=1)
    org.faults.add(
        Fault(path="composite/sobjects/Lead$", method="POST", status=403, code="REQUEST_LIMIT_EXCEEDED", times=1)
    )
    said = syncd.run()
    assert (said.ended, said.code) == ("unavailable", "REQUEST_LIMIT_EXCEEDED")
    assert org.calls_count(writing=True) == 0


# --- one case that cannot be planned --------------------------------------------------------------------------------


@pytest.mark.usefixtures("both")
@pytest.mark.parametrize("column", ["raw", "why"])
def test_facts_that_cannot_be_read_hold_up_nobody_else(
    syncd: Syncd, org: Org, contact: str, lead: str, column: str
) -> None:
    if column == "why":
        syncd.run()
        org.edit(contact, EmailBouncedDate=None, EmailBouncedReason=None, Email="new@example.fr")
        org.edit(lead, EmailBouncedDate=None, EmailBouncedReason=None, Email="new@example.fr")
        syncd.receive(payload("hard_bounce", 2, whId=contact), payload("unsubscribe", 2, whId=lead, email=OTHER))
    table = "events" if column == "raw" else "changes"
    with syncd.db.conn:
        syncd.db.execute(f"UPDATE {table} SET {column} = '[1]' WHERE id = 1")
    with capture_logs() as logged:
        said = syncd.run()
    assert (said.ended, said.failed, dict(said.changes)) == ("done", 1, {"done": 1})
    assert org.get(lead)["HasOptedOutOfEmail" if column == "why" else "EmailBouncedReason"]
    (line,) = logged
    assert "reread" in line["traceback"] or "_ledger" in line["traceback"]
    assert ADDRESS not in str(line)
    assert syncd.run().subjects == 0  # not at once


@pytest.mark.usefixtures("both")
@pytest.mark.parametrize("name", ["standing", "removals"])  # whether its record is wanted; what to write to it
def test_a_mistake_in_planning_holds_up_nobody_else(
    syncd: Syncd, org: Org, contact: str, lead: str, name: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    real = getattr(planning, name)

    def mistaken(*about: Any) -> Any:
        if ADDRESS in str(about):
            raise ZeroDivisionError(ADDRESS)
        return real(*about)

    monkeypatch.setattr(planning, name, mistaken)
    with capture_logs() as logged:
        said = syncd.run()
    assert (said.ended, said.failed, dict(said.changes)) == ("done", 1, {"done": 1})
    assert reason(org, lead) == USER_UNKNOWN
    assert len(logged) == 1
    assert ADDRESS not in str(logged)
    assert syncd.desk.status(syncd.clock())["subjects_failing"] == 1
    monkeypatch.undo()
    syncd.later(minutes=2)
    assert syncd.run().changes == {"done": 1}
    assert reason(org, contact) == USER_UNKNOWN


@pytest.mark.usefixtures("both")
def test_a_store_that_fails_meanwhile_is_nobodys_mistake(syncd: Syncd, monkeypatch: pytest.MonkeyPatch) -> None:
    def failing(*_: Any) -> Any:
        raise StoreError("gone")

    monkeypatch.setattr(planning, "standing", failing)
    with pytest.raises(StoreError):
        syncd.run()


# --- a field change that Salesforce commits late --------------------------------------------------------------------


def test_a_mark_that_is_no_longer_wanted_is_not_given_up_while_salesforce_may_still_commit_it(
    syncd: Syncd, org: Org, contact: str
) -> None:
    org.faults.add(Fault(**UPDATE, status=503, code="SERVER_UNAVAILABLE", when="before", times=1))
    syncd.receive(payload("hard_bounce", whId=contact))
    syncd.run()
    syncd.receive(payload("delivered", 1, whId=contact), payload("unsubscribe", 2, whId=contact))
    syncd.later(minutes=3)
    assert syncd.run().changes == {}
    # now it arrives after all
    org.edit(contact, EmailBouncedDate="2026-03-02T09:00:00Z", EmailBouncedReason=USER_UNKNOWN)
    syncd.later(minutes=8)
    assert syncd.run().changes == {"done": 2}
    assert syncd.changes() == [("mark", "done"), ("opt_out", "done"), ("lift", "done")]
    assert reason(org, contact) is None


def test_after_that_time_it_is_void(syncd: Syncd, org: Org, contact: str) -> None:
    org.faults.add(Fault(**UPDATE, status=503, code="SERVER_UNAVAILABLE", when="before", times=1))
    syncd.receive(payload("hard_bounce", whId=contact))
    syncd.run()
    syncd.receive(payload("delivered", 1, whId=contact))
    syncd.later(minutes=11)
    syncd.run()
    assert syncd.changes() == [("mark", "superseded")]
    assert syncd.run().subjects == 0
