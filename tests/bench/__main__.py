"""python -m tests.bench: durable events a second beside what else could be used, medians of interleaved rounds.

The server has core 0, the load (wrk) core 1. Only ratios within one run mean anything; other work on the machine moves
all of its numbers.
"""

from __future__ import annotations

import argparse
import sys
import tempfile
import time
from contextlib import closing
from pathlib import Path
from statistics import median

from syncd.sarbacane import decode, read
from syncd.store import Inbox, open_store
from tests.bench.contenders import ALL, FLOOR, peers_python
from tests.bench.rounds import Round, fresh_round, has_wrk
from tests.receiver.stored import body


def main() -> int:
    arguments = _arguments()
    if not has_wrk():
        print("This needs wrk. Install it (apt-get install wrk, as root), then run again.", file=sys.stderr)
        return 1
    chosen = [c for c in ALL if not arguments.only or any(word in c.name for word in arguments.only)]
    pythons = {"ours": sys.executable}
    if any(contender.python == "peers" for contender in chosen):
        pythons["peers"] = peers_python()
    for connections in arguments.connections:
        rounds: dict[str, list[Round]] = {}
        for _ in range(arguments.rounds):
            for contender in chosen:
                each = fresh_round(contender, pythons[contender.python], connections, arguments.seconds)
                rounds.setdefault(contender.name, []).append(each)
        _print(connections, rounds)
    print(f"\none durable SQLite commit, alone: {_commit_time():.2f} ms (median of 200)")
    return 0


def _arguments() -> argparse.Namespace:
    parser = argparse.ArgumentParser(prog="python -m tests.bench", description=__doc__)
    parser.add_argument("--rounds", type=int, default=5)
    parser.add_argument("--seconds", type=int, default=3)
    parser.add_argument("--connections", type=int, nargs="+", default=[64, 1])
    parser.add_argument("--only", nargs="+", help="contenders whose name contains one of these words")
    return parser.parse_args()


def _print(connections: int, rounds: dict[str, list[Round]]) -> None:
    count = min(len(each) for each in rounds.values())
    print(f"\n{connections} connection{'s' * (connections > 1)}, medians of {count} interleaved rounds")
    print(f"{'':36}{'events/s':>10}{'of bare':>9}{'p50 ms':>9}{'p99 ms':>9}{'errors':>8}{'MiB':>7}{'CPU µs':>9}")
    floor = [each.rate for each in rounds.get(FLOOR.name, [])]
    for name, each in rounds.items():
        # the ratio is taken within a round, where both had the same neighbours
        ratio = f"{median(r.rate / f for r, f in zip(each, floor, strict=True)):.2f}" if floor else ""
        print(
            f"{name:36}{median(r.rate for r in each):10.0f}{ratio:>9}{median(r.p50 for r in each):9.2f}"
            f"{median(r.p99 for r in each):9.2f}{sum(r.errors for r in each):8}{max(r.memory for r in each):7.0f}"
            f"{median(r.cpu for r in each):9.0f}"
        )


def _commit_time() -> float:
    """Milliseconds of one event's commit with nothing around it."""
    times = []
    with tempfile.TemporaryDirectory() as name, closing(open_store(Path(name) / "syncd.db")) as db:
        inbox = Inbox(db)
        for number in range(200):
            event = read(decode(body(number))[0], 0)
            start = time.perf_counter()
            inbox.append([event])
            times.append((time.perf_counter() - start) * 1000)
    return median(times)


if __name__ == "__main__":
    sys.exit(main())
