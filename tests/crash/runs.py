"""Kills `syncd sync` again and again in the middle of its work; then lets it finish, and compares the books.

What must hold: the org says what it says when nobody is killed, no Task is there twice, and behind every write that
reached Salesforce there is a change in the store that owns it.
"""

from __future__ import annotations

import random
import subprocess
import sys
import time
from collections import Counter
from contextlib import closing
from dataclasses import dataclass
from typing import TYPE_CHECKING

from syncd.sandbox import Fault, Org, Sandbox
from syncd.sarbacane import read
from syncd.store import Inbox, open_store
from tests.campaign import story
from tests.campaign.books import Books, closed, told_in
from tests.system.conftest import Installation

if TYPE_CHECKING:
    from pathlib import Path

    from sqlite_utils import Database

SEED = 11
CALLS_A_RUN = 16
"""Half of the kills come in one of so many calls of a run, the others at any moment of its life."""
LONGEST_LIFE = 1.5
"""Seconds from the beginning of a run to a kill that goes by the clock."""
A_CALL = 0.05
"""Seconds that a third of the calls take longer before the work is done, and a third of them after it."""
RUNS_TO_SETTLE = 8
ATTEMPTS_A_KILL = 5


@dataclass
class Report:
    """What came of it. `unowned`: writes that no change in the store accounts for."""

    kills: int = 0
    escaped: int = 0  # runs that had ended before the kill came
    in_a_call: int = 0  # kills while Salesforce was at work
    in_a_write: int = 0  # of these, while it saved records, or had saved them and not answered yet
    held: int = 0  # calls that were made to take longer
    recipients: int = 0
    writes: int = 0
    tasks: int = 0
    duplicates: int = 0
    unowned: int = 0
    wrong: int = 0  # records that don't say what was reckoned
    differs: bool = False
    left_open: int = 0

    @property
    def is_clean(self) -> bool:
        return not (self.duplicates or self.unowned or self.wrong or self.differs or self.left_open)

    def __str__(self) -> str:
        return "\n".join(f"{name.replace('_', ' '):20} {value}" for name, value in vars(self).items())


def kill_runs(directory: Path, kills: int, seed: int, recipients: int = 1_000) -> Report:
    """`kills` runs of the real process are killed, each at a random point; new events come before each."""
    undisturbed = _undisturbed(directory, recipients)
    org, report = Org(), Report(recipients=recipients)
    everybody, events = _campaign(org, recipients)
    with Sandbox(org, directory=directory / "keys") as sandbox:
        installation = _installed(directory / "killed", sandbox)
        with closing(open_store(installation.directory / "syncd.db")) as db:
            for when, chance in (("late", 1 / 3), ("after", 1 / 2)):  # the second, of those that the first has spared
                org.faults.add(Fault(path=".", when=when, hold=A_CALL, chance=chance, times=None))
            _kill_again_and_again(installation, org, db, events, kills, random.Random(seed), report)
            report.held = sum(fault.fired for fault in org.faults)
            org.faults.clear()
            _finish(installation, db)
            org.wait_until_idle()
            _compare(report, org, db, everybody, undisturbed)
    return report


def _campaign(org: Org, recipients: int) -> tuple[list[story.Person], list[story.Payload]]:
    everybody = story.people(org, recipients)
    return everybody, [said for wave in story.happen(everybody, SEED) for said in wave]


def _installed(directory: Path, sandbox: Sandbox) -> Installation:
    directory.mkdir(parents=True)
    return Installation(directory, sandbox)


def _undisturbed(directory: Path, recipients: int) -> Books:
    """What the org says after one run that nobody killed."""
    org = Org()
    everybody, events = _campaign(org, recipients)
    with Sandbox(org, directory=directory / "keys") as sandbox:
        installation = _installed(directory / "undisturbed", sandbox)
        with closing(open_store(installation.directory / "syncd.db")) as db:
            _receive(db, events)
            installation.syncd("sync")
    return closed(org, everybody, {})


def _receive(db: Database, events: list[story.Payload]) -> None:
    Inbox(db).append([read(said, time.time_ns() // 1_000_000) for said in events])


def _kill_again_and_again(
    installation: Installation,
    org: Org,
    db: Database,
    events: list[story.Payload],
    kills: int,
    dice: random.Random,
    report: Report,
) -> None:
    for turn in range(kills * ATTEMPTS_A_KILL):
        share = len(events) // (kills - report.kills)
        _receive(db, events[:share])
        del events[:share]
        _one_run(installation, org, db, dice, report, by_call=turn % 2 == 0)
        if report.kills == kills:
            return
    raise AssertionError(f"too many runs ended before they could be killed:\n{report}")


def _one_run(
    installation: Installation, org: Org, db: Database, dice: random.Random, report: Report, *, by_call: bool
) -> None:
    command = [sys.executable, "-m", "syncd", "--config", str(installation.config), "sync"]
    runs, calls = _runs(db), org.calls_count()
    process = subprocess.Popen(command, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL, start_new_session=True)
    until, life = calls + dice.randint(1, CALLS_A_RUN), dice.uniform(0, LONGEST_LIFE)
    into_the_call = dice.uniform(0, 2 * A_CALL) if by_call else 0
    begun = None
    while process.poll() is None:
        begun = begun or (time.monotonic() if _runs(db) > runs else None)
        if begun and (org.calls_count() >= until if by_call else time.monotonic() - begun >= life):
            time.sleep(into_the_call)  # the point of a kill, not a wait for something
            break
        time.sleep(0.001)
    unanswered = [call for call in org.calls[calls:] if not call.status] if org.is_busy else []
    process.kill()  # only the process itself is there: a run starts no others
    if process.wait() >= 0:
        report.escaped += 1
        return
    report.kills += 1
    report.in_a_call += bool(unanswered)
    report.in_a_write += any(call.writing for call in unanswered)


def _runs(db: Database) -> int:
    return int(next(db.execute("SELECT coalesce(max(id), 0) FROM runs"))[0])


def _finish(installation: Installation, db: Database) -> None:
    """Runs that nobody kills, until nothing is due: Tasks of unknown fate wait for a second."""
    for _ in range(RUNS_TO_SETTLE):
        installation.syncd("sync", code=None)
        due = next(db.execute("SELECT min(due_at) FROM subjects WHERE due_at < ?", (_now() + 600_000,)))[0]
        if due is None:
            return
        time.sleep(max(0, due - _now()) / 1000)


def _now() -> int:
    return time.time_ns() // 1_000_000


def _compare(report: Report, org: Org, db: Database, everybody: list[story.Person], undisturbed: Books) -> None:
    books = closed(org, everybody, {})
    report.writes = len(org.writes)
    report.tasks = len(org.all("Task"))
    report.duplicates = books.duplicates
    report.wrong = len(books.wrong())
    report.differs = any(books.unlike(undisturbed))
    open_ = "SELECT count(*) FROM changes WHERE state IN ('intended', 'uncertain')"
    report.left_open = int(next(db.execute(open_))[0])
    report.unowned = _unowned(org, db)


def _unowned(org: Org, db: Database) -> int:
    """Writes beyond what the changes account for: as many of a record, or of a Task's send, as were ever intended."""
    meant = Counter(
        (sf_id, activity)
        for sf_id, activity in db.execute(
            "SELECT sf_id, coalesce(activity, '') FROM changes WHERE state NOT IN ('found', 'refused')"
        )
    )
    for kind, record_id, _ in org.writes:
        key = (record_id, "") if kind != "Task" else _of_task(org, record_id)
        meant[key] -= 1
    return -sum(left for left in meant.values() if left < 0)


def _of_task(org: Org, task_id: str) -> tuple[str, str]:
    task = org.get(task_id)
    return str(task["WhoId"]), told_in(str(task["Description"]))[0]
