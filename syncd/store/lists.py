"""The port of people who look through long lists: newest first, a page a statement, whatever the filters leave."""

from __future__ import annotations

import json
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from syncd.sarbacane import reread
from syncd.store.sqlite import chunks, many, rows, transaction

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator, Sequence

    from sqlite_utils import Database

    from syncd.model import Event

EVENTS_A_PAGE = 10_000
"""Ids, not events: with filters few may be left of them, and a page must not read for long."""
ROWS_A_PAGE = 100
BODIES_A_PAGE = 10


@dataclass(frozen=True, slots=True)
class Filter:
    """All that is given must hold. Instants are ms: event time of events, the start of runs, receipt of the rest."""

    since: int | None = None
    until: int | None = None
    kind: str = ""
    email: str = ""
    whid: str = ""
    campaign: str = ""
    send: str = ""
    resolved: bool = False  # of quarantine: also what was read since


class Lists:
    def __init__(self, db: Database) -> None:
        self._db = db

    def events(self, wanted: Filter) -> Iterator[tuple[int, Event]]:
        """(id, event), the last stored first."""
        conditions = _where(wanted, _OF_EVENTS)
        if wanted.email or wanted.whid:
            conditions += _OF_RECIPIENT
        newest = rows(self._db, "SELECT coalesce(max(id), 0) FROM events")[0][0]
        for last in range(newest, 0, -EVENTS_A_PAGE):
            for event_id, raw, received_at in rows(
                self._db,
                f"SELECT e.id, e.raw, e.received_at FROM events e WHERE e.id > :after AND e.id <= :last{conditions}"
                " ORDER BY e.id DESC",
                {**_values(wanted), "after": last - EVENTS_A_PAGE, "last": last},
            ):
                yield event_id, reread(raw, received_at)

    def runs(self, wanted: Filter) -> Iterator[dict[str, Any]]:
        """With the summary's entries beside the columns; of one that is going on, or was killed, without them."""
        columns = ("run", "cause", "started_at", "ended_at", "summary")
        sql = (
            f"SELECT id, cause, started_at, ended_at, summary FROM runs r WHERE id < :before{_where(wanted, _OF_RUNS)}"
        )
        for row in self._pages(sql, wanted, ROWS_A_PAGE):
            run = dict(zip(columns, row, strict=True))
            summary = json.loads(run.pop("summary") or "{}")
            yield {**_NOTHING_DONE, **summary, **run}

    def quarantine(self, wanted: Filter) -> Iterator[dict[str, Any]]:
        columns = ("id", "received_at", "source", "reason", "bytes", "resolved_at")
        still = "" if wanted.resolved else " AND resolved_at IS NULL"
        sql = (
            "SELECT id, received_at, source, reason, length(body), resolved_at FROM quarantine q WHERE id < :before"
            + still
            + _where(wanted, _OF_QUARANTINE)
        )
        for row in self._pages(sql, wanted, ROWS_A_PAGE):
            yield dict(zip(columns, row, strict=True))

    def quarantined(self, kept_id: int) -> dict[str, Any] | None:
        """One delivery with its `body`."""
        found = rows(
            self._db,
            "SELECT id, received_at, source, reason, resolved_at, body FROM quarantine WHERE id = ?",
            (kept_id,),
        )
        names = ("id", "received_at", "source", "reason", "resolved_at", "body")
        return dict(zip(names, found[0], strict=True)) if found else None

    def unresolved(self, ids: Sequence[int] = ()) -> Iterator[dict[str, Any]]:
        """Those in quarantine, or of them only these, with their `body`; the oldest first."""
        after = 0
        only = f" AND id IN (SELECT value FROM json_each('{json.dumps(list(ids))}'))" if ids else ""
        while page := rows(
            self._db,
            "SELECT id, received_at, source, reason, body FROM quarantine"
            f" WHERE id > ? AND resolved_at IS NULL{only} ORDER BY id LIMIT ?",
            (after, BODIES_A_PAGE),
        ):
            for row in page:
                yield dict(zip(("id", "received_at", "source", "reason", "body"), row, strict=True))
            after = page[-1][0]

    def resolve(self, ids: Iterable[int], now: int) -> None:
        """They have been read."""
        for chunk in chunks(self._db, list(ids)):
            with transaction(self._db):
                many(self._db, "UPDATE quarantine SET resolved_at = ? WHERE id = ?", [(now, i) for i in chunk])

    def _pages(self, sql: str, wanted: Filter, size: int) -> Iterator[Any]:
        before = 1 << 62
        while page := rows(
            self._db, f"{sql} ORDER BY id DESC LIMIT :size", {**_values(wanted), "before": before, "size": size}
        ):
            yield from page
            before = page[-1][0]


def _where(wanted: Filter, conditions: dict[str, str]) -> str:
    return "".join(f" AND {text}" for name, text in conditions.items() if getattr(wanted, name) not in (None, ""))


def _values(wanted: Filter) -> dict[str, Any]:
    return {name: getattr(wanted, name) for name in ("since", "until", *_OF_EVENTS)}


_OF_EVENTS = {
    "since": "e.at >= :since",
    "until": "e.at < :until",
    "kind": "e.kind = :kind",
    "email": "e.address = :email",
    "whid": "e.whid = :whid",
    "campaign": "e.campaign = :campaign",
    "send": "e.send = :send",
}
_OF_RUNS = {"since": "r.started_at >= :since", "until": "r.started_at < :until"}
_OF_QUARANTINE = {"since": "q.received_at >= :since", "until": "q.received_at < :until"}

# The time lines know whose an event is, but for those that no run has folded in; events themselves have no such index.
_OF_RECIPIENT = """ AND e.id IN (
  SELECT t.event_id FROM recipients r JOIN timeline t ON t.recipient_id = r.id
   WHERE (:email = '' OR r.address = :email) AND (:whid = '' OR r.whid = :whid)
  UNION ALL SELECT f.event_id FROM fresh f WHERE f.event_id > :after AND f.event_id <= :last)"""

_NOTHING_DONE = {
    "ended": "", "code": "", "words": "", "events": 0, "subjects": 0, "unmatched": 0, "failed": 0, "troubles": [],
    "calls": 0, "planned": {}, "changes": {},
}  # fmt: skip
