"""The sandbox's own pages, beside the API: what it is, what it holds, what it was asked, faults on demand."""

from dataclasses import asdict

from flask import Blueprint, Response, request

from syncd.sandbox.context import org, reply
from syncd.sandbox.faults import Fault

views = Blueprint("control", __name__)

WELCOME = """\
This is syncd's sandbox: a local stand-in for a Salesforce org. Nothing here leaves this machine, nothing is kept.

  {url}/sandbox/state    all records, as JSON
  {url}/sandbox/calls    the API calls so far
  {url}/sandbox/session  POST gives a session id without the trouble of a JWT
  {url}/sandbox/certificate  POST takes the certificate to log in with, as the app's settings do
  {url}/sandbox/faults   POST makes the next call fail, DELETE ends it

With ca.pem from the sandbox's directory:

  curl --cacert ca.pem {url}/services/data/
  SESSION=$(curl -s --cacert ca.pem -X POST {url}/sandbox/session)
  curl --cacert ca.pem -H "Authorization: Bearer $SESSION" -G {url}/services/data/v66.0/query \\
    --data-urlencode "q=SELECT Id, Name, Email, EmailBouncedDate FROM Contact LIMIT 5"
  curl --cacert ca.pem -X POST {url}/sandbox/faults -H "Content-Type: application/json" \\
    -d '{{"path": "composite/sobjects", "method": "PATCH", "when": "after", "status": 503, "times": 1}}'
"""


@views.get("/")
def welcome() -> Response:
    return Response(WELCOME.format(url=request.host_url.rstrip("/")), content_type="text/plain; charset=utf-8")


@views.get("/sandbox/state")
def state() -> Response:
    return reply(org().snapshot())


@views.get("/sandbox/calls")
def calls() -> Response:
    return reply([asdict(call) for call in org().calls])


@views.post("/sandbox/session")
def session() -> Response:
    session_id = org().logins.new_session(org().organization_id)
    return Response(session_id, content_type="text/plain; charset=utf-8")


@views.post("/sandbox/certificate")
def certificate() -> Response:
    try:
        org().logins.upload(request.get_data())
    except ValueError as error:
        return reply({"error": str(error)}, 400)
    return reply(None, 204)


@views.post("/sandbox/faults")
def add_fault() -> Response:
    try:
        fault = org().faults.add(Fault.from_json(request.get_json(force=True)))
    except ValueError as error:
        return reply({"error": str(error)}, 400)
    return reply({"path": fault.path, "method": fault.method, "times": fault.times}, 201)


@views.delete("/sandbox/faults")
def clear_faults() -> Response:
    org().faults.clear()
    return reply(None, 204)
