"""Record ids: 15 case-sensitive characters, or 18 with a checksum that survives case-insensitive systems."""

import re

CHECK = "ABCDEFGHIJKLMNOPQRSTUVWXYZ012345"
DIGITS = "0123456789ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz"
SHAPE = re.compile(r"[A-Za-z0-9]{15}(?:[A-Za-z0-9]{3})?", re.ASCII)


def suffix(short: str) -> str:
    """The three check characters of a 15-character id: for each five characters, a bit for every capital letter."""
    return "".join(
        CHECK[sum(1 << bit for bit, char in enumerate(short[start : start + 5]) if "A" <= char <= "Z")]
        for start in (0, 5, 10)
    )


def make_id(prefix: str, number: int) -> str:
    """The id of the `number`th record with this key prefix: the same on every machine, and sorting by age."""
    digits = ""
    for _ in range(8):
        number, digit = divmod(number, len(DIGITS))
        digits = DIGITS[digit] + digits
    short = f"{prefix}Sb00{digits}"
    return short + suffix(short)


def canonical(text: object) -> str | None:
    """The 18-character form, or None for what is no id (a wrong checksum included)."""
    if not isinstance(text, str) or not SHAPE.fullmatch(text):
        return None
    short = text[:15]
    check = suffix(short)
    return short + check if text[15:].upper() in ("", check) else None
