"""Bulk API 2.0 ingest by URL: jobs created, filled, closed, watched, and their results read."""

from typing import TYPE_CHECKING, Any

from flask import Blueprint, Response, g, request

from syncd.sandbox.bulk import DELIMITERS, LINE_ENDINGS, OPERATIONS, OVER, Job, as_csv, lines
from syncd.sandbox.context import body, count_rows, org, raw_body, reply
from syncd.sandbox.edge import FAULT
from syncd.sandbox.errors import CallError, not_found
from syncd.sandbox.values import render

if TYPE_CHECKING:
    from syncd.sandbox.schema import Field, SObject

MOST_BYTES = 150_000_000
CSV_TYPE = "text/csv"

views = Blueprint("bulk", __name__)


@views.post("/jobs/ingest")
def create() -> Response:
    sent = body()
    kind = org().sobject(str(sent.get("object")))
    if kind is None or not kind.writable:
        # the code as simple-salesforce's users quote it; the text isn't documented
        raise CallError(400, "INVALIDENTITY", f"Unable to find object: {sent.get('object')}")
    now = org().clock()
    job = Job(
        id=org().new_id("750"),
        sobject=kind,
        operation=_one_of(sent, "operation", OPERATIONS),
        key=_key(kind, sent),
        line_ending=_one_of(sent, "lineEnding", tuple(LINE_ENDINGS), "LF"),
        delimiter=_one_of(sent, "columnDelimiter", tuple(DELIMITERS), "COMMA"),
        # no header has a say here: rules run only if the job names one (guide, "Create a Job", assignmentRuleId)
        auto_assign=bool(sent.get("assignmentRuleId")),
        version=float(g.version[1:]),
        created=now,
        changed=now,
    )
    _one_of(sent, "contentType", ("CSV",), "CSV")
    org().jobs.create(job)
    return reply(_info(job) | {"contentUrl": _content_url(job)})


@views.get("/jobs/ingest")
def listed() -> Response:
    return reply({"done": True, "records": [_info(job) for job in org().jobs], "nextRecordsUrl": None})


@views.get("/jobs/ingest/<job_id>")
def info(job_id: str) -> Response:
    return reply(_told(_job(job_id)))


@views.put("/jobs/ingest/<job_id>/batches")
def upload(job_id: str) -> Response:
    if not request.content_type or not request.content_type.startswith(CSV_TYPE):
        raise CallError(415, "UNSUPPORTED_MEDIA_TYPE", f"Content-Type {request.content_type} is not {CSV_TYPE}")
    data = raw_body()
    if len(data) > MOST_BYTES:
        raise CallError(413, "REQUEST_ENTITY_TOO_LARGE", "The job data exceeds 150 MB")
    try:
        text = data.decode()
    except UnicodeDecodeError as error:
        raise CallError(400, "INVALIDBATCH", f"The CSV is not UTF-8: {error}") from None
    count_rows(max(0, text.count("\n") - 1))
    org().jobs.upload(_job(job_id), text)
    return Response(status=201)


@views.patch("/jobs/ingest/<job_id>")
def change(job_id: str) -> Response:
    job, state = _job(job_id), body().get("state")
    if state == "UploadComplete":
        org().jobs.begin(job, request.environ[FAULT])
        # it answers at once, whatever has been done since
        return reply(_info(job) | {"state": "UploadComplete"})
    if state == "Aborted":
        org().jobs.abort(job)
        return reply(_info(job))
    raise CallError(400, "API_ERROR", "state is UploadComplete or Aborted")


@views.delete("/jobs/ingest/<job_id>")
def delete(job_id: str) -> Response:
    job = _job(job_id)
    if job.state not in OVER:
        raise CallError(400, "INVALIDJOBSTATE", f"Deleting a job in state {job.state} not allowed")
    org().jobs.forget(job)
    return reply(None, 204)


@views.get("/jobs/ingest/<job_id>/<any(successfulResults, failedResults, unprocessedrecords):which>")
def results(job_id: str, which: str) -> Response:
    job = _job(job_id)
    if job.state not in OVER:
        raise CallError(400, "INVALIDJOBSTATE", f"Results of a job in state {job.state} aren't there yet")
    count_rows(len(lines(job, which)))
    if not lines(job, which) and org().jobs.no_content_for_nothing:
        return Response(status=204)
    return Response(as_csv(job, which), content_type=CSV_TYPE)


def _job(job_id: str) -> Job:
    job = org().jobs.find(job_id)
    if job is None:
        raise not_found()
    return job


def _one_of(sent: dict[str, Any], name: str, known: tuple[str, ...], default: str = "") -> str:
    value = str(sent.get(name) or default)
    if value not in known:
        raise CallError(400, "API_ERROR", f"{name} is one of {', '.join(known)}, not {value!r}")
    return value


def _key(kind: "SObject", sent: dict[str, Any]) -> "Field | None":
    if sent.get("operation") != "upsert":
        return None
    column = kind.field(str(sent.get("externalIdFieldName")))
    if column is None or not (column.external_id or column.id_lookup):
        name = sent.get("externalIdFieldName")
        raise CallError(400, "INVALIDJOB", f"InvalidJob : Field name provided, {name} is not an External ID or indexed")
    return column


def _content_url(job: Job) -> str:
    """Without a slash at its beginning, and with a version of its own (guide, "Create a Job")."""
    return f"services/data/v{job.version}/jobs/ingest/{job.id}/batches"


def _info(job: Job) -> dict[str, Any]:
    """What every answer about a job holds: the version is a number here."""
    said = {
        "id": job.id,
        "operation": job.operation,
        "object": job.sobject.name,
        "createdById": org().integration_user,
        "createdDate": render(job.created),
        "systemModstamp": render(job.changed),
        "state": job.state,
        "concurrencyMode": "Parallel",
        "contentType": "CSV",
        "apiVersion": job.version,
        "lineEnding": job.line_ending,
        "columnDelimiter": job.delimiter,
    }
    return said | ({"externalIdFieldName": job.key.name} if job.key else {})


def _told(job: Job) -> dict[str, Any]:
    """A job that was asked about tells how far it is, too (guide, "Get Job Info")."""
    time = int((job.changed - job.begun).total_seconds() * 1000) if job.begun else 0
    said: dict[str, Any] = {
        "jobType": "V2Ingest",
        "numberRecordsProcessed": job.worked_off,
        "numberRecordsFailed": len(job.failed),
        "retries": 0,
        "totalProcessingTime": time,
        "apiActiveProcessingTime": time,
        "apexProcessingTime": 0,
    }
    if job.state == "Open":
        said["contentUrl"] = _content_url(job)
    return _info(job) | said | ({"errorMessage": job.error} if job.error else {})
