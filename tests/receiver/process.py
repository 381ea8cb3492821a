"""`syncd receive` as a process group of its own, on a socket that the test made and keeps."""

from __future__ import annotations

import os
import resource
import signal
import socket
import subprocess
import sys
import threading
import time
from http.client import HTTPConnection
from pathlib import Path
from typing import TYPE_CHECKING, Any, TypeVar

from tests.receiver.configured import NEXT_TOKEN, TOKEN, configuration

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable

PATIENCE = 20.0
HOOK = f"/webhooks/sarbacane/{TOKEN}"

_ACTIVATE = """
import os, sys
os.dup2(int(sys.argv[1]), 3)
os.environ.update(LISTEN_FDS="1", LISTEN_PID=str(os.getpid()))
os.execv(sys.argv[2], sys.argv[2:])
"""
"""What systemd does. (A shell can't: dash knows only descriptors of one digit.)"""


class Receiver:
    """Started anew as often as wanted: the socket, the configuration and the store stay."""

    def __init__(self, directory: Path, tokens: Iterable[str] = (TOKEN,), **receiver: int) -> None:
        self.directory = directory
        self.store = directory / "syncd.db"
        self.config = configuration(directory, tokens, **receiver)
        self.listener = socket.create_server(("127.0.0.1", 0), backlog=1024)
        self.log: list[str] = []
        self.start()

    def start(self) -> None:
        number = self.listener.fileno()
        command = [sys.executable, "-m", "syncd", "--config", str(self.config), "receive"]
        launch = [sys.executable, "-c", _ACTIVATE, str(number), *command]
        self.process = subprocess.Popen(
            launch, pass_fds=[number], stderr=subprocess.PIPE, text=True, start_new_session=True
        )
        self._reader = threading.Thread(target=self._read, args=(self.process,), daemon=True)
        self._reader.start()

    def _read(self, process: subprocess.Popen[str]) -> None:
        assert process.stderr
        with process.stderr:
            self.log.extend(process.stderr)

    @property
    def port(self) -> int:
        return int(self.listener.getsockname()[1])

    @property
    def url(self) -> str:
        return f"http://127.0.0.1:{self.port}"

    def connect(self) -> HTTPConnection:
        """The kernel takes connections from the first moment on, so nobody has to wait for the process."""
        return HTTPConnection("127.0.0.1", self.port, timeout=PATIENCE)

    def request(self, method: str, path: str, body: Any = None, **headers: str) -> tuple[int, bytes, dict[str, str]]:
        connection = self.connect()
        try:
            connection.request(method, path, body, headers)
            answer = connection.getresponse()
            return answer.status, answer.read(), {name.lower(): value for name, value in answer.getheaders()}
        finally:
            connection.close()

    def post(self, body: bytes, path: str = HOOK) -> int:
        return self.request("POST", path, body)[0]

    @property
    def worker(self) -> int:
        """The process that answers."""
        return int(until(lambda: self._children())[0])

    def _children(self) -> list[str]:
        return Path(f"/proc/{self.process.pid}/task/{self.process.pid}/children").read_text().split()

    def limit_files(self, size: int) -> None:
        """A full disk, as the worker sees it: no file grows beyond so many bytes. -1 lifts it."""
        resource.prlimit(self.worker, resource.RLIMIT_FSIZE, (size, resource.RLIM_INFINITY))

    def signal(self, number: signal.Signals) -> None:
        self.process.send_signal(number)

    def kill_group(self) -> None:
        os.killpg(self.process.pid, signal.SIGKILL)
        self.wait()

    def wait(self) -> int:
        code = self.process.wait(PATIENCE)
        self._reader.join(PATIENCE)
        return code

    def close(self) -> None:
        """Stops it, and sees to it that no token was ever logged."""
        if self.process.poll() is None:
            self.signal(signal.SIGTERM)
            try:
                self.process.wait(PATIENCE)
            finally:
                if self.process.poll() is None:
                    self.kill_group()
        self._reader.join(PATIENCE)
        self.listener.close()
        assert not [line for line in self.log if TOKEN in line or NEXT_TOKEN in line]


T = TypeVar("T")


def until(condition: Callable[[], T]) -> T:
    """The first true value."""
    deadline = time.monotonic() + PATIENCE
    while not (value := condition()):
        assert time.monotonic() < deadline, "waited in vain"
        time.sleep(0.01)
    return value


def is_alive(pid: int) -> bool:
    """A zombie is dead."""
    try:
        state = Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()[0]
    except FileNotFoundError:
        return False
    return state not in {"Z", "X"}
