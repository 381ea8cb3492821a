"""Contacts and Leads: read by id, written through sObject Collections. Roles in, roles out; field names stay here."""

from __future__ import annotations

import time
import unicodedata
from dataclasses import dataclass, replace
from datetime import UTC, datetime
from typing import TYPE_CHECKING, Any

from simple_salesforce.format import format_soql

from syncd.errors import Fatal, Refused
from syncd.figures import FIGURES
from syncd.ids import record_id
from syncd.model import Fate, Move, Record
from syncd.salesforce.described import Described, incoming, instant, outgoing
from syncd.salesforce.errors import misread, receipts

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator, Mapping, Sequence

    from syncd.config.models import ObjectFields
    from syncd.model import Receipt, Value
    from syncd.salesforce.follow import Reading
    from syncd.salesforce.session import Session

READ_A_CALL = 2_000
WRITE_A_CALL = 200
SHAPE_KEPT = 3_600  # seconds: a permission that was given is seen within the hour
LINKS = {
    "Contact": ("IsPersonAccount", "AccountId"),
    "Lead": ("IsConverted", "ConvertedContactId"),
    "Account": ("IsPersonAccount", "PersonContactId"),
}
"""What tells a person account, or where a Lead went. An org without person accounts has no such fields, and asking for
them would refuse the call."""
CHANGED = "LastModifiedDate"
IDS_A_QUERY = 400
"""A query is a GET, whose URI may be 16,384 bytes long; an id takes 27 of them once it is encoded."""
UNSEEN = frozenset(
    {"NOT_FOUND", "INSUFFICIENT_ACCESS", "INSUFFICIENT_ACCESS_OR_READONLY", "INVALID_TYPE", "INVALID_FIELD", "HTTP_404"}
)
"""A call about one object that is refused with one of these says nothing of the other objects."""
CLOSED = frozenset({"INVALID_FIELD_FOR_INSERT_UPDATE", "INVALID_FIELD"})
"""Rows refused for a field that is not there or may not be written."""


@dataclass(frozen=True, slots=True)
class Row:
    """One record to write: fields by role."""

    object: str
    id: str
    values: Mapping[str, Value]


class Records:
    """What describe says of the fields decides what is asked for and what can be written."""

    def __init__(self, session: Session, fields: Mapping[str, ObjectFields]) -> None:
        self._session = session
        self._fields = fields
        self._described: dict[str, Described] = {}
        self._doubted: set[str] = set()

    def read(self, wanted: Mapping[str, Sequence[str]], into: Reading) -> None:
        """Ids by object, 2,000 a call. Missing, deleted and invisible ones are left out; what of these can be known is
        for `find_moved` to ask.

        A person account is one record, its Account's, found by either of its two ids; other Accounts are no recipients.
        A converted Lead can still be read, but is a Contact now.
        """
        accounts: dict[str, str] = {sf_id: sf_id for sf_id in wanted.get("Account", ())}  # Account → id asked for
        for object_, ids in ((name, ids) for name, ids in wanted.items() if name != "Account"):
            for row in self._read(object_, ids, into):
                sf_id = str(row["Id"])
                if row.get("IsPersonAccount") and row.get("AccountId"):
                    accounts[str(row["AccountId"])] = sf_id
                elif row.get("IsConverted"):
                    _has_gone(row, object_, into)
                else:
                    into.records[sf_id] = _record(row, object_, self._describe(object_))
        for row in self._read("Account", list(accounts), into):
            if row.get("IsPersonAccount"):
                record = _record(row, "Account", self._describe("Account"))
                into.records[record.id] = record
                if record.contact:
                    into.moves[record.contact] = Move(record.contact, record.id, "person")
        for account, sf_id in accounts.items():
            if account in into.untold:
                into.untold[sf_id] = into.untold[account]

    def find_moved(self, lost: Mapping[str, Sequence[str]], into: Reading) -> None:
        """Where ids lead that cannot be read: the survivor of a merge, the Contact of a Lead that was deleted after it
        had been converted, the Account of a Contact that is one half of a person account."""
        for object_, ids in lost.items():
            try:
                self._find_moved(object_, ids, into)
            except Fatal as error:
                _untold(error, ids, into)

    def _find_moved(self, object_: str, ids: Sequence[str], into: Reading) -> None:
        known = self._describe(object_).types
        fields = [name for name in ("MasterRecordId", *LINKS[object_]) if name in known]
        for start in range(0, len(ids), IDS_A_QUERY):
            some = list(ids[start : start + IDS_A_QUERY])
            soql = format_soql(f"SELECT {', '.join(['Id', *fields])} FROM {object_} WHERE Id IN {{}}", some)
            for row in self._session.query(soql, deleted=True):
                _has_gone(row, object_, into)

    def moved_since(self, object_: str, since: int) -> Iterator[list[Move]]:
        """Where records of this object went that were merged away or converted since then, a call's at a time.

        As the SOAP API guide has it (merge(), "List merged records"); SystemModstamp has an index (help 000386977).
        """
        fields, gone = "Id, MasterRecordId", "IsDeleted = true AND MasterRecordId != null"
        if object_ == "Lead":
            fields, gone = f"{fields}, {', '.join(LINKS[object_])}", f"(IsConverted = true OR ({gone}))"
        moment = datetime.fromtimestamp(since / 1000, UTC)
        soql = format_soql(f"SELECT {fields} FROM {object_} WHERE SystemModstamp >= {{}} AND {gone}", moment)
        for page in self._session.pages(soql, deleted=True):
            yield [move for row in page if (move := _move(row, object_)) and _leads_on(move)]

    def _read(self, object_: str, wanted: Sequence[str], into: Reading) -> list[Mapping[str, Any]]:
        """The rows. One object that the user cannot see is no reason to leave the others."""
        try:
            return list(self._rows(object_, wanted)) if wanted else []
        except Fatal as error:
            _untold(error, wanted, into)
            return []

    def _rows(self, object_: str, wanted: Sequence[str]) -> Iterator[Mapping[str, Any]]:
        for start in range(0, len(wanted), READ_A_CALL):
            page = list(wanted[start : start + READ_A_CALL])
            try:
                yield from self._page(object_, page)
            except Refused:  # a field has gone since it was described
                del self._described[object_]
                yield from self._page(object_, page)

    def _page(self, object_: str, ids: list[str]) -> list[dict[str, Any]]:
        described = self._describe(object_)
        linked = [name for name in (*LINKS[object_], CHANGED) if name in described.types]
        fields = list(dict.fromkeys(["Id", *described.emails, *described.readable.values(), *linked]))
        answer = self._session.call("POST", f"composite/sobjects/{object_}", body={"ids": ids, "fields": fields})
        return _read_rows(answer, len(ids))

    def write(self, rows: Sequence[Row]) -> list[Receipt]:
        """One call, at most 200 records, sorted by object; a receipt for each, in order."""
        records = [
            {"attributes": {"type": row.object}, "id": row.id, **self.named(row.object, row.values)} for row in rows
        ]
        answer = self._session.call("PATCH", "composite/sobjects", body={"allOrNone": False, "records": records})
        said = zip(rows, receipts(answer, len(rows)), strict=True)
        return [self.believed(row.object, receipt) for row, receipt in said]

    def believed(self, object_: str, answer: Receipt) -> Receipt:
        """A refusal of a field that was described as writable: the description may be an hour old, so it is made anew,
        and what follows from it is planned. A new one that says the same is no more asked, until it is old."""
        if answer.code not in CLOSED or (object_ in self._doubted and object_ in self._described):
            return answer
        self._described.pop(object_, None)
        self._doubted.add(object_)
        return replace(answer, fate=Fate.LATER)

    def forget_shapes(self) -> None:
        """A refusal says that the fields are no longer what they were."""
        self._described.clear()

    @property
    def figures(self) -> frozenset[str]:
        """The roles of figures that some object is to show."""
        return frozenset(role for role in FIGURES for fields in self._fields.values() if getattr(fields, role))

    def type_of(self, object_: str, field: str) -> str:
        """A field's type, or nothing if there is no such field or it cannot be seen."""
        return self._describe(object_).types.get(field, "")

    def columns(self, object_: str) -> list[str]:
        """The fields that can be written."""
        return [getattr(self._fields[object_], role) for role in sorted(self._describe(object_).shape.writable)]

    def named(self, object_: str, values: Mapping[str, Value]) -> dict[str, object]:
        """Values by role as Salesforce's fields take them."""
        fields, shape = self._fields[object_], self._describe(object_).shape
        return {getattr(fields, role): outgoing(role, value, shape) for role, value in values.items()}

    def _describe(self, object_: str) -> Described:
        known = self._described.get(object_)
        if known and time.monotonic() - known.at > SHAPE_KEPT:
            self._doubted.discard(object_)
            known = None
        if known is None:
            known = Described.of(self._session.fields_of(object_), self._fields[object_])
            self._described[object_] = known
        return known


def _record(row: Mapping[str, Any], object_: str, described: Described) -> Record:
    addresses = (_address(row.get(name)) for name in described.emails)
    values = {role: incoming(role, row.get(name)) for role, name in described.readable.items()}
    contact = str(row.get("PersonContactId") or "")
    changed_at = instant(row[CHANGED]) if row.get(CHANGED) else 0
    own = tuple(address for address in addresses if address)
    return Record(str(row["Id"]), object_, own, values, described.shape, contact, changed_at)


def _has_gone(row: Mapping[str, Any], object_: str, into: Reading) -> None:
    if move := _move(row, object_):
        into.moves[move.sf_id] = move


def _move(row: Mapping[str, Any], object_: str) -> Move | None:
    """Which record this one has become, or is one half of."""
    sf_id = str(row.get("Id"))
    if row.get("MasterRecordId"):
        return Move(sf_id, str(row["MasterRecordId"]), "merged")
    if row.get("IsConverted"):
        return Move(sf_id, str(row["ConvertedContactId"]), "converted") if row.get("ConvertedContactId") else None
    if object_ == "Contact" and row.get("IsPersonAccount") and row.get("AccountId"):
        return Move(sf_id, str(row["AccountId"]), "person")
    return None


def _leads_on(move: Move) -> bool:
    """From one record that mail may be sent to, to another: what else is told is not remembered."""
    return record_id(move.sf_id) is not None and record_id(move.to_id) is not None and move.sf_id != move.to_id


def _untold(error: Fatal, ids: Iterable[str], into: Reading) -> None:
    if error.code not in UNSEEN:
        raise error
    into.untold |= dict.fromkeys(ids, error)


def _read_rows(answer: object, expected: int) -> list[dict[str, Any]]:
    """A row or null for each id that was asked for; those without null."""
    if not isinstance(answer, list) or len(answer) != expected:
        raise misread(f"expected {expected} records")
    if not all(row is None or (isinstance(row, dict) and row.get("Id")) for row in answer):
        raise misread("expected records with an Id")
    return [row for row in answer if row]


def _address(value: object) -> str:
    return unicodedata.normalize("NFC", str(value or "").strip()).lower()
