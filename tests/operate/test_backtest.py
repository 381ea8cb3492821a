"""Other rules, tried on what is stored: who would be marked, who lifted, and nothing is changed."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from contextlib import closing
from dataclasses import replace

import pytest
from hypothesis import given
from hypothesis import strategies as st

from syncd.backtest import Difference, compare
from syncd.model import Aspect, Decision, Event, Rules, SoftBounceRule, Verdict
from syncd.rules import standing
from syncd.sandbox import Org
from syncd.store import open_store
from tests.conftest import Syncd
from tests.factories import ADDRESS, event, millis, payload
from tests.operate.conftest import Commands

FOUR = "rules.soft_bounce.threshold=4"
SIX = "rules.soft_bounce.threshold=6"


def soft(number: int, **who: str) -> list[dict[str, object]]:
    return [payload("soft_bounce", 10 * day, **who) for day in range(number)]


@pytest.fixture
def judged(syncd: Syncd, org: Org, contact: str, add: Callable[[str], str]) -> tuple[str, str]:
    """Jeanne bounced four times and is fine; Bob bounced five times and is marked."""
    bob = add("bob@example.fr")
    arrived = payload("delivered", 60, email="eve@example.fr", whId="")  # else soft bounces would pause
    syncd.receive(*soft(4, whId=contact), *soft(5, email="bob@example.fr", whId=bob), arrived)
    syncd.run()
    assert org.get(bob)["EmailBouncedReason"]
    return contact, bob


def test_both_directions_are_told_and_nothing_is_changed(
    command: Commands, syncd: Syncd, org: Org, judged: tuple[str, str]
) -> None:
    jeanne, bob = judged
    with closing(open_store(syncd.settings.store.path)) as db:
        before, calls = list(db.conn.iterdump()), org.calls_count()
        (marked,) = command.json("backtest", "--set", FOUR)
        (lifted,) = command.csv("backtest", "--set", SIX)
        assert f"marked  whId {jeanne}  {ADDRESS}" in (said := command("backtest", "--set", FOUR))
        assert f"lifted  Contact {bob}  bob@example.fr" in command("backtest", "--set", SIX)
        assert list(db.conn.iterdump()) == before
    assert org.calls_count() == calls
    assert (marked["would_be"], marked["whid"], marked["address"]) == ("marked", jeanne, ADDRESS)
    assert (lifted["would_be"], lifted["record"], lifted["address"]) == ("lifted", bob, "bob@example.fr")
    assert marked["rule"] == lifted["rule"] == "soft_bounce"
    assert "1 record would newly be marked, 0 marks lifted; " in said


def test_it_says_how_many_subjects_there_are_though_some_became_one(
    command: Commands, syncd: Syncd, contact: str
) -> None:
    twice = (payload("hard_bounce", whId=contact), payload("hard_bounce", whId=contact[:15]))
    syncd.receive(*twice, *soft(1, email="eve@example.fr", whId=""))
    syncd.run()
    assert "; 2 subjects compared in" in command("backtest", "--set", FOUR)


@pytest.mark.parametrize(
    ("given", "says"),
    [
        ((), "Say what to change"),
        (("--set", "rules.soft_bounce.treshold=4"), "write KEY=VALUE with a key of [rules]"),
        (("--set", "sync.mode=live"), "write KEY=VALUE with a key of [rules]"),
        (("--set", "rules.soft_bounce.threshold"), "write KEY=VALUE with a key of [rules]"),
        (("--set", "rules.soft_bounce.threshold=many"), "threshold"),
    ],
)
def test_what_cannot_be_tried_is_refused_and_said(command: Commands, given: tuple[str, ...], says: str) -> None:
    command("backtest", *given, code=2)
    assert says in command.errors


def test_where_the_rules_agree_there_is_no_reason_to_tell() -> None:
    with pytest.raises(ValueError, match="no difference"):
        _ = Difference(1, None, None).because


bounced = st.builds(
    event,
    st.sampled_from(["delivered", "open", "soft_bounce", "soft_bounce", "soft_bounce", "hard_bounce"]),
    st.integers(0, 60),
)
rules = st.builds(
    Rules,
    timezone=st.sampled_from(["UTC", "Pacific/Auckland"]),
    soft_bounce=st.builds(SoftBounceRule, threshold=st.integers(1, 6), span_days=st.integers(0, 14)),
    hard_bounce_spare=st.sampled_from([frozenset[str](), frozenset({"address_unknown"})]),
)


@given(st.lists(bounced, max_size=12), st.lists(st.integers(0, 60), max_size=1), rules, rules)
def test_its_verdict_is_that_of_the_rules(mail: Sequence[Event], spent: list[int], now: Rules, then: Rules) -> None:
    decisions = [Decision(Aspect.INVALID, Verdict.UNDONE, millis(d), millis(d), "ops") for d in spent]
    today, other = (standing(mail, (ADDRESS,), decisions, one).invalid for one in (now, then))
    told = compare(1, {ADDRESS: mail}, decisions, now, then)
    if bool(today) == bool(other):
        assert told is None
    else:
        assert told == Difference(1, today, other)
        assert told.is_marked is bool(other)
        assert told.because == (other or today)
    assert compare(1, {ADDRESS: mail}, decisions, now, replace(now)) is None
