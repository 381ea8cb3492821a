"""Strangers' words where they do harm: a mail's subject may hold what commands a terminal, or ends a line. Pure."""

from __future__ import annotations

import json
import re
from typing import Any

# Commands of terminals (C0, C1), ends of lines, what turns the direction of writing, halves of letters; but no tab.
_HARMFUL = re.compile("[\x00-\x08\x0a-\x1f\x7f-\x9f\u061c\u200e\u200f\u2028-\u202e\u2066-\u2069\ud800-\udfff]")


def printable(text: str) -> str:
    """On one line, with `\\x1b` and the like for what is no writing."""
    return _HARMFUL.sub(lambda found: found[0].encode("unicode_escape").decode(), text)


def printable_lines(text: str) -> str:
    """The same of a text that may have several."""
    return "\n".join(map(printable, text.replace("\r\n", "\n").split("\n")))


def without_commands(text: str) -> str:
    """On one line, with blanks instead: for Salesforce, whose records others read as XML, which cannot hold these."""
    return _HARMFUL.sub(" ", text)


def beginning(text: str, length: int) -> str:
    """As much as a field of this length takes: for Salesforce a character beyond U+FFFF, as most emoji are, is two.

    Help 005166849, "Surrogate Pair Characters Are Treated as Two Characters".
    """
    return text.encode("utf-16-le", "surrogatepass")[: 2 * length].decode("utf-16-le", "ignore")


def json_text(it: Any, indent: int | None = 2) -> str:
    """A document for people and machines alike: readable letters, and escapes for what harms."""
    text = json.dumps(it, indent=indent, ensure_ascii=False)
    return _HARMFUL.sub(lambda found: "\n" if found[0] == "\n" else f"\\u{ord(found[0]):04x}", text)
