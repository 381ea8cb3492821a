"""What is wrong, where it stands, and the line to write instead."""

import json
import re
import shlex
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING, get_args

from pydantic import ValidationError

from syncd.config.lines import Key, Place
from syncd.config.nearest import nearest
from syncd.config.schema import NOT_A_KEY, PREFIX, keys, sample, sections, toml, variable, variables

if TYPE_CHECKING:
    from pydantic_core import ErrorDetails

_SECRET = re.compile(r"pass(word|wd|phrase)|secret|token|private_?key|session_?id|^key$")

_REASONS = {
    "value_error": "{error}",
    "int_type": "must be a whole number, without quotes",
    "bool_type": "must be true or false, without quotes",
    "string_type": "must be text in quotes",
    "tuple_type": "must be a list in brackets",
    "greater_than": "must be more than {gt}",
    "greater_than_equal": "must be {ge} or more",
    "less_than_equal": "must be {le} or less",
    "too_short": "must not be empty",
    "string_too_short": "must not be empty",
    "string_too_long": "must have {max_length} characters at most",
    "string_pattern_mismatch": "must look like the example",
}


@dataclass(frozen=True, slots=True)
class Origin:
    """Where the values came from. Without a file they came from a mapping."""

    file: Path | None = None
    places: Mapping[Key, Place] = field(default_factory=dict)
    variables: Mapping[Key, str] = field(default_factory=dict)
    secrets_dir: Path = Path("/etc/syncd/secrets")

    def line(self, key: Key) -> int:
        return self.places[key].line if key in self.places and key not in self.variables else 0

    def where(self, key: Key) -> str:
        """`file:12: ` or `$SYNCD_X: `, then the key."""
        if key in self.variables:
            return f"${self.variables[key]}: {dotted(key)}"
        line = f":{self.line(key)}" if self.line(key) else ""
        return f"{self.file}{line}: {dotted(key)}" if self.file else dotted(key)

    def write(self, key: Key, value: object) -> str:
        if key in self.variables:
            return f"  write: {assignment(key, value)}"
        if key in self.places:
            return f"  write: {self.places[key].written} = {toml(value)}"
        return self.add(key, value)

    def add(self, key: Key, value: object) -> str:
        """The line for a key that is not in the file yet, and the section it belongs to."""
        *section, name = key
        if not section:
            return f"  write, above the first [section]: {name} = {toml(value)}"
        place = self.places.get(key[:-1], Place(0, ""))
        if place.written:
            # the section was opened by dotted keys, and TOML allows no header for it any more
            return f"  write, after line {place.line}: {place.written}.{name} = {toml(value)}"
        line = f" (line {place.line})" if place.line else ""
        return f"  write, under [{'.'.join(section)}]{line}: {name} = {toml(value)}"


def dotted(key: Key) -> str:
    return ".".join(key)


def assignment(key: Key, value: object) -> str:
    text = ",".join(value) if isinstance(value, tuple | list) else toml(value).strip('"')
    return f"{variable(key)}={shlex.quote(text)}"


def explained(error: ValidationError, origin: Origin) -> list[str]:
    """One text a problem, in the order of the file; keys that are not in it come first, the environment's last."""
    found: dict[Key, str] = {}
    for details in error.errors(include_url=False):
        key = tuple(part for part in details["loc"] if isinstance(part, str))
        text = _unknown(key, details, origin) if details["type"] == "extra_forbidden" else _wrong(key, details, origin)
        # one problem a key: of a list with three bad items the line to write is the same
        found.setdefault(key, text)
    return [found[key] for key in sorted(found, key=lambda key: (key in origin.variables, origin.line(key)))]


def unknown_variables(environ: Iterable[str], origin: Origin) -> tuple[str, ...]:
    """Names that look like ours but override nothing."""
    ours = sorted(name for name in environ if name.upper().startswith(PREFIX))
    return tuple(_unknown_variable(name, origin) for name in ours if name not in variables() and name != NOT_A_KEY)


def _wrong(key: Key, details: "ErrorDetails", origin: Origin) -> str:
    where = origin.where(key)
    if key not in keys():
        return f"{where}: must be a section\n  write: [{dotted(key)}]   (and its keys below)"
    value = getattr(details.get("ctx", {}).get("error"), "write", None)
    if value is None:
        value = _meant(key, details) or sample(key)
    return f"{where}: {_reason(details)}\n{origin.write(key, value)}"


def _reason(details: "ErrorDetails") -> str:
    if details["type"] == "literal_error":
        return f"must be {details['ctx']['expected']}".replace("'", '"')
    value = details["input"]
    # Only numbers and truth values are shown: a text may be a secret in the wrong place.
    numeric = isinstance(value, bool | int | float) and details["type"] != "value_error"
    shown = f"is {json.dumps(value)}; it " if numeric else ""
    reason = _REASONS.get(details["type"])
    return shown + reason.format(**details.get("ctx", {})) if reason else details["msg"]


def _meant(key: Key, details: "ErrorDetails") -> str | None:
    """The word nearest to a misspelt one, where a key takes one of a few."""
    words = [word for word in get_args(keys()[key].annotation) if isinstance(word, str)]
    return nearest(str(details["input"]), words) if words else None


def _unknown(key: Key, details: "ErrorDetails", origin: Origin) -> str:
    elsewhere = [known for known in keys() if known[-1] == key[-1]]
    if elsewhere:
        homes = " or ".join(_home(known) for known in elsewhere)
        line = origin.add(elsewhere[0], sample(elsewhere[0]))
        return f"{origin.where(key)}: unknown key here; it belongs {homes}\n{line}"
    siblings = [known[-1] for known in (*keys(), *sections()) if known[:-1] == key[:-1]]
    close = nearest(key[-1], siblings, 0.85)
    if not close and (file := _secret_file(key)):
        return _secret_problem(origin.where(key), origin, file, "delete the line")
    close = close or nearest(key[-1], siblings)
    kind = "section" if isinstance(details["input"], dict) else "key"
    if not close:
        home = f"[{dotted(key[:-1])}]" if key[:-1] else "the file"
        return f"{origin.where(key)}: unknown {kind}\n  do: delete it; {home} knows {', '.join(sorted(siblings))}"
    meant = (*key[:-1], close)
    line = (
        f"  write: [{dotted(meant)}]" if meant in sections() else f"  write: {close} = {_kept(meant, details['input'])}"
    )
    return f"{origin.where(key)}: unknown {kind}; did you mean {dotted(meant)}?\n{line}"


def _home(key: Key) -> str:
    return f"under [{dotted(key[:-1])}]" if key[:-1] else "above the first [section]"


def _kept(key: Key, value: object) -> str:
    """The value given under a misspelt name if it is of the kind that the right one takes; texts are not repeated."""
    return toml(value if isinstance(value, bool | int) and type(value) is keys()[key].annotation else sample(key))


def _unknown_variable(name: str, origin: Origin) -> str:
    key = tuple(name[len(PREFIX) :].lower().split("__"))
    close = nearest(name, (*variables(), NOT_A_KEY), 0.9)
    if not close and (file := _secret_file(key)):
        return _secret_problem(f"${name}", origin, file, f"unset {name}")
    close = close or nearest(name, (*variables(), NOT_A_KEY), 0.7)
    if not close:
        return f"${name}: overrides no key\n  do: unset {name}"
    line = f"{NOT_A_KEY}=/etc/syncd/syncd.toml" if close == NOT_A_KEY else _sample_assignment(close)
    return f"${name}: overrides no key; did you mean {close}?\n  write: {line}"


def _sample_assignment(name: str) -> str:
    key = variables()[name]
    return assignment(key, sample(key))


def _secret_file(key: Key) -> str | None:
    """The file for a secret that was written as a key."""
    name, section = key[-1].lower(), key[0].lower()
    if not _SECRET.search(name) or key in keys():
        return None
    if section in {"receiver", "sarbacane"} or "webhook" in name:
        return "webhook_tokens"
    if section == "dashboard":
        return "dashboard_password_hash"
    if section == "store":
        return "store_password"
    files = {
        "private": "salesforce_private_key",
        "security": "salesforce_security_token",
        "pass": "salesforce_password",
    }
    files |= {
        "secret": "salesforce_consumer_secret",
        "token": "salesforce_session_id",
        "session": "salesforce_session_id",
    }
    return next((file for part, file in files.items() if part in name), "salesforce_private_key")


def _secret_problem(where: str, origin: Origin, file: str, remove: str) -> str:
    path = origin.secrets_dir / file
    return (
        f"{where}: secrets are files, never keys\n"
        f"  do: {remove}, put the value alone into {path}, and run: chmod 600 {shlex.quote(str(path))}"
    )
