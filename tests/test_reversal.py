"""The truth table of taking back: what is put back, and what is left. One row a rule."""

from __future__ import annotations

import pytest

from syncd.model import Record, What
from syncd.reversal import Written, reverse
from tests.factories import CONTACT, record

BLANK: dict[str, object] = {"bounce_date": None, "bounce_reason": None}
MARK: dict[str, object] = {"bounce_date": 1_000, "bounce_reason": "gone"}
OTHER: dict[str, object] = {"bounce_date": 2_000, "bounce_reason": "still gone"}


def wrote(number: int, what: What, before: dict[str, object], after: dict[str, object], activity: str = "") -> Written:
    return Written(number, 1, 1, what, "Contact", CONTACT, activity, before, after, {"text": "why"}, 500)  # type: ignore[arg-type]


MARKED, LIFTED = wrote(1, What.MARK, BLANK, MARK), wrote(2, What.LIFT, MARK, BLANK)
REWRITTEN = wrote(2, What.MARK, MARK, OTHER)
OPTED_OUT = wrote(3, What.OPT_OUT, {"opted_out": False}, {"opted_out": True})
TASK = wrote(4, What.ACTIVITY, {}, {"subject": "News"}, "send:s")


@pytest.mark.parametrize(
    ("story", "written", "there", "after", "left"),
    [
        ("nothing was written", [], record(), None, []),
        ("a mark that is still there", [MARKED], record(**MARK), BLANK, []),
        ("a mark that a person cleared", [MARKED], record(), None, ["changed_since"]),
        ("a mark that a person rewrote", [MARKED], record(**OTHER), None, ["changed_since"]),
        (
            "one of its fields is a person's",
            [MARKED],
            record(**{**MARK, "bounce_reason": "x"}),
            None,
            ["changed_since"],
        ),
        ("a mark that was lifted comes to nothing", [MARKED, LIFTED], record(), None, []),
        ("only the lift: the mark is put back", [LIFTED], record(), MARK, []),
        ("a mark that syncd rewrote, all of it", [MARKED, REWRITTEN], record(**OTHER), BLANK, []),
        ("only the rewriting", [REWRITTEN], record(**OTHER), MARK, []),
        ("the first, rewritten since", [MARKED], record(**OTHER), None, ["changed_since"]),
        ("a person between: nothing further back", [MARKED, LIFTED], record(**OTHER), None, ["changed_since"] * 2),
        ("an opt-out is one-way", [OPTED_OUT], record(opted_out=True), None, ["one_way"]),
        ("a Task is no field", [TASK], record(), None, ["task"]),
        ("a mark beside an opt-out", [MARKED, OPTED_OUT], record(**MARK, opted_out=True), BLANK, ["one_way"]),
        ("the record is gone", [MARKED, OPTED_OUT], None, None, ["one_way", "gone"]),
    ],
)
def test_what_is_put_back(
    story: str, written: list[Written], there: Record | None, after: dict[str, object] | None, left: list[str]
) -> None:
    said = reverse(written, there, 9_000, "lea")
    assert (dict(said.change.after) if said.change else None) == after, story
    assert [one.reason for one in said.left] == left, story
    assert (said.decision is not None) == (after is not None), story


def test_the_evidence_is_spent_up_to_this_moment_or_the_event_if_that_is_later() -> None:
    now = reverse([MARKED], record(**MARK), 9_000, "lea").decision
    early = reverse([MARKED], record(**MARK), 100, "lea").decision
    assert now is not None
    assert early is not None
    assert (now.through, early.through) == (9_000, 500)
