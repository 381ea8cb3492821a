"""Which marks of a run are held back until a person has looked. Pure: counts in, groups out.

One good customer marked dead is worse than a day's delay. A wave of hard bounces with one thing in common (a domain
whose server is down, a send that was refused, a blocklist's text, or just far too many) is more likely an incident
than so many dead addresses. What was let through before the wave could be seen is named, so that it can be undone.
"""

from __future__ import annotations

import re
from collections import Counter
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, NamedTuple

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator, Mapping, Set

WINDOW = 86_400_000
"""ms: marks written in it and those planned now are counted together."""
SHIFTED_SHARE, SHIFTED_MIN = 0.10, 20
"""So many of a send's recipients whose records have other addresses: the whId column is in the wrong rows."""


class Group(NamedTuple):
    """What marks have in common: a text, a domain, a send, or (total) only that they are many."""

    by: str  # text | domain | send | total | shifted
    value: str = ""

    def __str__(self) -> str:
        return f"{self.by} {self.value}".rstrip()


TOTAL = Group("total")


@dataclass(frozen=True, slots=True)
class Limits:
    """`[brake]`. Shares are of 1."""

    enabled: bool = True
    max_marks: int = 200
    max_share: float = 0.03  # of all recipients with events
    group_min: int = 50
    send_share: float = 0.10  # of a send's recipients
    domain_share: float = 0.80  # of a domain's attempts


@dataclass(frozen=True, slots=True)
class Mark:
    """A hard mark that is planned, or was written in the window."""

    id: int
    address: str
    send: str
    text: str
    reason: str

    @property
    def groups(self) -> tuple[Group, ...]:
        """What it may be held with, the most telling first. That a user is unknown is what many bounces do say."""
        domain = Group("domain", self.address.rpartition("@")[2])
        send = (Group("send", self.send),) if self.send else ()
        text = () if self.reason == "address_unknown" else (Group("text", normalised(self.text)),)
        return (*text, domain, *send)


@dataclass(frozen=True, slots=True)
class Seen:
    """What the store knows before the first mark goes out. `sizes`: recipients of a send, attempts of a domain."""

    recipients: int
    counts: Mapping[Group, int]  # written and planned
    written: Mapping[Group, int]
    sizes: Mapping[Group, int] = field(default_factory=dict)
    open: Set[Group] = frozenset()  # holds that nobody has decided: what belongs to them joins them
    released: Set[Group] = frozenset()  # a person said within the window that it is right


def counted(marks: Iterable[Mark], released: Set[Group] = frozenset()) -> Counter[Group]:
    """How many marks each group has. Those of a group that a person released count against no other either."""
    counts: Counter[Group] = Counter()
    for mark in marks:
        if released.isdisjoint(mark.groups):
            counts[TOTAL] += 1
            counts.update(mark.groups)
    return counts


def suspects(counts: Mapping[Group, int], limits: Limits) -> set[Group]:
    """Groups large enough to be looked at: their sizes matter."""
    return {group for group, count in counts.items() if group != TOTAL and count >= limits.group_min}


def tripped(seen: Seen, limits: Limits) -> set[Group]:
    """Groups that are held beyond `group_min`."""
    return {
        group
        for group in suspects(seen.counts, limits)
        if seen.counts[group] >= _share(group, limits) * seen.sizes.get(group, 0)
    }


def held(marks: Iterable[Mark], seen: Seen, limits: Limits) -> Iterator[tuple[Mark, Group]]:
    """The marks that are held, each with the group that holds it; the others, the first planned, are let through.

    Of the groups that could hold a mark the largest does, so that one incident is one group.
    """
    if not limits.enabled:
        return
    over = tripped(seen, limits)
    through = Counter(dict(seen.written))
    for mark in marks:
        groups = mark.groups
        if not seen.released.isdisjoint(groups):
            continue
        full = [g for g in groups if g in over and through[g] >= limits.group_min - 1]
        waits = [g for g in (*groups, TOTAL) if g in seen.open]
        if not waits and not full and TOTAL not in seen.released and through[TOTAL] >= most(seen.recipients, limits):
            full = [TOTAL]
        if waits or full:
            yield mark, max(waits or full, key=lambda g: seen.counts.get(g, 0))  # of equals the first
        else:
            through[TOTAL] += 1
            through.update(groups)


def most(recipients: int, limits: Limits) -> int:
    """How many marks a day are nothing unusual."""
    return max(limits.max_marks, int(limits.max_share * recipients))


_CALLED = {"activity": "Task", "opt_out": "opt-out", "engagement": "figure"}


def numbers(changes: Mapping[str, int]) -> str:
    """Changes by what, as people call them: `21 marks, 1 opt-out`."""
    return ", ".join(f"{number:,} {_CALLED.get(what, what)}{'s' * (number != 1)}" for what, number in changes.items())


def is_shifted(mismatches: int, recipients: int) -> bool:
    """Whether a send's whId column is probably in the wrong rows."""
    return mismatches >= SHIFTED_MIN and mismatches >= SHIFTED_SHARE * recipients


def _share(group: Group, limits: Limits) -> float:
    return {"send": limits.send_share, "domain": limits.domain_share}.get(group.by, 0)


_VARIABLE = (
    (re.compile(r"[^\s<>\"'()]+@[^\s<>\"'(),;:]+"), "…@…"),
    (re.compile(r"https?://\S+"), "…"),
    (re.compile(r"\b(?=[0-9a-z._-]*\d)[0-9a-z_-]{10,}(?:\.[0-9a-z._-]+)?\b"), "…"),  # queue ids
    (re.compile(r"\b\d{1,3}(?:\.\d{1,3}){3}\b"), "…"),  # IP addresses
    (re.compile(r"\d{6,}"), "…"),
)


def normalised(text: str) -> str:
    """A mail server's text without what is of one mail only: addresses, queue ids, IP addresses; cut to 200 letters."""
    plain = " ".join(text.lower().split())
    for pattern, instead in _VARIABLE:
        plain = pattern.sub(instead, plain)
    return plain[:200]
