"""Query locators: where a query of more than one page goes on."""

from collections import OrderedDict
from dataclasses import dataclass, field

from syncd.sandbox.errors import CallError
from syncd.sandbox.ids import make_id

KEPT = 50


@dataclass(frozen=True, slots=True)
class Cursor:
    """The ids a query found, in order, and what to show of each."""

    kind: str
    columns: tuple[str, ...]
    ids: tuple[str, ...]
    page_size: int


@dataclass
class Cursors:
    """The newest cursors; a locator is opaque to clients: `0r8…-2000` (recorded: Nango)."""

    _kept: OrderedDict[str, Cursor] = field(default_factory=OrderedDict)
    _issued: int = 0

    def keep(self, cursor: Cursor) -> str:
        self._issued += 1
        locator = make_id("0r8", self._issued)
        self._kept[locator] = cursor
        while len(self._kept) > KEPT:
            self._kept.popitem(last=False)
        return locator

    def find(self, locator: str) -> tuple[str, Cursor, int]:
        """The name, the cursor and the offset behind a locator."""
        name, _, offset = locator.rpartition("-")
        cursor = self._kept.get(name)
        if cursor is None or not offset.isdecimal() or int(offset) > len(cursor.ids):
            raise CallError(400, "INVALID_QUERY_LOCATOR", "invalid query locator")
        return name, cursor, int(offset)
