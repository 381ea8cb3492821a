"""How long backup, forget and prune take, what memory they need, and what a receiver's commits cost meanwhile.

    python -m tests.bench.operations [EVENTS [KEPT]]

KEPT is a file: the filled store is kept there, since filling takes most of the time, and taken from there.
Not a test: numbers are for comparing within one run. Import is measured by tests.bench.importing.
"""

from __future__ import annotations

import json
import shutil
import subprocess
import sys
import time
from datetime import timedelta
from pathlib import Path
from tempfile import TemporaryDirectory

from syncd.sarbacane import read
from syncd.store import Desk, Inbox, Work, open_store
from syncd.store import work as folding
from tests.bench.importing import CONFIG, START, commits, peak, told

PEOPLE = 10  # events of each


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
    for start in range(0, events, 5_000):
        Inbox(db).append([read(payload(i, people), 1) for i in range(start, min(start + 5_000, events))])
    folding.FOLDED_AT_ONCE = 2_000  # nobody waits yet
    work = Work(db)
    while work.fold(1, work.newest()):
        pass
    db.execute("UPDATE subjects SET due_at = NULL")
    began = time.perf_counter()
    Desk(db).status(2)
    print(f"  status: {(time.perf_counter() - began) * 1e3:.1f} ms")
    db.close()


def measure(directory: Path, *arguments: str) -> None:
    command = [sys.executable, "-m", "syncd", "--config", str(directory / "syncd.toml"), *arguments]
    began, memory = time.perf_counter(), [0]
    process = subprocess.Popen(command, stdout=subprocess.PIPE)

    def goes_on(_: int) -> bool:
        memory.append(peak(process))
        return process.poll() is None

    took = commits(directory / "syncd.db", goes_on)
    assert process.stdout
    said = process.stdout.read().decode().split("\n")[0]
    print(f"  {arguments[0]}: {time.perf_counter() - began:.1f} s, at most {max(memory) / 1024:.0f} MiB; {said}")
    print("    receiver's commits meanwhile:", told(took))


if __name__ == "__main__":
    wanted = int(sys.argv[1]) if len(sys.argv) > 1 else 100_000
    print(json.dumps({"events": wanted}))
    with TemporaryDirectory() as place:
        here = Path(place)
        (here / "secrets").mkdir(mode=0o700)
        (here / "syncd.toml").write_text(CONFIG)
        kept = Path(sys.argv[2]) if len(sys.argv) > 2 else None
        if kept is None or not kept.exists():
            fill(here / "syncd.db", wanted)
        if kept:
            shutil.copy(*((kept, here / "syncd.db") if kept.exists() else (here / "syncd.db", kept)))
        print("  receiver's commits, idle:", told(commits(here / "syncd.db", lambda number: number < 500)))
        measure(here, "backup", str(here / "copy.db"))
        measure(here, "forget", "n1@example.fr")
        measure(here, "prune")
