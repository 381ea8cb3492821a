"""Alarms are told once, again after a day, and once more when they are over; and whoever fails stops nobody."""

from __future__ import annotations

import json
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest
from structlog.testing import capture_logs

from syncd.alerts import send
from syncd.config import Settings
from syncd.store import Alarms, Inbox, situation
from syncd.store.inbox import Unread
from syncd.watch import Watch
from tests.conftest import Syncd
from tests.factories import event, payload
from tests.operations.listener import Listener, listening

HOUR = 3_600_000
DAY = 24 * HOUR


@pytest.fixture
def listener() -> Iterator[Listener]:
    with listening() as made:
        yield made


@pytest.fixture
def watch(syncd: Syncd, configured: Callable[..., Settings], listener: Listener) -> Watch:
    return Watch(configured(alerts={"urls": [listener.url], "silence": True}), syncd.clock)


def quarantined(syncd: Syncd, number: int, reason: str = "no JSON") -> None:
    now = syncd.clock()
    Inbox(syncd.db).append([], [Unread(now, "webhook", reason, f"{now} {i}".encode()) for i in range(number)])


def test_an_alarm_is_told_once_again_each_day_and_once_when_it_is_over(
    syncd: Syncd, watch: Watch, listener: Listener
) -> None:
    quarantined(syncd, 12)
    watch.look()
    watch.look()
    assert listener.titles == ["syncd: 12 deliveries in 24 hours could not be read as an event"]
    assert "syncd quarantine list" in listener.messages[0]["message"]
    assert listener.messages[0]["type"] == "failure"
    syncd.later(hours=20)
    quarantined(syncd, 13)
    syncd.later(hours=4, minutes=5)
    watch.look()
    watch.look()
    assert listener.titles[1:] == ["syncd: still: 13 deliveries in 24 hours could not be read as an event"]
    syncd.later(hours=24)
    watch.look()
    watch.look()
    assert listener.titles[2:] == ["syncd: over: 13 deliveries in 24 hours could not be read as an event"]
    assert listener.messages[2]["type"] == "success"


def test_a_send_whose_id_has_a_line_end_gets_no_header_of_its_own(listener: Listener) -> None:
    assert not send([listener.url], "held: send a\r\nBcc: b", "one\x1b[2J\ntwo")[0].problem
    assert listener.titles == [r"held: send a\r\nBcc: b"]
    assert listener.messages[0]["message"] == "one\\x1b[2J\ntwo"


def test_several_at_once_are_one_message(syncd: Syncd, watch: Watch, listener: Listener) -> None:
    quarantined(syncd, 10)
    quarantined(syncd, 1, "larger than max_body_bytes = 1048576; only the first 64 KiB are kept")
    watch.look()
    assert listener.titles == ["syncd: 2 alarms"]


def test_what_salesforce_said_leaves_the_house_without_an_address(
    syncd: Syncd, watch: Watch, listener: Listener
) -> None:
    said = {"ended": "fatal", "code": "DUPLICATE_VALUE", "words": "jeanne.durand@example.fr or b@example.fr is there"}
    syncd.db.execute(
        "INSERT INTO runs (owner, cause, started_at, heartbeat_at, ended_at, summary)"
        " VALUES ('', '', :at, :at, :at, :said)",
        {"at": syncd.clock(), "said": json.dumps(said)},
    )
    watch.look()
    (message,) = listener.messages
    assert "DUPLICATE_VALUE j…d@example.fr or …@example.fr is there" in message["title"] + message["message"]
    assert "jeanne" not in str(message)


def test_what_nobody_took_is_tried_again_later_and_the_url_is_in_no_log(
    syncd: Syncd, watch: Watch, listener: Listener, caplog: pytest.LogCaptureFixture
) -> None:
    quarantined(syncd, 10)
    listener.status = 500
    with capture_logs() as logs:
        watch.look()
        watch.look()
    assert [line["event"] for line in logs] == ["an alert could not be sent"]  # the second look waits its turn
    assert "s3cret" not in f"{logs}{caplog.text}"
    listener.status = 200
    syncd.later(minutes=2)
    watch.look()
    assert listener.titles == ["syncd: 10 deliveries in 24 hours could not be read as an event"]


def test_one_service_that_fails_keeps_no_other_from_hearing(
    syncd: Syncd, configured: Callable[..., Settings], listener: Listener
) -> None:
    quarantined(syncd, 10)
    watch = Watch(configured(alerts={"urls": ["nonsense://host", listener.url]}), syncd.clock)
    with capture_logs() as logs:
        watch.look()
        watch.look()
    assert len(listener.messages) == 1
    assert [(line["to"], line["problem"]) for line in logs] == [
        ("1. nonsense://…", "Apprise does not know this kind of URL")
    ]


def test_a_store_that_fails_is_told_although_nothing_can_be_remembered(
    syncd: Syncd, watch: Watch, listener: Listener, tmp_path: Path
) -> None:
    store = tmp_path / "syncd.db"
    store.rename(tmp_path / "away.db")
    store.mkdir()
    with capture_logs():
        for _ in range(3):
            watch.look()
    assert [title[:34] for title in listener.titles] == ["syncd: The store cannot be used: c"]
    store.rmdir()
    (tmp_path / "away.db").rename(store)
    watch.look()
    watch.look()
    assert listener.titles[1:] == ["syncd: over: the store works again"]


def test_the_receivers_counts_outlive_its_restarts(syncd: Syncd) -> None:
    alarms, now = Alarms(syncd.db), syncd.clock()
    for counted in (3, 4, 4, 0, 2):  # it grew by 4, began anew, and grew by 2
        alarms.count({"syncd_unknown_token": counted}, now)
    assert alarms.signs("syncd_unknown_token", now, 6) == 6
    assert alarms.signs("syncd_unknown_token", now + 7 * HOUR, 6) == 0


def test_a_receiver_that_is_heard_of_no_more_is_told_and_its_return_too(
    syncd: Syncd, watch: Watch, listener: Listener
) -> None:
    Inbox(syncd.db).is_received(syncd.clock())
    syncd.later(hours=8)  # the machine was off
    syncd.run()
    watch.look()
    syncd.later(minutes=5)
    syncd.run()
    watch.look()
    assert [title[:41] for title in listener.titles] == ["syncd: The receiver has not been heard of"]
    Inbox(syncd.db).is_received(syncd.clock())
    watch.look()
    assert [title[:20] for title in listener.titles[1:]] == ["syncd: over: The rec"]


def test_silence_is_seen_in_the_store(syncd: Syncd) -> None:
    """A campaign of two hundred, cut off after three hours."""
    payloads = [payload("open", i / 200 / 8, "s1", email=f"n{i}@example.fr") for i in range(200)]
    syncd.clock.at = event("open", 0).at + 4 * HOUR
    syncd.receive(*payloads)
    syncd.run()
    last = event("open", 199 / 200 / 8).at

    def seen(now: int) -> object:
        return situation(syncd.settings, Alarms(syncd.db), now).pulse

    assert seen(last + HOUR) == seen(last + 6 * HOUR)
    syncd.clock.at = last + 6 * HOUR
    watch = Watch(syncd.settings, syncd.clock)
    watch.look()
    assert "silence" in {key for key, *_ in Alarms(syncd.db).open()}
    syncd.receive(payload("open", 0.37, "s1"))
    watch.look()
    assert "silence" not in {key for key, *_ in Alarms(syncd.db).open()}


def test_a_run_that_asked_nothing_of_salesforce_ends_no_alarm(syncd: Syncd) -> None:
    def finished(ended: str, calls: int) -> None:
        now = syncd.clock()
        syncd.db.execute(
            "INSERT INTO runs (owner, cause, started_at, heartbeat_at, ended_at, summary) VALUES ('', 't', ?, ?, ?, ?)",
            (now, now, now, f'{{"ended": "{ended}", "code": "", "words": "", "calls": {calls}}}'),
        )

    def seen() -> tuple[str, int | None]:
        said = situation(syncd.settings, Alarms(syncd.db), syncd.clock())
        assert said.last_run
        return said.last_run.ended, said.failing_since

    finished("done", 3)
    assert seen() == ("done", None)
    since = syncd.clock.at + 1
    finished("unavailable", 1)
    finished("done", 0)
    finished("unavailable", 0)
    finished("done", 0)
    assert seen() == ("unavailable", since)
    finished("done", 1)
    assert seen() == ("done", None)
