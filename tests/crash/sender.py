"""Clients that behave as Sarbacane does: an event a call, ten tries, then never again."""

from __future__ import annotations

import itertools
import threading
import time
from dataclasses import dataclass, field
from http.client import HTTPConnection, HTTPException

from tests.receiver.process import HOOK
from tests.receiver.stored import body

TRIES = 10
PAUSE = 0.2
"""Seconds between two tries. How long Sarbacane waits is documented nowhere; this is unkindly short."""
TIMEOUT = 15.0


@dataclass
class Tally:
    """What the clients saw. An event is given up after ten tries: that is a lost one."""

    acknowledged: set[int] = field(default_factory=set)
    given_up: set[int] = field(default_factory=set)
    retried: int = 0
    refused_connections: int = 0
    answers: dict[int, int] = field(default_factory=dict)
    most_tries: int = 0


class Senders:
    """Threads that send numbered events until told to stop; each finishes the event it has begun."""

    def __init__(self, port: int, threads: int = 8) -> None:
        self.tally = Tally()
        self._port = port
        self._numbers = itertools.count(1)
        self._stopping = threading.Event()
        self._lock = threading.Lock()
        self._threads = [threading.Thread(target=self._send_many, daemon=True) for _ in range(threads)]

    def __enter__(self) -> Senders:
        for thread in self._threads:
            thread.start()
        return self

    def __exit__(self, *_: object) -> None:
        self._stopping.set()
        for thread in self._threads:
            thread.join(TRIES * (TIMEOUT + PAUSE))

    def _send_many(self) -> None:
        connection = HTTPConnection("127.0.0.1", self._port, timeout=TIMEOUT)
        while not self._stopping.is_set():
            with self._lock:
                number = next(self._numbers)
            self._send(connection, number)
        connection.close()

    def _send(self, connection: HTTPConnection, number: int) -> None:
        for attempt in range(1, TRIES + 1):
            status = self._try(connection, number)
            with self._lock:
                self.tally.answers[status] = self.tally.answers.get(status, 0) + 1
                self.tally.most_tries = max(self.tally.most_tries, attempt)
                if status == 204:
                    self.tally.acknowledged.add(number)
                    return
                self.tally.retried += 1
            time.sleep(PAUSE)
        with self._lock:
            self.tally.given_up.add(number)

    def _try(self, connection: HTTPConnection, number: int) -> int:
        """The status, or 0 if there was no answer."""
        try:
            connection.request("POST", HOOK, body(number))
            answer = connection.getresponse()
            answer.read()
            return answer.status
        except ConnectionRefusedError:
            with self._lock:
                self.tally.refused_connections += 1
        except (OSError, HTTPException):
            pass
        connection.close()
        return 0
