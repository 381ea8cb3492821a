"""The port of a run that only looks ahead: the subjects chosen and those due, and nothing of theirs is moved.

`sync --dry-run` may leave a subject due, because it was due before. Of subjects that a person chose that would be a
write: the scheduler would carry out, a minute later, what was only to be shown. So they are read and not claimed; what
is found out about their records is kept here and not in the store.
"""

from __future__ import annotations

from collections import defaultdict
from dataclasses import replace
from typing import TYPE_CHECKING

from syncd.model import ActivityState, Subject
from syncd.store.sqlite import rows
from syncd.store.work import Work

if TYPE_CHECKING:
    from collections.abc import Iterable, Sequence

    from sqlite_utils import Database

    from syncd.model import Case, Match, Move, Recipient


class Preview(Work):
    """Give it to a run that does not write. Needs the connection on which the subjects were `Chosen`.

    `forgiving`: as if what was refused had never been told, as `syncd retry` would have it. `releasing`: as if nothing
    were held.
    """

    looks_only = True

    def __init__(self, db: Database, *, forgiving: bool = False, releasing: bool = False) -> None:
        super().__init__(db)
        self._forgiving = forgiving
        self.releasing = releasing
        self._after = -1
        self._joined: dict[str, list[Subject]] = defaultdict(list)  # record → subjects found to be it

    def claim(self, run_id: int, limit: int, due_by: int, *, opt_outs_only: bool = False) -> list[Subject]:
        page = [Subject(*row) for row in rows(self._db, _NEXT, (self._after, due_by, limit))]
        if page:
            self._after = page[-1].id
        return page

    def put_off(self, subject_ids: Iterable[int], until: int) -> None:
        """Nothing: they are due when they were."""

    def failed(self, subjects: Iterable[tuple[int, int]], now: int, *, itself: bool = False) -> None:
        """Nothing: it was no attempt."""

    def unmatched(self, recipients: Iterable[Recipient], now: int) -> None:
        """Nothing: it does not count as a look-up."""

    def remember(self, moves: Iterable[Move], now: int) -> None:
        """Nothing: it is asked again."""

    def attach(self, run_id: int, matches: Iterable[Match], page: set[int], now: int) -> list[Subject]:
        """In memory. Recipients that would be parted from their subject are shown with it."""
        carriers: dict[int, Subject] = {}
        for match in matches:
            if match.recipients:
                carriers[match.subject.id] = match.subject
                continue
            known = rows(self._db, _KNOWN, (match.sf_id,))
            joined = self._joined[match.sf_id]
            carrier = (
                Subject(*known[0])
                if known
                else replace((joined or [match.subject])[0], sf_id=match.sf_id, object=match.object)
            )
            joined.append(match.subject)
            carriers[carrier.id] = carrier
        return list(carriers.values())

    def cases(self, subjects: Sequence[Subject], spoilt: dict[int, Exception] | None = None) -> list[Case]:
        """As they will be once the subjects of one record are one."""
        return [self._whole(case) for case in super().cases(subjects, spoilt)]

    def _whole(self, case: Case) -> Case:
        joined = {subject.id: subject for subject in self._joined.get(case.subject.sf_id, ())}
        was = joined.pop(case.subject.id, None)
        if was and was.sf_id:
            case = _of_another(case, was.sf_id)
        for other in super().cases(list(joined.values())) if joined else ():
            case = _with(case, _of_another(other, other.subject.sf_id))
        if self._forgiving:
            case = replace(case, ledger=replace(case.ledger, refused=frozenset()))
        if self.releasing:
            pending = tuple(change for change in case.ledger.pending if not change.held)
            case = replace(case, ledger=replace(case.ledger, pending=pending))
        return case


def _of_another(case: Case, sf_id: str) -> Case:
    """What is known of a record, as it is known of the one that it was merged into."""
    marks = (case.ledger.mark,) if case.ledger.mark else ()
    return replace(
        case,
        decisions=tuple(replace(word, sf_id=word.sf_id or sf_id) for word in case.decisions),
        ledger=replace(case.ledger, mark=None, opt_out=None, engagement={}, inherited=(*case.ledger.inherited, *marks)),
    )


def _with(case: Case, other: Case) -> Case:
    mine, theirs = case.ledger, other.ledger
    known = {key for key, line in theirs.activities.items() if line.state is ActivityState.KNOWN}
    own = {key: line for key, line in mine.activities.items() if line.state is ActivityState.KNOWN or key not in known}
    return replace(
        case,
        recipients=case.recipients + other.recipients,
        events=case.events + other.events,
        decisions=case.decisions + other.decisions,
        ledger=replace(
            mine,
            activities={**theirs.activities, **own},
            pending=mine.pending + theirs.pending,
            refused=mine.refused | theirs.refused,
            dropped=mine.dropped | theirs.dropped,
            inherited=mine.inherited + theirs.inherited,
        ),
    )


_COLUMNS = "id, coalesce(sf_id, ''), coalesce(object, ''), attempts, failing_since"
_KNOWN = f"SELECT {_COLUMNS} FROM subjects WHERE sf_id = ?"
_NEXT = (
    f"SELECT {_COLUMNS} FROM subjects WHERE id > ? AND run_id IS NULL"
    " AND (due_at <= ? OR id IN (SELECT id FROM temp.chosen)) ORDER BY id LIMIT ?"
)
