"""What every request to Salesforce passes: the time-out, the budget, the count, and whoever asks if calls go on."""

from __future__ import annotations

import logging
import re
import time
from email.utils import parsedate_to_datetime
from typing import TYPE_CHECKING, Any, Protocol

from requests.adapters import HTTPAdapter

if TYPE_CHECKING:
    from collections.abc import Callable
    from pathlib import Path

    import requests

    from syncd.budget import Budget

_log = logging.getLogger(__name__)  # not structlog's: that shows everything until it is told what to show


class Readable(Protocol):
    """A file as far as an upload needs it."""

    def read(self, size: int = -1, /) -> bytes: ...

    def seek(self, offset: int, whence: int = 0, /) -> int: ...

    def tell(self) -> int: ...


class Watched:
    """A file that tells of each part that is read of it."""

    def __init__(self, file: Readable, tell: Callable[[], object]) -> None:
        self._file, self._tell = file, tell
        self.seek, self.tell = file.seek, file.tell

    def read(self, size: int = -1, /) -> bytes:
        self._tell()
        return self._file.read(size)


class Adapter(HTTPAdapter):
    """Sets the time-out that nobody else sets, asks the budget, counts, and compares clocks.

    The configured authorities are set here too: on a session $REQUESTS_CA_BUNDLE would win over them.
    """

    def __init__(self, timeout: float, ca_bundle: Path | None) -> None:
        self.timeout = timeout
        self.ca_bundle = ca_bundle
        self.calls = 0
        self.budget: Budget | None = None
        self.alive: Callable[[], object] | None = None
        self.ahead: float | None = None
        super().__init__()

    def send(self, request: requests.PreparedRequest, *args: Any, **kwargs: Any) -> requests.Response:
        self.tell()
        if self.budget:
            self.budget.spend()
        self.calls += 1
        kwargs["timeout"] = kwargs.get("timeout") or self.timeout
        if self.ca_bundle:
            kwargs["verify"] = str(self.ca_bundle)
        started = time.time()
        answer = super().send(request, *args, **kwargs)
        _log_call(request, answer, time.time() - started)
        self.ahead = _ahead(answer.headers.get("Date", ""), started, time.time())
        usage = _USAGE.search(answer.headers.get("Sforce-Limit-Info", ""))
        if self.budget and usage:
            self.budget.learn(int(usage["limit"]))
        return answer

    def tell(self) -> None:
        """Says to who wants to know that calls go on."""
        if self.alive:
            self.alive()


_USAGE = re.compile(r"api-usage=[0-9]{1,12}/(?P<limit>[0-9]{1,12})(?![0-9])")


def _log_call(request: requests.PreparedRequest, answer: requests.Response, seconds: float) -> None:
    """Without the query and the bodies, which hold addresses and tokens."""
    path = str(request.path_url).partition("?")[0]
    _log.debug("%s %s: %d in %d ms", request.method, path, answer.status_code, round(seconds * 1000))


def _ahead(date: str, asked: float, answered: float) -> float | None:
    """Seconds by which the Date of an answer lies after or, negative, before the time in which it was made here."""
    try:
        said = parsedate_to_datetime(date).timestamp()
    except ValueError:
        return None
    return said - answered if said > answered else min(0.0, said + 1 - asked)  # it tells whole seconds, cut
