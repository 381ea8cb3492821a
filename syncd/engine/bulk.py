"""Many changes of a kind as one job of the Bulk API: some ten calls however many they are.

    filling   Salesforce is asked for a job; if it makes none, nothing is this job's, and sObject Collections take it
    open      its id is stored; the changes become the job's, Tasks get their lines in the ledger, the CSV is uploaded
    closing   committed before the call that has it processed; then: wait, read the results, record them

A run that dies, or does not want to wait any longer, leaves a job to whichever run comes next. Until it has ended its
changes stay intended, and their subjects are not planned.
"""

from __future__ import annotations

import tempfile
from dataclasses import dataclass, replace
from itertools import chain, repeat
from typing import TYPE_CHECKING, BinaryIO, cast

from syncd.engine.restored import is_restored
from syncd.engine.writing import (
    fields_answered,
    put_off_locked,
    record,
    task_id_of,
    task_uncertain,
    task_updated,
    tasks_created,
    token_of,
)
from syncd.errors import BudgetSpent, Fatal, Retriable
from syncd.model import Fate, Receipt, State, What
from syncd.salesforce.bulk import MOST_BYTES, Lines
from syncd.store import JobState, Outcome

if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence

    from syncd.engine.context import Context, Summary
    from syncd.salesforce.bulk import Progress, Result
    from syncd.store import Intent, Job

PATIENCE = 120.0  # seconds that a run waits for all its jobs; the next one asks again
PAUSES = (1.0, 2.0, 4.0, 8.0)  # seconds between two questions, then the last
LONGEST = 6 * 3_600_000  # ms: then its records, and who unsubscribes meanwhile, have waited long enough
RESULTS = 100
REST = 3_600_000  # ms without jobs after one that Salesforce would not take as a whole: sObject Collections may go on
_RESTS_UNTIL = "bulk_rests_until"


@dataclass(frozen=True, slots=True)
class _Kind:
    """Changes of one kind: how their rows look, and where the next ones come from."""

    object: str
    operation: str
    columns: Sequence[str]
    pages: Iterator[list[Intent]]


# --- a new job ----------------------------------------------------------------------------------------------------


def fields_in_bulk(c: Context, said: Summary, *first: What) -> None:
    """Fields of at least `bulk_threshold` records of one object, as jobs; fewer are left."""
    if _rests(c):
        return
    for object_, number in c.jobs.records_waiting(said.run_id, *first).items():
        if number >= c.options.bulk_threshold:
            columns = ["Id", *c.crm.records.columns(object_)]
            pages = c.journal.fields(said.run_id, *first, object_=object_)
            _send(c, said, _Kind(object_, "update", columns, pages))


def tasks_in_bulk(c: Context, said: Summary, *, known: bool) -> None:
    """At least `bulk_threshold` Tasks to create, or (`known`) to update, as jobs; fewer are left."""
    if _rests(c) or c.jobs.tasks_waiting(said.run_id, known=known) < c.options.bulk_threshold:
        return
    if not known and (said.full or is_restored(c)):
        return  # there is no room, or each is looked up before it is made
    columns = ["Subject", "Description", "ActivityDate"]
    if known:
        operation, columns = "update", ["Id", *columns]
    else:
        field = c.crm.tasks.external_id_field
        operation, columns = ("upsert" if field else "insert"), ["WhoId", "Status", field or "TaskSubtype", *columns]
    _send(c, said, _Kind("Task", operation, columns, c.journal.activities(said.run_id, known=known)))


def _send(c: Context, said: Summary, kind: _Kind) -> None:
    while intents := next(kind.pages, None):
        job = _opened(c, said, kind)
        if job is None:
            return
        try:
            with tempfile.TemporaryFile() as file:
                _fill(c, said, job, kind, intents, cast("BinaryIO", file))
                c.crm.bulk.upload(job.sf_id, cast("BinaryIO", file))
        except Retriable as error:
            _void(c, said, job, error)
            raise
        except Fatal as error:
            _void(c, said, job, error)
            _rest(c, said, f"Salesforce refuses what a job of the Bulk API was to do: {error}")
            return
        c.jobs.turn(job, JobState.CLOSING)
        try:
            c.crm.bulk.close(job.sf_id)
        except Fatal as error:  # the next run finds it open
            said.in_jobs += c.jobs.carried(job)
            _rest(c, said, f"Salesforce refuses to do a job of the Bulk API: {error}")
            return
        _wait(c, said, job)


def _rests(c: Context) -> bool:
    return c.now() < int(c.work.meta(_RESTS_UNTIL) or 0)


def _rest(c: Context, said: Summary, why: str) -> None:
    """For a while each call takes 200 changes at most."""
    said.trouble(why)
    c.work.set_meta(_RESTS_UNTIL, str(c.now() + REST))


def _opened(c: Context, said: Summary, kind: _Kind) -> Job | None:
    """A job that Salesforce has made; or none, if it makes none for this user or today: other calls may go on."""
    job = c.jobs.begin(said.run_id, kind.object, kind.operation, c.now())
    try:
        return c.jobs.opened(job, c.crm.bulk.create(job.object, job.operation))
    except (Retriable, Fatal) as error:
        c.jobs.turn(job, JobState.VOID)
        if isinstance(error, Retriable):
            raise
        said.trouble(f"Salesforce makes no job of the Bulk API, so each call takes 200 changes at most: {error}")
        return None


def _fill(c: Context, said: Summary, job: Job, kind: _Kind, intents: list[Intent], file: BinaryIO) -> None:
    """These and what follows, as much as one upload takes."""
    lines = Lines(file, kind.columns)
    while intents:
        c.going_on(said.run_id)
        if job.operation != "update":
            c.journal.sending((intent, token_of(intent)) for intent in intents)
        c.jobs.carry(job, intents)
        for row in _rows(c, job, intents):
            lines.add(row)
        intents = next(kind.pages, []) if file.tell() < MOST_BYTES else []
    lines.finish()


def _rows(c: Context, job: Job, intents: Sequence[Intent]) -> list[dict[str, object]]:
    if job.object != "Task":
        rows: dict[str, dict[str, object]] = {}
        for intent in intents:
            values = c.crm.records.named(job.object, intent.change.after)
            rows.setdefault(intent.change.sf_id, {"Id": intent.change.sf_id}).update(values)
        return list(rows.values())
    tasks = c.crm.tasks
    if job.operation == "update":
        return [{"Id": task_id_of(intent), **tasks.changed(intent.change.after)} for intent in intents]
    return [tasks.new(intent.change.sf_id, intent.change.after, token_of(intent)) for intent in intents]


# --- a job that is under way --------------------------------------------------------------------------------------


def settle_jobs(c: Context, said: Summary) -> None:
    """What earlier runs left: those never closed are void, those that have ended are recorded."""
    for job in c.jobs.unfinished():
        c.going_on(said.run_id)
        try:
            if job.state is JobState.CLOSING:
                _look(c, said, job)
            else:
                _abort(c, said, job)
        except BudgetSpent:
            raise
        except (Retriable, Fatal) as error:  # one job that cannot be asked after keeps nobody else waiting
            said.in_jobs += c.jobs.carried(job)
            said.trouble(f"a job of the Bulk API ({job.sf_id or 'not sent'}): {error}")


def _look(c: Context, said: Summary, job: Job) -> bool:
    """Whether the job has ended; then its results are recorded."""
    try:
        progress = c.crm.bulk.progress(job.sf_id)
    except Fatal as error:
        if error.code != "NOT_FOUND":  # Salesforce forgets jobs after seven days
            raise
        _unknown(c, said, job, Receipt(code=error.code, words="the job is gone", fate=Fate.LATER))
        return True
    if progress.state == "Open":  # the call that closes it never came through
        _abort(c, said, job)
        return True
    if progress.is_over:
        _collect(c, said, job, progress)
        return True
    if c.now() - job.created_at > LONGEST:
        c.crm.bulk.abort(job.sf_id)
        _rest(c, said, f"a job of the Bulk API ({job.sf_id}) was {progress.state} for hours, so it was aborted")
    said.in_jobs += c.jobs.carried(job)
    return False


def _wait(c: Context, said: Summary, job: Job) -> None:
    pauses = chain(PAUSES, repeat(PAUSES[-1]))
    while said.waited < PATIENCE:
        pause = next(pauses)
        c.going_on(said.run_id)
        c.sleep(pause)
        said.waited += pause
        before = said.in_jobs
        if _look(c, said, job):
            return
        said.in_jobs = before
    said.in_jobs += c.jobs.carried(job)


def _collect(c: Context, said: Summary, job: Job, progress: Progress) -> None:
    part: list[Result] = []
    for result in c.crm.bulk.results(job.sf_id, progress):
        part.append(result)
        if len(part) == RESULTS:
            c.going_on(said.run_id)
            _answered(c, said, job, part)
            part = []
    _answered(c, said, job, part)
    words = progress.error or "the job ended without an answer for this row"
    if progress.error:
        _rest(c, said, f"a job of the Bulk API ({job.sf_id}) failed: {progress.error}")
    _unknown(c, said, job, Receipt(code=progress.state, words=words, fate=Fate.LATER))


def _answered(c: Context, said: Summary, job: Job, part: Sequence[Result]) -> None:
    crowded = next((result.receipt for result in part if result.receipt.fate is Fate.CROWDED), None)
    if crowded:  # a job is saved 200 rows at a time, and nobody can have it save fewer
        _rest(c, said, f"code of the org's own refused rows of a job of the Bulk API ({job.sf_id}): {crowded.code}")
    if job.object != "Task":
        receipts = {result.row.get("Id") or result.receipt.sf_id: result.receipt for result in part}
        intents = c.jobs.of_records(job, list(receipts))
        record(c, said, [_field(c, intent, receipts[intent.change.sf_id], intents) for intent in intents])
    elif job.operation == "update":
        receipts = {result.row.get("Id") or result.receipt.sf_id: result.receipt for result in part}
        known = c.jobs.of_tasks(job, list(receipts))
        answers = ((intent, c.crm.tasks.updated(receipts[task_id_of(intent)])) for intent in known)
        record(c, said, [task_updated(c, intent, receipt) for intent, receipt in answers])
    else:
        receipts = {c.crm.tasks.token_of(result.row): result.receipt for result in part}
        sent = c.jobs.of_records(job, [result.row.get("WhoId", "") for result in part])
        mine = [(intent, receipts[token]) for intent in sent if (token := token_of(intent)) in receipts]
        put_off_locked(c, said, tasks_created(c, said, mine))


def _field(c: Context, intent: Intent, receipt: Receipt, intents: Sequence[Intent]) -> Outcome:
    """A row that several changes shared and that was rejected is planned again, and each change written on its own."""
    receipt = c.crm.records.believed(intent.change.object, receipt)
    shared = sum(other.change.sf_id == intent.change.sf_id for other in intents) > 1
    if receipt.fate is Fate.REJECTED and shared:
        receipt = replace(receipt, fate=Fate.LATER)
    return fields_answered(c, intent, receipt)


# --- the end ------------------------------------------------------------------------------------------------------


def _abort(c: Context, said: Summary, job: Job) -> None:
    if job.sf_id:
        try:
            c.crm.bulk.abort(job.sf_id)
        except Fatal as error:
            if error.code not in ("NOT_FOUND", "INVALIDJOBSTATE"):
                raise
    _void(c, said, job, Retriable("not_sent", "the run ended before the job was closed"))


def _void(c: Context, said: Summary, job: Job, error: Retriable | Fatal) -> None:
    """Nothing of it was done."""
    receipt = Receipt(code=error.code, words=error.words, fate=Fate.LATER)
    for intents in c.jobs.left(job):
        new = job.operation != "update"
        record(c, said, [
            Outcome(i.id, i.subject_id, State.SUPERSEDED, receipt, unmade=i.change.activity if new else "")
            for i in intents
        ])  # fmt: skip
        if isinstance(error, BudgetSpent):
            c.work.put_off((intent.subject_id for intent in intents), error.until)
        else:
            c.work.failed(((intent.subject_id, c.retry_at(intent.attempts)) for intent in intents), c.now())
    c.jobs.turn(job, JobState.VOID)


def _unknown(c: Context, said: Summary, job: Job, receipt: Receipt) -> None:
    """Those without an answer of their own are settled by reading, or looked up; ever later if that goes on."""
    for intents in c.jobs.left(job):
        made = job.operation != "update"
        record(c, said, [
            task_uncertain(c, i, receipt) if made else Outcome(i.id, i.subject_id, State.UNCERTAIN, receipt)
            for i in intents
        ])  # fmt: skip
        settled_at = c.now() + c.options.settle
        later = [(intent.subject_id, max(settled_at, c.retry_at(intent.attempts))) for intent in intents]
        c.work.failed(later, c.now())
    c.jobs.turn(job, JobState.DONE)
