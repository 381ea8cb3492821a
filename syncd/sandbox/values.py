"""From the JSON of a request to what Salesforce stores."""

import re
from collections.abc import Callable
from datetime import UTC, date, datetime

from syncd.sandbox.errors import RowError
from syncd.sandbox.ids import canonical
from syncd.sandbox.schema import Field, Scalar

MOMENT = re.compile(
    r"(\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d)(?:\.\d+)?(?:(Z)|([+-]\d\d):?(\d\d))", re.ASCII
)  # REST wants an offset
DATE = re.compile(r"\d{4}-\d\d-\d\d", re.ASCII)
ADDRESS = re.compile(r"[^\s@,;:<>()\[\]\\\"]+@[^\s@,;:<>()\[\]\\\"._-][^\s@,;:<>()\[\]\\\"_]*\.[A-Za-z0-9-]{2,}")


def render(moment: datetime) -> str:
    """A date-time as the API writes it: UTC, whole seconds (milliseconds are dropped when stored)."""
    return moment.astimezone(UTC).replace(microsecond=0, tzinfo=None).isoformat() + ".000+0000"


def parse_moment(text: str) -> str | None:
    """`2026-11-24T11:00:00.123+01:00` → `2026-11-24T10:00:00.000+0000`; None without an offset or for no such time."""
    found = MOMENT.fullmatch(text)
    if not found:
        return None
    clock, zulu, hours, minutes = found.groups()
    try:
        return render(datetime.fromisoformat(clock + ("+00:00" if zulu else f"{hours}:{minutes}")))
    except (ValueError, OverflowError):
        return None


def parse_date(text: str) -> str | None:
    """Only the day counts: a date field given a date-time keeps its first ten characters."""
    day = text[:10] if parse_moment(text) else text
    try:
        return date.fromisoformat(day).isoformat() if DATE.fullmatch(day) else None
    except ValueError:
        return None


def _unreadable(field: Field, value: object) -> RowError:
    kind = "VALUE_STRING" if isinstance(value, str) else "VALUE_NUMBER"
    return RowError(
        "JSON_PARSER_ERROR",
        f"Cannot deserialize instance of {field.type} from {kind} value {value} or request may be missing a required "
        "field",
        (field.name,),
    )


def _string(field: Field, value: object) -> Scalar:
    """Trimmed at both ends; nothing left is null."""
    if isinstance(value, bool):
        value = "true" if value else "false"
    elif isinstance(value, int | float):
        value = str(value)
    if not isinstance(value, str):
        raise _unreadable(field, value)
    kept = value.strip()
    # what lies beyond U+FFFF counts as two (help 005166849, "Surrogate Pair Characters Are Treated as Two Characters")
    if field.length and len(kept.encode("utf-16-le", "surrogatepass")) > 2 * field.length:
        raise RowError(
            "STRING_TOO_LONG",
            f"{field.label}: data value too large: {kept} (max length={field.length})",
            (field.name,),
        )
    return kept or None


def _email(field: Field, value: object) -> Scalar:
    kept = _string(field, value)
    if isinstance(kept, str) and not ADDRESS.fullmatch(kept):
        raise RowError("INVALID_EMAIL_ADDRESS", f"{field.label}: invalid email address: {kept}", (field.name,))
    return kept


def _picklist(field: Field, value: object) -> Scalar:
    kept = _string(field, value)
    if field.restricted and kept is not None and kept not in field.values:
        raise RowError(
            "INVALID_OR_NULL_FOR_RESTRICTED_PICKLIST",
            f"{field.label}: bad value for restricted picklist field: {kept}",
            (field.name,),
        )
    return kept


def _boolean(field: Field, value: object) -> Scalar:
    if isinstance(value, str) and value.lower() in ("true", "false"):
        return value.lower() == "true"
    if isinstance(value, bool):
        return value
    raise _unreadable(field, value)


def _number(field: Field, value: object) -> Scalar:
    if isinstance(value, str):
        try:
            value = float(value)
        except ValueError:
            raise _unreadable(field, value) from None
    if isinstance(value, bool) or not isinstance(value, int | float):
        raise _unreadable(field, value)
    return int(value) if field.type == "int" else float(value)


def _datetime(field: Field, value: object) -> Scalar:
    if isinstance(value, datetime):
        return render(value)
    moment = parse_moment(value) if isinstance(value, str) else None
    if moment is None:
        raise _unreadable(field, value)
    return moment


def _date(field: Field, value: object) -> Scalar:
    if isinstance(value, datetime):
        return value.date().isoformat()
    if isinstance(value, date):
        return value.isoformat()
    day = parse_date(value) if isinstance(value, str) else None
    if day is None:
        raise _unreadable(field, value)
    return day


def _reference(field: Field, value: object) -> Scalar:
    found = canonical(value)
    if found is None:
        raise RowError("MALFORMED_ID", f"{field.label}: id value of incorrect type: {value}", (field.name,))
    return found


COERCE: dict[str, Callable[[Field, object], Scalar]] = {
    "boolean": _boolean,
    "int": _number,
    "double": _number,
    "currency": _number,
    "percent": _number,
    "date": _date,
    "datetime": _datetime,
    "email": _email,
    "picklist": _picklist,
    "reference": _reference,
    "id": _reference,
}


def coerce(field: Field, value: object) -> Scalar:
    """What is stored when `value` is given for `field`; RowError with Salesforce's words if it can't be."""
    if value is None or value == "":
        return None
    return COERCE.get(field.type, _string)(field, value)
