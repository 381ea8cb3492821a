"""Long lists, row by row as they come: lines for people, one JSON document, or a table for a spreadsheet."""

from __future__ import annotations

import csv
import io
import sys
from itertools import islice
from typing import TYPE_CHECKING, Any

import click

from syncd.texts import json_text, printable

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence

LIMIT = click.option(
    "--limit", type=click.IntRange(0, sys.maxsize), default=100, show_default=True, help="At most so many; 0 for all."
)

Row = dict[str, Any]


def show(
    rows: Iterator[Row], line: Callable[[Row], str], columns: Sequence[str], *, limit: int, as_json: bool, as_csv: bool
) -> None:
    """`columns` are those of the CSV. Says so when the limit has cut something off."""
    if as_json and as_csv:
        raise click.UsageError("--json or --csv, not both")
    shown = islice(rows, limit or None)
    if as_json:
        _json(shown)
    elif as_csv:
        _csv(shown, columns)
    else:
        _lines(shown, line)
    if limit and next(rows, None) is not None:
        click.echo(f"The newest {limit}; --limit 0 shows all.", err=True)


def _lines(rows: Iterable[Row], line: Callable[[Row], str]) -> None:
    row = None
    for row in rows:
        click.echo(printable(line(row)))
    if row is None:  # an empty screen looks as if something had failed
        click.echo("There is none.", err=True)


def _json(rows: Iterable[Row]) -> None:
    """One array, a row a line."""
    before = "["
    for row in rows:
        click.echo(before + "\n  " + json_text(row, None), nl=False)
        before = ","
    click.echo("[]" if before == "[" else "\n]")


def _csv(rows: Iterable[Row], columns: Sequence[str]) -> None:
    text = io.StringIO()
    writer = csv.writer(text, lineterminator="\n")
    writer.writerow(columns)
    for row in rows:
        writer.writerow([_cell(row[name]) for name in columns])
        click.echo(text.getvalue(), nl=False)
        text.seek(0)
        text.truncate()
    click.echo(text.getvalue(), nl=False)


def _cell(value: object) -> object:
    """A spreadsheet runs a text that begins like a formula; one in an e-mail's subject is a stranger's."""
    if isinstance(value, dict):
        return counts(value)
    if not isinstance(value, str):
        return value
    return printable(f"'{value}" if value.startswith(("=", "+", "-", "@", "\t", "\r")) else value)


def counts(of: Mapping[str, int], nothing: str = "") -> str:
    """`2 done, 1 rejected`."""
    return ", ".join(f"{number} {what}" for what, number in of.items()) or nothing
