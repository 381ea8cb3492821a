"""The oracle itself, held against examples that were worked out by hand from the specification."""

from __future__ import annotations

from random import Random
from typing import Any

import pytest

from tests.reckoning import Expected, reckon

Payload = dict[str, object]

ADA = "ada@example.com"
OLD = "ada@old.example"
UNKNOWN_USER = "550 5.1.1 unknown user"


def event(type_: str, day: str, time: str = "12:00:00.000", send: str = "", **more: object) -> Payload:
    """A payload as Sarbacane documents it, in the spelling with spaces."""
    return {"email": ADA, "campaignId": "C", "sendId": send, "type": type_, "date": f"{day} T {time}Z", **more}


def softs(*days: str) -> list[Payload]:
    """One soft-bounced send a day: S-<day>."""
    return [event("soft_bounce", day, send=f"S-{day}", smtpDescription="452 mailbox full") for day in days]


def fine(*activities: tuple[str, int, int], opted_out: bool = False) -> Expected:
    return Expected(None, None, opted_out, frozenset(activities))


def marked(when: str, why: str, *activities: tuple[str, int, int], opted_out: bool = False) -> Expected:
    return Expected(when, why, opted_out, frozenset(activities))


FIVE_WEEKS = ("2026-03-02", "2026-03-09", "2026-03-16", "2026-03-23", "2026-03-30")
FIVE_WEEKS_MARK = marked("2026-03-30T12:00:00Z", "5 soft bounces, 2026-03-02 to 2026-03-30")
HARD = event("hard_bounce", "2026-03-02", "12:00:00.999", send="S1", smtpDescription=f" {UNKNOWN_USER}\r\n  here ")

# sentence: (events, options, expected)
EXAMPLES: dict[str, tuple[list[Payload], dict[str, Any], Expected]] = {
    "nothing happened, nothing is said": ([], {}, fine()),
    "a hard bounce marks, in whole seconds and with its text in one line": (
        [HARD],
        {},
        marked("2026-03-02T12:00:00Z", f"{UNKNOWN_USER} here"),
    ),
    "the reason of a hard bounce is cut to 255 characters and has no space at its end": (
        # 254 letters, a space, a letter: the 255 that are kept end in the space
        [event("hard_bounce", "2026-03-02", smtpDescription="x" * 254 + " y")],
        {},
        marked("2026-03-02T12:00:00Z", "x" * 254),
    ),
    "without a text the category is the reason": (
        [event("hard_bounce", "2026-03-02", smtpDescription=" ", category="BAD_MAILBOX")],
        {},
        marked("2026-03-02T12:00:00Z", "BAD_MAILBOX"),
    ),
    "without text and category the reason is plain": (
        [event("hard_bounce", "2026-03-02")],
        {},
        marked("2026-03-02T12:00:00Z", "hard bounce"),
    ),
    "delivered and then bounced is a bounce": (
        [event("delivered", "2026-03-02", "11:00:00.000", send="S1"), HARD],
        {},
        marked("2026-03-02T12:00:00Z", f"{UNKNOWN_USER} here"),
    ),
    "delivered and bounced in the same millisecond is a bounce": (
        [event("delivered", "2026-03-02", "12:00:00.999", send="S1"), HARD],
        {},
        marked("2026-03-02T12:00:00Z", f"{UNKNOWN_USER} here"),
    ),
    "bounced and then delivered is a success": ([HARD, event("delivered", "2026-03-03", send="S1")], {}, fine()),
    "a click after the bounce shows that the mail arrived": (
        [HARD, event("click", "2026-03-03", send="S1", url="https://a.example")],
        {},
        fine(("send:S1", 0, 1)),
    ),
    "a click of the bounce's own millisecond counts as after it": (
        [HARD, event("click", "2026-03-02", "12:00:00.999", send="S1")],
        {},
        fine(("send:S1", 0, 1)),
    ),
    "a click before the bounce shows nothing": (
        [HARD, event("click", "2026-03-01", send="S1")],
        {},
        marked("2026-03-02T12:00:00Z", f"{UNKNOWN_USER} here", ("send:S1", 0, 1)),
    ),
    "an open after the bounce does not show it": (
        [HARD, event("open", "2026-03-03", send="S1")],
        {},
        marked("2026-03-02T12:00:00Z", f"{UNKNOWN_USER} here", ("send:S1", 1, 0)),
    ),
    "a soft bounce after a hard one, in one send, leaves it hard-bounced": (
        [HARD, event("soft_bounce", "2026-03-03", send="S1")],
        {},
        marked("2026-03-02T12:00:00Z", f"{UNKNOWN_USER} here"),
    ),
    "a later send that was merely opened takes the mark away": (
        [HARD, event("open", "2026-03-04", send="S2")],
        {},
        fine(("send:S2", 1, 0)),
    ),
    "a send that began earlier takes nothing away, however late its click": (
        # S0 begins on the 1st, before S1's bounce on the 2nd; sends are ordered by their first event
        [
            event("delivered", "2026-03-01", send="S0"),
            HARD,
            event("click", "2026-03-20", send="S0", url="https://a.example"),
        ],
        {},
        marked("2026-03-02T12:00:00Z", f"{UNKNOWN_USER} here", ("send:S0", 0, 1)),
    ),
    "an opt-out is no success and stays": (
        [HARD, event("complaint", "2026-03-04", send="S2"), event("delivered", "2026-02-01", send="S0")],
        {},
        marked("2026-03-02T12:00:00Z", f"{UNKNOWN_USER} here", opted_out=True),
    ),
    "the first of several hard bounces justifies": (
        [event("hard_bounce", "2026-04-01", send="S2", smtpDescription="550 again"), HARD],
        {},
        marked("2026-03-02T12:00:00Z", f"{UNKNOWN_USER} here"),
    ),
    "a hard bounce after a success justifies anew": (
        [
            HARD,
            event("delivered", "2026-03-10", send="S2"),
            event("hard_bounce", "2026-04-01", send="S3", smtpDescription="550 again"),
        ],
        {},
        marked("2026-04-01T12:00:00Z", "550 again"),
    ),
    "five soft-bounced sends in a row mark": (softs(*FIVE_WEEKS), {}, FIVE_WEEKS_MARK),
    "four do not": (softs(*FIVE_WEEKS[:4]), {}, fine()),
    "the sixth does not rewrite the mark": (softs(*FIVE_WEEKS, "2026-04-06"), {}, FIVE_WEEKS_MARK),
    "the soft mark stays when the window has moved on": (softs(*FIVE_WEEKS, "2029-01-01"), {}, FIVE_WEEKS_MARK),
    "a success in between starts the count again": (
        [*softs(*FIVE_WEEKS, "2026-04-06"), event("delivered", "2026-03-12", send="S2")],
        {},  # since the 12th: 16, 23, 30 March, 6 April
        fine(),
    ),
    "a send counts by its first soft bounce, like everything that justifies": (
        [*softs(*FIVE_WEEKS), event("soft_bounce", "2026-04-02", send=f"S-{FIVE_WEEKS[-1]}")],
        {},
        FIVE_WEEKS_MARK,
    ),
    "several soft bounces of one send count once": (
        [event("soft_bounce", day, send="S1") for day in FIVE_WEEKS],
        {},
        fine(),
    ),
    "soft-bounced sends of one day count once, by the first": (
        [*softs(*FIVE_WEEKS), event("soft_bounce", "2026-03-30", "11:00:00.000", send="S9")],
        {},
        marked("2026-03-30T11:00:00Z", "5 soft bounces, 2026-03-02 to 2026-03-30"),
    ),
    "two a day count if two may": (
        [
            *softs(*FIVE_WEEKS[:3]),
            *(event("soft_bounce", FIVE_WEEKS[2], f"1{n}:00:00.000", send=f"T{n}") for n in (3, 4)),
        ],
        {"threshold": 4, "max_per_day": 2},
        marked("2026-03-16T13:00:00Z", "4 soft bounces, 2026-03-02 to 2026-03-16"),
    ),
    "five within less than seven days wait for the first that is seven days on": (
        # the 2nd to the 8th: seven sends but six days apart; the 9th is the eighth counted
        softs(*(f"2026-03-0{day}" for day in range(2, 10))),
        {},
        marked("2026-03-09T12:00:00Z", "8 soft bounces, 2026-03-02 to 2026-03-09"),
    ),
    "a bounce 365 days before the latest still counts": (
        softs("2025-03-30", *FIVE_WEEKS[1:]),
        {},
        marked("2026-03-30T12:00:00Z", "5 soft bounces, 2025-03-30 to 2026-03-30"),
    ),
    "a bounce 366 days before the latest no longer counts": (softs("2025-03-29", *FIVE_WEEKS[1:]), {}, fine()),
    "a day is a day in the configured time zone": (
        # 23:30 UTC in winter is half past midnight in Paris: the 9th and 10th fall on one day there
        [
            event("soft_bounce", "2026-01-02", send="S1"),
            event("soft_bounce", "2026-01-09", "23:30:00.000", send="S2"),
            event("soft_bounce", "2026-01-10", "10:00:00.000", send="S3"),
        ],
        {"timezone": "Europe/Paris", "threshold": 3},
        fine(),
    ),
    "of a soft and a hard justification the earlier wins: the soft one": (
        [*softs(*FIVE_WEEKS), event("hard_bounce", "2026-04-01", send="S9")],
        {},
        FIVE_WEEKS_MARK,
    ),
    "of a soft and a hard justification the earlier wins: the hard one": (
        [*softs(*FIVE_WEEKS), HARD],
        {},
        marked("2026-03-02T12:00:00Z", f"{UNKNOWN_USER} here"),
    ),
    "another address bounces without a mark, but opens and opts out for the person": (
        [
            {**HARD, "email": OLD},
            event("open", "2026-03-03", send="S1", email=OLD),
            event("open", "2026-03-04", send="S1", email=f" {ADA.upper()} "),
            event("unsubscribe", "2026-03-05", send="S1", email=OLD),
        ],
        {},
        fine(("send:S1", 2, 0), opted_out=True),
    ),
    "a success of another address mends nothing": (
        [HARD, event("click", "2026-03-10", send="S2", email=OLD)],
        {},
        marked("2026-03-02T12:00:00Z", f"{UNKNOWN_USER} here", ("send:S2", 0, 1)),
    ),
    "repeated opens are two, the same open delivered again is one": (
        [
            event("open", "2026-03-03", "12:00:00.001", send="S1"),
            event("open", "2026-03-03", "12:00:00.002", send="S1"),
            event("open", "2026-03-03", "12:00:00.002", send="S1", date="2026-03-03T12:00:00.002Z"),
        ],
        {},
        fine(("send:S1", 2, 0)),
    ),
    "without a sendId the campaign is the send, without either the local day": (
        [
            event("open", "2026-03-03"),
            event("click", "2026-03-04"),
            event("open", "2026-03-03", "23:30:00.000", campaignId=None),
        ],
        {"timezone": "Europe/Paris"},
        fine(("campaign:C", 1, 1), ("day:2026-03-04", 1, 0)),
    ),
}


@pytest.mark.parametrize("sentence", EXAMPLES)
def test_example(sentence: str) -> None:
    events, options, expected = EXAMPLES[sentence]
    assert reckon(events, ADA, **options) == expected


@pytest.mark.parametrize("sentence", EXAMPLES)
def test_order_and_repetition_change_nothing(sentence: str) -> None:
    events, options, expected = EXAMPLES[sentence]
    shuffled = [*events, *events]
    Random(7).shuffle(shuffled)
    assert reckon(shuffled, ADA, **options) == expected
