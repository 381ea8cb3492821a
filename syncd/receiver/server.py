"""The process that serves the receiver: one parent that holds the socket, one worker that answers.

The parent binds (or inherits from systemd) and never closes the socket while it lives, so that connections wait in the
kernel's queue and are not refused while a worker is replaced: after a crash, or on SIGHUP with a new configuration.
"""

from __future__ import annotations

import gc
import logging
import os
import queue
import signal
import socket
import threading
from contextlib import suppress
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, cast

from granian.constants import HTTPModes, Interfaces, Loops
from granian.http import HTTP1Settings
from granian.log import LogLevels
from granian.net import SocketHolder  # type: ignore[attr-defined]
from granian.server.mp import MPServer

from syncd import metrics
from syncd.errors import SyncdError
from syncd.receiver.app import create_app
from syncd.receiver.seam import Seam
from syncd.receiver.tokens import Tokens
from syncd.store import open_store
from syncd.systemd import (
    BACKLOG,
    bound_socket,
    die_with,
    hear_reload,
    inherited_socket,
    notify,
    reloading,
    watchdog_seconds,
)

if TYPE_CHECKING:
    from pathlib import Path

    from syncd.config import Settings

OVERLAP = 1.0
"""Seconds that the old worker goes on beside a new one, which needs half of one to import its modules."""
LOOKS_EVERY = 1.0
"""Seconds after which a signal is handled at the latest."""
LAST_ANSWERS = 25
"""Seconds a worker has for the requests it has begun: more than any commit may take."""

_log = logging.getLogger(__name__)


def serve(settings: Settings, config_path: Path | None = None) -> None:
    """Serves until SIGTERM or SIGINT; SIGHUP reads `config_path` and the tokens anew. Only for the main thread.

    Listens on an inherited socket if there is one, else on `settings.receiver.bind`. Raises what is wrong with the
    configuration or the store before it listens; leaves with SystemExit(1) if the worker cannot be kept alive.
    """
    check(settings)
    metrics.start(settings.store.path)
    with inherited_socket() or bound_socket(settings.receiver.bind) as listener:
        server = Server(listener, settings, config_path)
        os.register_at_fork(after_in_child=_until_the_loop_has_its_own)
        _log.info("receiving on http://%s", _address(listener))
        server.serve(target_loader=cast("Any", server.loader), wrap_loader=False)


def _until_the_loop_has_its_own() -> None:
    """Signals in a worker. It inherits the parent's handlers, which would swallow a SIGTERM that comes while it starts;
    the parent would then wait for LAST_ANSWERS. A terminal's Ctrl-C reaches the parent, too, which ends its worker."""
    signal.signal(signal.SIGTERM, signal.SIG_DFL)
    signal.signal(signal.SIGINT, signal.SIG_IGN)


def check(settings: Settings) -> None:
    """Raises ConfigError or StoreError for what would keep a worker from starting."""
    Tokens(settings.secrets.webhook_tokens())
    open_store(settings.store.path).close()


class _Interrupt(threading.Event):
    """What the parent waits for, set by signal handlers, which run between any two steps of what they interrupt.

    Event's own `set` then waits for ever for a lock that the interrupted `wait` holds; and a signal that arrives just
    before a wait begins is only handled once that ends, so it ends now and then. A SimpleQueue may be put to anywhere.
    """

    def __init__(self) -> None:
        super().__init__()
        self._is_set = False
        self._calls: queue.SimpleQueue[None] = queue.SimpleQueue()

    def is_set(self) -> bool:
        return self._is_set

    def set(self) -> None:
        self._is_set = True
        self._calls.put(None)

    def clear(self) -> None:
        self._is_set = False

    def wait(self, timeout: float | None = None) -> bool:
        while not self._is_set and timeout is None:
            with suppress(queue.Empty):
                self._calls.get(timeout=LOOKS_EVERY)
        return self._is_set


class Server(MPServer):
    """Granian on a socket that exists already, with a reload that cannot end it.

    `_init_shared_socket`, `_reload` and `main_loop_interrupt` are granian's own: its version is pinned, and tests cover
    each.
    """

    def __init__(self, listener: socket.socket, settings: Settings, config_path: Path | None) -> None:
        super().__init__(
            target="syncd.receiver",
            interface=Interfaces.RSGI,
            workers=1,
            loop=Loops.asyncio,
            backpressure=BACKLOG,
            backlog=BACKLOG,
            http=HTTPModes.http1,
            # ends a connection that is idle for so long, too: the README's proxy gives up earlier
            http1_settings=HTTP1Settings(header_read_timeout=15_000, max_buffer_size=64 * 1024),
            websockets=False,
            log_level=LogLevels.warning,
            # its warnings go where ours go
            log_dictconfig={"formatters": {}, "handlers": {}, "loggers": {"_granian": {"propagate": True}}},
            respawn_failed_workers=True,
            respawn_interval=OVERLAP,
            workers_kill_timeout=LAST_ANSWERS,
        )
        self.main_loop_interrupt = _Interrupt()
        self._listener = listener
        self._config_path = config_path
        self.loader = Loader(settings, os.getpid(), listener.fileno(), watchdog_seconds() / 3)

    def _init_shared_socket(self) -> None:
        hear_reload()  # granian's handler stands by now
        self._listener.set_inheritable(True)
        self._sfd: Any = self._listener.fileno()
        self._shd: Any = SocketHolder(self._sfd, self._listener.family == socket.AF_UNIX, BACKLOG)  # type: ignore[call-arg]
        self._sso: Any = self._listener

    def _reload(self, spawn_target: Any, target_loader: Any) -> None:
        """Granian would stop the old worker even though the new one had died of a mistake in the configuration."""
        reloading()
        try:
            settings = _settings_of(self._config_path) if self._config_path else self.loader.settings
            check(settings)
        except SyncdError as error:
            _log.error("the configuration is not reloaded, the old one goes on:\n%s", error)
            self.reload_signal = False
            self.main_loop_interrupt.clear()
            notify("READY=1", "STATUS=the new configuration is wrong, the old one goes on; run: syncd check")
            return
        self.loader.settings = settings
        super()._reload(spawn_target, target_loader)  # type: ignore[no-untyped-call]
        _log.info("the configuration is reloaded")
        notify("READY=1")

    def shutdown(self, exit_code: int = 0) -> None:
        notify("STOPPING=1")
        super().shutdown(exit_code)  # type: ignore[no-untyped-call]


@dataclass
class Loader:
    """Called in each new worker: the application. A worker ends with its parent, which holds the socket."""

    settings: Settings  # those of the last reload: a worker that replaces a dead one gets them too
    parent: int
    listener: int
    pulse: float = 0.0

    def __call__(self) -> Seam:
        die_with(self.parent)
        seam = Seam(create_app(self.settings), self.listener, self.pulse)
        gc.collect()
        gc.freeze()  # what is there now stays: no use in looking through it again and again
        return seam


def _settings_of(path: Path) -> Settings:
    from syncd.config import load as load_settings

    return load_settings(path)


def _address(listener: socket.socket) -> str:
    if listener.family == socket.AF_UNIX:
        return f"unix:{listener.getsockname()}"
    host, port = listener.getsockname()[:2]
    return f"[{host}]:{port}" if ":" in host else f"{host}:{port}"
