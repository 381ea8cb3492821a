"""What strangers wrote into a mail, an address or a bounce: shown to people, it must neither command nor forge."""

from __future__ import annotations

import pytest

from syncd.sandbox import Org
from syncd.store import Inbox, Unread
from tests.conftest import Syncd
from tests.factories import ADDRESS, CONTACT, payload
from tests.operate.conftest import Commands

CLEAR, TITLE, LEFTWARDS = "\x1b[2J", "\x1b]0;owned\x07", "\u202e"
BOUNCED = f"550 {CLEAR}\x9b1m no{LEFTWARDS}"
FORGED = "\n2026-03-02 09:00:00Z  unsubscribe"
YEAR_10889 = (1 << 48) - 1
HARMFUL = frozenset(map(chr, (*range(9), *range(11, 32), *range(127, 160)))) | {LEFTWARDS}


@pytest.fixture
def odd(syncd: Syncd, contact: str) -> str:
    """Somebody with all of it, after a run."""
    syncd.receive(
        payload(
            "hard_bounce", 1, whId=contact, sendId=f"s1{FORGED}", smtpDescription=f"550 {CLEAR}\x9b1m no{LEFTWARDS}"
        ),
        payload("open", 0, whId=contact, subject=f"Hello{TITLE}{FORGED}"),
        payload("delivered", 0, whId=contact, date=YEAR_10889, subject="\ud83d", email=f"{CLEAR}@example.fr"),
    )
    syncd.run()
    return contact


@pytest.mark.parametrize(
    "arguments",
    [
        ["events"],
        ["events", "--csv"],
        ["events", "--json"],
        ["explain", CONTACT],
        ["explain", CONTACT, "--json"],
        ["export", ADDRESS],
        ["resync", "--all", "--dry-run"],
        ["undo", "--record", CONTACT, "--dry-run"],
        ["backtest", "--set", "rules.soft_bounce.threshold=4"],
        ["quarantine", "show", "1"],
        ["quarantine", "show", "1", "--json"],
    ],
    ids=" ".join,
)
def test_nothing_that_was_reported_reaches_a_terminal_raw(
    syncd: Syncd, command: Commands, odd: str, arguments: list[str]
) -> None:
    Inbox(syncd.db).append([], [Unread(1, "webhook", "no email", f"{CLEAR}{TITLE}{FORGED}".encode())])
    said = command(*(odd if word == CONTACT else word for word in arguments), code=None)
    assert command.code in (0, 1)
    assert set() == HARMFUL & set(said + command.errors)


def test_nobody_can_forge_a_line(command: Commands, odd: str) -> None:
    assert not [line for line in command("events").splitlines() if line.split()[2] == "unsubscribe"]
    assert len(command("events").splitlines()) == 3
    assert not [line for line in command("explain", odd).splitlines() if "09:00:00Z  unsubscribe" in line[:40]]


def test_machines_get_all_of_it(command: Commands, odd: str) -> None:
    _, opened, bounced = command.json("events")
    assert (f"Hello{TITLE}{FORGED}", f"s1{FORGED}") == (opened["subject"], bounced["send"])


def test_a_year_that_no_calendar_has_is_shown_as_the_last_one(command: Commands, odd: str) -> None:
    assert "[its clock is wrong: it said 9999-12-31 23:59:59Z]" in command("events", "--email", f"{CLEAR}@example.fr")


def test_salesforce_gets_words_only(org: Org, odd: str) -> None:
    assert org.get(odd)["EmailBouncedReason"] == "550 [2J 1m no"
    (task,) = org.all("Task")
    assert task["Subject"] == "Hello ]0;owned  2026-03-02 09:00:00Z  unsubscribe"
