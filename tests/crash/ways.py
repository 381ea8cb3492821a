"""The ways in which a receiver dies or is hindered; after each it is to be there again."""

from __future__ import annotations

import os
import signal
import time
from typing import TYPE_CHECKING

from syncd.store import open_store
from tests.receiver.process import Receiver, is_alive, until

if TYPE_CHECKING:
    from collections.abc import Callable


def _kill_group(receiver: Receiver) -> None:
    receiver.kill_group()
    receiver.start()


def _kill_parent(receiver: Receiver) -> None:
    worker = receiver.worker
    receiver.signal(signal.SIGKILL)
    receiver.wait()
    until(lambda: not is_alive(worker))
    receiver.start()


def _kill_worker(receiver: Receiver) -> None:
    """The parent replaces it, unless one had just died (then it gives up, and whoever started it starts it again)."""
    os.kill(receiver.worker, signal.SIGKILL)
    if receiver.process.poll() is not None:
        receiver.start()


def _restart(receiver: Receiver) -> None:
    receiver.signal(signal.SIGTERM)
    receiver.wait()
    receiver.start()


def _lock_store(receiver: Receiver) -> None:
    """Longer than a receiver waits, so that its clients see 503."""
    db = open_store(receiver.store)
    db.execute("BEGIN IMMEDIATE")
    time.sleep(6)
    db.execute("ROLLBACK")
    db.close()


def _fill_disk(receiver: Receiver) -> None:
    receiver.limit_files(0)
    time.sleep(0.5)
    receiver.limit_files(-1)


KILLS = ("kill -9 of all", "kill -9 of the parent")
WAYS: dict[str, Callable[[Receiver], None]] = {
    "kill -9 of all": _kill_group,
    "kill -9 of the parent": _kill_parent,
    "kill -9 of the worker": _kill_worker,
    "restart": _restart,
    "locked store": _lock_store,
    "full disk": _fill_disk,
}
