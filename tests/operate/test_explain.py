"""`syncd explain`: why a contact was marked, and why not."""

from __future__ import annotations

from collections.abc import Callable
from datetime import UTC, datetime
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from syncd.cli.sentences import SENTENCES
from syncd.explain import ASPECTS, BOUNCED, Weight, judge
from syncd.model import BEFORE_ALL, Aspect, Kind, Outcome, Rules, SoftBounceRule, State, What
from syncd.rules import invalid
from syncd.sandbox import Fault, Org
from syncd.store import Chain
from tests.bench.filled import fill
from tests.conftest import Syncd
from tests.effort import effort
from tests.factories import ADDRESS, event, millis, payload
from tests.operate.conftest import Commands

SOFT = [payload("soft_bounce", day) for day in (0, 3, 7, 10, 12)]
CLEAR = {"EmailBouncedReason": None, "EmailBouncedDate": None}


def nothing(_: Org, __: str) -> None:
    pass


def refuse(org: Org, _: str) -> None:
    row: dict[str, Any] = {"row_code": "FIELD_CUSTOM_VALIDATION_EXCEPTION", "row_message": "no bounces on Mondays"}
    org.faults.add(Fault(path="composite/sobjects$", method="PATCH", times=None, **row))


@pytest.mark.parametrize(
    ("payloads", "before", "after", "said"),
    [
        ([payload("hard_bounce")], nothing, nothing, "Marked invalid in run 1"),
        (SOFT, nothing, nothing, "5 soft bounces, 2026-03-02 to 2026-03-14"),
        (SOFT[:3], nothing, nothing, "is not invalid: soft bounces in a row: 3 of 5 counted"),
        (
            [*SOFT[:3], payload("soft_bounce", 7.1, "x"), payload("soft_bounce", 7.2, "y")],
            nothing, nothing, "3 of 5 counted; 2 left out: same day",
        ),
        (
            [payload("soft_bounce", day / 2, f"s{day}") for day in range(0, 12, 2)],
            nothing, nothing, "6 of 5 counted; over 5 days, and at least 7 are needed",
        ),
        (
            [payload("soft_bounce", -400), *SOFT[:3]],
            nothing, nothing, "3 of 5 counted; 1 left out: outside the window",
        ),
        (
            [*SOFT[:2], payload("delivered", 5), *SOFT[2:4]],
            nothing, nothing, "2 of 5 counted; 2 left out: before a mail that arrived",
        ),
        ([*SOFT[:2], payload("delivered", 5)], nothing, nothing, "is fine: a mail arrived after 2 bounced sends"),
        ([payload("delivered")], nothing, nothing, "nothing that came asks for a change"),
        ([payload("unsubscribe")], nothing, nothing, "Opted out in run 1"),
        (
            [payload("hard_bounce")], lambda org, sf_id: org.edit(sf_id, Email="new@example.fr"), nothing,
            f"Not marked for the bounce of {ADDRESS}: the record's address is another one now",
        ),
        (
            [payload("hard_bounce")],
            lambda org, sf_id: org.edit(sf_id, EmailBouncedReason="by hand", EmailBouncedDate="2026-01-01T00:00:00Z"),
            nothing, "It was marked already",
        ),
        ([payload("hard_bounce")], refuse, nothing, "no bounces on Mondays. Mend it, then type: syncd retry"),
        ([payload("hard_bounce")], lambda org, sf_id: org.delete(sf_id), nothing, "Nothing is written: no record for"),
        (
            [payload("hard_bounce")], nothing, lambda org, sf_id: org.edit(sf_id, **CLEAR),
            "A person's word stands: invalid cleared in salesforce",
        ),
    ],
    ids=range(15),
)  # fmt: skip
def test_it_says_why_and_why_not(
    command: Commands, syncd: Syncd, org: Org, contact: str, payloads: list[dict[str, Any]],
    before: Callable[[Org, str], None], after: Callable[[Org, str], None], said: str,
) -> None:  # fmt: skip
    before(org, contact)
    syncd.receive(*({**p, "whId": contact} for p in payloads))
    syncd.run()
    after(org, contact)
    command("resync", "--all", code=1 if "Mondays" in said else 0)
    assert said in command("explain", contact)


def test_the_whole_chain_is_on_one_screen_whichever_way_it_is_asked(
    command: Commands, syncd: Syncd, contact: str
) -> None:
    syncd.receive(*({**p, "whId": contact} for p in (*SOFT, payload("open", 13), payload("click", 13.1, "s13"))))
    syncd.run()
    told = command("explain", contact)
    assert len(told.splitlines()) <= 40
    for part in (
        f"Contact {contact}\n  {ADDRESS}, whId {contact}",
        f"2026-03-02 09:00:00Z  soft_bounce  {ADDRESS}  {contact}  s0  Read timed out",
        "send:s0  soft-bounced: before a mail that arrived",
        "send:s13  succeeded",
        "create Task “Nos nouveautés” (send:s13)",
        "taken 00T",
    ):
        assert part in told
    assert command("explain", contact[:15]) == command("explain", ADDRESS.upper()) == told


def test_it_says_the_reason_of_a_bounce_what_came_again_and_which_clock_is_wrong(
    command: Commands, syncd: Syncd, contact: str
) -> None:
    bounce, ahead = payload("hard_bounce", whId=contact), payload("open", 4000, whId=contact)
    syncd.receive(bounce, bounce)
    syncd.receive(bounce, ahead)
    syncd.receive(ahead)
    syncd.run()
    told = command("explain", contact)
    assert "550 5.1.1 user unknown  [address_unknown]  [came again 2 times, dropped]" in told
    assert "[its clock is wrong: it said 2037-02-12 09:00:00Z]  [came again once, dropped]" in told
    assert "[its clock is wrong: it said 2037-02-12 09:00:00Z]" in command("events", "--kind", "open")
    (subject,) = command.json("explain", contact)["subjects"]
    assert [(e["reason"], e["repeats"], e["claimed_at"][:4]) for e in subject["events"]] == [
        ("address_unknown", 2, "2026"), ("", 1, "2037"),
    ]  # fmt: skip


def test_it_says_what_the_brake_holds_and_how_a_person_decided(
    command: Commands, syncd: Syncd, org: Org, contact: str
) -> None:
    other = org.add("Contact", LastName="Petit", Email="b@example.fr")
    syncd.receive(payload("hard_bounce", email="b@example.fr", whId=other), payload("hard_bounce", 1, whId=contact))
    with command.config.open("a") as config:
        config.write("[brake]\nmax_marks = 1\n")
    command("sync", code=1)
    held = "as one of 1 of group 1, total. Look: syncd held 1. Then: syncd release 1, or syncd drop 1."
    assert held in command("explain", contact)
    org.faults.add(Fault(status=503, times=None))
    command("release", "1", code=3)
    told = command("explain", contact)
    assert "invalid released by" in told
    assert "what follows from events up to 2026-03-03 09:00:00Z is not held again" in told
    assert "A person's word stands" not in told


def test_whatever_may_become_of_a_mark_or_an_opt_out_has_its_sentence() -> None:
    never = {
        *((what, State.SUPERSEDED) for what in What),
        *((What.LIFT, state) for state in (State.REFUSED, State.HELD, State.DROPPED)),
        *((What.UNDO, state) for state in (State.FOUND, State.REFUSED, State.HELD, State.DROPPED)),
        (What.OPT_OUT, State.REFUSED),
    }
    for what in (*ASPECTS[Aspect.INVALID], *ASPECTS[Aspect.OPTED_OUT]):
        for state in set(State) - {it for of, it in never if of is what}:
            assert f"{what.value}_{state.value}" in SENTENCES


def test_it_says_which_bounces_their_reason_leaves_out(command: Commands, syncd: Syncd, contact: str) -> None:
    spam = {"smtpDescription": "554 5.7.1 message looks like spam", "whId": contact}
    syncd.receive(payload("soft_bounce", 0, whId=contact), *(payload("soft_bounce", day, **spam) for day in (5, 10)))
    syncd.run()
    assert "1 of 5 counted; 2 left out: a reason that does not count" in command("explain", contact)


def test_it_says_what_became_of_a_record_and_finds_it_by_its_old_id(
    command: Commands, syncd: Syncd, org: Org, contact: str
) -> None:
    lead = org.add("Lead", LastName="Durand", Company="Exemple SA", Email=ADDRESS)
    syncd.receive(payload("hard_bounce", whId=lead))
    syncd.run()
    org.convert(lead, contact=contact)
    syncd.receive(payload("open", 1, "s", whId=lead))
    syncd.run()
    told = command("explain", lead)
    assert told.startswith(f"Contact {contact}\n")
    assert f"The Lead {lead} was converted to {contact}." in told
    assert command.json("resync", "--record", lead, "--dry-run")["chosen"] == 1
    other = org.add("Contact", LastName="Durand", Email=ADDRESS)
    org.merge(other, [contact])
    syncd.receive(payload("open", 2, "s", whId=lead))
    syncd.run()
    assert f"{contact} was merged into {other}." in command("explain", other)
    org.delete(other)
    syncd.receive(payload("open", 3, "s", whId=lead))
    syncd.run()
    assert "Its record is not in Salesforce any more. Looked for once, last " in command("explain", lead)


def test_json_has_every_event_send_change_and_receipt(command: Commands, syncd: Syncd, contact: str) -> None:
    syncd.receive(*({**p, "whId": contact} for p in SOFT))
    syncd.run()
    (subject,) = command.json("explain", contact)["subjects"]
    keys = [event["key"] for event in subject["events"]]
    assert subject["record"] == contact
    assert subject["addresses"][0]["invalid"]["counted"] == keys
    assert [send["weight"] for send in subject["addresses"][0]["sends"]] == ["counts"] * 5
    (change,) = subject["changes"]
    assert (change["state"], change["why"]["counted"]) == ("done", keys)
    assert change["before"] == {"bounce_date": None, "bounce_reason": None}
    assert [answer["ok"] for answer in change["answers"]] == [True]


def test_a_change_says_when_the_rules_were_others(
    command: Commands, syncd: Syncd, contact: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    syncd.receive(payload("hard_bounce", whId=contact))
    syncd.run()
    assert "since changed" not in command("explain", contact)
    monkeypatch.setenv("SYNCD_RULES__SOFT_BOUNCE__THRESHOLD", "4")
    assert "[rules 1, since changed: soft_bounce]" in command("explain", contact)


def test_every_subject_that_an_address_leads_to_is_told(command: Commands, syncd: Syncd, contact: str) -> None:
    syncd.receive(payload("hard_bounce", whId=contact), payload("hard_bounce", whId=""))
    syncd.run()
    told = command("explain", ADDRESS)
    assert f"Contact {contact}" in told
    assert "no whId names its record. Looked for once" in told


@pytest.mark.parametrize(
    ("who", "said"),
    [("x@example.fr", "Nothing came of"), ("n@example.fr", "Type: syncd sync"), ("odd@", "syncd quarantine show 1")],
)
def test_who_is_not_known_exits_1_and_says_where_to_look(command: Commands, syncd: Syncd, who: str, said: str) -> None:
    from syncd.store import Inbox, Unread

    syncd.receive(payload("open", email="n@example.fr"))
    Inbox(syncd.db).append([], [Unread(1, "webhook", "odd", b'{"email": "odd@"}')])
    assert command.json("explain", who, code=1)["subjects"] == []
    command("explain", who, code=1)
    assert said in command.errors


def test_a_whid_that_looks_like_an_address_is_found(command: Commands, syncd: Syncd) -> None:
    syncd.receive(payload("hard_bounce", whId="Client@42"))
    syncd.run()
    assert f"{ADDRESS}, whId Client@42" in command("explain", "Client@42")


def test_of_events_that_no_run_has_seen_those_with_another_whid_are_told_too(
    command: Commands, syncd: Syncd, contact: str
) -> None:
    syncd.receive(payload("hard_bounce", whId=""))
    syncd.run()
    syncd.receive(payload("open", 1, whId=contact), payload("open", 2, whId=""), payload("open", email="n@example.fr"))
    (subject,) = command.json("explain", ADDRESS)["subjects"]
    assert subject["unfolded"] == 2


def test_explaining_one_does_not_go_through_what_was_reported_of_others(syncd: Syncd, contact: str) -> None:
    syncd.receive(payload("hard_bounce", whId=contact))
    syncd.run()

    def explain() -> int:
        return effort(syncd.db, lambda: Chain(syncd.db).facts(address=ADDRESS))

    before = explain()
    fill(syncd.settings.store.path, 2_000)
    assert explain() < before + 1_000


def test_soft_bounces_with_a_threshold_of_their_own_are_counted_apart(
    command: Commands, syncd: Syncd, contact: str
) -> None:
    with command.config.open("a") as config:
        config.write("[rules.soft_bounce.by_reason]\nnetwork = 3\n")
    full = {"smtpDescription": "452 4.2.2 mailbox full", "whId": contact}
    syncd.receive(*({**p, "whId": contact} for p in SOFT[:2]), payload("soft_bounce", 20, **full))
    syncd.run()
    told = command("explain", contact)
    assert f"{ADDRESS} is not invalid: soft bounces in a row (network): 2 of 3 counted." in told
    assert "soft bounces in a row: 1 of 5 counted; 2 left out: counted apart by its reason." in told
    (subject,) = command.json("explain", contact)["subjects"]
    (apart,) = subject["addresses"][0]["soft_bounces_apart"]
    assert (apart["reason"], apart["counted"], apart["threshold"]) == ("network", 2, 3)


KINDS = st.sampled_from([Kind.SOFT_BOUNCE] * 4 + [Kind.HARD_BOUNCE, Kind.DELIVERED, Kind.CLICK, Kind.OPEN])
HISTORIES = st.lists(st.tuples(KINDS, st.integers(0, 60), st.integers(0, 12)), max_size=14)
RULES = st.builds(
    SoftBounceRule,
    threshold=st.integers(2, 4), window_days=st.integers(5, 30), max_per_day=st.integers(1, 2),
    span_days=st.integers(0, 6), by_reason=st.sampled_from([(), (("network", 2),), (("other", 3),)]),
)  # fmt: skip


@given(HISTORIES, RULES, st.integers(-1, 15))
def test_the_explanation_agrees_with_the_judgement(
    history: list[tuple[Kind, int, int]], rule: SoftBounceRule, spent_day: int
) -> None:
    events = [event(kind.value, day / 4, f"s{send}") for kind, day, send in history]
    rules = Rules(soft_bounce=rule)
    spent = millis(spent_day) if spent_day >= 0 else BEFORE_ALL
    judged = judge(ADDRESS, events, spent, rules)
    verdict = invalid(events, spent, rules)
    assert judged.invalid == verdict
    assert all((one.weight is Weight.NO_BOUNCE) == (one.send.outcome not in BOUNCED) for one in judged.sends)
    counted = {one.send.key for one in judged.sends if one.weight in (Weight.COUNTS, Weight.APART)}
    rows = (judged.soft, *judged.apart)
    if verdict:
        assert {f"send:{e.send}" for e in verdict.counted} <= counted
    if verdict and verdict.rule == "soft_bounce":
        soft = [one for one in judged.sends if one.send.outcome is Outcome.SOFT_BOUNCED and one.weight is Weight.COUNTS]
        assert len(soft) == judged.soft.counted
        assert len(verdict.counted) in {row.counted for row in rows}
    elif not verdict:
        assert all(row.counted < row.threshold or row.days < row.span_days for row in rows)


def test_who_unsubscribed_again_is_told_to_be_opted_out_though_the_removal_was_seen_at_that_moment(
    command: Commands, syncd: Syncd, org: Org, contact: str
) -> None:
    syncd.clock.step = 0
    syncd.receive(payload("unsubscribe", 1, whId=contact))
    syncd.run()
    cleared = syncd.clock.at
    org.clock = lambda: datetime.fromtimestamp(cleared / 1000, UTC)
    org.edit(contact, HasOptedOutOfEmail=False)
    syncd.later(days=5)
    when = datetime.fromtimestamp(syncd.clock.at / 1000 - 30, UTC).isoformat()
    syncd.receive(payload("unsubscribe", 9, whId=contact, date=when))
    syncd.run()
    assert "Opted out in run 2" in command("explain", contact)
