"""Sarbacane's offline files, an event's text at a time: JSON in any layout, or a CSV with the same field names. Pure.

The help page says that such a file exists and is read-only, and neither its name nor its shape. So an object, an array,
lines of JSON and whatever lies between are read alike: values, with white space, commas and brackets around them.
A file of any size takes the memory of one item; what cannot be read is an item too, and the next is found behind it.
"""

from __future__ import annotations

import codecs
import csv
import io
import json
import re
from dataclasses import dataclass
from typing import TYPE_CHECKING, TextIO

from syncd.errors import Unreadable

if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence

CHUNK = 1 << 18  # characters read at a time
MAX_ITEM = 1 << 20
"""Characters of one item, as of a webhook's body. What ends nowhere within them is no item."""
MAX_KEPT = 1 << 16

_BETWEEN = re.compile(r"[\s,\[\]]*")
_OPENS_ALONE = re.compile(r"\{[ \t\r]*\n")  # an object that is laid out over lines
_NEXT_OBJECT = re.compile(r"\n\s*(?=\{)|\}\s*,\s*(?=\{)")
_NEXT_IN_LINE = re.compile(r"\}[ \t]*,[ \t]*(?=\{)")
_NEEDED = ({"email"}, {"date"}, {"type", "kind"})  # one of each makes a header


@dataclass(frozen=True, slots=True)
class Item:
    """What may be an event, and the line it begins on. `reason`: why it is none, if that is known already."""

    line: int
    body: bytes
    reason: str = ""


def items(file: io.BufferedReader[io.FileIO]) -> Iterator[Item]:
    """The items of a file opened in binary. Raises Unreadable if it is neither JSON nor CSV with the fields' names."""
    head = file.peek(CHUNK)
    encoding = "utf-16" if head.startswith((codecs.BOM_UTF16_LE, codecs.BOM_UTF16_BE)) else "utf-8-sig"
    start = head.decode(encoding, "replace").lstrip()
    # bytes that are no UTF-8 come through as they are: whoever reads the body knows what to make of them
    text = io.TextIOWrapper(file, encoding, "surrogateescape", newline="")
    try:
        if delimiter := _delimiter(start.partition("\n")[0]):
            yield from _of_table(text, delimiter)
        elif start and not re.search(r"^\s*[{\[]", start, re.MULTILINE):
            raise Unreadable("neither JSON nor a CSV whose first line names the fields: email, type, date, …")
        else:
            yield from _Values(text).items()
    finally:
        text.detach()  # the file is the caller's to close


# --- JSON -------------------------------------------------------------------------------------------------------


class _Values:
    """A window that slides over the text. `_at` is where the next item begins."""

    def __init__(self, text: TextIO) -> None:
        self._text = text
        self._window = ""
        self._at = 0
        self._line = 1
        self._is_whole = False  # nothing follows the window
        self._decoder = json.JSONDecoder()

    def items(self) -> Iterator[Item]:
        while self._is_at_item():
            end = self._end()
            if end is not None:
                yield self._taken(end)
            else:
                yield from self._unreadable()

    def _is_at_item(self) -> bool:
        """Goes to the next one, unless there is none."""
        while True:
            between = _BETWEEN.match(self._window, self._at)
            self._go(between.end() if between else self._at)
            if self._at < len(self._window):
                return True
            if not self._more():
                return False

    def _end(self) -> int | None:
        """Where the value that begins here ends; None if it is none, even with all that may belong to it in sight."""
        while True:
            try:
                _, end = self._decoder.raw_decode(self._window, self._at)
            except (ValueError, RecursionError):
                end = None
            is_cut = end is None or (end == len(self._window) and self._window[self._at] not in "{[")
            if not is_cut or len(self._window) - self._at >= MAX_ITEM or not self._more():
                return end

    def _unreadable(self) -> Iterator[Item]:
        """One item, up to where the next one seems to begin."""
        line = self._line
        end = self._resume()
        if end is not None:
            yield self._taken(end)
            return
        kept = self._taken(len(self._window)).body[:MAX_KEPT]
        while end is None and self._more():
            end = self._resume()
            self._go(end if end is not None else len(self._window))
        yield Item(line, kept, f"no end within {MAX_ITEM} characters; only the first {MAX_KEPT // 1024} KiB are kept")

    def _resume(self) -> int | None:
        """The rest of the line, or the rest of an object that is laid out over several; None: not in sight."""
        if _OPENS_ALONE.match(self._window, self._at):
            found = _NEXT_OBJECT.search(self._window, self._at + 1)
        else:
            line_end = self._window.find("\n", self._at)
            stop = line_end if line_end >= 0 else len(self._window)
            found = _NEXT_IN_LINE.search(self._window, self._at, stop)
            if not found and line_end >= 0:
                return line_end
        if found:
            return found.start() + (found.group()[0] == "}")
        return len(self._window) if self._is_whole else None

    def _taken(self, end: int) -> Item:
        item = Item(self._line, self._window[self._at : end].rstrip().encode("utf-8", "surrogateescape"))
        self._go(end)
        return item

    def _go(self, to: int) -> None:
        self._line += self._window.count("\n", self._at, to)
        self._at = to

    def _more(self) -> bool:
        """Whether there was more to read; what lies behind is dropped."""
        if self._is_whole:
            return False
        read = self._text.read(CHUNK)
        self._window = self._window[self._at :] + read
        self._at = 0
        self._is_whole = not read
        return bool(read)


# --- CSV --------------------------------------------------------------------------------------------------------


def _delimiter(header: str) -> str:
    """What separates the names in a table's first line; nothing if they are not there."""
    if header.startswith(("{", "[")) or len(header) > MAX_KEPT:
        return ""
    for delimiter in (",", ";", "\t"):
        names = {name.strip().lower() for name in next(csv.reader([header], delimiter=delimiter), [])}
        if all(names & any_of for any_of in _NEEDED):
            return delimiter
    return ""


def _of_table(text: TextIO, delimiter: str) -> Iterator[Item]:
    lines = _Lines(text)
    rows = csv.reader(lines, delimiter=delimiter)
    names = [name.strip() for name in next(rows)]
    while True:
        lines.taken()
        line = rows.line_num + 1
        try:
            cells = next(rows)
        except StopIteration:
            return
        except csv.Error as error:
            yield Item(line, lines.taken()[:MAX_KEPT], f"no row of a CSV: {error}")
            continue
        if len(cells) > len(names) and any(cells[len(names) :]):
            yield Item(line, lines.taken()[:MAX_KEPT], f"{len(cells)} cells, and {len(names)} names in the header")
        elif any(cells):
            yield Item(line, _as_json(names, cells))


class _Lines:
    """The lines of a text, and those taken since somebody asked: csv does not say what it could not read."""

    def __init__(self, text: TextIO) -> None:
        self._text = text
        self._taken: list[str] = []

    def __iter__(self) -> _Lines:
        return self

    def __next__(self) -> str:
        line = next(self._text)
        self._taken.append(line)
        return line

    def taken(self) -> bytes:
        lines, self._taken = self._taken, []
        return "".join(lines).encode("utf-8", "surrogateescape")


def _as_json(names: Sequence[str], cells: Sequence[str]) -> bytes:
    said = {name: cell for name, cell in zip(names, cells, strict=False) if name and cell}
    return json.dumps(said, ensure_ascii=False).encode("utf-8", "surrogateescape")
