"""HTTPS on the loopback: one thread a connection, connections kept alive, nothing logged."""

import contextlib
import socket
import ssl
import struct
import threading
from io import BytesIO
from pathlib import Path
from types import TracebackType
from typing import Any, Self, cast

from werkzeug.serving import ThreadedWSGIServer, WSGIRequestHandler
from werkzeug.test import run_wsgi_app

from syncd.sandbox.app import the_app
from syncd.sandbox.edge import Edge, HungUpError
from syncd.sandbox.keys import Keys, keys_in
from syncd.sandbox.oauth import App
from syncd.sandbox.org import Org

CONSUMER_KEY = "3MVG9.syncd.sandbox.connected.app.consumer.key"
CONSUMER_SECRET = "sandbox-consumer-secret"  # noqa: S105 - of the sandbox, which guards nothing
USERNAME = "integration.user@syncd.example"
PASSWORD, SECURITY_TOKEN = "sandbox-password", "sandboxSecurityToken"
LOOPBACK = ("127.0.0.1", "::1", "0.0.0.0")  # noqa: S104 - compared with, not bound to
BACKLOG = 128
HANDSHAKE_SECONDS = 10
RESET = struct.pack("ii", 1, 0)
"""SO_LINGER with no time to linger: closing sends RST."""


class _Handler(WSGIRequestHandler):
    """Werkzeug's handler closes the connection after each answer, since it doesn't know how to drain what is left of
    a request; here the whole request is read first, so the connection can serve the next one."""

    protocol_version = "HTTP/1.1"
    server_version = "syncd-sandbox"
    sys_version = ""
    disable_nagle_algorithm = True
    timeout = 120

    def date_time_string(self, timestamp: float | None = None) -> str:
        """The Date of an answer goes by the org's clock."""
        org = cast("Edge", self.server.app).org
        return super().date_time_string(int(timestamp or org.clock().timestamp()))

    def run_wsgi(self) -> None:
        self.environ = environ = self.make_environ()
        length = int(environ.get("CONTENT_LENGTH") or 0)
        body = environ["wsgi.input"].read() if "wsgi.input_terminated" in environ else self.rfile.read(length)
        if len(body) < length:  # the client left in the middle: half a request is none
            self.close_connection = True
            return
        environ["wsgi.input"], environ["CONTENT_LENGTH"] = BytesIO(body), str(len(body))
        environ.pop("HTTP_TRANSFER_ENCODING", None)
        try:
            chunks, status, headers = run_wsgi_app(self.server.app, environ, buffered=True)
        except HungUpError:
            self._reset()
            return
        self._send(status, list(headers.items()), b"".join(chunks))

    def _send(self, status: str, headers: list[tuple[str, str]], content: bytes) -> None:
        code, _, reason = status.partition(" ")
        self.send_response(int(code), reason)
        for name, value in headers:
            self.send_header(name, value)
        self.end_headers()
        if self.command != "HEAD":
            self.wfile.write(content)

    def _reset(self) -> None:
        self.close_connection = True
        self.connection.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, RESET)
        socket.close(self.connection.detach())

    def log(self, type: str, message: str, *args: Any) -> None:  # noqa: A002 - werkzeug's name
        pass


class _Server(ThreadedWSGIServer):
    """TLS is spoken in each connection's own thread: a client that stalls or gives up in the handshake stops no one."""

    daemon_threads = True
    block_on_close = False

    def __init__(self, listening: socket.socket, app: Any, tls: ssl.SSLContext) -> None:
        host, port = listening.getsockname()[:2]
        super().__init__(host, port, app, _Handler, fd=listening.fileno())
        self.ssl_context = tls
        self._open: set[socket.socket] = set()
        self._stopped = False
        self._guard = threading.Lock()

    def finish_request(self, request: Any, client_address: Any) -> None:
        with contextlib.suppress(OSError, ValueError):  # given up, cut or closed by stop()
            request.settimeout(HANDSHAKE_SECONDS)
            request.getpeername()  # wrap_socket leaks its socket if the client is gone already
            assert self.ssl_context is not None  # noqa: S101
            with self.ssl_context.wrap_socket(request, server_side=True) as connection:
                self._serve(connection, client_address)

    def _serve(self, connection: ssl.SSLSocket, client_address: Any) -> None:
        with self._guard:
            if self._stopped:
                return
            self._open.add(connection)
        try:
            _Handler(connection, client_address, self)
        finally:
            with self._guard:
                self._open.discard(connection)

    def hang_up(self) -> None:
        """Close the connections that are kept alive, so that a stopped sandbox answers no one."""
        with self._guard:
            self._stopped = True
            for connection in self._open:
                with contextlib.suppress(OSError):
                    connection.shutdown(socket.SHUT_RDWR)


class Sandbox:
    """An org behind HTTPS. Stopped and started again it keeps its port, its keys and, being the org's, its records."""

    consumer_key = CONSUMER_KEY
    consumer_secret = CONSUMER_SECRET
    username = USERNAME
    password, security_token = PASSWORD, SECURITY_TOKEN

    def __init__(self, org: Org, host: str = "127.0.0.1", port: int = 0, *, directory: Path) -> None:
        self.org = org
        self._host, self._port = host, port
        self._name = "localhost" if host in LOOPBACK else host
        self._keys: Keys = keys_in(Path(directory), ("localhost", "127.0.0.1", self._name))
        self._server: _Server | None = None
        self._thread: threading.Thread | None = None
        app = App(self.username, self._keys.public_key, CONSUMER_SECRET, PASSWORD + SECURITY_TOKEN)
        org.logins.register(self.consumer_key, app)

    def start(self) -> Self:
        """OSError if the port is taken."""
        family = socket.AF_INET6 if ":" in self._host else socket.AF_INET
        with socket.create_server((self._host, self._port), family=family, backlog=BACKLOG) as listening:
            self._server = _Server(listening, Edge(self.org, the_app()), self._keys.tls)
        self._port = self._server.port
        self._thread = threading.Thread(
            target=self._server.serve_forever, kwargs={"poll_interval": 0.1}, name="syncd-sandbox", daemon=True
        )
        self._thread.start()
        return self

    def stop(self) -> None:
        if self._server is None or self._thread is None:
            return
        ending = threading.Thread(target=self._server.shutdown)
        ending.start()
        with contextlib.suppress(OSError):  # wakes the accepting thread, which would look up at its next poll only
            socket.create_connection(self._server.socket.getsockname()[:2], timeout=1).close()
        ending.join()
        self._thread.join()
        self._server.server_close()
        self._server.hang_up()
        self._server = self._thread = None

    def __enter__(self) -> Self:
        return self.start()

    def __exit__(self, kind: type[BaseException] | None, error: BaseException | None, at: TracebackType | None) -> None:
        self.stop()

    @property
    def address(self) -> str:
        """Host and port, as `my_domain` and `login_host`."""
        return f"{self._name}:{self._port}"

    @property
    def url(self) -> str:
        return f"https://{self.address}"

    @property
    def ca_bundle(self) -> Path:
        return self._keys.ca_bundle

    @property
    def private_key(self) -> Path:
        return self._keys.private_key

    def session_id(self) -> str:
        return self.org.logins.new_session(self.org.organization_id)
