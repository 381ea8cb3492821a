"""The calls that syncd allows itself in 24 hours. Its own count decides.

What Salesforce says of the org's usage (Sforce-Limit-Info) is other programs' calls as well, goes up and down from one
answer to the next and is absent on errors (recorded: restforce-db). Only the org's limit is taken from there.
"""

from __future__ import annotations

from contextlib import contextmanager
from datetime import UTC, datetime
from enum import IntEnum
from typing import TYPE_CHECKING, Protocol

from syncd.errors import BudgetSpent

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

LEAST_LIMIT = 15_000
"""Calls a day of a Developer Edition, the fewest there are: what counts until Salesforce has said how many."""


class Need(IntEnum):
    """What a call is for, the most important last. Each leaves to those after it a part of the budget."""

    ACTIVITIES = 80
    MARKS = 95
    OPT_OUTS = 100

    def ceiling(self, allowed: int) -> int:
        """How many calls there may have been for one more of this kind.

        Per cent of the whole. A fifth is kept from activities, since a day of marks and opt-outs in one run a minute
        takes a few hundred calls and activities can take any number; a twentieth from marks. At least one call each
        is kept, as long as there are three.
        """
        kept = {Need.ACTIVITIES: 2, Need.MARKS: 1, Need.OPT_OUTS: 0}[self]
        return max(1, min(allowed * self // 100, allowed - kept))


_KEPT_FOR = {Need.ACTIVITIES: "opt-outs and marks", Need.MARKS: "opt-outs"}


class Ledger(Protocol):
    """Where the calls are counted: `syncd.store.Calls`."""

    org_limit: int

    def add(self, calls: int, now: int) -> None: ...

    def recent(self, now: int) -> list[tuple[int, int]]: ...


class Budget:
    """Asked before each call."""

    def __init__(self, ledger: Ledger, daily: str | int, now: Callable[[], int]) -> None:
        self.ledger = ledger
        self._daily = daily
        self._now = now
        self._need = Need.MARKS

    @property
    def allowed(self) -> int:
        """Calls in 24 hours."""
        if isinstance(self._daily, int):
            return self._daily
        share = int(self._daily.removesuffix("%"))
        return max(1, (self.ledger.org_limit or LEAST_LIMIT) * share // 100)

    @property
    def used(self) -> int:
        return sum(calls for _, calls in self.ledger.recent(self._now()))

    @contextmanager
    def for_(self, need: Need) -> Iterator[None]:
        before, self._need = self._need, need
        try:
            yield
        finally:
            self._need = before

    def spend(self) -> None:
        """Counts the call that is about to be made. Raises BudgetSpent if it is one too many."""
        if short := self.shortage(self._need):
            raise short
        self.ledger.add(1, self._now())

    def shortage(self, need: Need) -> BudgetSpent | None:
        """Why there is no call for it, if there is none."""
        until = self.free_at(need)
        if not until:
            return None
        used, allowed = self.used, self.allowed
        kept = "" if used >= allowed else f", and the others are kept for {_KEPT_FOR[need]}"
        return BudgetSpent(f"{used:,} of {allowed:,} calls a day are spent{kept}; goes on at {_moment(until)}", until)

    def free_at(self, need: Need) -> int:
        """When there is a call for it; 0 if there is one now."""
        ceiling, recent = need.ceiling(self.allowed), self.ledger.recent(self._now())
        used = sum(calls for _, calls in recent)
        until = 0
        for leaves_at, calls in recent:
            if used < ceiling:
                break
            used -= calls
            until = leaves_at
        return until

    def learn(self, limit: int) -> None:
        """The org's calls in 24 hours, as Salesforce says it."""
        if limit > 0 and limit != self.ledger.org_limit:
            self.ledger.org_limit = limit


def _moment(at: int) -> str:
    return datetime.fromtimestamp(at / 1000, UTC).strftime("%Y-%m-%d %H:%M UTC")
