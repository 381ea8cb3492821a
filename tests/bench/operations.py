"""How long backup, forget, prune and import take on a filled store, their memory, and a receiver's answers meanwhile.

    python -m tests.bench.operations [EVENTS] [--kept FILE] [--only prune import] [--rounds 6] [--last 3600]

Idle and busy take turns: in each round the receiver is idle for a while, then the operation goes on for ROUND seconds
and is ended; in the last round, with what is done so far, for as long as it takes, `--last` seconds at most. A disk's
mood changes within minutes, so one idle time at the start would say little.

In the file the filled store is kept, since filling takes most of the time, and taken from there. Not a test: numbers
are for comparing within one run.
"""

from __future__ import annotations

import argparse
import shutil
import time
from datetime import timedelta
from pathlib import Path
from tempfile import TemporaryDirectory

from syncd.sarbacane import read
from syncd.store import Desk, Inbox, Work, open_store
from syncd.store import work as folding
from tests.bench.deliveries import START, beside, deliveries, receiver, told
from tests.bench.importing import start, write
from tests.receiver.configured import configuration

PEOPLE = 10  # events of each
IMPORTED = 100_000
IDLE = 500  # deliveries of a round
ROUND = 15.0  # seconds of a round


def payload(number: int, people: int) -> dict[str, object]:
    """Everybody gets the same mailings, one a month; each arrives."""
    person, send = number % people, number // people
    return {
        "email": f"n{person}@example.fr", "campaignId": "c1", "sendId": f"s{send}", "type": "delivered",
        "subject": "Nos nouveautés de novembre", "from": "news@acme.example", "whId": f"003A{person:011}",
        "date": (START + timedelta(days=30 * send, milliseconds=person)).isoformat(),
    }  # fmt: skip


def fill(store: Path, events: int) -> None:
    """Events that were folded in and have nothing left to do."""
    db, people = open_store(store), max(events // PEOPLE, 1)
    db.execute("PRAGMA synchronous=OFF")
    for first in range(0, events, 5_000):
        Inbox(db).append([read(payload(i, people), 1) for i in range(first, min(first + 5_000, events))])
    folding.FOLDED_AT_ONCE = 2_000  # nobody waits yet
    work = Work(db)
    while work.fold(1, work.newest()):
        pass
    db.execute("UPDATE subjects SET due_at = NULL")
    began = time.perf_counter()
    Desk(db).status(2)
    print(f"  status: {(time.perf_counter() - began) * 1e3:.1f} ms")
    db.close()


def measure(directory: Path, port: int, rounds: int, last: float, *arguments: str) -> None:
    """One operation, in turn with nothing."""
    idle: list[float] = []
    busy: list[float] = []
    for left in reversed(range(rounds)):
        idle += deliveries(port, lambda number: number < IDLE)
        took, said, ended = _one(directory, port, ROUND if left else last, *arguments)
        busy += took
        if ended:
            break
    print(f"  {arguments[0]}: {said}")
    print("    receiver's answers, idle:", told(sorted(idle)))
    print("    receiver's answers, busy:", told(sorted(busy), sorted(idle)), flush=True)


def _one(directory: Path, port: int, longest: float, *arguments: str) -> tuple[list[float], str, bool]:
    """A receiver's answers beside it, what is to be said of it, and whether it came to its end by itself."""
    began = time.perf_counter()
    process = start(directory, *arguments)
    took, memory = beside(process, port, longest)
    ended = process.poll() is not None
    process.terminate()
    assert process.stdout
    said = process.stdout.read().decode().split("\n")[0]
    process.wait()
    seconds = time.perf_counter() - began
    how = "" if ended else " (ended)"
    return took, f"{seconds:.1f} s{how}, at most {memory / 1024:.0f} MiB; {said}", ended


def main() -> None:
    arguments = _arguments()
    with TemporaryDirectory() as place:
        here = Path(place)
        kept = arguments.kept
        if kept is None or not kept.exists():
            fill(here / "syncd.db", arguments.events)
        if kept:
            shutil.copy(*((kept, here / "syncd.db") if kept.exists() else (here / "syncd.db", kept)))
        configuration(here)
        write(here / "events.json", IMPORTED, "lines")
        operations = {
            "backup": [str(here / "copy.db")],
            "forget": ["n1@example.fr"],
            "prune": [],
            "import": [str(here / "events.json")],
        }
        with receiver(here) as port:
            for operation in arguments.only or operations:
                measure(here, port, arguments.rounds, arguments.last, operation, *operations[operation])


def _arguments() -> argparse.Namespace:
    parser = argparse.ArgumentParser(prog="python -m tests.bench.operations", description=__doc__)
    parser.add_argument("events", type=int, nargs="?", default=100_000)
    parser.add_argument("--kept", type=Path)
    parser.add_argument("--only", nargs="+", choices=("backup", "forget", "prune", "import"))
    parser.add_argument("--rounds", type=int, default=6)
    parser.add_argument("--last", type=float, default=3_600.0)
    return parser.parse_args()


if __name__ == "__main__":
    main()
