"""What a history amounts to in figures."""

from __future__ import annotations

import pytest

from syncd.figures import figures, soft_bounces
from syncd.model import Rules, SoftBounceRule
from tests.factories import ADDRESS, event, millis

RULES = Rules()
SOFT = "soft_bounce"


@pytest.mark.parametrize(
    ("story", "history", "count"),
    [
        ("nothing", [], 0),
        ("each soft-bounced send counts", [(SOFT, 0), (SOFT, 10), (SOFT, 20)], 3),
        ("…once a day", [(SOFT, 0), (SOFT, 0.1)], 1),
        ("…beyond the threshold as well", [(SOFT, day) for day in range(0, 60, 10)], 6),
        ("a mail that arrived ends the row", [(SOFT, 0), ("delivered", 1), (SOFT, 2)], 1),
        ("what is older than the window does not count", [(SOFT, 0), (SOFT, 366), (SOFT, 367)], 2),
        ("a hard bounce is none", [(SOFT, 0), ("hard_bounce", 1)], 1),
    ],
)
def test_soft_bounces_in_a_row(story: str, history: list[tuple[str, float]], count: int) -> None:
    events = [event(kind, day, f"s{day}") for kind, day in history]
    assert soft_bounces(reversed(events), RULES) == count, story


def test_reasons_that_do_not_count_are_not_counted() -> None:
    spam = event(SOFT, 0, smtpDescription="554 message looks like spam", category="SPAM_DETECTED")
    assert soft_bounces([spam, event(SOFT, 1)], Rules(soft_bounce=SoftBounceRule(ignore_reasons=frozenset()))) == 2


def test_of_several_addresses_the_worst_counts_and_moments_are_the_persons() -> None:
    history = [
        event(SOFT, 0), event(SOFT, 1), event(SOFT, 2, email="b@b.fr"),
        event("open", 3.00001, email="old@b.fr"), event("open", 1, "t", email="old@b.fr"),
        event("click", 4, "u", email="old@b.fr"),
    ]  # fmt: skip
    moments = {"last_open": millis(3), "last_click": millis(4)}
    assert figures(history, (ADDRESS, "b@b.fr"), RULES) == {"soft_bounce_count": 2, **moments}
    assert figures(history, (), RULES) == {"soft_bounce_count": 0, **moments}


def test_what_a_scanner_opened_is_nobodys_open() -> None:
    links = [event("click", 0, "s", url=f"https://acme.example/{n}") for n in (1, 2)]
    assert figures([*links, event("open", 0, "s")], (ADDRESS,), RULES)["last_click"] is None
