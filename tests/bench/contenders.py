"""The receivers that are compared, each started fresh with an empty store, on core 0."""

from __future__ import annotations

import os
import signal
import socket
import subprocess
import sys
import time
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

from tests.receiver.configured import TOKEN, configuration

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

HERE = Path(__file__).parent
ROOT = HERE.parents[1]
GRANIAN = ("--host", "127.0.0.1", "--http", "1", "--no-ws", "--backlog", "1024", "--log-level", "error")
GUNICORN = ("--worker-class", "gthread", "--threads", "16", "--keep-alive", "60", "--log-level", "error")
HOOK = f"/webhooks/sarbacane/{TOKEN}"


@dataclass(frozen=True)
class Contender:
    """`command` gets (python, port, directory). `python` "ours" or "peers" says whose packages it uses."""

    name: str
    command: Callable[[str, int, Path], list[str]]
    python: str = "ours"
    path: str = HOOK
    format: str = "sarbacane"


def granian(*target: str) -> Callable[[str, int, Path], list[str]]:
    return lambda python, port, _: [python, "-m", "granian", *GRANIAN, "--port", str(port), *target]


def gunicorn(target: str) -> Callable[[str, int, Path], list[str]]:
    return lambda python, port, _: [python, "-m", "gunicorn", *GUNICORN, "--bind", f"127.0.0.1:{port}", target]


def syncd(python: str, port: int, directory: Path) -> list[str]:
    return [python, "-m", "syncd", "--config", str(directory / "syncd.toml"), "receive"]


FLOOR = Contender(
    "bare Flask 204, granian", granian("--interface", "wsgi", "--blocking-threads", "16", "tests.bench.peers.bare:app")
)
SYNCD = Contender("syncd", syncd)
THREADS = Contender(
    "syncd's app on 64 WSGI threads",
    granian("--interface", "wsgi", "--blocking-threads", "64", "--factory", "tests.bench.threads:app"),
)
ONE_INSERT = Contender("gunicorn, one sqlite-utils insert", gunicorn("tests.bench.peers.one_insert:app"), "peers")
ANYMAIL = Contender(
    "Django, django-anymail to SQLite",
    gunicorn("tests.bench.peers.anymail_site:application"),
    "peers",
    "/anymail/postmark/tracking/",
    "postmark",
)
ALL = (FLOOR, SYNCD, THREADS, ONE_INSERT, ANYMAIL)


@contextmanager
def running(contender: Contender, python: str, directory: Path) -> Iterator[tuple[int, subprocess.Popen[bytes]]]:
    """The port and the process, once it answers."""
    port = _free_port()
    path = configuration(directory)
    path.write_text(path.read_text().replace("127.0.0.1:0", f"127.0.0.1:{port}"))
    environ = os.environ | {"BENCH_DB": str(directory / "peer.db"), "BENCH_CONFIG": str(path), "PYTHONPATH": str(ROOT)}
    with pinned(0):
        process = subprocess.Popen(
            contender.command(python, port, directory), env=environ, cwd=ROOT, stderr=subprocess.DEVNULL
        )
    try:
        _wait_for(port, process)
        yield port, process
    finally:
        process.send_signal(signal.SIGTERM)
        try:
            process.wait(15)
        except subprocess.TimeoutExpired:
            process.kill()
            process.wait()


@contextmanager
def pinned(core: int) -> Iterator[None]:
    """Processes started meanwhile run on this core; with one core on the only one."""
    before = os.sched_getaffinity(0)
    os.sched_setaffinity(0, {core} if core in before else before)
    try:
        yield
    finally:
        os.sched_setaffinity(0, before)


def worker(process: subprocess.Popen[bytes]) -> Path:
    """Where the kernel tells of the process that answers."""
    children = Path(f"/proc/{process.pid}/task/{process.pid}/children").read_text().split()
    return Path("/proc", children[0] if children else str(process.pid))


def memory(worker: Path) -> float:
    """MiB."""
    return int((worker / "statm").read_text().split()[1]) * os.sysconf("SC_PAGE_SIZE") / 1024 / 1024


def cpu(worker: Path) -> float:
    """Seconds of processor time used so far, user and system."""
    user, system = (worker / "stat").read_text().rpartition(")")[2].split()[11:13]
    return (int(user) + int(system)) / os.sysconf("SC_CLK_TCK")


def peers_python() -> str:
    """A throw-away environment with the peers' packages, which the project itself does not need."""
    directory = Path(os.environ.get("BENCH_VENV", "/tmp/syncd-bench-venv"))  # noqa: S108
    python = directory / "bin" / "python"
    if not (directory / ".ready").exists():
        subprocess.run([sys.executable, "-m", "venv", str(directory)], check=True)
        packages = ["flask", "gunicorn", "sqlite-utils", "django", "django-anymail[postmark]"]
        subprocess.run([str(python), "-m", "pip", "install", "-q", *packages], check=True)
        (directory / ".ready").touch()
    return str(python)


def _free_port() -> int:
    with socket.create_server(("127.0.0.1", 0)) as listener:
        return int(listener.getsockname()[1])


def _wait_for(port: int, process: subprocess.Popen[bytes]) -> None:
    deadline = time.monotonic() + 20
    while time.monotonic() < deadline and process.poll() is None:
        try:
            with socket.create_connection(("127.0.0.1", port), 5) as connection:
                connection.sendall(b"GET /healthz HTTP/1.1\r\nHost: x\r\nConnection: close\r\n\r\n")
                if connection.recv(100):
                    return
        except OSError:
            time.sleep(0.05)
    raise RuntimeError("the server does not come up")
