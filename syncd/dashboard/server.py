"""The process that serves the dashboard's listener."""

from __future__ import annotations

import signal
import threading
from contextlib import contextmanager
from typing import TYPE_CHECKING

import structlog
from werkzeug.serving import WSGIRequestHandler, make_server

from syncd.dashboard.app import create_app
from syncd.errors import ConfigError
from syncd.systemd import RELOAD, STOP, Pulse, bound_socket, inherited_socket, notify, until_told

if TYPE_CHECKING:
    import socket
    from collections.abc import Iterator
    from pathlib import Path

    from syncd.config import Settings

log = structlog.get_logger()


class _Quiet(WSGIRequestHandler):
    """No line a request: a scrape every few seconds is nothing to tell."""

    timeout = 30

    def version_string(self) -> str:
        """Which libraries answer is nobody's concern."""
        return "syncd"

    def log(self, type: str, message: str, *args: object) -> None:  # noqa: A002 - werkzeug's signature
        pass


def serve(settings: Settings, config_path: Path | None = None) -> None:
    """Blocks until SIGTERM or SIGINT; SIGHUP reads `config_path` anew. Raises ConfigError when the address is taken."""
    signal.pthread_sigmask(signal.SIG_BLOCK, (*STOP, RELOAD))
    listener = inherited_socket() or _listening(settings)
    told: int = RELOAD
    while told == RELOAD:
        with _served(settings, listener):
            before = settings.dashboard.bind
            settings, told = until_told(settings, config_path)
        if settings.dashboard.bind != before:
            listener = _moved(settings, listener)
    listener.close()


def _listening(settings: Settings) -> socket.socket:
    return bound_socket(settings.dashboard.bind, "dashboard.bind")


def _moved(settings: Settings, old: socket.socket) -> socket.socket:
    try:
        new = _listening(settings)
    except ConfigError as error:
        log.error("the old address stays", error=str(error))
        return old
    old.close()
    return new


@contextmanager
def _served(settings: Settings, listener: socket.socket) -> Iterator[None]:
    """Requests are answered inside of it. The listener stays open: who calls between two of these waits."""
    host, port = listener.getsockname()[:2]
    server = make_server(host, port, create_app(settings), threaded=True, request_handler=_Quiet, fd=listener.fileno())
    server.service_actions = Pulse()  # type: ignore[method-assign]  # by the loop that takes connections, twice a second
    threading.Thread(target=server.serve_forever, name="dashboard", daemon=True).start()
    log.info(f"metrics on http://{settings.dashboard.bind.host or host}:{port}/metrics")
    notify("READY=1")
    try:
        yield
    finally:
        server.shutdown()
        server.server_close()
