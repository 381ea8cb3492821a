"""Kills a receiver again and again under load, and compares the clients' books with the store's."""

from __future__ import annotations

import random
import time
from dataclasses import dataclass, field
from typing import TYPE_CHECKING

from tests.crash.sender import Senders
from tests.crash.ways import KILLS, WAYS
from tests.receiver.process import Receiver, until
from tests.receiver.stored import query

if TYPE_CHECKING:
    from collections.abc import Sequence
    from pathlib import Path

    from tests.crash.sender import Tally

LONGEST_LIFE = 0.6
"""Seconds between an answer and the next kill, at most: a kill may find the receiver at any point of its work."""


@dataclass
class Report:
    """What came of it. `unknown`: stored, though no client sent it; `broken`: findings of SQLite's integrity check."""

    deaths: dict[str, int] = field(default_factory=dict)
    acknowledged: int = 0
    retried: int = 0
    lost: int = 0
    duplicated: int = 0
    given_up: int = 0
    refused_connections: int = 0
    unknown: int = 0
    broken: int = 0
    most_tries: int = 0
    answers: dict[int, int] = field(default_factory=dict)

    @property
    def is_clean(self) -> bool:
        return not (self.lost or self.duplicated or self.given_up or self.unknown or self.broken)

    def __str__(self) -> str:
        return "\n".join(f"{name.replace('_', ' '):20} {value}" for name, value in vars(self).items())


def campaign(directory: Path, kills: int, seed: int, ways: Sequence[str] = KILLS) -> Report:
    """Each turn one way to die, under the load of eight clients. The socket stays, as a socket unit's does."""
    dice = random.Random(seed)
    receiver = Receiver(directory)
    report = Report()
    try:
        with Senders(receiver.port) as senders:
            for turn in range(kills):
                _wait_for_answers(senders.tally)
                time.sleep(dice.uniform(0, LONGEST_LIFE))
                way = ways[turn % len(ways)]
                WAYS[way](receiver)
                report.deaths[way] = report.deaths.get(way, 0) + 1
            _wait_for_answers(senders.tally)
        _compare(report, senders.tally, receiver.store)
    finally:
        receiver.close()
    return report


def _compare(report: Report, tally: Tally, store: Path) -> None:
    stored = [int(address[4:].partition("@")[0]) for (address,) in query(store, "SELECT address FROM events")]
    report.acknowledged = len(tally.acknowledged)
    report.retried = tally.retried
    report.lost = len(tally.acknowledged - set(stored))
    report.duplicated = len(stored) - len(set(stored))
    report.given_up = len(tally.given_up)
    report.refused_connections = tally.refused_connections
    report.unknown = len(set(stored) - tally.acknowledged - tally.given_up)
    report.broken = len([row for row in query(store, "PRAGMA integrity_check") if row != ("ok",)])
    report.most_tries = tally.most_tries
    report.answers = dict(sorted(tally.answers.items()))


def _wait_for_answers(tally: Tally) -> None:
    """Until some more have come: each receiver gets to work before it dies."""
    before = len(tally.acknowledged)
    until(lambda: len(tally.acknowledged) > before)
