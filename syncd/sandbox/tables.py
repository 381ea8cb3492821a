"""Which objects and fields there are, what the API user may do with them, and their rows."""

import threading
from typing import TYPE_CHECKING, Any

from syncd.sandbox.objects import standard_objects
from syncd.sandbox.schema import Field
from syncd.sandbox.store import Store

if TYPE_CHECKING:
    from syncd.sandbox.schema import Row, SObject


class Tables:
    """Changes are made under `lock`."""

    def __init__(self, lock: threading.RLock) -> None:
        self.lock = lock
        self.objects: dict[str, SObject] = standard_objects()
        self.store = Store(self.objects)
        self._by_prefix = {one.prefix: name for name, one in self.objects.items()}
        self._by_lower_name = {name.lower(): one for name, one in self.objects.items()}

    # As an administrator changes them

    def hide_field(self, kind: str, name: str) -> None:
        """Field-level security: the API user doesn't see it, as if it weren't there."""
        with self.lock:
            self.objects[kind].hidden.add(self.objects[kind].fields[name].name)

    def show_field(self, kind: str, name: str) -> None:
        with self.lock:
            self.objects[kind].hidden.discard(name)

    def read_only(self, kind: str, name: str) -> None:
        """Field-level security: visible, but not to be written through the API."""
        with self.lock:
            self.objects[kind].alter(name, createable=False, updateable=False)

    def encrypt(self, kind: str, name: str) -> None:
        """Shield Platform Encryption: it is read as always, but no query may filter or sort by it."""
        with self.lock:
            self.objects[kind].alter(name, encrypted=True)

    def hide_object(self, kind: str) -> None:
        """The API user has no access to it: it isn't there."""
        with self.lock:
            self._by_lower_name.pop(kind.lower(), None)

    def show_object(self, kind: str) -> None:
        with self.lock:
            self._by_lower_name[kind.lower()] = self.objects[kind]

    def forbid_creating(self, kind: str) -> None:
        """The API user may read and edit these records but not make new ones."""
        with self.lock:
            self.objects[kind].createable = False

    def add_field(self, kind: str, name: str, **about: Any) -> None:
        """A custom field; keywords as in `schema.Field` (type, length, external_id, unique, values, default, …)."""
        if not name.endswith("__c"):
            raise ValueError(f"the name of a custom field ends in __c: {name}")
        about.setdefault("label", name.removesuffix("__c").replace("_", " "))
        if about.get("type", "string") == "string":
            about.setdefault("length", 255)
        if about.get("type") == "boolean":
            about = {"nillable": False, "default": False} | about
        column = Field(name, **about)
        with self.lock:
            self.objects[kind].put(column)
            table = self.store.tables[kind]
            table.rows = {key: row | {name: column.default} for key, row in table.rows.items()}
            if column.indexed:
                table.add_index(name)

    # For the parts of this package

    def sobject(self, name: str) -> "SObject | None":
        """By API name, whatever its case."""
        return self._by_lower_name.get(name.lower())

    def type_of(self, record_id: str) -> str:
        """The object a key prefix belongs to; empty if to none here."""
        return self._by_prefix.get(record_id[:3], "")

    def row(self, record_id: str) -> "Row | None":
        kind = self.type_of(record_id)
        return self.store.tables[kind].rows.get(record_id) if kind else None
