"""What the environment says in place of the file: SYNCD_SECTION__KEY."""

import json
from collections.abc import Mapping
from typing import Any, get_origin

from pydantic import TypeAdapter, ValidationError
from pydantic.fields import FieldInfo
from pydantic_settings import BaseSettings, EnvSettingsSource, SettingsConfigDict

from syncd.config.lines import Key
from syncd.config.models import Settings
from syncd.config.schema import PREFIX, keys


def overrides(environ: Mapping[str, str]) -> dict[str, Any]:
    """The values of these variables, which are all names of keys, as a file would hold them."""
    return _Environment(environ)()


class _Keys(Settings, BaseSettings):
    """The keys as a source of pydantic-settings wants them; not what is validated, since a BaseSettings would take
    `_env_file = "…"` in the file for an argument of its own."""

    # not strict: the source would turn "60" into a duration
    model_config = SettingsConfigDict(env_prefix=PREFIX, env_nested_delimiter="__", strict=False)


class _Environment(EnvSettingsSource):
    """SYNCD_SECTION__KEY, for known names only (pydantic-settings passes over some misspelt ones in silence)."""

    def __init__(self, environ: Mapping[str, str]) -> None:
        super().__init__(_Keys, case_sensitive=False)
        self.env_vars = {name.lower(): value for name, value in environ.items()}

    def decode_complex_value(self, field_name: str, field: FieldInfo, value: Any) -> Any:
        """A list as open,click or ["open", "click"]; what only pydantic-settings thinks complex (a Bind) as it is."""
        if get_origin(field.annotation) is not tuple:
            return value
        try:
            return json.loads(value)
        except ValueError:
            return [item.strip() for item in value.split(",")]

    def __call__(self) -> dict[str, Any]:
        return _typed(super().__call__(), ())


def _typed(values: Mapping[str, Any], prefix: Key) -> dict[str, Any]:
    """Text becomes the number or truth value that the key takes, else stays and is refused; names get their case."""
    names = {key[len(prefix)].lower(): key[len(prefix)] for key in keys() if key[: len(prefix)] == prefix}
    typed: dict[str, Any] = {}
    for lower, value in values.items():
        name = names[lower.lower()]
        field = keys().get((*prefix, name))
        if field is None:
            typed[name] = _typed(value, (*prefix, name))
        elif field.annotation in {int, float, bool}:
            typed[name] = _lenient(field.annotation, value)
        elif get_origin(field.annotation) is tuple and value == "":  # an empty list, not decoded by the source
            typed[name] = []
        else:
            typed[name] = value
    return typed


def _lenient(kind: Any, value: Any) -> Any:
    try:
        return TypeAdapter(kind).validate_python(value)
    except ValidationError:
        return value
