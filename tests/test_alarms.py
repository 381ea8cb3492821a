"""What needs a person: each condition at its edge, and what must not be mistaken for silence."""

from __future__ import annotations

from bisect import bisect_left, bisect_right
from dataclasses import replace
from itertools import pairwise
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from syncd.alarms import DAY, HOUR, MINUTE, ROOM, LastRun, Pulse, Situation, Waiting, conditions, tail_begins
from tests.factories import NOW

WELL = Situation(
    now=NOW,
    pulse=Pulse(first=NOW - 300 * DAY, last=NOW - HOUR, gap=20 * HOUR, lively=50, young_send=NOW - 5 * HOUR),
    last_run=LastRun("done"),
    started_at=NOW - MINUTE,
    oldest_fresh=NOW - MINUTE,
    disk_free=10 * ROOM,
)


def keys(**seen: Any) -> list[str]:
    return [alarm.key for alarm in conditions(replace(WELL, **seen))]


def pulse(**seen: Any) -> Pulse:
    return replace(WELL.pulse, **seen)


@pytest.mark.parametrize(
    ("seen", "key"),
    [
        ({"disk_free": ROOM - 1}, "disk"),
        ({"refused": 1}, "refused"),
        ({"last_run": LastRun("fatal", "INVALID_LOGIN")}, "run"),
        ({"crashed": 3}, "crashes"),
        ({"heartbeat_at": NOW - 10 * MINUTE}, "no_runs"),
        ({"started_at": NOW - 15 * MINUTE}, "no_runs"),
        ({"last_run": LastRun("unavailable"), "failing_since": NOW - HOUR}, "salesforce"),
        ({"oldest_fresh": NOW - HOUR}, "backlog"),
        ({"oldest_due": NOW - HOUR}, "backlog"),
        ({"budget_spent": True}, "budget"),
        ({"unread": 10}, "quarantine"),
        ({"oversized": 1}, "oversized"),
        ({"strangers": 5}, "unknown_token"),
        ({"backup_at": NOW - 2 * DAY}, "backup"),
        ({"backup_problem": "no room"}, "backup"),
        ({"received_at": NOW - 9 * MINUTE, "missed_at": NOW - 5 * MINUTE}, "receiver"),
        ({"backup_at": NOW - HOUR, "backup_problem": "no room"}, "backup"),
    ],
)
def test_a_condition_that_holds_is_an_alarm_with_words_and_advice(seen: dict[str, Any], key: str) -> None:
    (alarm,) = conditions(replace(WELL, **seen))
    assert alarm.key == key
    assert alarm.words
    assert alarm.advice
    assert not alarm.words.endswith(".")


@pytest.mark.parametrize(
    "seen",
    [
        {},
        {"disk_free": None},
        {"last_run": None, "started_at": None, "oldest_fresh": None, "pulse": Pulse()},
        {"last_run": LastRun("unavailable"), "failing_since": NOW - HOUR + 1},
        {"heartbeat_at": NOW - MINUTE, "started_at": NOW - 3 * HOUR},  # a long run that moves
        {"started_at": NOW - 50 * MINUTE, "every": 10 * MINUTE},
        {"oldest_due": NOW + HOUR},
        {"unread": 9},
        {"strangers": 4},
        {"crashed": 2},
        {"backup_at": NOW - 2 * DAY + 1},
        {"received_at": NOW - DAY, "missed_at": NOW - 5 * MINUTE + 1},  # it was switched off over night
        {"received_at": NOW - DAY},  # and so were the runs
        {"missed_at": NOW - DAY},  # there never was one here
    ],
)
def test_what_is_usual_is_none(seen: dict[str, Any]) -> None:
    assert keys(**seen) == []


def test_every_condition_is_told_by_one_key_only() -> None:
    bad = replace(
        WELL, disk_free=0, refused=1, last_run=LastRun("fatal"), crashed=9, started_at=0, strangers=9,
        budget_spent=True, stuck_opt_outs=1, paused_since=0,
            waiting=(Waiting(1, "domain gone.example", shifted=False, held="1 mark", written=""),),
            oldest_due=0, received_at=0, missed_at=0, unread=99, oversized=9, pulse=pulse(last=NOW - 7 * HOUR),
    )  # fmt: skip
    found = [alarm.key for alarm in conditions(bad)]
    assert len(found) == len(set(found)) > 10


# --- silence --------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("seen", "silent"),
    [
        ({"last": NOW - 6 * HOUR, "young_send": NOW - 10 * HOUR}, True),
        ({"last": NOW - 6 * HOUR + 1, "young_send": NOW - 10 * HOUR}, False),
        ({"last": NOW - 6 * HOUR, "young_send": NOW - 10 * HOUR, "lively": 19}, False),  # it has thinned out
        ({"last": NOW - 6 * HOUR, "young_send": NOW - 48 * HOUR}, False),
        ({"last": NOW - 6 * HOUR, "young_send": None}, False),
        ({"last": NOW - 30 * HOUR, "young_send": None}, True),  # a gap and a half
        ({"last": NOW - 30 * HOUR + 1, "young_send": None}, False),
        ({"last": NOW - 6 * HOUR, "young_send": None, "gap": 0}, True),
        ({"last": NOW - 5 * HOUR, "young_send": None, "gap": 0}, False),  # never less than six hours
        ({"last": NOW - 40 * DAY, "first": NOW - 69 * DAY, "young_send": None}, False),  # known for too short a time
    ],
)
def test_silence(seen: dict[str, Any], *, silent: bool) -> None:
    assert keys(pulse=pulse(**seen)) == ["silence"] * silent
    assert keys(pulse=pulse(**seen), watch_silence=False) == []


def test_silence_lasts_until_something_comes_and_not_until_the_send_is_old() -> None:
    last, opened = NOW - 6 * HOUR, NOW
    silent = pulse(last=last, young_send=NOW - 10 * HOUR, first=NOW - 10 * HOUR)
    assert keys(pulse=silent) == ["silence"]
    later = {"now": NOW + 3 * DAY, "started_at": NOW + 3 * DAY, "oldest_fresh": None, "open": {"silence": opened}}
    assert keys(pulse=replace(silent, young_send=None), **later) == ["silence"]
    assert keys(pulse=replace(silent, young_send=None, last=NOW + 3 * DAY - MINUTE), **later) == []


def watched(seen: list[int], sends: list[int], now: int) -> Pulse:
    """The pulse of these events, in order, as a store would have counted it; gaps by whole hours."""
    seen = seen[: bisect_right(seen, now)]
    if not seen:
        return Pulse()
    hours = sorted({at // HOUR for at in seen})
    gaps = [b - a for a, b in pairwise(hours) if b * HOUR >= now - 90 * DAY]
    young = max((at for at in sends if now - 48 * HOUR <= at <= now), default=None)
    lively = 0 if young is None else len(seen) - bisect_left(seen, tail_begins(young, seen[-1]))
    return Pulse(hours[0] * HOUR, seen[-1], max(gaps, default=0) * HOUR, lively, young)


def campaign(start: int, people: int) -> list[int]:
    """What a mailing brings: opens fall off as one by its age does, and end after two days."""
    delivered = [start + i * 100 for i in range(people)]
    return delivered + [start + round(10 * MINUTE * people / i) for i in range(1, people) if 10 * people / i < 48 * 60]


@given(people=st.integers(5, 300), every=st.integers(5, 40), late=st.lists(st.integers(0, 20), min_size=5, max_size=5))
def test_who_mails_from_time_to_time_is_never_called_silent(people: int, every: int, late: list[int]) -> None:
    """Weekly to monthly, on whatever hour of the day."""
    sends = [NOW + (i * every * 24 + hours) * HOUR for i, hours in enumerate(late)]
    events = sorted(at for start in sends for at in campaign(start, people))
    moments = [at + after * HOUR for at in sends for after in (*range(1, 72, 7), 100)] + [at - HOUR for at in sends[1:]]
    for now in moments:
        assert keys(now=now, started_at=now, oldest_fresh=None, pulse=watched(events, sends, now)) == [], now - sends[0]


@given(people=st.integers(20, 3000), stops=st.integers(20, 40 * 60))
def test_a_tail_that_is_cut_off_is_noticed_after_six_hours_and_one_that_ends_is_not(people: int, stops: int) -> None:
    whole = sorted(campaign(NOW, people))
    events = whole[: bisect_right(whole, NOW + stops * MINUTE)]
    now = events[-1] + 6 * HOUR
    missed = bisect_right(whole, now) - len(events)
    found = keys(now=now, started_at=now, oldest_fresh=None, pulse=watched(events, [NOW], now))
    assert found == ["silence"] or missed < 25
    assert found == [] or missed > 5
