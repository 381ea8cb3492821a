"""python -m tests.bench.filled [EVENTS]: durable events a second with so many (10,000,000) stored, and with none.

The store is made once, by the real schema; the rounds with and without it take turns.
"""

from __future__ import annotations

import os
import sys
import tempfile
import time
from collections.abc import Iterator
from contextlib import closing
from itertools import islice
from pathlib import Path

from syncd.store import open_store
from syncd.store.sqlite import many, transaction
from tests.bench.contenders import SYNCD, running, worker
from tests.bench.rounds import Round, fresh_round, has_wrk, measured, told

ROUNDS, SECONDS = 5, 3
YEARS = 2 * 365 * 86_400_000
END = 1_772_442_000_000  # 2026-03-02, the date of the load
RAW = (
    '{"email":"user@example.com","campaignId":"vdsioBFBFDS15dsBSGSD","sendId":"feizjfsVGVGRS55grgrs444","subject":'
    '"Test Manager","from":"user@email.com","operatingSystem":"LINUX","language":"en-US,en;q=0.5","browser":'
    '"FIREFOX4 48.0","webmail":"Unknown","date":"2026-03-02T10:00:00.000Z","type":"open","whId":"0031t00000AbCdEAAV"}'
)


INSERT = (
    "INSERT INTO events (key, at, received_at, word, kind, address, whid, campaign, send, raw)"
    " VALUES (?, ?, ?, 'open', 'open', ?, ?, 'c', 's', ?)"
)


def fill(path: Path, events: int) -> None:
    """So many events of two years, folded in long ago. Not durable: a power cut means to make it again."""
    with closing(open_store(path)) as db:
        db.execute("PRAGMA synchronous=OFF")
        rows = _rows(events)
        while batch := list(islice(rows, 100_000)):
            with transaction(db):
                many(db, INSERT, batch)
                db.execute("DELETE FROM fresh")
        db.execute("PRAGMA wal_checkpoint(TRUNCATE)")


def _rows(events: int) -> Iterator[tuple[object, ...]]:
    for number in range(events):
        at = END - YEARS + YEARS * number // events
        key = b"\x01" + at.to_bytes(6, "big") + os.urandom(10)
        yield key, at, at, f"user{number % 500_000}@example.com", f"0031t0{number % 500_000:012}", RAW


def main() -> int:
    if not has_wrk():
        print("This needs wrk. Install it (apt-get install wrk, as root), then run again.", file=sys.stderr)
        return 1
    events = int(sys.argv[1]) if len(sys.argv) > 1 else 10_000_000
    empty: list[Round] = []
    full: list[Round] = []
    with tempfile.TemporaryDirectory() as name:
        began = time.monotonic()
        fill(Path(name) / "syncd.db", events)
        size = (Path(name) / "syncd.db").stat().st_size / 2**30
        print(f"{events:,} events, {size:.1f} GiB, made in {time.monotonic() - began:.0f} s")
        for _ in range(ROUNDS):
            empty.append(fresh_round(SYNCD, sys.executable, 64, SECONDS))
            with running(SYNCD, sys.executable, Path(name)) as (port, process):
                full.append(measured(SYNCD, port, worker(process), 64, SECONDS))
    print(told("empty store", empty))
    print(told(f"{events:,} events", full, empty))
    return 0


if __name__ == "__main__":
    sys.exit(main())
