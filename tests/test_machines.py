"""The truth table of machines: which opens and clicks a scanner made. One row a rule."""

from __future__ import annotations

import pytest

from syncd.activities import content
from syncd.machines import machine_made
from syncd.model import Event, Kind, Outcome, Rules
from syncd.plan import plan
from syncd.rules import engagements, sends
from tests.factories import case, event, record

SECOND = 1 / 86_400
RULES = Rules()


def click(seconds: float, link: str, send: str = "s") -> Event:
    return event("click", seconds * SECOND, send, url=f"https://acme.example/{link}" if link else "")


def opened(seconds: float) -> Event:
    return event("open", seconds * SECOND, "s")


def delivered(seconds: float) -> Event:
    return event("delivered", seconds * SECOND, "s")


@pytest.mark.parametrize(
    ("story", "events", "machine"),
    [
        ("nothing", [], []),
        ("one open, however early", [opened(0), delivered(30)], []),
        ("several opens within a second", [opened(0), opened(0.3), opened(0.6)], []),
        ("one click", [delivered(0), click(1, "a")], []),
        ("the same link twice within a second: a double click", [click(0, "a"), click(0.3, "a")], []),
        ("two links within two seconds", [click(10, "a"), click(12, "b")], [0, 1]),
        ("two links three seconds apart", [click(10, "a"), click(13, "b")], []),
        ("a minute after the sending", [delivered(0), click(60, "a"), click(60.4, "b"), click(60.9, "c")], [1, 2, 3]),
        ("days later", [delivered(0), click(1e6, "a"), click(1e6 + 1, "b")], [1, 2]),
        ("a link twice within a burst", [click(0, "a"), click(1, "a"), click(2, "b")], [0, 1, 2]),
        ("a chain of links", [click(0, "a"), click(2, "b"), click(4, "c"), click(9, "d")], [0, 1, 2]),
        ("a click before the delivery", [click(0, "a"), delivered(5)], [0]),
        ("a click at the moment of the delivery", [click(5, "a"), delivered(5)], []),
        ("a click before a second delivery only", [delivered(0), click(5, "a"), delivered(9)], []),
        ("a click where nothing said delivered", [click(5, "a")], []),
        ("opens within a burst", [click(0, "a"), opened(0.5), click(1, "b")], [0, 1, 2]),
        ("an open just before a burst", [opened(0), click(1, "a"), click(2, "b")], [0, 1, 2]),
        (
            "an open two seconds after a burst, and a moment later",
            [click(0, "a"), click(1, "b"), opened(3), opened(3.001)],
            [0, 1, 2],
        ),
        ("an open well after a burst", [click(0, "a"), click(1, "b"), opened(60)], [0, 1]),
        ("an open beside one early click", [opened(0), click(1, "a"), delivered(5)], [1]),
        ("links that nobody named", [click(0, ""), click(1, "")], []),
        ("a person after the scanner", [click(0, "a"), click(0.5, "b"), opened(3600), click(3620, "a")], [0, 1]),
    ],
)
def test_which_a_machine_made(story: str, events: list[Event], machine: list[int]) -> None:
    made = {events[i].key for i in machine}
    assert machine_made(events) == made, story
    assert machine_made(reversed(events)) == made, story


BURST = [click(10, "a"), click(11, "b")]
BOUNCE = event("hard_bounce", 0, "s")


@pytest.mark.parametrize(
    ("story", "events", "outcome"),
    [
        ("a burst alone is no success", BURST, Outcome.OPEN),
        ("a burst after a bounce proves nothing", [BOUNCE, *BURST], Outcome.HARD_BOUNCED),
        ("a person's click after it does", [BOUNCE, *BURST, click(999, "a")], Outcome.SUCCEEDED),
        ("delivered is a success whatever scanned it", [delivered(0), *BURST], Outcome.SUCCEEDED),
        ("an open beside a burst is no success", [opened(10.5), *BURST], Outcome.OPEN),
        ("another link much later is a person's", [*BURST, click(999, "b")], Outcome.SUCCEEDED),
    ],
)
def test_what_a_machine_did_says_nothing_of_the_address(story: str, events: list[Event], outcome: Outcome) -> None:
    assert [send.outcome for send in sends(events, "UTC")] == [outcome], story


def test_a_burst_is_of_one_send_and_one_address() -> None:
    two_sends = [click(0, "a", "s1"), click(1, "b", "s2")]
    assert [e.machine for e in engagements(two_sends, RULES)] == [frozenset(), frozenset()]
    other = event("click", SECOND, "s", url="https://acme.example/b", email="old@example.fr")
    assert [e.machine for e in engagements([click(0, "a"), other], RULES)] == [frozenset()]


def test_machines_alone_make_no_task() -> None:
    assert plan(case(*BURST), record(), RULES, 0).changes == ()
    assert [c.activity for c in plan(case(*BURST, click(999, "a")), record(), RULES, 0).changes] == ["send:s"]


def test_a_task_counts_machines_apart_and_lists_only_what_a_person_did() -> None:
    (engagement,) = engagements([opened(5), *BURST, click(999, "a")], RULES)
    assert [e.kind for e in engagement.people] == [Kind.OPEN, Kind.CLICK]
    text = content(engagement, "t", RULES)["description"]
    assert isinstance(text, str)
    assert text.splitlines()[:5] == [
        "Opened once, clicked once",
        "Not counted, made by a machine: not opened, clicked 2 times",
        "First: 2026-03-02 09:00:05 UTC",
        "Last: 2026-03-02 09:16:39 UTC",
        "Links:",
    ]
    assert "/b" not in text
    (scanned,) = engagements(BURST, RULES)  # for a Task that was made before the second click came
    assert str(content(scanned, "t", RULES)["description"]).startswith("not opened, not clicked\nNot counted")
