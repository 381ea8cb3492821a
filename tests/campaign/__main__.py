"""python -m tests.campaign: every kind of fault at 10 %, each under a campaign of 5,000.

Exits 1 if any of them changed what Salesforce says in the end.
"""

from __future__ import annotations

import argparse
import multiprocessing
import os
import sys
import tempfile
from concurrent.futures import ProcessPoolExecutor
from functools import partial
from pathlib import Path

from syncd.sandbox import KINDS
from tests.campaign.kinds import COLLECTIONS_ONLY, LINE, NONE, quiet, suffered
from tests.campaign.trial import trial


def main() -> int:
    parser = argparse.ArgumentParser(prog="python -m tests.campaign", description=__doc__)
    parser.add_argument("--recipients", type=int, default=5_000)
    parser.add_argument("--chance", type=float, default=10, help="in %%")
    parser.add_argument("--kind", action="append", choices=list(KINDS), help="may be given several times; else all")
    parser.add_argument("--bulk", action="store_true", help="through the Bulk API whatever can be")
    parser.add_argument("--jobs", type=int, default=os.cpu_count(), help="how many at once (default: one a core)")
    given = parser.parse_args()
    kinds = given.kind or [kind for kind in KINDS if not (given.bulk and kind in COLLECTIONS_ONLY)]
    bad = 0
    with tempfile.TemporaryDirectory() as name:
        quiet()
        undisturbed = trial(Path(name) / "undisturbed", Path(name), given.recipients)
        books = undisturbed.books
        print(f"{given.recipients} recipients, {len(books.told)} records, {len(books.state['Task'])} Tasks kept up")
        print(LINE.format("fault", "met", "calls", "runs", "dupl.", "s", "outcome"), flush=True)
        suffer = partial(
            suffered, Path(name), undisturbed, recipients=given.recipients, chance=given.chance, bulk=given.bulk
        )
        spawn = multiprocessing.get_context("spawn")
        with ProcessPoolExecutor(given.jobs, mp_context=spawn, initializer=quiet) as pool:
            for line, problems in pool.map(suffer, [NONE, *kinds]):
                print("\n    ".join([line, *problems[:10]]), flush=True)
                bad += bool(problems)
    return 1 if bad else 0


if __name__ == "__main__":
    sys.exit(main())
