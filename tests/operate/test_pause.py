"""Nothing delivered is ever reported, and opt-outs that cannot be written: nobody is marked, nobody is forgotten."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import pytest

from syncd.alarms import conditions
from syncd.model import Rules, Seen
from syncd.rules import deliveries_unseen
from syncd.sandbox import Fault, Org
from syncd.store import Alarms
from tests.conftest import Syncd
from tests.factories import ADDRESS, payload

RULE = Rules().soft_bounce
DAY = 86_400_000
OTHER = {"email": "bob@example.fr", "whId": ""}
REFUSED = {"row_code": "FIELD_CUSTOM_VALIDATION_EXCEPTION", "row_message": "not on Mondays"}


@pytest.mark.parametrize(
    ("story", "seen", "pauses"),
    [
        ("nothing was reported", Seen(), False),
        ("only mails that arrived", Seen(9, last_success=5 * DAY), False),
        ("bounces of less than a week", Seen(9, 0, 7 * DAY - 1), False),
        ("bounces of a week, and nothing else ever", Seen(9, 0, 7 * DAY), True),
        ("a mail arrived within the week", Seen(9, 0, 90 * DAY, 84 * DAY), False),
        ("…and has not for a week", Seen(9, 0, 90 * DAY, 83 * DAY), True),
        ("no bounce since, however long ago that is", Seen(9, 0, 1 * DAY, 400 * DAY), False),
        ("one recipient alone tells nothing", Seen(1, 0, 90 * DAY), False),
    ],
)
def test_when_soft_bounces_mark_nobody(story: str, seen: Seen, *, pauses: bool) -> None:
    assert deliveries_unseen(seen, RULE) is pauses, story


def alarms(syncd: Syncd) -> list[str]:
    situation = Alarms(syncd.db).situation(syncd.clock(), every=60_000, watch_silence=False, disk_free=None)
    return [alarm.key for alarm in conditions(situation)]


def reason_of(org: Org, contact: str) -> Any:
    return org.get(contact)["EmailBouncedReason"]


@pytest.fixture
def paused(syncd: Syncd, org: Org, contact: str) -> str:
    """Five soft bounces in a row, of two people; nothing that arrived was ever reported."""
    soft = [payload("soft_bounce", day, whId=contact) for day in (0, 10, 20, 30, 40)]
    syncd.receive(*soft, payload("soft_bounce", 1, **OTHER))
    syncd.run()
    assert reason_of(org, contact) is None
    assert syncd.changes() == [("mark", "refused")]
    return contact


def test_it_pauses_with_an_alarm_after_an_hour_and_a_second_run_changes_nothing(syncd: Syncd, paused: str) -> None:
    assert "nothing_delivered" not in alarms(syncd)
    syncd.later(hours=1)
    assert "nothing_delivered" in alarms(syncd)
    syncd.wake()
    syncd.run()
    assert syncd.changes() == [("mark", "refused")]


def test_when_something_arrives_again_what_paused_is_marked_in_the_same_run(
    syncd: Syncd, org: Org, paused: str
) -> None:
    syncd.receive(payload("delivered", 41, "s41", **OTHER))
    syncd.run()
    assert reason_of(org, paused) == "5 soft bounces, 2026-03-02 to 2026-04-11"
    assert "nothing_delivered" not in alarms(syncd)


def test_a_hard_bounce_marks_all_the_same(syncd: Syncd, org: Org, paused: str) -> None:
    syncd.receive(payload("hard_bounce", 41, whId=paused))
    syncd.run()
    assert reason_of(org, paused) == "550 5.1.1 user unknown"


def test_what_was_marked_before_stays(syncd: Syncd, org: Org, contact: str) -> None:
    soft = [payload("soft_bounce", day, whId=contact) for day in (0, 10, 20, 30, 40)]
    syncd.receive(*soft, payload("delivered", 39, "x", **OTHER))
    syncd.run()
    marked = reason_of(org, contact)
    assert marked
    syncd.receive(payload("soft_bounce", 60, "y", whId=contact))
    syncd.run()
    assert reason_of(org, contact) == marked


# --- opt-outs --------------------------------------------------------------------------------------------------------


def no_record(_: Org) -> str:
    return "003Sb0000000999IAA"


def refused(org: Org) -> str:
    org.faults.add(Fault(path="composite/sobjects$", method="PATCH", times=12, **REFUSED))  # type: ignore[arg-type]
    return org.add("Contact", LastName="Durand", Email=ADDRESS)


@pytest.mark.parametrize("trouble", [no_record, refused])
def test_an_opt_out_that_cannot_be_written_alarms_after_a_day_and_is_tried_daily_for_ever(
    syncd: Syncd, org: Org, trouble: Callable[[Org], str]
) -> None:
    syncd.receive(payload("unsubscribe", whId=trouble(org)))
    syncd.run()
    assert "opt_outs" not in alarms(syncd)
    for _ in range(10):
        syncd.later(days=1, minutes=1)
        calls = org.calls_count()
        syncd.run()
        assert org.calls_count() > calls
        assert "opt_outs" in alarms(syncd)


def test_a_refused_opt_out_is_written_the_day_it_can_be(syncd: Syncd, org: Org) -> None:
    contact = refused(org)
    syncd.receive(payload("unsubscribe", whId=contact))
    for _ in range(14):
        syncd.run()
        syncd.later(days=1, minutes=1)
    assert org.get(contact)["HasOptedOutOfEmail"] is True
    assert "opt_outs" not in alarms(syncd)


def test_an_opt_out_is_not_given_up_as_other_changes_are(syncd: Syncd, org: Org, contact: str) -> None:
    locked = {"row_code": "UNABLE_TO_LOCK_ROW", "row_message": "locked"}
    org.faults.add(Fault(path="composite/sobjects$", method="PATCH", times=None, **locked))  # type: ignore[arg-type]
    syncd.receive(payload("unsubscribe", whId=contact))
    for _ in range(5):
        syncd.run()
        syncd.later(days=3)
    assert "rejected" not in {state for _, state in syncd.changes()}


def test_a_held_group_is_one_alarm_that_names_what_was_written_and_how_to_take_it_back(syncd: Syncd, org: Org) -> None:
    for i in range(60):
        who = {"email": f"n{i}@gone.example", "whId": org.add("Contact", LastName="N", Email=f"n{i}@gone.example")}
        syncd.receive(payload("hard_bounce", 1, "s", **who))
    syncd.run()
    situation = Alarms(syncd.db).situation(syncd.clock(), every=60_000, watch_silence=False, disk_free=None)
    (alarm,) = [alarm for alarm in conditions(situation) if alarm.key.startswith("held")]
    assert alarm.words == "11 marks held back, domain gone.example"
    assert alarm.advice.endswith("49 marks went out before: syncd undo --group 1.")
