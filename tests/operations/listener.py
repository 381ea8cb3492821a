"""Where alerts arrive: a service as Apprise's json:// speaks to it, on this machine."""

from __future__ import annotations

import json
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from http.server import BaseHTTPRequestHandler, HTTPServer
from typing import Any


class Listener:
    def __init__(self) -> None:
        self.messages: list[dict[str, Any]] = []
        self.status = 200
        said = self

        class Handler(BaseHTTPRequestHandler):
            def do_POST(self) -> None:
                body = self.rfile.read(int(self.headers["Content-Length"]))
                if said.status == 200:
                    said.messages.append(json.loads(body))
                self.send_response(said.status)
                self.end_headers()

            def log_message(self, *_: object) -> None:  # not into the tests' output
                pass

        self._server = HTTPServer(("127.0.0.1", 0), Handler)

    @property
    def url(self) -> str:
        return f"json://someone:s3cret-password@127.0.0.1:{self._server.server_port}/s3cret-path"

    @property
    def titles(self) -> list[str]:
        return [message["title"] for message in self.messages]

    def serve(self) -> None:
        threading.Thread(target=self._server.serve_forever, daemon=True).start()

    def close(self) -> None:
        self._server.shutdown()
        self._server.server_close()


@contextmanager
def listening() -> Iterator[Listener]:
    listener = Listener()
    listener.serve()
    try:
        yield listener
    finally:
        listener.close()
