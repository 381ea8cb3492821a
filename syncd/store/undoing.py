"""The port of who takes back: what was written, by run, by record, or of a held group; and not taken back since."""

from __future__ import annotations

import json
from dataclasses import dataclass
from itertools import groupby
from typing import TYPE_CHECKING

from syncd.model import What
from syncd.reversal import Written
from syncd.store.sqlite import rows

if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence

    from sqlite_utils import Database

RECORDS_A_PAGE = 1_000


@dataclass(frozen=True, slots=True)
class Wanted:
    """One of them."""

    run: int | None = None
    record: str = ""  # 18 characters
    changes: tuple[int, ...] = ()


class Undoing:
    def __init__(self, db: Database) -> None:
        self._db = db

    def records(self, wanted: Wanted) -> Iterator[list[list[Written]]]:
        """Pages of records, each with what Salesforce took of it, oldest first."""
        arguments = {"run": wanted.run, "record": wanted.record, "ids": json.dumps(wanted.changes)}
        after = ""
        while page := rows(self._db, _RECORDS, {**arguments, "after": after, "size": RECORDS_A_PAGE}):
            after = page[-1][0]
            sf_ids = json.dumps([sf_id for (sf_id,) in page])
            found = [_written(row) for row in rows(self._db, _WRITTEN, {**arguments, "sf_ids": sf_ids})]
            yield [list(its) for _, its in groupby(found, key=lambda one: one.sf_id)]

    def count(self, wanted: Wanted) -> int:
        arguments = {"run": wanted.run, "record": wanted.record, "ids": json.dumps(wanted.changes)}
        return int(rows(self._db, f"SELECT count(DISTINCT c.sf_id) {_MEANT}", arguments)[0][0])

    def tasks(self, subject_keys: Sequence[tuple[int, str]]) -> dict[tuple[int, str], str]:
        """(subject, key of an activity) → the Task's id, of those that are known to be there."""
        found: dict[tuple[int, str], str] = {}
        for subject, key in subject_keys:
            there = rows(
                self._db,
                "SELECT task_id FROM activities WHERE subject_id = ? AND key = ? AND state = 'known'",
                (subject, key),
            )
            if there:
                found[subject, key] = str(there[0][0])
        return found


def _written(row: Sequence[object]) -> Written:
    change_id, run, subject, what, object_, sf_id, activity, before, after, why, through = row
    return Written(
        int(str(change_id)), int(str(run)), int(str(subject)), What(str(what)), str(object_), str(sf_id), str(activity),
        json.loads(str(before)), json.loads(str(after)), json.loads(str(why)), int(str(through)),
    )  # fmt: skip


_MEANT = """FROM changes c WHERE c.state = 'done' AND c.what NOT IN ('undo','engagement')
  AND (:run IS NULL OR c.run_id = :run) AND (:record = '' OR c.sf_id = :record)
  AND (:ids = '[]' OR c.id IN (SELECT value FROM json_each(:ids)))
  AND c.id NOT IN (SELECT j.value FROM changes u, json_each(u.why, '$.undoes') j
    WHERE u.what = 'undo' AND u.state = 'done')
  AND (c.what <> 'activity' OR (json_extract(c.before, '$.task_id') IS NULL AND EXISTS (
    SELECT 1 FROM activities a WHERE a.subject_id = c.subject_id AND a.key = c.activity AND a.state = 'known')))"""
"""Of a Task only its making, as long as it is there. Counts and dates of engagement only say what happened."""

_RECORDS = f"SELECT DISTINCT c.sf_id {_MEANT} AND c.sf_id > :after ORDER BY c.sf_id LIMIT :size"

_WRITTEN = f"""
SELECT c.id, c.run_id, c.subject_id, c.what, c.object, c.sf_id, coalesce(c.activity, ''), c.before, c.after, c.why,
  c.through {_MEANT} AND c.sf_id IN (SELECT value FROM json_each(:sf_ids)) ORDER BY c.sf_id, c.id"""
