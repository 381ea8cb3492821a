"""An old store comes to this version's schema with everything in it."""

from __future__ import annotations

import os
from contextlib import closing
from pathlib import Path

import pytest

from syncd.errors import StoreError
from syncd.store import migrate, open_store
from syncd.store.migrations import migrations
from syncd.store.sqlite import connect

FIRST_RELEASE = "m004_holds_and_jobs"  # the first one after it


@pytest.fixture
def old(tmp_path: Path) -> Path:
    """A store as the first version left it, with a change and its receipt."""
    path = tmp_path / "syncd.db"
    with closing(connect(path)) as db:
        migrations.apply(db, stop_before=FIRST_RELEASE)
        for statement in (
            "INSERT INTO runs VALUES (1, 'host', 'sync', 1, 1, 2, '{}')",
            "INSERT INTO subjects (id, sf_id, object) VALUES (1, '003Sb0000000001IAA', 'Contact')",
            "INSERT INTO rules VALUES (1, x'00', '{}', 1)",
            (
                "INSERT INTO changes VALUES (7, 1, 1, 1, 'mark', 'Contact', '003Sb0000000001IAA', NULL,"
                " '{}', '{}', '{}', 5, 'done', 6)"
            ),
            "INSERT INTO recipients (id, address, whid, subject_id) VALUES (1, 'a@b.fr', '003sb0000000001iaa', 1)",
            "INSERT INTO recipients (id, address, whid, subject_id) VALUES (2, 'a@b.fr', 'S-1', 1)",
            "INSERT INTO receipts (change_id, at, ok, sf_id) VALUES (7, 8, 1, '003Sb0000000001IAA')",
        ):
            db.execute(statement)
    return path


def test_an_old_store_is_refused_until_it_is_migrated(old: Path) -> None:
    with pytest.raises(StoreError, match="syncd migrate"):
        open_store(old)
    assert FIRST_RELEASE in migrate(old)
    open_store(old).close()


def test_migrating_keeps_changes_with_their_receipts(old: Path) -> None:
    migrate(old)
    with closing(open_store(old)) as db:
        assert db.execute("SELECT id, state, intended_at FROM changes").fetchall() == [(7, "done", 6)]
        assert db.execute("SELECT change_id FROM receipts").fetchall() == [(7,)]
        assert not db.execute("PRAGMA foreign_key_check").fetchall()


def test_migrating_finds_out_which_records_are_named(old: Path) -> None:
    migrate(old)
    with closing(open_store(old)) as db:
        assert db.execute("SELECT id, names FROM recipients").fetchall() == [(1, "003Sb0000000001IAA"), (2, None)]


def test_an_old_store_has_the_schema_of_a_new_one(old: Path, tmp_path: Path) -> None:
    migrate(old)
    schemas = []
    for path in (old, tmp_path / "new.db"):
        with closing(open_store(path)) as db:
            schemas.append(sorted(sql for (sql,) in db.execute("SELECT sql FROM sqlite_master WHERE sql IS NOT NULL")))
    assert schemas[0] == schemas[1]


def test_migrating_twice_does_nothing(old: Path) -> None:
    assert migrate(old)
    assert migrate(old) == []


def test_a_new_store_is_nobody_elses_to_read(tmp_path: Path) -> None:
    before = os.umask(0o022)
    try:
        open_store(tmp_path / "new.db").close()
    finally:
        os.umask(before)
    assert (tmp_path / "new.db").stat().st_mode & 0o777 == 0o640
