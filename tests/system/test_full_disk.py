"""The README's story of the full disk, on one that is full: a file system of a few MiB."""

from __future__ import annotations

import os
import subprocess
from collections.abc import Iterator
from contextlib import closing, suppress
from pathlib import Path
from shutil import copy
from typing import Any

import pytest
import requests

from syncd.sandbox import Sandbox
from syncd.store import open_store
from tests.factories import payload
from tests.operations.listener import Listener, listening
from tests.system.conftest import Installation, until
from tests.system.test_stories import idle, post, tell

SIZE = "80m"


@pytest.fixture
def disk(tmp_path: Path) -> Iterator[Path]:
    place = tmp_path / "disk"
    place.mkdir()
    command = ["mount", "-t", "tmpfs", "-o", f"size={SIZE},mode=755", "syncd-test", str(place)]
    done = subprocess.run(command, capture_output=True, text=True)
    if done.returncode:
        pytest.skip(f"no file system can be mounted here: {done.stderr.strip()}")
    try:
        yield place
    finally:
        subprocess.run(["umount", "--lazy", str(place)], check=True)


@pytest.fixture
def listener() -> Iterator[Listener]:
    with listening() as made:
        yield made


@pytest.fixture
def installed(disk: Path, sandbox: Sandbox, listener: Listener) -> Iterator[Installation]:
    made = Installation(disk, sandbox)
    made.configure(sandbox, more=f'[alerts]\nurls = ["{listener.url}"]\n[retention]\nevents_days = 365\n')
    yield made
    for service in made.services:
        if service.members():
            service.kill_group()


def fill(disk: Path) -> None:
    """As another program might: not a byte is left."""
    with (disk / "another-programs.log").open("wb", buffering=0) as file, suppress(OSError):
        while True:
            file.write(bytes(4096))


def refused(web: requests.Session, url: str) -> tuple[list[str], dict[str, Any], requests.Response]:
    """Posts until one is refused: the addresses of those that were taken, the one that was not, and its answer."""
    taken: list[str] = []
    while len(taken) < 20_000:
        address = f"new{len(taken)}@example.fr"
        sent = payload("delivered", 1, email=address, whId="", subject="x" * 3000)
        answer = web.post(url, json=sent, timeout=60)
        if answer.status_code != 204:
            return taken, sent, answer
        taken.append(address)
    raise AssertionError("the disk is not full")


def stored(disk: Path) -> set[str]:
    with closing(open_store(disk / "syncd.db")) as db:
        assert db.execute("PRAGMA integrity_check").fetchall() == [("ok",)]
        return {address for (address,) in db.execute("SELECT DISTINCT address FROM events").fetchall()}


def test_the_disk_is_full(installed: Installation, disk: Path, listener: Listener, web: requests.Session) -> None:
    service = installed.serve()
    url = service.url
    for send in range(30):
        old = [payload("delivered", -900, f"s{send}", email=f"n{i}@example.fr", whId="") for i in range(100)]
        post(web, url, *old)
    until(lambda: idle(installed))
    (disk / "backups").mkdir()
    installed.syncd("backup", str(disk / "backups/syncd-20260101T023000Z.db"))
    for night in range(2, 5):
        copy(disk / "backups/syncd-20260101T023000Z.db", disk / f"backups/syncd-2026010{night}T023000Z.db")
    fill(disk)

    taken, late, answer = refused(web, url)
    assert (answer.status_code, answer.headers["Retry-After"]) == (503, "30")
    until(lambda: any("the disk is full" in title for title in listener.titles))
    installed.syncd("prune", code=3)
    assert late["email"] not in stored(disk)

    said = tell(installed, "disk", code=1)  # 1: what `check` says of the room; the other program's file is still there
    assert "Removed: 2,900 events" in said
    assert "ok     store" in said
    assert web.post(url, json=late, timeout=60).status_code == 204
    until(lambda: "syncd: over: the store works again" in listener.titles)
    until(lambda: idle(installed))
    assert service.terminate() == 0
    assert {*taken, late["email"]} <= stored(disk)


def test_a_copy_that_would_leave_the_receiver_no_room_is_not_begun(installed: Installation, disk: Path) -> None:
    installed.syncd("sync")
    with (disk / "another-programs.log").open("wb") as file:
        os.posix_fallocate(file.fileno(), 0, 40 << 20)
    installed.syncd("backup", str(disk / "copy.db"), code=3)
    assert not list(disk.glob("*copy.db*"))
    installed.syncd("backup", str(disk.with_name("copy.db")))  # another disk has room of its own
