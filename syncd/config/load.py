"""The file and the environment become settings, or one error with everything that is wrong."""

import os
import re
import tomllib
from collections.abc import Mapping
from copy import deepcopy
from pathlib import Path
from typing import Any

from pydantic import ValidationError

from syncd.config import problems
from syncd.config.lines import locate
from syncd.config.models import Settings
from syncd.config.problems import Origin
from syncd.config.schema import NOT_A_KEY, variables
from syncd.config.values import SQLITE
from syncd.errors import ConfigError

RECEIVING = ("secrets_dir", "store", "receiver", "logs")
DEFAULT_FILE = Path("/etc/syncd/syncd.toml")


def load(path: Path | None = None, environ: Mapping[str, str] = os.environ) -> Settings:
    """The settings of `path`, else of $SYNCD_CONFIG, else of /etc/syncd/syncd.toml, with the environment over them."""
    path = file_in_use(path, environ)
    set_here = {key: name for name, key in variables().items() if name in environ}
    origin = Origin(path, variables=set_here)
    try:
        text = _read(path)
        values = tomllib.loads(text)
    except ConfigError as error:
        raise ConfigError(*error.problems, *problems.unknown_variables(environ, origin)) from None
    except tomllib.TOMLDecodeError as error:
        syntax = _syntax_problem(path, text, str(error))
        raise ConfigError(syntax, *problems.unknown_variables(environ, origin)) from None
    if set_here:
        from syncd.config.environment import overrides  # its library takes a tenth of a second, and few set any

        values = _merged(values, overrides({name: environ[name] for name in set_here.values()}))
    values = _anchored(values, path.absolute().parent)
    origin = Origin(path, locate(text), set_here, _secrets_dir(values))
    settings = _settings(values, origin, problems.unknown_variables(environ, origin))
    credentials = environ.get("CREDENTIALS_DIRECTORY")
    return settings.with_credentials(Path(credentials) if credentials else None)


def load_to_receive(
    path: Path | None = None, environ: Mapping[str, str] = os.environ
) -> tuple[Settings, ConfigError | None]:
    """The settings, of a wrong configuration as far as receiving goes, and what is wrong with it.

    A run can wait until a person has seen to it. Events can't: whoever sends them gives up after ten failures.
    """
    try:
        return load(path, environ), None
    except ConfigError as error:
        path = file_in_use(path, environ)
        try:
            values = tomllib.loads(_read(path))
            found = None if _has_strangers(values, path, environ) else _receiving(values, path, environ)
        except (ConfigError, tomllib.TOMLDecodeError):
            found = None
        if found is None:
            raise
        return found, error


def _has_strangers(values: Mapping[str, Any], path: Path, environ: Mapping[str, str]) -> bool:
    """A name that is unknown may be a misspelt `store`: then all would go where nobody looks for it."""
    return not values.keys() <= Settings.model_fields.keys() or bool(problems.unknown_variables(environ, Origin(path)))


def _receiving(values: Mapping[str, Any], path: Path, environ: Mapping[str, str]) -> Settings:
    from syncd.config.environment import overrides

    set_here = overrides({name: environ[name] for name, key in variables().items() if name in environ})
    needed = {name: it for name, it in _merged(values, set_here).items() if name in RECEIVING}
    credentials = environ.get("CREDENTIALS_DIRECTORY")
    return from_mapping(
        {**needed, "salesforce": {"auth": "session", "instance_url": "https://nowhere.invalid"}},
        path.parent, Path(credentials) if credentials else None,
    )  # fmt: skip


def file_in_use(path: Path | None = None, environ: Mapping[str, str] = os.environ) -> Path:
    """Which file `load` reads, absolute."""
    return (path or Path(environ.get(NOT_A_KEY) or DEFAULT_FILE)).absolute()


def from_mapping(values: Mapping[str, Any], base: Path = Path("/"), credentials: Path | None = None) -> Settings:
    """Settings without a file, from what a file would hold; relative paths in them are relative to `base`."""
    return _settings(_anchored(values, base), Origin(), ()).with_credentials(credentials)


def _settings(values: Mapping[str, Any], origin: Origin, found: tuple[str, ...]) -> Settings:
    try:
        settings = Settings.model_validate(values)
    except ValidationError as error:
        # from None: pydantic's own words would show values
        raise ConfigError(*problems.explained(error, origin), *found) from None
    if found:
        raise ConfigError(*found)
    return settings


def _secrets_dir(values: Mapping[str, Any]) -> Path:
    """For messages, while nothing is known to be right yet."""
    directory = values.get("secrets_dir")
    return Path(directory) if directory and isinstance(directory, str) else DEFAULT_FILE.parent / "secrets"


def _merged(below: Mapping[str, Any], above: Mapping[str, Any]) -> dict[str, Any]:
    merged = dict(below)
    for name, value in above.items():
        under = merged.get(name)
        merged[name] = _merged(under, value) if isinstance(under, dict) and isinstance(value, dict) else value
    return merged


def _anchored(values: Mapping[str, Any], base: Path) -> dict[str, Any]:
    """The same with its relative paths put under `base`."""
    anchored = deepcopy(dict(values))
    for section, key in (("", "secrets_dir"), ("salesforce", "ca_bundle"), ("store", "url")):
        holder = anchored.get(section) if section else anchored
        if not isinstance(holder, dict) or not isinstance(value := holder.get(key), str):
            continue
        prefix = SQLITE if key == "url" else ""
        rest = value.removeprefix(prefix)
        if rest and value.startswith(prefix) and not rest.startswith((":", "/")):
            holder[key] = f"{prefix}{base / rest}"
    return anchored


def _read(path: Path) -> str:
    try:
        return path.read_bytes().decode("utf-8-sig")
    except FileNotFoundError:
        raise ConfigError(
            f"{path}: there is no such file\n  run: syncd --config {path} init   (or name another: --config FILE, "
            f"or {NOT_A_KEY}=FILE)"
        ) from None
    except UnicodeDecodeError as error:
        line = error.object[: error.start].count(b"\n") + 1
        raise ConfigError(f"{path}:{line}: is not UTF-8 text\n  do: save the file as UTF-8") from None
    except OSError as error:
        raise ConfigError(
            f"{path}: cannot be read: {error.strerror}\n  do: make it a file that the user who runs syncd may read"
        ) from None


def _syntax_problem(path: Path, text: str, message: str) -> str:
    """tomllib has no line numbers but in its message, and none at the end of the file."""
    reason, _, where = message.rpartition(" (at ")
    numbers = re.findall("[0-9]+", where)
    line, column = numbers if len(numbers) == 2 else (text.count("\n") + 1, len(text) - text.rfind("\n"))
    return (
        f"{path}:{line}:{column}: is not TOML: {reason} (line {line}, column {column})"
        '\n  write: key = "text", key = 5, key = true, key = ["one", "two"], or [section]'
    )
