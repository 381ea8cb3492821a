"""Alarms reach a person: real processes, and a service that listens on this machine."""

from __future__ import annotations

from collections.abc import Iterator
from datetime import UTC, datetime, timedelta

import pytest
import requests

from syncd.sandbox import Sandbox
from tests.factories import date, payload
from tests.operations.listener import Listener, listening
from tests.system.conftest import TOKEN, Installation, until


@pytest.fixture
def listener(installation: Installation, sandbox: Sandbox) -> Iterator[Listener]:
    """A service that `[alerts] urls` names."""
    with listening() as made:
        installation.configure(sandbox, more=f'[alerts]\nurls = ["{made.url}"]')
        yield made


def ago(**time: float) -> str:
    return date(start=datetime.now(UTC) - timedelta(**time))


def test_silence_is_told_and_so_is_its_end(
    installation: Installation, listener: Listener, web: requests.Session
) -> None:
    url = installation.serve().url
    campaign = [payload("open", send="s1", email=f"n{i}@example.fr", date=ago(hours=7, seconds=i)) for i in range(60)]
    assert web.post(url, json=campaign, timeout=30).status_code == 204
    until(lambda: listener.messages)
    assert listener.titles[0].startswith("syncd: Sarbacane reports nothing any more: the last event is of ")
    assert "Sarbacane went silent" in listener.messages[0]["message"]
    assert installation.json("status", code=1)["alarms"][0]["key"] == "silence"
    web.post(url, json=payload("open", send="s1", date=ago(seconds=1)), timeout=30)
    until(lambda: len(listener.messages) > 1)
    assert listener.titles[1].startswith("syncd: over: Sarbacane reports nothing any more")
    assert len(listener.messages) == 2


def test_calls_with_an_unknown_token_are_told_when_they_persist(
    installation: Installation, listener: Listener, web: requests.Session
) -> None:
    url = installation.serve().url.replace(TOKEN, "the-old-token-0123456789ab")
    for _ in range(5):
        assert web.post(url, json=payload("open"), timeout=30).status_code == 404
    until(lambda: listener.messages)
    assert listener.titles == ["syncd: 5 calls in six hours with a token that is not in the list, each answered 404"]


def test_alert_test_says_whether_it_went(installation: Installation, listener: Listener) -> None:
    assert installation.syncd("alert", "test") == "ok     1. json://…\n"
    assert listener.titles == ["syncd: a test"]
    listener.status = 500
    assert "s3cret" not in installation.syncd("alert", "test", code=1)
    assert installation.json("alert", "test", code=1)["sent"][0]["ok"] is False


def test_alert_test_without_anybody_to_tell_says_what_to_write(installation: Installation) -> None:
    installation.syncd("alert", "test", code=2)
