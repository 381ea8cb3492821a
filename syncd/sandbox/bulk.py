"""Bulk API 2.0 ingest: jobs that take CSV and work it off in batches, some time after the upload. No HTTP here.

    Open ─upload─▶ Open ─UploadComplete─▶ UploadComplete ─▶ InProgress ─▶ JobComplete | Failed
      └───────────────────────────── Aborted ◀──────────────────┘

Time is the org's clock: whoever looks at the org sees what the job has done until then. Sources: Bulk API 2.0 guide,
"Bulk API 2.0 Ingest"; what is not in it (texts of refusals, which names are quoted) is as users' logs show it
(restforce#905, OpenFn/adaptors#886, mohan-chinnappan-n's notes).
"""

import csv
import io
import math
from collections.abc import Iterator
from dataclasses import dataclass, field
from datetime import datetime
from random import Random
from typing import TYPE_CHECKING, Any

from syncd.sandbox.errors import CallError
from syncd.sandbox.rules import Actor
from syncd.sandbox.writes import Writer

if TYPE_CHECKING:
    from syncd.sandbox.faults import Fault
    from syncd.sandbox.org import Org
    from syncd.sandbox.schema import Field, SObject

BATCH = 10_000
"""Rows of one internal batch (guide: "creates a batch for every 10,000 records")."""
NOTHING, NULL = "", "#N/A"
"""An empty value leaves the field alone; only #N/A empties it (guide, "Valid Date Format … and Null Values")."""
WORDS = {"boolean": {"yes": True, "y": True, "true": True, "on": True, "1": True}}
WORDS["boolean"] |= {"no": False, "n": False, "false": False, "off": False, "0": False}
LINE_ENDINGS = {"LF": "\n", "CRLF": "\r\n"}
DELIMITERS = {"COMMA": ",", "SEMICOLON": ";", "TAB": "\t", "PIPE": "|", "CARET": "^", "BACKQUOTE": "`"}
OPERATIONS = ("insert", "update", "upsert", "delete")
OVER = ("JobComplete", "Failed", "Aborted")


@dataclass(slots=True)
class Job:
    """`rows` are the lines of the CSV as they were sent; each ends up in one of the three results."""

    id: str
    sobject: "SObject"
    operation: str
    key: "Field | None"
    line_ending: str
    delimiter: str
    auto_assign: bool
    version: float
    created: datetime
    changed: datetime
    state: str = "Open"
    text: str | None = None
    header: list[str] = field(default_factory=list)
    rows: list[list[str]] = field(default_factory=list)
    worked_off: int = 0
    begun: datetime | None = None
    fault: "Fault | None" = None
    succeeded: list[tuple[str, bool, list[str]]] = field(default_factory=list)
    failed: list[tuple[str, str, list[str]]] = field(default_factory=list)
    error: str = ""

    @property
    def unprocessed(self) -> list[list[str]]:
        return self.rows[self.worked_off :] if self.state in OVER else []


class Jobs:
    """All jobs of an org. `takes`: seconds from the upload to the end, math.inf for never; `batch`: rows a batch."""

    def __init__(self, org: "Org") -> None:
        self.org = org
        self.takes: float = 0
        self.batch = BATCH
        self.no_content_for_nothing = False
        """Whether a result without rows is 204 (as users report) and not a header line (as the guide shows it)."""
        self._jobs: dict[str, Job] = {}

    def create(self, job: Job) -> None:
        self._jobs[job.id] = job

    def find(self, job_id: str) -> Job | None:
        return self._jobs.get(job_id) or next((job for job in self._jobs.values() if job.id[:15] == job_id), None)

    def __iter__(self) -> Iterator[Job]:
        return iter(self._jobs.values())

    def forget(self, job: Job) -> None:
        del self._jobs[job.id]

    def upload(self, job: Job, text: str) -> None:
        """Once a job (guide, "Upload Job Data")."""
        if job.state != "Open" or job.text is not None:
            raise CallError(400, "INVALIDJOBSTATE", "Job data was uploaded already, or the job is closed")
        job.text = text

    def begin(self, job: Job, fault: "Fault | None") -> None:
        """The upload is complete: from now on it is worked off."""
        if job.state != "Open" or job.text is None:
            raise CallError(400, "INVALIDJOBSTATE", f"Closing a job in state {job.state} not allowed")
        job.begun = job.changed = self.org.clock()
        job.state, job.fault = "UploadComplete", fault
        self.advance()

    def abort(self, job: Job) -> None:
        """What is worked off stays so (guide, "Close or Abort a Job")."""
        if job.state in OVER:
            words = "Completed" if job.state == "JobComplete" else job.state
            raise CallError(400, "INVALIDJOBSTATE", f"Aborting already {words} Job not allowed")
        self._end(job, "Aborted")

    def advance(self) -> None:
        """Do what the jobs under way have had the time for."""
        for job in self._jobs.values():
            if job.begun and job.state not in OVER:
                self._advance(job, job.begun)

    def _advance(self, job: Job, begun: datetime) -> None:
        share = 1.0
        if self.takes > 0:
            share = min(1.0, (self.org.clock() - begun).total_seconds() / self.takes)
        if share < 1 / 3:  # queued
            return
        if job.state == "UploadComplete":
            job.state, job.changed = "InProgress", self.org.clock()
            self._read(job)
        batches = math.ceil(len(job.rows) / self.batch)
        may = batches if share == 1 else math.floor(share * batches)
        while job.state == "InProgress" and job.worked_off < min(may * self.batch, len(job.rows)):
            self._work_off(job)
        if job.state == "InProgress" and share == 1:
            self._end(job, "JobComplete")

    def _end(self, job: Job, state: str, error: str = "") -> None:
        job.state, job.error, job.changed = state, error, self.org.clock()

    def _read(self, job: Job) -> None:
        """A header that can't be fails the job as a whole, with numberRecordsFailed 0 (amp-labs' recordings)."""
        text = job.text or ""
        if text.partition("\n")[0].endswith("\r") != (job.line_ending == "CRLF"):
            words = f"LineEnding is invalid on user data. Current LineEnding setting is {job.line_ending}"
            self._end(job, "Failed", words)
            return
        lines = list(csv.reader(io.StringIO(text, newline=""), delimiter=DELIMITERS[job.delimiter]))
        job.header, job.rows = (lines[0], [line for line in lines[1:] if line]) if lines else ([], [])
        if not lines:
            self._end(job, "Failed", "InvalidBatch : Field name not found : ")
        for name in job.header:
            if job.sobject.field(name) is None:
                self._end(job, "Failed", f"InvalidBatch : Field name not found : {name}")
                return

    def _work_off(self, job: Job) -> None:
        if job.fault and job.fault.job_error:
            self._end(job, "Failed", job.fault.job_error)
            return
        writer = Writer(self.org, Actor(self.org.integration_user, auto_assign=job.auto_assign), self._refusals(job))
        lines = job.rows[job.worked_off : job.worked_off + self.batch]
        for line, result in zip(lines, self._results(job, writer, lines), strict=True):
            if result["success"]:
                created = job.operation == "insert" or bool(result.get("created"))
                job.succeeded.append((result["id"], created, line))
            else:
                job.failed.append((_known_id(self.org, job, line), _words(result["errors"][0]), line))
        job.worked_off += len(lines)

    def _refusals(self, job: Job) -> Any:
        fault = job.fault
        return fault.refuse if fault else lambda _number, _key: None

    def _results(self, job: Job, writer: Writer, lines: list[list[str]]) -> list[dict[str, Any]]:
        records = [{"attributes": {"type": job.sobject.name}, **_record(job, line)} for line in lines]
        if job.operation == "insert":
            return writer.create(records, all_or_none=False)
        if job.operation == "delete":
            return writer.delete([record.get("Id", "") for record in records], all_or_none=False)
        if job.operation == "update" or job.key is None:
            return writer.update(records, all_or_none=False)
        return writer.upsert(job.sobject, job.key, records, all_or_none=False)


def _record(job: Job, line: list[str]) -> dict[str, Any]:
    """The fields of a line. Too short a line is filled up with empty values: those leave their fields alone."""
    record: dict[str, Any] = {}
    for name, value in zip(job.header, line, strict=False):
        column = job.sobject.field(name)
        if value == NOTHING or column is None:
            continue
        record[column.name] = None if value == NULL else WORDS.get(column.type, {}).get(value.lower(), value)
    return record


def _known_id(org: "Org", job: Job, line: list[str]) -> str:
    """The id of a refused row, if it is one of the org's."""
    record_id = _record(job, line).get("Id")
    return record_id if isinstance(record_id, str) and org.row(record_id) else ""


def _words(error: dict[str, Any]) -> str:
    """`CODE:message:Field --`; without a field `CODE:message:--` (users' logs)."""
    return f"{error['statusCode']}:{error['message']}:{' '.join([*error['fields'], '--'])}"


def lines(job: Job, which: str) -> list[list[str]]:
    """The rows of one of the three results, those of the first two in no particular order, as the guide warns."""
    found = {
        "successfulResults": [[one, str(made).lower(), *line] for one, made, line in job.succeeded],
        "failedResults": [[one, error, *line] for one, error, line in job.failed],
        "unprocessedrecords": job.unprocessed,
    }[which]
    if which != "unprocessedrecords":
        Random(job.id).shuffle(found)  # noqa: S311 - the same order each time it is asked
    return found


EXTRA = {"successfulResults": ("sf__Id", "sf__Created"), "failedResults": ("sf__Id", "sf__Error")}


def as_csv(job: Job, which: str) -> str:
    """In the header only the names that Salesforce adds are quoted (users' logs), below it every value is."""
    end, comma = LINE_ENDINGS[job.line_ending], DELIMITERS[job.delimiter]
    head = comma.join([*(f'"{name}"' for name in EXTRA.get(which, ())), *job.header])
    written = io.StringIO(newline="")
    csv.writer(written, delimiter=comma, lineterminator=end, quoting=csv.QUOTE_ALL).writerows(lines(job, which))
    return head + end + written.getvalue()
