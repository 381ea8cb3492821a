"""One run: the only place where facts, plans and Salesforce meet.

    fold in   fresh events join their recipients' time lines and make their subjects due
    claim     due subjects, a page at a time
    gather    their facts and their records; Tasks of unknown fate are looked up
    plan      what follows (pure)
    intend    every change is committed with before, after and why, before the first call
    brake     marks that are too many of one kind, and what of a send goes to the wrong records, wait for a person
    apply     the calls that change Salesforce, and their receipts
    learn     once a day, which records have become others: what they were is due for the next run
    release   the claims are given back; what is to be tried again is due later

A crash at any point loses nothing: claims of a dead run are freed by the next one, and what it may have written is
settled by reading.
"""

from __future__ import annotations

from dataclasses import replace
from functools import partial
from typing import TYPE_CHECKING

import structlog

from syncd.activities import is_due
from syncd.budget import Need
from syncd.engine import outage
from syncd.engine.apply import apply
from syncd.engine.braking import Brake, pausing
from syncd.engine.bulk import settle_jobs
from syncd.engine.context import BY_CONFIGURATION, Context, Options, Stopped, Summary, assemble
from syncd.engine.finding import unseen
from syncd.engine.gather import gather
from syncd.engine.guard import Guard
from syncd.engine.moves import learn_moves
from syncd.engine.undoing import undo
from syncd.engine.unsure import must_wait
from syncd.errors import BudgetSpent, ConfigError, Fatal, Retriable
from syncd.figures import are_due
from syncd.model import Plan, State
from syncd.plan import mark_is_stuck, opt_out_is_stuck, plan, wants_record

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping, Sequence

    from syncd.model import Case, Record, Rules, Subject

POINTLESS = frozenset({"REQUEST_LIMIT_EXCEEDED", "API_CURRENTLY_DISABLED"})
"""After one of these no other call is answered either."""
DAY = 86_400_000
SOON = 1  # ms: not in this run, but in the next

__all__ = ["Context", "Options", "Summary", "assemble", "run", "undo"]


def run(
    c: Context,
    cause: str,
    *,
    write: bool = True,
    tasks_now: bool = True,
    patient: bool = False,
    show_again_in: int = SOON,
) -> Summary:
    """Reconciles everything that is due. Raises Busy and StoreError; what Salesforce refuses is in the summary.

    Without `write` it plans, shows and changes nothing in Salesforce; what it showed is due again after `show_again_in`
    ms, and at once for the first run that writes. Without `tasks_now`, Tasks are written only every so often, so that
    one gathers what came meanwhile; marks and opt-outs never wait. A `patient` run leaves a Salesforce that was out of
    reach alone for a while.
    """
    started = c.now()
    said = Summary(run_id=c.begin(cause, started))
    structlog.contextvars.bind_contextvars(run=said.run_id)  # every line of this run names it
    brake = Brake(c, said)
    calls_before = c.crm.session.calls
    tasks_at = 0 if tasks_now else _next_tasks(c, started)
    try:
        _after_observing(c, started, write=write, show_again_in=show_again_in)
        _fold_in(c, said, started)
        brake.pausing = pausing(c, started, write=write)
        with c.budget.for_(Need.OPT_OUTS):
            outage.admit(c, patient=patient)
            if write:
                settle_jobs(c, said)
        trouble = _plan_all(c, said, brake, started, show_again_in=0 if write else show_again_in, tasks_at=tasks_at)
        _carry_out(c, said, brake, write=write)
        learn_moves(c, said, started)
        if trouble:
            raise trouble
        if write and tasks_at <= started:
            c.work.set_meta(_LAST_TASKS, str(started))
    except Stopped:
        said.ended = "stopped"
        c.work.put_off((subject_id for subject_id, _ in c.journal.give_up(said.run_id)), c.now())
    except BudgetSpent as error:
        said.spent(error)
    except ConfigError as error:  # a secret that is read only now
        said.ended, said.code, said.words = "fatal", BY_CONFIGURATION, str(error)
        c.work.failed(((i, c.retry_at(attempts)) for i, attempts in c.journal.give_up(said.run_id)), c.now())
    except (Retriable, Fatal) as error:
        said.ended = "unavailable" if isinstance(error, Retriable) else "fatal"
        said.code, said.words = error.code, error.words
        c.work.failed(((i, c.retry_at(attempts)) for i, attempts in c.journal.give_up(said.run_id)), c.now())
    # Any other error leaves the run open, as a crash would: the next one finds it dead and settles what it left.
    if said.ended == "budget":
        c.work.put_off((subject_id for subject_id, _ in c.journal.give_up(said.run_id)), said.resumes_at)
    said.calls = c.crm.session.calls - calls_before
    outage.note(c, said)
    c.work.set_meta(_RESUMES, str(said.resumes_at or ""))
    c.end(said)
    return said


_LAST_TASKS = "tasks_written_at"
_OBSERVED = "observed"
_RESUMES = "budget_resumes_at"


def _after_observing(c: Context, started: int, *, write: bool, show_again_in: int) -> None:
    """What was only shown and put off is due for the first run that writes."""
    if write:
        c.journal.rules_apply(c.rules, first=True)
    if write and c.work.meta(_OBSERVED):
        c.work.wake_all(started)
        c.work.set_meta(_OBSERVED, "")
    elif not write and show_again_in > SOON:
        c.work.set_meta(_OBSERVED, "yes")


def _next_tasks(c: Context, started: int) -> int:
    last = int(c.work.meta(_LAST_TASKS) or 0)
    return last + c.options.tasks_every if last <= started else 0  # a clock that ran ahead says nothing


def _fold_in(c: Context, said: Summary, started: int) -> None:
    newest = c.work.newest()
    while folded := c.work.fold(started, newest, c.crm.lookup.is_usable):
        said.events += folded
        c.going_on(said.run_id)


def _plan_all(
    c: Context, said: Summary, brake: Brake, started: int, *, show_again_in: int, tasks_at: int
) -> Retriable | None:
    """All that is due, or what there are calls for: at least the opt-outs. The rest stays due.

    What keeps Salesforce from answering for one page need not keep it from taking what was planned before: then it is
    returned, for the run to end with.
    """
    opt_outs_only = bool(c.budget.free_at(Need.MARKS))
    try:
        with c.budget.for_(Need.OPT_OUTS if opt_outs_only else Need.MARKS):
            while page := _claim(c, said, started, opt_outs_only=opt_outs_only):
                _plan_page(c, said, brake, page, show_again_in=show_again_in, tasks_at=tasks_at)
    except BudgetSpent as error:
        said.spent(error)
    except Retriable as error:
        if error.code in POINTLESS or (error.code == "unreachable" and not error.uncertain):
            raise
        return error
    if opt_outs_only and c.work.is_due(started):
        said.spent(c.budget.shortage(Need.MARKS))
    return None


def _carry_out(c: Context, said: Summary, brake: Brake, *, write: bool) -> None:
    if write:
        brake.apply()
        apply(c, said)
    elif not c.work.releasing:
        brake.foresee(said.foresight)


def _claim(c: Context, said: Summary, started: int, *, opt_outs_only: bool = False) -> list[Subject]:
    c.going_on(said.run_id)
    size = c.options.batch_size * c.options.reads
    return c.work.claim(said.run_id, size, started, opt_outs_only=opt_outs_only)


def _plan_page(
    c: Context, said: Summary, brake: Brake, page: Sequence[Subject], *, show_again_in: int, tasks_at: int
) -> None:
    """Plans one page and commits the intents; or, with `show_again_in`, shows them and leaves their subjects due."""
    short = c.budget.shortage(Need.ACTIVITIES)
    tasks_at = max(tasks_at, short.until if short else 0)
    wait_for_tasks = tasks_at > c.now()
    rules = replace(c.rules, activities="off") if wait_for_tasks else c.rules
    guard = Guard(c, said)
    try:
        # like activities, figures are written every so often, or beside what doesn't wait
        figures = frozenset[str]() if wait_for_tasks else c.crm.records.figures
        cases, records = gather(c, said, guard, page, rules, figures)
    except BudgetSpent as error:
        c.work.put_off((subject.id for subject in page), error.until)
        raise
    except (Retriable, Fatal, ConfigError):
        c.work.failed(((subject.id, c.retry_at(subject.attempts)) for subject in page), c.now())
        raise
    plans = list(_planned(c, guard, cases, records, rules, pause=brake.pausing))
    said.subjects += len(page)
    for case, planned in plans:
        said.planned.update(change.what.value for change in planned.changes if change.is_open)
        c.show(case, planned)
    if wait_for_tasks and _leave_tasks(c, guard.standing(cases), records, tasks_at):
        said.spent(short)
    brake.watch(cases, records)
    _put_off_stuck(c, said, [(case, records[case.subject.sf_id]) for case, _ in plans])
    if show_again_in:
        for case, planned in plans:
            said.foresight.note(case, planned)
        c.work.put_off((case.subject.id for case, planned in plans if planned != Plan()), c.now() + show_again_in)
        return
    refused = [change.state.value for _, planned in plans for change in planned.changes]
    said.changes.update(state for state in refused if state == State.REJECTED)
    rules_id = c.journal.rules_id(c.rules, c.now())
    c.journal.commit(said.run_id, rules_id, ((case.subject.id, planned) for case, planned in plans), c.now())


def _put_off_stuck(c: Context, said: Summary, cases: Sequence[tuple[Case, Record]]) -> None:
    """An opt-out is tried for ever, and so is a mark of an address that nobody can see."""
    blind = [(case, record) for case, record in cases if mark_is_stuck(case, record)]
    said.failed += len(blind)
    for _, record in blind:
        said.trouble(f"marks of {record.object}s wait: {unseen(record)}")
    stuck = [case for case, record in cases if opt_out_is_stuck(case, record)] + [case for case, _ in blind]
    c.work.put_off((case.subject.id for case in stuck), c.now() + DAY)


def _planned(
    c: Context, guard: Guard, cases: Sequence[Case], records: Mapping[str, Record], rules: Rules, *, pause: bool
) -> Iterator[tuple[Case, Plan]]:
    for case in cases:
        if record := records.get(case.subject.sf_id):
            planned = guard.think(case, partial(plan, record=record, rules=rules, now=c.now(), pausing=pause))
            if planned and not must_wait(c, case, record, planned):
                yield case, planned


def _leave_tasks(c: Context, cases: Sequence[Case], records: Mapping[str, Record], tasks_at: int) -> int:
    """Those whose activities or figures wait are due again when activities are written; how many."""
    now = replace(c.rules, activities="off")
    waiting = (case for case in cases if case.subject.sf_id in records or not wants_record(case, now))
    figures = c.crm.records.figures
    put_off = [case.subject.id for case in waiting if is_due(case, c.rules) or are_due(case, c.rules, figures)]
    c.work.put_off(put_off, tasks_at)
    return len(put_off)
