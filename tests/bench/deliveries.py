"""What a receiver's answers cost while something else works on its store: one delivery every 20 ms, over HTTP."""

from __future__ import annotations

import http.client
import json
import os
import re
import subprocess
import sys
import time
from contextlib import contextmanager
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import TYPE_CHECKING, Any

from tests.bench.contenders import HOOK, SYNCD, running

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

START = datetime(2020, 1, 1, tzinfo=UTC)
IDLE = 1_000
"""Deliveries for the receiver's times when nothing else goes on."""
PAUSE = 0.02


@contextmanager
def receiver(directory: Path) -> Iterator[int]:
    """The port of one on `directory`/syncd.db."""
    os.sync()  # what was written to make ready must not be the disk's business while times are taken
    with running(SYNCD, sys.executable, directory) as (port, _):
        yield port


def deliveries(port: int, goes_on: Callable[[int], bool]) -> list[float]:
    """Seconds, sorted, from a delivery to its answer. `goes_on`: given their number."""
    took: list[float] = []
    connection = http.client.HTTPConnection("127.0.0.1", port, timeout=30)
    while goes_on(len(took)):
        body = json.dumps(payload(time.time_ns(), "r"))
        before = time.perf_counter()
        connection.request("POST", HOOK, body.encode())
        answer = connection.getresponse()
        answer.read()
        took.append(time.perf_counter() - before)
        assert answer.status == 204, answer.status
        time.sleep(PAUSE)
    connection.close()
    return sorted(took)


def payload(number: int, who: str = "n") -> dict[str, Any]:
    """An open of one of 200,000 people, of one send a round."""
    return {
        "email": f"{who}{number % 200_000}@example.fr", "campaignId": "c1", "sendId": f"s{number // 200_000}",
        "subject": "Nos nouveautés de novembre", "from": "news@acme.example", "operatingSystem": "LINUX",
        "browser": "FIREFOX4 48.0", "webmail": "Unknown", "type": "open", "whId": f"003A{number % 200_000:011}",
        "date": (START + timedelta(seconds=number % 100_000_000)).isoformat(),
    }  # fmt: skip


def told(took: list[float], idle: list[float] | None = None) -> str:
    """Median and p99, and their ratio to those of an idle receiver."""
    words = f"median {_at(took, 50) * 1e3:.1f} ms, p99 {_at(took, 99) * 1e3:.1f} ms, longest {took[-1] * 1e3:.0f} ms"
    if idle:
        words += f" ({_at(took, 50) / _at(idle, 50):.2f} x and {_at(took, 99) / _at(idle, 99):.2f} x idle)"
    return words


def _at(took: list[float], percent: int) -> float:
    return took[len(took) * percent // 100]


def beside(process: subprocess.Popen[bytes], port: int, until: float = float("inf")) -> tuple[list[float], int]:
    """The times of deliveries while it lives, or for so many seconds; and the most memory it had, in KiB."""
    memory, began = [0], time.monotonic()

    def goes_on(_: int) -> bool:
        memory.append(_peak(process))
        return process.poll() is None and time.monotonic() - began < until

    return deliveries(port, goes_on), max(memory)


def _peak(process: subprocess.Popen[bytes]) -> int:
    try:
        found = re.search(r"VmHWM:\s+(\d+)", Path(f"/proc/{process.pid}/status").read_text())
    except OSError:
        return 0
    return int(found[1]) if found else 0
