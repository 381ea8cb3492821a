"""The truth table of judgement: what a history says of an address. One row a rule."""

from __future__ import annotations

from dataclasses import replace
from typing import TYPE_CHECKING

import pytest

from syncd.model import Aspect, Decision, Kind, Outcome, Rules, SoftBounceRule, Verdict
from syncd.rules import engagements, send_key, sends, standing, without_soft_bounces
from tests.factories import ADDRESS, event, millis

if TYPE_CHECKING:
    from collections.abc import Sequence

    from syncd.model import Event, Justification

RULES = Rules()


def invalid(*events: Event, rules: Rules = RULES, decisions: Sequence[Decision] = ()) -> Justification | None:
    return standing(events, (ADDRESS,), decisions, rules).invalid


def soft(*days: float) -> list[Event]:
    """A soft-bounced send on each of these days."""
    return [event("soft_bounce", day, f"b{day}") for day in days]


def cleared(day: float, aspect: Aspect = Aspect.INVALID, verdict: Verdict = Verdict.CLEARED) -> Decision:
    return Decision(aspect, verdict, millis(day), millis(day), "salesforce")


@pytest.mark.parametrize(
    ("story", "events", "outcome"),
    [
        ("delivered", [event("delivered")], Outcome.SUCCEEDED),
        ("opened, though nothing said delivered", [event("open")], Outcome.SUCCEEDED),
        ("clicked, though nothing said delivered", [event("click")], Outcome.SUCCEEDED),
        ("only unsubscribed", [event("unsubscribe")], Outcome.OPEN),
        ("only unknown", [event("FORM_SUBMIT")], Outcome.OPEN),
        ("soft-bounced", [event("soft_bounce")], Outcome.SOFT_BOUNCED),
        ("hard-bounced", [event("hard_bounce")], Outcome.HARD_BOUNCED),
        (
            "accepted, then bounced",
            [event("delivered", send="s"), event("soft_bounce", 0.1, send="s")],
            Outcome.SOFT_BOUNCED,
        ),
        (
            "bounced, then delivered after all",
            [event("soft_bounce", send="s"), event("delivered", 0.1, send="s")],
            Outcome.SUCCEEDED,
        ),
        (
            "bounced, then clicked: somebody reads it",
            [event("hard_bounce", send="s"), event("click", 0.1, send="s")],
            Outcome.SUCCEEDED,
        ),
        (
            "clicked, then bounced",
            [event("click", send="s"), event("soft_bounce", 0.1, send="s")],
            Outcome.SOFT_BOUNCED,
        ),
        (
            "bounced, then opened: an open proves little",
            [event("hard_bounce", send="s"), event("open", 0.1, send="s")],
            Outcome.HARD_BOUNCED,
        ),
        (
            "soft after hard is a hard-bounced send",
            [event("hard_bounce", send="s"), event("soft_bounce", 0.1, send="s")],
            Outcome.HARD_BOUNCED,
        ),
    ],
)
def test_how_a_send_ended(story: str, events: list[Event], outcome: Outcome) -> None:
    assert [send.outcome for send in sends(events, "UTC")] == [outcome], story


def test_an_event_without_a_send_belongs_to_its_campaign_else_to_its_day() -> None:
    assert send_key(event("open", send="s"), "UTC") == "send:s"
    assert send_key(event("open", send="", campaignId="c"), "UTC") == "campaign:c"
    assert send_key(event("open", send="", campaignId="", date="2026-03-02T23:30:00Z"), "UTC") == "day:2026-03-02"
    late = event("open", send="", campaignId="", date="2026-03-02T23:30:00Z")
    assert send_key(late, "Europe/Paris") == "day:2026-03-03"


def test_sends_are_ordered_by_their_first_event() -> None:
    late_bounce = [event("delivered", 0, "a"), event("delivered", 1, "b"), event("hard_bounce", 9, "a")]
    assert [send.key for send in sends(late_bounce, "UTC")] == ["send:a", "send:b"]
    assert invalid(*late_bounce) is None


@pytest.mark.parametrize(
    ("story", "events", "reason"),
    [
        ("nothing happened", [], None),
        ("one hard bounce marks", [event("hard_bounce")], "550 5.1.1 user unknown"),
        ("a success after it unmarks", [event("hard_bounce"), event("delivered", 30)], None),
        ("an open later unmarks", [event("hard_bounce"), event("open", 30)], None),
        ("a success before it does not", [event("delivered"), event("hard_bounce", 1)], "550 5.1.1 user unknown"),
        ("a hard bounce of long ago, clicked since", [event("hard_bounce", -2500), event("click", 0)], None),
        ("four soft bounces don't mark", soft(0, 10, 20, 30), None),
        ("five over a week mark", soft(0, 10, 20, 30, 40), "5 soft bounces, 2026-03-02 to 2026-04-11"),
        ("five within six days don't mark", soft(0, 1, 2, 3, 4, 6), None),
        ("the span is reached with the eighth day", soft(0, 1, 2, 3, 4, 7), "6 soft bounces, 2026-03-02 to 2026-03-09"),
        ("one a day counts", soft(0, 0.1, 0.2, 0.3, 7), None),
        ("a success between starts anew", [*soft(0, 10, 20), event("delivered", 25), *soft(30, 40)], None),
        (
            "what came before a success never counts",
            [*soft(0, 10, 20), event("delivered", 25), *soft(30, 40, 50, 60, 70)],
            "5 soft bounces, 2026-04-01 to 2026-05-11",
        ),
        ("bounces outside the window don't count", soft(-400, 0, 10, 20, 30), None),
        ("the window ends at the latest", soft(-365, 0, 10, 20, 30), None),
        ("…and begins a year before", soft(-335, 0, 10, 20, 30), "5 soft bounces, 2025-04-01 to 2026-04-01"),
        ("more bounces don't rewrite", soft(0, 10, 20, 30, 40, 50), "5 soft bounces, 2026-03-02 to 2026-04-11"),
        (
            "an unrelated silence doesn't take it back",
            soft(0, 10, 20, 30, 40, 900),
            "5 soft bounces, 2026-03-02 to 2026-04-11",
        ),
        (
            "the first justification stays: hard before soft",
            [event("hard_bounce", 15), *soft(0, 10, 20, 30, 40)],
            "550 5.1.1 user unknown",
        ),
        (
            "the first justification stays: soft before hard",
            [event("hard_bounce", 50), *soft(0, 10, 20, 30, 40)],
            "5 soft bounces, 2026-03-02 to 2026-04-11",
        ),
        ("white space in a text is one blank", [event("hard_bounce", smtpDescription=" 550\r\n no ")], "550 no"),
        ("without a text the category", [event("hard_bounce", smtpDescription="")], "BAD_MAILBOX"),
        ("without either, that", [event("hard_bounce", smtpDescription="", category="")], "hard bounce"),
        ("opens alone say nothing against it", [event("open"), event("unsubscribe")], None),
    ],
)
def test_when_an_address_is_invalid(story: str, events: list[Event], reason: str | None) -> None:
    said = invalid(*events)
    assert (said.reason if said else None) == reason, story


def test_the_date_is_that_of_the_event_that_first_made_it_invalid() -> None:
    hard = invalid(event("hard_bounce", 3), event("hard_bounce", 9))
    assert hard is not None
    assert hard.event.at == millis(3)
    five = invalid(*soft(0, 10, 20, 30, 40, 50))
    assert five is not None
    assert (five.event.at, [e.at for e in five.counted]) == (millis(40), [millis(d) for d in (0, 10, 20, 30, 40)])


def test_the_numbers_of_the_soft_rule_are_the_rules() -> None:
    eager = replace(RULES, soft_bounce=SoftBounceRule(threshold=2, window_days=30, max_per_day=2, span_days=0))
    said = invalid(*soft(0, 0.1), rules=eager)
    assert said is not None
    assert said.reason == "2 soft bounces, 2026-03-02 to 2026-03-02"
    assert invalid(*soft(0, 31), rules=eager) is None


def because(kind: str, reason: str, day: float, send: str | None = None) -> Event:
    """A bounce of this reason."""
    text = {"mailbox_full": "452 4.2.2 mailbox full", "blocked": "550 5.7.1 your IP is blocked"}[reason]
    return event(kind, day, send or f"r{day}", smtpDescription=text)


def test_a_hard_bounce_of_a_spared_reason_does_not_mark() -> None:
    sparing = replace(RULES, hard_bounce_spare=frozenset({"blocked"}))
    blocked = because("hard_bounce", "blocked", 1)
    assert invalid(blocked) is not None
    assert invalid(blocked, rules=sparing) is None
    assert invalid(because("hard_bounce", "mailbox_full", 1), rules=sparing) is not None


def test_of_one_send_the_hard_bounce_that_is_not_spared_marks() -> None:
    sparing = replace(RULES, hard_bounce_spare=frozenset({"blocked"}))
    both = [because("hard_bounce", "blocked", 1, "s"), because("hard_bounce", "mailbox_full", 2, "s")]
    said = invalid(*both, rules=sparing)
    assert said is not None
    assert said.event == both[1]


def test_soft_bounces_that_are_the_senders_fault_do_not_count() -> None:
    assert invalid(*(because("soft_bounce", "blocked", day) for day in range(0, 100, 10))) is None


def test_soft_bounces_that_are_the_senders_fault_do_not_end_the_row() -> None:
    between = [because("soft_bounce", "blocked", 35), *soft(0, 10, 20, 30, 40)]
    said = invalid(*between)
    assert said is not None
    assert said.reason == "5 soft bounces, 2026-03-02 to 2026-04-11"


def test_they_count_if_no_reason_is_ignored() -> None:
    counting = replace(RULES, soft_bounce=SoftBounceRule(ignore_reasons=frozenset()))
    assert invalid(*(because("soft_bounce", "blocked", day) for day in (0, 10, 20, 30, 40)), rules=counting) is not None


def test_a_reason_with_a_threshold_of_its_own_is_counted_apart() -> None:
    full = [because("soft_bounce", "mailbox_full", day) for day in (1, 11, 21)]
    patient = replace(RULES, soft_bounce=SoftBounceRule(by_reason=(("mailbox_full", 10),)))
    eager = replace(RULES, soft_bounce=SoftBounceRule(by_reason=(("mailbox_full", 3),)))
    assert invalid(*soft(0, 10, 20, 30), *full) is not None
    assert invalid(*soft(0, 10, 20, 30), *full, rules=patient) is None
    said = invalid(*soft(0, 10, 20, 30), *full, rules=eager)
    assert said is not None
    assert (said.reason, list(said.counted)) == ("3 soft bounces, 2026-03-03 to 2026-03-23", full)


def test_without_soft_bounces_no_threshold_of_any_reason_is_reached() -> None:
    rules = Rules(soft_bounce=SoftBounceRule(threshold=2, by_reason=(("network", 2),)))
    assert invalid(*soft(0, 8), rules=rules) is not None
    assert invalid(*soft(0, 8), rules=without_soft_bounces(rules)) is None


def test_days_are_those_of_the_configured_zone() -> None:
    one_a_day = replace(RULES, soft_bounce=SoftBounceRule(threshold=2, window_days=30, max_per_day=1, span_days=1))
    around_midnight_in_paris = [
        event("soft_bounce", send="a", date="2026-03-02T22:30:00Z"),
        event("soft_bounce", send="b", date="2026-03-02T23:30:00Z"),
    ]
    assert invalid(*around_midnight_in_paris, rules=one_a_day) is None
    assert invalid(*around_midnight_in_paris, rules=replace(one_a_day, timezone="Europe/Paris")) is not None


def test_evidence_up_to_a_removal_is_spent_and_later_evidence_counts() -> None:
    assert invalid(event("hard_bounce", 1), decisions=[cleared(2)]) is None
    later = invalid(event("hard_bounce", 1), event("hard_bounce", 3), decisions=[cleared(2)])
    assert later is not None
    assert later.event.at == millis(3)
    of_that_moment = event("hard_bounce", 2)
    assert invalid(of_that_moment, decisions=[cleared(2)]) is None


def test_spent_soft_bounces_never_count_again() -> None:
    assert invalid(*soft(0, 10, 20, 30, 40, 50), decisions=[cleared(41)]) is None
    anew = invalid(*soft(0, 10, 20, 30, 40, 50, 60, 70, 80, 90), decisions=[cleared(41)])
    assert anew is not None
    assert len(anew.counted) == 5


def test_the_latest_removal_counts_and_a_release_spends_nothing() -> None:
    bounce = event("hard_bounce", 3)
    assert invalid(bounce, decisions=[cleared(4), cleared(2)]) is None
    assert invalid(bounce, decisions=[cleared(4, verdict=Verdict.RELEASED)]) is not None
    assert invalid(bounce, decisions=[cleared(4, Aspect.OPTED_OUT)]) is not None


def test_bounces_of_another_address_say_nothing_of_this_one() -> None:
    old = event("hard_bounce", email="old@example.fr")
    said = standing([old], (ADDRESS,), (), RULES)
    assert said.invalid is None
    assert [elsewhere.event for elsewhere in said.elsewhere] == [old]


def test_with_two_addresses_the_one_that_was_invalid_first_is_told() -> None:
    second = event("hard_bounce", 1, email="second@example.fr")
    both = standing([event("hard_bounce", 5), second], (ADDRESS, "second@example.fr"), (), RULES)
    assert both.invalid is not None
    assert both.invalid.event == second
    assert both.elsewhere == ()


@pytest.mark.parametrize("kind", ["unsubscribe", "complaint"])
def test_the_first_opt_out_counts_whatever_address_it_came_from(kind: str) -> None:
    first = event(kind, 1, email="old@example.fr")
    said = standing([event(kind, 5), first, event("click", 6)], (ADDRESS,), (), RULES)
    assert said.opted_out == first


def test_an_opt_out_that_was_taken_back_needs_a_later_one() -> None:
    taken_back = [cleared(2, Aspect.OPTED_OUT)]
    assert standing([event("unsubscribe", 1)], (ADDRESS,), taken_back, RULES).opted_out is None
    again = event("unsubscribe", 3)
    assert standing([event("unsubscribe", 1), again], (ADDRESS,), taken_back, RULES).opted_out == again


def test_opens_and_clicks_are_gathered_by_send() -> None:
    history = [event("click", 2, "b"), event("open", 0, "a"), event("open", 1, "a"), event("delivered", 0, "a")]
    gathered = engagements(history, RULES)
    assert [(g.key, [e.kind for e in g.events]) for g in gathered] == [
        ("send:a", [Kind.OPEN, Kind.OPEN]),
        ("send:b", [Kind.CLICK]),
    ]


def test_only_the_kinds_that_are_asked_for_are_gathered() -> None:
    history = [event("click", 0), event("open", 1)]
    assert [g.key for g in engagements(history, replace(RULES, activity_kinds=frozenset({"click"})))] == ["send:s0"]
    assert engagements(history, replace(RULES, activities="off")) == ()


def test_an_event_delivered_twice_is_one() -> None:
    twice = [event("open", 0, "a"), event("open", 0, "a")]
    assert [len(g.events) for g in engagements(twice, RULES)] == [1]
