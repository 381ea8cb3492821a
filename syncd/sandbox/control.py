"""The sandbox's own pages, beside the API: what it is, what it holds, what it was asked, faults on demand."""

import json
import re
from collections.abc import Callable
from dataclasses import asdict
from typing import Any

from flask import Blueprint, Response, request

from syncd.sandbox import catalogue
from syncd.sandbox.context import org, reply
from syncd.sandbox.errors import RowError
from syncd.sandbox.faults import Fault

views = Blueprint("control", __name__)

WELCOME = """\
This is syncd's sandbox: a local stand-in for a Salesforce org. Nothing here leaves this machine, nothing is kept.

  {url}/sandbox/state    all records, as JSON
  {url}/sandbox/calls    the API calls so far
  {url}/sandbox/session  POST gives a session id without the trouble of a JWT
  {url}/sandbox/certificate  POST takes the certificate to log in with, as the app's settings do
  {url}/sandbox/faults   what can go wrong, and what does; POST makes it, DELETE ends it

What people do in Salesforce, by POST with JSON:

  {url}/sandbox/add       {{"type": "Contact", "LastName": "Durand", "Email": "lea@example.com"}}
  {url}/sandbox/edit      {{"id": "003…", "Email": "new@example.com"}}
  {url}/sandbox/merge     {{"master": "003…", "losers": ["003…"]}}
  {url}/sandbox/convert   {{"lead": "00Q…"}}
  {url}/sandbox/delete    {{"id": "003…"}}; undelete and purge (out of the recycle bin) likewise

What administrators do, and what befalls an org:

  {url}/sandbox/assign    {{"type": "Lead", "owner": "005…"}}: an assignment rule; null ends it
  {url}/sandbox/rule      {{"type": "Contact", "field": "EmailBouncedReason", "pattern": "550", "message": "No."}}
  {url}/sandbox/lock      {{"id": "003…"}}, {{"id": "003…", "code": "ENTITY_IS_LOCKED"}}; unlock likewise
  {url}/sandbox/archive   {{}}: old closed Tasks, as every night
  {url}/sandbox/settings  {{"daily_limit": 100}}; GET shows all

With ca.pem from the sandbox's directory:

  curl --cacert ca.pem {url}/services/data/
  SESSION=$(curl -s --cacert ca.pem -X POST {url}/sandbox/session)
  curl --cacert ca.pem -H "Authorization: Bearer $SESSION" -G {url}/services/data/v66.0/query \\
    --data-urlencode "q=SELECT Id, Name, Email, EmailBouncedDate FROM Contact LIMIT 5"
  curl --cacert ca.pem {url}/sandbox/faults --data "lock-row@10%"
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


@views.get("/sandbox/faults")
def faults() -> Response:
    met = [{"path": one.path, "seen": one.seen, "fired": one.fired} for one in org().faults]
    return reply({"kinds": {name: kind.words for name, kind in catalogue.KINDS.items()}, "inForce": met})


@views.post("/sandbox/faults")
def add_fault() -> Response:
    """By name, as `syncd sandbox --fault` takes it, or in full as a JSON object."""
    text = request.get_data(as_text=True).strip()
    try:
        named = not text.startswith(("{", "["))
        fault = org().faults.add(catalogue.parse(text) if named else Fault.from_json(json.loads(text)))
    except ValueError as error:
        return reply({"error": str(error)}, 400)
    return reply({"path": fault.path, "method": fault.method, "times": fault.times}, 201)


@views.delete("/sandbox/faults")
def clear_faults() -> Response:
    org().faults.clear()
    return reply(None, 204)


def _given() -> dict[str, Any]:
    given = request.get_json(force=True, silent=True)
    if not isinstance(given, dict):
        raise ValueError("send a JSON object")  # noqa: TRY004 - one kind of error for the caller
    return given


def _add(given: dict[str, Any]) -> Any:
    kind = org().sobject(str(given.pop("type", "")))
    if kind is None:
        raise ValueError(f"type is one of {', '.join(org().objects)}")
    return {"id": org().add(kind.name, **given)}


def _edit(given: dict[str, Any]) -> None:
    org().edit(given.pop("id"), **given)


def _convert(given: dict[str, Any]) -> Any:
    account, contact = org().convert(given.pop("lead"), **given)
    return {"accountId": account, "contactId": contact}


DEEDS: dict[str, Callable[[dict[str, Any]], Any]] = {
    "add": _add,
    "edit": _edit,
    "merge": lambda given: org().merge(given.pop("master"), given.pop("losers"), **given),
    "convert": _convert,
    "delete": lambda given: org().delete(given["id"]),
    "undelete": lambda given: org().undelete(given["id"]),
    "purge": lambda given: org().purge(given["id"]),
    "assign": lambda given: org().assignment_rule(given["type"], given["owner"]),
    "rule": lambda given: org().validation_rule(given["type"], given["field"], given["pattern"], given["message"]),
    "duplicates": lambda given: org().duplicate_rule(given.pop("type"), **given),
    "trigger": lambda given: org().trigger(given.pop("type"), **given),
    "lock": lambda given: org().lock_row(given.pop("id"), **given),
    "unlock": lambda given: org().unlock_row(given["id"]),
    "archive": lambda _: org().archive(),
}


@views.post(f"/sandbox/<any({', '.join(DEEDS)}):deed>")
def done_by_a_person(deed: str) -> Response:
    """204, or 200 with the ids that were made; 400 says what Salesforce would not do."""
    try:
        made = DEEDS[deed](_given())
    except KeyError as error:
        return reply({"error": f"there is no {error.args[0]}"}, 400)
    except (ValueError, TypeError, RowError, re.error) as error:
        return reply({"error": str(error)}, 400)
    return reply(made, 200 if made else 204)


SETTINGS: dict[str, type | tuple[type, ...]] = {
    "daily_limit": int,
    "api_usage": int,
    "usage_wobbles": bool,
    "page_size": int,
    "storage_full": bool,
    "unknown_field_refuses_call": bool,
}
JOB_SETTINGS: dict[str, type | tuple[type, ...]] = {
    "takes": (int, float),
    "batch": int,
    "no_content_for_nothing": bool,
}


@views.get("/sandbox/settings")
def settings() -> Response:
    ours, jobs = vars(org()), vars(org().jobs)
    said = {name: ours[name] for name in SETTINGS} | {f"bulk_{name}": jobs[name] for name in JOB_SETTINGS}
    return reply(said)


@views.post("/sandbox/settings")
def set_settings() -> Response:
    known = SETTINGS | {f"bulk_{name}": types for name, types in JOB_SETTINGS.items()}
    try:
        given = _given()
        for name, value in given.items():
            if name not in known:
                raise ValueError(f"unknown setting {name}; known are {', '.join(known)}")  # noqa: TRY301
            if not isinstance(value, known[name]) or (isinstance(value, bool) and known[name] is not bool):
                raise ValueError(f"{name} can't be {value!r}")  # noqa: TRY301 - one answer for all of them
    except ValueError as error:
        return reply({"error": str(error)}, 400)
    for name, value in given.items():
        owner = org().jobs if name.startswith("bulk_") else org()
        setattr(owner, name.removeprefix("bulk_"), value)
    return settings()
