"""What a person types, as values: instants, addresses, records."""

from __future__ import annotations

import re
import unicodedata
from datetime import UTC, datetime, timedelta
from typing import Any

import click

from syncd.ids import record_id
from syncd.model import Kind

KINDS = click.Choice([kind.value for kind in Kind])

_AGO = re.compile(r"(\d+)([mhd])")
_UNITS = {"m": "minutes", "h": "hours", "d": "days"}
_DAY = re.compile(r"\d{4}-\d\d-\d\d")


class Instant(click.ParamType[int]):
    """`2026-03-02`, `2026-03-02T10:00Z` or `7d` (ago), as ms UTC. With `through`, a day means the end of it."""

    name = "time"

    def __init__(self, *, through: bool = False) -> None:
        self._through = through

    def convert(self, value: Any, param: click.Parameter | None, ctx: click.Context | None) -> int:
        if isinstance(value, int):
            return value
        text = str(value).strip()
        if ago := _AGO.fullmatch(text):
            moment = datetime.now(UTC) - timedelta(**{_UNITS[ago[2]]: int(ago[1])})
        else:
            try:
                moment = datetime.fromisoformat(text)
            except ValueError:
                self.fail(f"{text!r} is no time. Write 2026-03-02, 2026-03-02T10:00Z, or 7d for a week ago", param, ctx)
        if self._through and _DAY.fullmatch(text):
            moment += timedelta(days=1)
        moment = moment if moment.tzinfo else moment.replace(tzinfo=UTC)
        return round(moment.timestamp() * 1000)


class Address(click.ParamType[str]):
    """An address as recipients are written."""

    name = "email"

    def convert(self, value: Any, param: click.Parameter | None, ctx: click.Context | None) -> str:
        return unicodedata.normalize("NFC", str(value).strip()).lower()


class Record(click.ParamType[str]):
    """The id of a Contact or Lead, 15 or 18 characters, as 18."""

    name = "record"

    def convert(self, value: Any, param: click.Parameter | None, ctx: click.Context | None) -> str:
        named = record_id(str(value).strip())
        if named is None:
            self.fail(f"{value!r} is not the id of a Contact or Lead; see the address bar in Salesforce", param, ctx)
        return named.id


SINCE = click.option("--since", type=Instant(), help="Only from then on: 2026-03-02, 2026-03-02T10:00Z or 7d. UTC.")
UNTIL = click.option("--until", type=Instant(through=True), help="Only before then; a day counts as a whole.")
JSON = click.option("--json", "as_json", is_flag=True, help="One JSON document.")
CSV = click.option("--csv", "as_csv", is_flag=True, help="A table for a spreadsheet.")
DRY_RUN = click.option("--dry-run", is_flag=True, help="Show what would change, before → after, and change nothing.")
