"""Activities: which are to be made, changed or taken back, and what they say in words. Pure.

One is about the opens and clicks of one send, or about one of them. What only machines did makes none; if one was made
before that could be known, it is taken back, so that it does not matter when the runs were.
"""

from __future__ import annotations

import json
import re
from collections import Counter
from dataclasses import replace
from datetime import UTC, datetime
from hashlib import blake2b
from typing import TYPE_CHECKING

from syncd.model import ActivityState, Change, Kind, What
from syncd.rules import engagements, local_day, send_key
from syncd.texts import beginning, without_commands

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator, Mapping

    from syncd.model import Case, Engagement, Event, Ledger, Record, Rules, Value

SUBJECT_LENGTH = 255  # Task.Subject
DESCRIPTION_LENGTH = 32_000  # Task.Description
SIGNATURE = "syncd "
_SIGNED = re.compile(rf"{SIGNATURE}([0-9a-f]{{16}})\s*\Z")
LISTED = 20  # of links and of clients: more than that is noise in a Task
MACHINE_MADE = "machine_made"
"""The rule of a change that takes an activity back. Its `after` is what the activity is to say if it has to stay."""
_TOLD_OF = frozenset({Kind.OPEN.value, Kind.CLICK.value})


# --- which ----------------------------------------------------------------------------------------------------------


def changes_of_activities(
    case: Case, engaged: Iterable[Engagement], record: Record, ledger: Ledger, rules: Rules
) -> Iterator[Change]:
    """One for each that is missing or out of date."""
    for engagement in engaged:
        if not _is_stale(engagement, ledger, rules):
            continue
        known = ledger.activities.get(engagement.key)
        object_, who = record.who
        token = known.token if known else activity_token(who, engagement.key)
        before: dict[str, Value] = {"task_id": known.task_id} if known else {}
        why = {
            "rule": rules.activities,
            "send": send_key(engagement.events[0], rules.timezone),
            "events": [event.key.hex() for event in engagement.events],
        }
        if known and _is_a_machines(engagement, case, rules):
            why |= {
                "rule": MACHINE_MADE,
                "text": "only a machine opened or clicked it",
                "as_written": known.digest.hex(),
            }
        yield Change(
            What.ACTIVITY, object_, who, before, content(engagement, token, rules), why,
            max(event.at for event in engagement.events), activity=engagement.key,
        )  # fmt: skip


def is_due(case: Case, rules: Rules) -> bool:
    """Whether an activity is to be written, now or with the next ones."""
    return any_stale(engagements(case.events, rules), case.ledger, rules)


def any_stale(engaged: Iterable[Engagement], ledger: Ledger, rules: Rules) -> bool:
    return any(_is_stale(engagement, ledger, rules) for engagement in engaged)


def activity_token(sf_id: str, key: str) -> str:
    """What makes a Task findable by its text. Derived, not drawn: a restored store still knows the Tasks made since."""
    return blake2b(f"{sf_id} {key}".encode(), digest_size=8).hexdigest()


def _is_stale(engagement: Engagement, ledger: Ledger, rules: Rules) -> bool:
    """Whether the Task is missing or out of date. One of unknown fate is settled first; a deleted one stays away."""
    known = ledger.activities.get(engagement.key)
    if known is None:
        return bool(engagement.people) and not _told_otherwise(engagement, ledger, rules)
    return known.state is ActivityState.KNOWN and known.digest != content_digest(
        content(engagement, known.token, rules)
    )


def _told_otherwise(engagement: Engagement, ledger: Ledger, rules: Rules) -> bool:
    """Whether its send was written while `[activities] mode` was another one: not told a second time."""
    keys = {send_key(engagement.events[0], rules.timezone), *(event.key.hex() for event in engagement.events)}
    return not keys.isdisjoint(ledger.activities)


def _is_a_machines(engagement: Engagement, case: Case, rules: Rules) -> bool:
    """Whether no person opened or clicked: not even in a way that `[activities] on` has left out since."""
    if engagement.people:
        return False
    everything = engagements(case.events, replace(rules, activity_kinds=_TOLD_OF))
    return not any(one.people for one in everything if one.key == engagement.key)


# --- what they say --------------------------------------------------------------------------------------------------


def content(engagement: Engagement, token: str, rules: Rules) -> dict[str, Value]:
    """The activity by role: subject, description, day (ISO). The token at the end finds it after an uncertain call."""
    last = (engagement.people or engagement.events)[-1]
    named = next((event.subject for event in reversed(engagement.events) if event.subject), "(no subject)")
    subject = rules.subject.format(subject=named, campaign=last.campaign, send=last.send)
    return {
        "subject": beginning(without_commands(subject).strip(), SUBJECT_LENGTH).strip(),
        "description": _description(engagement, token, by_send=rules.activities != "per_event"),
        "day": local_day(last.at, rules.timezone).isoformat(),
    }


def token_in(description: str) -> str:
    """The token at the end of a Task's text, or nothing."""
    signed = _SIGNED.search(description)
    return signed.group(1) if signed else ""


def content_digest(values: Mapping[str, Value]) -> bytes:
    """Tells whether Salesforce already has this content."""
    return blake2b(json.dumps(values, sort_keys=True).encode(), digest_size=16).digest()


def is_as_written(values: Mapping[str, Value], digest: bytes) -> bool:
    """Whether a Task says what syncd wrote, so that nobody has added anything. Line ends are not told apart."""
    plain = {role: it.replace("\r\n", "\n") if isinstance(it, str) else it for role, it in values.items()}
    return content_digest(plain) == digest


def _description(engagement: Engagement, token: str, *, by_send: bool) -> str:
    tail = f"\n\n{SIGNATURE}{token}"
    one = not by_send and len(engagement.events) == 1
    lines = _single(engagement.events[0]) if one else _gathered(engagement)
    return beginning("\n".join(map(without_commands, lines)), DESCRIPTION_LENGTH - len(tail)) + tail


def _single(event: Event) -> list[str]:
    done = "Opened" if event.kind is Kind.OPEN else f"Clicked {event.url}".rstrip()
    return [f"{done}, {_moment(event)}", *([f"Read with {event.client}"] if event.client else []), _sent(event)]


def _sent(event: Event) -> str:
    return f"Sarbacane campaign {event.campaign or '-'}, send {event.send or '-'}"


def _gathered(engagement: Engagement) -> list[str]:
    people = engagement.people
    events = people or engagement.events
    clicks = [event for event in people if event.kind is Kind.CLICK]
    return [
        _counts(people),
        *_apart(event for event in engagement.events if event.key in engagement.machine),
        f"First: {_moment(events[0])}",
        f"Last: {_moment(events[-1])}",
        *_listed("Links", Counter(event.url for event in clicks if event.url)),
        *_listed("Read with", Counter(event.client for event in people if event.client)),
        _sent(events[0]),
    ]


def _counts(events: Iterable[Event]) -> str:
    kinds = Counter(event.kind for event in events)
    return f"{_times('Opened', kinds[Kind.OPEN])}, {_times('clicked', kinds[Kind.CLICK])}"


def _apart(machine: Iterable[Event]) -> list[str]:
    """What a security scanner did is no interest of the person's."""
    events = list(machine)
    return [f"Not counted, made by a machine: {_counts(events).lower()}"] if events else []


def _times(done: str, times: int) -> str:
    return f"{done} once" if times == 1 else f"{done} {times} times" if times else f"not {done.lower()}"


def _moment(event: Event) -> str:
    return datetime.fromtimestamp(event.at / 1000, UTC).strftime("%Y-%m-%d %H:%M:%S UTC")


def _listed(title: str, counts: Counter[str]) -> list[str]:
    if not counts:
        return []
    ranked = sorted(counts.items(), key=lambda item: (-item[1], item[0]))
    more = [f"  and {len(ranked) - LISTED} more"] if len(ranked) > LISTED else []
    return [f"{title}:", *(f"  {times} × {what}" for what, times in ranked[:LISTED]), *more]
