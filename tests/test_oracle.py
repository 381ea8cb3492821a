"""The rules against a reckoning that was written from the specification alone, by somebody who had not seen them."""

from __future__ import annotations

from datetime import UTC, datetime
from typing import Any

from hypothesis import given
from hypothesis import strategies as st

from syncd.model import Kind, Rules
from syncd.rules import standing
from syncd.sarbacane import read
from tests.factories import ADDRESS, NOW
from tests.histories import courses, histories, scans
from tests.reckoning import Expected, reckon

RULES = Rules()


def said(history: list[dict[str, Any]], timezone: str) -> Expected:
    events = [read(item, NOW) for item in history]
    it = standing(events, (ADDRESS,), (), Rules(timezone=timezone))
    moment = datetime.fromtimestamp(it.invalid.event.at // 1000, UTC) if it.invalid else None
    return Expected(
        bounce_date=moment.strftime("%Y-%m-%dT%H:%M:%SZ") if moment else None,
        bounce_reason=it.invalid.reason if it.invalid else None,
        opted_out=it.opted_out is not None,
        activities=frozenset(
            (g.key, sum(e.kind is Kind.OPEN for e in g.people), sum(e.kind is Kind.CLICK for e in g.people))
            for g in it.engagements
            if g.people
        ),
    )


@given(courses() | histories(), st.sampled_from(["UTC", "Europe/Paris", "Pacific/Auckland"]))
def test_the_rules_say_what_the_reckoning_says(history: list[dict[str, Any]], timezone: str) -> None:
    assert said(history, timezone) == reckon(history, ADDRESS, timezone=timezone)


@given(scans(), st.randoms(use_true_random=False))
def test_machines_are_told_as_the_reckoning_tells_them_in_any_order(history: list[dict[str, Any]], chance: Any) -> None:
    shuffled = [*history, *history[:3]]
    chance.shuffle(shuffled)
    assert said(shuffled, "UTC") == reckon(history, ADDRESS)
