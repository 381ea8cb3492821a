"""Sarbacane's words turned into events. Pure; all that is odd about the vendor is in this file.

Sources: the webhook help page (2016, French; its samples spell `operatingSystem` and `smtpDescription`, its glossary
`operationsSystem` and `smptDescription`), the 2018 page (unsubscribe, complaint), the REST API's webhook kinds in upper
case (SUCCESSFUL, HIT …), and Tipimail, the sister product (past tense). No signature, no event id, no Content-Type is
documented, so everything that could be real is read.
"""

from __future__ import annotations

import json
import math
import re
import unicodedata
from datetime import UTC, datetime, timedelta
from hashlib import blake2b
from typing import TYPE_CHECKING

from syncd.errors import Unreadable
from syncd.model import Event, Kind

if TYPE_CHECKING:
    from collections.abc import Iterator

KINDS = {
    "delivered": Kind.DELIVERED,
    "successful": Kind.DELIVERED,
    "open": Kind.OPEN,
    "opened": Kind.OPEN,
    "click": Kind.CLICK,
    "clicked": Kind.CLICK,
    "hit": Kind.CLICK,
    "soft_bounce": Kind.SOFT_BOUNCE,
    "softbounce": Kind.SOFT_BOUNCE,
    "softbounced": Kind.SOFT_BOUNCE,
    "hard_bounce": Kind.HARD_BOUNCE,
    "hardbounce": Kind.HARD_BOUNCE,
    "hardbounced": Kind.HARD_BOUNCE,
    "unsubscribe": Kind.UNSUBSCRIBE,
    "unsubscribed": Kind.UNSUBSCRIBE,
    "complaint": Kind.COMPLAINT,
}
"""The vendor's word, lower-case, → ours. A word learnt after key version 1 was frozen goes into LEARNT as well."""

LEARNT: frozenset[str] = frozenset()
"""Words that were once stored as unknown: their key goes on hashing the word, so a late retry is still a duplicate."""

KEY_VERSION = b"\x01"
AHEAD = 3_600_000
"""A claimed time further than this ahead of its receipt is a wrong clock; the receipt's time counts."""
LONGEST = 1_000
"""Characters of what may be an address; SMTP allows 254."""

_EPOCH = datetime(1970, 1, 1, tzinfo=UTC)
_MILLISECOND = timedelta(milliseconds=1)
_SCALARS = (str, int, float)
_LATEST = 1 << 48  # six bytes of milliseconds: the year 10889
_SECONDS_END = 100_000_000_000  # below it a bare number is seconds (the year 5138), from there on milliseconds (1973)


def decode(body: bytes) -> list[object]:
    """The items of a request body: one, or those of an array. Raises Unreadable with the reason.

    JSON first, whatever the Content-Type; then JSON that was URL-encoded as a whole (as Tipimail's PHP sample expects);
    then a form, either of the event's fields or with the JSON in one of them.
    """
    text = text_of(body)
    for candidate in _readings(text):
        try:
            return _items(_json(candidate))
        except ValueError:
            continue
    if "=" not in text:
        raise Unreadable("neither JSON nor a URL-encoded form")
    form = _form(text)
    for value in form.values():
        if value.lstrip().startswith(("{", "[")):
            try:
                return _items(_json(value))
            except ValueError:
                continue
    return [form]


def read(item: object, received_at: int, raw: str | None = None) -> Event:
    """The event that one item of a body is. Raises Unreadable with the reason; unknown words are of kind unknown.

    `raw`: the item as it is stored already.
    """
    if not isinstance(item, dict):
        raise Unreadable("not a JSON object")
    fields = _lower(item)
    address = _composed(_word(fields, "email")).lower()
    word = _word(fields, "type") or _word(fields, "kind")
    if not address:
        raise Unreadable("no email")
    if not word:
        raise Unreadable("no type")
    claimed_at = _instant(fields.get("date"))
    kind = KINDS.get(_plain(word), Kind.UNKNOWN)
    whid, campaign, send = (_word(fields, name) for name in ("whid", "campaignid", "sendid"))
    url, smtp, category, return_code = _details(fields)
    return Event(
        key=_key(_key_word(word, kind), address, whid, campaign, send, claimed_at, url, smtp),
        at=received_at if claimed_at > received_at + AHEAD else claimed_at,
        claimed_at=claimed_at,
        received_at=received_at,
        word=word,
        kind=kind,
        address=address,
        whid=whid,
        campaign=campaign,
        send=send,
        raw=_dump(item) if raw is None else raw,
        subject=_word(fields, "subject"),
        url=url,
        smtp=smtp,
        category=category,
        return_code=return_code,
        client=_client(fields),
    )


def reread(raw: str, received_at: int) -> Event:
    """The event of a payload that was stored."""
    return read(json.loads(raw), received_at, raw)


def details(raw: str) -> tuple[str, str, str, str]:
    """(url, smtp text, category, return code) of a payload that was stored: what no column holds, and judgement needs.

    A quarter of the work of reading all of it again.
    """
    return _details(_lower(json.loads(raw)))


def _details(fields: dict[str, object]) -> tuple[str, str, str, str]:
    smtp = _word(fields, "smtpdescription") or _word(fields, "smptdescription")
    return _word(fields, "url"), smtp, _word(fields, "category"), _word(fields, "returncode")


def _lower(item: dict[str, object]) -> dict[str, object]:
    return {str(name).strip().lower(): value for name, value in item.items()}


def text_of(body: bytes) -> str:
    """What a body says, in whatever it is encoded."""
    try:
        return body.decode().removeprefix("\ufeff")  # as utf-8-sig does, but that codec is written in Python
    except UnicodeDecodeError:
        pass
    try:
        return body.decode("utf-16" if body[:2] in (b"\xff\xfe", b"\xfe\xff") else "cp1252")
    except UnicodeDecodeError:
        return body.decode("latin-1")


def _readings(text: str) -> Iterator[str]:
    yield text
    yield _unquoted(text)


def _form(text: str) -> dict[str, str]:
    pairs = (pair.partition("=") for pair in text.strip().split("&") if pair)
    return {_unquoted(name): _unquoted(value) for name, _, value in pairs}


_ESCAPES = re.compile("(?:%[0-9A-Fa-f]{2})+")


def _unquoted(text: str) -> str:
    """What urllib's unquote_plus says. That one raises an exception for each percent sign that begins no escape, and a
    megabyte of them took it two seconds, in which the receiver answered nobody."""
    return _ESCAPES.sub(
        lambda found: bytes.fromhex(found[0].replace("%", "")).decode(errors="replace"), text.replace("+", " ")
    )


def _json(text: str) -> object:
    """ValueError for what is no JSON or nested too deeply; NaN and 1e999, which are none, read as null."""
    try:
        return _DECODER.decode(text)
    except RecursionError as error:
        raise ValueError("nested too deeply") from error


def _finite(text: str) -> float | None:
    number = float(text)
    return number if math.isfinite(number) else None


_DECODER = json.JSONDecoder(parse_constant=lambda _: None, parse_float=_finite)
_ENCODER = json.JSONEncoder(separators=(",", ":"))
_ENCODER_UTF8 = json.JSONEncoder(separators=(",", ":"), ensure_ascii=False)
"""Made once: json.loads and json.dumps make a new one a call, which costs more than coding a payload does."""


def _items(value: object) -> list[object]:
    if isinstance(value, list):
        if not value:
            raise Unreadable("an empty array")
        return value
    if isinstance(value, dict):
        return [value]
    raise Unreadable("JSON, but neither an object nor an array")


def _word(fields: dict[str, object], name: str) -> str:
    """A field as trimmed text that SQLite and Salesforce can hold; numbers as written, anything else as nothing."""
    value = fields.get(name)
    if type(value) is str and value.isascii() and "\0" not in value:  # nearly always, and twice as fast
        return value.strip()
    if isinstance(value, bool) or not isinstance(value, _SCALARS):
        return ""
    return str(value).encode("utf-8", "replace").decode().replace("\0", "").strip()


def _composed(address: str) -> str:
    """In NFC, unless no address is so long: a run of combining marks takes time that grows with its square, a megabyte
    four minutes, and nothing else in the process goes on meanwhile."""
    return unicodedata.normalize("NFC", address) if len(address) <= LONGEST else address


def _plain(word: str) -> str:
    return word.lower().replace("-", "_").replace(" ", "_")


def _key_word(word: str, kind: Kind) -> str:
    plain = _plain(word)
    return plain if kind is Kind.UNKNOWN or plain in LEARNT else kind.value


def _instant(value: object) -> int:
    """Milliseconds of `2016-08-11 T 12:25:18.889Z`, `2018-01-17T11:21:59.314Z` or a bare number; no zone means UTC."""
    if isinstance(value, bool) or not isinstance(value, _SCALARS) or value == "":
        raise Unreadable("no date")
    text = str(value).strip()
    try:
        moment = _from_number(float(text)) if _is_number(text) else _from_text(text)
    except (ValueError, OverflowError) as error:
        raise Unreadable("a date that cannot be read") from error
    if not 0 <= moment < _LATEST:
        raise Unreadable("a date out of range")
    return moment


def _is_number(text: str) -> bool:
    return text.replace(".", "", 1).isdecimal()


def _from_number(number: float) -> int:
    return int(number * 1000) if number < _SECONDS_END else int(number)


def _from_text(text: str) -> int:
    moment = datetime.fromisoformat("T".join([part.strip() for part in text.upper().split("T")]))
    if moment.tzinfo is None:
        moment = moment.replace(tzinfo=UTC)
    return (moment - _EPOCH) // _MILLISECOND


def _key(word: str, address: str, whid: str, campaign: str, send: str, at: int, url: str, smtp: str) -> bytes:
    canonical = _ENCODER.encode([word, address, whid, campaign, send, at, url, smtp])
    return KEY_VERSION + at.to_bytes(6, "big") + blake2b(canonical.encode(), digest_size=10).digest()


def _client(fields: dict[str, object]) -> str:
    """What the mail was read with: `FIREFOX4 48.0, LINUX`. Sarbacane says Unknown for what it can't tell."""
    system = _word(fields, "operatingsystem") or _word(fields, "operationssystem")
    parts = (_word(fields, "webmail"), _word(fields, "browser"), system)
    return ", ".join(part for part in parts if part and part.lower() != "unknown")


def _dump(item: dict[str, object]) -> str:
    try:
        text = _ENCODER_UTF8.encode(item)
        text.encode()
    except UnicodeEncodeError:  # a lone surrogate, which UTF-8 cannot hold, stays an escape
        return json.dumps(item, separators=(",", ":"))
    except RecursionError as error:
        raise Unreadable("nested too deeply") from error
    return text
