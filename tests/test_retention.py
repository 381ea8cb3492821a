"""Pruning at any point changes no judgement, whatever comes later."""

from __future__ import annotations

from hypothesis import given, settings
from hypothesis import strategies as st

from syncd.model import Event, Rules
from syncd.retention import surplus
from syncd.rules import OPT_OUTS, engagements, send_key, standing
from tests.factories import ADDRESS, case, event, millis

RULES = Rules(activities="off")
OTHER = "second@example.fr"
KINDS = ("delivered", "open", "click", "soft_bounce", "hard_bounce", "unsubscribe")
CUT = 400

old = st.builds(
    event,
    st.sampled_from(KINDS),
    st.integers(0, CUT + 30).map(float),
    st.integers(0, 3).map(lambda i: f"s{i}"),
    email=st.sampled_from((ADDRESS, ADDRESS, OTHER)),
)
reaction = st.builds(
    event,
    st.sampled_from(("open", "click", "unsubscribe")),
    st.integers(CUT, 900).map(float),
    st.integers(0, 3).map(lambda i: f"s{i}"),
    email=st.sampled_from((ADDRESS, ADDRESS, OTHER)),
)
"""To a mail of long ago, today."""
new = st.builds(
    event,
    st.sampled_from(KINDS),
    st.integers(0, 900).map(float),
    st.integers(0, 3).map(lambda i: f"n{i}"),
    email=st.sampled_from((ADDRESS, ADDRESS, OTHER)),
)
"""Of sends that were never seen before, imported old ones among them."""


def apart(events: list[Event]) -> list[Event]:
    return list({e.key: e for e in events}.values())


@settings(max_examples=150)
@given(st.lists(old, max_size=20), st.lists(st.one_of(reaction, new, old), max_size=12))
def test_what_is_judged_is_the_same_with_and_without_what_was_pruned(before: list[Event], later: list[Event]) -> None:
    history = apart(before)
    gone = surplus(case(*history), RULES, millis(CUT))
    removed = {e.key for send in gone.sends for e in send.events}
    sealed = {(send.address, send.key) for send in gone.sends}
    # what comes again was seen before; a bounce that is a year late for a send that had succeeded is out of scope
    later = [e for e in later if e.send[0] == "n" or e in history or e.kind.value in ("open", "click", "unsubscribe")]
    kept = [e for e in history if e.key not in removed]
    joined = [e for e in later if e.kind in OPT_OUTS or (e.address, send_key(e, "UTC")) not in sealed]
    for addresses in ((ADDRESS,), (OTHER,), (ADDRESS, OTHER)):
        whole = standing([*history, *later], addresses, (), RULES)
        pruned = standing([*kept, *joined], addresses, (), RULES)
        assert (whole.invalid, whole.elsewhere, whole.opted_out) == (pruned.invalid, pruned.elsewhere, pruned.opted_out)


@given(st.lists(old, max_size=40))
def test_a_task_says_what_it_said_or_is_sealed(before: list[Event]) -> None:
    rules = Rules()
    history = apart(before)
    told = {one.key: one for one in engagements(history, rules)}
    gone = surplus(case(*history), RULES, millis(CUT))  # as if all Tasks were written
    removed = {e.key for send in gone.sends for e in send.events}
    left = {one.key: one for one in engagements([e for e in history if e.key not in removed], rules)}
    touched = {send_key(e, "UTC") for send in gone.sends for e in send.events}
    assert all(left.get(key) == one for key, one in told.items() if key not in touched)


def test_only_what_lies_before_an_old_success_goes() -> None:
    history = [
        event("soft_bounce", 0),
        event("delivered", 10),
        event("open", 10),
        event("open", 20),
        event("soft_bounce", 30),
    ]
    gone = surplus(case(*history), RULES, millis(CUT))
    assert [send.key for send in gone.sends] == ["send:s0", "send:s10"]
    assert surplus(case(*history), RULES, millis(5)).sends == ()
    assert surplus(case(event("soft_bounce", 0), event("soft_bounce", 9)), RULES, millis(CUT)).sends == ()


def test_who_has_a_task_to_be_written_keeps_everything() -> None:
    history = [event("open", 0), event("open", 20)]
    assert surplus(case(*history), Rules(), millis(CUT)).sends == ()
    assert surplus(case(*history), RULES, millis(CUT)).events == 1


def test_an_event_without_a_send_or_a_campaign_stays() -> None:
    history = [event("delivered", 0, "", campaignId=""), event("delivered", 20)]
    assert surplus(case(*history), RULES, millis(CUT)).sends == ()
