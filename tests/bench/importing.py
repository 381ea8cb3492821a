"""How long an import takes, what memory it needs, and what a receiver's answers cost meanwhile.

    python -m tests.bench.importing [LINES] [--shape lines array] [--kills 5]

With kills, another import of the same file is killed with -9 so many times, each time started again, and then counted.
Not a test: numbers are for comparing within one run.
"""

from __future__ import annotations

import argparse
import json
import random
import subprocess
import sys
import time
from pathlib import Path
from tempfile import TemporaryDirectory

from tests.bench.deliveries import IDLE, beside, deliveries, payload, receiver, told
from tests.receiver.stored import query


def main() -> None:
    parser = argparse.ArgumentParser(prog="python -m tests.bench.importing", description=__doc__)
    parser.add_argument("lines", type=int, nargs="?", default=100_000)
    parser.add_argument("--shape", nargs="+", choices=("lines", "array"), default=["lines", "array"])
    parser.add_argument("--kills", type=int, default=5)
    arguments = parser.parse_args()
    for shape in arguments.shape:
        print(f"{arguments.lines:,} events, {shape}", flush=True)
        with TemporaryDirectory() as name:
            write(Path(name) / "events.json", arguments.lines, shape)
            seconds = _measured(Path(name), arguments.lines)
            _killed(Path(name), arguments.lines, arguments.kills, seconds)


def write(path: Path, lines: int, layout: str) -> None:
    with path.open("w") as file:
        file.write("[" if layout == "array" else "")
        for number in range(lines):
            file.write(("," if layout == "array" and number else "") + json.dumps(payload(number)))
            file.write("\n" if layout == "lines" else "")
        file.write("]" if layout == "array" else "")


def start(directory: Path, *arguments: str) -> subprocess.Popen[bytes]:
    command = [sys.executable, "-m", "syncd", "--config", str(directory / "syncd.toml"), *arguments]
    return subprocess.Popen(command, stdout=subprocess.PIPE)


def _measured(directory: Path, lines: int) -> float:
    """The seconds of the first import."""
    took = []
    with receiver(directory) as port:
        idle = deliveries(port, lambda number: number < IDLE)
        print("  receiver's answers, idle:", told(idle), flush=True)
        for way in ("first", "again, all known"):
            began = time.perf_counter()
            answers, memory = beside(start(directory, "import", str(directory / "events.json")), port)
            took.append(time.perf_counter() - began)
            print(f"  {way}: {took[-1]:.1f} s, {lines / took[-1]:,.0f} a second, at most {memory / 1024:.0f} MiB")
            print("    receiver's answers meanwhile:", told(answers, idle), flush=True)
    return took[0]


def _killed(directory: Path, lines: int, kills: int, seconds: float) -> None:
    """Into a new store, with deaths at random moments of what the whole would take."""
    dice = random.Random(lines)
    for file in directory.glob("syncd.db*"):
        file.unlink()
    with receiver(directory) as port:
        most = 0
        for _ in range(kills):
            process = start(directory, "import", str(directory / "events.json"))
            _, memory = beside(process, port, until=dice.uniform(1, 1 + seconds / kills))
            process.kill()
            process.wait()
            most = max(most, memory)
            print("  killed at", _stored(directory), "events", flush=True)
        process = start(directory, "import", str(directory / "events.json"))
        _, memory = beside(process, port)
        assert process.stdout
        said = process.stdout.read().decode().strip().rpartition(": ")[2]
    stored = _stored(directory)
    print(f"  then: {said}; {stored:,} stored of {lines:,}, at most {max(most, memory) / 1024:.0f} MiB", flush=True)
    assert stored == lines


def _stored(directory: Path) -> int:
    """Those of the import; the deliveries beside it are of others."""
    ((number,),) = query(directory / "syncd.db", "SELECT count(*) FROM events WHERE address LIKE 'n%'")
    return int(number)


if __name__ == "__main__":
    main()
