"""Every `syncd …` that the README names in passing is typed here; what stands in its stories is run as they tell it."""

from __future__ import annotations

import json
import re
import shutil
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest

from syncd.sandbox import Sandbox, parse
from tests.conftest import Syncd
from tests.factories import ADDRESS, payload
from tests.operate.conftest import Commands
from tests.operations.listener import listening

README = (Path(__file__).parents[2] / "README.md").read_text()
STORIES = re.compile(r"<!-- (\w+(?: \w+)?) -->\n```.*?```", re.DOTALL)
TYPED = re.compile(r"`syncd ([^`]+)`|^ {4}syncd (.*)$", re.MULTILINE)
IN_PLACE_OF = {"FILE": "gap.json", "--run 12": "--run 1"}
STAYS_UP = {"demo", "sandbox", "serve", "receive", "schedule", "dashboard"}
"""Run by tests.system, as processes."""


def typed() -> list[str]:
    """Bare names of commands aside."""
    lines = {
        " ".join(line.partition("#")[0].split()) for found in TYPED.findall(STORIES.sub("", README)) for line in found
    }
    return sorted(line for line in lines if " " in line)


@pytest.fixture
def wave(
    syncd: Syncd, command: Commands, sandbox: Sandbox, add: Callable[[str], str], tmp_path: Path
) -> Iterator[Path]:
    """A wave of bounces of which the brake holds some, an export to take in, and somebody to tell: the store of it."""
    people = [
        (ADDRESS, add(ADDRESS)),
        *((address, add(address)) for address in (f"n{i}@gone.example" for i in range(55))),
    ]
    syncd.receive(*(payload("hard_bounce", 1, "s", email=address, whId=record) for address, record in people))
    (tmp_path / "gap.json").write_text(json.dumps([payload("open", 2, whId=people[0][1])]))
    with listening() as listener:
        command.configure(sandbox, tmp_path, more=f'[alerts]\nurls = ["{listener.url}"]\n')
        command("sync", code=1)
        syncd.db.close()
        shutil.copy(tmp_path / "syncd.db", tmp_path / "before.db")
        yield tmp_path / "before.db"


def test_what_the_readme_names_in_passing_can_be_typed(
    wave: Path, command: Commands, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(tmp_path)
    assert {"undo --group 1", "drop 1", "release 1", "import FILE", "alert test", "runs --json"} <= set(typed())
    for line in typed():
        words = line.split()
        if words[0] in STAYS_UP and "list" not in words:
            for spec in (word for word in words if "@" in word):
                parse(spec)
            continue
        shutil.copy(wave, tmp_path / "syncd.db")
        for placeholder, word in IN_PLACE_OF.items():
            line = line.replace(placeholder, word)
        command(*line.split(), code=None)
        assert command.code in (0, 1), (line, command.errors)


def test_every_block_of_commands_is_run_by_a_test() -> None:
    tests = "".join(file.read_text() for file in (Path(__file__).parents[1] / "system").glob("test_*.py"))
    for name in STORIES.findall(README):
        marker = name.removeprefix("story ")
        assert re.search(rf'(?:block|story|tell)\((?:\w+, )?"{marker}"', tests), name
    assert README.count("```") == 2 * len(STORIES.findall(README))
