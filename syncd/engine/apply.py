"""The calls that change Salesforce. No transaction is open meanwhile; every answer becomes a receipt."""

from __future__ import annotations

from collections import Counter
from typing import TYPE_CHECKING

from syncd.activities import content_digest
from syncd.engine.restored import taken_over
from syncd.errors import BudgetSpent, Fatal, Retriable
from syncd.model import Activity, ActivityState, Fate, Receipt, State, What
from syncd.plan import activity_token
from syncd.salesforce import Need, Row
from syncd.store import Outcome

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence

    from syncd.engine.context import Context, Summary
    from syncd.model import Value
    from syncd.store import Intent

    _Step = Callable[[Context, Summary, Sequence[Intent]], list[Outcome]]


def apply(c: Context, said: Summary) -> None:
    """Opt-outs first, then marks and lifts, then activities: what matters most goes out while calls are left."""
    steps: list[tuple[Need, Callable[[], list[Intent]], _Step]] = [
        (Need.OPT_OUTS, lambda: c.journal.next_fields(said.run_id, What.OPT_OUT), _write_fields),
        (Need.MARKS, lambda: c.journal.next_fields(said.run_id, None), _write_fields),
        (Need.ACTIVITIES, lambda: c.journal.next_activities(said.run_id, known=False), _create_tasks),
        (Need.ACTIVITIES, lambda: c.journal.next_activities(said.run_id, known=True), _update_tasks),
    ]
    for need, next_call, write in steps:
        with c.budget.for_(need):
            while intents := next_call():
                c.going_on(said.run_id)
                _record(c, said, write(c, said, intents))


def _write_fields(c: Context, said: Summary, intents: Sequence[Intent]) -> list[Outcome]:
    """One row for each record, with all its changes; if that row is rejected, each change on its own.

    A rule against the bounce fields must not keep an opt-out from being written.
    """
    answers = _write_rows(c, said, intents)
    shared = Counter(intent.change.sf_id for intent in intents)
    apart = [i for i in intents if shared[i.change.sf_id] > 1 and answers[i.change.sf_id].fate is Fate.REJECTED]
    done = [_answered(c, i, answers[i.change.sf_id]) for i in intents if i not in apart]
    _record(c, said, done)
    for what in (What.OPT_OUT, What.MARK, What.LIFT):
        if alone := [intent for intent in apart if intent.change.what is what]:
            answers = _write_rows(c, said, alone)
            _record(c, said, [_answered(c, intent, answers[intent.change.sf_id]) for intent in alone])
    return []


def _write_rows(c: Context, said: Summary, intents: Sequence[Intent]) -> dict[str, Receipt]:
    """The receipts by record."""
    values: dict[tuple[str, str], dict[str, Value]] = {}
    for intent in intents:
        values.setdefault((intent.change.object, intent.change.sf_id), {}).update(intent.change.after)
    rows = [Row(object_, sf_id, after) for (object_, sf_id), after in values.items()]
    receipts = _ask(c, said, intents, lambda: c.crm.records.write(rows), _field_unsent)
    return dict(zip((row.id for row in rows), receipts, strict=True))


def _create_tasks(c: Context, said: Summary, intents: Sequence[Intent]) -> list[Outcome]:
    """The ledger's lines are written first: after a crash nobody else would know that these Tasks may exist."""
    if there := taken_over(c, intents):
        return there
    tokens = [activity_token(intent.change.sf_id, intent.change.activity) for intent in intents]
    c.journal.sending(zip(intents, tokens, strict=True))
    receipts = _ask(
        c,
        said,
        intents,
        lambda: c.crm.tasks.create([(intent.change.sf_id, intent.change.after) for intent in intents]),
        _task_unsent,
    )
    return [
        _created(c, intent, token, receipt) for intent, token, receipt in zip(intents, tokens, receipts, strict=True)
    ]


def _update_tasks(c: Context, said: Summary, intents: Sequence[Intent]) -> list[Outcome]:
    receipts = _ask(
        c,
        said,
        intents,
        lambda: c.crm.tasks.update([(_task_id(intent), intent.change.after) for intent in intents]),
        _field_unsent,
    )
    return [_updated(c, intent, receipt) for intent, receipt in zip(intents, receipts, strict=True)]


def _task_id(intent: Intent) -> str:
    return str(intent.change.before["task_id"])


def _ask(
    c: Context,
    said: Summary,
    intents: Sequence[Intent],
    call: Callable[[], list[Receipt]],
    unsent: Callable[[Context, Intent, Receipt, bool], Outcome],
) -> list[Receipt]:
    """The call's receipts. If the whole call fails, each intent gets one that says so, and the run ends."""
    try:
        return call()
    except (Retriable, Fatal) as error:
        uncertain = isinstance(error, Retriable) and error.uncertain
        receipt = Receipt(code=error.code, words=error.words, fate=Fate.LATER)
        _record(c, said, [unsent(c, intent, receipt, uncertain) for intent in intents])
        if isinstance(error, BudgetSpent):
            c.work.put_off((intent.subject_id for intent in intents), error.until)
            raise
        c.work.failed(((intent.subject_id, c.retry_at(intent.attempts)) for intent in intents), c.now())
        raise


def _field_unsent(_: Context, intent: Intent, receipt: Receipt, uncertain: bool) -> Outcome:
    return Outcome(intent.id, intent.subject_id, State.UNCERTAIN if uncertain else State.SUPERSEDED, receipt)


def _task_unsent(c: Context, intent: Intent, receipt: Receipt, uncertain: bool) -> Outcome:
    key, subject = intent.change.activity, intent.subject_id
    if not uncertain:
        return Outcome(intent.id, subject, State.SUPERSEDED, receipt, unmade=key)
    token = activity_token(intent.change.sf_id, key)
    waiting = Activity(key, token, ActivityState.UNCERTAIN, not_before=c.now() + c.options.settle)
    return Outcome(intent.id, subject, State.UNCERTAIN, receipt, waiting)


def _answered(c: Context, intent: Intent, receipt: Receipt) -> Outcome:
    return Outcome(intent.id, intent.subject_id, _state(c, intent, receipt), receipt)


def _created(c: Context, intent: Intent, token: str, receipt: Receipt) -> Outcome:
    key, subject = intent.change.activity, intent.subject_id
    state = _state(c, intent, receipt)
    if state is not State.DONE:
        return Outcome(intent.id, subject, state, receipt, unmade=key)
    made = Activity(key, token, ActivityState.KNOWN, receipt.sf_id, content_digest(intent.change.after))
    return Outcome(intent.id, subject, state, receipt, made)


def _updated(c: Context, intent: Intent, receipt: Receipt) -> Outcome:
    """A Task that a person deleted is not made again, and that is no failure."""
    key, task_id = intent.change.activity, _task_id(intent)
    token = activity_token(intent.change.sf_id, key)
    if receipt.fate is Fate.GONE:
        gone = Activity(key, token, ActivityState.GONE, task_id)
        return Outcome(intent.id, intent.subject_id, State.SUPERSEDED, receipt, gone)
    state = _state(c, intent, receipt)
    if state is not State.DONE:
        return Outcome(intent.id, intent.subject_id, state, receipt)
    written = Activity(key, token, ActivityState.KNOWN, task_id, content_digest(intent.change.after))
    return Outcome(intent.id, intent.subject_id, state, receipt, written)


def _state(c: Context, intent: Intent, receipt: Receipt) -> State:
    """Done, rejected, or later: then the change is void, and planned anew when its subject is due again."""
    if receipt.fate is Fate.TAKEN:
        return State.DONE
    failing_since = c.now() if intent.failing_since is None else intent.failing_since
    # A record that is gone may have been merged or converted: the next run looks where it went.
    if receipt.fate is Fate.REJECTED or c.now() - failing_since >= c.options.retry_for:
        return State.REJECTED
    c.work.failed([(intent.subject_id, c.retry_at(intent.attempts))], c.now(), itself=True)
    return State.SUPERSEDED


def _is_later(receipt: Receipt | None) -> bool:
    return receipt is not None and receipt.fate is Fate.LATER


def _record(c: Context, said: Summary, outcomes: Sequence[Outcome]) -> None:
    said.changes.update(outcome.state.value for outcome in outcomes)
    said.failed += sum(outcome.state is State.SUPERSEDED and _is_later(outcome.receipt) for outcome in outcomes)
    c.journal.record(outcomes, c.now())
