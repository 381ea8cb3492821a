"""What is done to the stored data itself: erasing a person."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

from syncd.store import Work
from syncd.store.forget import Erased, Forget, compact, fold_back, traces

if TYPE_CHECKING:
    from collections.abc import Callable
    from pathlib import Path

    from sqlite_utils import Database


@dataclass(frozen=True, slots=True)
class Forgotten:
    """`traces`: how often the address still stands in the store's files, in space that is not used any more."""

    erased: Erased
    traces: int = 0


def forget(
    db: Database, path: Path, address: str, now: Callable[[], int], *, dry_run: bool = False, rewrite: bool = False
) -> Forgotten:
    """Erases an address. Raises Busy while a run goes on: what it holds in memory would come back with it.

    `rewrite`: also the space that is not used any more; nobody else may use the store meanwhile.
    """
    if dry_run:
        return Forgotten(Forget(db, address, lambda: None, dry_run=True).everywhere(now()))
    work = Work(db)
    run_id = work.begin("forget", now(), 0)
    said = Erased()
    try:
        newest = work.newest()
        while work.fold(now(), newest):
            work.beat(run_id, now())
        said = Forget(db, address, lambda: work.beat(run_id, now())).everywhere(now())
    finally:
        work.end(run_id, now(), {"ended": "done", "events": said.events})
    if rewrite:
        compact(db)
    fold_back(db)
    return Forgotten(said, traces(path, address))
