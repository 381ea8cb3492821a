"""An old store comes to this version's schema with everything in it."""

from __future__ import annotations

import os
import stat
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


@pytest.mark.skipif(os.geteuid() != 0, reason="only root can make files for somebody else")
@pytest.mark.parametrize(("directory", "store"), [(0o2770, 0o660), (0o755, 0o600)])
def test_a_store_that_root_is_the_first_to_use_is_its_directorys_owners(
    tmp_path: Path, directory: int, store: int
) -> None:
    os.chown(tmp_path, 1234, 1235)
    tmp_path.chmod(directory)
    with closing(open_store(tmp_path / "syncd.db")) as db:
        db.execute("INSERT INTO meta VALUES ('a', 'b')")
        files = [file.stat() for file in tmp_path.iterdir()]
        assert [(file.st_uid, file.st_gid, stat.S_IMODE(file.st_mode)) for file in files] == [(1234, 1235, store)] * 3


def test_no_store_is_made_where_a_link_leads(tmp_path: Path) -> None:
    """Root's command would make it wherever somebody in the group wants a file to be."""
    (tmp_path / "syncd.db").symlink_to(tmp_path / "elsewhere")
    with pytest.raises(StoreError):
        open_store(tmp_path / "syncd.db")
    assert not (tmp_path / "elsewhere").exists()


def test_a_new_store_is_nobody_elses_to_read(tmp_path: Path) -> None:
    before = os.umask(0o022)
    try:
        open_store(tmp_path / "new.db").close()
    finally:
        os.umask(before)
    assert (tmp_path / "new.db").stat().st_mode & 0o777 == 0o640
