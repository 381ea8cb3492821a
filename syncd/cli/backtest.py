"""`syncd backtest`: what other rules would change, told without changing anything."""

from __future__ import annotations

import os
import sys
import time
from collections import Counter
from contextlib import closing
from typing import TYPE_CHECKING, Any

import click

from syncd import operate
from syncd.cli.given import CSV, JSON
from syncd.cli.progress import progress
from syncd.cli.tables import show
from syncd.cli.words import counted, iso
from syncd.config import load
from syncd.config.schema import variables
from syncd.store import Histories, open_store

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

_COLUMNS = ("would_be", "object", "record", "address", "whid", "rule", "reason", "at", "marked_by")


@click.command("backtest")
@click.option(
    "--set",
    "given",
    multiple=True,
    metavar="KEY=VALUE",
    help="A key of [rules], such as rules.soft_bounce.threshold=4.",
)
@click.option(
    "--limit", type=click.IntRange(0, sys.maxsize), default=0, help="List at most so many; 0 for all. [default: all]"
)
@JSON
@CSV
@click.pass_obj
def backtest(config: Path | None, *, given: tuple[str, ...], limit: int, as_json: bool, as_csv: bool) -> None:
    """Tell who would be marked, and whose mark would be lifted, under other rules. Changes nothing.

    Compares what the stored events say under the rules of the configuration and under the others.

    \b
    syncd backtest --set rules.soft_bounce.threshold=4
    syncd backtest --set rules.hard_bounce.spare=blocked,content --csv > spared.csv
    """
    if not given:
        raise click.UsageError("Say what to change: --set rules.soft_bounce.threshold=4. See: [rules] in the example")
    settings = load(config)
    other = load(config, {**os.environ, **dict(_variable(one) for one in given)})
    path = settings.store.path
    with closing(open_store(path)) as db:
        last, subjects = Histories(db).last(), Histories(db).subjects()
    totals: Counter[str] = Counter()
    started = time.monotonic()

    def rows() -> Iterator[dict[str, Any]]:
        with progress("backtest", last) as is_at:
            for position, page in operate.backtest(path, settings.judgement(), other.judgement()):
                is_at(position)
                totals.update(row["would_be"] for row in page)
                yield from ({**row, "at": iso(row["at"])} for row in page)

    found = rows()
    show(found, _line, _COLUMNS, limit=limit, as_json=as_json, as_csv=as_csv)
    for _ in found:  # the counts are of all
        pass
    took = time.monotonic() - started
    click.echo(
        f"{counted(totals['marked'], 'record')} would newly be marked, {counted(totals['lifted'], 'mark')} lifted;"
        f" {counted(subjects, 'subject')} compared in {took:.1f} s. Nothing was changed.",
        err=as_json or as_csv,
    )


def _variable(given: str) -> tuple[str, str]:
    """`rules.soft_bounce.threshold=4` as the environment variable that says it."""
    key, equals, value = given.partition("=")
    names = {".".join(path): name for name, path in variables().items() if path[0] == "rules"}
    if not equals or key.strip() not in names:
        raise click.UsageError(
            f"--set {given}: write KEY=VALUE with a key of [rules]:\n  " + "\n  ".join(sorted(names))
        )
    return names[key.strip()], value.strip()


def _line(row: dict[str, Any]) -> str:
    # no record: none was found, or none was looked up, as there was nothing to write
    who = f"{row['object']} {row['record']}" if row["record"] else f"whId {row['whid'] or 'missing'}"
    marked = f"; marked now by {row['marked_by']}" if row["marked_by"] else ""
    return f"{row['would_be']}  {who}  {row['address']}  {row['reason']}, {row['at'][:10]}{marked}"
