"""Values in words."""

from __future__ import annotations

from datetime import UTC, datetime
from typing import TYPE_CHECKING, Any

from syncd.activities import MACHINE_MADE
from syncd.model import Kind
from syncd.rules import BOUNCES, bounce_reason
from syncd.texts import printable

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping

    from syncd.explain import Made
    from syncd.model import Change, Event


MOMENTS = frozenset({"bounce_date", "last_open", "last_click"})
"""Roles whose values are instants."""
_LAST_SECOND = 253_402_300_799  # of the year 9999


def moment(at: int | None) -> str:
    """An instant in ms as `2026-03-02 10:00:00Z`, or a dash."""
    return "-" if at is None else _calendar(at).strftime("%Y-%m-%d %H:%M:%SZ")


def iso(at: int | None) -> str | None:
    return None if at is None else _calendar(at).isoformat(timespec="milliseconds")


def _calendar(at: int) -> datetime:
    """A wrong clock may say the year 10889, which has no calendar here: shown as the last second that has."""
    return datetime.fromtimestamp(min(at / 1000, _LAST_SECOND), UTC)


def value(role: str, it: object) -> str:
    """A field's value as a person reads it."""
    if it is None or it == "":
        return "empty"
    if role in MOMENTS and isinstance(it, int):
        return moment(it)
    if isinstance(it, bool):
        return "yes" if it else "no"
    return str(it)


def difference(before: Mapping[str, object], after: Mapping[str, object]) -> str:
    """`bounce_date: empty → 2026-03-02 10:00:00Z; …`, only what differs."""
    return "; ".join(
        f"{role}: {value(role, before.get(role))} → {value(role, it)}"
        for role, it in after.items()
        if before.get(role) != it
    )


def change_line(change: Change) -> str:
    """One change on one line, with why and, if it would not be written, why not."""
    text = f"{change.what.value} {change.object} {change.sf_id}: "
    if change.activity:
        text += f"{task_verb(change)} a Task, “{change.after['subject']}”"
    else:
        text += difference(change.before, change.after) or "already so"
        text += f" ({change.why.get('text', '')})"
    if not change.is_open:
        text += f" [{change.state.value}{': ' + change.words if change.words else ''}]"
    return printable(text)


def task_verb(change: Change | Made) -> str:
    """What is done to its Task."""
    if change.why.get("rule") == MACHINE_MADE:
        return "delete"
    return "update" if change.before else "create"


def event_line(event: Event) -> str:
    """One event on one line, with what it says beyond its kind, and a bounce's reason."""
    said = event.smtp or event.url or event.subject
    kind = event.kind.value if event.kind is not Kind.UNKNOWN else f"unknown: {event.word}"
    whose = f"{event.address}  {event.whid or '(no whId)'}"
    line = f"{moment(event.at)}  {kind:<11}  {whose}  {event.send or event.campaign or '-'}  {' '.join(said.split())}"
    return printable("  ".join([line, *_labels(event)]))


def reason(event: Event) -> str:
    """Why it bounced, in a word; nothing for what is no bounce."""
    return bounce_reason(event).value if event.kind in BOUNCES else ""


def _labels(event: Event) -> Iterator[str]:
    """What syncd says of the event, beside what the event says."""
    if why := reason(event):
        yield f"[{why}]"
    if event.at != event.claimed_at:
        yield f"[its clock is wrong: it said {moment(event.claimed_at)}]"


def counted(number: int, what: str) -> str:
    """`1 event`, `2 events`; thousands apart."""
    return f"{number:,} {what}{'' if number == 1 else 's'}"


# --- the demo's document ------------------------------------------------------------------------------------


def documented(it: Any) -> Any:
    """The same for machines: instants in ISO form."""
    if isinstance(it, dict):
        return {name: iso(v) if name in _INSTANTS and isinstance(v, int) else documented(v) for name, v in it.items()}
    if isinstance(it, list):
        return [documented(v) for v in it]
    return it


def told(document: Mapping[str, Any]) -> str:
    """The same for people: each record before and after."""
    answers = ", ".join(f"{number} × {status}" for status, number in document["deliveries"].items())
    posted = sum(document["deliveries"].values())
    kept = f"{len(document['events'])} events, {len(document['quarantine'])} in quarantine, the rest were repeats"
    lines = [
        f"Salesforce stand-in  {document['salesforce']}",
        f"receiver             {document['receiver']}",
        f"dashboard            {document['dashboard']}",
        "",
        f"Posted {posted} deliveries, answered {answers}: {kept}.",
        "",
    ]
    for person in document["records"]:
        lines.append(f"{person['name']} ({person['object']} {person['id']}): {person['story']}")
        lines += [f"    {line}" for line in _record_lines(person)]
        lines += [f"    left alone: {text}" for text in _left_alone(document["changes"], person["id"])]
    unmatched = [r for r in document["recipients"] if r["matched"] == "no" and r["lookups"]]
    lines += [f"{r['address']}: no whId, so no record; nothing is written" for r in unmatched]
    writes = document["second_sync"]["writing_calls"]
    lines += ["", f"{document['salesforce_calls']} calls to Salesforce. A second sync made {writes} writing calls."]
    return "\n".join(lines)


def _record_lines(person: Mapping[str, Any]) -> list[str]:
    before, after = person["before"], person["after"]
    fields = [
        f"{name}: {value(name, before[name])} → {value(name, after[name])}"
        for name in after
        if name != "tasks" and before[name] != after[name]
    ]
    tasks = [
        f"Task “{task['Subject']}” ({task['Status']}): {task['Description'].splitlines()[0]}" for task in after["tasks"]
    ]
    return fields + tasks or ["unchanged"]


def _left_alone(changes: list[dict[str, Any]], sf_id: str) -> list[str]:
    said = {"found": "it was marked already", "refused": ""}
    return [
        said[change["state"]] or change["receipts"][-1]["words"]
        for change in changes
        if change["sf_id"] == sf_id and change["state"] in said
    ]


_INSTANTS = frozenset({"at", "received_at", "through", "intended_at", "started_at", "ended_at"}) | MOMENTS
