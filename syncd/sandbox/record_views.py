"""Objects described, and single records by id or external id: what a person plays with in curl."""

from typing import TYPE_CHECKING

from flask import Blueprint, Response, g, request

from syncd.sandbox import describe
from syncd.sandbox.context import columns, count_rows, org, record, reply, shown, sobject, writer
from syncd.sandbox.errors import CallError, RowError, not_found
from syncd.sandbox.ids import canonical
from syncd.sandbox.values import coerce

if TYPE_CHECKING:
    from syncd.sandbox.schema import Field, SObject

views = Blueprint("records", __name__)

CREATED_SINCE = 46.0
"""From this version an update by external id answers 200 with `created: false`; before, 204 (recorded: Nango)."""


def no_such_key(name: str) -> CallError:
    return CallError(404, "NOT_FOUND", f"Provided external ID field does not exist or is not accessible: {name}")


def external_key(one: "SObject", name: str) -> "Field":
    """A field records can be addressed by: an external id, or one that is `idLookup` (recorded: Contact.Email)."""
    field = one.field(name)
    if field is None or not (field.external_id or field.id_lookup):
        raise no_such_key(name)
    return field


@views.get("/sobjects")
def all_objects() -> Response:
    entries = [describe.short(one, g.version) for one in org().objects.values()]
    return reply({"encoding": "UTF-8", "maxBatchSize": 200, "sobjects": entries})


@views.get("/sobjects/<kind>")
def one_object(kind: str) -> Response:
    return reply({"objectDescribe": describe.short(sobject(kind), g.version), "recentItems": []})


@views.get("/sobjects/<kind>/describe")
def described(kind: str) -> Response:
    return reply(describe.sobject(sobject(kind), g.version))


@views.post("/sobjects/<kind>")
def create(kind: str) -> Response:
    one = writable(kind)
    count_rows(1)
    result = writer().create_one(0, one, record())
    return reply(result, 201, {"Location": f"/services/data/{g.version}/sobjects/{one.name}/{result['id']}"})


@views.get("/sobjects/<kind>/<record_id>")
def read(kind: str, record_id: str) -> Response:
    one = sobject(kind)
    count_rows(1)
    found = canonical(record_id)
    if found is None or not found.startswith(one.prefix):
        raise no_such_key("Id")
    return _shown(one, found)


@views.patch("/sobjects/<kind>/<record_id>")
def update(kind: str, record_id: str) -> Response:
    one = writable(kind)
    count_rows(1)
    exists(one, record_id)
    writer().update_one(0, one, record_id, record())
    return reply(None, 204)


@views.delete("/sobjects/<kind>/<record_id>")
def delete(kind: str, record_id: str) -> Response:
    one = writable(kind)
    count_rows(1)
    exists(one, record_id)
    writer().delete_one(0, one, record_id)
    return reply(None, 204)


@views.get("/sobjects/<kind>/<key>/<path:value>")
def read_by_key(kind: str, key: str, value: str) -> Response:
    one = sobject(kind)
    count_rows(1)
    field = external_key(one, key)
    matches = [canonical(value) or ""] if field.type == "id" else writer().matches(one, field, coerce(field, value))
    if len(matches) > 1:
        return several(one, matches)
    if not matches:
        raise not_found()
    return _shown(one, matches[0])


@views.patch("/sobjects/<kind>/<key>/<path:value>")
def upsert(kind: str, key: str, value: str) -> Response:
    one = writable(kind)
    count_rows(1)
    field = external_key(one, key)
    if field.type == "id":
        exists(one, value)
    elif len(matches := writer().matches(one, field, coerce(field, value))) > 1:
        return several(one, matches)
    result = writer().upsert_one(0, one, field, value, record())
    if result["created"]:
        return reply(result, 201)
    return reply(result) if float(g.version[1:]) >= CREATED_SINCE else reply(None, 204)


def writable(kind: str) -> "SObject":
    one = sobject(kind)
    if not one.writable:
        raise CallError(405, "METHOD_NOT_ALLOWED", f"HTTP Method '{request.method}' not allowed. Allowed are GET")
    return one


def exists(one: "SObject", record_id: str) -> None:
    """One record addressed by id that isn't there is a resource that isn't there."""
    found = canonical(record_id)
    row = org().store.tables[one.name].rows.get(found or "")
    if row is None:
        raise no_such_key("Id") if found else not_found()
    if row["IsDeleted"]:
        raise CallError.of_row(RowError("ENTITY_IS_DELETED", "entity is deleted"))


def several(one: "SObject", matches: list[str]) -> Response:
    """REST guide, status 300: an external id that more than one record holds; the body lists their URLs."""
    return reply([f"/services/data/{g.version}/sobjects/{one.name}/{found}" for found in matches], 300)


def _shown(one: "SObject", record_id: str) -> Response:
    row = org().store.tables[one.name].rows.get(record_id)
    if row is None or row.get("IsDeleted"):
        raise not_found()
    asked = request.args.get("fields")
    wanted = columns(one, asked.split(",")) if asked else [column.name for column in one.visible()]
    return reply(shown(one, row, wanted))
