"""Queries by URL, page by page."""

import re
from typing import TYPE_CHECKING, Any

from flask import Blueprint, Response, g, request

from syncd.sandbox import query
from syncd.sandbox.context import count_rows, org, reply, shown, sobject
from syncd.sandbox.errors import CallError

if TYPE_CHECKING:
    from syncd.sandbox.cursors import Cursor

BATCH_SIZE = re.compile(r"batchSize\s*=\s*(\d+)", re.IGNORECASE)

views = Blueprint("queries", __name__)


@views.get("/query")
def live() -> Response:
    return _first_page(hidden_too=False)


@views.get("/queryAll")
def everything() -> Response:
    """Deleted and archived rows, too."""
    return _first_page(hidden_too=True)


@views.get("/query/<locator>")
@views.get("/queryAll/<locator>")
def following(locator: str) -> Response:
    name, cursor, offset = org().cursors.find(locator)
    return _page(cursor, offset, name)


def _first_page(*, hidden_too: bool) -> Response:
    text = request.args.get("q", "")
    if not text.strip():
        raise CallError(400, "MALFORMED_QUERY", "unexpected token: '<EOF>'")
    cursor, counting = query.run(org(), text, hidden_too=hidden_too, page_size=_page_size())
    if counting:
        count_rows(0)
        return reply({"totalSize": len(cursor.ids), "done": True, "records": []})
    return _page(cursor, 0, org().cursors.keep(cursor) if len(cursor.ids) > cursor.page_size else "")


def _page_size() -> int:
    """REST guide, "Query Options Header": between 200 and 2,000 rows a page; Salesforce may give fewer."""
    asked = BATCH_SIZE.search(request.headers.get("Sforce-Query-Options", ""))
    return min(org().page_size, max(int(asked[1]), 200) if asked else org().page_size)


def _page(cursor: "Cursor", offset: int, name: str) -> Response:
    end = offset + cursor.page_size
    kind, rows = sobject(cursor.kind), org().store.tables[cursor.kind].rows
    records = [shown(kind, rows[found], cursor.columns) for found in cursor.ids[offset:end] if found in rows]
    count_rows(len(records))
    answer: dict[str, Any] = {"totalSize": len(cursor.ids), "done": end >= len(cursor.ids)}
    if not answer["done"]:
        answer["nextRecordsUrl"] = f"/services/data/{g.version}/query/{name}-{end}"
    return reply(answer | {"records": records})
