"""Bulk API 2.0 ingest, a step a call: the library's own client aborts a job on one 503 while polling, and loses its id.

    create ─▶ upload ─▶ close ─▶ state … ─▶ results

Nothing is processed before the closing (guide, "Close or Abort a Job"). The results hold the columns that were sent, so
a row is recognised by its id, or by the token in a Task's text. Payloads go as they are: that a compressed upload is
taken is documented for other resources only, and it would save no call.
"""

from __future__ import annotations

import csv
import io
import tempfile
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, BinaryIO, cast

from syncd.model import Receipt
from syncd.salesforce.errors import misread, refusal

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping, Sequence

    from syncd.salesforce.adapter import Readable
    from syncd.salesforce.session import Session
    from syncd.salesforce.tasks import Tasks

MOST_BYTES = 90_000_000
"""Of one upload: 150 MB once it is in base64, which is about 100 MB of text (guide, "Upload Job Data")."""
NULL = "#N/A"  # an empty value leaves a field alone
OVER = frozenset({"JobComplete", "Failed", "Aborted"})


@dataclass(frozen=True, slots=True)
class Progress:
    """What Salesforce says of a job."""

    state: str
    processed: int
    failed: int
    error: str

    @property
    def is_over(self) -> bool:
        return self.state in OVER


@dataclass(frozen=True, slots=True)
class Result:
    """One row's answer, with the columns that were sent."""

    receipt: Receipt
    row: Mapping[str, str]


class Lines:
    """A CSV that is written to a file row by row."""

    def __init__(self, file: BinaryIO, columns: Sequence[str]) -> None:
        self._text = io.TextIOWrapper(file, "utf-8", newline="", write_through=True)
        self._csv = csv.DictWriter(self._text, columns, restval="", lineterminator="\n")
        self._csv.writeheader()

    def add(self, row: Mapping[str, object]) -> None:
        self._csv.writerow({name: _written(value) for name, value in row.items()})

    def finish(self) -> None:
        """The file stays open."""
        self._text.detach()


class Bulk:
    def __init__(self, session: Session, tasks: Tasks) -> None:
        self._session = session
        self._tasks = tasks

    def create(self, object_: str, operation: str) -> str:
        """The new job's id."""
        wanted = {"object": object_, "operation": operation, "contentType": "CSV", "lineEnding": "LF"}
        if operation == "upsert":
            wanted["externalIdFieldName"] = self._tasks.external_id_field
        return _id(self._session.call("POST", "jobs/ingest", body=wanted))

    def upload(self, sf_id: str, file: Readable) -> None:
        self._session.upload(f"jobs/ingest/{sf_id}/batches", file)

    def close(self, sf_id: str) -> None:
        """From now on it is processed."""
        self._session.call("PATCH", f"jobs/ingest/{sf_id}", body={"state": "UploadComplete"})

    def abort(self, sf_id: str) -> None:
        self._session.call("PATCH", f"jobs/ingest/{sf_id}", body={"state": "Aborted"})

    def progress(self, sf_id: str) -> Progress:
        said = self._session.call("GET", f"jobs/ingest/{sf_id}")
        _id(said)
        processed, failed = (int(said.get(f"numberRecords{what}") or 0) for what in ("Processed", "Failed"))
        return Progress(str(said.get("state")), processed, failed, str(said.get("errorMessage") or "")[:1_000])

    def results(self, sf_id: str, progress: Progress) -> Iterator[Result]:
        """Row by row, from files. Raises Retriable if there are fewer than Salesforce says."""
        failed = progress.failed
        expected = {"successfulResults": progress.processed - failed, "failedResults": failed}
        for which, number in expected.items():
            if number > 0:
                yield from self._results(f"jobs/ingest/{sf_id}/{which}", number)

    def _results(self, path: str, number: int) -> Iterator[Result]:
        with tempfile.TemporaryFile() as file:
            self._session.download(path, cast("BinaryIO", file))
            file.seek(0)
            seen = 0
            with io.TextIOWrapper(file, "utf-8", errors="replace", newline="") as text:
                for row in csv.DictReader(text):
                    if "sf__Id" not in row or None in row.values():
                        break
                    seen += 1
                    yield Result(_receipt(row), row)
            if seen < number:
                raise misread(f"expected {number} rows of a job's results")


def _receipt(row: Mapping[str, str]) -> Receipt:
    """`sf__Error` is CODE:words:fields with something behind (recorded: it ends ":Field --" or ":--")."""
    sf_id, error = row["sf__Id"], row.get("sf__Error") or ""
    if not error:
        return Receipt(sf_id)
    code, _, words = error.partition(":")
    return refusal(code.strip() or "UNKNOWN_EXCEPTION", words.removesuffix("--").rstrip(": "), sf_id)


def _id(said: Any) -> str:
    if not isinstance(said, dict) or not said.get("id"):
        raise misread("expected a job")
    return str(said["id"])


def _written(value: object) -> str:
    if isinstance(value, bool):
        return "true" if value else "false"
    return NULL if value is None else str(value)
