"""How far long work is: a bar on a terminal, now and then a line elsewhere. On stderr: stdout is for the answer."""

from __future__ import annotations

import sys
import time
from contextlib import contextmanager
from typing import TYPE_CHECKING

import click

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

TOLD_EVERY = 5.0  # seconds between two lines


@contextmanager
def progress(label: str, length: int) -> Iterator[Callable[[int], None]]:
    """Call it with how far the work is, of `length`."""
    if not sys.stderr.isatty():
        yield _lines(label, length)
        return
    with click.progressbar(length=length, label=label, file=sys.stderr) as bar:
        yield lambda position: bar.update(max(0, position - bar.pos))


def _lines(label: str, length: int) -> Callable[[int], None]:
    told = time.monotonic()

    def tell(position: int) -> None:
        nonlocal told
        if time.monotonic() - told >= TOLD_EVERY:
            told = time.monotonic()
            click.echo(f"{label}: {100 * position // max(length, 1)} %", err=True)

    return tell
