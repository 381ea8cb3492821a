"""How long backup, forget, prune and import take on a filled store, their memory, and a receiver's answers meanwhile.

    python -m tests.bench.operations [EVENTS] [--kept FILE] [--only prune import] [--seconds 600]

In the file the filled store is kept, since filling takes most of the time, and taken from there. What takes longer than
so many seconds is ended, and said to be. Not a test: numbers are for comparing within one run.
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
from tests.bench.deliveries import IDLE, START, beside, deliveries, receiver, told
from tests.bench.importing import start, write
from tests.receiver.configured import configuration

PEOPLE = 10  # events of each
IMPORTED = 100_000


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


def measure(directory: Path, port: int, idle: list[float], longest: float, *arguments: str) -> None:
    began = time.perf_counter()
    process = start(directory, *arguments)
    took, memory = beside(process, port, longest)
    how = "" if process.poll() is not None else " (ended)"
    process.terminate()
    assert process.stdout
    said = process.stdout.read().decode().split("\n")[0]
    process.wait()
    seconds = time.perf_counter() - began
    print(f"  {arguments[0]}: {seconds:.1f} s{how}, at most {memory / 1024:.0f} MiB; {said}")
    print("    receiver's answers meanwhile:", told(took, idle), flush=True)


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
            idle = deliveries(port, lambda number: number < IDLE)
            print("  receiver's answers, idle:", told(idle), flush=True)
            for operation in arguments.only or operations:
                measure(here, port, idle, arguments.seconds, operation, *operations[operation])
            print("  receiver's answers, idle again:", told(deliveries(port, lambda number: number < IDLE), idle))


def _arguments() -> argparse.Namespace:
    parser = argparse.ArgumentParser(prog="python -m tests.bench.operations", description=__doc__)
    parser.add_argument("events", type=int, nargs="?", default=100_000)
    parser.add_argument("--kept", type=Path)
    parser.add_argument("--only", nargs="+", choices=("backup", "forget", "prune", "import"))
    parser.add_argument("--seconds", type=float, default=600.0)
    return parser.parse_args()


if __name__ == "__main__":
    main()
