"""The table of answers, through the application itself."""

from __future__ import annotations

import json
import logging
import shutil
from dataclasses import replace
from typing import TYPE_CHECKING, Any

import pytest

from syncd.errors import ConfigError, StoreError
from syncd.receiver import create_app
from syncd.receiver.tokens import Tokens
from syncd.sarbacane import read
from tests.receiver.configured import NEXT_TOKEN, TOKEN, settings
from tests.receiver.stored import addresses, body, payload, query, reasons

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

    from flask import Flask
    from flask.testing import FlaskClient

    from syncd.model import Event

URL = f"/webhooks/sarbacane/{TOKEN}"


@pytest.fixture
def path(tmp_path: Path) -> Path:
    return tmp_path / "syncd.db"


@pytest.fixture
def app(tmp_path: Path) -> Iterator[Flask]:
    app = create_app(settings(tmp_path, (TOKEN, NEXT_TOKEN), max_body_bytes=2000))
    yield app
    app.extensions["intake"].close()


@pytest.fixture
def client(app: Flask) -> FlaskClient:
    return app.test_client()


def test_a_valid_event_is_stored_before_the_answer(client: FlaskClient, path: Path) -> None:
    answer = client.post(URL, data=body(1))
    assert (answer.status_code, answer.data, answer.headers.get("Content-Type")) == (204, b"", None)
    assert addresses(path) == ["user1@example.com"]


def test_a_retry_is_stored_once(client: FlaskClient, path: Path) -> None:
    assert [client.post(URL, data=body(1)).status_code for _ in range(2)] == [204, 204]
    assert addresses(path) == ["user1@example.com"]


def test_every_token_of_the_list_opens(client: FlaskClient, path: Path) -> None:
    assert client.post(f"/webhooks/sarbacane/{NEXT_TOKEN}", data=body(1)).status_code == 204
    assert addresses(path) == ["user1@example.com"]


@pytest.mark.parametrize("method", ["POST", "GET", "HEAD", "PUT", "DELETE", "OPTIONS", "PATCH", "TRACE"])
@pytest.mark.parametrize(
    "url",
    [
        "/webhooks/sarbacane/unknown",
        f"/webhooks/sarbacane/{TOKEN[:-1]}",
        f"/webhooks/sarbacane/{TOKEN}x",
        "/webhooks/sarbacane/é",
        "/webhooks/sarbacane/",
        f"/webhooks/other/{TOKEN}",
        "//healthz",
        "/",
    ],
)
def test_an_unknown_token_is_answered_like_an_unknown_path(
    client: FlaskClient, path: Path, method: str, url: str
) -> None:
    expected = client.open("/nothing/here", method=method)
    answer = client.open(url, method=method, data=body(1))
    assert (404, expected.data, expected.headers) == (answer.status_code, answer.data, answer.headers)
    assert addresses(path) == []


@pytest.mark.parametrize("method", ["PUT", "DELETE", "OPTIONS", "PATCH"])
@pytest.mark.parametrize("url", [URL, "/healthz", "/readyz"])
def test_a_method_that_is_not_offered_tells_nothing(client: FlaskClient, method: str, url: str) -> None:
    expected = client.open("/nothing/here", method=method)
    answer = client.open(url, method=method)
    assert (404, expected.data, expected.headers) == (answer.status_code, answer.data, answer.headers)


@pytest.mark.parametrize("method", ["GET", "HEAD"])
def test_the_address_may_be_tried_out(client: FlaskClient, path: Path, method: str) -> None:
    assert client.open(URL, method=method).status_code == 200
    assert (addresses(path), reasons(path)) == ([], [])


def test_a_slash_at_the_end_does_no_harm(client: FlaskClient, path: Path) -> None:
    assert client.post(f"{URL}/", data=body(1)).status_code == 204
    assert addresses(path) == ["user1@example.com"]


@pytest.mark.parametrize("empty", [b"", b" \r\n"])
def test_an_empty_probe_stores_nothing(client: FlaskClient, path: Path, empty: bytes) -> None:
    assert client.post(URL, data=empty).status_code == 204
    assert (addresses(path), reasons(path)) == ([], [])


@pytest.mark.parametrize(
    ("sent", "reason"),
    [
        (b"{", "neither JSON nor a URL-encoded form"),
        (b"\xff\x00\x80", "neither JSON nor a URL-encoded form"),
        (b"5", "JSON, but neither an object nor an array"),
        (b"[]", "an empty array"),
        (b'{"type": "open"}', "no email"),
        (body(date="yesterday"), "a date that cannot be read"),
    ],
)
def test_what_is_no_event_is_kept_whole(client: FlaskClient, path: Path, sent: bytes, reason: str) -> None:
    assert client.post(URL, data=sent).status_code == 204
    assert [(reason, sent, "webhook from 127.0.0.1")] == query(path, "SELECT reason, body, source FROM quarantine")


def test_an_unknown_event_type_is_an_event(client: FlaskClient, path: Path) -> None:
    assert client.post(URL, data=body(type="CAPTCHA")).status_code == 204
    assert query(path, "SELECT kind, word FROM events") == [("unknown", "CAPTCHA")]


def test_the_good_items_of_an_array_are_events_and_the_bad_ones_are_kept(client: FlaskClient, path: Path) -> None:
    sent = [payload(1), {"type": "open"}, payload(2), "text"]
    assert client.post(URL, json=sent).status_code == 204
    assert addresses(path) == ["user1@example.com", "user2@example.com"]
    kept = query(path, "SELECT reason, body FROM quarantine ORDER BY id")
    assert [(r, json.loads(b)) for r, b in kept] == [("no email", {"type": "open"}), ("not a JSON object", "text")]


@pytest.mark.parametrize(
    "sent",
    [
        b"\xef\xbb\xbf" + body(1),
        body(1).decode().encode("utf-16"),
        b"email=user1%40example.com&type=open&date=2026-03-02T10%3A00%3A00.000Z&campaignId=campaign&sendId=send",
    ],
    ids=["BOM", "UTF-16", "form"],
)
@pytest.mark.parametrize("content_type", ["application/json", "application/x-www-form-urlencoded", "text/plain", ""])
def test_bodies_are_read_whatever_the_content_type(
    client: FlaskClient, path: Path, sent: bytes, content_type: str
) -> None:
    assert client.post(URL, data=sent, content_type=content_type).status_code == 204
    assert addresses(path) == ["user1@example.com"]


def test_a_body_of_exactly_the_limit_is_read(client: FlaskClient, path: Path) -> None:
    sent = body(1) + b" " * (2000 - len(body(1)))
    assert client.post(URL, data=sent).status_code == 204
    assert addresses(path) == ["user1@example.com"]


def test_of_a_body_over_the_limit_the_start_is_kept(client: FlaskClient, path: Path) -> None:
    assert client.post(URL, data=body(1) + b" " * 2000).status_code == 204
    assert addresses(path) == []
    reason, kept = query(path, "SELECT reason, body FROM quarantine")[0]
    assert reason == "larger than max_body_bytes = 2000; only the first 64 KiB are kept"
    assert kept.startswith(body(1))


def test_what_reading_did_not_foresee_is_kept(client: FlaskClient, path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    def fails(*_: object) -> None:
        raise ZeroDivisionError("user@example.com")

    monkeypatch.setattr("syncd.intake.read", fails)
    assert client.post(URL, data=body(1)).status_code == 204
    assert [("reading it failed: ZeroDivisionError", body(1))] == query(path, "SELECT reason, body FROM quarantine")


def test_a_row_that_the_database_refuses_is_kept_beside_the_others(
    client: FlaskClient, path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    def broken(item: dict[str, Any], received_at: int) -> Event:
        event = read(item, received_at)
        return replace(event, key=b"short") if event.address.startswith("user2") else event

    monkeypatch.setattr("syncd.intake.read", broken)
    assert client.post(URL, json=[payload(1), payload(2), payload(3), {}]).status_code == 204
    assert addresses(path) == ["user1@example.com", "user3@example.com"]
    assert reasons(path) == ["the store refuses a row: IntegrityError", "no email"]


def test_without_a_token_it_refuses_to_start(tmp_path: Path) -> None:
    with pytest.raises(ConfigError, match="webhook_tokens"):
        create_app(settings(tmp_path, ()))


def test_tokens_are_refused_when_empty_and_never_shown() -> None:
    with pytest.raises(ConfigError, match="no token"):
        Tokens(())
    assert repr(Tokens((TOKEN,))) == "<1 tokens>"


def test_without_a_store_it_refuses_to_start(tmp_path: Path, path: Path) -> None:
    path.write_bytes(b"not a database" * 100)
    with pytest.raises(StoreError):
        create_app(settings(tmp_path))


def test_it_says_that_it_lives_and_that_it_is_ready(client: FlaskClient) -> None:
    assert (client.get("/healthz").status_code, client.get("/readyz").status_code) == (200, 200)


def test_it_is_not_ready_without_room_on_the_disk(client: FlaskClient, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(shutil, "disk_usage", lambda _: shutil._ntuple_diskusage(100, 99, 1))
    answer = client.get("/readyz")
    assert (answer.status_code, answer.data) == (503, b"the store's disk is nearly full\n")


def test_a_stopped_intake_is_answered_with_try_again(app: Flask, client: FlaskClient) -> None:
    app.extensions["intake"].close()
    answer = client.post(URL, data=body(1))
    assert (answer.status_code, answer.headers["Retry-After"]) == (503, "30")
    assert client.get("/readyz").status_code == 503
    assert client.get("/healthz").status_code == 200


def test_an_unforeseen_failure_neither_shows_nor_logs_the_token(
    client: FlaskClient, monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    def fails(*_: object) -> None:
        raise ZeroDivisionError(TOKEN)

    monkeypatch.setattr("syncd.receiver.app._body", fails)
    with caplog.at_level(logging.DEBUG):
        answer = client.post(URL, data=body(1))
    assert (answer.status_code, answer.headers["Retry-After"]) == (503, "30")
    assert "ZeroDivisionError" in caplog.text
    assert TOKEN not in caplog.text + answer.text + str(answer.headers)


def test_the_client_is_told_by_as_many_proxies_as_are_trusted(tmp_path: Path, path: Path) -> None:
    app = create_app(settings(tmp_path, trusted_proxies=1))
    app.test_client().post(URL, data=b"{", headers={"X-Forwarded-For": "203.0.113.9, 198.51.100.7"})
    app.extensions["intake"].close()
    assert query(path, "SELECT source FROM quarantine") == [("webhook from 198.51.100.7",)]


def test_no_banner_says_what_answers(client: FlaskClient) -> None:
    answers = [client.get("/healthz"), client.post(URL), client.get("/nothing/here")]
    assert {""} == {answer.headers.get("Server") for answer in answers}
