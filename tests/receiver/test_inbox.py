"""Which commits sync, and which leave it to the next one that does."""

from __future__ import annotations

import threading
from contextlib import closing, suppress
from typing import TYPE_CHECKING

import pytest

from syncd.errors import StoreError
from syncd.sarbacane import read
from syncd.store import Inbox, open_store
from syncd.store.sqlite import transaction
from tests.receiver.stored import payload

if TYPE_CHECKING:
    from pathlib import Path

    from sqlite_utils import Database

NORMAL, FULL = 1, 2


def synchronous(db: Database) -> int:
    return int(db.execute("PRAGMA synchronous").fetchone()[0])


@pytest.mark.parametrize("ends_badly", [False, True])
def test_what_may_be_done_again_is_made_durable_by_one_commit_at_the_end(tmp_path: Path, *, ends_badly: bool) -> None:
    with closing(open_store(tmp_path / "syncd.db")) as db:
        inbox, seen = Inbox(db), []
        last = "SELECT total_changes()"

        def work() -> None:
            with inbox.durable_at_the_end():
                inbox.append([read(payload(1), 1)])
                seen.append((synchronous(db), db.execute(last).fetchone()[0]))
                if ends_badly:
                    raise KeyboardInterrupt

        if ends_badly:
            with pytest.raises(KeyboardInterrupt):
                work()
        else:
            work()
        assert seen[0][0] == NORMAL
        assert synchronous(db) == FULL
        assert db.execute(last).fetchone()[0] > seen[0][1]  # a commit that writes, so that it syncs


@pytest.mark.parametrize("sql", ["INSERT INTO meta VALUES ('a', 'b')", "no SQL"])
def test_only_a_transaction_that_can_be_repeated_leaves_the_sync_to_others(tmp_path: Path, sql: str) -> None:
    with closing(open_store(tmp_path / "syncd.db")) as db:
        seen = []
        for repeatable in (True, False):
            with suppress(StoreError), transaction(db, repeatable=repeatable):
                seen.append(synchronous(db))
                db.execute(sql)
            seen.append(synchronous(db))
        assert seen == [NORMAL, FULL, FULL, FULL]


def test_who_is_eager_gets_the_lock_when_it_is_let_go_and_gives_up_in_time(tmp_path: Path) -> None:
    path = tmp_path / "syncd.db"
    with (
        closing(open_store(path, shared=True)) as other,
        closing(open_store(path, busy=0.05, eager=True)) as short,
        closing(open_store(path, busy=30.0, eager=True)) as long,
    ):
        other.execute("BEGIN IMMEDIATE")
        with pytest.raises(StoreError, match="locked"):
            Inbox(short).is_writable()
        release = threading.Timer(0.01, other.execute, ["COMMIT"])
        release.start()
        Inbox(long).append([read(payload(1), 1)])
        release.join()
        assert long.execute("PRAGMA busy_timeout").fetchone()[0] == 30_000
        assert other.execute("SELECT count(*) FROM events").fetchone()[0] == 1
