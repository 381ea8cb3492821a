"""How long a back-test of a million events of 200,000 recipients takes, and what memory.

    python -m tests.bench.backtest [EVENTS] [DIRECTORY]

The store is made once and kept in DIRECTORY, if one is given. Far more bounces than any real list has: each recipient
was mailed five times, and eight of ten have a bounce. Memory is the peak of the command and its processes together.
"""

from __future__ import annotations

import json
import os
import random
import subprocess
import sys
import time
from datetime import UTC, datetime, timedelta
from pathlib import Path
from tempfile import TemporaryDirectory

from syncd.sarbacane import read
from syncd.store import Inbox, Work, open_store
from tests.receiver.configured import configuration

START = datetime(2026, 1, 5, 9, tzinfo=UTC)
KINDS = ["soft_bounce"] * 8 + ["delivered"] * 7 + ["open"] * 3 + ["click"] * 1 + ["hard_bounce"] * 1
TEXTS = ("452 4.2.2 mailbox of {} is full", "421 4.4.1 {}: connection timed out", "450 4.7.1 <{}>: greylisted")


def payload(number: int, chance: random.Random) -> dict[str, object]:
    recipient, send = number // 5, number % 5
    address = f"n{recipient}@d{recipient % 5_000}.example"
    kind = chance.choice(KINDS)
    said: dict[str, object] = {
        "email": address, "campaignId": "c1", "sendId": f"s{send}", "subject": "Nos nouveautés de novembre",
        "from": "news@acme.example", "type": kind, "whId": f"003A{recipient:011}",
        "date": (START + timedelta(days=7 * send, seconds=recipient % 7_200)).isoformat(),
    }  # fmt: skip
    if kind.endswith("bounce"):
        text = "550 5.1.1 <{}>: unknown user" if kind == "hard_bounce" else chance.choice(TEXTS)
        said |= {"smtpDescription": text.format(address), "category": "DEFAULT_SOFTBOUNCE", "returnCode": -1}
    elif kind != "delivered":
        said |= {"operatingSystem": "LINUX", "browser": "FIREFOX4 48.0", "url": "https://acme.example/offre"}
    return said


def fill(directory: Path, events: int) -> None:
    configuration(directory)
    db = open_store(directory / "syncd.db")
    db.execute("PRAGMA synchronous=OFF")
    chance = random.Random(1)
    inbox, work = Inbox(db), Work(db)
    for start in range(0, events, 10_000):
        inbox.append([read(payload(n, chance), 1_800_000_000_000) for n in range(start, min(start + 10_000, events))])
    newest = work.newest()
    while work.fold(0, newest):
        pass
    db.close()


def measure(directory: Path) -> None:
    command = [sys.executable, "-m", "syncd", "--config", str(directory / "syncd.toml"), "backtest"]
    started = time.monotonic()
    with (directory / "out.csv").open("w") as out:
        process = subprocess.Popen(
            [*command, "--set", "rules.soft_bounce.threshold=3", "--csv"], stdout=out, stderr=subprocess.PIPE, text=True
        )
        peak = 0
        while process.poll() is None:
            peak = max(peak, sum(_resident(pid) for pid in _family(process.pid)))
            time.sleep(0.2)
    took = time.monotonic() - started
    assert process.stderr is not None
    print(process.stderr.read().strip().splitlines()[-1])
    print(json.dumps({"seconds": round(took, 1), "peak MiB": round(peak / 1024), "cores": os.cpu_count()}))


def _family(pid: int) -> list[int]:
    try:
        children = Path(f"/proc/{pid}/task/{pid}/children").read_text().split()
    except OSError:
        return []
    return [pid, *(one for child in children for one in _family(int(child)))]


def _resident(pid: int) -> int:
    try:
        status = Path(f"/proc/{pid}/status").read_text()
    except OSError:
        return 0
    return next((int(line.split()[1]) for line in status.splitlines() if line.startswith("VmRSS")), 0)


def main() -> None:
    events = int(sys.argv[1]) if len(sys.argv) > 1 else 1_000_000
    if len(sys.argv) > 2:
        directory = Path(sys.argv[2])
        if not (directory / "syncd.db").exists():
            directory.mkdir(parents=True, exist_ok=True)
            fill(directory, events)
        measure(directory)
        return
    with TemporaryDirectory() as name:
        fill(Path(name), events)
        measure(Path(name))


if __name__ == "__main__":
    main()
