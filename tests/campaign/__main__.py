"""python -m tests.campaign: every kind of fault at 10 %, each under a campaign of 5,000.

Exits 1 if any of them changed what Salesforce says in the end.
"""

from __future__ import annotations

import argparse
import logging
import sys
import tempfile
import time
from pathlib import Path

import structlog

from syncd.sandbox import KINDS
from tests.campaign.trial import trial


def main() -> int:
    parser = argparse.ArgumentParser(prog="python -m tests.campaign", description=__doc__)
    parser.add_argument("--recipients", type=int, default=5_000)
    parser.add_argument("--chance", type=float, default=10, help="in %%")
    parser.add_argument("--kind", action="append", choices=list(KINDS), help="may be given several times; else all")
    arguments = parser.parse_args()
    structlog.configure(wrapper_class=structlog.make_filtering_bound_logger(logging.CRITICAL))
    bad = 0
    with tempfile.TemporaryDirectory() as name:
        directory = Path(name)
        undisturbed = trial(directory / "none", directory, arguments.recipients)
        tasks = len(undisturbed.state["Task"])
        print(f"{arguments.recipients} recipients, {tasks} Tasks; without faults {undisturbed.calls} calls", flush=True)
        bad += _tell("(none)", undisturbed.problems(undisturbed))
        print(f"{'fault':18} {'met':>4} {'calls':>6} {'runs':>5} {'dupl.':>5} {'s':>6}  outcome", flush=True)
        for kind in arguments.kind or KINDS:
            started = time.monotonic()
            outcome = trial(directory / kind, directory, arguments.recipients, specs(kind, arguments.chance))
            problems = outcome.problems(undisturbed)
            print(
                f"{kind:18} {outcome.met:4} {outcome.calls:6} {outcome.runs:5} {outcome.duplicates:5}"
                f" {time.monotonic() - started:6.1f}  {'same' if not problems else 'DIFFERENT'}",
                flush=True,
            )
            bad += _tell(kind, problems)
    return 1 if bad else 0


def specs(kind: str, chance: float) -> list[str]:
    """What is ordered for a kind: logins come only when sessions end, queries mostly when a Task's fate is unknown.

    A job stands for thousands of changes, so that a campaign has few of them: there the first two calls meet it.
    """
    if kind.startswith("bulk"):
        return [f"{kind} x2"]
    more = []
    if kind.startswith("login"):
        more = [f"session-expired@{chance:g}%"]
    if kind.startswith("query") or kind == "414":
        more = [f"reset-after@{chance:g}% on composite/sobjects$"]
    return [f"{kind}@{chance:g}%", *more]


def _tell(kind: str, problems: list[str]) -> int:
    for problem in problems[:10]:
        print(f"    {kind}: {problem}", flush=True)
    return len(problems)


if __name__ == "__main__":
    sys.exit(main())
