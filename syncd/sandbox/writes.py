"""Many records in one call: a result for each, in order, and all or none of them if asked.

Collections use it, single-record calls use it with one row, and Bulk API 2.0 would.
"""

from collections import Counter
from collections.abc import Callable, Mapping, Sequence
from typing import TYPE_CHECKING, Any

from syncd.sandbox.errors import CallError, RowError
from syncd.sandbox.ids import canonical
from syncd.sandbox.lifecycle import set_deleted
from syncd.sandbox.rules import SAVED_TOGETHER
from syncd.sandbox.saving import save
from syncd.sandbox.store import key_of
from syncd.sandbox.values import coerce

if TYPE_CHECKING:
    from syncd.sandbox.org import Org
    from syncd.sandbox.rules import Actor
    from syncd.sandbox.schema import Field, Row, SObject

Result = dict[str, Any]
Refuse = Callable[[int, str], RowError | None]
"""A fault's verdict on row number n with this id or external id."""

NO_ATTRIBUTES = "Nested object for polymorphic foreign key must have an attributes field before any other fields."
ROLLED_BACK = RowError(
    "ALL_OR_NONE_OPERATION_ROLLED_BACK",
    "Record rolled back because not all records were valid and the request was using AllOrNone header",
)


def done(record_id: str) -> Result:
    return {"id": record_id, "success": True, "errors": []}


def failed(error: RowError) -> Result:
    """Recorded: a refused row has no `id` (Nango)."""
    return {"success": False, "errors": [error.in_collection()]}


class Writer:
    def __init__(self, org: "Org", actor: "Actor", refuse: Refuse) -> None:
        self.org, self.actor, self.refuse = org, actor, refuse

    def create(self, rows: Sequence[Any], *, all_or_none: bool) -> list[Result]:
        return self._each(rows, self._create, all_or_none)

    def update(self, rows: Sequence[Any], *, all_or_none: bool) -> list[Result]:
        return self._each(rows, self._update, all_or_none)

    def delete(self, record_ids: Sequence[Any], *, all_or_none: bool) -> list[Result]:
        return self._each(record_ids, self._delete, all_or_none)

    def upsert(self, sobject: "SObject", key: "Field", rows: Sequence[Any], *, all_or_none: bool) -> list[Result]:
        """Rows that share a key are all refused (SOAP API guide, upsert: "Duplicate external id specified")."""
        counts = Counter(key_of(str(value)) for row in rows if (value := _pick(row, key.name)) is not None)

        def one(number: int, row: Any) -> Result:
            _attributes(row, sobject.name)
            value = _pick(row, key.name)
            if value is not None and counts[key_of(str(value))] > 1:
                raise RowError("DUPLICATE_VALUE", f"Duplicate external id specified: {value}", (key.name,))
            return self.upsert_one(number, sobject, key, value, _fields(row))

        return [{**result, "created": result.get("created", False)} for result in self._each(rows, one, all_or_none)]

    def upsert_one(
        self, number: int, sobject: "SObject", key: "Field", value: object, fields: Mapping[str, object]
    ) -> Result:
        wanted = coerce(key, value) if value is not None else None
        if wanted is None:
            raise RowError("MISSING_ARGUMENT", f"{key.name} not specified", (key.name,))
        self._refused(number, str(value))
        rest = {name: kept for name, kept in fields.items() if name.lower() != key.name.lower()}
        if key.type == "id":
            row = self._target(sobject, wanted)
            return done(save(self.org, sobject, row, rest, self.actor)) | {"created": False}
        matches = self.matches(sobject, key, wanted)
        if len(matches) > 1:
            raise RowError(
                "DUPLICATE_EXTERNAL_ID", f"{key.name}: more than one record found for external id field: {matches}"
            )
        if matches:
            row = self.org.store.tables[sobject.name].rows[matches[0]]
            return done(save(self.org, sobject, row, rest, self.actor)) | {"created": False}
        new = save(self.org, sobject, None, {**rest, key.name: value}, self.actor)
        return done(new) | {"created": True}

    def matches(self, sobject: "SObject", key: "Field", value: Any) -> list[str]:
        """Ids of the records that hold this external id; deleted ones don't count."""
        table = self.org.store.tables[sobject.name]
        return [found for found in table.find(key.name, value) if not table.rows[found].get("IsDeleted")]

    def update_one(self, number: int, sobject: "SObject", record_id: object, fields: Mapping[str, object]) -> Result:
        row = self._target(sobject, record_id)
        self._refused(number, str(row["Id"]))
        return done(save(self.org, sobject, row, fields, self.actor))

    def create_one(self, number: int, sobject: "SObject", fields: Mapping[str, object]) -> Result:
        self._refused(number, "")
        if not sobject.createable:
            # as users report it of a single-record call; no recording
            raise RowError("CANNOT_INSERT_UPDATE_ACTIVATE_ENTITY", f"entity type cannot be inserted: {sobject.label}")
        return done(save(self.org, sobject, None, fields, self.actor))

    def delete_one(self, number: int, sobject: "SObject", record_id: object) -> Result:
        row = self._target(sobject, record_id)
        self._refused(number, str(row["Id"]))
        set_deleted(self.org, sobject.name, row, self.actor.user_id, deleted=True)
        return done(str(row["Id"]))

    def _create(self, number: int, row: Any) -> Result:
        sobject = self._sobject(_attributes(row))
        if _pick(row, "Id") is not None:
            raise RowError("INVALID_FIELD_FOR_INSERT_UPDATE", "cannot specify Id in an insert call", ("Id",))
        return self.create_one(number, sobject, _fields(row))

    def _update(self, number: int, row: Any) -> Result:
        sobject = self._sobject(_attributes(row))
        record_id = _pick(row, "Id")
        if record_id is None:
            raise RowError("MISSING_ARGUMENT", "Id not specified in an update call", ("Id",))
        return self.update_one(number, sobject, record_id, _fields(row))

    def _delete(self, number: int, record_id: Any) -> Result:
        kind = self.org.type_of(canonical(record_id) or "")
        if not kind:
            raise RowError("MALFORMED_ID", f"malformed id {record_id}", ("Id",))
        return self.delete_one(number, self._sobject(kind), record_id)

    def _sobject(self, name: str) -> "SObject":
        found = self.org.sobject(name)
        if found is None or not found.writable:
            raise RowError("INVALID_TYPE", f"sObject type '{name}' is not supported.")
        return found

    def _target(self, sobject: "SObject", given: object) -> "Row":
        """The record to change (recorded: Nango, an id that doesn't exist; docs: one of another type)."""
        record_id = given if isinstance(given, str) and self.org.row(given) else canonical(given)
        if record_id is None or not record_id.startswith(sobject.prefix):
            raise RowError("MALFORMED_ID", f"{sobject.label} ID: id value of incorrect type: {given}", ("Id",))
        row = self.org.row(record_id)
        if row is None:
            raise RowError("INVALID_CROSS_REFERENCE_KEY", "invalid cross reference id")
        if row.get("IsDeleted"):
            raise RowError("ENTITY_IS_DELETED", "entity is deleted")
        return row

    def _refused(self, number: int, key: str) -> None:
        verdict = self.refuse(number, key)
        if verdict:
            raise verdict

    def _each(self, rows: Sequence[Any], work: Callable[[int, Any], Result], all_or_none: bool) -> list[Result]:
        written = len(self.org.writes)
        with self.org.store.journal():
            thrown = self._thrown(rows)
            results = [failed(thrown[i]) if i in thrown else self._one(work, i, row) for i, row in enumerate(rows)]
            if all_or_none and not all(result["success"] for result in results):
                self._roll_back(written)
                return [failed(ROLLED_BACK) if result["success"] else result for result in results]
            if any(_unknown_field(result) for result in results) and self.org.unknown_field_refuses_call:
                self._roll_back(written)
                first = next(result["errors"][0] for result in results if _unknown_field(result))
                raise CallError(400, "INVALID_FIELD", first["message"])
            return results

    def _thrown(self, rows: Sequence[Any]) -> dict[int, RowError]:
        """What the org's own triggers refuse, by number: all rows of their object that are saved together."""
        thrown: dict[int, RowError] = {}
        if not self.org.triggers:
            return thrown
        for start in range(0, len(rows), SAVED_TOGETHER):
            together = dict(enumerate(rows[start : start + SAVED_TOGETHER], start))
            for trigger in self.org.triggers:
                mine = (i for i, row in together.items() if _attributes_of(row).get("type") == trigger.type)
                keys = {i: _whose(together[i]) for i in mine}
                if trigger.throws(list(keys.values())):
                    thrown |= dict.fromkeys(keys, trigger.thrown())
        return thrown

    def _roll_back(self, written: int) -> None:
        self.org.store.roll_back()
        while len(self.org.writes) > written:
            self.org.writes.pop()

    def _one(self, work: Callable[[int, Any], Result], number: int, row: Any) -> Result:
        try:
            return work(number, row)
        except RowError as error:
            return failed(error)


def _unknown_field(result: Result) -> bool:
    return any(error["statusCode"] == "INVALID_FIELD" for error in result["errors"])


def _attributes(row: Any, only: str | None = None) -> str:
    """The type of a row. A row without one is refused alone (recorded: Nango, JSON_PARSER_ERROR)."""
    kind = _attributes_of(row).get("type")
    if not isinstance(kind, str):
        raise RowError("JSON_PARSER_ERROR", NO_ATTRIBUTES)
    if only and kind.lower() != only.lower():
        raise RowError("INVALID_TYPE", f"all records of an upsert must be of type {only}, not {kind}")
    return kind


def _attributes_of(row: Any) -> dict[str, Any]:
    attributes = row.get("attributes") if isinstance(row, dict) else None
    return attributes if isinstance(attributes, dict) else {}


def _whose(row: Any) -> str:
    """The id of a row, or of whom a new one is about."""
    return str(_pick(row, "Id") or _pick(row, "WhoId") or "")


def _pick(row: Any, name: str) -> Any:
    """A value whatever the case of its name."""
    if not isinstance(row, dict):
        return None
    return next((value for key, value in row.items() if key.lower() == name.lower()), None)


def _fields(row: dict[str, Any]) -> dict[str, Any]:
    return {name: value for name, value in row.items() if name != "attributes" and name.lower() != "id"}
