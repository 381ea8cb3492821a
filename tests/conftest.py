"""A Salesforce over HTTPS, a store on disk, and syncd between them; the clock is the test's."""

from __future__ import annotations

import os
import shutil
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import Any

import pytest
from hypothesis import HealthCheck
from hypothesis import settings as hypothesis_settings

from syncd.config import Settings, from_mapping
from syncd.engine import Options, Summary, assemble, run
from syncd.model import Plan
from syncd.salesforce import Crm
from syncd.sandbox import Org, Sandbox
from syncd.sarbacane import read
from syncd.store import Choice, Chosen, Desk, Holds, Inbox, open_store
from tests.factories import NOW

# too_slow: how busy the machine is says nothing of the code
hypothesis_settings.register_profile(
    "suite", max_examples=60, deadline=None, derandomize=True, suppress_health_check=[HealthCheck.too_slow]
)
hypothesis_settings.register_profile("fuzz", hypothesis_settings.get_profile("suite"), max_examples=100_000)
hypothesis_settings.load_profile("suite")

# Each of the hundreds of processes that tests start would compile syncd anew: a sixth of what starting one takes.
os.environ.pop("PYTHONDONTWRITEBYTECODE", None)

HERE = Path(__file__).parent
# structlog imports rich wherever it finds it, which takes 65 ms: another sixth.
os.environ["PYTHONPATH"] = os.pathsep.join([str(HERE / "without"), os.environ.get("PYTHONPATH", "")]).rstrip(os.pathsep)
TRACED = {"engine", "operate"}
"""Rooms whose tests, with those in HERE, cover what must be covered whole. Tracing costs a third of a test's time."""
UNTRACED = {
    "test_explain", "test_finding", "test_import", "test_lists", "test_merge_anywhere", "test_resync", "test_scale",
    "test_splits",
}  # fmt: skip
"""Files in them that reach nothing that the others don't."""


LONGEST = (
    "test_machine", "test_arrival", "test_commands", "test_bulk", "test_crash", "test_stories", "test_serve",
    "test_check", "test_readme", "test_process", "test_campaign", "test_dashboard", "test_notify", "test_calls",
    "test_import", "test_brake", "test_failures", "test_forget", "test_moves", "test_finding", "test_full_disk",
)  # fmt: skip
"""Files to begin with: all tests of a file are one process's, and the others wait for a long one that begins late."""


def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    rank = {stem: number for number, stem in enumerate(LONGEST)}
    items.sort(key=lambda item: rank.get(item.path.stem, len(rank)))
    for item in items:
        if not _is_traced(item.path):
            item.add_marker(pytest.mark.no_cover)


def _is_traced(file: Path) -> bool:
    return file.parent == HERE or (file.parent.name in TRACED and file.stem not in UNTRACED)


@pytest.fixture(scope="session")
def keys(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The sandbox's certificate and login key: making them takes longer than most tests."""
    return tmp_path_factory.mktemp("keys")


@pytest.fixture(scope="session")
def new_store(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A file to copy: making the schema anew takes as long as a dozen calls."""
    path = tmp_path_factory.mktemp("store") / "syncd.db"
    open_store(path).close()
    return path


@pytest.fixture
def org() -> Org:
    return Org()


@pytest.fixture
def sandbox(org: Org, keys: Path) -> Iterator[Sandbox]:
    with Sandbox(org, directory=keys) as running:
        yield running


@dataclass
class Clock:
    """A clock that stands still unless a test moves it; each look is a millisecond later, or `step`."""

    at: int = NOW
    step: int = 1

    def __call__(self) -> int:
        self.at += self.step
        return self.at


@dataclass(repr=False)  # it would be very long
class Syncd:
    """A store, a client and a clock: events in, runs, and what they did."""

    settings: Settings
    crm: Crm
    clock: Clock = field(default_factory=Clock)
    options: Options | None = None
    stopping: Callable[[], bool] = lambda: False
    plans: list[Plan] = field(default_factory=list)
    slept: list[float] = field(default_factory=list)  # seconds that runs would have waited

    def __post_init__(self) -> None:
        self.db = open_store(self.settings.store.path)
        self.desk = Desk(self.db)
        self.holds = Holds(self.db)

    def receive(self, *payloads: dict[str, Any]) -> None:
        Inbox(self.db).append([read(payload, self.clock()) for payload in payloads])

    def run(self, **arguments: Any) -> Summary:
        show = self.plans.append
        with assemble(self.settings, self.crm, lambda: self.stopping(), lambda _, plan: show(plan)) as context:
            mine = replace(
                context,
                now=self.clock,
                chance=lambda: 0.5,
                sleep=self.slept.append,
                options=self.options or context.options,
            )
            return run(mine, "test", **arguments)

    def wake(self) -> None:
        """Everything is due."""
        chosen = Chosen(self.db)
        chosen.add(Choice(everything=True))
        chosen.wake(self.clock())

    def changes(self) -> list[tuple[str, str]]:
        return [(change["what"], change["state"]) for change in self.desk.changes()]

    def later(self, **time: int) -> None:
        units = {"minutes": 60_000, "hours": 3_600_000, "days": 86_400_000}
        self.clock.at += sum(units[unit] * number for unit, number in time.items())


@pytest.fixture
def configured(sandbox: Sandbox, new_store: Path, tmp_path: Path) -> Callable[..., Settings]:
    """Settings that reach the sandbox as they would reach Salesforce; sections given are merged in."""
    shutil.copy(new_store, tmp_path / "syncd.db")
    secrets = tmp_path / "secrets"
    secrets.mkdir(mode=0o700)
    for name, text in {
        "salesforce_private_key": sandbox.private_key.read_text(),
        "webhook_tokens": "test-token-0123456789-abcdef\n",
    }.items():
        (secrets / name).touch(mode=0o600)
        (secrets / name).write_text(text)

    def make(**sections: dict[str, Any]) -> Settings:
        values: dict[str, Any] = {
            "secrets_dir": str(secrets),
            "store": {"url": f"sqlite:///{tmp_path}/syncd.db"},
            "sync": {"mode": "live"},
            "salesforce": {
                "login_host": sandbox.address,
                "username": sandbox.username,
                "consumer_key": sandbox.consumer_key,
                "ca_bundle": str(sandbox.ca_bundle),
                "timeout": "5s",
            },
        }
        for name, section in sections.items():
            values[name] = values.get(name, {}) | section
        return from_mapping(values)

    return make


@pytest.fixture
def syncd(configured: Callable[..., Settings]) -> Iterator[Syncd]:
    settings = configured()
    running = Syncd(settings, Crm(settings))
    yield running
    running.db.close()
    running.crm.session.close()


@pytest.fixture
def unbraked(configured: Callable[..., Settings]) -> Iterator[Syncd]:
    """Without the brake, which a wave of bounces made for another purpose would set off."""
    settings = configured(brake={"enabled": False})
    running = Syncd(settings, Crm(settings))
    yield running
    running.db.close()
    running.crm.session.close()
