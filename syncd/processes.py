"""`syncd serve`: receiver, scheduler and dashboard as processes of their own, started, watched and stopped together.

The listening socket belongs to the parent and is handed down as systemd does it, so connections wait in its queue while
a receiver restarts. A child whose parent dies, dies too: no half of a service goes on alone.
"""

from __future__ import annotations

import os
import signal
import socket
import subprocess
import sys
import time
from dataclasses import dataclass, field
from typing import IO, TYPE_CHECKING

import structlog

from syncd.systemd import bound_socket, die_with, reload_waits

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence
    from pathlib import Path

    from syncd.config import Bind

log = structlog.get_logger()

_HAND_DOWN = """
import os, sys
os.dup2(int(sys.argv[1]), 3)
os.environ["LISTEN_PID"] = str(os.getpid())
os.execv(sys.argv[2], sys.argv[2:])
"""
"""Becomes the child: LISTEN_PID is the child's own number, which nobody else knows before it lives."""

PARENT = "SUPERVISOR_PID"  # not SYNCD_…: those are configuration, and unknown ones are refused
OURS = ("NOTIFY_SOCKET", "WATCHDOG_USEC", "WATCHDOG_PID")  # between us and systemd; no child speaks for all
USAGE = 2  # a child that ends so will not do better next time
GRACE = 20.0  # seconds a child gets to finish
FIRST_PAUSE, LAST_PAUSE = 0.5, 30.0
TICK = 0.1
STEADY = 60.0  # after so many seconds a child counts as having been well


@dataclass(slots=True)
class Child:
    """One process to keep alive. `listener`: a socket it gets as systemd's first (descriptor 3).

    `vital`: the others are of no use if it cannot begin.
    """

    name: str
    arguments: Sequence[str]
    listener: socket.socket | None = None
    vital: bool = True
    stderr: IO[bytes] | None = None  # where it says what it says; else to ours
    process: subprocess.Popen[bytes] | None = None
    started: float = 0.0
    starts: int = 0
    pause: float = FIRST_PAUSE
    again_at: float = 0.0


@dataclass(slots=True)
class Supervisor:
    """Starts children and keeps them alive until asked to stop."""

    config: Path
    children: list[Child] = field(default_factory=list)
    # plain flags: an Event's lock is not for signal handlers
    stopping: bool = False
    reloading: bool = False

    def stop_on_signals(self) -> None:
        for number in (signal.SIGTERM, signal.SIGINT):
            signal.signal(number, self._on_signal)
        signal.signal(signal.SIGHUP, self._on_signal)

    def _on_signal(self, number: int, _frame: object) -> None:
        if number == signal.SIGHUP:
            self.reloading = True
        else:
            self.stopping = True

    def start(self, child: Child) -> None:
        command = [sys.executable, "-m", "syncd", "--config", str(self.config), *child.arguments]
        descriptors: tuple[int, ...] = ()
        environ: dict[str, str] = {**os.environ, PARENT: str(os.getpid())}
        for name in OURS:
            environ.pop(name, None)
        if child.listener:
            number = child.listener.fileno()
            descriptors = (number,)
            environ["LISTEN_FDS"] = "1"
            command = [sys.executable, "-c", _HAND_DOWN, str(number), *command]
        with reload_waits():
            child.process = subprocess.Popen(command, env=environ, pass_fds=descriptors, stderr=child.stderr)  # noqa: S603
        child.started = time.monotonic()
        child.starts += 1
        if child not in self.children:
            self.children.append(child)

    def watch(self) -> int:
        """Until `stopping` is set; the exit code.

        A configuration that is wrong from the start ends it. One that is broken later, when a child dies, does not: the
        receiver goes on whatever becomes of the others.
        """
        while not self.stopping:
            time.sleep(TICK)
            if self.reloading:
                self._reload()
            for child in self.children:
                code = child.process.poll() if child.process else None
                if code == USAGE and child.starts == 1 and child.vital:
                    return USAGE
                if code is not None:
                    self._again(child, code)
        return 0

    def _reload(self) -> None:
        """Each reads the configuration anew: the receiver refuses no connection, a run lets go between two calls."""
        self.reloading = False
        for child in self.children:
            if child.process:
                child.process.send_signal(signal.SIGHUP)

    def _again(self, child: Child, code: int) -> None:
        """Starts it again, after a pause that doubles if it keeps on dying."""
        now = time.monotonic()
        if not child.again_at:
            child.pause = FIRST_PAUSE if now - child.started > STEADY else child.pause
            child.again_at = now + child.pause
            log.error("a process ended; starting it again", process=child.name, code=code, pause=child.pause)
        elif now >= child.again_at:
            child.pause = min(child.pause * 2, LAST_PAUSE)
            child.again_at = 0.0
            self.start(child)

    def stop(self) -> None:
        """Asks all to finish, waits, and ends what has not."""
        alive = [child.process for child in self.children if child.process and child.process.poll() is None]
        for process in alive:
            process.terminate()
        deadline = time.monotonic() + GRACE
        for process in alive:
            try:
                process.wait(max(0.0, deadline - time.monotonic()))
            except subprocess.TimeoutExpired:
                process.kill()
                process.wait()


def serve(config: Path, bind: Bind) -> int:
    """Runs everything until SIGTERM or SIGINT, reading the configuration anew on SIGHUP; the exit code."""
    supervisor = Supervisor(config)
    supervisor.stop_on_signals()
    with bound_socket(bind) as listener:
        try:
            supervisor.start(Child("receiver", ["receive"], listener))
            supervisor.start(Child("scheduler", ["schedule"]))
            supervisor.start(Child("dashboard", ["dashboard"], vital=False))  # its address may be taken; events come
            return supervisor.watch()
        finally:
            supervisor.stop()


def die_with_parent(environ: Mapping[str, str] = os.environ) -> None:
    """For a child of a supervisor: no half of a service goes on alone."""
    if parent := environ.get(PARENT):
        die_with(int(parent))
