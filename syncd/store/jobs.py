"""The port of Bulk jobs: which there are, how far they are, and the changes that they carry."""

from __future__ import annotations

import json
from dataclasses import dataclass, replace
from enum import StrEnum
from typing import TYPE_CHECKING

from syncd.store.journal import BY_ID, read_intents
from syncd.store.sqlite import ROWS_A_TRANSACTION, chunks, insert, many, rows, transaction

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator, Sequence

    from sqlite_utils import Database

    from syncd.model import What
    from syncd.store.journal import Intent


class JobState(StrEnum):
    """How far syncd is with a job. Before CLOSING nothing of it can have been done."""

    FILLING = "filling"  # no id yet: Salesforce may or may not know of it
    OPEN = "open"  # Salesforce's id is known
    CLOSING = "closing"  # committed before the call that has it processed
    DONE = "done"  # its results are recorded
    VOID = "void"  # nothing was done


@dataclass(frozen=True, slots=True)
class Job:
    id: int
    sf_id: str
    object: str
    operation: str
    state: JobState
    created_at: int


class Jobs:
    def __init__(self, db: Database) -> None:
        self._db = db

    def unfinished(self) -> list[Job]:
        found = rows(self._db, f"SELECT {_JOB} FROM jobs WHERE state IN ('filling', 'open', 'closing') ORDER BY id")
        return [_job(*row) for row in found]

    def begin(self, run_id: int, object_: str, operation: str, now: int) -> Job:
        with transaction(self._db):
            job_id = insert(
                self._db,
                "INSERT INTO jobs (run_id, object, operation, state, created_at) VALUES (?, ?, ?, 'filling', ?)",
                (run_id, object_, operation, now),
            )
        return Job(job_id, "", object_, operation, JobState.FILLING, now)

    def opened(self, job: Job, sf_id: str) -> Job:
        with transaction(self._db):
            self._db.execute("UPDATE jobs SET sf_id = ?, state = 'open' WHERE id = ?", (sf_id, job.id))
        return replace(job, sf_id=sf_id, state=JobState.OPEN)

    def turn(self, job: Job, state: JobState) -> None:
        with transaction(self._db):
            self._db.execute("UPDATE jobs SET state = ? WHERE id = ?", (state.value, job.id))

    def carry(self, job: Job, intents: Iterable[Intent]) -> None:
        """These changes are the job's: nobody else sends or plans them until it has ended."""
        for chunk in chunks(self._db, list(intents)):
            with transaction(self._db):
                many(self._db, "UPDATE changes SET job_id = ? WHERE id = ?", [(job.id, intent.id) for intent in chunk])

    def carried(self, job: Job) -> int:
        """How many of its changes have no answer yet."""
        sql = "SELECT count(*) FROM changes WHERE job_id = ? AND state = 'intended'"
        return int(rows(self._db, sql, (job.id,))[0][0])

    def left(self, job: Job) -> Iterator[list[Intent]]:
        """Its changes without an answer, page by page; a page begins behind the one before."""
        sql = (
            "SELECT sf_id, id FROM changes WHERE job_id = ? AND job_id IS NOT NULL AND state = 'intended'"
            f" AND (sf_id, id) > (?, ?) ORDER BY sf_id, id LIMIT {ROWS_A_TRANSACTION}"
        )
        last = ("", 0)
        while page := rows(self._db, sql, (job.id, *last)):
            last = page[-1]
            yield read_intents(self._db, BY_ID, {"ids": json.dumps([change_id for _, change_id in page])})

    def of_records(self, job: Job, sf_ids: Sequence[str]) -> list[Intent]:
        """Its changes without an answer for these records; activities by the record that they are for."""
        where = (
            "c.job_id = :job AND c.job_id IS NOT NULL AND c.state = 'intended'"
            " AND c.sf_id IN (SELECT value FROM json_each(:ids))"
        )
        return read_intents(self._db, where, {"job": job.id, "ids": json.dumps(sf_ids)})

    def of_tasks(self, job: Job, task_ids: Sequence[str]) -> list[Intent]:
        """Its changes without an answer to these Tasks."""
        where = (
            "c.id IN (SELECT d.id FROM json_each(:ids) answered CROSS JOIN activities a ON a.task_id = answered.value"
            " CROSS JOIN changes d INDEXED BY changes_carried ON d.subject_id = a.subject_id AND d.activity = a.key"
            " WHERE d.job_id = :job AND d.job_id IS NOT NULL AND d.state = 'intended')"
        )
        return read_intents(self._db, where, {"job": job.id, "ids": json.dumps(task_ids)})

    def records_waiting(self, run_id: int, *first: What) -> dict[str, int]:
        """By object, how many records this run is to write fields of; `first`: of those with one of these changes."""
        sql = (
            "SELECT object, count(DISTINCT sf_id) FROM changes WHERE state = 'intended' AND run_id = ?1"
            " AND job_id IS NULL AND what <> 'activity'"
            " AND (?2 = '[]' OR what IN (SELECT value FROM json_each(?2))) GROUP BY object ORDER BY object"
        )
        return dict(rows(self._db, sql, (run_id, json.dumps(first))))

    def tasks_waiting(self, run_id: int, *, known: bool) -> int:
        sql = (
            "SELECT count(*) FROM changes c WHERE c.state = 'intended' AND c.run_id = ? AND c.job_id IS NULL"
            " AND c.what = 'activity' AND ? ="
            " EXISTS (SELECT 1 FROM activities a WHERE a.subject_id = c.subject_id AND a.key = c.activity)"
        )
        return int(rows(self._db, sql, (run_id, known))[0][0])


_JOB = "id, coalesce(sf_id, ''), object, operation, state, created_at"


def _job(job_id: int, sf_id: str, object_: str, operation: str, state: str, created_at: int) -> Job:
    return Job(job_id, sf_id, object_, operation, JobState(state), created_at)
