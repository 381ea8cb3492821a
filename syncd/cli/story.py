"""`syncd explain`: the chain from facts to receipts, drawn."""

from __future__ import annotations

import json
from contextlib import closing
from dataclasses import asdict
from typing import TYPE_CHECKING, Any

import click

from syncd.cli.given import JSON, Address
from syncd.cli.sentences import in_a_row, sentence, so_often
from syncd.cli.words import MOMENTS, counted, difference, event_line, iso, moment, reason, task_verb
from syncd.config import load
from syncd.explain import Judged, Made, SoftCount, Story, Weight
from syncd.explain import explain as explained
from syncd.ids import record_id
from syncd.model import Aspect, Verdict
from syncd.store import Chain, open_store
from syncd.texts import json_text, printable

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

    from syncd.model import Decision, Rules

EVENTS_SHOWN = 30
CHANGES_SHOWN = 20


@click.command()
@click.argument("who", metavar="WHID|EMAIL|RECORD")
@JSON
@click.pass_obj
def explain(config: Path | None, *, who: str, as_json: bool) -> None:
    """Tell why a contact was marked, or was not: events, what counts of them, decisions, changes, receipts.

    Tells what the store knows and asks nothing of Salesforce. Exits 1 if nothing is known of it.
    """
    if not who.strip():
        raise click.UsageError("Say whom: a whId, an address, or the id of a record. See: syncd explain --help")
    settings = load(config)
    rules = settings.judgement()
    named = record_id(who.strip())
    asked = {"whid": who.strip(), "address": str(Address().convert(who, None, None)) if "@" in who else ""}
    with closing(open_store(settings.store.path)) as db:
        chain = Chain(db)
        stories = [explained(facts, rules) for facts in chain.facts(**asked, sf_id=named.id if named else "")]
        unfolded = 0 if stories else chain.unfolded(**asked)
        kept = [] if stories else chain.quarantined(who.strip())
    if as_json:
        document = {
            "asked": who, "subjects": [_document(story, rules) for story in stories], "unfolded": unfolded,
            "quarantine": kept,
        }  # fmt: skip
        click.echo(json_text(document))
    for number, story in enumerate(stories if not as_json else ()):
        click.echo("\n" * bool(number) + "\n".join(map(printable, _lines(story, rules))))
    if not stories:
        click.echo(printable(_nothing(who, unfolded, kept)), err=True)
        raise SystemExit(1)


def _nothing(who: str, unfolded: int, kept: list[int]) -> str:
    if unfolded:
        return f"{counted(unfolded, 'event')} of {who} came, and no run has seen them yet. Type: syncd sync"
    if kept:
        return f"No event of {who}, but quarantine has it. Type: syncd quarantine show {kept[0]}"
    return f"Nothing came of {who}. Was it mailed, and is it written as in Sarbacane? Type: syncd events --since 1d"


# --- for people -----------------------------------------------------------------------------------------------------


def _lines(story: Story, rules: Rules) -> Iterator[str]:
    facts = story.facts
    yield f"{facts.object} {facts.sf_id}" if facts.sf_id else "no record in Salesforce"
    for mailed in facts.recipients:
        yield f"  {mailed.address}, whId {mailed.whid or '(none)'}"
    yield "In short"
    yield from (f"  {sentence(point)}" for point in story.points)
    machine = frozenset[bytes]().union(*(judged.machine for judged in story.addresses))
    told = [
        event_line(event) + "  [a machine]" * (event.key in machine) + _repeated(facts.repeats.get(event.key, 0))
        for event in _timeline(story)
    ]
    yield from _cut("Events", told, EVENTS_SHOWN)
    for judged in story.addresses:
        yield f"Sends to {judged.address}"
        yield from (f"  {line}" for line in _sends(judged))
    if facts.decisions:
        yield "Decisions"
        for word in facts.decisions:
            by = "" if word.verdict is Verdict.CLEARED else f" by {word.by}"  # whoever it was
            what = f"{word.aspect.value} {word.verdict.value}".replace("_", " ") + by
            yield f"  {moment(word.at)}  {what}: {_settles(word)}. {word.note}".rstrip()
    shown = [line for change in facts.changes for line in _change(change, rules)]
    yield from _cut("Changes", shown or ["none"], CHANGES_SHOWN)


def _repeated(times: int) -> str:
    return f"  [came again {so_often(times)}, dropped]" if times else ""


def _timeline(story: Story) -> list[Any]:
    return sorted(story.facts.events, key=lambda event: (event.at, event.key))


def _settles(word: Decision) -> str:
    if word.verdict is Verdict.RELEASED:
        return f"what follows from events up to {moment(word.through)} is not held again"
    if word.verdict is Verdict.DROPPED and word.aspect is Aspect.OPTED_OUT:
        return "what its send reported never counts again"
    return f"events up to {moment(word.through)} never count again"


def _cut(title: str, lines: list[str], most: int) -> Iterator[str]:
    yield title
    if len(lines) > most:
        yield f"  … {len(lines) - most} earlier lines; --json has all"
    yield from (f"  {line}" for line in lines[-most:])


def _sends(judged: Judged) -> Iterator[str]:
    for one in judged.sends[-EVENTS_SHOWN:]:
        first = moment(one.send.events[0].at)
        weight = "" if one.weight is Weight.NO_BOUNCE else f": {one.weight.value}"
        outcome = "nothing known" if one.send.outcome.value == "open" else one.send.outcome.value
        yield f"{first}  {one.send.key}  {outcome}{weight}"
    yield from (in_a_row(row) for row in (judged.soft, *judged.apart) if row.counted or row.left_out)


def _change(change: Made, rules: Rules) -> Iterator[str]:
    if change.activity:
        what = f"{task_verb(change)} Task “{change.after.get('subject', '')}”"
    else:
        what = difference(change.before, change.after) or "already so"
    why = change.why.get("text") or change.why.get("send", "")
    head = f"{moment(change.at)}  run {change.run}  {change.what.value} {change.state.value}: {what} ({why})"
    other = _other_rules(change, rules)
    yield head + (f" [rules {change.rules}, since changed: {', '.join(other)}]" if other else "")
    for answer in change.answers:
        said = f"taken {answer.sf_id}".rstrip() if answer.ok else f"{answer.code}: {answer.words}"
        yield f"  {moment(answer.at)}  {said} {answer.words if answer.ok else ''}".rstrip()


def _other_rules(change: Made, rules: Rules) -> list[str]:
    """The names of the rules that were others then."""
    now = json.loads(json.dumps(asdict(rules), default=sorted))
    return sorted(name for name in now if change.rules_body.get(name) != now[name])


# --- for machines -----------------------------------------------------------------------------------------------------


def _document(story: Story, rules: Rules) -> dict[str, Any]:
    facts = story.facts
    return {
        "record": facts.sf_id or None,
        "object": facts.object or None,
        "recipients": [_plain(asdict(mailed)) for mailed in facts.recipients],
        "points": [{"code": point.code, **_plain(dict(point.about))} for point in story.points],
        "events": [
            {
                "key": event.key.hex(), "at": iso(event.at), "received_at": iso(event.received_at),
                "kind": event.kind.value, "address": event.address, "whid": event.whid, "campaign": event.campaign,
                "send": event.send, "claimed_at": iso(event.claimed_at), "reason": reason(event),
                "repeats": facts.repeats.get(event.key, 0), "raw": json.loads(event.raw),
            }
            for event in _timeline(story)
        ],
        "addresses": [_judged(judged) for judged in story.addresses],
        "decisions": [_plain(asdict(word)) for word in facts.decisions],
        "changes": [
            {**_plain({k: v for k, v in asdict(change).items() if k != "rules_body"}),
             "rules_changed_since": _other_rules(change, rules)}
            for change in facts.changes
        ],
        "unfolded": facts.unfolded,
        "due_at": iso(facts.due_at),
        "failing_since": iso(facts.failing_since),
    }  # fmt: skip


def _judged(judged: Judged) -> dict[str, Any]:
    verdict = judged.invalid
    return {
        "address": judged.address,
        "invalid": verdict and {
            "rule": verdict.rule, "reason": verdict.reason, "at": iso(verdict.event.at),
            "event": verdict.event.key.hex(), "counted": [event.key.hex() for event in verdict.counted],
        },
        "soft_bounces": _plain(judged.soft),
        "soft_bounces_apart": [_plain(row) for row in judged.apart],
        "machine": sorted(key.hex() for key in judged.machine),
        "sends": [
            {
                "send": one.send.key, "outcome": one.send.outcome.value, "weight": one.weight.name.lower(),
                "first": iso(one.send.events[0].at), "events": [event.key.hex() for event in one.send.events],
            }
            for one in judged.sends
        ],
    }  # fmt: skip


def _plain(it: Any, name: str = "") -> Any:
    """Instants in ISO form, whatever they are nested in."""
    if isinstance(it, SoftCount):
        return {**_plain(asdict(it)), "left_out": {why.value: number for why, number in it.left_out.items()}}
    if isinstance(it, dict):
        return {str(key): _plain(value, key) for key, value in it.items()}
    if isinstance(it, list | tuple):
        return [_plain(value) for value in it]
    return iso(it) if name in _INSTANTS and isinstance(it, int) else it


_INSTANTS = frozenset({"at", "next", "since", "through", "looked_up_at"}) | MOMENTS
