"""A store restored from a backup knows the Tasks made since, whatever became of their records and of the settings."""

from __future__ import annotations

import shutil
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path

import pytest

from syncd.sandbox import Org
from syncd.store import back_up
from tests.conftest import Syncd
from tests.factories import ADDRESS, payload

BackUp = Callable[[Syncd], Path]


@pytest.fixture
def contact(org: Org) -> str:
    return org.add("Contact", LastName="Durand", Email=ADDRESS)


@pytest.fixture
def copy(syncd: Syncd, tmp_path: Path) -> Path:
    """A backup of the store as it is at first."""
    return back_up(syncd.settings.store.path, tmp_path / "copy.db", syncd.clock()).path


def restore(syncd: Syncd, copy: Path) -> None:
    syncd.db.close()
    for file in copy.parent.glob("syncd.db*"):
        file.unlink()
    shutil.copy(copy, syncd.settings.store.path)
    syncd.__post_init__()


@pytest.mark.parametrize("deleted", [False, True])
@pytest.mark.parametrize("kind", ["Contact", "Lead"])
def test_a_task_that_a_merge_or_a_conversion_took_along_is_taken_over(
    syncd: Syncd, org: Org, contact: str, copy: Path, *, kind: str, deleted: bool
) -> None:
    """Its text carries the token of the record that it was made for."""
    lead = {"Company": "Exemple SA"} if kind == "Lead" else {}
    other = org.add(kind, LastName="Durand", Email=ADDRESS, **lead)
    first = payload("open", 0, "s", whId=other)
    syncd.receive(first)
    syncd.run()
    if kind == "Lead":
        org.convert(other, contact=contact)
    else:
        org.merge(contact, [other])
    (task,) = org.all("Task")
    if deleted:
        org.delete(task["Id"])
    left = org.all("Task")
    restore(syncd, copy)
    syncd.receive(first)
    for _ in range(2):
        syncd.run()
        syncd.wake()
        assert org.all("Task") == left
    before = org.calls_count(writing=True)
    syncd.receive(payload("open", 0.1, "s", whId=contact))
    syncd.run()
    assert org.calls_count(writing=True) - before == (0 if deleted else 1)
    assert [one["Description"].splitlines()[0] for one in org.all("Task")] == ["Opened 2 times, not clicked"][deleted:]


@pytest.mark.parametrize("modes", [("per_send", "per_event"), ("per_event", "per_send")])
def test_what_was_told_in_another_mode_is_not_told_again(
    syncd: Syncd, org: Org, contact: str, copy: Path, modes: tuple[str, str]
) -> None:
    before, after = (
        replace(syncd, settings=syncd.settings.model_copy(update={
            "activities": syncd.settings.activities.model_copy(update={"mode": mode})}))
        for mode in modes
    )  # fmt: skip
    told = [payload("open", 0, "s", whId=contact), payload("click", 0.1, "s", whId=contact)]
    before.receive(*told)
    before.run()
    tasks = org.all("Task")
    restore(after, copy)
    after.receive(*told)
    after.run()
    after.receive(payload("open", 0.2, "s", whId=contact))
    after.run()
    assert org.all("Task") == tasks
    after.receive(payload("open", 1, "t", whId=contact))
    after.run()
    assert len(org.all("Task")) == len(tasks) + 1
    for one in (before, after):
        one.db.close()
