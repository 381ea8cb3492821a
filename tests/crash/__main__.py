"""python -m tests.crash --kills 100 --runs 200: exits 1 if anything was lost, doubled, given up or written wrongly."""

from __future__ import annotations

import argparse
import sys
import tempfile
import time
from pathlib import Path

from tests.crash import campaign, runs
from tests.crash.ways import KILLS, WAYS


def main() -> int:
    parser = argparse.ArgumentParser(prog="python -m tests.crash", description=__doc__)
    parser.add_argument("--kills", type=int, default=100, help="of a receiver under load")
    parser.add_argument("--runs", type=int, default=200, help="kills of a run in the middle of its work")
    parser.add_argument("--seed", type=int, default=time.time_ns() % 1_000_000)
    parser.add_argument(
        "--way", action="append", choices=list(WAYS), help="may be given several times; the first two are the default"
    )
    arguments = parser.parse_args()
    print(f"seed {arguments.seed}")
    with tempfile.TemporaryDirectory() as directory:
        reports: list[campaign.Report | runs.Report] = []
        if arguments.kills:
            ways = arguments.way or KILLS
            reports.append(campaign.campaign(_made(directory, "receiver"), arguments.kills, arguments.seed, ways))
            print(reports[-1], flush=True)
        if arguments.runs:
            reports.append(runs.kill_runs(_made(directory, "runs"), arguments.runs, arguments.seed))
            print(reports[-1], flush=True)
    return 0 if all(report.is_clean for report in reports) else 1


def _made(directory: str, name: str) -> Path:
    path = Path(directory) / name
    path.mkdir()
    return path


if __name__ == "__main__":
    sys.exit(main())
