"""What `syncd explain` says in short: a sentence a point."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from syncd.cli.words import counted, moment

if TYPE_CHECKING:
    from collections.abc import Callable

    from syncd.explain import Point, SoftCount


def sentence(point: Point) -> str:
    """The point in words. Whatever has no sentence is named as it is, so that nothing is left out."""
    words = {name: _WORDS[name](value) if name in _WORDS else value for name, value in point.about.items()}
    return SENTENCES.get(point.code, point.code.replace("_", " ")).format(**words)


def in_a_row(soft: SoftCount) -> str:
    """`3 of 5 counted; 2 left out: same day`."""
    left = "; ".join(f"{number} left out: {weight.value}" for weight, number in soft.left_out.items())
    of = f" ({soft.reason})" if soft.reason else ""
    text = f"soft bounces in a row{of}: {soft.counted} of {soft.threshold} counted" + (f"; {left}" if left else "")
    short = soft.counted >= soft.threshold and soft.days < soft.span_days
    return text + (f"; over {soft.days} days, and at least {soft.span_days} are needed" if short else "")


def so_often(number: int) -> str:
    return "once" if number == 1 else f"{number} times"


_WORDS: dict[str, Callable[[Any], str]] = {
    "at": moment,
    "since": moment,
    "next": lambda at: f"again {moment(at)}" if at is not None else "again by: syncd resync --unmatched",
    "soft": in_a_row,
    "events": lambda number: counted(number, "event"),
    "sends": lambda number: counted(number, "send"),
    "bounced": lambda number: counted(number, "bounced send"),
    "made": lambda number: f"{number} open or click" if number == 1 else f"{number} opens and clicks",
    "times": so_often,
    "aspect": lambda aspect: aspect.replace("_", " "),
    "verdict": lambda verdict: verdict.replace("_", " "),
}

_RETRY = "Salesforce would not take it, {code}: {words}. Mend it, then type: syncd retry"
_UNSURE = "was sent, {at}, and no clear answer came; the next run reads the record."
_ON_ITS_WAY = "is on its way since {at}, run {run}."
_HELD = (
    "the brake has held it back since {at}, as one of {waiting} of group {group}, {of}."
    " Look: syncd held {group}. Then: syncd release {group}, or syncd drop {group}."
)
_DROPPED = "group {group}, {of}, was dropped by a person."
_LOOKED = "Looked for {times}, last {at}; {next}."

SENTENCES = {
    "unfolded": "{events} came since the last run. Type: syncd sync",
    "record_not_needed": "Its record was not looked for: nothing that came asks for a change.",
    "record_merged": "{from} was merged into {to}.",
    "record_converted": "The Lead {from} was converted to {to}.",
    "record_person": "{from} is the Contact of the person account {to}.",
    "record_gone": "Its record is not in Salesforce any more. " + _LOOKED,
    "no_record": "Nothing is written: no record for the whId {whid!r}. " + _LOOKED,
    "no_whid": "Nothing is written: no whId names its record. " + _LOOKED,
    "mark_done": "Marked invalid in run {run}, {at}: {text}.",
    "mark_found": "It was marked already, seen {at}; left as it was.",
    "mark_refused": "Not marked for the bounce of {address}: {words}.",
    "mark_rejected": "Not marked: " + _RETRY,
    "mark_uncertain": "A mark " + _UNSURE,
    "mark_intended": "A mark " + _ON_ITS_WAY,
    "mark_held": "Not marked: " + _HELD,
    "mark_dropped": "Not marked: " + _DROPPED,
    "lift_done": "The mark was taken back in run {run}, {at}: {text}.",
    "lift_found": "The mark was gone, seen {at}: {text}.",
    "lift_uncertain": "Taking the mark back " + _UNSURE,
    "lift_intended": "Taking the mark back " + _ON_ITS_WAY,
    "lift_rejected": "The mark could not be taken back: " + _RETRY,
    "undo_done": "Taken back in run {run}, {at}.",
    "undo_rejected": "It could not be taken back: {code}: {words}.",
    "undo_uncertain": "Taking it back " + _UNSURE,
    "undo_intended": "Taking it back " + _ON_ITS_WAY,
    "opt_out_done": "Opted out in run {run}, {at}: {text}.",
    "opt_out_found": "It was opted out already, seen {at}.",
    "opt_out_uncertain": "An opt-out " + _UNSURE,
    "opt_out_intended": "An opt-out " + _ON_ITS_WAY,
    "opt_out_held": "Not opted out: " + _HELD,
    "opt_out_dropped": "Not opted out: " + _DROPPED,
    "opt_out_rejected": "Not opted out: " + _RETRY,
    "settled": "A person's word stands: {aspect} {verdict}, seen {at}. What came before never sets it again.",
    "invalid": "{address} is invalid: {text}, {at}.",
    "below": "{address} is not invalid: {soft}.",
    "arrived_since": "{address} is fine: a mail arrived after {bounced}.",
    "settled_all": "{address}: {bounced}, none of which counts.",
    "machine": "{address}: {made} made by a machine, which prove nothing and make no Task.",
    "fine": "{address} is fine: no bounce in {sends}.",
    "opted_out": "{kind} reported {at}, of {address}.",
    "failing": "It has failed since {since}, {times}, and is tried again.",
    "due": "It is due {at}: the next run then plans it.",
}
