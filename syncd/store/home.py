"""Whether a connection still writes to the files that others find under the store's name.

Who removes or replaces them under a connection does not end it: SQLite goes on with the files it has open, and what is
committed there is gone when it closes them.
"""

from __future__ import annotations

import time
from typing import TYPE_CHECKING

from syncd.errors import StoreError

if TYPE_CHECKING:
    from pathlib import Path

SETTLED = 10.0
"""Seconds that another file must have been left alone before it is opened: a copy may still be at work."""

File = tuple[int, int] | None


class Astray(StoreError):  # noqa: N818
    """The files are gone, or not yet all there: nothing is to be opened or made in their place."""


class Home:
    """Where a connection's files were when it was opened."""

    def __init__(self, path: Path) -> None:
        self._path = path
        self._log = path.with_name(f"{path.name}-wal")
        self._files = self._now()

    def is_left(self) -> bool:
        """Whether other files are there, ready to be opened instead. Raises Astray if there are none."""
        now = self._now()
        if now == self._files:
            return False
        (store, log), (old_store, old_log) = now, self._files
        if store is None:
            raise Astray(f"{self._path} was removed or moved away. Restore it, or restart the receiver to begin anew")
        if store != old_store and log is not None and log == old_log:
            raise Astray(
                f"{self._path} is another file, beside the -wal of the old one. README, restoring: remove that"
            )
        if abs(time.time() - self._path.stat().st_ctime) < SETTLED:
            raise Astray(f"{self._path} is another file, which was just written")
        return True

    def _now(self) -> tuple[File, File]:
        return _identity(self._path), _identity(self._log)


def _identity(path: Path) -> File:
    try:
        found = path.stat()
    except (FileNotFoundError, NotADirectoryError):
        return None
    return found.st_dev, found.st_ino
