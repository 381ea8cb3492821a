"""What a person types, as values: instants, addresses, records."""

from __future__ import annotations

import getpass
import os
import re
import unicodedata
from datetime import UTC, date, datetime, timedelta
from typing import Any

import click

from syncd.ids import record_id
from syncd.model import Kind

NUMBER = click.IntRange(1, (1 << 63) - 1)
"""Of a run, a group, a delivery: what the store can count to."""
KINDS = click.Choice([kind.value for kind in Kind])

_AGO = re.compile(r"(\d+)([mhd])")
_UNITS = {"m": "minutes", "h": "hours", "d": "days"}


class Instant(click.ParamType[int]):
    """`2026-03-02`, `2026-03-02T10:00Z` or `7d` (ago), as ms UTC. With `through`, a day means the end of it."""

    name = "time"

    def __init__(self, *, through: bool = False) -> None:
        self._through = through

    def convert(self, value: Any, param: click.Parameter | None, ctx: click.Context | None) -> int:
        if isinstance(value, int):
            return value
        text = str(value).strip()
        try:
            return self._instant(text)
        except (ValueError, OverflowError):
            self.fail(f"{text!r} is no time. Write 2026-03-02, 2026-03-02T10:00Z, or 7d for a week ago", param, ctx)

    def _instant(self, text: str) -> int:
        if ago := _AGO.fullmatch(text):
            moment = datetime.now(UTC) - timedelta(**{_UNITS[ago[2]]: int(ago[1])})
        else:
            moment = datetime.fromisoformat(text)
            moment = moment if moment.tzinfo else moment.replace(tzinfo=UTC)
        if self._through and _is_day(text):
            moment += timedelta(days=1)
        return round(moment.timestamp() * 1000)


def _is_day(text: str) -> bool:
    try:
        return bool(date.fromisoformat(text))
    except ValueError:
        return False


class Address(click.ParamType[str]):
    """An address as recipients are written."""

    name = "email"

    def convert(self, value: Any, param: click.Parameter | None, ctx: click.Context | None) -> str:
        return unicodedata.normalize("NFC", str(value).strip()).lower()


class Whole(Address):
    """An address and no less: of nothing, or of a letter, all that is stored would be a mention."""

    def convert(self, value: Any, param: click.Parameter | None, ctx: click.Context | None) -> str:
        address = super().convert(value, param, ctx)
        if not all(part.strip() for part in address.partition("@")):
            self.fail(f"{value!r} is no address. Write it whole, such as jeanne.durand@example.fr", param, ctx)
        return address


class Record(click.ParamType[str]):
    """The id of a Contact or Lead, 15 or 18 characters, as 18."""

    name = "record"

    def convert(self, value: Any, param: click.Parameter | None, ctx: click.Context | None) -> str:
        named = record_id(str(value).strip())
        if named is None:
            self.fail(f"{value!r} is not the id of a Contact or Lead; see the address bar in Salesforce", param, ctx)
        return named.id


def who_types() -> str:
    """Who decides, for the books. A container may run under a number that has no name."""
    try:
        return getpass.getuser()
    except (KeyError, OSError):
        return f"uid {os.getuid()}"


SINCE = click.option("--since", type=Instant(), help="Only from then on: 2026-03-02, 2026-03-02T10:00Z or 7d. UTC.")
UNTIL = click.option("--until", type=Instant(through=True), help="Only before then; a day counts as a whole.")
JSON = click.option("--json", "as_json", is_flag=True, help="One JSON document.")
CSV = click.option("--csv", "as_csv", is_flag=True, help="A table for a spreadsheet.")
DRY_RUN = click.option("--dry-run", is_flag=True, help="Show what would change, before → after, and change nothing.")
