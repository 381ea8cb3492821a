"""sObject Collections: up to 200 records written, up to 2,000 read, in one call.

REST guide, "sObject Collections": a result for each row, in order; HTTP 200 even if every row is refused.
"""

from itertools import groupby
from typing import Any

from flask import Blueprint, Response, request

from syncd.sandbox.context import body, columns, count_rows, org, reply, shown, sobject, writer
from syncd.sandbox.errors import CallError
from syncd.sandbox.ids import canonical
from syncd.sandbox.record_views import external_key

MOST_WRITTEN = 200
MOST_READ = 2_000
MOST_CHUNKS = 10

views = Blueprint("collections", __name__)


def written() -> tuple[list[Any], bool]:
    """The records sent, and whether all or none of them shall be kept."""
    sent = body()
    records = sent.get("records")
    if not isinstance(records, list) or not records:
        raise CallError(400, "REQUIRED_FIELD_MISSING", "At least 1 record is required", ["records"])
    limited(records, MOST_WRITTEN)
    return records, sent.get("allOrNone") is True


def limited(rows: list[Any], most: int) -> None:
    count_rows(len(rows))
    if len(rows) > most:
        raise CallError(
            400, "EXCEEDED_ID_LIMIT", f"record limit reached. cannot submit more than {most} records into this call"
        )


def chunked(records: list[Any]) -> None:
    """Records are saved in chunks of consecutive types, ten at most."""
    chunks = sum(1 for _ in groupby(_kind(record) for record in records))
    if chunks > MOST_CHUNKS:
        raise CallError(
            400,
            "LIMIT_EXCEEDED",
            f"Cannot have more than {MOST_CHUNKS} chunks in a single operation. Please rearrange the data to reduce "
            "chunking.",
        )


def _kind(record: Any) -> str:
    attributes = record.get("attributes") if isinstance(record, dict) else None
    return str(attributes.get("type")).lower() if isinstance(attributes, dict) else ""


@views.post("/composite/sobjects")
def create() -> Response:
    records, all_or_none = written()
    chunked(records)
    return reply(writer().create(records, all_or_none=all_or_none))


@views.patch("/composite/sobjects")
def update() -> Response:
    records, all_or_none = written()
    chunked(records)
    return reply(writer().update(records, all_or_none=all_or_none))


@views.patch("/composite/sobjects/<kind>/<key>")
def upsert(kind: str, key: str) -> Response:
    one = sobject(kind)
    field = external_key(one, key)
    records, all_or_none = written()
    return reply(writer().upsert(one, field, records, all_or_none=all_or_none))


@views.delete("/composite/sobjects")
def delete() -> Response:
    record_ids = [part for part in request.args.get("ids", "").split(",") if part]
    if not record_ids:
        raise CallError(400, "REQUIRED_FIELD_MISSING", "At least 1 record is required", ["ids"])
    limited(record_ids, MOST_WRITTEN)
    all_or_none = request.args.get("allOrNone", "").lower() == "true"
    return reply(writer().delete(record_ids, all_or_none=all_or_none))


@views.post("/composite/sobjects/<kind>")
def retrieve(kind: str) -> Response:
    """In the order of the ids, with null for what is missing, deleted, of another type or no id at all."""
    one, sent = sobject(kind), body()
    record_ids, names = sent.get("ids"), sent.get("fields")
    for given, what in ((record_ids, "ids"), (names, "fields")):
        if not isinstance(given, list) or not given:
            raise CallError(400, "REQUIRED_FIELD_MISSING", f"{what} must be a non-empty array", [what])
    return _retrieved(one.name, list(record_ids or ()), list(names or ()))


@views.get("/composite/sobjects/<kind>")
def retrieve_few(kind: str) -> Response:
    record_ids = request.args.get("ids", "").split(",")
    return _retrieved(sobject(kind).name, record_ids, request.args.get("fields", "Id").split(","))


def _retrieved(kind: str, record_ids: list[Any], names: list[Any]) -> Response:
    limited(record_ids, MOST_READ)
    one = sobject(kind)
    wanted = columns(one, names)
    rows = org().store.tables[one.name].rows
    # most ids are sent as they are stored, and a checksum less is a quarter of the time
    found = (rows.get(str(record_id)) or rows.get(canonical(record_id) or "") for record_id in record_ids)
    return reply([shown(one, row, wanted) if row and not row.get("IsDeleted") else None for row in found])
