"""The seam without a network: bodies that do not come, commits that do not end."""

from __future__ import annotations

import asyncio
import time
from concurrent.futures import Future
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any

import pytest

from syncd.errors import StoreError
from syncd.receiver import create_app, seam
from syncd.receiver.seam import Seam
from tests.receiver.configured import TOKEN, settings
from tests.receiver.stored import body, query

if TYPE_CHECKING:
    from collections.abc import AsyncIterator, Callable, Iterator
    from pathlib import Path

    from flask import Flask


@dataclass
class Request:
    """Granian's scope and transport in one. Each chunk may be a time to wait instead."""

    chunks: list[bytes | float] = field(default_factory=list)
    method: str = "POST"
    path: str = f"/webhooks/sarbacane/{TOKEN}"
    query_string: str = ""
    client: str = "192.0.2.1:4711"
    scheme: str = "http"
    headers: dict[str, str] = field(default_factory=dict)
    answers: list[tuple[int, dict[str, str], bytes]] = field(default_factory=list)
    read: int = 0

    async def __aiter__(self) -> AsyncIterator[bytes]:
        for chunk in self.chunks:
            if isinstance(chunk, float):
                await asyncio.sleep(chunk)
            else:
                self.read += 1
                yield chunk

    async def __call__(self) -> bytes:
        return b"".join([chunk async for chunk in self])

    def response_bytes(self, status: int, headers: list[tuple[str, str]], content: bytes) -> None:
        self.answers.append((status, {name.lower(): value for name, value in headers}, content))


@pytest.fixture
def app(tmp_path: Path) -> Iterator[Flask]:
    app = create_app(settings(tmp_path, max_body_bytes=2000))
    yield app
    app.extensions["intake"].close()


def answer(app: Flask, *requests: Request) -> list[int]:
    """The statuses, of requests that come at the same time."""

    async def run() -> None:
        running = Seam(app)
        running.__rsgi_init__(asyncio.get_running_loop())
        await asyncio.gather(*(running.__rsgi__(request, request) for request in requests))

    asyncio.run(run())
    return [status for request in requests for status, *_ in request.answers]


def committing(app: Flask, monkeypatch: pytest.MonkeyPatch, settle: Callable[[Future[None]], Any]) -> None:
    def submit(*_: object) -> Future[None]:
        commit: Future[None] = Future()
        settle(commit)
        return commit

    for name in ("submit", "submit_events"):
        monkeypatch.setattr(app.extensions["intake"], name, submit)


def test_a_body_that_does_not_come_is_given_up(app: Flask, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(seam, "SLOWEST", 0.0)
    slow = Request([body(1)[:10], 60.0])
    assert answer(app, slow, Request([body(2)])) == [408, 204]
    assert slow.answers[0][1]["connection"] == "close"


def test_without_a_valid_token_no_body_is_read(app: Flask) -> None:
    unknown = Request([body(1)], path="/webhooks/sarbacane/unknown")
    put = Request([body(1)], method="PUT")
    assert answer(app, unknown, put) == [404, 404]
    assert (unknown.read, put.read) == (0, 0)


def test_an_endless_body_is_not_read_to_its_end(app: Flask, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(seam, "DRAINED", 10_000)
    endless = Request([b"x" * 1000] * 1000)
    assert answer(app, endless) == [204]
    assert endless.read == 11


def test_a_commit_that_fails_is_answered_with_try_again(app: Flask, monkeypatch: pytest.MonkeyPatch) -> None:
    committing(app, monkeypatch, lambda commit: commit.set_exception(StoreError("full")))
    request = Request([body(1)])
    assert answer(app, request) == [503]
    assert (request.answers[0][1]["retry-after"], request.answers[0][1]["server"]) == ("30", "")


def test_a_commit_that_hangs_is_answered_with_try_again(app: Flask, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(seam, "GIVE_UP", 0.01)
    commits: list[Future[None]] = []
    committing(app, monkeypatch, commits.append)
    assert answer(app, Request([body(1)])) == [503]
    monkeypatch.setattr("syncd.receiver.app.GIVE_UP", 0.01)
    assert app.test_client().post(f"/webhooks/sarbacane/{TOKEN}", data=body(1)).status_code == 503


def test_a_process_that_stood_still_refuses_nothing(app: Flask, monkeypatch: pytest.MonkeyPatch) -> None:
    """As a machine does that is moved to another host: the commit had no more time than the answer."""
    monkeypatch.setattr(seam, "GIVE_UP", 0.05)
    commits: list[Future[None]] = []
    committing(app, monkeypatch, commits.append)

    class Stopped(Request):
        async def __aiter__(self) -> AsyncIterator[bytes]:
            asyncio.get_running_loop().call_soon(self._stand_still)
            yield body(1)

        def _stand_still(self) -> None:
            time.sleep(0.1)  # nothing in this process goes on
            asyncio.get_running_loop().call_soon(asyncio.get_running_loop().call_soon, commits[0].set_result, None)

    assert answer(app, Stopped()) == [204]


def test_the_seam_hands_on_what_proxies_say(tmp_path: Path) -> None:
    app = create_app(settings(tmp_path, trusted_proxies=1))
    assert answer(app, Request([b"no event"], headers={"x-forwarded-for": "203.0.113.9"})) == [204]
    app.extensions["intake"].close()
    assert query(tmp_path / "syncd.db", "SELECT source FROM quarantine") == [("webhook from 203.0.113.9",)]


def test_a_large_body_of_nonsense_keeps_nobody_waiting(tmp_path: Path) -> None:
    answered: list[str] = []

    @dataclass
    class Named(Request):
        name: str = ""

        def response_bytes(self, status: int, headers: list[tuple[str, str]], content: bytes) -> None:
            answered.append(self.name)
            super().response_bytes(status, headers, content)

    app = create_app(settings(tmp_path))
    nonsense = b"[" + b"{}," * 300_000 + b"{}]"
    assert answer(app, Named([nonsense], name="large"), Named([body(1)], name="small")) == [204, 204]
    app.extensions["intake"].close()
    assert answered == ["small", "large"]
    assert query(tmp_path / "syncd.db", "SELECT count(*), (SELECT count(*) FROM quarantine) FROM events") == [(1, 1)]


@pytest.mark.parametrize(
    ("says_length", "happens"),
    [
        (True, ["read 1", "read 1", "answered 1", "read 2", "read 2", "answered 2"]),
        (False, ["read 1", "read 1", "read 2", "answered 1", "read 2", "answered 2"]),
    ],
)
def test_large_bodies_wait_unread_for_those_before(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, happens: list[str], *, says_length: bool
) -> None:
    """Two hundred at once filled the memory, and those who posted a small one were refused."""
    monkeypatch.setattr(seam, "AT_ONCE", 1)
    seen: list[str] = []

    @dataclass
    class Noted(Request):
        name: str = ""

        async def __aiter__(self) -> AsyncIterator[bytes]:
            async for chunk in super().__aiter__():
                seen.append(f"read {self.name}")
                yield chunk

        def response_bytes(self, status: int, headers: list[tuple[str, str]], content: bytes) -> None:
            seen.append(f"answered {self.name}")
            super().response_bytes(status, headers, content)

    app = create_app(settings(tmp_path))
    large = b"[" + b",".join(body(number) for number in range(1000)) + b"]"
    chunks: list[bytes | float] = [large[: seam.LARGE], large[seam.LARGE :]]
    headers = {"content-length": str(len(large))} if says_length else {}
    assert answer(app, *(Noted(chunks, headers=headers, name=name) for name in "12")) == [204, 204]
    app.extensions["intake"].close()
    assert seen == happens
