"""The process that serves the dashboard's listener."""

from __future__ import annotations

import signal
import threading
from typing import TYPE_CHECKING

import structlog
from werkzeug.serving import WSGIRequestHandler, make_server

from syncd.dashboard.app import create_app
from syncd.systemd import bound_socket, notify

if TYPE_CHECKING:
    from syncd.config import Settings

STOP = (signal.SIGTERM, signal.SIGINT)
log = structlog.get_logger()


class _Quiet(WSGIRequestHandler):
    """No line a request: a scrape every few seconds is nothing to tell."""

    timeout = 30

    def log(self, type: str, message: str, *args: object) -> None:  # noqa: A002 - werkzeug's signature
        pass


def serve(settings: Settings) -> None:
    """Blocks until SIGTERM or SIGINT. Raises ConfigError when `[dashboard] bind` is taken."""
    bind = settings.dashboard.bind
    with bound_socket(bind, "dashboard.bind") as listener:
        host, port = listener.getsockname()[:2]
        server = make_server(
            host, port, create_app(settings), threaded=True, request_handler=_Quiet, fd=listener.fileno()
        )
        signal.pthread_sigmask(signal.SIG_BLOCK, STOP)
        threading.Thread(target=server.serve_forever, name="dashboard", daemon=True).start()
        log.info(f"metrics on http://{bind.host or host}:{port}/metrics")
        notify("READY=1")
        signal.sigwait(STOP)
        notify("STOPPING=1")
        server.shutdown()
