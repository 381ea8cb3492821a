"""Whatever is sent is answered 2XX, and is in the store afterwards."""

from __future__ import annotations

import json
from contextlib import closing
from typing import TYPE_CHECKING

import pytest
from hypothesis import HealthCheck, example, given, settings
from hypothesis import strategies as st

from syncd.receiver import create_app
from syncd.store import open_store
from tests.receiver import configured
from tests.receiver.stored import payload

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

    from flask.testing import FlaskClient
    from sqlite_utils import Database

JSON = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats() | st.text(),
    lambda inner: st.lists(inner, max_size=4) | st.dictionaries(st.text(), inner, max_size=4),
    max_leaves=20,
)
FIELDS = ["email", "type", "date", "whId", "campaignId", "sendId", "url", "smtpDescription", "subject"]
EVENTS = st.builds(
    lambda changes: payload() | changes,
    st.dictionaries(st.sampled_from(FIELDS) | st.text(), JSON, max_size=5),
)
TEXTS = st.one_of(EVENTS, st.lists(EVENTS | JSON, max_size=4), JSON).map(json.dumps)
BODIES = st.one_of(
    st.binary(max_size=200),
    st.text().map(lambda text: text.encode(errors="surrogatepass")),
    TEXTS.map(str.encode),
    TEXTS.map(lambda text: text.encode("utf-16")),
    st.tuples(TEXTS, st.integers(0, 50)).map(lambda cut: cut[0].encode()[: -cut[1] or None]),
)


@pytest.fixture(scope="module")
def directory(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return tmp_path_factory.mktemp("fuzz")


@pytest.fixture(scope="module")
def client(directory: Path) -> Iterator[FlaskClient]:
    app = create_app(configured.settings(directory))
    yield app.test_client()
    app.extensions["intake"].close()


@pytest.fixture(scope="module")
def db(directory: Path, client: FlaskClient) -> Iterator[Database]:
    with closing(open_store(directory / "syncd.db")) as db:
        db.execute("PRAGMA synchronous=OFF")  # for the test's own deletes
        yield db


@given(body=BODIES)
@example(body=b'{"email":"\\ud800@x","type":"open","date":"2026-03-02"}')
@example(body=b'{"email":"\\u0000","type":"\\u0000","date":1}')
@example(body=b"[" * 100_000)
@example(body=b'{"a":' * 100_000)
@example(body=b"1" * 5000)
@example(body=b'{"email":"a@b","type":"open","date":' + b"9" * 5000 + b"}")
@example(body=b'{"email":"a@b","type":"open","date":1e999,"whId":NaN}')
@example(body=b"[{}, 5, null, [[]]]")
@settings(suppress_health_check=[HealthCheck.function_scoped_fixture])
def test_nothing_sent_is_refused_or_lost(client: FlaskClient, db: Database, body: bytes) -> None:
    # forgetting what came before tells a body that was lost from one that was a duplicate
    db.execute("DELETE FROM events")
    db.execute("DELETE FROM quarantine")
    answer = client.post(f"/webhooks/sarbacane/{configured.TOKEN}", data=body)
    kept = db.execute("SELECT 1 FROM events UNION ALL SELECT 1 FROM quarantine").fetchall()
    assert answer.status_code == 204
    assert bool(kept) is bool(body.strip())


@given(
    method=st.sampled_from(["GET", "POST", "PUT", "HEAD", "DELETE", "OPTIONS"]),
    path=st.text().map(lambda text: f"/{text}"),
    query=st.text(),
)
@settings(suppress_health_check=[HealthCheck.function_scoped_fixture])
def test_no_other_path_gives_anything_but_not_found(client: FlaskClient, method: str, path: str, query: str) -> None:
    answer = client.open(path=path, method=method, query_string={"q": query}, data=b"x")
    assert answer.status_code == 404 or path in {"/healthz", "/readyz"}
