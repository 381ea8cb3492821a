"""How long an import takes, what memory it needs, and what a receiver's commits cost meanwhile.

    python -m tests.bench.importing [LINES [lines] [array]]

Not a test: numbers are for comparing within one run.
"""

from __future__ import annotations

import json
import re
import subprocess
import sys
import time
from collections.abc import Callable
from datetime import UTC, datetime, timedelta
from pathlib import Path
from tempfile import TemporaryDirectory

from syncd.sarbacane import read
from syncd.store import Inbox, open_store

START = datetime(2020, 1, 1, tzinfo=UTC)
CONFIG = """\
secrets_dir = "secrets"
[store]
url = "sqlite:///syncd.db"
[salesforce]
username = "nobody@syncd.example"
consumer_key = "none"
"""
PAUSE = 0.02


def payload(number: int, who: str = "n") -> dict[str, object]:
    return {
        "email": f"{who}{number % 200_000}@example.fr", "campaignId": "c1", "sendId": f"s{number // 200_000}",
        "subject": "Nos nouveautés de novembre", "from": "news@acme.example", "operatingSystem": "LINUX",
        "browser": "FIREFOX4 48.0", "webmail": "Unknown", "type": "open", "whId": f"003A{number % 200_000:011}",
        "date": (START + timedelta(seconds=number)).isoformat(),
    }  # fmt: skip


def write(path: Path, lines: int, layout: str) -> None:
    with path.open("w") as file:
        file.write("[" if layout == "array" else "")
        for number in range(lines):
            file.write(("," if layout == "array" and number else "") + json.dumps(payload(number)))
            file.write("\n" if layout == "lines" else "")
        file.write("]" if layout == "array" else "")


def commits(store: Path, goes_on: Callable[[int], bool]) -> list[float]:
    """Seconds, sorted, of commits of one event each, as a quiet receiver makes them. `goes_on`: given their number."""
    db = open_store(store)
    took: list[float] = []
    while goes_on(len(took)):
        event = read(payload(len(took), f"r{time.time_ns()}"), 1)
        before = time.perf_counter()
        Inbox(db).append([event])
        took.append(time.perf_counter() - before)
        time.sleep(PAUSE)
    db.close()
    return sorted(took)


def told(took: list[float]) -> str:
    return f"median {took[len(took) // 2] * 1e3:.1f} ms, p99 {took[len(took) * 99 // 100] * 1e3:.1f} ms"


def peak(process: subprocess.Popen[bytes]) -> int:
    """The most memory it had so far, in KiB."""
    try:
        found = re.search(r"VmHWM:\s+(\d+)", Path(f"/proc/{process.pid}/status").read_text())
    except OSError:
        return 0
    return int(found[1]) if found else 0


def measure(directory: Path, lines: int, layout: str) -> None:
    (directory / "secrets").mkdir(mode=0o700)
    (directory / "syncd.toml").write_text(CONFIG)
    write(directory / "events.json", lines, layout)
    command = [sys.executable, "-m", "syncd", "--config", str(directory / "syncd.toml"), "import"]
    print("  receiver's commits, idle:", told(commits(directory / "syncd.db", lambda number: number < 500)))
    for way in ("first", "again, all known"):
        began, memory = time.perf_counter(), [0]
        process = subprocess.Popen([*command, str(directory / "events.json")], stdout=subprocess.DEVNULL)

        def goes_on(_: int, process: subprocess.Popen[bytes] = process, memory: list[int] = memory) -> bool:
            memory.append(peak(process))
            return process.poll() is None

        took = commits(directory / "syncd.db", goes_on)
        seconds = time.perf_counter() - began
        print(f"  {way}: {seconds:.1f} s, {lines / seconds:,.0f} a second, at most {max(memory) / 1024:.0f} MiB")
        print("  receiver's commits meanwhile:", told(took))


if __name__ == "__main__":
    wanted = int(sys.argv[1]) if len(sys.argv) > 1 else 100_000
    for shape in sys.argv[2:] or ("lines", "array"):
        print(f"{wanted:,} events, {shape}")
        with TemporaryDirectory() as place:
            measure(Path(place), wanted, shape)
