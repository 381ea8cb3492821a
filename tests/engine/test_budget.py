"""The calls that syncd allows itself are never passed, and what matters most gets them."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from contextlib import nullcontext
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from syncd.budget import Budget, Need
from syncd.config import Settings
from syncd.engine import Summary
from syncd.errors import BudgetSpent
from syncd.salesforce import Crm
from syncd.sandbox import Org
from syncd.store import Calls, open_store
from tests.conftest import Syncd
from tests.factories import payload

HOUR = 3_600_000


@pytest.fixture
def with_budget(configured: Callable[..., Settings]) -> Iterator[Callable[[str | int], Syncd]]:
    opened: list[Syncd] = []

    def make(daily: str | int) -> Syncd:
        settings = configured(salesforce={"daily_budget": daily})
        opened.append(Syncd(settings, Crm(settings)))
        return opened[-1]

    yield make
    for one in opened:
        one.db.close()
        one.crm.session.close()


def campaign(syncd: Syncd, org: Org, *kinds: str) -> list[str]:
    people = [org.add("Contact", LastName=f"N{i}", Email=f"n{i}@example.fr") for i in range(len(kinds))]
    syncd.receive(
        *(payload(kinds[i], whId=who, email=f"n{i}@example.fr") for i, who in enumerate(people)),
    )
    return people


def opted_out(org: Org) -> int:
    return sum(bool(contact["HasOptedOutOfEmail"]) for contact in org.all("Contact"))


def marked(org: Org) -> int:
    return sum(bool(contact["EmailBouncedDate"]) for contact in org.all("Contact"))


def day_by_day(syncd: Syncd, days: int) -> list[Summary]:
    said = []
    for _ in range(days):
        syncd.later(hours=26)
        said.append(syncd.run())
    return said


@pytest.mark.parametrize("calls", range(1, 12))
def test_whatever_the_budget_it_is_never_passed_and_everything_gets_written_in_the_end(
    with_budget: Callable[..., Syncd], org: Org, calls: int
) -> None:
    """Login, describe and read take three calls, and then each kind of change one or two."""
    syncd = with_budget(calls)
    campaign(syncd, org, "unsubscribe", "hard_bounce", "open")
    for _ in range(12):
        before = org.calls_count()
        said = syncd.run()
        assert org.calls_count() - before <= calls
        assert said.calls == org.calls_count() - before
        if said.ended == "done":
            break
        assert said.ended == "budget"
        assert said.resumes_at > syncd.clock.at
        assert "goes on at 2026-1" in said.words
        assert syncd.run().calls <= 1  # nothing is hammered meanwhile
        syncd.clock.at = said.resumes_at
    if calls >= 4:  # fewer never suffice for reading a record and writing an activity
        assert (opted_out(org), marked(org), len(org.all("Task"))) == (1, 1, 1)


def test_opt_outs_come_first_then_marks_then_activities(with_budget: Callable[..., Syncd], org: Org) -> None:
    syncd = with_budget(5)
    campaign(syncd, org, "open", "hard_bounce", "unsubscribe")
    said = syncd.run()
    # login, describe, read; the fourth call is for the one or two records that want fields
    assert (said.ended, opted_out(org), org.all("Task")) == ("budget", 1, [])


def test_activities_leave_a_fifth_to_what_matters_more(with_budget: Callable[..., Syncd], org: Org) -> None:
    syncd = with_budget(100)
    Calls(syncd.db).add(80, syncd.clock())
    campaign(syncd, org, "open", "hard_bounce")
    said = syncd.run()
    assert (said.ended, marked(org), org.all("Task")) == ("budget", 1, [])
    assert "the others are kept for opt-outs and marks" in said.words
    later = syncd.run()
    assert (later.calls, later.subjects) == (0, 0)  # not even read again
    syncd.clock.at = said.resumes_at
    assert syncd.run().ended == "done"
    assert len(org.all("Task")) == 1


def test_when_marks_are_short_only_opt_outs_are_read_and_written(with_budget: Callable[..., Syncd], org: Org) -> None:
    syncd = with_budget(100)
    Calls(syncd.db).add(95, syncd.clock())
    campaign(syncd, org, "hard_bounce", "complaint", "unsubscribe")
    said = syncd.run()
    assert (said.ended, opted_out(org), marked(org)) == ("budget", 2, 0)
    assert "kept for opt-outs" in said.words
    syncd.clock.at = said.resumes_at
    syncd.run()
    assert marked(org) == 1


def test_a_share_is_of_what_salesforce_says_the_org_may_and_of_the_least_until_then(
    with_budget: Callable[..., Syncd], org: Org
) -> None:
    syncd = with_budget("1%")
    calls = Calls(syncd.db)
    budget = Budget(calls, "1%", syncd.clock)
    assert budget.allowed == 150
    org.daily_limit = 50_000
    campaign(syncd, org, "hard_bounce")
    syncd.run()
    assert (calls.org_limit, budget.allowed) == (50_000, 500)


@pytest.mark.parametrize("usage", ["99999/100000", "0/100000", "100000/100000"])
def test_what_salesforce_says_of_the_orgs_usage_changes_nothing(
    with_budget: Callable[..., Syncd], org: Org, usage: str
) -> None:
    syncd = with_budget(50)
    org.api_usage = min(int(usage.partition("/")[0]), 99_000)
    campaign(syncd, org, "hard_bounce")
    said = syncd.run()
    assert (said.ended, Budget(Calls(syncd.db), 50, syncd.clock).used) == ("done", said.calls)


def test_calls_are_counted_over_restarts_and_whoever_makes_them(
    with_budget: Callable[..., Syncd], configured: Callable[..., Settings], org: Org
) -> None:
    syncd = with_budget(40)
    people = campaign(syncd, org, "hard_bounce")
    syncd.run()
    again = Syncd(syncd.settings, Crm(syncd.settings), clock=syncd.clock)
    again.receive(payload("unsubscribe", 2, whId=people[0], email="n0@example.fr"))
    again.run()
    again.db.close()
    again.crm.session.close()
    assert syncd.desk.status(syncd.clock())["calls_24h"] == org.calls_count()


def test_an_org_that_is_out_of_calls_itself_is_waited_for(with_budget: Callable[..., Syncd], org: Org) -> None:
    syncd = with_budget("20%")
    org.api_usage = org.daily_limit
    campaign(syncd, org, "unsubscribe")
    assert syncd.run().code == "REQUEST_LIMIT_EXCEEDED"
    org.api_usage = 0
    syncd.later(minutes=3)
    syncd.run()
    assert opted_out(org) == 1


# --- the count itself ---------------------------------------------------------------------------------------------


class Counted:
    """A ledger in memory, by the hour as the store's."""

    def __init__(self) -> None:
        self.org_limit = 0
        self.hours: dict[int, int] = {}

    def add(self, calls: int, now: int) -> None:
        self.hours[now // HOUR] = self.hours.get(now // HOUR, 0) + calls

    def recent(self, now: int) -> list[tuple[int, int]]:
        return [((h + 25) * HOUR, n) for h, n in sorted(self.hours.items()) if h >= now // HOUR - 24]


@given(
    daily=st.integers(1, 40),
    steps=st.lists(st.tuples(st.integers(0, 5 * HOUR), st.sampled_from(Need)), max_size=120),
)
def test_in_no_24_hours_there_are_more_calls_than_allowed(daily: int, steps: list[tuple[int, Need]]) -> None:
    now, made = 0, list[int]()
    budget = Budget(Counted(), daily, lambda: now)
    for pause, need in steps:
        now += pause
        until = budget.free_at(need)
        with budget.for_(need), nullcontext() if not until else pytest.raises(BudgetSpent):
            budget.spend()
            made.append(now)
        if until:
            before, now = now, until
            assert until > before
            assert budget.free_at(need) == 0
            now = before
    for last in made:
        assert sum(last - 24 * HOUR <= at <= last for at in made) <= daily


@pytest.mark.parametrize("allowed", [1, 2, 3, 10, 100, 20_000])
def test_what_matters_more_has_at_least_as_many_calls(allowed: int) -> None:
    ceilings = [need.ceiling(allowed) for need in (Need.ACTIVITIES, Need.MARKS, Need.OPT_OUTS)]
    assert ceilings == sorted(ceilings)
    assert (ceilings[0] >= 1, ceilings[-1]) == (True, allowed)


def test_a_ledger_written_before_a_crash_is_whole(configured: Callable[..., Settings]) -> None:
    """Each call is committed before it is made: another connection sees it at once."""
    path = configured().store.path
    mine, other = open_store(path), open_store(path)
    seen: list[Any] = []
    for _ in range(3):
        Calls(mine).add(1, 10 * HOUR)
        seen.append(Calls(other).recent(10 * HOUR))
    assert [calls for ((_, calls),) in seen] == [1, 2, 3]
    mine.close()
    other.close()
