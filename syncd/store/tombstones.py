"""What stays of an address that was forgotten: a keyed digest, with the moment.

It keeps events dated before it from coming back, by a retry or an import. An unsubscribe or complaint that Salesforce
had not been told is honoured all the same: those that it had are known by a digest of their key.
"""

from __future__ import annotations

import secrets
from hashlib import blake2b
from typing import TYPE_CHECKING

from syncd.rules import OPT_OUTS
from syncd.store.sqlite import many, rows

if TYPE_CHECKING:
    from collections.abc import Collection, Sequence

    from sqlite_utils import Database

_SALT = "forgotten_salt"
_OPT_OUTS = {kind.value for kind in OPT_OUTS}


def late(db: Database, events: Collection[tuple[int, int, str, str]]) -> set[int]:
    """Of (id, at, kind, address): those that were forgotten before they came. Inside the caller's transaction."""
    salt = _salt(db)
    if not salt:
        return set()
    addresses = {address: _digest(salt, _bytes(address)) for _, _, _, address in events}
    forgotten = _known(db, addresses.values())
    return {
        event_id
        for event_id, at, kind, address in events
        if at <= forgotten.get(addresses[address], -1)
        and (kind not in _OPT_OUTS or _known(db, [_digest(salt, _key(db, event_id))]))
    }


def put(db: Database, address: str, told: Sequence[bytes], now: int) -> None:
    """`told`: the keys of the opt-outs that Salesforce has. Inside the caller's transaction."""
    if not _salt(db):
        db.execute("INSERT INTO meta VALUES (?, ?)", (_SALT, secrets.token_hex(16)))
    salt = _salt(db)
    digests = [_digest(salt, one) for one in (_bytes(address), *told)]
    many(db, "INSERT OR REPLACE INTO forgotten VALUES (?, ?)", [(digest, now) for digest in digests])


def _known(db: Database, digests: Collection[bytes]) -> dict[bytes, int]:
    """Those of these that were forgotten, and when."""
    marks = ", ".join("?" * len(digests))
    return dict(rows(db, f"SELECT digest, at FROM forgotten WHERE digest IN ({marks})", list(digests)))


def _salt(db: Database) -> str:
    found = rows(db, "SELECT value FROM meta WHERE name = ?", (_SALT,))
    return str(found[0][0]) if found else ""


def _key(db: Database, event_id: int) -> bytes:
    return bytes(rows(db, "SELECT key FROM events WHERE id = ?", (event_id,))[0][0])


def _bytes(address: str) -> bytes:
    return address.encode(errors="surrogatepass")


def _digest(salt: str, of: bytes) -> bytes:
    return blake2b(of, digest_size=16, key=salt.encode()).digest()
