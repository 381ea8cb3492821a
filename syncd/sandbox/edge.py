"""Between the network and the org: every call noted, faults made to happen, one call at a time let in."""

import json
from collections.abc import Callable, Iterable
from typing import TYPE_CHECKING

from werkzeug.wrappers import Response

from syncd.sandbox.errors import CallError
from syncd.sandbox.traffic import Call

if TYPE_CHECKING:
    from _typeshed.wsgi import StartResponse, WSGIApplication, WSGIEnvironment

    from syncd.sandbox.faults import Fault
    from syncd.sandbox.org import Org

ORG = "syncd.sandbox.org"
CALL = "syncd.sandbox.call"
FAULT = "syncd.sandbox.fault"
LONGEST_URI = 16_384
JSON_TYPE = "application/json;charset=UTF-8"


class HungUpError(Exception):
    """Cut the connection instead of answering."""


def error_response(error: CallError) -> Response:
    return Response(json.dumps(error.body()), error.status, content_type=JSON_TYPE)


class Edge:
    def __init__(self, org: "Org", app: "WSGIApplication") -> None:
        self.org, self.app = org, app

    def __call__(self, environ: "WSGIEnvironment", start_response: "StartResponse") -> Iterable[bytes]:
        environ[ORG] = self.org
        path = environ["PATH_INFO"]
        if not path.startswith("/services/"):
            return self._inside(environ)(environ, start_response)
        method = environ["REQUEST_METHOD"]
        call = environ[CALL] = self.org.note(Call(method, path, writing=_writes(method, path)))
        with self.org.under_way():
            response = self._answer(environ, self.org.faults.meet(method, path))
        call.status = response.status_code
        return response(environ, start_response)

    def _answer(self, environ: "WSGIEnvironment", fault: "Fault | None") -> Response:
        # REST guide, "Status Codes and Error Responses": 414 over 16,384 bytes
        if len(environ.get("REQUEST_URI", "")) > LONGEST_URI:
            return Response("URI Too Long", 414, content_type="text/plain")
        environ[FAULT] = fault
        if fault is None:
            return self._inside(environ)
        if fault.is_inside:
            fault.wait()
            return self._inside(environ)
        if fault.when == "after":
            return self._after(environ, fault)
        fault.wait()
        if fault.expire:
            self.org.expire_sessions()
        if fault.answers:
            return _faulty(fault)
        if fault.when == "late" or fault.expire:
            return self._inside(environ)
        return error_response(CallError(503, fault.code, fault.message))

    def _after(self, environ: "WSGIEnvironment", fault: "Fault") -> Response:
        response = self._inside(environ)
        fault.wait()
        if fault.expire:
            self.org.expire_sessions()
        if fault.answers:
            return _faulty(fault)
        if fault.mangle:
            response.set_data(MANGLE[fault.mangle](response.get_data()))
        return response

    def _inside(self, environ: "WSGIEnvironment") -> Response:
        with self.org.lock:
            self.org.catch_up()
            return Response.from_app(self.app, environ, buffered=True)


def _faulty(fault: "Fault") -> Response:
    if fault.reset:
        raise HungUpError
    if fault.body is not None:
        to = {"Location": fault.location} if fault.location else {}
        response = Response(fault.body, fault.status or 503, to, content_type=fault.content_type)
    else:
        response = error_response(CallError(fault.status or 503, fault.code, fault.message))
    if fault.retry_after is not None:
        response.headers["Retry-After"] = str(fault.retry_after)
    return response


def _fewer(data: bytes) -> bytes:
    """A list without its last element, a query's page without its last record; anything else as it was."""
    try:
        said = json.loads(data)
    except ValueError:
        return data
    rows = said.get("records") if isinstance(said, dict) else said
    if isinstance(rows, list) and rows:
        rows.pop()
    return json.dumps(said).encode()


def _other_type(data: bytes) -> bytes:
    return b"{}" if data.startswith(b"[") else b"[]"


MANGLE: dict[str, Callable[[bytes], bytes]] = {
    "half": lambda data: data[: len(data) // 2],
    "fewer": _fewer,
    "type": _other_type,
}


def _writes(method: str, path: str) -> bool:
    """Whether a call may change records. Reading a collection is a POST, too."""
    if method in ("PATCH", "PUT", "DELETE"):
        return True
    rest = path.rstrip("/").partition("/services/data/")[2].split("/")[1:]
    return method == "POST" and (rest == ["composite", "sobjects"] or (len(rest) == 2 and rest[0] == "sobjects"))
