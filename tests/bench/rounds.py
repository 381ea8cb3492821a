"""One measurement: wrk on core 1 against a receiver on core 0."""

from __future__ import annotations

import os
import shutil
import subprocess
import tempfile
from dataclasses import dataclass
from pathlib import Path
from statistics import median
from typing import TYPE_CHECKING

from tests.bench.contenders import HERE, Contender, cpu, memory, pinned, running, worker

if TYPE_CHECKING:
    from collections.abc import Sequence


@dataclass(frozen=True)
class Round:
    requests: int
    rate: float
    p50: float  # ms
    p99: float
    errors: int
    memory: float  # MiB
    cpu: float  # µs an event


def has_wrk() -> bool:
    if not shutil.which("wrk") and os.geteuid() == 0 and shutil.which("apt-get"):
        subprocess.run(["apt-get", "install", "-y", "-qq", "--no-install-recommends", "wrk"], check=False)
    return bool(shutil.which("wrk"))


def fresh_round(contender: Contender, python: str, connections: int, seconds: int) -> Round:
    """With a process and an empty store of its own."""
    with tempfile.TemporaryDirectory() as name, running(contender, python, Path(name)) as (port, process):
        return measured(contender, port, worker(process), connections, seconds)


def measured(
    contender: Contender, port: int, worker: Path, connections: int = 64, seconds: int = 3, form: str = ""
) -> Round:
    """`form`: another one of the payloads in load.lua than the contender's own."""
    url = f"http://127.0.0.1:{port}{contender.path}"
    command = ["wrk", "-t1", f"-c{connections}", f"-d{seconds}", "-s", str(HERE / "load.lua"), url]
    environ = os.environ | {"FORMAT": form or contender.format}
    before = cpu(worker)
    with pinned(1):
        result = subprocess.run(command, capture_output=True, text=True, check=True, env=environ)
    used = cpu(worker) - before
    numbers = next(line for line in result.stdout.splitlines() if line.startswith("RESULT")).split()[1:]
    requests, micros, p50, p99, refused, failed = map(int, numbers)
    errors, rate = refused + failed, requests * 1e6 / micros
    return Round(requests, rate, p50 / 1000, p99 / 1000, errors, memory(worker), used * 1e6 / max(requests, 1))


def told(name: str, rounds: Sequence[Round], base: Sequence[Round] = ()) -> str:
    """Medians, and their ratio to those of `base`."""
    rate, p99 = median(r.rate for r in rounds), median(r.p99 for r in rounds)
    line = f"{name:24}{rate:8.0f} events/s   p99 {p99:7.1f} ms   errors {sum(r.errors for r in rounds)}"
    if base:
        rates, p99s = rate / median(r.rate for r in base), p99 / median(r.p99 for r in base)
        line += f"   {rates:.2f} x the rate, {p99s:.2f} x the p99"
    return line
