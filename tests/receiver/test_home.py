"""A store that is taken away or restored under a running receiver: what is answered 204 is in the one that is there."""

from __future__ import annotations

from contextlib import closing
from typing import TYPE_CHECKING

import pytest

from syncd.receiver import create_app
from syncd.store import home, open_store
from tests.receiver.configured import TOKEN, settings
from tests.receiver.stored import addresses, body

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator
    from pathlib import Path


@pytest.fixture
def path(tmp_path: Path) -> Path:
    (tmp_path / "data").mkdir()
    return tmp_path / "data" / "syncd.db"


@pytest.fixture
def post(path: Path) -> Iterator[Callable[[int], int]]:
    app = create_app(settings(path.parent))
    yield lambda number: app.test_client().post(f"/webhooks/sarbacane/{TOKEN}", data=body(number)).status_code
    app.extensions["intake"].close()


@pytest.fixture
def backup(path: Path, post: Callable[[int], int]) -> Path:
    """Of a store with the first event; the second came later."""
    assert post(1) == 204
    copy = path.with_name("backup.db")
    with closing(open_store(path)) as db:
        db.execute("VACUUM INTO ?", [str(copy)])
    assert post(2) == 204
    return copy


def remove(path: Path) -> None:
    for file in path.parent.glob("syncd.db*"):
        file.unlink()


def test_without_its_store_it_refuses_until_that_is_back(path: Path, post: Callable[[int], int]) -> None:
    assert post(1) == 204
    path.parent.rename(path.parent.with_name("elsewhere"))
    assert post(2) == 503
    path.parent.mkdir()
    assert post(2) == 503
    assert list(path.parent.iterdir()) == []  # nothing in the way of what is restored
    path.parent.rmdir()
    path.parent.with_name("elsewhere").rename(path.parent)
    assert post(2) == 204
    assert addresses(path) == ["user1@example.com", "user2@example.com"]


def test_it_goes_on_in_a_restored_store_once_that_is_complete(
    path: Path, post: Callable[[int], int], backup: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    remove(path)
    backup.rename(path)
    assert post(3) == 503  # somebody may still copy
    monkeypatch.setattr(home, "SETTLED", 0.0)
    assert post(3) == 204
    assert addresses(path) == ["user1@example.com", "user3@example.com"]


def test_it_joins_no_restored_store_with_the_log_of_the_old_one(
    path: Path, post: Callable[[int], int], backup: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(home, "SETTLED", 0.0)
    backup.replace(path)
    assert post(3) == 503
    for end in ("-wal", "-shm"):
        path.with_name(f"syncd.db{end}").unlink()
    assert post(3) == 204
    assert addresses(path) == ["user1@example.com", "user3@example.com"]
