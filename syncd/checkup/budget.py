"""The calls that syncd allows itself: `check` keeps within them too, and says whether they will do."""

from __future__ import annotations

import time
from contextlib import contextmanager
from typing import TYPE_CHECKING

from syncd.budget import Budget, Need
from syncd.checkup.finding import Finding
from syncd.errors import StoreError
from syncd.store import Calls, open_store

if TYPE_CHECKING:
    from collections.abc import Iterator

    from syncd.config import Settings
    from syncd.salesforce.session import Session


@contextmanager
def counted(session: Session, settings: Settings) -> Iterator[None]:
    """The calls made inside are counted where a run counts its own, if there is a store already."""
    try:
        db = open_store(settings.store.path) if settings.store.path.exists() else None
    except StoreError:  # another finding says so
        db = None
    if db is None:
        yield
        return
    session.budget = budget = Budget(Calls(db), settings.salesforce.daily_budget, lambda: time.time_ns() // 1_000_000)
    try:
        with budget.for_(Need.OPT_OUTS):
            yield
    finally:
        session.budget = None
        db.close()


def finding(session: Session, settings: Settings, org_limit: int, needed: int) -> Finding:
    daily = settings.salesforce.daily_budget
    allowed = daily if isinstance(daily, int) else org_limit * int(daily.removesuffix("%")) // 100
    made = f", {session.budget.used:,} made in the last 24 hours" if session.budget else ""
    said = f"syncd allows itself {allowed:,} calls a day{made}"
    if allowed >= needed:
        return Finding.ok("budget", said)
    return Finding.hint(
        "budget", f"{said}; it may need about {needed:,}, and then activities wait first, marks second",
        "raise daily_budget under [salesforce], or make fewer runs, under [sync]: every = \"5m\"",
    )  # fmt: skip
