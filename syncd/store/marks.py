"""Hard marks as the brake takes them, and what was written of the groups that it holds."""

from __future__ import annotations

import json
from typing import TYPE_CHECKING, Any

from syncd.brake import TOTAL, WINDOW, Group, Mark
from syncd.store.sqlite import rows

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping, Sequence

    from sqlite_utils import Database

    Written = tuple[int, str, int]
    """(change, what, run)"""

MARKS_A_PAGE = 1_000


def planned(db: Database, run_id: int) -> Iterator[Mark]:
    """Those that this run means to write and no person has released, in the order of planning."""
    return (mark for mark, _ in _marks(db, "c.run_id = :run AND c.state = 'intended'", {"run": run_id}))


def written(db: Database, since: int) -> Iterator[tuple[Mark, int]]:
    """Those that were written, or perhaps were, since this instant, and when."""
    return _marks(db, "c.intended_at >= :since AND c.state IN ('done','uncertain')", {"since": since})


def written_of(db: Database, groups: Mapping[Group, int]) -> dict[Group, list[Written]]:
    """What went to Salesforce of each, from a day before it was opened. The marks are gone through once for all."""
    sends = {group: _of_send(db, group.value) for group in groups if group.by == "shifted"}
    since = {group: opened_at - WINDOW for group, opened_at in groups.items() if group not in sends}
    belong: dict[Group, list[int]] = {group: [] for group in since}
    for mark, at in written(db, min(since.values())) if since else ():
        for group in since.keys() & {TOTAL, *mark.groups}:
            if at >= since[group]:
                belong[group].append(mark.id)
    return sends | {group: _not_undone(db, marks) for group, marks in belong.items()}


def _of_send(db: Database, send: str) -> list[Written]:
    return rows(db, _OF_SEND, (send,))


def _not_undone(db: Database, marks: Sequence[int]) -> list[Written]:
    return rows(db, _NOT_UNDONE, (json.dumps(marks),)) if marks else []


def _marks(db: Database, which: str, arguments: dict[str, Any]) -> Iterator[tuple[Mark, int]]:
    after = 0
    while page := rows(db, _MARKS.format(which=which), {**arguments, "after": after, "size": MARKS_A_PAGE}):
        yield from ((Mark(*mark), at) for *mark, at in page)
        after = page[-1][0]


# `<> ''` as the index `changes_send` has it
_OF_SEND = """
SELECT id, what, run_id FROM changes WHERE json_extract(why, '$.send') = ? AND json_extract(why, '$.send') <> ''
  AND state = 'done' ORDER BY id"""

_NOT_UNDONE = """
SELECT id, what, run_id FROM changes WHERE id IN (SELECT value FROM json_each(?)) AND state = 'done'
  AND id NOT IN (SELECT value FROM changes u, json_each(u.why, '$.undoes') WHERE u.what = 'undo' AND u.state = 'done')
ORDER BY id"""

# Without those a person has released: they are right, and count against nobody.
_MARKS = """
SELECT c.id, coalesce(json_extract(c.why, '$.address'), ''), coalesce(json_extract(c.why, '$.send'), ''),
  coalesce(json_extract(c.why, '$.text'), ''), coalesce(json_extract(c.why, '$.reason'), ''), c.intended_at
FROM changes c WHERE {which} AND c.what = 'mark' AND json_extract(c.why, '$.rule') = 'hard_bounce' AND c.id > :after
  AND NOT EXISTS (SELECT 1 FROM decisions d WHERE d.subject_id = c.subject_id AND d.aspect = 'invalid'
    AND d.verdict = 'released' AND d.through >= c.through)
ORDER BY c.id LIMIT :size"""
