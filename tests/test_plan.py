"""What is written, given what the history, the record and the ledger say. Planning again plans nothing."""

from __future__ import annotations

from dataclasses import replace
from typing import TYPE_CHECKING, Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from syncd.activities import activity_token, content, content_digest, is_due, token_in
from syncd.model import (
    Activity,
    ActivityState,
    Aspect,
    Decision,
    Engagement,
    Event,
    Ledger,
    Pending,
    Plan,
    Remembered,
    Rules,
    Shape,
    State,
    Verdict,
    What,
)
from syncd.plan import plan, wants_record
from tests.factories import ADDRESS, CONTACT, NOW, case, event, millis, record

if TYPE_CHECKING:
    from syncd.model import Case, Change, Record, Value

RULES = Rules()
AFTER = 267.13  # days from the start: five minutes after NOW
BOUNCE = event("hard_bounce", 1)
MARKED: dict[str, Value] = {"bounce_date": millis(1), "bounce_reason": "550 5.1.1 user unknown"}
MOVED = ("new@b.fr",)
BLANK = {"bounce_date": None, "bounce_reason": None}
OUR_MARK, THEIR_MARK = (Remembered(ours, MARKED, millis(1), ADDRESS) for ours in (True, False))
OURS, THEIRS = Ledger(mark=OUR_MARK), Ledger(mark=THEIR_MARK)
BOX = Shape(frozenset({"bounce_date", "bounce_reason", "invalid", "opted_out"}))
TICKED, THEIR_TICK = (
    Ledger(mark=Remembered(ours, MARKED | {"invalid": True}, millis(1), ADDRESS)) for ours in (True, False)
)
OPTED_OUT = Ledger(opt_out=Remembered(True, {"opted_out": True}, millis(1)))


def planned(it: Case, on: Record, rules: Rules = RULES) -> list[tuple[str, str]]:
    return [(change.what.value, change.state.value) for change in plan(it, on, rules, NOW).changes]


def only(it: Case, on: Record, rules: Rules = RULES) -> Change:
    (change,) = plan(it, on, rules, NOW).changes
    return change


@pytest.mark.parametrize(
    ("story", "it", "on", "then"),
    [
        ("an invalid address is marked", case(BOUNCE), record(), [("mark", "intended")]),
        ("a mark of ours that still follows stays", case(BOUNCE, ledger=OURS), record(**MARKED), []),
        (
            "a mark already there is left alone and remembered",
            case(BOUNCE),
            record(bounce_reason="called: has left"),
            [("mark", "found")],
        ),
        ("…once", case(BOUNCE, ledger=THEIRS), record(**MARKED), []),
        (
            "a mark of ours that somebody rewrote is theirs now",
            case(BOUNCE, ledger=OURS),
            record(**MARKED | {"bounce_reason": "called: has left"}),
            [("mark", "found")],
        ),
        (
            "a success lifts a mark of ours",
            case(BOUNCE, event("delivered", 9), ledger=OURS),
            record(**MARKED),
            [("lift", "intended")],
        ),
        (
            "…but not what somebody rewrote",
            case(BOUNCE, event("delivered", 9), ledger=OURS),
            record(**MARKED | {"bounce_reason": "called"}),
            [],
        ),
        ("…nor a mark of somebody else", case(BOUNCE, event("delivered", 9), ledger=THEIRS), record(**MARKED), []),
        (
            "an earlier bounce that comes late is the first justification",
            case(BOUNCE, event("hard_bounce", 0.5), ledger=OURS),
            record(**MARKED),
            [("mark", "intended")],
        ),
        ("a mark that a person cleared stays cleared", case(BOUNCE, ledger=OURS), record(), []),
        ("…whoever had written it", case(BOUNCE, ledger=THEIRS), record(), []),
        (
            "a bounce after the removal was seen marks again",
            case(BOUNCE, event("hard_bounce", AFTER), ledger=OURS),
            record(),
            [("mark", "intended")],
        ),
        ("another address is not marked, and it is told", case(BOUNCE), record(addresses=MOVED), [("mark", "refused")]),
        (
            "…once",
            case(BOUNCE, ledger=Ledger(refused=frozenset({("mark", "address_changed", BOUNCE.key.hex())}))),
            record(addresses=MOVED),
            [],
        ),
        (
            "a mark of ours goes with the address",
            case(event("open"), ledger=OURS),
            record(addresses=MOVED, **MARKED),
            [("lift", "intended"), ("activity", "intended")],
        ),
        (
            "what Salesforce cleared with the address is no person's word",
            case(event("delivered"), ledger=OURS),
            record(addresses=MOVED),
            [("lift", "found")],
        ),
        ("an opt-out is written", case(event("unsubscribe")), record(), [("opt_out", "intended")]),
        ("…also from another address", case(event("complaint", email="old@b.fr")), record(), [("opt_out", "intended")]),
        ("…and remembered if it was there", case(event("unsubscribe")), record(opted_out=True), [("opt_out", "found")]),
        ("…once", case(event("unsubscribe"), ledger=OPTED_OUT), record(opted_out=True), []),
        ("nothing ever clears an opt-out", case(event("delivered")), record(opted_out=True), []),
        ("an opt-out that a person took back stays so", case(event("unsubscribe"), ledger=OPTED_OUT), record(), []),
        (
            "…until a later one",
            case(event("unsubscribe"), event("unsubscribe", AFTER), ledger=OPTED_OUT),
            record(),
            [("opt_out", "intended")],
        ),
        (
            "…which says nothing of the mark",
            case(BOUNCE, event("unsubscribe"), ledger=replace(OURS, opt_out=OPTED_OUT.opt_out)),
            record(**MARKED), [],
        ),
        (
            "a mark of which somebody cleared only the reason is theirs now",
            case(BOUNCE, ledger=OURS), record(**MARKED | {"bounce_reason": None}), [("mark", "found")],
        ),
        (
            "what is left of a mark of ours that a person took away goes too",
            case(BOUNCE, ledger=TICKED), record(invalid=False, shape=BOX, **MARKED), [("lift", "intended")],
        ),
        (
            "…but not of somebody else's",
            case(BOUNCE, ledger=THEIR_TICK),
            record(invalid=False, shape=BOX, **MARKED), [],
        ),
        (
            "…nor is what was never written taken away",
            case(BOUNCE, ledger=Ledger(mark=Remembered(True, {"bounce_reason": "550"}, millis(1), ADDRESS))),
            record(), [],
        ),
        (
            "a mark of ours that came along with a merge is ours, and goes",
            case(BOUNCE, event("delivered", 9), ledger=Ledger(inherited=(OUR_MARK,))), record(**MARKED),
            [("mark", "found"), ("lift", "intended")],
        ),
        (
            "…somebody else's stays theirs",
            case(BOUNCE, event("delivered", 9), ledger=Ledger(inherited=(THEIR_MARK,))), record(**MARKED), [],
        ),
        (
            "what Salesforce has not cleared with the address goes too",
            case(BOUNCE, ledger=TICKED), record(addresses=MOVED, invalid=True, shape=BOX),
            [("mark", "refused"), ("lift", "intended")],
        ),
        ("nothing happened", case(event("delivered")), record(), []),
    ],
)  # fmt: skip
def test_what_follows(story: str, it: Case, on: Record, then: list[tuple[str, str]]) -> None:
    assert planned(it, on) == then, story


def test_a_mark_carries_before_after_and_why() -> None:
    change = only(case(BOUNCE), record())
    assert (change.object, change.sf_id, change.before, change.after) == ("Contact", CONTACT, BLANK, MARKED)
    assert change.why == {
        "rule": "hard_bounce",
        "text": "550 5.1.1 user unknown",
        "address": ADDRESS,
        "event": BOUNCE.key.hex(),
        "send": "send:s1",
        "counted": [BOUNCE.key.hex()],
        "reason": "address_unknown",
    }
    assert change.through == millis(1)


def test_an_opt_out_sets_its_box() -> None:
    change = only(case(event("complaint")), record())
    assert (change.before, change.after) == ({"opted_out": False}, {"opted_out": True})


def test_a_lift_empties_the_fields_and_says_which_rule_took_it() -> None:
    fine = only(case(BOUNCE, event("delivered", 9), ledger=TICKED), record(invalid=True, shape=BOX, **MARKED))
    gone = only(case(event("delivered"), ledger=OURS), record(addresses=MOVED, **MARKED))
    assert fine.after == {"bounce_date": None, "bounce_reason": None, "invalid": False}
    assert (fine.why["rule"], gone.why["rule"]) == ("no_longer_invalid", "address_changed")


def test_values_are_as_salesforce_keeps_them() -> None:
    long = event("hard_bounce", date="2026-03-03T09:00:00.889Z", smtpDescription=" 550 " + "x" * 300)
    change = only(case(long), record(shape=Shape(lengths={"bounce_reason": 10})))
    assert change.after == {"bounce_date": millis(1), "bounce_reason": "550 xxxxxx"}


def test_without_lifts_a_mark_of_ours_stays_but_not_on_a_new_address() -> None:
    rules = replace(RULES, lift_on_success=False)
    fine_again = case(BOUNCE, event("delivered", 9), ledger=OURS)
    assert planned(fine_again, record(**MARKED), rules) == []
    assert planned(fine_again, record(addresses=MOVED, **MARKED), rules) == [("lift", "intended")]


def test_a_removal_is_a_decision_that_spends_all_evidence_so_far() -> None:
    ahead = NOW + 1000
    said = plan(
        case(BOUNCE, ledger=replace(OURS, opt_out=Remembered(False, {"opted_out": True}, ahead))), record(), RULES, NOW
    )
    assert said.decisions == (
        Decision(Aspect.INVALID, Verdict.CLEARED, NOW, NOW, "salesforce", "it had been written by syncd"),
        Decision(Aspect.OPTED_OUT, Verdict.CLEARED, NOW, ahead, "salesforce", "it had been found in Salesforce"),
    )  # fmt: skip


def test_a_field_that_cannot_be_written_is_left_out_alone() -> None:
    no_date = Shape(writable=frozenset({"bounce_reason"}))
    change = only(case(BOUNCE), record(shape=no_date))
    assert change.after == {"bounce_reason": "550 5.1.1 user unknown"}


def test_a_mark_without_any_writable_field_is_refused_once() -> None:
    nothing = record(shape=Shape(writable=frozenset()))
    assert planned(case(BOUNCE), nothing) == [("mark", "refused")]
    told = Ledger(mark=OURS.mark, refused=frozenset({("mark", "not_writable", BOUNCE.key.hex())}))
    assert planned(case(BOUNCE, ledger=told), nothing) == []


def test_an_opt_out_that_cannot_be_written_is_rejected_once() -> None:
    bye = event("unsubscribe")
    nothing = record(shape=Shape(writable=frozenset()))
    assert planned(case(bye), nothing) == [("opt_out", "rejected")]
    told = Ledger(opt_out=OPTED_OUT.opt_out, refused=frozenset({("opt_out", "not_writable", bye.key.hex())}))
    assert planned(case(bye, ledger=told), nothing) == []


# --- changes that a crash or a time-out left open -----------------------------------------------------------


def pending(what: What, after: dict[str, Any], **more: Any) -> Ledger:
    return Ledger(pending=(Pending(7, what, after, millis(1), ADDRESS, **more),))


@pytest.mark.parametrize(
    ("story", "ledger", "on", "settled", "then"),
    [
        ("the mark arrived", pending(What.MARK, MARKED), record(**MARKED), State.DONE, []),
        ("the mark did not", pending(What.MARK, MARKED), record(), State.SUPERSEDED, [("mark", "intended")]),
        (
            "somebody wrote another one meanwhile",
            pending(What.MARK, MARKED),
            record(bounce_reason="called"),
            State.SUPERSEDED,
            [("mark", "found")],
        ),
        ("the lift arrived", pending(What.LIFT, BLANK), record(), State.DONE, [("mark", "intended")]),
        (
            "the opt-out arrived",
            pending(What.OPT_OUT, {"opted_out": True}),
            record(opted_out=True, **MARKED),
            State.DONE,
            [("mark", "found")],
        ),
    ],
)  # fmt: skip
def test_an_open_change_is_settled_by_reading(
    story: str, ledger: Ledger, on: Record, settled: State, then: list[tuple[str, str]]
) -> None:
    it = case(BOUNCE, ledger=ledger)
    assert plan(it, on, RULES, NOW).settled == ((7, settled),), story
    assert planned(it, on) == then, story


def test_what_arrived_is_ours_and_goes_when_it_no_longer_follows() -> None:
    it = case(BOUNCE, event("delivered", 9), ledger=pending(What.MARK, MARKED))
    assert planned(it, record(**MARKED)) == [("lift", "intended")]


def test_a_held_change_is_not_settled_by_what_the_record_says() -> None:
    it = case(BOUNCE, ledger=pending(What.MARK, MARKED, held=True, sf_id=CONTACT))
    assert plan(it, record(), RULES, NOW) == Plan()


def test_a_held_task_is_void_when_it_follows_no_more_and_not_while_tasks_wait() -> None:
    it = case(event("delivered"), ledger=pending(What.ACTIVITY, {}, activity="send:s0", held=True))
    assert plan(it, record(), RULES, NOW).settled == ((7, State.SUPERSEDED),)
    assert plan(it, record(), replace(RULES, activities="off"), NOW) == Plan()


@pytest.mark.parametrize(
    ("story", "back", "then"),
    [
        ("nothing had been there", BLANK, []),
        ("what is put back is a person's, and is not lifted", {"bounce_date": None, "bounce_reason": "called"}, []),
    ],
)
def test_an_undo_that_arrived_is_settled_by_reading(
    story: str, back: dict[str, Value], then: list[tuple[str, str]]
) -> None:
    undone = Decision(Aspect.INVALID, Verdict.UNDONE, millis(2), millis(2), "jo")
    it = case(BOUNCE, event("delivered", 9), ledger=pending(What.UNDO, back), decisions=(undone,))
    said = plan(it, record(**back), RULES, NOW)
    assert (said.settled, said.decisions) == (((7, State.DONE),), ()), story
    assert [(change.what.value, change.state.value) for change in said.changes] == then


def test_an_opt_out_that_arrived_is_ours_from_then_on() -> None:
    it = case(event("unsubscribe"), ledger=pending(What.OPT_OUT, {"opted_out": True}))
    assert planned(it, record(opted_out=True)) == []


@pytest.mark.parametrize(
    ("state", "settled"),
    [(None, True), (ActivityState.KNOWN, True), (ActivityState.GONE, True), (ActivityState.UNCERTAIN, False)],
)
def test_an_open_task_is_left_to_its_look_up(state: ActivityState | None, *, settled: bool) -> None:
    activities = {"send:s0": Activity("send:s0", "t", state)} if state else {}
    ledger = replace(pending(What.ACTIVITY, {}, activity="send:s0"), activities=activities)
    said = plan(case(event("delivered"), ledger=ledger), record(), RULES, NOW)
    assert said.settled == (((7, State.SUPERSEDED),) if settled else ())


# --- activities ---------------------------------------------------------------------------------------------


def ledger_of(*events: Event, state: ActivityState = ActivityState.KNOWN) -> Ledger:
    token = activity_token(CONTACT, "send:s0")
    digest = content_digest(content(Engagement("send:s0", events), token, RULES))
    return Ledger(activities={"send:s0": Activity("send:s0", token, state, "00T1", digest)})


OPEN, AGAIN, CLICK = event("open", 0.1, "s0"), event("open", 0.2, "s0"), event("click", 0.3, "s0")


def test_opens_and_clicks_of_one_send_are_one_task() -> None:
    change = only(case(OPEN, AGAIN, CLICK), record())
    assert change.before == {}
    assert change.activity == "send:s0"
    assert change.after == {
        "subject": "Nos nouveautés",
        "description": (
            "Opened 2 times, clicked once\n"
            "First: 2026-03-02 11:24:00 UTC\n"
            "Last: 2026-03-02 16:12:00 UTC\n"
            "Links:\n  1 × https://acme.example/offre\n"
            "Read with:\n  3 × FIREFOX4 48.0, LINUX\n"
            "Sarbacane campaign c1, send s0\n\n"
            f"syncd {activity_token(CONTACT, 'send:s0')}"
        ),
        "day": "2026-03-02",
    }


def test_a_task_that_says_so_already_is_not_touched_and_one_that_does_not_is_updated() -> None:
    assert planned(case(OPEN, ledger=ledger_of(OPEN)), record()) == []
    update = only(case(OPEN, AGAIN, ledger=ledger_of(OPEN)), record())
    assert update.before == {"task_id": "00T1"}


@pytest.mark.parametrize("state", [ActivityState.GONE, ActivityState.UNCERTAIN, ActivityState.SEALED])
def test_a_task_that_was_deleted_or_is_of_unknown_fate_is_not_planned(state: ActivityState) -> None:
    assert planned(case(OPEN, AGAIN, ledger=ledger_of(OPEN, state=state)), record()) == []


def test_a_campaign_with_many_links_and_no_subject_still_fits_a_task() -> None:
    links = [
        event("click", i / 1000, "s0", url=f"https://acme.example/{i:03}/{'x' * 2000}", subject="") for i in range(30)
    ]
    change = only(case(*links), record())
    description = str(change.after["description"])
    assert change.after["subject"] == "(no subject)"
    assert len(description) == 32_000
    assert token_in(description) == activity_token(CONTACT, "send:s0")
    few = str(only(case(*(replace(link, url=link.url[:30]) for link in links)), record()).after["description"])
    assert "not opened, clicked 30 times" in few
    assert "  and 10 more" in few


def test_the_subject_is_a_template() -> None:
    rules = replace(RULES, subject="Mail {campaign}/{send}: {subject}" + "y" * 300)
    subject = str(only(case(OPEN), record(), rules).after["subject"])
    assert subject.startswith("Mail c1/s0: Nos nouveautésyyy")
    assert len(subject) == 255


def test_a_text_without_our_signature_has_no_token() -> None:
    assert token_in("a colleague's Task") == ""


# --- what has to be read at all -----------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("story", "it", "wanted"),
    [
        ("delivered asks for nothing", case(event("delivered")), False),
        ("a few soft bounces neither", case(event("soft_bounce")), False),
        ("a hard bounce does", case(BOUNCE), True),
        ("an opt-out does", case(event("unsubscribe")), True),
        ("an open without a Task does", case(OPEN), True),
        ("an open that its Task tells does not", case(OPEN, ledger=ledger_of(OPEN)), False),
        ("anything on the record that we know of does", case(event("delivered"), ledger=OURS), True),
        ("…an opt-out too", case(event("delivered"), ledger=OPTED_OUT), True),
        ("…and what was left open", case(event("delivered"), ledger=pending(What.MARK, MARKED)), True),
    ],
)
def test_which_records_are_read(story: str, it: Case, wanted: bool) -> None:
    assert wants_record(it, RULES) is wanted, story


def test_an_activity_is_due_whatever_waits_for_it() -> None:
    assert is_due(case(OPEN), RULES)
    assert not is_due(case(OPEN), replace(RULES, activities="off"))


# --- for any history ----------------------------------------------------------------------------------------

kinds = st.sampled_from(["delivered", "soft_bounce", "hard_bounce", "open", "click", "unsubscribe", "complaint"])
events = st.builds(
    lambda kind, day, send, elsewhere: event(
        kind, day, f"s{send}", **({"email": "old@example.fr"} if elsewhere else {})
    ),
    kinds,
    st.integers(0, 60),
    st.integers(0, 9),
    st.booleans(),
)
histories = st.lists(events, max_size=14)


def applied(it: Case, on: Record) -> tuple[Case, Record]:
    """The record and the ledger after everything planned was done."""
    said = plan(it, on, RULES, NOW)
    ledger, values = it.ledger, dict(on.values)
    for change in said.changes:
        if change.what is What.ACTIVITY:
            token = activity_token(on.id, change.activity)
            made = Activity(change.activity, token, ActivityState.KNOWN, "00T1", content_digest(change.after))
            ledger = replace(ledger, activities={**ledger.activities, change.activity: made})
        elif change.state is State.REFUSED:
            told = (change.what.value, change.code, change.why["event"])
            ledger = replace(ledger, refused=ledger.refused | {told})
        else:
            values |= change.after
            known = Remembered(change.state is State.INTENDED, change.after, change.through, change.why["address"])
            if change.what is What.OPT_OUT:
                ledger = replace(ledger, opt_out=known)
            else:
                ledger = replace(ledger, mark=None if change.what is What.LIFT else known)
    return replace(it, ledger=ledger, decisions=(*it.decisions, *said.decisions)), replace(on, values=values)


@given(histories)
def test_a_second_plan_plans_nothing(history: list[Event]) -> None:
    it, on = applied(case(*history), record())
    assert plan(it, on, RULES, NOW) == Plan()


@given(histories, st.randoms(use_true_random=False), st.lists(st.integers(0, 14), max_size=4))
def test_any_order_duplication_and_split_into_runs_end_the_same(
    history: list[Event], random: Any, cuts: list[int]
) -> None:
    expected = applied(case(*history), record())
    shuffled = history * 3
    random.shuffle(shuffled)
    it, on = case(), record()
    for end in [*sorted(cuts), len(shuffled)]:
        it, on = applied(replace(it, events=tuple(shuffled[:end])), on)
    assert on == expected[1]
    assert it.ledger.activities == expected[0].ledger.activities
