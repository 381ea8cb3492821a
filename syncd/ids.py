"""Salesforce ids: 15 characters where case matters, or 18 with a checksum. Pure.

A whId is a stranger's input: only what passes here is ever used in a call.
"""

from __future__ import annotations

import re
from dataclasses import dataclass
from functools import lru_cache

OBJECTS = {"003": "Contact", "00Q": "Lead", "001": "Account"}
"""Key prefix → object, for those that mail is sent to."""

_ALPHABET = "ABCDEFGHIJKLMNOPQRSTUVWXYZ012345"
_SHAPE = re.compile(r"[A-Za-z0-9]{15}(?:[A-Za-z0-9]{3})?", re.ASCII)


@dataclass(frozen=True, slots=True)
class RecordId:
    """An id with its object. `checked`: it came with a checksum; one without may well be another record's, mistyped.

    `how` it was found: id, external_id or email.
    """

    id: str
    object: str
    checked: bool
    how: str = "id"


@lru_cache(16_384)  # a run asks for each of a page's ids several times
def record_id(text: str) -> RecordId | None:
    """What a whId names, if it is the id of a Contact or Lead; the checksum also mends letters whose case was lost."""
    if not _SHAPE.fullmatch(text):
        return None
    core = text[:15] if len(text) == 15 else _mended(text)
    if core is None or core[:3] not in OBJECTS:
        return None
    return RecordId(core + checksum(core), OBJECTS[core[:3]], len(text) == 18)


def checksum(core: str) -> str:
    """Three characters, each telling which of five are upper-case."""
    return "".join(
        _ALPHABET[sum(1 << bit for bit, letter in enumerate(core[start : start + 5]) if "A" <= letter <= "Z")]
        for start in (0, 5, 10)
    )


def _mended(text: str) -> str | None:
    """The 15 characters with the case that the checksum asks for; None if no case can satisfy it."""
    core = ""
    for start, mark in zip((0, 5, 10), text[15:].upper(), strict=True):
        upper = _ALPHABET.find(mark)
        for bit, letter in enumerate(text[start : start + 5]):
            core += letter.upper() if upper >> bit & 1 else letter.lower()
    return core if checksum(core) == text[15:].upper() else None
