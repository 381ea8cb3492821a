"""Rows in memory: by id, with indexes on the fields that are looked up, and a journal for all-or-none calls."""

from collections import defaultdict
from collections.abc import Iterator
from contextlib import contextmanager

from syncd.sandbox.schema import Row, Scalar, SObject


def key_of(value: Scalar) -> Scalar:
    """Text is looked up without regard to case."""
    return value.lower() if isinstance(value, str) else value


class Table:
    """Rows are replaced, never changed in place: what was read before stays as it was read."""

    def __init__(self, sobject: SObject) -> None:
        self.sobject = sobject
        self.rows: dict[str, Row] = {}
        self._indexes: dict[str, dict[Scalar, set[str]]] = {}
        for column in sobject.fields.values():
            if column.indexed and column.type != "id":
                self.add_index(column.name)

    def add_index(self, name: str) -> None:
        index: dict[Scalar, set[str]] = defaultdict(set)
        for record_id, row in self.rows.items():
            if row.get(name) is not None:
                index[key_of(row[name])].add(record_id)
        self._indexes[name] = index

    def has_index(self, name: str) -> bool:
        return name in self._indexes

    def find(self, name: str, value: Scalar) -> list[str]:
        """Ids of all rows, deleted ones too, that hold `value` in an indexed field."""
        return sorted(self._indexes[name].get(key_of(value), ()))

    def put(self, record_id: str, row: Row | None) -> Row | None:
        """Store or (None) take away; the row that was there before."""
        before = self.rows.get(record_id)
        for name, index in self._indexes.items():
            old, new = before.get(name) if before else None, row.get(name) if row else None
            if old == new:
                continue
            if old is not None:
                index[key_of(old)].discard(record_id)
            if new is not None:
                index[key_of(new)].add(record_id)
        if row is None:
            self.rows.pop(record_id, None)
        else:
            self.rows[record_id] = row
        return before


class Store:
    def __init__(self, objects: dict[str, SObject]) -> None:
        self.tables = {name: Table(sobject) for name, sobject in objects.items()}
        self._journal: list[tuple[Table, str, Row | None]] | None = None

    def put(self, table: str, record_id: str, row: Row) -> None:
        before = self.tables[table].put(record_id, row)
        if self._journal is not None:
            self._journal.append((self.tables[table], record_id, before))

    @contextmanager
    def journal(self) -> Iterator[None]:
        self._journal = []
        try:
            yield
        finally:
            self._journal = None

    def roll_back(self) -> None:
        """Undo everything since the journal was opened."""
        for table, record_id, before in reversed(self._journal or []):
            table.put(record_id, before)
        self._journal = []
