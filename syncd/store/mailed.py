"""Who was mailed with what, and when what was last reported: kept by the fold, so that nobody searches the events."""

from __future__ import annotations

from collections import Counter
from typing import TYPE_CHECKING, NamedTuple

from syncd.model import Kind, Seen
from syncd.store.sqlite import insert, many, rows

if TYPE_CHECKING:
    from collections.abc import Iterable

    from sqlite_utils import Database


class Mailed(NamedTuple):
    """An event, as far as it tells who was mailed."""

    recipient: int
    at: int
    kind: str
    address: str
    send: str
    campaign: str

    @property
    def key(self) -> str:
        """As `syncd.rules.mailing` names it."""
        return f"send:{self.send}" if self.send else f"campaign:{self.campaign}" if self.campaign else ""


def add(db: Database, events: Iterable[Mailed]) -> None:
    """Inside the caller's transaction."""
    ids: dict[str, int] = {}
    domains: Counter[tuple[int, str]] = Counter()
    times: dict[str, list[int]] = {}
    for event in events:
        times.setdefault(event.kind, []).append(event.at)
        if not event.key or event.kind == Kind.UNKNOWN.value:
            continue
        if event.key not in ids:
            ids[event.key] = _mailing(db, event.key)
        mailing = ids[event.key]
        if db.execute("INSERT OR IGNORE INTO mailed VALUES (?, ?)", (mailing, event.recipient)).rowcount:
            domains[mailing, event.address.rpartition("@")[2]] += 1
    many(db, _DOMAIN, [(*of, number) for of, number in domains.items()])
    many(db, _SEEN, [(kind, min(at), max(at)) for kind, at in times.items()])


def seen(db: Database) -> Seen:
    """What was reported of all recipients together."""
    times = {kind: (first, last) for kind, first, last in rows(db, "SELECT kind, first_at, last_at FROM seen")}
    bounces = [times[kind] for kind in _BOUNCES if kind in times]
    return Seen(
        len(rows(db, "SELECT id FROM recipients LIMIT 2")),
        min((first for first, _ in bounces), default=None),
        max((last for _, last in bounces), default=None),
        max((times[kind][1] for kind in _SUCCESSES if kind in times), default=None),
    )


_BOUNCES = (Kind.SOFT_BOUNCE.value, Kind.HARD_BOUNCE.value)
_SUCCESSES = (Kind.DELIVERED.value, Kind.OPEN.value, Kind.CLICK.value)


def _mailing(db: Database, key: str) -> int:
    found = rows(db, "SELECT id FROM mailings WHERE key = ?", (key,))
    return int(found[0][0]) if found else insert(db, "INSERT INTO mailings (key) VALUES (?)", (key,))


_DOMAIN = """INSERT INTO mailed_domains VALUES (?, ?, ?) ON CONFLICT (mailing_id, domain)
  DO UPDATE SET recipients = recipients + excluded.recipients"""
_SEEN = """INSERT INTO seen VALUES (?, ?, ?) ON CONFLICT (kind)
  DO UPDATE SET first_at = min(first_at, excluded.first_at), last_at = max(last_at, excluded.last_at)"""
