"""Where each key stands in a TOML file, which no TOML library of ours tells."""

import tomllib
from collections.abc import Iterator, Mapping
from typing import Any, NamedTuple

Key = tuple[str, ...]


class Place(NamedTuple):
    line: int
    written: str
    """The key as it is written there: below its section's header, dotted if the header is not the whole of the rest."""


def locate(text: str) -> Mapping[Key, Place]:
    """The first line of every key and every section of a valid TOML text."""
    places: dict[Key, Place] = {}
    header: Key = ()
    for line, statement, parsed in _statements(text):
        is_header = statement.lstrip().startswith("[")
        if is_header:
            header = max(_keys_of(parsed, ()), key=len)
        for key in _keys_of(parsed, () if is_header else header):
            places.setdefault(key, Place(line, ".".join(key[len(header) :])))
    return places


def _statements(text: str) -> Iterator[tuple[int, str, dict[str, Any]]]:
    """TOML is one statement a line, save for arrays and long strings: those end where the lines so far are valid."""
    pending: list[str] = []
    for number, line in enumerate(text.replace("\r\n", "\n").split("\n"), 1):
        pending.append(line)
        statement = "\n".join(pending)
        try:
            parsed = tomllib.loads(statement)
        except tomllib.TOMLDecodeError:
            continue
        if parsed:
            yield number - len(pending) + 1, statement, parsed
        pending.clear()


def _keys_of(value: object, prefix: Key) -> Iterator[Key]:
    if isinstance(value, list):
        for item in value:
            yield from _keys_of(item, prefix)
    elif isinstance(value, dict):
        for name, below in value.items():
            yield (*prefix, name)
            yield from _keys_of(below, (*prefix, name))
