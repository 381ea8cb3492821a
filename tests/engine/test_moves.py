"""Once a day Salesforce tells which records were merged away or converted, though nothing asks for them any more."""

from __future__ import annotations

from collections.abc import Callable
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import pytest

from syncd.config import Settings
from syncd.engine import Summary
from syncd.salesforce import Crm
from syncd.sandbox import Fault, Org
from syncd.store import Calls, back_up
from tests.conftest import Syncd
from tests.engine.test_restored import restore
from tests.factories import ADDRESS, payload

REASON = "550 5.1.1 user unknown"
UNKNOWN = "003Sb00zzzzzzzzAAA"
ASKED = "queryAll"


@pytest.fixture
def syncd(syncd: Syncd, org: Org) -> Syncd:
    """Logged in by the real clock; then Salesforce's is the test's, for it says when a record was merged."""
    syncd.crm.session.log_in()
    org.clock = lambda: datetime.fromtimestamp(syncd.clock.at / 1000, UTC)
    return syncd


def contact(org: Org, email: str = ADDRESS) -> str:
    return org.add("Contact", LastName="Durand", Email=email)


def lead(org: Org, email: str = ADDRESS) -> str:
    return org.add("Lead", LastName="Durand", Company="Exemple SA", Email=email)


def person(org: Org) -> tuple[str, str]:
    return org.add_person(LastName="Durand", PersonEmail=ADDRESS)


def happens(syncd: Syncd, whid: str, *kinds: str) -> None:
    syncd.receive(*(payload(kind, day, whId=whid) for day, kind in enumerate(kinds)))
    syncd.run()


def day(syncd: Syncd, **arguments: Any) -> Summary:
    """One later: a run that asks, and the next one, which it has told what to do."""
    syncd.later(days=1)
    said = syncd.run(**arguments)
    syncd.later(minutes=1)
    syncd.run(**arguments)
    return said


def says(org: Org, sf_id: str) -> tuple[Any, Any]:
    """Whether a record is opted out, and why it is marked."""
    row, prefix = org.get(sf_id), "Person" if sf_id.startswith("001") else ""
    return row[f"{prefix}HasOptedOutOfEmail"], row[f"{prefix}EmailBouncedReason"]


def of(syncd: Syncd) -> set[str | None]:
    return {recipient["sf_id"] for recipient in syncd.desk.recipients()}


def questions(org: Org) -> int:
    return sum(call.path.endswith(ASKED) for call in org.calls)


# --- what nobody else would notice ----------------------------------------------------------------------------------

Way = Callable[[Org], tuple[str, str, Callable[[], None]]]
"""Two records, and what makes the first of the second."""


def merged(org: Org) -> tuple[str, str, Callable[[], None]]:
    winner, loser = contact(org), contact(org)
    return winner, loser, lambda: org.merge(winner, [loser])


def merged_leads(org: Org) -> tuple[str, str, Callable[[], None]]:
    winner, loser = lead(org), lead(org)
    return winner, loser, lambda: org.merge(winner, [loser])


def converted(org: Org) -> tuple[str, str, Callable[[], None]]:
    winner, loser = contact(org), lead(org)

    def convert() -> None:
        org.convert(loser, contact=winner)

    return winner, loser, convert


def converted_and_deleted(org: Org) -> tuple[str, str, Callable[[], None]]:
    winner, loser, convert = converted(org)

    def both() -> None:
        convert()
        org.delete(loser)

    return winner, loser, both


def merged_people(org: Org) -> tuple[str, str, Callable[[], None]]:
    (winner, _), (loser, _) = person(org), person(org)
    return winner, loser, lambda: org.merge(winner, [loser])


def merged_people_known_by_contact(org: Org) -> tuple[str, str, Callable[[], None]]:
    (winner, _), (loser, named) = person(org), person(org)
    return winner, named, lambda: org.merge(winner, [loser])


def a_chain(org: Org) -> tuple[str, str, Callable[[], None]]:
    """A Lead merged into a Lead that became a Contact that was merged into another one."""
    winner, third, second, first = contact(org), contact(org), lead(org), lead(org)

    def all_of_them() -> None:
        org.merge(second, [first])
        org.convert(second, contact=third)
        org.merge(winner, [third])

    return winner, first, all_of_them


WAYS = (merged, merged_leads, converted, converted_and_deleted, merged_people, merged_people_known_by_contact, a_chain)


@pytest.mark.parametrize("way", WAYS)
@pytest.mark.parametrize("known", [False, True], ids=["", "both mailed"])
def test_what_was_said_of_a_record_that_is_gone_holds_for_the_one_that_is_left(
    syncd: Syncd, org: Org, way: Way, *, known: bool
) -> None:
    winner, loser, move = way(org)
    if known:
        happens(syncd, winner, "delivered")
    happens(syncd, loser, "unsubscribe", "hard_bounce")
    move()
    syncd.run()
    assert says(org, winner) == (False, None)
    said = day(syncd)
    assert (said.ended, said.troubles) == ("done", [])
    assert says(org, winner) == (True, REASON)
    assert of(syncd) - {None} == {winner}
    writes = org.calls_count(writing=True)
    day(syncd)
    assert org.calls_count(writing=True) == writes


def test_what_waits_for_a_first_run_that_writes_is_written_where_it_belongs(syncd: Syncd, org: Org) -> None:
    winner, loser = contact(org), contact(org)
    observing: dict[str, Any] = {"write": False, "show_again_in": 7 * 86_400_000}
    syncd.receive(payload("unsubscribe", whId=loser))
    syncd.run(**observing)
    org.merge(winner, [loser])
    assert day(syncd, **observing).ended == "done"
    assert (of(syncd), says(org, winner)) == ({winner}, (False, None))
    syncd.run()
    assert says(org, winner) == (True, None)


def test_histories_are_one_though_neither_record_has_to_say_anything(syncd: Syncd, org: Org) -> None:
    """Three soft bounces of one and two of the other are five."""
    winner, loser = contact(org), contact(org)
    bob: dict[str, Any] = {"whId": contact(org, "bob@example.fr"), "email": "bob@example.fr"}
    syncd.receive(payload("unsubscribe", **bob), payload("delivered", 12, **bob))
    syncd.receive(*(payload("soft_bounce", 3 * i, whId=winner if i < 3 else loser) for i in range(5)))
    syncd.run()
    assert of(syncd) > {None}
    org.merge(winner, [loser])
    day(syncd)
    assert says(org, winner)[1].startswith("5 soft bounces")


def test_the_memory_of_a_merge_that_is_followed_no_more_bridges_what_is_purged(syncd: Syncd, org: Org) -> None:
    """A Lead can be read for ever, but the Contact that it became was merged and is out of the recycle bin."""
    last, middle, first = contact(org), contact(org), lead(org)
    happens(syncd, middle, "hard_bounce")
    happens(syncd, first, "unsubscribe")
    org.merge(last, [middle])
    day(syncd)
    org.purge(middle)
    org.edit(first, IsConverted=True, ConvertedContactId=middle)
    day(syncd)
    assert (says(org, last), of(syncd)) == ((True, REASON), {last})


def test_a_record_that_is_restored_before_it_was_followed_is_its_own(syncd: Syncd, org: Org) -> None:
    winner, loser = contact(org), contact(org)
    happens(syncd, winner, "hard_bounce")
    happens(syncd, loser, "unsubscribe")
    org.merge(winner, [loser])
    syncd.later(days=1)
    syncd.run()
    org.undelete(loser)
    for _ in range(2):
        syncd.receive(payload("unsubscribe", 5, whId=winner))
        syncd.run()
        assert of(syncd) == {winner, loser}
        syncd.later(minutes=1)
    happens(syncd, loser, "delivered")
    assert of(syncd) == {winner, loser}


def test_a_merge_that_was_committed_late_has_an_earlier_time(syncd: Syncd, org: Org) -> None:
    winner, loser = contact(org), contact(org)
    happens(syncd, loser, "unsubscribe")
    day(syncd)
    earlier = syncd.clock.at - 3_600_000
    org.clock = lambda: datetime.fromtimestamp(earlier / 1000, UTC)
    org.merge(winner, [loser])
    day(syncd)
    assert says(org, winner) == (True, None)


def test_of_many_each_is_heard_of_page_by_page(unbraked: Syncd, org: Org) -> None:
    syncd, number = unbraked, 250
    org.page_size = 100
    addresses = [f"n{i}@example.fr" for i in range(number)]
    winners, losers = ([contact(org, address) for address in addresses] for _ in range(2))
    syncd.receive(*(payload("unsubscribe", whId=losers[i], email=addresses[i]) for i in range(number)))
    syncd.run()
    for winner, loser in zip(winners, losers, strict=True):
        org.merge(winner, [loser])
    before = org.calls_count()
    day(syncd)
    assert {says(org, winner)[0] for winner in winners} == {True}
    # three pages; they and the survivors are read in one call, and written in two
    assert org.calls_count() - before == 6


def test_a_run_that_is_stopped_between_two_pages_asks_again(syncd: Syncd, org: Org) -> None:
    org.page_size = 1
    pairs = [(contact(org), contact(org)) for _ in range(3)]
    syncd.receive(*(payload("unsubscribe", whId=loser) for _, loser in pairs))
    syncd.run()
    for winner, loser in pairs:
        org.merge(winner, [loser])
    syncd.later(days=1)
    syncd.stopping = lambda: questions(org) > 0
    assert syncd.run().ended == "stopped"
    syncd.stopping = lambda: False
    for _ in range(2):
        syncd.later(minutes=1)
        syncd.run()
    assert {says(org, winner)[0] for winner, _ in pairs} == {True}


# --- how often, and what it costs -----------------------------------------------------------------------------------


def test_an_idle_org_is_asked_once_a_day_about_what_is_known(syncd: Syncd, org: Org) -> None:
    happens(syncd, contact(org), "unsubscribe")
    syncd.receive(payload("delivered", whId=lead(org)))  # asks for nothing, so it is not known to be one
    syncd.run()
    before = org.calls_count()
    for days in range(1, 8):
        for _ in range(4):
            syncd.later(hours=6)
            syncd.run()
        assert org.calls_count() - before == days


def test_a_store_that_knows_no_record_asks_nothing(syncd: Syncd, org: Org) -> None:
    happens(syncd, UNKNOWN, "delivered")
    before = org.calls_count()
    day(syncd)
    assert org.calls_count() == before


def test_merges_of_people_whom_nobody_mailed_cost_no_further_call(syncd: Syncd, org: Org) -> None:
    happens(syncd, contact(org), "unsubscribe")
    org.merge(contact(org), [contact(org)])
    org.convert(lead(org))
    before = org.calls_count()
    day(syncd)
    assert org.calls_count() - before == 1


def test_what_was_told_yesterday_is_not_looked_at_again(syncd: Syncd, org: Org) -> None:
    winner, loser = contact(org), contact(org)
    happens(syncd, loser, "unsubscribe")
    org.merge(winner, [loser])
    day(syncd)
    org.forget_calls()
    day(syncd)
    day(syncd)
    assert [call.rows for call in org.calls] == [1, 0]


# --- what goes wrong ------------------------------------------------------------------------------------------------


@pytest.fixture
def gone(syncd: Syncd, org: Org) -> str:
    """The survivor of a record that had been opted out and of which nothing more is heard; a day has passed."""
    winner, loser = contact(org), contact(org)
    happens(syncd, loser, "unsubscribe")
    org.merge(winner, [loser])
    syncd.later(days=1)
    return winner


def test_a_question_that_fails_holds_nothing_up_and_is_asked_again_in_an_hour(
    syncd: Syncd, org: Org, gone: str
) -> None:
    org.faults.add(Fault(path=ASKED, status=500, code="UNKNOWN_EXCEPTION", times=1))
    other = contact(org, "bob@example.fr")
    syncd.receive(payload("unsubscribe", whId=other, email="bob@example.fr"))
    said = syncd.run()
    assert (said.ended, said.failed, says(org, other)) == ("done", 0, (True, None))
    (trouble,) = said.troubles
    assert trouble.startswith("asking which Contacts were merged or converted: UNKNOWN_EXCEPTION")
    syncd.later(minutes=59)
    assert syncd.run().calls == 0
    syncd.later(minutes=1)
    assert syncd.run().troubles == []
    syncd.run()
    assert says(org, gone) == (True, None)


def test_what_the_user_may_not_ask_is_asked_again_the_next_day_and_all_of_it(syncd: Syncd, org: Org, gone: str) -> None:
    other, left = lead(org), contact(org)
    org.hide_field("Contact", "MasterRecordId")
    happens(syncd, other, "unsubscribe")
    org.convert(other, contact=left)
    for asked in (2, 1, 1):  # the Lead is none any more
        before = questions(org)
        said = day(syncd)
        assert (said.ended, len(said.troubles), questions(org) - before) == ("done", 1, asked)
    assert (says(org, left), says(org, gone)) == ((True, None), (False, None))
    org.show_field("Contact", "MasterRecordId")
    day(syncd)
    assert says(org, gone) == (True, None)


def test_what_comes_after_a_lost_page_is_heard_of_later(syncd: Syncd, org: Org) -> None:
    org.page_size = 1
    pairs = [(contact(org), contact(org)) for _ in range(2)]
    syncd.receive(*(payload("unsubscribe", whId=loser) for _, loser in pairs))
    syncd.run()
    for winner, loser in pairs:
        org.merge(winner, [loser])
    org.faults.add(Fault(path="/query/", status=500, code="UNKNOWN_EXCEPTION", times=1))
    assert len(day(syncd).troubles) == 1
    assert [says(org, winner)[0] for winner, _ in pairs] == [True, False]
    syncd.later(hours=1)
    syncd.run()
    syncd.run()
    assert [says(org, winner)[0] for winner, _ in pairs] == [True, True]


def test_calls_that_are_short_are_not_for_questions(configured: Callable[..., Settings], org: Org) -> None:
    settings = configured(salesforce={"daily_budget": 100})
    syncd = Syncd(settings, Crm(settings))
    try:
        winner, loser = contact(org), contact(org)
        happens(syncd, loser, "unsubscribe")
        org.merge(winner, [loser])
        syncd.later(days=1)
        Calls(syncd.db).add(96, syncd.clock())
        before = org.calls_count()
        assert syncd.run().ended == "done"
        assert org.calls_count() == before
        day(syncd)
        day(syncd)
        assert says(org, winner) == (True, None)
    finally:
        syncd.db.close()
        syncd.crm.session.close()


def test_a_clock_that_was_far_ahead_leaves_nothing_out(syncd: Syncd, org: Org) -> None:
    winner, loser = contact(org), contact(org)
    happens(syncd, loser, "unsubscribe")
    true = syncd.clock.at
    org.clock = lambda: datetime.fromtimestamp(true / 1000, UTC)
    syncd.later(days=400)
    syncd.run()
    org.merge(winner, [loser])
    day(syncd)
    assert (questions(org), says(org, winner)) == (2, (False, None))
    syncd.clock.at = true + 3_600_000
    syncd.run()
    syncd.run()
    assert says(org, winner) == (True, None)


def test_a_restored_store_asks_from_when_it_was_copied_on(syncd: Syncd, org: Org, tmp_path: Path) -> None:
    winner, loser = contact(org), contact(org)
    happens(syncd, loser, "unsubscribe")
    day(syncd)
    copy = back_up(syncd.settings.store.path, tmp_path / "copy.db", syncd.clock()).path
    org.merge(winner, [loser])
    for _ in range(5):
        day(syncd)
    restore(syncd, copy)
    assert of(syncd) == {loser}
    day(syncd)
    assert of(syncd) == {winner}


def test_a_store_of_an_earlier_version_asks_about_all_its_time(syncd: Syncd, org: Org, gone: str) -> None:
    for _ in range(9):
        syncd.later(days=1)
        org.faults.add(Fault(path=ASKED, status=500, code="UNKNOWN_EXCEPTION", times=1))
        syncd.run()
    syncd.db.execute("DELETE FROM meta WHERE name = 'moves_asked'")
    org.faults.clear()
    syncd.run()
    syncd.run()
    assert says(org, gone) == (True, None)
