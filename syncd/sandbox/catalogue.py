"""Faults by name, for people and campaigns: `lock-row@10%`, `503-after x3`, `slow=2s@50%`, `reset-after on Task`.

    KIND[=SECONDS][@CHANCE%][ xTIMES][ on PATH]

Without a chance every call it concerns meets it; a kind that refuses single rows takes the chance for each row. PATH is
a regular expression searched in the URL's path. What each kind imitates, and who saw it, is in the table.
"""

import re
from collections.abc import Iterator
from dataclasses import dataclass, replace

from syncd.sandbox.faults import Fault

SPEC = re.compile(
    r"""\s*(?P<kind>[a-z0-9-]+)
      (?:=(?P<seconds>\d+(?:\.\d+)?)\s*s?)?
      (?:\s*@\s*(?P<chance>\d+(?:\.\d+)?)\s*%)?
      (?:\s+x\s*(?P<times>\d+))?
      (?:\s+on\s+(?P<path>\S+))?\s*""",
    re.VERBOSE,
)
ANY = r"/services/data/v[\d.]+/."
COLLECTIONS = r"/composite/sobjects"
WRITES = r"/composite/sobjects(/\w+/\w+)?$"
QUERIES = r"/query(All)?$"
LOGIN = "/oauth2/token"
JOB = r"/jobs/ingest/\w+$"
PATIENCE = 130.0
"""Seconds after which any client has given up."""

CDN_PAGE = "<!DOCTYPE html><html><head><title>Error</title></head><body>" + "<p>We are working on it.</p>" * 4_500
HTML = "<html><head><title>502 Bad Gateway</title></head><body><h1>502 Bad Gateway</h1></body></html>"
DOWN = "<html><body><h1>We are down for maintenance.</h1></body></html>"
TOTAL, CONCURRENT = "TotalRequests Limit exceeded.", "ConcurrentPerOrgLongTxn Limit exceeded."
UNKNOWN = "An unexpected error occurred. Please include this ErrorId if you contact support: 1-1 (-1)"


@dataclass(frozen=True)
class Kind:
    """`words`: what it does, in a line; `fault`: with the chance and number of times still open."""

    words: str
    fault: Fault
    waits: bool = False

    @property
    def of_rows(self) -> bool:
        return bool(self.fault.row_code) and self.fault.row_share is not None


def _call(words: str, path: str = ANY, *, waits: bool = False, **about: object) -> Kind:
    return Kind(words, Fault(path=path, times=None, **about), waits)  # type: ignore[arg-type] # checked by Fault itself


def _rows(code: str, message: str, words: str, path: str = WRITES, method: str | None = None) -> Kind:
    return Kind(words, Fault(path=path, method=method, times=None, row_code=code, row_message=message, row_share=1.0))


KINDS: dict[str, Kind] = {
    # The service as a whole. REST guide, "Status Codes and Error Responses": 500, 502 (Salesforce Edge could not reach
    # the instance), 503 (maintenance, overload), 420 (Edge has no route). Bodies: public mocks and restforce#570.
    "503-before": _call("503 SERVER_UNAVAILABLE, nothing done", status=503),
    "503-after": _call("503 SERVER_UNAVAILABLE although the work is done", status=503, when="after"),
    "500-before": _call("500 UNKNOWN_EXCEPTION, nothing done", status=500, code="UNKNOWN_EXCEPTION", message=UNKNOWN),
    "500-after": _call(
        "500 UNKNOWN_EXCEPTION although the work is done",
        status=500,
        code="UNKNOWN_EXCEPTION",
        message=UNKNOWN,
        when="after",
    ),
    "502-html": _call("502 with an HTML page", status=502, body=HTML),
    "503-html": _call("503 with an HTML maintenance page", status=503, body=DOWN),
    "503-cdn": _call("503 with an HTML page of 120 kB, as content networks send", status=503, body=CDN_PAGE),
    "420-no-route": _call("420: Salesforce Edge has no route to the org", status=420, body=""),
    "429-retry-after": _call(
        "429 with Retry-After; Salesforce documents none, what stands before it may send one",
        status=429,
        code="TOO_MANY_REQUESTS",
        message="Too many requests",
        retry_after=2,
    ),
    # Answers that are none: proxies and cut connections.
    "empty-answer": _call("200 without a body although the work is done", when="after", status=200, body=""),
    "half-answer": _call("the answer breaks off in its middle, the work is done", when="after", mangle="half"),
    "wrong-answer": _call("JSON of another type than promised, the work is done", when="after", mangle="type"),
    "html-answer": _call("200 with an HTML page, nothing done", status=200, body=DOWN),
    "fewer-rows": _call(
        "a collection's answer lacks its last row, the work is done", COLLECTIONS, when="after", mangle="fewer"
    ),
    "reset-before": _call("the connection is cut, nothing done", reset=True),
    "reset-after": _call("the connection is cut although the work is done", reset=True, when="after"),
    "timeout-before": _call("no answer within the client's patience, nothing done", waits=True, hold=PATIENCE),
    "timeout-after": _call("no answer although the work is done", waits=True, hold=PATIENCE, when="after", reset=True),
    "timeout-late": _call("no answer; the work is done later", waits=True, hold=PATIENCE, when="late"),
    "slow": _call("the true answer, late", waits=True, hold=2.0, when="late"),
    # Sessions: Salesforce answers 401 INVALID_SESSION_ID, whatever the client was in the middle of.
    "session-expired": _call("all sessions end before the call: 401", expire=True),
    "session-ends": _call("all sessions end after the call: the next one is 401", expire=True, when="after"),
    "login-503": _call("logging in: 503 with an HTML page", LOGIN, status=503, body=DOWN),
    "login-html": _call("logging in: 200 with an HTML page", LOGIN, status=200, body=DOWN),
    "login-reset": _call("logging in: the connection is cut", LOGIN, reset=True),
    # Limits. The code is public in many fixtures; STORAGE_LIMIT_EXCEEDED is a StatusCode of the SOAP guide.
    "limit-total": _call(
        "403 REQUEST_LIMIT_EXCEEDED, the day's calls are spent",
        status=403,
        code="REQUEST_LIMIT_EXCEEDED",
        message=TOTAL,
    ),
    "limit-concurrent": _call(
        "403 REQUEST_LIMIT_EXCEEDED, too many long calls at once",
        status=403,
        code="REQUEST_LIMIT_EXCEEDED",
        message=CONCURRENT,
    ),
    "storage-full": _rows(
        "STORAGE_LIMIT_EXCEEDED", "storage limit exceeded", "a row that would be new is refused", method="POST"
    ),
    "query-timeout": _call(
        "400 QUERY_TIMEOUT",
        QUERIES,
        status=400,
        code="QUERY_TIMEOUT",
        message="Your query request was running for too long.",
    ),
    "query-page-lost": _call(
        "400 INVALID_QUERY_LOCATOR for a query's second page",
        r"/query(All)?/\w",
        status=400,
        code="INVALID_QUERY_LOCATOR",
        message="invalid query locator",
    ),
    "414": _call("414: the address is too long", QUERIES, status=414, body="URI Too Long", content_type="text/plain"),
    # Rows. Meanings from the SOAP guide's StatusCode: "If an object in a batch cannot be locked, the entire batch
    # fails"; TOO_MANY_APEX_REQUESTS is "transient. Resend after a short wait".
    "lock-row": _rows("UNABLE_TO_LOCK_ROW", "unable to obtain exclusive access to this record", "a row is locked"),
    "lock-batch": _call(
        "all rows of a call fail with UNABLE_TO_LOCK_ROW",
        WRITES,
        row_code="UNABLE_TO_LOCK_ROW",
        row_message="unable to obtain exclusive access to this record",
    ),
    "lock-call": _call(
        "400 UNABLE_TO_LOCK_ROW for the whole call (whether 400 or 500 is unsettled)",
        WRITES,
        status=400,
        code="UNABLE_TO_LOCK_ROW",
        message="unable to obtain exclusive access to this record",
    ),
    "entity-locked": _rows("ENTITY_IS_LOCKED", "the entity is locked for editing", "a row is in an approval process"),
    "row-unknown": _rows("UNKNOWN_EXCEPTION", UNKNOWN, "a row fails for no reason that is told"),
    "apex-busy": _rows("TOO_MANY_APEX_REQUESTS", "Too many concurrent Apex requests", "a row's trigger finds no room"),
    # Bulk API 2.0.
    "bulk-create-lost": _call("creating a job: 503 although it is there", "/jobs/ingest$", method="POST", status=503,
                              when="after"),
    "bulk-upload-reset": _call("uploading: the connection is cut although the data arrived", "/batches$", reset=True,
                               when="after"),
    "bulk-close-lost": _call("closing a job: 503 although it is closed", JOB, method="PATCH", status=503, when="after"),
    "bulk-poll-503": _call("asking about a job: 503", JOB, method="GET", status=503),
    "bulk-results-503": _call("reading a job's results: 503", "Results$|unprocessedrecords$", status=503),
    "bulk-job-failed": _call(
        "a job fails as a whole, nothing done",
        JOB,
        method="PATCH",
        job_error="InternalServerError : Unable to process the batch",
    ),
}  # fmt: skip


def parse(spec: str) -> Fault:
    """The fault that a person means; ValueError says what to write."""
    found = SPEC.fullmatch(spec)
    kind = KINDS.get(found["kind"]) if found else None
    if found is None or kind is None:
        raise ValueError(
            f"no fault {spec!r}: write KIND[=SECONDS][@CHANCE%][ xTIMES][ on PATH]; `list` shows the kinds"
        )
    if found["seconds"] and not kind.waits:
        raise ValueError(f"{found['kind']} takes no seconds")
    chance = float(found["chance"]) / 100 if found["chance"] else None
    if chance is not None and not 0 < chance <= 1:
        raise ValueError(f"a chance is more than 0 % and at most 100 %, not {found['chance']} %")
    try:
        fault = replace(kind.fault, path=found["path"] or kind.fault.path)
    except re.error as error:
        raise ValueError(f"not a regular expression: {error}") from None
    fault.times = int(found["times"]) if found["times"] else None
    if found["seconds"]:
        fault.hold = float(found["seconds"])
    if chance is not None and kind.of_rows:
        fault.row_share = chance
    else:
        fault.chance = chance
    return fault


def listed() -> Iterator[str]:
    """A line for each kind."""
    width = max(map(len, KINDS))
    yield from (f"{name:{width}}  {kind.words}" for name, kind in KINDS.items())
