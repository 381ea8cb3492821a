"""Taking back what was written: a run of its own, by the same way of intent, call and receipt.

A decision goes with each intent, so that the evidence is spent: `resync` leaves what was taken back, and only what
happens later marks again.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from syncd.engine.apply import apply
from syncd.engine.context import BY_CONFIGURATION, Stopped, Summary
from syncd.errors import BudgetSpent, ConfigError, Fatal, Retriable
from syncd.model import Activity, ActivityState, Fate, Plan, State
from syncd.reversal import Reversal, reverse
from syncd.store import Outcome, Undoing

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence

    from syncd.engine.context import Context
    from syncd.reversal import Written
    from syncd.store import Wanted

TASKS_A_CALL = 200


def undo(
    c: Context, undoing: Undoing, wanted: Wanted, by: str, show: Callable[[Reversal], None], *, write: bool, tasks: bool
) -> Summary:
    """Takes back what is meant, and shows each record's reversal first. `tasks`: deletes the Tasks, too."""
    said = Summary(run_id=c.begin("undo", c.now()))
    before = c.crm.session.calls
    doomed: list[Written] = []
    try:
        for page in undoing.records(wanted):
            c.going_on(said.run_id)
            doomed += _plan_page(c, said, page, by, show, write=write, tasks=tasks)
        if write:
            apply(c, said)
            _delete(c, said, undoing, doomed)
    except Stopped:
        said.ended = "stopped"
    except BudgetSpent as error:
        said.spent(error)
    except ConfigError as error:
        said.ended, said.code, said.words = "fatal", BY_CONFIGURATION, str(error)
    except (Retriable, Fatal) as error:
        said.ended = "unavailable" if isinstance(error, Retriable) else "fatal"
        said.code, said.words = error.code, error.words
    if said.ended != "done":
        c.journal.give_up(said.run_id)
    said.calls = c.crm.session.calls - before
    c.end(said)
    return said


def _plan_page(
    c: Context,
    said: Summary,
    page: Sequence[Sequence[Written]],
    by: str,
    show: Callable[[Reversal], None],
    *,
    write: bool,
    tasks: bool,
) -> list[Written]:
    """Reads the records and commits the intents; the changes whose Tasks are to be deleted."""
    records = c.crm.read((its[0].sf_id for its in page), {}).records
    plans: list[tuple[int, Plan]] = []
    doomed: list[Written] = []
    now = c.now()  # of the decision and of the intent that follows from it
    for its in page:
        reversal = reverse(its, records.get(its[0].sf_id), now, by)
        made = [left.written for left in reversal.left if left.reason == "task"] if tasks else []
        doomed += made
        show(Reversal(reversal.change, reversal.decision, tuple(x for x in reversal.left if x.written not in made)))
        said.subjects += 1
        if reversal.change and reversal.decision:
            said.planned["undo"] += 1
            plans.append((its[-1].subject, Plan((), (reversal.decision,), (reversal.change,))))
    if write:
        c.work.put_off((subject for subject, _ in plans), now)  # after a crash, the next run sees what became of it
        c.journal.commit(said.run_id, c.journal.rules_id(c.rules, now), plans, now)
    return doomed


def _delete(c: Context, said: Summary, undoing: Undoing, doomed: Sequence[Written]) -> None:
    """Deleted Tasks are not made again: the ledger has them as gone."""
    there = undoing.tasks([(one.subject, one.activity) for one in doomed])
    tasks = [(one, there[key]) for one in doomed if (key := (one.subject, one.activity)) in there]
    for start in range(0, len(tasks), TASKS_A_CALL):
        page = tasks[start : start + TASKS_A_CALL]
        receipts = c.crm.tasks.delete([task_id for _, task_id in page])
        for (one, task_id), receipt in zip(page, receipts, strict=True):
            ok = receipt.fate in (Fate.TAKEN, Fate.GONE)
            said.changes["deleted" if ok else "rejected"] += 1
            if ok:
                gone = Activity(one.activity, "", ActivityState.GONE, task_id)
                c.journal.record([Outcome(one.id, one.subject, State.DONE, None, gone)], c.now())
