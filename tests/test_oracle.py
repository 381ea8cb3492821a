"""The rules against a reckoning that was written from the specification alone, by somebody who had not seen them."""

from __future__ import annotations

from datetime import UTC, datetime
from typing import Any

from hypothesis import given
from hypothesis import strategies as st

from syncd.model import Kind, Rules
from syncd.rules import standing
from syncd.sarbacane import read
from tests.factories import ADDRESS, NOW, payload
from tests.reckoning import Expected, reckon

RULES = Rules()
kinds = st.sampled_from(["delivered", "soft_bounce", "hard_bounce", "open", "click", "unsubscribe", "complaint"])


@st.composite
def histories(draw: st.DrawFn) -> list[dict[str, Any]]:
    """Weeks of mailings, weighted towards bounces; each event at its own moment, so nothing hangs on ties."""
    size = draw(st.integers(0, 18))
    moments = draw(st.lists(st.integers(0, 240), min_size=size, max_size=size, unique=True))
    return [
        payload(
            draw(kinds | st.just("soft_bounce")),
            quarter / 4,
            draw(st.sampled_from([f"s{quarter // 8}", f"s{quarter // 8}", f"s{quarter // 40}", ""])),
            campaignId=draw(st.sampled_from(["c1", ""])),
            email=draw(st.sampled_from([ADDRESS, ADDRESS, ADDRESS, "old@example.fr"])),
        )
        for quarter in moments
    ]


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


@given(histories(), st.sampled_from(["UTC", "Europe/Paris", "Pacific/Auckland"]))
def test_the_rules_say_what_the_reckoning_says(history: list[dict[str, Any]], timezone: str) -> None:
    assert said(history, timezone) == reckon(history, ADDRESS, timezone=timezone)


@st.composite
def scans(draw: st.DrawFn) -> list[dict[str, Any]]:
    """Minutes around a few deliveries, with links that are followed at once, one by one, or not at all."""
    size = draw(st.integers(0, 14))
    moments = draw(st.lists(st.integers(0, 60), min_size=size, max_size=size, unique=True))
    return [
        payload(
            draw(kinds | st.sampled_from(["click", "click", "open"])),
            half / 2 / 86_400,
            draw(st.sampled_from(["a", "b"])),
            url=draw(
                st.sampled_from(["https://acme.example/1", "https://acme.example/2", "https://acme.example/3", ""])
            ),
            email=draw(st.sampled_from([ADDRESS, ADDRESS, "old@example.fr"])),
        )
        for half in moments
    ]


@given(scans(), st.randoms(use_true_random=False))
def test_machines_are_told_as_the_reckoning_tells_them_in_any_order(history: list[dict[str, Any]], chance: Any) -> None:
    shuffled = [*history, *history[:3]]
    chance.shuffle(shuffled)
    assert said(shuffled, "UTC") == reckon(history, ADDRESS)
