"""syncd as an administrator runs it: `syncd serve` with a configuration file, in a process group of its own."""

from __future__ import annotations

import json
import os
import queue
import re
import signal
import subprocess
import sys
import threading
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import pytest
import requests

from syncd.sandbox import Org, Sandbox
from syncd.store import Desk, open_store

TOKEN = "test-token-0123456789-abcdef"
PATIENCE = 30.0


def until(what: Callable[[], Any], patience: float = PATIENCE) -> Any:
    """The first true answer; fails when none comes."""
    deadline = time.monotonic() + patience
    while time.monotonic() < deadline:
        if found := what():
            return found
        time.sleep(0.02)
    raise AssertionError(f"not within {patience} s: {what}")


class Installation:
    """A configuration directory and a store; commands and services on them."""

    def __init__(self, directory: Path, sandbox: Sandbox) -> None:
        self.directory = directory
        self.config = directory / "syncd.toml"
        self.services: list[Service] = []
        secrets = directory / "secrets"
        secrets.mkdir(mode=0o700)
        for name, text in {
            "webhook_tokens": TOKEN,
            "salesforce_private_key": sandbox.private_key.read_text(),
        }.items():
            (secrets / name).touch(mode=0o600)
            (secrets / name).write_text(text)
        self.configure(sandbox)

    def configure(self, sandbox: Sandbox, *, every: str = "500ms", mode: str = "live", more: str = "") -> None:
        self.config.write_text(
            f"""\
secrets_dir = "secrets"
[store]
url = "sqlite:///syncd.db"
[receiver]
bind = "127.0.0.1:0"
[sync]
mode = "{mode}"
every = "{every}"
[dashboard]
bind = "127.0.0.1:0"
[activities]
every = "1s"
settle_uncertain = "1s"
[salesforce]
login_host = "{sandbox.address}"
username = "{sandbox.username}"
consumer_key = "{sandbox.consumer_key}"
ca_bundle = "{sandbox.ca_bundle}"
timeout = "10s"
{more}"""
        )

    def syncd(self, *arguments: str, code: int | None = 0) -> str:
        """What a command prints; `code`: the exit code it must have."""
        done = subprocess.run(
            [sys.executable, "-m", "syncd", "--config", str(self.config), *arguments],
            capture_output=True,
            text=True,
            timeout=120,
        )
        assert code in (None, done.returncode), done.stdout + done.stderr
        return done.stdout

    def json(self, *arguments: str, code: int | None = 0) -> Any:
        return json.loads(self.syncd(*arguments, "--json", code=code))

    def serve(self, command: str = "serve") -> Service:
        service = Service([sys.executable, "-m", "syncd", "--config", str(self.config), command])
        self.services.append(service)
        return service

    @contextmanager
    def desk(self) -> Iterator[Desk]:
        db = open_store(self.directory / "syncd.db")
        try:
            yield Desk(db)
        finally:
            db.close()

    def status(self) -> dict[str, Any]:
        """What `syncd status` tells, without a process for each look."""
        with self.desk() as desk:
            return desk.status(time.time_ns() // 1_000_000)


class Service:
    """A running command, the leader of its own process group."""

    def __init__(self, command: list[str]) -> None:
        self.process = subprocess.Popen(command, stderr=subprocess.PIPE, start_new_session=True, text=True)
        self.lines: queue.Queue[str] = queue.Queue()
        self.said: list[str] = []
        threading.Thread(target=self._listen, daemon=True).start()

    def _listen(self) -> None:
        assert self.process.stderr
        with self.process.stderr as stderr:
            for line in stderr:
                self.said.append(line)
                self.lines.put(line)

    @property
    def url(self) -> str:
        """Where it receives, from its own log."""
        while True:
            try:
                line = self.lines.get(timeout=PATIENCE)
            except queue.Empty:
                raise AssertionError("".join(self.said)) from None
            if found := re.search(r"receiving on (http://[\d.:]+)", line):
                return f"{found.group(1)}/webhooks/sarbacane/{TOKEN}"

    def kill_group(self) -> None:
        """kill -9 of everything it started."""
        os.killpg(self.process.pid, signal.SIGKILL)
        self.process.wait()

    def terminate(self) -> int:
        self.process.terminate()
        return self.process.wait(PATIENCE)

    def members(self) -> list[int]:
        """The processes of its group that live."""
        found = []
        for entry in Path("/proc").iterdir():
            try:
                fields = (entry / "stat").read_text().rpartition(")")[2].split()
            except (OSError, NotADirectoryError):
                continue
            if entry.name.isdecimal() and int(fields[2]) == self.process.pid and fields[0] != "Z":
                found.append(int(entry.name))
        return found


def process_of(service: Service, command: bytes) -> int:
    arguments = {pid: Path(f"/proc/{pid}/cmdline").read_bytes().split(b"\0") for pid in service.members()}
    return next(pid for pid, words in arguments.items() if command in words)


@pytest.fixture
def installation(tmp_path: Path, sandbox: Sandbox) -> Iterator[Installation]:
    made = Installation(tmp_path, sandbox)
    yield made
    for service in made.services:
        if service.members():
            service.kill_group()


@pytest.fixture
def web() -> Iterator[requests.Session]:
    with requests.Session() as session:
        session.trust_env = False
        yield session


def everybody(org: Org) -> list[str]:
    """Fifty Contacts: address number i is `ni@example.fr`."""
    return [org.add("Contact", LastName=f"N{i}", Email=f"n{i}@example.fr") for i in range(50)]


@pytest.fixture
def people(org: Org) -> list[str]:
    return everybody(org)
