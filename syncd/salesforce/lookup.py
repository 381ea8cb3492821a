"""Which record a recipient is, when its whId is not the record's own id: by an external id, or by its address.

Nothing is guessed: a value that two records have names neither.
"""

from __future__ import annotations

from collections import defaultdict
from typing import TYPE_CHECKING, Any
from urllib.parse import quote

from simple_salesforce.format import format_soql

from syncd.errors import Fatal
from syncd.ids import RecordId, record_id
from syncd.texts import printable

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator, Mapping, Sequence

    from syncd.config.models import MappingSection, ObjectFields
    from syncd.model import Recipient
    from syncd.salesforce.records import Records
    from syncd.salesforce.session import Session

ROOM = 12_000
"""Bytes of values in one query: its URI may be 16,384 long, the header with it as well."""
LONGEST = 255
"""Characters of a text that an external id can be; an address has 80."""
DIGITS = 18
"""Of a number field; SOQL refuses a literal beyond its range."""
NUMBERS = frozenset({"double", "int", "long"})


class Lookup:
    """Follows `[mapping]`."""

    def __init__(self, session: Session, records: Records, mapping: MappingSection, fields: Mapping[str, ObjectFields]):
        self._session = session
        self._records = records
        self._mapping = mapping
        self._fields = fields

    @property
    def by_id(self) -> bool:
        """Whether a whId may be a record's id at all."""
        return self._mapping.whid != "external_id"

    def named(self, whid: str) -> RecordId | None:
        """The record whose id this whId is, without a call; None if whIds are something else here."""
        return record_id(whid) if self.by_id else None

    def is_usable(self, whid: str) -> bool:
        """Whether it can name a record at all, be there one or not."""
        return bool(whid) if self._mapping.whid != "salesforce_id" else record_id(whid) is not None

    def find(self, recipients: Sequence[Recipient]) -> dict[int, RecordId]:
        """By recipient id, those that are found by asking."""
        found: dict[int, RecordId] = {}
        if self._mapping.whid != "salesforce_id":
            found = _joined(self._by_external_id({r.whid for r in recipients if r.whid}), recipients, _whid)
        if self._mapping.match_by_email == "unique":
            # A whId that looks like an id names a record, be it gone; the address must not name another one.
            left = [r for r in recipients if r.id not in found and not self.named(r.whid)]
            found |= _joined(self._by_address({r.address for r in left}), left, _address)
        return found

    def _by_external_id(self, values: Iterable[str]) -> dict[str, RecordId]:
        hits: dict[str, set[tuple[str, str]]] = defaultdict(set)
        wanted = sorted(filter(_can_be_there, values))
        for object_, field in self._mapping.external_id:
            if field:
                literals = _numbers(wanted) if self._records.type_of(object_, field) in NUMBERS else wanted
                for row in self._rows(object_, field, literals):
                    hits[_plain(row[field])].add((object_, str(row["Id"])))
        return _unique(hits, "external_id")

    def _by_address(self, addresses: Iterable[str]) -> dict[str, RecordId]:
        hits: dict[str, set[tuple[str, str]]] = defaultdict(set)
        wanted = sorted(filter(_can_be_there, addresses))
        # a person account is found as its Contact
        for object_, fields in ((name, fields) for name, fields in self._fields.items() if name != "Account"):
            for field in fields.email:
                if not self._records.type_of(object_, field):  # somebody there may have the address, too
                    raise Fatal("INVALID_FIELD", f"{object_}.{field}: no such field, or the user may not see it")
                for row in self._rows(object_, field, wanted):
                    hits[_plain(row[field])].add((object_, str(row["Id"])))
        return _unique(hits, "email")

    def _rows(self, object_: str, field: str, values: Sequence[Any]) -> Iterator[dict[str, Any]]:
        # The names are the configuration's, checked to be API names. A converted Lead is a Contact now.
        living = " AND IsConverted = false" if object_ == "Lead" else ""
        for part in _parts(values):
            yield from self._session.query(
                format_soql(f"SELECT Id, {field} FROM {object_} WHERE {field} IN {{}}{living}", part)
            )


def _joined(found: Mapping[str, RecordId], recipients: Iterable[Recipient], key: Any) -> dict[int, RecordId]:
    return {r.id: found[word] for r in recipients if (word := _plain(key(r))) in found}


def _whid(recipient: Recipient) -> str:
    return recipient.whid


def _address(recipient: Recipient) -> str:
    return recipient.address


def _unique(hits: Mapping[str, set[tuple[str, str]]], how: str) -> dict[str, RecordId]:
    found = {}
    for value, records in hits.items():
        if len(records) == 1:
            ((object_, sf_id),) = records
            found[value] = RecordId(sf_id, object_, checked=True, how=how)
    return found


def _plain(value: object) -> str:
    """As SOQL compares: without regard to case; a number as it would be written in a list."""
    if isinstance(value, float) and value.is_integer():
        value = int(value)
    return str(value).strip().casefold()


def _can_be_there(value: str) -> bool:
    """Whether a record can have it at all. A query with what none can have may be refused, and with it all others."""
    return len(value) <= LONGEST and printable(value) == value


def _numbers(values: Iterable[str]) -> list[int]:
    return [int(value) for value in values if value.isascii() and value.isdecimal() and len(value) <= DIGITS]


def _parts(values: Sequence[Any]) -> Iterator[list[Any]]:
    """Slices whose values fit into one query."""
    part: list[Any] = []
    size = 0
    for value in values:
        length = len(quote(str(value), safe="")) + 9  # the quotes and the comma, encoded
        if part and size + length > ROOM:
            yield part
            part, size = [], 0
        part.append(value)
        size += length
    if part:
        yield part
