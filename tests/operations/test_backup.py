"""A copy of the store is whole and private, and going back to it makes nothing twice."""

from __future__ import annotations

import os
import shutil
import stat
import threading
import time
from contextlib import closing
from pathlib import Path

import pytest

from syncd.alarms import conditions
from syncd.sandbox import Org
from syncd.store import Alarms, Desk, Inbox, open_store, situation
from tests.conftest import Syncd
from tests.factories import event, payload
from tests.operate.conftest import Commands


def test_a_copy_is_whole_readable_for_one_and_never_over_another(
    syncd: Syncd, command: Commands, contact: str, tmp_path: Path
) -> None:
    syncd.receive(payload("hard_bounce", whId=contact), payload("open", whId=contact))
    syncd.run()
    target = tmp_path / "copy.db"
    assert "2 events" in command("backup", str(target))
    assert stat.S_IMODE(target.stat().st_mode) == 0o600
    with closing(open_store(target)) as db:
        assert Desk(db).changes() == syncd.desk.changes()
        assert Desk(db).events() == syncd.desk.events()
    assert "exists" in said(command, "backup", str(target))
    document = command.json("backup", str(target), "--overwrite")
    assert (document["file"], document["rows"]["events"]) == (str(target), 2)
    assert not list(tmp_path.glob(".*partial*"))


def test_a_copy_never_takes_the_place_of_the_store_or_of_what_is_no_file(
    syncd: Syncd, command: Commands, tmp_path: Path
) -> None:
    """Whoever receives would go on writing to a file that has no name any more."""
    (tmp_path / "linked.db").hardlink_to(tmp_path / "syncd.db")
    (tmp_path / "pointing.db").symlink_to(tmp_path / "syncd.db")
    for itself in ("syncd.db", "syncd.db-wal", "linked.db", "pointing.db", f"../{tmp_path.name}/syncd.db"):
        assert "is the store itself" in said(command, "backup", "--overwrite", str(tmp_path / itself))
    assert "is a directory" in said(command, "backup", "--overwrite", str(tmp_path))
    os.mkfifo(tmp_path / "pipe")
    assert "is no file" in said(command, "backup", "--overwrite", str(tmp_path / "pipe"))
    assert not list(tmp_path.glob(".*partial*"))


def said(command: Commands, *arguments: str) -> str:
    command(*arguments, code=3)
    return command.errors


def test_keep_names_copies_by_the_time_and_removes_the_oldest_of_its_own_only(
    command: Commands, tmp_path: Path
) -> None:
    kept = tmp_path / "backups"
    command("backup", "--keep", "2", str(kept), code=2)
    kept.mkdir()
    mine = {"mine.db", "syncd-x.db", "syncd-1-before-Tuesdays-upgradeZ.db"}
    for name in ("syncd-20200101T000000Z.db", "syncd-20200102T000000Z.db", *mine):
        (kept / name).touch()
    of_killed = {age: kept / f".syncd-2020010{age}T000000Z.db.partial" for age in (0, 2)}
    for age, path in of_killed.items():
        path.touch()
        os.utime(path, (time.time() - age * 86_400,) * 2)
    command("backup", "--keep", "2", str(kept))
    assert [age for age, path in of_killed.items() if path.exists()] == [0]  # that one may be at work
    of_killed[0].unlink()
    left = sorted(path.name for path in kept.iterdir())
    assert len(left) == 5
    assert "syncd-20200101T000000Z.db" not in left
    assert {"syncd-20200102T000000Z.db", *mine} < set(left)


def alarms(command: Commands) -> list[str]:
    return [alarm["words"] for alarm in command.json("status", code=None)["alarms"] if alarm["key"] == "backup"]


def test_a_backup_that_fails_is_an_alarm_until_one_is_made(command: Commands, tmp_path: Path) -> None:
    kept = tmp_path / "backups"
    nightly = ("backup", "--keep", "2", "--alarm", str(kept))
    kept.mkdir()
    command(*nightly)
    assert alarms(command) == []
    kept.rename(tmp_path / "elsewhere")
    command(*nightly, code=2)
    (told,) = alarms(command)
    assert told.startswith("The last backup failed: With --keep, FILE is a directory")
    assert "; the last is of 20" in told
    kept.touch()
    command("backup", "--alarm", str(kept), code=3)
    assert f"{kept} exists" in alarms(command)[0]
    kept.unlink()
    kept.mkdir()
    command(*nightly)
    assert alarms(command) == []


def test_a_backup_that_is_missing_is_an_alarm_where_one_is_expected(
    syncd: Syncd, command: Commands, tmp_path: Path
) -> None:
    def missing(days: int) -> bool:
        now = time.time_ns() // 1_000_000 + days * 86_400_000
        return "backup" in [alarm.key for alarm in conditions(situation(syncd.settings, Alarms(syncd.db), now))]

    assert not missing(days=3)
    command("backup", str(tmp_path / "by hand.db"))
    assert not missing(days=3)
    command("backup", "--alarm", str(tmp_path / "by a timer.db"))
    assert (missing(days=1), missing(days=3)) == (False, True)
    command("backup", str(tmp_path / "by hand again.db"))
    assert missing(days=3)
    command("backup", "--no-alarm", str(tmp_path / "the last.db"))
    assert not missing(days=3)


def test_a_copy_made_while_events_come_in_holds_all_that_were_there_when_it_began(
    syncd: Syncd, command: Commands, tmp_path: Path
) -> None:
    """Without the read transaction every write would make SQLite begin anew, and it would never end."""
    syncd.receive(*(payload("open", 0, "s", email=f"n{i}@example.fr", whId="") for i in range(3000)))
    stop = threading.Event()
    written = 0

    def receiver() -> None:
        nonlocal written
        with closing(open_store(syncd.settings.store.path)) as db:
            while not stop.is_set():
                Inbox(db).append([event("open", 1, "t", email=f"m{written}@example.fr", whId="")])
                written += 1

    thread = threading.Thread(target=receiver)
    thread.start()
    try:
        found = command.json("backup", str(tmp_path / "copy.db"))["rows"]["events"]
    finally:
        stop.set()
        thread.join()
    assert written > 3
    assert 3000 <= found <= 3000 + written


def test_a_damaged_store_makes_no_copy(syncd: Syncd, command: Commands, tmp_path: Path) -> None:
    syncd.receive(*(payload("open", 0, "s", email=f"n{i}@example.fr", whId="") for i in range(2000)))
    syncd.db.execute("PRAGMA wal_checkpoint(TRUNCATE)")
    with syncd.settings.store.path.open("r+b") as file:
        file.seek(4096 * 60)
        file.write(b"\xff" * 4096 * 20)
    said(command, "backup", str(tmp_path / "copy.db"))
    assert not list(tmp_path.glob("*copy*"))


@pytest.mark.parametrize("events_are_sent_again", [False, True])
def test_a_store_that_is_restored_takes_over_what_was_written_since(
    syncd: Syncd, command: Commands, org: Org, contact: str, tmp_path: Path, *, events_are_sent_again: bool
) -> None:
    """A mark, an opt-out and a Task from after the backup: none is written twice, and what a person cleared stays."""
    early = [payload("open", 0, whId=contact), payload("click", 0, whId=contact)]
    late = [
        payload("open", 1, whId=contact),
        payload("unsubscribe", 2, whId=contact),
        payload("hard_bounce", 3, whId=contact),
    ]
    syncd.receive(*early)
    syncd.run()
    command("backup", str(copy := tmp_path / "copy.db"))
    syncd.receive(*late)
    syncd.run()
    before, tasks = org.get(contact), org.all("Task")
    assert len(tasks) == 2
    syncd.db.close()
    for file in tmp_path.glob("syncd.db*"):
        file.unlink()
    shutil.copy(copy, syncd.settings.store.path)
    syncd.__post_init__()
    if events_are_sent_again:
        syncd.receive(*early, *late)
    command("resync", "--all")
    command("resync", "--all")
    assert org.get(contact) == before
    assert org.all("Task") == tasks
    if events_are_sent_again:
        (found,) = [change for change in syncd.desk.changes() if "made after the backup" in str(change["receipts"])]
        assert found["state"] == "done"
        syncd.receive(payload("click", 1, whId=contact))
        syncd.run()
        assert len(org.all("Task")) == 2
