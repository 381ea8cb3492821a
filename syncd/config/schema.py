"""The keys that exist, as other parts of the configuration ask for them."""

import json
from collections.abc import Iterator
from datetime import timedelta
from functools import cache
from typing import Any

from pydantic import BaseModel
from pydantic.fields import FieldInfo

from syncd.config.lines import Key
from syncd.config.models import Settings
from syncd.config.values import format_duration

PREFIX = "SYNCD_"
NOT_A_KEY = "SYNCD_CONFIG"


@cache
def keys() -> dict[Key, FieldInfo]:
    """Every key of the file, in the order of the models, e.g. ("rules", "soft_bounce", "threshold")."""
    return dict(_keys_below(Settings, ()))


@cache
def sections() -> frozenset[Key]:
    return frozenset(key[:depth] for key in keys() for depth in range(1, len(key)))


@cache
def variables() -> dict[str, Key]:
    """Every environment variable that overrides a key."""
    return {variable(key): key for key in keys()}


def variable(key: Key) -> str:
    return PREFIX + "__".join(key).upper()


def sample(key: Key) -> Any:
    """A value that would do: the default, or an example where no default can do."""
    field = keys()[key]
    return field.examples[0] if field.examples else field.get_default(call_default_factory=True)


def toml(value: object) -> str:
    if isinstance(value, timedelta):
        return f'"{format_duration(value)}"'
    if isinstance(value, list | tuple):
        return f"[{', '.join(toml(item) for item in value)}]"
    if isinstance(value, bool | int | float):
        return json.dumps(value)
    return json.dumps("" if value is None else str(value), ensure_ascii=False)


def _keys_below(model: type[BaseModel], prefix: Key) -> Iterator[tuple[Key, FieldInfo]]:
    for name, field in model.model_fields.items():
        if isinstance(field.annotation, type) and issubclass(field.annotation, BaseModel):
            yield from _keys_below(field.annotation, (*prefix, name))
        else:
            yield (*prefix, name), field
