"""The port of the brake: what it measures, what it keeps back, and what a person decides about that."""

from __future__ import annotations

import json
from collections import Counter
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from syncd.brake import WINDOW, Group
from syncd.model import Aspect, Verdict, What
from syncd.store import mailed, marks
from syncd.store.matching import DUE
from syncd.store.sqlite import ROWS_A_TRANSACTION, chunks, insert, many, pause, rows, transaction

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator, Mapping

    from sqlite_utils import Database

    from syncd.brake import Mark
    from syncd.model import Seen

CHANGES_A_PAGE = 1_000
PAUSED_SINCE = "soft_bounces_paused_since"
"""The entry in `meta`: since when soft bounces mark nobody."""


@dataclass(frozen=True, slots=True)
class Hold:
    """A group that waits for a person. `held`, `written`: changes by what; `runs`: those that wrote of it."""

    id: int
    group: Group
    opened_at: int
    held: Mapping[str, int]
    written: Mapping[str, int]
    runs: tuple[int, ...]


class Holds:
    def __init__(self, db: Database) -> None:
        self._db = db

    # --- what the brake measures ----------------------------------------------------------------------------------

    def planned(self, run_id: int) -> Iterator[Mark]:
        """The hard marks that this run means to write and no person has released, in the order of planning."""
        return marks.planned(self._db, run_id)

    def written(self, since: int) -> Iterator[Mark]:
        """Those that were written, or perhaps were, since this instant."""
        return (mark for mark, _ in marks.written(self._db, since))

    def recipients(self) -> int:
        return int(rows(self._db, "SELECT count(*) FROM recipients")[0][0])

    def size(self, group: Group, sends: Iterable[str]) -> int:
        """A send's recipients; or how many of a domain were mailed with these sends."""
        if group.by == "send":
            return self.mailed(group.value)
        names = json.dumps(list(sends))
        sql = (
            "SELECT coalesce(sum(d.recipients), 0) FROM mailings m JOIN mailed_domains d ON d.mailing_id = m.id"
            " WHERE d.domain = ? AND m.key IN (SELECT value FROM json_each(?))"
        )
        return int(rows(self._db, sql, (group.value, names))[0][0])

    def mailed(self, send: str) -> int:
        sql = "SELECT count(*) FROM mailings m JOIN mailed d ON d.mailing_id = m.id WHERE m.key = ?"
        return int(rows(self._db, sql, (send,))[0][0])

    def seen(self) -> Seen:
        """What was reported of all recipients together."""
        return mailed.seen(self._db)

    # --- soft-bounce marks that pause -------------------------------------------------------------------------------

    def paused(self) -> int:
        """How many soft-bounce marks pause."""
        return int(rows(self._db, f"SELECT count(*) {_PAUSED}")[0][0])

    def wake_paused(self, now: int) -> None:
        """They are planned again, and would be told again."""
        while page := rows(self._db, f"SELECT c.id, c.subject_id {_PAUSED} LIMIT ?", (ROWS_A_TRANSACTION // 2,)):
            with transaction(self._db):
                many(self._db, "UPDATE changes SET state = 'superseded' WHERE id = ?", [(one,) for one, _ in page])
                many(self._db, DUE, [(now, now, subject) for _, subject in page])
            pause(self._db)

    # --- recipients whose record has other addresses ----------------------------------------------------------------

    def agree(self, recipients: Iterable[tuple[int, bool]]) -> None:
        """(recipient, whether its record has its address), as just read."""
        for chunk in chunks(self._db, [(agrees, recipient, agrees) for recipient, agrees in recipients]):
            with transaction(self._db, repeatable=True):
                many(self._db, "UPDATE recipients SET agrees = ? WHERE id = ? AND agrees IS NOT ?", chunk)

    def mismatches(self, send: str) -> int:
        sql = (
            "SELECT count(*) FROM mailings m JOIN mailed d ON d.mailing_id = m.id"
            " JOIN recipients r ON r.id = d.recipient_id WHERE m.key = ? AND r.agrees = 0"
        )
        return int(rows(self._db, sql, (send,))[0][0])

    # --- holding --------------------------------------------------------------------------------------------------

    def open_groups(self) -> dict[Group, int]:
        """Groups that nobody has decided, with their ids."""
        found = rows(self._db, "SELECT by_what, value, id FROM holds WHERE state = 'open' ORDER BY id")
        return {Group(by, value): hold_id for by, value, hold_id in found}

    def released(self, now: int) -> set[Group]:
        """What a person released: for a day what belongs to it is right. A send that is not shifted stays so."""
        sql = "SELECT by_what, value FROM holds WHERE state = 'released' AND (by_what = 'shifted' OR decided_at > ?)"
        return {Group(*row) for row in rows(self._db, sql, (now - WINDOW,))}

    def dropped_sends(self) -> dict[str, int]:
        """Sends of which a person refused everything, since their whId column is shifted; with the last group's id."""
        sql = "SELECT value, max(id) FROM holds WHERE by_what = 'shifted' AND state = 'dropped' GROUP BY value"
        return dict(rows(self._db, sql))

    def open(self, group: Group, now: int) -> int:
        """The id of the open hold of this group."""
        with transaction(self._db):
            found = rows(self._db, "SELECT id FROM holds WHERE by_what = ? AND value = ? AND state = 'open'", (*group,))
            if found:
                return int(found[0][0])
            return insert(self._db, "INSERT INTO holds (by_what, value, opened_at) VALUES (?, ?, ?)", (*group, now))

    def hold(self, changes: Iterable[tuple[int, int]], *, reopen: bool = True) -> None:
        """(change, hold): intended ones that are kept back. A group that a person has decided meanwhile is open again:
        what is held in one that nobody sees would be held for ever."""
        for chunk in chunks(self._db, [(hold_id, change_id) for change_id, hold_id in changes]):
            with transaction(self._db):
                if reopen:
                    many(self._db, _REOPEN, [(hold_id,) for hold_id in {hold_id for hold_id, _ in chunk}])
                many(
                    self._db,
                    "UPDATE changes SET state = 'held', hold_id = ? WHERE id = ? AND state = 'intended'",
                    chunk,
                )

    def hold_send(self, run_id: int, send: str, hold_id: int, *, reopen: bool = True) -> Counter[str]:
        """Everything of a send that this run means to write; how many, by what."""
        kept: Counter[str] = Counter()
        after = 0
        while page := rows(
            self._db,
            "SELECT id, what FROM changes WHERE json_extract(why, '$.send') = ? AND state = 'intended' AND run_id = ?"
            " AND id > ? ORDER BY id LIMIT ?",
            (send, run_id, after, ROWS_A_TRANSACTION),
        ):
            self.hold(((change_id, hold_id) for change_id, _ in page), reopen=reopen)
            kept.update(what for _, what in page)
            after = page[-1][0]
            pause(self._db)
        return kept

    # --- what a person sees and decides -----------------------------------------------------------------------------

    def groups(self) -> list[Hold]:
        """The open ones, oldest first."""
        return self._holds(rows(self._db, f"{_OPEN} ORDER BY id"))

    def group(self, hold_id: int) -> Hold | None:
        """An open one."""
        found = self._holds(rows(self._db, f"{_OPEN} AND id = ?", (hold_id,)))
        return found[0] if found else None

    def _holds(self, found: Iterable[Any]) -> list[Hold]:
        groups = {Group(by, value): (hold_id, opened_at) for hold_id, by, value, opened_at in found}
        written = marks.written_of(self._db, {group: opened_at for group, (_, opened_at) in groups.items()})
        return [
            Hold(
                hold_id, group, opened_at, self._kept(hold_id), Counter(what for _, what, _ in written[group]),
                tuple(sorted({run for _, _, run in written[group]})),
            )
            for group, (hold_id, opened_at) in groups.items()
        ]  # fmt: skip

    def _kept(self, hold_id: int) -> dict[str, int]:
        sql = "SELECT what, count(*) FROM changes WHERE hold_id = ? AND state = 'held' GROUP BY 1"
        return dict(rows(self._db, sql, (hold_id,)))

    def written_of(self, hold_id: int) -> list[int] | None:
        """The changes of a group, decided or not, that went to Salesforce; None if there never was such a group."""
        found = rows(self._db, "SELECT by_what, value, opened_at FROM holds WHERE id = ?", (hold_id,))
        if not found:
            return None
        by, value, opened_at = found[0]
        (written,) = marks.written_of(self._db, {Group(by, value): opened_at}).values()
        return [change for change, _, _ in written]

    def held(self, hold_id: int) -> Iterator[dict[str, Any]]:
        """The changes of a group, in the order of planning."""
        names = ("id", "what", "object", "sf_id", "activity", "before", "after", "why", "intended_at")
        after = 0
        while page := rows(
            self._db,
            f"SELECT {', '.join(names)} FROM changes WHERE hold_id = ? AND state = 'held' AND id > ?"
            " ORDER BY id LIMIT ?",
            (hold_id, after, CHANGES_A_PAGE),
        ):
            for row in page:
                one = dict(zip(names, row, strict=True))
                yield {**one, **{name: json.loads(one[name]) for name in ("before", "after", "why")}}
            after = page[-1][0]

    def release(self, hold_id: int, by: str, now: int) -> int:
        """What is held is planned again, and not held again: it is made due. How many changes."""
        return self._decide(hold_id, Verdict.RELEASED, by, now)

    def drop(self, hold_id: int, by: str, now: int) -> int:
        """What is held is refused: what happened until now never sets it again. How many changes."""
        return self._decide(hold_id, Verdict.DROPPED, by, now)

    def _decide(self, hold_id: int, verdict: Verdict, by: str, now: int) -> int:
        """Killed in between, it goes on when it is typed again: the group is open until its last change is decided.

        That it is the last one is seen in the transaction that closes the group: a run may hold more meanwhile.
        """
        changes, state = 0, "released" if verdict is Verdict.RELEASED else "dropped"
        while True:
            with transaction(self._db):
                page = rows(self._db, _NEXT_HELD, (hold_id, ROWS_A_TRANSACTION // 4))  # each is up to four rows
                for row in page:
                    self._decide_one(hold_id, verdict, by, now, *row)
                if not page:
                    self._db.execute(
                        "UPDATE holds SET state = ?, decided_at = ?, decided_by = ? WHERE id = ? AND state = 'open'",
                        (state, now, by, hold_id),
                    )
                    return changes
            changes += len(page)
            pause(self._db)

    def _decide_one(
        self, hold_id: int, verdict: Verdict, by: str, now: int, change_id: int, subject_id: int, what: str,
        through: int, activity: str | None, sf_id: str,
    ) -> None:  # fmt: skip
        released = verdict is Verdict.RELEASED
        state = "superseded" if released else "dropped"
        self._db.execute("UPDATE changes SET state = ? WHERE id = ?", (state, change_id))
        if aspect := _ASPECTS.get(what):
            # who unsubscribed later by another send, too, is to be planned anew: that was never this group's
            only_this = released or aspect == Aspect.OPTED_OUT
            judged = through if only_this else max(now, through)
            self._db.execute(
                "INSERT INTO decisions (subject_id, aspect, verdict, at, through, by, note)"
                " VALUES (?, ?, ?, ?, ?, ?, ?)",
                (subject_id, aspect, verdict.value, now, judged, by, f"held group {hold_id}"),
            )
        if released or aspect == Aspect.OPTED_OUT:
            self._db.execute(DUE, (now, now, subject_id))
        elif activity is not None:  # a Task that is not there and is not to be made
            self._db.execute(
                "INSERT INTO activities (subject_id, key, token, state) VALUES (?, ?, ?, 'sealed')"
                " ON CONFLICT (subject_id, key) DO UPDATE SET state = 'sealed'",
                (subject_id, activity, f"sealed {change_id}"),
            )


_ASPECTS = {What.MARK.value: Aspect.INVALID.value, What.OPT_OUT.value: Aspect.OPTED_OUT.value}

_REOPEN = "UPDATE holds SET state = 'open', decided_at = NULL, decided_by = '' WHERE id = ? AND state <> 'open'"
_NEXT_HELD = """SELECT id, subject_id, what, through, activity, sf_id FROM changes
  WHERE hold_id = ? AND state = 'held' ORDER BY id LIMIT ?"""

_PAUSED = """FROM changes c WHERE c.state = 'refused' AND EXISTS
  (SELECT 1 FROM receipts o WHERE o.change_id = c.id AND o.code = 'paused')"""

_OPEN = "SELECT id, by_what, value, opened_at FROM holds WHERE state = 'open'"
