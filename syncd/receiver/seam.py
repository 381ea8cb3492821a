"""Between granian's event loop and the Flask app: the app runs inline, and its answer is held until the commit.

A WSGI server needs a thread for each answer that waits for the disk; here it is a coroutine, and a client that sends
slowly, or a store that is locked, takes no thread from the others. The app stays plain WSGI and knows of this only that
somebody else may do the waiting (`HOLD`).

One case does not reach Flask: a body that is all events, sent to a token of the list. It is nearly every request, and
its answer is always the same. A test sends whatever it can think of both ways and compares answers and rows.

Measured with `python -m tests.bench` (64 connections, one core, of the rate of a bare Flask 204): this 0.83, on another
machine 1.2; with Flask in every request 0.6; the same app on 64 WSGI threads 0.39 to 0.58 with two to three times the
p99. Tried beside it: answers that a few WSGI threads leave to the writer (0.50), uvloop (3 % more, not worth a
dependency), commits on the loop itself (5 % more, but then a locked store or a hanging disk would stop everything).
"""

from __future__ import annotations

import asyncio
import logging
import os
import signal
import sys
import time
from concurrent.futures import ThreadPoolExecutor
from io import BytesIO
from typing import TYPE_CHECKING, Any

from granian.rsgi import ProtocolClosed  # type: ignore[attr-defined]

from syncd.receiver.app import DRAINED, GIVE_UP, HOLD, PREFIX, TAKEN, unavailable
from syncd.systemd import let_go, notify

if TYPE_CHECKING:
    from collections.abc import AsyncIterator, Awaitable, Callable
    from concurrent.futures import Future
    from typing import Protocol

    from flask import Flask

    class Scope(Protocol):
        method: str
        path: str
        query_string: str
        client: str
        scheme: str
        headers: Any

    class Transport(Protocol):
        def __call__(self) -> Awaitable[bytes]: ...
        def __aiter__(self) -> AsyncIterator[bytes]: ...
        def response_bytes(self, status: int, headers: list[tuple[str, str]], body: bytes) -> None: ...


Answer = tuple[int, list[tuple[str, str]], bytes]

LIVES_EVERY = 60.0
"""Seconds between two proofs in the store that this receiver takes what comes. One that cannot start gives none."""
LARGE = 64 * 1024
"""Bytes of a body from which on it is read in a thread: a megabyte of nonsense takes half a second, and others wait."""
AT_ONCE = 4 * 1024 * 1024
"""Bytes of large bodies that are read or wait for their commit; more of them wait unread. A small one, which may come
after any of them, waits for two seconds and not, behind the events of 32 MiB, until it is refused."""
SLOWEST = 30.0
"""Seconds in which a body must have come."""
STEPS = 15
"""In so many a commit's time runs out. A process that was stopped for a minute, with its machine perhaps, takes one."""
LINGER = 0.5
"""Seconds that a worker goes on after its last connection was made, for that to say what it wants."""
_TOO_SLOW: Answer = (408, [("server", ""), ("connection", "close")], b"")
_log = logging.getLogger(__name__)


class Seam:
    """The RSGI application that a worker runs.

    `listener`: the descriptor that connections come from. `pulse`: so often, in seconds, systemd's watchdog wants to
    hear that the store answers; 0: nobody watches.
    """

    def __init__(self, app: Flask, listener: int = -1, pulse: float = 0.0) -> None:
        self._app = app.wsgi_app
        self._intake = app.extensions["intake"]
        self._tokens = app.extensions["tokens"]
        self._limit: int = app.extensions["max_body_bytes"]
        self._refusal = _answer_of(unavailable())
        self._thanks = _answer_of(TAKEN)
        self._turns = asyncio.Semaphore(max(1, AT_ONCE // self._limit))
        self._reading: dict[asyncio.Task[Any], float] = {}
        self._latest: tuple[Future[None], asyncio.Future[bool]] | None = None
        self._listener = listener
        self._pulse = pulse
        self._aside = ThreadPoolExecutor(1, "large")  # one: each that is at work delays the loop by some ms
        self._counted: Future[None] | None = None
        self._probe: Future[None] | None = None

    def __rsgi_init__(self, loop: asyncio.AbstractEventLoop) -> None:
        self._loop = loop
        loop.call_later(1, self._end_slow_ones)
        loop.add_signal_handler(signal.SIGTERM, self._leave)
        notify("READY=1", "STATUS=receiving")
        self._live()
        if self._pulse:
            self._prove()

    def __rsgi_del__(self, loop: asyncio.AbstractEventLoop) -> None:
        self._intake.close()

    async def __rsgi__(self, scope: Scope, transport: Transport) -> None:
        # decoded: whatever UTF-8 can say; of several slashes Flask sees one, and a body it takes must have been read
        path = "/" + scope.path.lstrip("/")
        turn = _Turn(self._turns)
        try:
            body: bytes | None = b""
            # Nobody without a token makes the receiver read.
            if scope.method == "POST" and path.startswith(PREFIX) and path[len(PREFIX) :].rstrip("/") in self._tokens:
                body = await self._body(scope, transport, turn)
            answer = _TOO_SLOW if body is None else await self._settled(scope, path, body)
        finally:
            turn.end()
        transport.response_bytes(*answer)

    async def _settled(self, scope: Scope, path: str, body: bytes) -> Answer:
        """The answer once the commit that it depends on is durable, or is not to be."""
        if len(body) < LARGE:
            answer, commit = self._answer(scope, path, body)
        else:
            answer, commit = await self._loop.run_in_executor(self._aside, self._answer, scope, path, body)
        return answer if commit is None or await self._outcome(commit) else self._refusal

    async def _body(self, scope: Scope, transport: Transport, turn: _Turn) -> bytes | None:
        """The body; of one over the limit a little more than the limit. None if not all of it comes, or not in time."""
        length = scope.headers.get("content-length", "")
        size = int(length) if length.isdecimal() else -1  # chunked
        if size >= LARGE:
            await turn.begin()
        task = asyncio.current_task()
        assert task  # noqa: S101
        self._reading[task] = self._loop.time()
        try:
            if 0 <= size <= self._limit:
                return await transport()
            return await self._start(transport, turn, task)
        except (asyncio.CancelledError, ProtocolClosed):
            return None
        finally:
            self._reading.pop(task, None)

    async def _start(self, transport: Transport, turn: _Turn, task: asyncio.Task[Any]) -> bytes:
        """A body of unknown length, or its start. The rest is read so that its sender gets to read the answer."""
        body = bytearray()
        drained = 0
        async for chunk in transport:
            if len(body) <= self._limit:
                body += chunk
            drained += len(chunk)
            if drained > DRAINED:
                break
            if drained >= LARGE and not turn.has_begun:
                del self._reading[task]  # it is not slow while it waits
                await turn.begin()
                self._reading[task] = self._loop.time()
        return bytes(body)

    def _answer(self, scope: Scope, path: str, body: bytes) -> tuple[Answer, Future[None] | None]:
        """The answer, and the commit it depends on, if any."""
        if 0 < len(body) <= self._limit and path[-1] != "/":
            commit = self._intake.submit_events(body, time.time_ns() // 1_000_000)
            if commit:
                return self._thanks, commit
        return self._call(scope, path, body)

    def _call(self, scope: Scope, path: str, body: bytes) -> tuple[Answer, Future[None] | None]:
        """The app's answer, and the commit it depends on, if any."""
        commits: list[Future[None]] = []
        status, headers = "", list[tuple[str, str]]()

        def start_response(line: str, fields: list[tuple[str, str]], _error: object = None) -> Callable[..., object]:
            nonlocal status, headers
            status, headers = line, fields
            return commits.append  # PEP 3333 wants something to write to; Flask writes nothing

        environ = {
            "REQUEST_METHOD": scope.method,
            "SCRIPT_NAME": "",
            "PATH_INFO": path.encode(errors="replace").decode("latin-1"),  # as PEP 3333 wants it
            "QUERY_STRING": scope.query_string,
            "SERVER_NAME": "localhost",
            "SERVER_PORT": "0",
            "SERVER_PROTOCOL": "HTTP/1.1",
            "REMOTE_ADDR": scope.client.rpartition(":")[0],
            "CONTENT_LENGTH": str(len(body)),
            "wsgi.input": BytesIO(body),
            "wsgi.input_terminated": True,
            "wsgi.errors": sys.stderr,
            "wsgi.url_scheme": "http",
            "wsgi.version": (1, 0),
            "wsgi.multithread": False,
            "wsgi.multiprocess": False,
            "wsgi.run_once": False,
            HOLD: commits.append,
        }
        # of all headers the app looks at this one only (ProxyFix)
        forwarded = scope.headers.get("x-forwarded-for")
        if forwarded:
            environ["HTTP_X_FORWARDED_FOR"] = forwarded
        content = b"".join(self._app(environ, start_response))
        return (int(status[:3]), headers, content), commits[0] if commits else None

    def _outcome(self, commit: Future[None]) -> asyncio.Future[bool]:
        """Whether the commit came true; one asyncio future for all requests that share it."""
        if self._latest is None or self._latest[0] is not commit:
            self._latest = commit, self._bridge(commit)
        return self._latest[1]

    def _bridge(self, commit: Future[None]) -> asyncio.Future[bool]:
        outcome = self._loop.create_future()
        timer: asyncio.TimerHandle

        def settle(is_durable: bool) -> None:
            timer.cancel()
            if not outcome.done():
                outcome.set_result(is_durable)

        def wait(steps: int) -> asyncio.TimerHandle:
            return self._loop.call_later(GIVE_UP / STEPS, step, steps - 1)

        def step(left: int) -> None:
            nonlocal timer
            if left:
                timer = wait(left)
                return
            _log.error("a commit takes more than %d s; its deliveries are refused", GIVE_UP)
            settle(False)

        timer = wait(STEPS)
        commit.add_done_callback(lambda done: self._loop.call_soon_threadsafe(settle, done.exception() is None))
        return outcome

    def _leave(self) -> None:
        """Takes no connection any more, and only then does as granian does when asked to stop.

        That closes every connection on which nothing was said yet, so one that was made just before would break. SIGINT
        is granian's: it does the same for both signals.
        """
        let_go(self._listener)
        self._loop.call_later(LINGER, os.kill, os.getpid(), signal.SIGINT)

    def _live(self) -> None:
        self._intake.probe()
        self._loop.call_later(LIVES_EVERY, self._live)

    def _prove(self) -> None:
        """Feeds the watchdog if a commit was settled since the last time; if nothing came, with a commit of its own.

        Refused counts as well: a full disk is answered 503, and no restart mends it. What never ends is what hangs.
        """
        latest = self._latest[0] if self._latest else None
        if latest is not self._counted and latest and latest.done():
            self._counted = latest
            notify("WATCHDOG=1")
        elif self._probe is None or self._probe.done():
            self._probe = self._intake.probe()
            self._probe.add_done_callback(lambda _: notify("WATCHDOG=1"))
        self._loop.call_later(self._pulse, self._prove)

    def _end_slow_ones(self) -> None:
        """One timer for all bodies instead of one a request."""
        late = self._loop.time() - SLOWEST
        for task, since in list(self._reading.items()):
            if since > late:
                break  # they are in the order of their beginning
            task.cancel()
        self._loop.call_later(1, self._end_slow_ones)


class _Turn:
    """A large body's, from its reading to its commit. What is found to be large begins it."""

    __slots__ = ("_turns", "has_begun")

    def __init__(self, turns: asyncio.Semaphore) -> None:
        self._turns = turns
        self.has_begun = False

    async def begin(self) -> None:
        await self._turns.acquire()
        self.has_begun = True

    def end(self) -> None:
        if self.has_begun:
            self._turns.release()


def _answer_of(response: Any) -> Answer:
    return response.status_code, list(response.headers), response.get_data()
