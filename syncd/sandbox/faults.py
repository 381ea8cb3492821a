"""Faults on demand: what goes wrong between a client and Salesforce, or inside Salesforce, made to happen.

    org.faults.add(Fault(path="composite/sobjects", method="PATCH", when="after", reset=True))

One call meets one fault: the first in the list that is due.
"""

import random
import re
import threading
import time
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

from syncd.sandbox.errors import RowError

WHEN = ("before", "after", "late")
MANGLED = ("half", "fewer", "type")
LONGEST_HOLD = 600.0
JSON_TYPES: dict[str, type | tuple[type, ...]] = {
    **dict.fromkeys(("path", "method", "when", "code", "message", "body", "content_type", "location"), str),
    **dict.fromkeys(("row_code", "row_message", "job_error", "mangle"), str),
    **dict.fromkeys(("times", "skip", "status", "retry_after"), int),
    **dict.fromkeys(("chance", "hold", "row_share"), (int, float)),
    **dict.fromkeys(("reset", "expire"), bool),
    "row": (str, list),
}


@dataclass(slots=True)
class Fault:
    """Which calls it meets, and what it does to them.

    Which: `path` (a regular expression searched in the URL path), `method`, after letting `skip` of them pass, at
    most `times` (None: always), each with probability `chance` (None: surely).

    When: `before` – nothing is committed; `after` – the work is done and its answer is lost or changed; `late` – with
    `hold`: the work is done, and answered, only when the wait is over.

    What, one of:
    - `status`, `code`, `message`: an array of one error, as Salesforce answers; with `retry_after` seconds in a header;
    - `body` (with `status`, `content_type`, `location`): these bytes, such as an HTML page, half a document, nothing;
    - `reset`: the TCP connection is cut (RST) without an answer;
    - `row_code`, `row_message`: rows of a write are refused with this statusCode and not committed, the others go
      their way, whatever `when` says. `row` chooses: a regular expression on the record's id or external id, or a list
      of positions (a plain creation has no id to match); of those chosen each is refused with probability `row_share`;
    - `job_error`: the Bulk job whose upload this call completes fails with these words, nothing done;
    - `mangle`: the true answer breaks off in the middle (`half`), lacks its last row (`fewer`), or is JSON of another
      type (`type`), all of them `after`;
    - `expire`: all sessions end, before the call (which then is refused) or after it;
    - `hold`: an Event to wait for, or seconds, so that a client times out. One of the above comes afterwards; without
      one the true answer, or, since nothing is done `before`, a 503.
    """

    path: str = ""
    method: str | None = None
    times: int | None = 1
    skip: int = 0
    chance: float | None = None
    when: str = "before"
    status: int | None = None
    code: str = "SERVER_UNAVAILABLE"
    message: str = "The service is temporarily unavailable"
    body: str | bytes | None = None
    content_type: str = "text/html; charset=utf-8"
    location: str = ""
    reset: bool = False
    hold: threading.Event | float | None = None
    row_code: str | None = None
    row_message: str = ""
    row: str | Sequence[int] | None = None
    row_share: float | None = None
    job_error: str = ""
    mangle: str = ""
    expire: bool = False
    retry_after: int | None = None
    fired: int = field(default=0, init=False)
    seen: int = field(default=0, init=False)
    dice: random.Random = field(default_factory=random.Random, init=False, repr=False)  # the org's, once it is added

    def __post_init__(self) -> None:
        re.compile(self.path)
        if isinstance(self.row, str):
            re.compile(self.row)
        if self.when not in WHEN:
            raise ValueError(f"when is one of {', '.join(WHEN)}, not {self.when!r}")
        if not (self.answers or self.is_inside or self.mangle or self.expire or self.hold is not None):
            raise ValueError("a fault needs one of status, body, reset, hold, row_code, job_error, mangle, expire")
        if self.mangle and (self.mangle not in MANGLED or self.when != "after"):
            raise ValueError(f"mangle is one of {', '.join(MANGLED)}, and goes with when = after")
        if self.when == "late" and (self.hold is None or self.answers):
            raise ValueError("late goes with hold, and has no answer but the true one")

    @classmethod
    def from_json(cls, given: Any) -> "Fault":
        """The same keys in JSON, `hold` in seconds; ValueError says what is wrong."""
        if not isinstance(given, Mapping):
            raise ValueError("a fault is a JSON object")  # noqa: TRY004 - one kind of error for the caller
        if unknown := sorted(set(given) - set(JSON_TYPES)):
            raise ValueError(f"unknown key {', '.join(unknown)}; known are {', '.join(sorted(JSON_TYPES))}")
        for name, value in given.items():
            if value is not None and not isinstance(value, JSON_TYPES[name]):
                raise ValueError(f"{name} can't be {value!r}")
        try:
            return cls(**given)
        except re.error as error:
            raise ValueError(f"not a regular expression: {error}") from None

    @property
    def answers(self) -> bool:
        """It has an answer of its own (cutting the connection is one)."""
        return self.reset or self.body is not None or self.status is not None

    @property
    def is_inside(self) -> bool:
        """It befalls rows or jobs; the call itself goes its way."""
        return bool(self.row_code or self.job_error)

    def wait(self) -> None:
        if isinstance(self.hold, threading.Event):
            self.hold.wait(LONGEST_HOLD)
        elif self.hold is not None:
            time.sleep(min(self.hold, LONGEST_HOLD))

    def refuse(self, number: int, key: str) -> RowError | None:
        """Its verdict on row `number` of a write, whose id or external id is `key`."""
        if self.row_code is None:
            return None
        chosen = (
            self.row is None
            or (isinstance(self.row, str) and re.search(self.row, key) is not None)
            or (not isinstance(self.row, str) and number in self.row)
        )
        if not chosen or (self.row_share is not None and self.dice.random() >= self.row_share):
            return None
        return RowError(self.row_code, self.row_message or self.row_code)

    def concerns(self, method: str, path: str) -> bool:
        return (self.method is None or self.method.upper() == method) and re.search(self.path, path) is not None


class Faults:
    """The faults in force. Safe from any thread."""

    def __init__(self, chance: random.Random) -> None:
        self._chance = chance
        self._lock = threading.Lock()
        self._faults: list[Fault] = []

    def add(self, fault: Fault) -> Fault:
        fault.dice = self._chance
        with self._lock:
            self._faults.append(fault)
        return fault

    def clear(self) -> None:
        with self._lock:
            self._faults.clear()

    def __iter__(self) -> Iterator[Fault]:
        with self._lock:
            return iter(list(self._faults))

    def meet(self, method: str, path: str) -> Fault | None:
        """The fault this call meets; counts it."""
        with self._lock:
            concerned = [fault for fault in self._faults if fault.concerns(method, path)]
            for fault in concerned:
                fault.seen += 1
            due = next((fault for fault in concerned if self._due(fault)), None)
            if due:
                due.fired += 1
            return due

    def _due(self, fault: Fault) -> bool:
        if fault.seen <= fault.skip or (fault.times is not None and fault.fired >= fault.times):
            return False
        return fault.chance is None or self._chance.random() < fault.chance
