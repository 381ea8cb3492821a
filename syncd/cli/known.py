"""Whether there is what a person names by its number or id: a mistyped one must not look like work that is done."""

from __future__ import annotations

from typing import TYPE_CHECKING

import click

if TYPE_CHECKING:
    from syncd.store import Desk


def must_be_known(desk: Desk, run: int | None, record: str | None) -> None:
    """Refuses a run that never was, and a record that no recipient was ever found to be."""
    if run is not None and not desk.has_run(run):
        raise click.UsageError(f"There is no run {run}. See: syncd runs")
    if record and not desk.knows_record(record):
        raise click.UsageError(f"syncd has never met the record {record}. See: syncd explain {record}")
