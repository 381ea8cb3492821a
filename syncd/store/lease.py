"""One run at a time, over all processes: a row with a heartbeat, whose owner can be seen to be dead."""

from __future__ import annotations

import os
import socket
from pathlib import Path
from typing import TYPE_CHECKING

from syncd.errors import Busy, StoreError
from syncd.store.sqlite import insert, rows, transaction

if TYPE_CHECKING:
    from sqlite_utils import Database

STALE = 120_000
"""A run without a heartbeat for so long is dead, wherever it ran."""


def begin(db: Database, cause: str, now: int) -> int:
    """The new run's id. Raises Busy while another one lives."""
    try:
        with transaction(db):
            return insert(
                db,
                "INSERT INTO runs (owner, cause, started_at, heartbeat_at) VALUES (?, ?, ?, ?)",
                (owner(), cause, now, now),
            )
    except StoreError as error:
        if "runs_going" in str(error):  # the index that lets only one run be open
            raise Busy("another run is going on; see: syncd status") from error
        raise


def dead_run(db: Database, now: int) -> int | None:
    """A run that never ended and has nobody behind it; one of this very process has been given up by it."""
    for run_id, who, heartbeat in rows(db, "SELECT id, owner, heartbeat_at FROM runs WHERE ended_at IS NULL"):
        if now - heartbeat > STALE or who == owner() or not is_alive(who):
            return int(run_id)
    return None


def beat(db: Database, run_id: int, now: int) -> None:
    """Says that the run lives. Raises StoreError when another one has taken over."""
    with transaction(db, repeatable=True):
        if not db.execute("UPDATE runs SET heartbeat_at = ? WHERE id = ? AND ended_at IS NULL", (now, run_id)).rowcount:
            raise StoreError("this run was taken for dead and another one has taken over")


def end(db: Database, run_id: int, now: int, summary: str) -> None:
    with transaction(db):
        db.execute(
            "UPDATE runs SET ended_at = ?, summary = ? WHERE id = ? AND ended_at IS NULL", (now, summary, run_id)
        )


def owner() -> str:
    """Host, boot, process and its start: enough to tell from elsewhere whether this very process still lives."""
    return f"{socket.gethostname()} {_boot()} {os.getpid()} {_started(os.getpid())}"


def is_alive(who: str) -> bool:
    """False only if that is certain: another boot of this host, or no such process on it."""
    host, boot, pid, started = who.rsplit(" ", 3)
    if host != socket.gethostname():
        return True
    if boot != _boot():
        return False
    found = _started(int(pid))
    return found == started or (not found and _is_hidden(int(pid)))


def _boot() -> str:
    return Path("/proc/sys/kernel/random/boot_id").read_text().strip()


def _is_hidden(pid: int) -> bool:
    """A service sees only its own user's processes in /proc (ProtectProc); root's run, by hand, lives all the same."""
    try:
        os.kill(pid, 0)
    except PermissionError:
        return True
    except OSError:
        return False
    return False


def _started(pid: int) -> str:
    """The process's start in clock ticks since boot, or nothing if there is none: field 22 of /proc/PID/stat."""
    try:
        fields = Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()
    except OSError:
        return ""
    state, started = fields[0], fields[19]
    return "" if state == "Z" else started
