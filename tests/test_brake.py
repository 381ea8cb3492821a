"""The truth table of the brake: which marks wait for a person. One row a rule."""

from __future__ import annotations

from collections import Counter

import pytest
from hypothesis import given
from hypothesis import strategies as st

from syncd.brake import TOTAL, Group, Limits, Mark, Seen, counted, held, is_shifted, normalised, tripped

LIMITS = Limits()
UNKNOWN, BLOCKED = ("550 5.1.1 user unknown", "address_unknown"), ("550 5.7.1 blocked", "blocked")


def marks(
    number: int, *, domains: int = 1, send: str = "send:s", why: tuple[str, str] = UNKNOWN, start: int = 1
) -> list[Mark]:
    """So many marks, spread over so many domains."""
    return [Mark(i, f"n{i}@d{i % domains}.example", send, *why) for i in range(start, start + number)]


def braked(
    planned: list[Mark],
    written: list[Mark] = [],  # noqa: B006
    *,
    recipients: int = 100_000,
    sizes: dict[Group, int] | None = None,
    limits: Limits = LIMITS,
    open_: frozenset[Group] = frozenset(),
    released: frozenset[Group] = frozenset(),
) -> dict[str, int]:
    """How many are held, by group."""
    counts = counted([*planned, *written], released)
    seen = Seen(recipients, counts, counted(written, released), sizes or {}, open_, released)
    return dict(Counter(str(group) for _, group in held(planned, seen, limits)))


DOMAIN, SEND = Group("domain", "d0.example"), Group("send", "send:s")


@pytest.mark.parametrize(
    ("story", "said", "expected"),
    [
        ("nothing is planned", braked([]), {}),
        ("49 of one domain are let through", braked(marks(49), sizes={DOMAIN: 49, SEND: 9_999}), {}),
        (
            "500 of one domain, all that was sent there: 49 are let through",
            braked(marks(500), sizes={DOMAIN: 500, SEND: 9_999}), {"domain d0.example": 451},
        ),
        (
            "80 % of what was sent to a domain is enough",
            braked(marks(80), sizes={DOMAIN: 100, SEND: 9_999}), {"domain d0.example": 31},
        ),
        ("79 % is not", braked(marks(79), sizes={DOMAIN: 100, SEND: 9_999}), {}),
        (
            "what was written today counts with what is planned",
            braked(marks(20, start=100), marks(40), sizes={DOMAIN: 60, SEND: 9_999}), {"domain d0.example": 11},
        ),
        (
            "when the limit is used up, all is held",
            braked(marks(9, start=100), marks(60), sizes={DOMAIN: 69, SEND: 9_999}), {"domain d0.example": 9},
        ),
        (
            "a tenth of a send, over many domains",
            braked(marks(100, domains=60), sizes={SEND: 1_000}), {"send send:s": 51},
        ),
        ("less than a tenth of a send", braked(marks(99, domains=60), sizes={SEND: 1_000}), {}),
        ("500 over 60 domains in a send of 20,000", braked(marks(500, domains=60), sizes={SEND: 20_000}), {}),
        (
            "one text that does not say that the user is unknown",
            braked(marks(60, domains=60, why=BLOCKED), sizes={SEND: 9_999}), {"text 550 5.7.1 blocked": 11},
        ),
        ("one text that does", braked(marks(60, domains=60), sizes={SEND: 9_999}), {}),
        (
            "a blocked domain is held by what it says",
            braked(marks(60, why=BLOCKED), sizes={DOMAIN: 60, SEND: 60}), {"text 550 5.7.1 blocked": 11},
        ),
        (
            "several domains of a send are one incident",
            braked(marks(200, domains=2), sizes={SEND: 200, DOMAIN: 100, Group("domain", "d1.example"): 100}),
            {"send send:s": 151},
        ),
        (
            "more than 200 a day, whatever they are",
            braked(marks(250, domains=60, send=""), recipients=1_000), {"total": 50},
        ),
        (
            "what was written today counts towards the total",
            braked(marks(50, domains=60, send="", start=1_000), marks(190, domains=60, send=""), recipients=0),
            {"total": 40},
        ),
        (
            "of two groups that could hold a mark the larger does",
            braked(marks(9, start=100), marks(60) + marks(30, domains=60), sizes={DOMAIN: 69, SEND: 500}),
            {"send send:s": 9},
        ),
        (
            "the total holds only what no other group does",
            braked(marks(150, send="") + marks(250, domains=50, send="", start=1_000), recipients=0,
                   sizes={DOMAIN: 155}),
            {"domain d0.example": 106, "total": 94},
        ),
        ("3 % of the recipients are nothing unusual", braked(marks(300, domains=60, send=""), recipients=10_000), {}),
        (
            "…and one more is",
            braked(marks(301, domains=60, send=""), recipients=10_000), {"total": 1},
        ),
        (
            "what belongs to a group that waits joins it, however few",
            braked(marks(3), sizes={}, open_=frozenset({DOMAIN})), {"domain d0.example": 3},
        ),
        (
            "what a person released is not held again",
            braked(marks(500), sizes={DOMAIN: 500}, released=frozenset({DOMAIN, SEND})), {},
        ),
        (
            "as long as the total is open, all marks join it",
            braked(marks(1), open_=frozenset({TOTAL})), {"total": 1},
        ),
        (
            "what belongs to a released group counts against no other",
            braked(marks(60, domains=30) + marks(300, start=100), sizes={SEND: 300}, released=frozenset({DOMAIN})),
            {"send send:s": 9},
        ),
        (
            "the total was released",
            braked(marks(250, domains=60, send=""), recipients=0, released=frozenset({TOTAL})), {},
        ),
        ("it is switched off", braked(marks(500), sizes={DOMAIN: 500}, limits=Limits(enabled=False)), {}),
    ],
)  # fmt: skip
def test_what_is_held(story: str, said: dict[str, int], expected: dict[str, int]) -> None:
    assert said == expected, story


@given(
    st.lists(st.tuples(st.integers(0, 3), st.sampled_from(["a", "b", ""]), st.booleans()), max_size=60),
    st.lists(st.integers(0, 59), max_size=5),
)
def test_split_into_runs_no_more_is_let_through_than_at_once(
    made: list[tuple[int, str, bool]], cuts: list[int]
) -> None:
    limits = Limits(max_marks=20, group_min=5)
    planned = [
        Mark(i, f"n{i}@d{domain}", send, *(BLOCKED if blocked else UNKNOWN))
        for i, (domain, send, blocked) in enumerate(made)
    ]
    sizes = counted(planned)  # everything that was mailed bounced
    through: list[Mark] = []
    waiting: set[Group] = set()
    for start, end in zip([0, *sorted(cuts)], [*sorted(cuts), 60], strict=True):
        now = planned[start:end]
        seen = Seen(0, counted([*now, *through]), counted(through), sizes, waiting)
        kept = dict(held(now, seen, limits))
        waiting |= set(kept.values())
        through += [mark for mark in now if mark not in kept]
    for group, number in counted(through).items():
        assert number <= (limits.max_marks if group == TOTAL else limits.group_min - 1)


def test_a_group_needs_its_number_and_its_share() -> None:
    seen = Seen(0, {DOMAIN: 50, SEND: 50}, {}, {DOMAIN: 62, SEND: 501})
    assert tripped(seen, LIMITS) == {DOMAIN}


@pytest.mark.parametrize(
    ("mismatches", "recipients", "expected"),
    [(19, 19, False), (20, 20, True), (20, 200, True), (20, 201, False), (2_000, 20_000, True)],
)
def test_when_a_column_is_shifted(mismatches: int, recipients: int, *, expected: bool) -> None:
    assert is_shifted(mismatches, recipients) is expected


@pytest.mark.parametrize(
    ("one", "other"),
    [
        ("550 5.7.1 <a@x.fr>: blocked [1.2.3.4]", "550  5.7.1 <b@y.fr>: Blocked [10.0.0.1]"),
        ("554 see https://b.example/?ip=1.2.3.4", "554 see https://b.example/?ip=4.3.2.1"),
        ("421 4.7.0 try later q7si1234567wrx.12 - gsmtp", "421 4.7.0 try later ab12cd34ef56.99 - gsmtp"),
    ],
)
def test_texts_of_different_mails_are_one_text(one: str, other: str) -> None:
    assert normalised(one) == normalised(other)


def test_different_texts_stay_different() -> None:
    assert normalised("550 5.7.1 blocked") != normalised("550 5.1.1 blocked")
