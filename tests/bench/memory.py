"""python -m tests.bench.memory [REQUESTS]: the receiver's memory over so many (1,000,000) requests.

Exits with 1 if it leaves the band of ±10 % around what it was after the first tenth.
"""

from __future__ import annotations

import sys
import tempfile
from pathlib import Path

from tests.bench.contenders import SYNCD, running, worker
from tests.bench.rounds import has_wrk, measured

SLICE = 5  # seconds
BAND = 0.1


def main() -> int:
    if not has_wrk():
        print("This needs wrk. Install it (apt-get install wrk, as root), then run again.", file=sys.stderr)
        return 1
    wanted = int(sys.argv[1]) if len(sys.argv) > 1 else 1_000_000
    seen: list[float] = []
    with tempfile.TemporaryDirectory() as name, running(SYNCD, sys.executable, Path(name)) as (port, process):
        done = errors = shown = 0
        while done < wanted:
            each = measured(SYNCD, port, worker(process), 64, SLICE)
            done, errors = done + each.requests, errors + each.errors
            if done >= wanted / 10:
                seen.append(each.memory)
            if done * 10 // wanted > shown:
                shown = done * 10 // wanted
                print(f"{done:10,} requests   {each.memory:6.1f} MiB   {errors} errors", flush=True)
    low, high = min(seen) / seen[0] - 1, max(seen) / seen[0] - 1
    print(f"after the first tenth: {seen[0]:.1f} MiB, then {low:+.1%} to {high:+.1%}")
    return 0 if max(-low, high) <= BAND and not errors else 1


if __name__ == "__main__":
    sys.exit(main())
