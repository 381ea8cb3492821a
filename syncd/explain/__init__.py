"""The chain from facts to receipts, as values: what was reported, what counts of it and why, what was written. Pure.

It tells what the store knows, without asking Salesforce: what a record said is in the changes that were planned on it.
"""

from __future__ import annotations

from dataclasses import asdict, dataclass
from typing import TYPE_CHECKING, Any

from syncd.explain.facts import Answer, Facts, Holding, Made, Mailed
from syncd.explain.weights import BOUNCED, Judged, SoftCount, Weight, judge
from syncd.model import Aspect, State, Verdict, What
from syncd.rules import OPT_OUTS, order, spent_through

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping, Sequence

    from syncd.model import Event, Rules

__all__ = [
    "ASPECTS",
    "BOUNCED",
    "Answer",
    "Facts",
    "Holding",
    "Judged",
    "Made",
    "Mailed",
    "Point",
    "SoftCount",
    "Story",
    "Weight",
    "explain",
    "judge",
]

ASPECTS = {Aspect.INVALID: (What.MARK, What.LIFT, What.UNDO), Aspect.OPTED_OUT: (What.OPT_OUT,)}


@dataclass(frozen=True, slots=True)
class Point:
    """One sentence of the short answer: `code` says which, `about` what stands in it."""

    code: str
    about: Mapping[str, Any]


@dataclass(frozen=True, slots=True)
class Story:
    facts: Facts
    addresses: tuple[Judged, ...]
    opted_out: Event | None
    points: tuple[Point, ...]


def explain(facts: Facts, rules: Rules) -> Story:
    """What follows from the facts under the rules of today, and how that became what is, or is not, in Salesforce."""
    spent = spent_through(facts.decisions)
    of_address: dict[str, list[Event]] = {mailed.address: [] for mailed in facts.recipients}
    for event in sorted(facts.events, key=order):
        of_address.setdefault(event.address, []).append(event)
    judged = tuple(judge(address, mail, spent[Aspect.INVALID], rules) for address, mail in of_address.items())
    said = (e for mail in of_address.values() for e in mail if e.kind in OPT_OUTS and e.at > spent[Aspect.OPTED_OUT])
    opted_out = min(said, key=order, default=None)
    return Story(facts, judged, opted_out, tuple(_points(facts, judged, opted_out)))


# --- the short answer ----------------------------------------------------------------------------------------------


def _points(facts: Facts, judged: Sequence[Judged], opted_out: Event | None) -> Iterator[Point]:
    if facts.unfolded:
        yield Point("unfolded", {"events": facts.unfolded})
    yield from _of_record(facts)
    for aspect in Aspect:
        yield from _of_aspect(facts, aspect)
    for one in judged:
        yield from _of_address(one)
    if opted_out:
        yield Point("opted_out", {"kind": opted_out.kind.value, "at": opted_out.at, "address": opted_out.address})
    if facts.failing_since is not None:
        yield Point("failing", {"since": facts.failing_since, "times": facts.attempts})
    if facts.due_at is not None and (facts.sf_id or not any(mailed.lookups for mailed in facts.recipients)):
        yield Point("due", {"at": facts.due_at})


def _of_record(facts: Facts) -> Iterator[Point]:
    for move in facts.moved:
        yield Point(f"record_{move.how}", {"from": move.sf_id, "to": move.to_id})
    looked = max(facts.recipients, key=lambda mailed: mailed.lookups, default=None)
    if facts.sf_id:
        if looked and looked.lookups:
            yield Point("record_gone", {"times": looked.lookups, "at": looked.looked_up_at, "next": facts.due_at})
        return
    if looked is None or not looked.lookups:
        yield Point("record_not_needed", {})
        return
    about = {"whid": looked.whid, "times": looked.lookups, "at": looked.looked_up_at, "next": facts.due_at}
    yield Point("no_record" if looked.whid else "no_whid", about)


def _of_aspect(facts: Facts, aspect: Aspect) -> Iterator[Point]:
    """The last that was written, found or refused of it; or the person's word that came after."""
    made = [c for c in facts.changes if c.what in ASPECTS[aspect] and c.state is not State.SUPERSEDED]
    # a release settles nothing: what was held is planned again
    words = (word for word in facts.decisions if word.verdict is not Verdict.RELEASED)
    settled = [word for word in words if word.aspect is aspect]
    last = made[-1] if made else None
    # of one moment: an undo is the word itself; what sets something is of evidence that the word does not spend
    sets = last is not None and last.what in (What.MARK, What.OPT_OUT)
    if settled and (last is None or settled[-1].at > last.at or (settled[-1].at == last.at and not sets)):
        word = settled[-1]
        yield Point(
            "settled", {"aspect": aspect.value, "verdict": word.verdict.value, "at": word.at, "note": word.note}
        )
    elif last:
        answer = last.answers[-1] if last.answers else None
        yield Point(
            f"{last.what.value}_{last.state.value}",
            {
                "at": last.at, "run": last.run,
                "text": last.why.get("text", ""), "address": last.why.get("address", ""),
                "code": answer.code if answer else "", "words": answer.words if answer else "",
                **(asdict(last.hold) if last.hold else {}),
            },
        )  # fmt: skip


def _of_address(judged: Judged) -> Iterator[Point]:
    if judged.machine:
        yield Point("machine", {"address": judged.address, "made": len(judged.machine)})
    bounced = [one for one in judged.sends if one.send.outcome in BOUNCED]
    rows = [row for row in (judged.soft, *judged.apart) if row.counted]
    if judged.invalid:
        yield Point(
            "invalid", {"address": judged.address, "text": judged.invalid.reason, "at": judged.invalid.event.at}
        )
    elif rows:
        yield from (Point("below", {"address": judged.address, "soft": row}) for row in rows)
    elif bounced and all(one.weight is Weight.BEFORE_SUCCESS for one in bounced):
        yield Point("arrived_since", {"address": judged.address, "bounced": len(bounced)})
    elif bounced:
        yield Point("settled_all", {"address": judged.address, "bounced": len(bounced)})
    else:
        yield Point("fine", {"address": judged.address, "sends": len(judged.sends)})
