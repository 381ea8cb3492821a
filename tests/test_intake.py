"""Group commit, back-pressure and what becomes of a failure; the store's side is played by the test."""

from __future__ import annotations

import json
import threading
from concurrent.futures import wait
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any, cast

import pytest

from syncd import intake as module
from syncd.errors import StoreError
from syncd.intake import MAX_GROUP, Intake, sort
from tests.receiver.stored import body

if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence

    from syncd.store import Inbox

NOW = 1_772_445_600_000
LONG = 10.0


@dataclass
class Played:
    """An inbox whose writes wait at a gate. `failures` are raised by the next writes."""

    groups: list[int] = field(default_factory=list)
    failures: list[BaseException] = field(default_factory=list)
    opened: int = 0
    received: int = 0
    gate: threading.Event = field(default_factory=threading.Event)
    is_entered: threading.Semaphore = field(default_factory=lambda: threading.Semaphore(0))

    def open(self) -> Inbox:
        self.opened += 1
        return cast("Inbox", self)

    def append(self, events: Sequence[Any], unread: Sequence[Any] = ()) -> None:
        self.is_entered.release()
        assert self.gate.wait(LONG)
        if self.failures:
            raise self.failures.pop(0)
        self.groups.append(len(events) + len(unread))

    def is_left(self) -> bool:
        return False

    def is_received(self, now: int) -> None:
        self.append([])
        self.received = now

    def close(self) -> None:
        pass


@pytest.fixture
def played() -> Played:
    return Played()


@pytest.fixture
def intake(played: Played) -> Iterator[Intake]:
    running = Intake(played.open)
    yield running
    played.gate.set()
    running.close()


def test_what_waits_together_is_one_commit(intake: Intake, played: Played) -> None:
    first = intake.submit(body(0), NOW, "test")
    assert played.is_entered.acquire(timeout=LONG)
    others = [intake.submit(body(number), NOW, "test") for number in range(1, 65)]
    assert not first.done()
    played.gate.set()
    wait([first, *others], LONG)
    assert played.groups == [1, 64]
    assert len(set(others)) == 1


def test_a_group_has_an_end(intake: Intake, played: Played) -> None:
    first = intake.submit(body(0), NOW, "test")
    assert played.is_entered.acquire(timeout=LONG)
    others = [intake.submit(body(number), NOW, "test") for number in range(MAX_GROUP + 1)]
    played.gate.set()
    wait([first, *others], LONG)
    assert played.groups == [1, MAX_GROUP, 1]


def test_an_answer_waits_for_its_own_commit_only(intake: Intake, played: Played) -> None:
    first = intake.submit(body(0), NOW, "test")
    assert played.is_entered.acquire(timeout=LONG)
    second = intake.submit(body(1), NOW, "test")
    played.failures.append(StoreError("the disk is full"))
    played.gate.set()
    assert isinstance(first.exception(LONG), StoreError)
    assert second.result(LONG) is None


def test_after_a_failure_the_store_is_opened_anew(intake: Intake, played: Played) -> None:
    played.gate.set()
    played.failures.append(StoreError("an I/O error"))
    assert isinstance(intake.submit(body(0), NOW, "test").exception(LONG), StoreError)
    assert intake.submit(body(0), NOW, "test").result(LONG) is None
    assert played.opened == 2


@pytest.mark.parametrize("failure", [MemoryError(), SystemExit(), RuntimeError("not foreseen")])
def test_nothing_ends_the_writer(intake: Intake, played: Played, failure: BaseException) -> None:
    played.gate.set()
    played.failures.append(failure)
    assert isinstance(intake.submit(body(0), NOW, "test").exception(LONG), StoreError)
    assert intake.submit(body(0), NOW, "test").result(LONG) is None


def test_too_much_waiting_is_refused_at_once(intake: Intake, played: Played, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(module, "MAX_WAITING", len(body(0)) + 1)  # a body may be larger than all that may wait
    taken = [intake.submit(body(number), NOW, "test") for number in range(2)]
    refused = intake.submit(body(2), NOW, "test").exception(0)
    assert "too much waits" in str(refused)
    played.gate.set()
    assert [one.result(LONG) for one in taken] == [None, None]
    assert intake.probe().result(LONG) is None  # the writer has counted them off by now
    assert intake.submit(body(2), NOW, "test").result(LONG) is None


def test_a_proof_of_life_is_given_though_events_share_its_group(intake: Intake, played: Played) -> None:
    """Else a receiver that always has something to do would be taken for one that is gone."""
    intake.submit(body(0), NOW, "test")
    assert played.is_entered.acquire(timeout=LONG)
    proof, event = intake.probe(), intake.submit(body(1), NOW, "test")
    assert proof is event
    played.gate.set()
    assert proof.result(LONG) is None
    assert played.groups == [1, 1, 0]
    assert played.received > NOW


def test_what_waited_for_too_long_behind_a_failure_is_refused_untried(
    intake: Intake, played: Played, monkeypatch: pytest.MonkeyPatch
) -> None:
    first = intake.submit(body(0), NOW, "test")
    assert played.is_entered.acquire(timeout=LONG)
    second = intake.submit(body(1), NOW, "test")
    monkeypatch.setattr(module, "PATIENCE", -1.0)
    played.failures.append(StoreError("somebody else holds it"))
    played.gate.set()
    assert "holds it" in str(first.exception(LONG))
    assert "too long" in str(second.exception(LONG))
    assert played.groups == []
    monkeypatch.undo()
    assert intake.submit(body(1), NOW, "test").result(LONG) is None


def test_what_waited_while_the_store_was_well_is_stored(
    intake: Intake, played: Played, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A process that was stopped for a while, or starved, refuses nobody."""
    monkeypatch.setattr(module, "PATIENCE", -1.0)
    played.gate.set()
    assert intake.submit(body(0), NOW, "test").result(LONG) is None


def test_closing_commits_what_was_submitted_and_refuses_the_rest(intake: Intake, played: Played) -> None:
    waiting = [intake.submit(body(number), NOW, "test") for number in range(3)]
    played.gate.set()
    intake.close()
    intake.close()
    assert [future.exception(0) for future in waiting] == [None] * 3
    assert sum(played.groups) == 3
    assert "stopping" in str(intake.submit(body(4), NOW, "test").exception(0))


def test_an_item_too_deep_to_write_alone_is_kept_with_its_array() -> None:
    deep: list[Any] = []
    for _ in range(100_000):
        deep = [deep]
    assert module._dump(deep, b"the whole body") == b"the whole body"


def test_a_body_of_very_many_items_that_are_no_events_is_kept_once_with_the_events_stored() -> None:
    sent = b"[" + body(1) + b",1" * (module.MAX_APART + 1) + b"]"
    events, unread = sort(sent, NOW, "test")
    assert len(events) == 1
    assert [one.reason for one in unread] == ["501 of 502 items, the first: not a JSON object"]
    assert json.loads(unread[0].body) == [1] * 501


def test_a_single_item_is_kept_as_it_was_sent() -> None:
    sent = b'[{"type" : "open"}]'
    assert [unread.body for unread in sort(sent, NOW, "test")[1]] == [sent]
