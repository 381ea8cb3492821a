"""What a process agrees on with whoever starts it, as systemd does: a socket handed down, and dying together."""

from __future__ import annotations

import ctypes
import os
import signal
import socket
from typing import TYPE_CHECKING

from syncd.errors import ConfigError

if TYPE_CHECKING:
    from syncd.config import Bind

BACKLOG = 1024
FIRST_INHERITED = 3  # sd_listen_fds(3)
_PR_SET_PDEATHSIG = 1


def bound_socket(bind: Bind) -> socket.socket:
    """A listening socket. Raises ConfigError when the address is taken or not this machine's."""
    family = socket.AF_INET6 if ":" in bind.host or not bind.host else socket.AF_INET
    try:
        return socket.create_server(
            (bind.host, bind.port), family=family, backlog=BACKLOG, dualstack_ipv6=not bind.host
        )
    except OSError as error:
        raise ConfigError(f"receiver.bind: cannot listen on {bind}: {error.strerror}") from error


def inherited_socket() -> socket.socket | None:
    """The socket of a systemd socket unit: LISTEN_PID says whom it is for, LISTEN_FDS how many there are."""
    count = os.environ.get("LISTEN_FDS", "0")
    if os.environ.get("LISTEN_PID") != str(os.getpid()) or not count.isdecimal() or int(count) < 1:
        return None
    for name in ("LISTEN_PID", "LISTEN_FDS", "LISTEN_FDNAMES"):
        os.environ.pop(name, None)
    return socket.socket(fileno=FIRST_INHERITED)


def die_with(parent: int) -> None:
    """Has the kernel kill this process when `parent` dies, however it dies."""
    ctypes.CDLL(None, use_errno=True).prctl(_PR_SET_PDEATHSIG, signal.SIGKILL)
    if os.getppid() != parent:  # it died before the call
        os._exit(1)
