"""Which subjects a person means, and making them due. A choice is kept as ids beside the store, in memory."""

from __future__ import annotations

from dataclasses import dataclass, fields
from typing import TYPE_CHECKING

from syncd.store.preview import Preview
from syncd.store.sqlite import ROWS_A_TRANSACTION, pause, rows, transaction

if TYPE_CHECKING:
    from collections.abc import Iterator

    from sqlite_utils import Database

EVENTS_A_PAGE = 10_000
"""How many events one statement looks at: about 20 ms, so that no read keeps the WAL from being folded back."""
SUBJECTS_A_PAGE = 10_000


@dataclass(frozen=True, slots=True)
class Choice:
    """All that is given must hold; of events, for one and the same event. Instants are event time in ms."""

    since: int | None = None
    until: int | None = None
    campaign: str = ""
    send: str = ""
    kind: str = ""
    whid: str = ""
    email: str = ""  # as recipients are written
    record: str = ""  # 18 characters
    unmatched: bool = False
    rejected: bool = False
    everything: bool = False

    @property
    def is_empty(self) -> bool:
        return self == Choice()

    @property
    def asks_events(self) -> bool:
        return any(getattr(self, name) not in (None, "") for name in _EVENT_FILTERS)


class Chosen:
    """The subjects of a choice, as they were when it was made."""

    def __init__(self, db: Database) -> None:
        self._db = db
        db.execute("CREATE TEMP TABLE IF NOT EXISTS chosen (id INTEGER PRIMARY KEY) STRICT")
        db.execute("DELETE FROM temp.chosen")

    def add(self, choice: Choice) -> int:
        """Adds those that this means; how many are chosen now. Events that no run has folded in yet are not seen:
        the next run folds them in and has their subjects due anyway."""
        if choice.asks_events:
            self._by_pages("events", EVENTS_A_PAGE, _BY_EVENT + _where(choice), choice)
        else:
            self._by_pages("subjects", SUBJECTS_A_PAGE, _BY_SUBJECT + _where(choice), choice)
        return self.count()

    def add_refused(self, run_id: int | None, record: str) -> int:
        """Adds the subjects with changes that were rejected and not taken since, of all runs or of one."""
        arguments = {"run": run_id, "record": record}
        with transaction(self._db):
            self._db.execute(f"INSERT OR IGNORE INTO temp.chosen SELECT c.subject_id {_RETRIABLE}", arguments)
        return self.count()

    def add_held(self, hold_id: int) -> int:
        """Adds the subjects with changes that are held with this group."""
        sql = "INSERT OR IGNORE INTO temp.chosen SELECT subject_id FROM changes WHERE hold_id = ? AND state = 'held'"
        with transaction(self._db):
            self._db.execute(sql, (hold_id,))
        return self.count()

    def count(self) -> int:
        return int(rows(self._db, "SELECT count(*) FROM temp.chosen")[0][0])

    def wake(self, now: int) -> None:
        """Makes them due."""
        for chunk in self._chunks():
            with transaction(self._db):
                self._db.execute(
                    f"UPDATE main.subjects SET due_at = :now WHERE coalesce(due_at, :now) >= :now AND id IN ({_IDS})",
                    {**chunk, "now": now},
                )

    def retry(self, now: int, run_id: int | None) -> int:
        """Makes them due and forgets what they were refused, so that it is planned, and told, anew; how many changes.

        The changes stay with their receipts; superseded is what they are: a later plan takes their place.
        """
        changes = 0
        for chunk in self._chunks():
            with transaction(self._db):
                arguments = {**chunk, "now": now, "run": run_id, "record": ""}
                changes += self._db.execute(
                    f"UPDATE main.changes SET state = 'superseded' WHERE id IN (SELECT c.id {_RETRIABLE}"
                    f" AND c.subject_id IN ({_IDS}))",
                    arguments,
                ).rowcount
                self._db.execute(
                    f"UPDATE main.subjects SET due_at = :now WHERE coalesce(due_at, :now) >= :now AND id IN ({_IDS})",
                    arguments,
                )
        return changes

    def refused_changes(self, run_id: int | None) -> int:
        """How many changes `retry` would put aside."""
        found = rows(
            self._db,
            f"SELECT count(*) {_RETRIABLE} AND c.subject_id IN (SELECT id FROM temp.chosen)",
            {"run": run_id, "record": ""},
        )
        return int(found[0][0])

    def preview(self, *, forgiving: bool = False, releasing: bool = False) -> Preview:
        """For a run that only shows what would become of them."""
        return Preview(self._db, forgiving=forgiving, releasing=releasing)

    def _chunks(self) -> Iterator[dict[str, int]]:
        """Ranges of ids that hold at most so many as one transaction may write."""
        after = -1
        while page := rows(
            self._db, "SELECT id FROM temp.chosen WHERE id > ? ORDER BY id LIMIT ?", (after, ROWS_A_TRANSACTION)
        ):
            yield {"after": after, "last": page[-1][0]}
            after = page[-1][0]
            pause(self._db)

    def _by_pages(self, table: str, size: int, sql: str, choice: Choice) -> None:
        values = {field.name: getattr(choice, field.name) for field in fields(choice)}
        first, last = rows(self._db, f"SELECT coalesce(min(id), 0), coalesce(max(id), -1) FROM {table}")[0]
        for after in range(first - 1, last, size):
            # a transaction of its own: it writes only to what is in memory, and reads for one page
            self._db.execute(
                f"INSERT OR IGNORE INTO temp.chosen {sql}", {**values, "after": after, "last": after + size}
            )


def _where(choice: Choice) -> str:
    """The conditions of what is given; values are parameters named as the fields."""
    conditions = {name: text for name, text in _CONDITIONS.items() if getattr(choice, name) not in (None, "", False)}
    return "".join(f" AND {text}" for text in conditions.values())


_EVENT_FILTERS = ("since", "until", "campaign", "send", "kind")

OPEN = "state IN ('held','intended','uncertain','rejected')"
"""Written as the index `changes_open` has it, beside the state that is meant: SQLite sees for itself neither that this
follows from that, nor then that there is an index for it."""

REJECTED = f"""c.{OPEN} AND c.state = 'rejected' AND NOT EXISTS (SELECT 1 FROM changes l
  WHERE l.subject_id = c.subject_id AND l.what = c.what AND l.activity IS c.activity AND l.id > c.id
  AND l.state IN ('done','found'))"""
"""What was rejected and has not been taken since."""

# Also what syncd itself refused because a field cannot be written. What it refused for another address is no matter of
# trying again: it follows when the address does.
_RETRIABLE = f"""FROM main.changes c WHERE (({REJECTED}) OR (c.state = 'refused' AND EXISTS
  (SELECT 1 FROM receipts o WHERE o.change_id = c.id AND o.code = 'not_writable')))
  AND (:run IS NULL OR c.run_id = :run) AND (:record = '' OR c.sf_id = :record)"""

_CONDITIONS = {
    "since": "e.at >= :since",
    "until": "e.at < :until",
    "campaign": "e.campaign = :campaign",
    "send": "e.send = :send",
    "kind": "e.kind = :kind",
    "whid": "r.whid = :whid",
    "email": "r.address = :email",
    # or a whId names it, and it was never looked for since nothing was to be written
    "record": "(s.sf_id IN (:record, (SELECT m.to_id FROM moved m WHERE m.sf_id = :record)) OR r.names = :record)",
    "unmatched": "r.lookups > 0",
    "rejected": f"EXISTS (SELECT 1 FROM changes c WHERE c.subject_id = s.id AND {REJECTED})",
}

_BY_EVENT = """SELECT r.subject_id FROM events e JOIN timeline t ON t.event_id = e.id
  JOIN recipients r ON r.id = t.recipient_id JOIN subjects s ON s.id = r.subject_id
  WHERE e.id > :after AND e.id <= :last"""

_BY_SUBJECT = """SELECT s.id FROM subjects s JOIN recipients r ON r.subject_id = s.id
  WHERE s.id > :after AND s.id <= :last"""

_IDS = "SELECT id FROM temp.chosen WHERE id > :after AND id <= :last"
