"""What a view needs to know of the request it answers."""

import gzip
import json
import zlib
from collections.abc import Mapping
from typing import TYPE_CHECKING, Any, cast

from flask import Response, g, request

from syncd.sandbox.edge import CALL, FAULT, JSON_TYPE, ORG
from syncd.sandbox.errors import CallError, RowError, not_found
from syncd.sandbox.rules import Actor
from syncd.sandbox.writes import Writer

if TYPE_CHECKING:
    from collections.abc import Iterable

    from syncd.sandbox.faults import Fault
    from syncd.sandbox.org import Org
    from syncd.sandbox.schema import Row, SObject


def org() -> "Org":
    return cast("Org", request.environ[ORG])


def reply(data: Any, status: int = 200, headers: Mapping[str, str] | None = None) -> Response:
    body = "" if data is None else json.dumps(data, ensure_ascii=False, separators=(",", ":"))
    return Response(body, status, headers, content_type=JSON_TYPE)


def raw_body() -> bytes:
    """What was sent, gzipped or not (REST guide, "Using Compression"; Bulk API 2.0 guide, "Compressing Requests")."""
    data = request.get_data()
    if request.headers.get("Content-Encoding", "").lower() != "gzip":
        return data
    try:
        return gzip.decompress(data)
    except (OSError, EOFError, zlib.error) as error:
        raise _unreadable(error) from None


def body() -> dict[str, Any]:
    """The JSON object that was sent."""
    try:
        parsed = json.loads(raw_body())
    except ValueError as error:
        raise _unreadable(error) from None
    if not isinstance(parsed, dict):
        raise CallError(400, "JSON_PARSER_ERROR", "The HTTP entity body must be a JSON object")
    return parsed


def _unreadable(error: Exception) -> CallError:
    return CallError(400, "JSON_PARSER_ERROR", f"The HTTP entity body can't be read: {error}")


def record() -> dict[str, Any]:
    """The fields of the one record that was sent."""
    return {name: value for name, value in body().items() if name != "attributes"}


def count_rows(number: int) -> None:
    request.environ[CALL].rows = number


def sobject(name: str) -> "SObject":
    """The object named in a URL, in whatever case; 404 if there is none."""
    found = org().sobject(name)
    if found is None:
        raise not_found()
    return found


def writer() -> Writer:
    """Writes as the integration user, with assignment rules unless the header says no."""
    auto_assign = request.headers.get("Sforce-Auto-Assign", "TRUE").strip().upper() != "FALSE"
    allow_save = "allowsave=true" in request.headers.get("Sforce-Duplicate-Rule-Header", "").lower().replace(" ", "")
    fault: Fault | None = request.environ[FAULT]

    def refuse(number: int, key: str) -> RowError | None:
        return fault.refuse(number, key) if fault else None

    return Writer(org(), Actor(org().integration_user, auto_assign=auto_assign, allow_save=allow_save), refuse)


def shown(kind: "SObject", row: "Row", columns: "Iterable[str]") -> dict[str, Any]:
    """A record as it is read (recorded: every query)."""
    url = f"/services/data/{g.version}/sobjects/{kind.name}/{row['Id']}"
    return {"attributes": {"type": kind.name, "url": url}, **{name: row[name] for name in columns}}


def columns(kind: "SObject", names: "Iterable[object]") -> list[str]:
    """Fields by their right names; one that doesn't exist, or isn't to be seen, refuses the call."""
    found = []
    for name in names:
        column = kind.field(name) if isinstance(name, str) else None
        if column is None:
            raise CallError(400, "INVALID_FIELD", f"No such column '{name}' on sobject of type {kind.name}")
        if column.name not in found:
            found.append(column.name)
    return found
