"""Where a person is mentioned: every spelling of an address, and ids that are nobody else's, in every column there is.

Which columns those are is asked of the schema, so that a table of tomorrow is looked through as well.
"""

from __future__ import annotations

import json
import re
import secrets
import sqlite3
import unicodedata
from contextlib import closing
from dataclasses import dataclass
from functools import cached_property
from typing import TYPE_CHECKING, Any
from urllib.parse import quote

from syncd.sarbacane import text_of
from syncd.store.sqlite import chunks, rows, transaction

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator, Mapping, Sequence
    from pathlib import Path

    from sqlite_utils import Database

ROWS_A_PAGE = 10_000
GONE = "forgotten"
NOBODY = "0" * 18
"""In place of a record's id."""

# `joann@…` is not `ann@…`, nor is `ann@example.fr` a part of `ann@example.fr.example`; but the letter before may be an
# escape's: `\nann@…`, `%20ann@…`.
_BEFORE = r"(?:(?<![\w.+-])|(?<=\\[bfnrt])|(?<=\\u[0-9a-f]{4})|(?<=%[0-9a-f]{2}))"
_AFTER = r"(?![\w-]|\.\w)"


@dataclass(frozen=True)
class Person:
    """Who is looked for. `ids`: of records, 18 characters; `whids`: those that are no record's id, so maybe `42`."""

    address: str
    ids: frozenset[str] = frozenset()
    whids: frozenset[str] = frozenset()

    @cached_property
    def _address(self) -> re.Pattern[str]:
        return re.compile(_BEFORE + "".join(map(_spelt, self.address)) + _AFTER, re.IGNORECASE)

    @cached_property
    def _ids(self) -> re.Pattern[str]:
        """Case matters in the first fifteen, unless the checksum is there to mend it."""
        return re.compile("|".join(f"{one[:15]}(?i:{one[15:]})?|(?i:{one})" for one in sorted(self.ids)) or r"\b\B")

    @cached_property
    def _whids(self) -> re.Pattern[str]:
        """Only where a payload says that it is one."""
        names = "|".join(re.escape(whid) for whid in sorted(self.whids))
        return re.compile(rf"""(?i:whid)["']?\s*[:=]\s*["']?(?:{names})(?![\w-])""" if names else r"\b\B")

    def without(self, text: str, instead: str = GONE) -> str:
        return self._ids.sub(NOBODY, self._address.sub(instead, text))

    def is_in(self, text: str) -> bool:
        return any(pattern.search(text) for pattern in (self._address, self._ids, self._whids))

    def is_in_body(self, body: bytes) -> bool:
        """Of a delivery, in whatever it is encoded; UTF-16 without a mark is letters with NULs between."""
        return self.is_in(text_of(body).replace("\0", ""))

    def may_be_in(self, text: str) -> bool:
        """Quickly said of most texts that `without` leaves as they are."""
        lower = text.lower()
        return all(run in lower for run in self._runs) or any(core in lower for core in self._cores)

    @cached_property
    def _runs(self) -> list[str]:
        """What every spelling of the address has in common; what is rarest is probably longest."""
        return sorted(re.findall("[a-z0-9]+", self.address), key=len, reverse=True)

    @cached_property
    def _cores(self) -> list[str]:
        return [one[:15].lower() for one in self.ids]

    @cached_property
    def bytes_in_any_case(self) -> set[bytes]:
        """As the address stands in files; what is unusual about a spelling is not looked for there."""
        escaped = quote(self.address, safe="", errors="surrogatepass")
        spellings = (self.address, _json(self.address), escaped.lower())
        return {text.encode(errors="surrogatepass") for text in spellings}

    @cached_property
    def exact_bytes(self) -> set[bytes]:
        return {one[:15].encode() for one in self.ids}

    def found_in(self, block: bytes) -> int:
        lower = block.lower()
        return sum(map(lower.count, self.bytes_in_any_case)) + sum(map(block.count, self.exact_bytes))


def _spelt(letter: str) -> str:
    """As it is, in a JSON text, in a URL, or decomposed. Nobody escapes plain letters and digits."""
    if letter.isascii() and letter.isalnum():
        return letter
    ways = {f"\\u{ord(letter):04x}"}
    for case in (letter, letter.upper(), letter.lower()):
        ways |= {case, _json(case), "".join(f"%{byte:02x}" for byte in case.encode(errors="surrogatepass"))}
    apart = unicodedata.normalize("NFD", letter)
    decomposed = ["".join(map(_spelt, apart))] if apart != letter else []
    return f"(?:{'|'.join([*map(re.escape, sorted(ways)), *decomposed])})"


def _json(text: str) -> str:
    return json.dumps(text)[1:-1]


def traces(path: Path, person: Person) -> int:
    """How often the bytes of the address and of the ids stand in the store's files, unused space included."""
    return sum(_count(file, person) for file in (path, path.with_name(f"{path.name}-wal")))


def _count(file: Path, person: Person) -> int:
    """Streamed."""
    if not file.exists():
        return 0
    found, before = 0, b""
    longest = max(map(len, person.bytes_in_any_case | person.exact_bytes))
    with closing(file.open("rb")) as opened:
        while block := opened.read(1 << 22):
            text = before + block
            found += person.found_in(text) - person.found_in(before)
            before = text[-longest + 1 :]
    return found


class Mentions:
    """Takes a person out of whatever text the store holds. `beat` is called often."""

    def __init__(self, db: Database, person: Person, beat: Callable[[], object], *, dry_run: bool) -> None:
        self._db = db
        self._person = person
        self._beat = beat
        self._dry_run = dry_run

    def everywhere(self, own: Mapping[str, str]) -> int:
        """In how many rows; `own`: by table, what else tells rows that are not the person's own."""
        return sum(self._in_table(table, own.get(table.name, "")) for table in _tables(self._db))

    def _in_table(self, table: _Table, also: str) -> int:
        found = [row for page in self._pages(table, also) for row in page if self._mentions(row, table)]
        for chunk in () if self._dry_run else chunks(self._db, found):
            self._beat()
            with transaction(self._db):
                for row in chunk:
                    self._rewrite(table, row)
        return len(found)

    def _pages(self, table: _Table, also: str) -> Iterator[list[Sequence[Any]]]:
        """Every row: no read transaction outlives a page."""
        keys = table.quoted(table.keys)
        sql = f"SELECT {table.quoted((*table.keys, *table.columns))} FROM {table.name} WHERE ({also or 'true'})"
        beyond, after = "", list[Any]()
        while page := rows(self._db, f"{sql}{beyond} ORDER BY {keys} LIMIT {ROWS_A_PAGE}", after):
            self._beat()
            yield page
            beyond = f" AND ({keys}) > ({', '.join('?' * len(table.keys))})"
            after = list(page[-1][: len(table.keys)])

    def _mentions(self, row: Sequence[Any], table: _Table) -> bool:
        texts = row[len(table.keys) :]
        return self._person.may_be_in("\n".join(filter(None, texts))) and bool(self._changed(row, table))

    def _changed(self, row: Sequence[Any], table: _Table, instead: str = GONE) -> dict[str, str]:
        texts = zip(table.columns, row[len(table.keys) :], strict=True)
        return {column: new for column, text in texts if text and (new := self._person.without(text, instead)) != text}

    def _rewrite(self, table: _Table, row: Sequence[Any]) -> None:
        try:
            self._update(table, row, self._changed(row, table))
        except sqlite3.IntegrityError:  # what was said of two people in the same words must stay two
            self._update(table, row, self._changed(row, table, f"{GONE}-{secrets.token_hex(4)}"))

    def _update(self, table: _Table, row: Sequence[Any], new: Mapping[str, str]) -> None:
        sets = ", ".join(f'"{column}" = ?' for column in new)
        which = " AND ".join(f'"{key}" = ?' for key in table.keys)
        self._db.execute(f"UPDATE {table.name} SET {sets} WHERE {which}", [*new.values(), *row[: len(table.keys)]])


@dataclass(frozen=True, slots=True)
class _Table:
    """`keys` name a row; `columns` are those that hold text."""

    name: str
    keys: Sequence[str]
    columns: Sequence[str]

    @staticmethod
    def quoted(names: Sequence[str]) -> str:
        return ", ".join(f'"{name}"' for name in names)


def _tables(db: Database) -> list[_Table]:
    found: dict[str, list[Any]] = {}
    for name, *column in rows(db, _COLUMNS):
        found.setdefault(name, []).append(column)
    return [
        _Table(name, [column for without, column, _, is_key in columns if is_key and without] or ["rowid"], texts)
        for name, columns in found.items()
        if (texts := [column for _, column, kind, _ in columns if kind == "TEXT"])
    ]


_COLUMNS = """SELECT t.name, t.wr, c.name, c.type, c.pk FROM pragma_table_list t JOIN pragma_table_info(t.name) c
  WHERE t.schema = 'main' AND t.type = 'table' AND t.name NOT LIKE 'sqlite_%' AND t.name NOT LIKE '_sqlite_%'"""
