"""The seam answers the plain case itself; Flask, which answers everything, says what it must be."""

from __future__ import annotations

import asyncio
from contextlib import closing
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING, Any
from urllib.parse import unquote

import pytest
from hypothesis import HealthCheck, example, given
from hypothesis import settings as hypothesis_settings
from hypothesis import strategies as st

from syncd.receiver import create_app
from syncd.receiver.seam import Seam
from syncd.store import open_store
from tests.receiver.configured import TOKEN, settings
from tests.receiver.stored import body
from tests.receiver.test_fuzz import BODIES, EVENTS
from tests.receiver.test_seam import Request

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

    from flask import Flask
    from sqlite_utils import Database

HOOK = f"/webhooks/sarbacane/{TOKEN}"
PATHS = [HOOK, HOOK.replace("a-", "%61-"), f"{HOOK}/", f"{HOOK}//", f"{HOOK}x", "/webhooks/sarbacane/", "/healthz", "/"]
PATHS += ["/%ff", "/€", f"/{HOOK}", f"///{HOOK}", "//healthz", HOOK.replace("/sarbacane", "//sarbacane")]
METHODS = ["POST", "GET", "HEAD", "PUT", "OPTIONS"]
LIMIT = 2000
# the receipt is each way's own: `at` is compared unless it is that
ROWS = (
    "SELECT key, nullif(at, received_at), word, kind, address, whid, campaign, send, raw FROM events ORDER BY id",
    "SELECT source, reason, body FROM quarantine ORDER BY id",
    "SELECT count(*) FROM fresh",
)

Answer = tuple[int, dict[str, str], bytes]


@dataclass
class Way:
    """A receiver with a store of its own."""

    app: Flask
    db: Database

    def left(self) -> list[Any]:
        """What is stored, which is forgotten."""
        rows = [self.db.execute(sql).fetchall() for sql in ROWS]
        self.db.execute("DELETE FROM events")
        self.db.execute("DELETE FROM quarantine")
        return rows


@pytest.fixture(scope="module")
def ways(tmp_path_factory: pytest.TempPathFactory) -> Iterator[tuple[Way, Way]]:
    directories = [tmp_path_factory.mktemp(name) for name in ("seam", "flask")]
    both = [way for directory in directories for way in _way(directory)]
    yield both[0], both[1]
    for way in both:
        way.app.extensions["intake"].close()
        way.db.close()


def _way(directory: Path) -> Iterator[Way]:
    app = create_app(settings(directory, max_body_bytes=LIMIT))
    db = open_store(directory / "syncd.db")
    db.execute("PRAGMA synchronous=OFF")  # for the test's own deletes
    yield Way(app, db)


def through_the_seam(app: Flask, request: Request) -> Answer:
    async def run() -> None:
        seam = Seam(app)
        seam.__rsgi_init__(asyncio.get_running_loop())
        as_granian_does = replace(request, path=unquote(request.path), answers=request.answers)
        await seam.__rsgi__(as_granian_does, as_granian_does)

    asyncio.run(run())
    return request.answers[0]


def through_flask(app: Flask, request: Request) -> Answer:
    path = unquote(request.path).encode().decode("latin-1")
    answer = app.test_client().open(
        environ_overrides={"PATH_INFO": path},  # werkzeug would take //webhooks for a host
        method=request.method,
        data=b"".join(chunk for chunk in request.chunks if isinstance(chunk, bytes)),
        environ_base={"REMOTE_ADDR": request.client.rpartition(":")[0]},
    )
    return answer.status_code, {name.lower(): value for name, value in answer.headers.items()}, answer.data


@st.composite
def requests(draw: st.DrawFn) -> Request:
    sent = draw(st.one_of(EVENTS.map(lambda event: body(**event)), BODIES))
    says_length = draw(st.booleans())
    return Request(
        chunks=[sent[:50], sent[50:]],
        method=draw(st.sampled_from(METHODS[:1] * 5 + METHODS)),
        path=draw(st.sampled_from(PATHS[:1] * 5 + PATHS)),
        headers={"content-length": str(len(sent))} if says_length else {},
    )


@given(request=requests())
@example(request=Request([body(1)]))
@example(request=Request([body(1, date=9_999_999_999_999)]))
@example(request=Request([b"[" + body(1) + b"," + body(2) + b"]"]))
@example(request=Request([b"[" + body(1) + b",{}]"]))
@example(request=Request([body(1) + b" " * LIMIT]))
@example(request=Request([body(1)], path=f"{HOOK}//"))
@example(request=Request([body(1)], path=f"/{HOOK}"))
@hypothesis_settings(suppress_health_check=[HealthCheck.function_scoped_fixture])
def test_the_seam_answers_and_stores_as_flask_does(ways: tuple[Way, Way], request: Request) -> None:
    seam, flask = ways
    request.answers.clear()
    assert through_the_seam(seam.app, request) == through_flask(flask.app, request)
    assert seam.left() == flask.left()


def test_a_body_that_is_all_events_does_not_reach_flask(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    app = create_app(settings(tmp_path))
    monkeypatch.setattr(app, "wsgi_app", None)
    assert through_the_seam(app, Request([body(1)]))[0] == 204
    app.extensions["intake"].close()
    with closing(open_store(tmp_path / "syncd.db")) as db:
        assert db.execute("SELECT address FROM events").fetchall() == [("user1@example.com",)]
