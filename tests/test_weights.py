"""What `explain` counts of a history is what the rules count."""

from __future__ import annotations

from typing import Any

from hypothesis import given, settings
from hypothesis import strategies as st

from syncd.explain import Judged, SoftCount, Weight, judge
from syncd.model import SENDERS_FAULT, Outcome, Rules, SoftBounceRule
from syncd.rules import SOFT_BOUNCE, bounce_reason, first_bounce, invalid
from syncd.sarbacane import read
from tests.factories import ADDRESS, NOW, millis, payload

TEXTS = (
    "Read timed out",
    "452 4.2.2 mailbox full",
    "550 5.7.1 blocked spamhaus",
    "421 4.7.0 too many connections",
    "550 5.1.1 user unknown",
)
KINDS = ("soft_bounce",) * 7 + ("hard_bounce", "delivered", "click", "open")


@st.composite
def mixed(draw: st.DrawFn) -> list[dict[str, Any]]:
    """Months of mailings that bounce for many reasons."""
    return [
        payload(
            draw(st.sampled_from(KINDS)),
            quarter / 4,
            draw(st.sampled_from([f"s{quarter // 4}", f"s{quarter}", f"s{quarter // 40}"])),
            smtpDescription=draw(st.sampled_from(TEXTS)),
        )
        for quarter in draw(st.lists(st.integers(0, 480), max_size=14, unique=True))
    ]


soft_rules = st.builds(
    SoftBounceRule,
    threshold=st.integers(1, 5),
    window_days=st.sampled_from([5, 20, 365]),
    max_per_day=st.integers(1, 3),
    span_days=st.sampled_from([0, 3, 7]),
    ignore_reasons=st.sampled_from([SENDERS_FAULT, frozenset(), frozenset({"mailbox_full"})]),
    by_reason=st.sampled_from([(), (("mailbox_full", 2),), (("mailbox_full", 3), ("network", 2))]),
)
rules_of_any_kind = st.builds(
    Rules,
    soft_bounce=soft_rules,
    hard_bounce_spare=st.sampled_from([frozenset(), frozenset({"address_unknown"})]),
    timezone=st.sampled_from(["UTC", "Europe/Paris", "Pacific/Auckland"]),
)


@settings(max_examples=300)
@given(mixed(), rules_of_any_kind, st.sampled_from([-1, millis(30), millis(60)]))
def test_what_explain_counts_is_what_the_rules_decide_by(
    history: list[dict[str, Any]], rules: Rules, spent: int
) -> None:
    events = [read(it, NOW) for it in history]
    told, verdict = judge(ADDRESS, events, spent, rules), invalid(events, spent, rules)
    assert told.invalid == verdict
    rows = {row.reason: row for row in (told.soft, *told.apart)}
    if verdict is None:
        assert not any(map(_is_reached, rows.values()))
    elif verdict.rule == SOFT_BOUNCE:
        reason = bounce_reason(verdict.event).value
        row = rows[reason if reason in dict(rules.soft_bounce.by_reason) else ""]
        assert _is_reached(row)
        assert row.counted == len(verdict.counted)
        if not row.reason:
            assert _counted(told, spent, rules) == {event.key for event in verdict.counted}
    soft = [one.weight for one in told.sends if one.send.outcome is Outcome.SOFT_BOUNCED]
    assert len(soft) == told.soft.counted + sum(told.soft.left_out.values())
    assert soft.count(Weight.APART) == sum(row.counted + sum(row.left_out.values()) for row in told.apart)


def _is_reached(row: SoftCount) -> bool:
    return row.counted >= row.threshold and row.days >= row.span_days


def _counted(told: Judged, spent: int, rules: Rules) -> set[bytes]:
    """The soft bounces that are said to count."""
    counting = (one.send for one in told.sends if one.weight is Weight.COUNTS)
    firsts = (first_bounce(send, spent, rules) for send in counting if send.outcome is Outcome.SOFT_BOUNCED)
    return {event.key for event in firsts if event}
