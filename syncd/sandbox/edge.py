"""Between the network and the org: every call noted, faults made to happen, one call at a time let in."""

import json
from collections.abc import Iterable
from typing import TYPE_CHECKING

from werkzeug.wrappers import Response

from syncd.sandbox.errors import CallError
from syncd.sandbox.org import Call

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
        response = self._answer(environ, self.org.faults.meet(method, path))
        call.status = response.status_code
        return response(environ, start_response)

    def _answer(self, environ: "WSGIEnvironment", fault: "Fault | None") -> Response:
        # REST guide, "Status Codes and Error Responses": 414 over 16,384 bytes
        if len(environ.get("REQUEST_URI", "")) > LONGEST_URI:
            return Response("URI Too Long", 414, content_type="text/plain")
        environ[FAULT] = fault
        if fault is None or fault.row_code or fault.job_error:
            if fault:
                fault.wait()
            return self._inside(environ)
        if fault.when == "after":
            response = self._inside(environ)
            fault.wait()
            return _faulty(fault) if fault.answers else response
        fault.wait()
        if fault.answers:
            return _faulty(fault)
        if fault.when == "late":
            return self._inside(environ)
        return error_response(CallError(503, fault.code, fault.message))

    def _inside(self, environ: "WSGIEnvironment") -> Response:
        with self.org.lock:
            self.org.catch_up()
            return Response.from_app(self.app, environ, buffered=True)


def _faulty(fault: "Fault") -> Response:
    if fault.reset:
        raise HungUpError
    if fault.body is not None:
        return Response(fault.body, fault.status or 503, content_type=fault.content_type)
    return error_response(CallError(fault.status or 503, fault.code, fault.message))


def _writes(method: str, path: str) -> bool:
    """Whether a call may change records. Reading a collection is a POST, too."""
    if method in ("PATCH", "PUT", "DELETE"):
        return True
    rest = path.rstrip("/").partition("/services/data/")[2].split("/")[1:]
    return method == "POST" and (rest == ["composite", "sobjects"] or (len(rest) == 2 and rest[0] == "sobjects"))
