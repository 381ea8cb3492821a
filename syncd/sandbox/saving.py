"""One record saved: the values checked and stored, the rules run, the system fields set."""

from collections.abc import Mapping
from typing import TYPE_CHECKING

from syncd.sandbox import rules
from syncd.sandbox.errors import RowError
from syncd.sandbox.rules import Actor, Save
from syncd.sandbox.values import coerce

if TYPE_CHECKING:
    from syncd.sandbox.org import Org
    from syncd.sandbox.schema import Field, Row, Scalar, SObject


def save(org: "Org", sobject: "SObject", before: "Row | None", values: Mapping[str, object], actor: Actor) -> str:
    """Create (`before` is None) or update a record; its id. RowError leaves everything as it was."""
    given = _accepted(org, sobject, before, values, actor)
    now = org.now()
    after = (_blank(sobject, actor) if before is None else before) | given
    _complete(sobject, after, given, creating=before is None)
    _unique(org, sobject, before, given)
    step = Save(org, sobject.name, actor, before, after, frozenset(given), now)
    for rule in (*rules.ALWAYS, *rules.BEFORE_SAVE.get(sobject.name, ()), rules.validation, rules.duplicates):
        rule(step)
    if before is None:
        after["Id"] = org.new_id(sobject.prefix)
    _stamp(sobject, step)
    # a field given outright by a set-up (CompletedDateTime, IsClosed, …) stands, whatever the rules made of it
    if not actor.api:
        after |= {name: value for name, value in given.items() if not sobject.fields[name].updateable}
    record_id = str(after["Id"])
    org.store.put(sobject.name, record_id, after)
    rules.after_save(org, sobject.name, before, after)
    if actor.api:
        org.wrote(sobject.name, record_id, created=before is None)
    return record_id


def _blank(sobject: "SObject", actor: Actor) -> "Row":
    row = {name: column.default for name, column in sobject.fields.items()}
    if "OwnerId" in row:
        row["OwnerId"] = actor.user_id
    return row


def _accepted(
    org: "Org", sobject: "SObject", before: "Row | None", values: Mapping[str, object], actor: Actor
) -> "Row":
    """The values by their fields' right names, as they will be stored."""
    columns: list[tuple[Field, object]] = []
    for name, value in values.items():
        column = sobject.field(name) if actor.api else sobject.fields.get(name)
        if column is None:
            raise RowError("INVALID_FIELD", f"No such column '{name}' on sobject of type {sobject.name}")
        columns.append((column, value))
    if actor.api:
        _writable([column for column, _ in columns], creating=before is None)
    given = {column.name: coerce(column, value) for column, value in columns}
    for column, _ in columns:
        if column.type == "reference" and given[column.name] is not None and actor.api:
            _refers(org, column, str(given[column.name]))
    return given


def _writable(columns: "list[Field]", *, creating: bool) -> None:
    shut = tuple(column.name for column in columns if not (column.createable if creating else column.updateable))
    if shut:
        raise RowError(
            "INVALID_FIELD_FOR_INSERT_UPDATE",
            f"Unable to create/update fields: {', '.join(shut)}. Please check the security settings of this field and "
            "verify that it is read/write for your profile or permission set.",
            shut,
        )


def _refers(org: "Org", column: "Field", record_id: str) -> None:
    """A reference must be to the right object and to a record that is there.

    Objects this org doesn't have (Campaign, Group, …) have no records either."""
    kind = org.type_of(record_id)
    might_be_unknown = any(name not in org.objects for name in column.refers_to)
    if kind not in column.refers_to and (kind or not might_be_unknown):
        raise RowError("MALFORMED_ID", f"{column.label}: id value of incorrect type: {record_id}", (column.name,))
    row = org.row(record_id)
    if row is None:
        raise RowError("INVALID_CROSS_REFERENCE_KEY", "invalid cross reference id", (column.name,))
    if row.get("IsDeleted"):
        raise RowError("ENTITY_IS_DELETED", "entity is deleted", (column.name,))


def _complete(sobject: "SObject", after: "Row", given: "Row", *, creating: bool) -> None:
    """A null for a field that is always filled falls back to its default at creation and is refused later."""
    missing = []
    for name in sobject.fields if creating else given:
        column = sobject.fields[name]
        if column.nillable or after[name] is not None or not column.createable:
            continue
        if creating and column.default not in (None, ""):
            after[name] = column.default
        else:
            missing.append(name)
    if missing:
        raise RowError("REQUIRED_FIELD_MISSING", f"Required fields are missing: [{', '.join(missing)}]", tuple(missing))


def _unique(org: "Org", sobject: "SObject", before: "Row | None", given: "Row") -> None:
    own = before["Id"] if before else None
    table = org.store.tables[sobject.name]
    for name, value in given.items():
        if not sobject.fields[name].unique or value is None:
            continue
        for other in table.find(name, value):
            if other != own and not table.rows[other].get("IsDeleted"):
                raise RowError(
                    "DUPLICATE_VALUE",
                    f"duplicate value found: {name} duplicates value on record with id: {other}",
                )


def _stamp(sobject: "SObject", step: Save) -> None:
    if "CreatedDate" not in sobject.fields:
        return
    who: Scalar = step.actor.user_id
    stamps: Row = {"LastModifiedDate": step.now, "SystemModstamp": step.now, "LastModifiedById": who}
    if step.before is None:
        stamps |= {"CreatedDate": step.now, "CreatedById": who}
    step.after |= stamps
