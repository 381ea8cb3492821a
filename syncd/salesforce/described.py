"""What describe says of an object's fields, and values on their way between roles and those fields. Pure but for the
time of the description."""

from __future__ import annotations

import time
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import TYPE_CHECKING, Any

from syncd.model import Shape

if TYPE_CHECKING:
    from collections.abc import Mapping

    from syncd.config.models import ObjectFields
    from syncd.model import Value

MOMENT = frozenset({"datetime", "date"})
BOX = frozenset({"boolean"})
TYPES = {
    "bounce_date": MOMENT,
    "bounce_reason": frozenset({"string", "textarea"}),
    "opted_out": BOX,
    "invalid": BOX,
    "soft_bounce_count": frozenset({"double", "int"}),
    "last_open": MOMENT,
    "last_click": MOMENT,
}
"""Role → the field types it can be kept in."""


@dataclass(frozen=True, slots=True)
class Described:
    """`at`: when, by the monotonic clock."""

    shape: Shape
    readable: Mapping[str, str]  # role → field
    emails: tuple[str, ...]
    types: Mapping[str, str]  # of every field that can be seen
    at: float

    @classmethod
    def of(cls, existing: Mapping[str, Mapping[str, Any]], fields: ObjectFields) -> Described:
        readable = {
            role: name
            for role, types in TYPES.items()
            if (name := getattr(fields, role)) in existing and existing[name].get("type") in types
        }
        days = frozenset(role for role, name in readable.items() if existing[name].get("type") == "date")
        lengths = {role: int(existing[name].get("length") or 0) for role, name in readable.items()}
        return cls(
            Shape(
                frozenset(role for role, name in readable.items() if existing[name].get("updateable")),
                {role: length for role, length in lengths.items() if length},
                days,
                tuple(name for name in fields.email if name not in existing),
                readable,
            ),
            readable,
            tuple(name for name in fields.email if name in existing),
            {name: str(field.get("type")) for name, field in existing.items()},
            time.monotonic(),
        )


def incoming(role: str, value: Any) -> Value:
    """Instants in ms; a day as its midnight UTC."""
    if TYPES[role] is BOX:
        return bool(value)
    if value and TYPES[role] is MOMENT:
        return instant(value)
    return int(value) if isinstance(value, float) else value or None


def instant(value: str) -> int:
    moment = datetime.fromisoformat(value)
    return round((moment if moment.tzinfo else moment.replace(tzinfo=UTC)).timestamp() * 1000)


def outgoing(role: str, value: Value, shape: Shape) -> object:
    if TYPES[role] is MOMENT and isinstance(value, int):
        form = "%Y-%m-%d" if role in shape.days else "%Y-%m-%dT%H:%M:%SZ"
        return datetime.fromtimestamp(value / 1000, UTC).strftime(form)
    return value
