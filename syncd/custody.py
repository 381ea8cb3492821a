"""What is done to the stored data itself: erasing a person, and keeping only what is needed."""

from __future__ import annotations

from contextlib import closing
from dataclasses import dataclass
from typing import TYPE_CHECKING

from syncd.retention import surplus
from syncd.store import Work, open_store
from syncd.store.forget import Erased, Forget, compact, fold_back
from syncd.store.mentions import Person, traces
from syncd.store.prune import Prune, Pruned

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator
    from pathlib import Path

    from syncd.model import Rules

DAY = 86_400_000


@dataclass(frozen=True, slots=True)
class Forgotten:
    """`traces`: how often the address or its whId still stands in the files, in space that is not used any more."""

    erased: Erased
    traces: int = 0


def forget(
    path: Path, address: str, now: Callable[[], int], *, settle: int, dry_run: bool = False, rewrite: bool = False
) -> Forgotten:
    """Erases an address. Raises Busy while a run goes on: what it holds in memory would come back with it.

    `settle`: ms that Salesforce may still commit what a run that died here had sent.
    `rewrite`: also the space that is not used any more; nobody else may use the store meanwhile.
    """
    with closing(open_store(path)) as db:
        if dry_run:
            return Forgotten(Forget(db, address, lambda: None, dry_run=True).everywhere(now()))
        work = Work(db)
        run_id = work.begin("forget", now(), settle)
        said, person = Erased(), Person(address)
        try:
            newest = work.newest()
            while work.fold(now(), newest):
                work.beat(run_id, now())
            forgetting = Forget(db, address, lambda: work.beat(run_id, now()))
            person = forgetting.person
            said = forgetting.everywhere(now())
        finally:
            work.end(run_id, now(), {"ended": "done", "events": said.events})
        if rewrite:
            compact(db)
        fold_back(db)
    return Forgotten(said, traces(path, person))


def prune(
    path: Path, rules: Rules, now: int, *, events_days: int, quarantine_days: int, dry_run: bool = False
) -> Iterator[Pruned]:
    """Removes what is older than so many days and not needed; how far it is, after each page. 0 days: keeps all.

    Subjects that are due, or that a run holds, keep everything until the next time.
    """
    with closing(open_store(path)) as db:
        pruning, said = Prune(db, dry_run=dry_run), Pruned()
        if quarantine_days:
            said.quarantined = pruning.quarantine(now - quarantine_days * DAY)
        if events_days:
            before = now - events_days * DAY
            for cases in pruning.old(before):
                pruning.remove(((case, surplus(case, rules, before)) for case in cases), before, said)
                yield said
            said.changes, said.runs = pruning.changes(before), pruning.runs(before)
            said.waiting = pruning.waiting(before)
        yield said
