"""What a process agrees on with whoever starts it, as systemd does: a socket handed down, news of how it is, and dying
together. Without systemd nobody listens, and nothing is said.
"""

from __future__ import annotations

import ctypes
import os
import signal
import socket
import time
from contextlib import contextmanager, suppress
from pathlib import Path
from typing import TYPE_CHECKING

import structlog

from syncd.config import load
from syncd.errors import ConfigError

if TYPE_CHECKING:
    from collections.abc import Iterator

    from syncd.config import Bind, Settings

log = structlog.get_logger()

STOP = (signal.SIGTERM, signal.SIGINT)
RELOAD = signal.SIGHUP
BACKLOG = 1024
FIRST_INHERITED = 3  # sd_listen_fds(3)
_PR_SET_PDEATHSIG = 1


def bound_socket(bind: Bind, key: str = "receiver.bind") -> socket.socket:
    """A listening socket. Raises ConfigError when the address is taken or not this machine's."""
    family = socket.AF_INET6 if ":" in bind.host or not bind.host else socket.AF_INET
    try:
        return socket.create_server(
            (bind.host, bind.port), family=family, backlog=BACKLOG, dualstack_ipv6=not bind.host
        )
    except OSError as error:
        raise ConfigError(f"{key}: cannot listen on {bind}: {error.strerror}") from error


@contextmanager
def reload_waits() -> Iterator[None]:
    """A SIGHUP that comes meanwhile, and one to a process started in here, waits until whoever reloads can hear it.

    Without it the one would do nothing, and the other end a process that is still importing its modules.
    """
    signal.pthread_sigmask(signal.SIG_BLOCK, {RELOAD})
    try:
        yield
    finally:
        hear_reload()


def hear_reload() -> None:
    signal.pthread_sigmask(signal.SIG_UNBLOCK, {RELOAD})


def inherited_socket() -> socket.socket | None:
    """The socket of a systemd socket unit: LISTEN_PID says whom it is for, LISTEN_FDS how many there are."""
    count = os.environ.get("LISTEN_FDS", "0")
    if os.environ.get("LISTEN_PID") != str(os.getpid()) or not count.isdecimal() or int(count) < 1:
        return None
    for name in ("LISTEN_PID", "LISTEN_FDS", "LISTEN_FDNAMES"):
        os.environ.pop(name, None)
    return socket.socket(fileno=FIRST_INHERITED)


def let_go(listener: int) -> None:
    """This process accepts nothing any more: connections wait in the queue for whoever else has the socket.

    Closing it here would not do, since libraries hold copies of the descriptor and an event loop watches it; so each
    copy is replaced by a socket that nobody connects to.
    """
    inode = os.fstat(listener).st_ino
    with socket.socket(socket.AF_UNIX) as nobody:
        nobody.bind("")  # a name that the kernel picks
        nobody.listen()
        nobody.setblocking(False)
        for number in [int(entry.name) for entry in Path("/proc/self/fd").iterdir()]:
            with suppress(OSError):  # the one that listed them is closed by now
                if os.fstat(number).st_ino == inode:
                    os.dup2(nobody.fileno(), number)


def die_with(parent: int) -> None:
    """Has the kernel kill this process when `parent` dies, however it dies."""
    ctypes.CDLL(None, use_errno=True).prctl(_PR_SET_PDEATHSIG, signal.SIGKILL)
    if os.getppid() != parent:  # it died before the call
        os._exit(1)


def notify(*news: str) -> None:
    """Tells systemd, if it asked to be told: `READY=1`, `STATUS=…` and the like of sd_notify(3)."""
    address = os.environ.get("NOTIFY_SOCKET", "")
    if not address:
        return
    if address.startswith("@"):
        address = "\0" + address[1:]
    with suppress(OSError), socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM) as line:
        line.settimeout(1)  # news are not worth waiting for
        line.sendto("\n".join(news).encode(), address)


def reloading() -> None:
    """Said before the configuration is read anew; `READY=1` ends it. systemd wants the time of its own clock, in µs."""
    notify("RELOADING=1", f"MONOTONIC_USEC={time.clock_gettime_ns(time.CLOCK_MONOTONIC) // 1000}")


def until_told(settings: Settings, config_path: Path | None) -> tuple[Settings, int]:
    """Waits for one of STOP, or for RELOAD: the settings to go on with, and the signal. All of them are to be blocked.

    What is wrong with new settings keeps the old.
    """
    while (told := signal.sigwait((*STOP, RELOAD))) == RELOAD:
        reloading()
        try:
            return (load(config_path) if config_path else settings), told
        except ConfigError as error:
            log.error("the configuration is not reloaded, the old one goes on", error=str(error))
            notify("READY=1", "STATUS=the new configuration is wrong, the old one goes on; run: syncd check")
    notify("STOPPING=1")
    return settings, told


def watchdog_seconds() -> float:
    """How long this process may stay silent before systemd ends it; 0: as long as it likes."""
    if os.environ.get("WATCHDOG_PID", str(os.getpid())) != str(os.getpid()):
        return 0.0
    microseconds = os.environ.get("WATCHDOG_USEC", "")
    return int(microseconds) / 1e6 if microseconds.isdecimal() else 0.0


class Pulse:
    """Feeds systemd's watchdog, three times as often as it asks, whenever the work comes by.

    For the work itself to call, never for a thread or a timer that goes on when the work does not.
    """

    def __init__(self) -> None:
        self.every = watchdog_seconds() / 3  # seconds; 0: nobody watches
        self._last = -self.every

    def __call__(self) -> None:
        now = time.monotonic()
        if self.every and now - self._last >= self.every:
            self._last = now
            notify("WATCHDOG=1")
