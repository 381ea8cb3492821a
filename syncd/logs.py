"""Logs: one event a line on stderr, text for a terminal and JSON elsewhere, addresses masked."""

from __future__ import annotations

import logging
import os
import sys
import threading
from collections.abc import Mapping, MutableMapping
from types import TracebackType
from typing import Any

import structlog

from syncd.masks import masked
from syncd.texts import printable_lines

QUIET = {"apscheduler": logging.ERROR}  # a run skipped because the last one still goes on is nothing to warn of


def _mask_addresses(_logger: object, _name: str, said: MutableMapping[str, Any]) -> MutableMapping[str, Any]:
    return {name: it if name.startswith("_") else _masked(it) for name, it in said.items()}


def _masked(it: object) -> object:
    """What is no text yet, an exception say, becomes one here and not where it is rendered."""
    if it is None or isinstance(it, bool | int | float):
        return it
    if isinstance(it, Mapping):
        return {name: _masked(one) for name, one in it.items()}
    if isinstance(it, list | tuple | set | frozenset):
        return [_masked(one) for one in it]
    return printable_lines(masked(str(it)))


def configure(level: str = "info", levels: Mapping[str, str] | None = None, *, json: bool | None = None) -> None:
    """For structlog's loggers and the libraries' alike.

    `levels`: of some loggers (`syncd.salesforce`) and those below them another one. `json` None: text if stderr is a
    terminal.
    """
    if json is None:
        json = not sys.stderr.isatty()
    shared: list[structlog.typing.Processor] = [
        structlog.contextvars.merge_contextvars,
        structlog.stdlib.add_log_level,
        structlog.processors.TimeStamper(fmt="iso", utc=True),
        structlog.processors.format_exc_info,
        _mask_addresses,
    ]
    renderer = structlog.processors.JSONRenderer() if json else structlog.dev.ConsoleRenderer()
    structlog.configure(
        processors=[*shared, structlog.stdlib.ProcessorFormatter.wrap_for_formatter],
        wrapper_class=structlog.stdlib.BoundLogger,
        logger_factory=structlog.stdlib.LoggerFactory(),
        cache_logger_on_first_use=True,
    )
    handler = logging.StreamHandler()
    handler.setFormatter(
        structlog.stdlib.ProcessorFormatter(
            processors=[structlog.stdlib.ProcessorFormatter.remove_processors_meta, renderer],
            foreign_pre_chain=[*shared, structlog.stdlib.PositionalArgumentsFormatter()],
        )
    )
    logging.basicConfig(level=max(logging.INFO, _number(level)), handlers=[handler], force=True)
    for name, word in {"syncd": level, **(levels or {})}.items():
        logging.getLogger(name).setLevel(_number(word))  # a library's own small talk may hold what is not to be logged
    for name, number in QUIET.items():
        logging.getLogger(name).setLevel(number)
    if in_journal():
        sys.excepthook = _report
        threading.excepthook = lambda it: _report(it.exc_type, it.exc_value, it.exc_traceback)


def _report(kind: type[BaseException], error: BaseException | None, trace: TracebackType | None) -> None:
    """What nobody caught: one document as well, and no address of whoever it happened with."""
    if error is None or not issubclass(kind, Exception):
        return
    text = "ended in a way nobody thought of; please report it"
    logging.getLogger("syncd").critical(text, exc_info=(kind, error, trace))


def in_journal() -> bool:
    """Whether stderr is systemd's journal, where everything is to be a document: also why a service did not start."""
    there = os.fstat(2)
    return os.environ.get("JOURNAL_STREAM") == f"{there.st_dev}:{there.st_ino}"


def _number(level: str) -> int:
    return logging.getLevelNamesMapping()[level.upper()]
