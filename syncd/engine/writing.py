"""One call's worth of intents: sent, and each answer recorded, whatever it is.

What was locked, or refused with all others of its call, is given back, so that it is tried again at once in smaller
pieces.
"""

from __future__ import annotations

from collections import Counter
from typing import TYPE_CHECKING, TypeVar

from syncd.activities import activity_token, content_digest
from syncd.engine.restored import taken_over
from syncd.errors import BudgetSpent, Fatal, Refused, Retriable
from syncd.model import Activity, ActivityState, Fate, Receipt, State, What
from syncd.salesforce import Row
from syncd.store import Outcome

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence

    from syncd.engine.context import Context, Summary
    from syncd.model import Value
    from syncd.salesforce import Found
    from syncd.store import Intent

    _Unsent = Callable[[Context, Intent, Receipt, bool], Outcome]
    Locked = list[tuple[Intent, Receipt]]

T = TypeVar("T")
DAY = 86_400_000
AGAIN = frozenset({Fate.LOCKED, Fate.CROWDED})
"""At once, with fewer beside it."""

# --- fields -------------------------------------------------------------------------------------------------------


def write_fields(c: Context, said: Summary, intents: Sequence[Intent]) -> Locked:
    """One row for each record, with all its changes; if that row is rejected, each change on its own.

    A rule against the bounce fields must not keep an opt-out from being written.
    """
    try:
        answers = _write_rows(c, said, intents)
    except Refused as error:
        return _in_groups(c, said, intents, error)
    shared = Counter(intent.change.sf_id for intent in intents)
    locked: Locked = []
    answered: Locked = []
    apart: list[Intent] = []
    for intent in intents:
        receipt = answers[intent.change.sf_id]
        if receipt.fate in AGAIN:
            locked.append((intent, receipt))
        elif receipt.fate is Fate.REJECTED and shared[intent.change.sf_id] > 1:
            apart.append(intent)
        else:
            answered.append((intent, receipt))
    record(c, said, [fields_answered(c, intent, receipt) for intent, receipt in answered])
    for what in (What.OPT_OUT, What.MARK, What.LIFT, What.UNDO, What.ENGAGEMENT):
        if alone := [intent for intent in apart if intent.change.what is what]:
            locked += write_fields(c, said, alone)
    return locked


def _in_groups(c: Context, said: Summary, intents: Sequence[Intent], error: Refused) -> Locked:
    """A field that is gone, or closed by now, refuses the call for all: each kind of change on its own."""
    groups: dict[tuple[str, What], list[Intent]] = {}
    for intent in intents:
        groups.setdefault((intent.change.object, intent.change.what), []).append(intent)
    if len(groups) > 1:
        return [locked for group in groups.values() for locked in write_fields(c, said, group)]
    c.crm.records.forget_shapes()
    refused = Receipt(code=error.code, words=error.words, fate=Fate.REJECTED)
    record(c, said, [fields_answered(c, intent, refused) for intent in intents])
    return []


def _write_rows(c: Context, said: Summary, intents: Sequence[Intent]) -> dict[str, Receipt]:
    """The receipts by record."""
    values: dict[tuple[str, str], dict[str, Value]] = {}
    for intent in intents:
        values.setdefault((intent.change.object, intent.change.sf_id), {}).update(intent.change.after)
    rows = [Row(object_, sf_id, after) for (object_, sf_id), after in values.items()]
    receipts = ask(c, said, intents, lambda: c.crm.records.write(rows), field_unsent)
    return dict(zip((row.id for row in rows), receipts, strict=True))


def fields_answered(c: Context, intent: Intent, receipt: Receipt) -> Outcome:
    return Outcome(intent.id, intent.subject_id, state_of(c, intent, receipt), receipt)


def field_unsent(_: Context, intent: Intent, receipt: Receipt, uncertain: bool) -> Outcome:
    return Outcome(intent.id, intent.subject_id, State.UNCERTAIN if uncertain else State.SUPERSEDED, receipt)


# --- activities ---------------------------------------------------------------------------------------------------


def create_tasks(c: Context, said: Summary, intents: Sequence[Intent]) -> Locked:
    """The ledger's lines are written first: after a crash nobody else would know that these Tasks may exist."""
    if there := taken_over(c, intents):
        record(c, said, there)
        return []
    by_token = {token_of(intent): intent for intent in intents}  # a call with a token twice would be refused
    c.journal.sending((intent, token) for token, intent in by_token.items())
    new = [(intent.change.sf_id, intent.change.after, token) for token, intent in by_token.items()]
    try:
        receipts = ask(c, said, list(by_token.values()), lambda: c.crm.tasks.create(new), _task_unsent)
    except Refused as error:
        raise refused(c, said, intents, error, _task_unsent) from error
    return tasks_created(c, said, list(zip(by_token.values(), receipts, strict=True)))


def tasks_created(c: Context, said: Summary, answered: Sequence[tuple[Intent, Receipt]]) -> Locked:
    """Records them. Of those that are said to be there already it is looked up which one it is."""
    doubtful = {intent.id: receipt for intent, receipt in answered if c.crm.tasks.may_exist(receipt)}
    locked = _recorded(c, said, [one for one in answered if one[0].id not in doubtful], task_created)
    if doubtful:
        same = [intent for intent, _ in answered if intent.id in doubtful]
        there = ask(c, said, same, lambda: c.crm.tasks.with_tokens(map(token_of, same)), _task_in_doubt)
        record(c, said, [task_there(c, i, doubtful[i.id], there.get(token_of(i))) for i in same])
    return locked


def update_tasks(c: Context, said: Summary, intents: Sequence[Intent]) -> Locked:
    known = [(task_id_of(intent), intent.change.after) for intent in intents]
    try:
        receipts = ask(c, said, intents, lambda: c.crm.tasks.update(known), field_unsent)
    except Refused as error:
        raise refused(c, said, intents, error, field_unsent) from error
    return _recorded(c, said, list(zip(intents, receipts, strict=True)), task_updated)


def _recorded(
    c: Context,
    said: Summary,
    answered: Sequence[tuple[Intent, Receipt]],
    outcome: Callable[[Context, Intent, Receipt], Outcome],
) -> Locked:
    record(c, said, [outcome(c, i, receipt) for i, receipt in answered if receipt.fate not in AGAIN])
    return [(intent, receipt) for intent, receipt in answered if receipt.fate in AGAIN]


def token_of(intent: Intent) -> str:
    return activity_token(intent.change.sf_id, intent.change.activity)


def task_id_of(intent: Intent) -> str:
    return str(intent.change.before["task_id"])


def task_created(c: Context, intent: Intent, receipt: Receipt) -> Outcome:
    key, subject = intent.change.activity, intent.subject_id
    state = state_of(c, intent, receipt)
    if state is not State.DONE:
        return Outcome(intent.id, subject, state, receipt, unmade=key)
    made = Activity(key, token_of(intent), ActivityState.KNOWN, receipt.sf_id, content_digest(intent.change.after))
    return Outcome(intent.id, subject, state, receipt, made)


def task_there(c: Context, intent: Intent, refusal: Receipt, found: Found | None) -> Outcome:
    """One with its token was made before, and nobody remembers; or, without one, the refusal is as any other."""
    if found is None:
        return task_created(c, intent, refusal)
    c.work.put_off([intent.subject_id], c.now() + 1)  # its text may be of then
    state = ActivityState.GONE if found.deleted else ActivityState.KNOWN
    known = Activity(intent.change.activity, token_of(intent), state, found.task_id, content_digest(found.values))
    receipt = Receipt(found.task_id, words="it was there already")
    return Outcome(intent.id, intent.subject_id, State.DONE, receipt, known)


def task_updated(c: Context, intent: Intent, receipt: Receipt) -> Outcome:
    """A Task that a person deleted is not made again, and that is no failure."""
    key, task_id = intent.change.activity, task_id_of(intent)
    if receipt.fate is Fate.GONE:
        gone = Activity(key, token_of(intent), ActivityState.GONE, task_id)
        return Outcome(intent.id, intent.subject_id, State.SUPERSEDED, receipt, gone)
    state = state_of(c, intent, receipt)
    if state is not State.DONE:
        return Outcome(intent.id, intent.subject_id, state, receipt)
    written = Activity(key, token_of(intent), ActivityState.KNOWN, task_id, content_digest(intent.change.after))
    return Outcome(intent.id, intent.subject_id, state, receipt, written)


def _task_unsent(c: Context, intent: Intent, receipt: Receipt, uncertain: bool) -> Outcome:
    key, subject = intent.change.activity, intent.subject_id
    if not uncertain:
        return Outcome(intent.id, subject, State.SUPERSEDED, receipt, unmade=key)
    return task_uncertain(c, intent, receipt)


def _task_in_doubt(c: Context, intent: Intent, receipt: Receipt, _: bool) -> Outcome:
    return task_uncertain(c, intent, receipt)


def task_uncertain(c: Context, intent: Intent, receipt: Receipt) -> Outcome:
    """Salesforce may have made it, or may do so yet."""
    key = intent.change.activity
    waiting = Activity(key, token_of(intent), ActivityState.UNCERTAIN, not_before=c.now() + c.options.settle)
    return Outcome(intent.id, intent.subject_id, State.UNCERTAIN, receipt, waiting)


# --- answers ------------------------------------------------------------------------------------------------------


def ask(
    c: Context,
    said: Summary,
    intents: Sequence[Intent],
    call: Callable[[], T],
    unsent: _Unsent,
) -> T:
    """What the call says. If the whole call fails, each intent gets one that says so, and the run ends.

    A Refused is left to the caller, who may know a call that is not.
    """
    try:
        return call()
    except Refused:
        raise
    except (Retriable, Fatal) as error:
        _failed(c, said, intents, error, unsent)
        raise


def refused(
    c: Context,
    said: Summary,
    intents: Sequence[Intent],
    error: Refused,
    unsent: _Unsent,
) -> Fatal:
    """Nobody's Task is taken like this: a person has to look."""
    _failed(c, said, intents, error, unsent)
    return Fatal(error.code, error.words)


def _failed(
    c: Context,
    said: Summary,
    intents: Sequence[Intent],
    error: Retriable | Fatal,
    unsent: _Unsent,
) -> None:
    uncertain = isinstance(error, Retriable) and error.uncertain
    receipt = Receipt(code=error.code, words=error.words, fate=Fate.LATER)
    record(c, said, [unsent(c, intent, receipt, uncertain) for intent in intents])
    if isinstance(error, BudgetSpent):
        c.work.put_off((intent.subject_id for intent in intents), error.until)
    else:
        c.work.failed(((intent.subject_id, c.retry_at(intent.attempts)) for intent in intents), c.now())


def state_of(c: Context, intent: Intent, receipt: Receipt) -> State:
    """Done, rejected, or later: then the change is void, and planned anew when its subject is due again."""
    if receipt.fate is Fate.TAKEN:
        return State.DONE
    for_ever = intent.change.what is What.OPT_OUT  # nobody's wish to be left alone is given up
    if receipt.fate is Fate.REJECTED:
        if for_ever:
            c.work.put_off([intent.subject_id], c.now() + DAY)
        return State.REJECTED
    failing_since = c.now() if intent.failing_since is None else intent.failing_since
    if c.now() - failing_since >= c.options.retry_for and not for_ever:
        return State.REJECTED
    c.work.failed([(intent.subject_id, c.retry_at(intent.attempts))], c.now(), itself=True)
    return State.SUPERSEDED


def put_off_locked(c: Context, said: Summary, locked: Locked) -> None:
    """Not taken to the end: later, with a Task's line in the ledger taken back, since it was surely not made."""
    outcomes = []
    for intent, receipt in locked:
        new = intent.change.what is What.ACTIVITY and "task_id" not in intent.change.before
        unmade = intent.change.activity if new else ""
        outcomes.append(Outcome(intent.id, intent.subject_id, state_of(c, intent, receipt), receipt, unmade=unmade))
    record(c, said, outcomes)


def record(c: Context, said: Summary, outcomes: Sequence[Outcome]) -> None:
    """Raises Fatal, once all is recorded, if one says that nobody's row will be taken."""
    said.changes.update(outcome.state.value for outcome in outcomes)
    said.failed += sum(outcome.state is State.SUPERSEDED and _is_later(outcome.receipt) for outcome in outcomes)
    rejected = (outcome.receipt for outcome in outcomes if outcome.state is State.REJECTED)
    said.rejections.update(receipt.code for receipt in rejected if receipt)
    c.journal.record(outcomes, c.now())
    for receipt in (outcome.receipt for outcome in outcomes if outcome.receipt):
        if receipt.fate is Fate.FULL and not said.full:
            said.full, said.code, said.words = True, receipt.code, receipt.words
        if receipt.fate is Fate.STOP:
            raise Fatal(receipt.code, receipt.words)


def _is_later(receipt: Receipt | None) -> bool:
    return receipt is not None and receipt.fate in _LATER


_LATER = frozenset({Fate.LATER, Fate.FULL, *AGAIN})
