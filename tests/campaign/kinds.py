"""A line of the table: one kind of fault, and whether it changed anything in the end."""

from __future__ import annotations

import logging
import time
from typing import TYPE_CHECKING

import structlog

from tests.campaign.trial import trial

if TYPE_CHECKING:
    from pathlib import Path

    from tests.campaign.trial import Outcome

NONE = "(none)"
COLLECTIONS_ONLY = {"lock-call"}
LINE = "{:18} {:>5} {:>6} {:>5} {:>5} {:>6}  {}"


def quiet() -> None:
    structlog.configure(wrapper_class=structlog.make_filtering_bound_logger(logging.CRITICAL))


def suffered(
    directory: Path, undisturbed: Outcome, kind: str, *, recipients: int, chance: float, bulk: bool
) -> tuple[str, list[str]]:
    """A line of the table, and what is wrong."""
    started = time.monotonic()
    bulk = bulk or kind.startswith("bulk")
    faults = [] if kind == NONE else specs(kind, chance, bulk=bulk)
    outcome = trial(directory / kind, directory, recipients, faults, bulk=bulk)
    problems = outcome.problems(undisturbed)
    if faults and not outcome.met:
        problems.append("nothing met it")
    seconds, verdict = f"{time.monotonic() - started:.1f}", "DIFFERENT" if problems else "same"
    line = LINE.format(kind, outcome.met, outcome.calls, outcome.runs, outcome.books.duplicates, seconds, verdict)
    return line, problems


def specs(kind: str, chance: float, *, bulk: bool) -> list[str]:
    """What is ordered for a kind: logins come only when sessions end, queries mostly when a Task's fate is unknown.

    A job stands for thousands of changes, so that a campaign has few of them: there the first two calls meet it.
    """
    if kind.startswith("bulk"):
        return [f"{kind} x2"]
    more = []
    if kind.startswith("login"):
        more = [f"session-expired@{chance:g}%"]
    if kind.startswith("query") or kind == "414":
        more = ["bulk-create-lost" if bulk else f"reset-after@{chance:g}% on composite/sobjects$"]
    return [f"{kind}@{chance:g}%", *more]
