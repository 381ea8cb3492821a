"""The WSGI application: the webhook, and two pages that say how the receiver is."""

from __future__ import annotations

import logging
import shutil
import time
import traceback
from functools import partial
from typing import TYPE_CHECKING, Any

from flask import Flask, Request, Response, request
from flask.sessions import NullSession, SessionInterface
from werkzeug.exceptions import HTTPException
from werkzeug.middleware.proxy_fix import ProxyFix
from werkzeug.wsgi import get_input_stream

from syncd.intake import Intake
from syncd.metrics import Counts
from syncd.receiver.tokens import Tokens
from syncd.store import Inbox, open_store
from syncd.store.home import Home

if TYPE_CHECKING:
    from collections.abc import Callable
    from concurrent.futures import Future
    from pathlib import Path

    from werkzeug.routing import MapAdapter

    from syncd.config import Settings

PREFIX = "/webhooks/sarbacane/"
BUSY = 5.0
"""Seconds to wait for another writer before 503. What came meanwhile waits as long again, so an answer takes 10 s."""
GIVE_UP = 15.0
"""Seconds after which a commit that does not even fail (a disk that hangs) is answered 503; it may still come true."""
RETRY_AFTER = "30"
DRAINED = 64 * 1024 * 1024
"""Of a body that is too large, this much is read and thrown away, so that its sender gets to read the answer."""
ROOM = 50 * 1024 * 1024
"""Bytes free on the disk below which `readyz` turns bad."""
WARN_EVERY = 60.0

HOLD = "syncd.hold"
"""WSGI environment: a function that takes the commit's future. Whoever sets it must not answer before that future."""

_CHUNK = 64 * 1024
_NO_BANNER = {"Server": ""}  # granian puts its name where there is no such header, and has no option against it
_log = logging.getLogger(__name__)


def create_app(settings: Settings) -> Flask:
    """The application. Raises ConfigError without a token, StoreError if the store cannot be used at all."""
    tokens = Tokens(settings.secrets.webhook_tokens())
    path = settings.store.path
    counts = Counts()
    intake = Intake(lambda: _inbox(path), counts)
    webhook = Webhook(tokens, intake, settings.receiver.max_body_bytes, counts)

    app = _Receiver("syncd.receiver", static_folder=None)
    app.extensions.update(intake=intake, tokens=tokens, max_body_bytes=settings.receiver.max_body_bytes)
    # a redirect from //healthz would be one answer more than there are
    app.url_map.merge_slashes = False
    add = partial(app.add_url_rule, strict_slashes=False, provide_automatic_options=False)
    add(f"{PREFIX}<token>", "event", webhook.event, methods=["POST"])
    add(f"{PREFIX}<token>", "probe", webhook.probe, methods=["GET"])
    add("/healthz", "healthz", healthz, methods=["GET"])
    add("/readyz", "readyz", partial(readyz, intake, path), methods=["GET"])
    app.register_error_handler(HTTPException, webhook.unknown)
    app.register_error_handler(Exception, unforeseen)
    if settings.receiver.trusted_proxies:
        proxies = settings.receiver.trusted_proxies
        app.wsgi_app = ProxyFix(app.wsgi_app, x_for=proxies, x_proto=0, x_host=0)  # type: ignore[method-assign]
    return app


def _inbox(path: Path) -> Inbox:
    return Inbox(open_store(path, busy=BUSY, shared=True, eager=True), Home(path))


class _NoSession(SessionInterface):
    """Flask's own looks for a cookie and a key in every request."""

    _none = NullSession()

    def open_session(self, app: Flask, request: Request) -> NullSession:
        return self._none

    def save_session(self, app: Flask, session: object, response: Response) -> None:
        pass


class _Receiver(Flask):
    """Flask without what no view here needs: together a sixth of the time it takes for a request."""

    session_interface = _NoSession()

    def create_url_adapter(self, request: Request | None) -> MapAdapter | None:
        """Of a request only path and method matter; the host is not looked at."""
        if request is None:
            return None
        return self.url_map.bind("", path_info=request.path, default_method=request.method)

    def ensure_sync(self, func: Callable[..., Any]) -> Callable[..., Any]:
        return func


class Webhook:
    """The answers that depend on the token. Whatever it does not know is answered like a path that does not exist."""

    def __init__(self, tokens: Tokens, intake: Intake, max_body_bytes: int, counts: Counts) -> None:
        self._tokens = tokens
        self._counts = counts
        self._warned = -WARN_EVERY
        self._intake = intake
        self._limit = max_body_bytes

    def event(self, token: str) -> Response:
        if token not in self._tokens:
            return self._unknown_token()
        received_at = time.time_ns() // 1_000_000
        environ = request.environ
        source = f"webhook from {environ.get('REMOTE_ADDR')}"
        body, is_whole = _body(get_input_stream(environ).read, self._limit)
        if is_whole:
            commit = self._intake.submit(body, received_at, source)
        else:
            commit = self._intake.submit_oversized(body, self._limit, received_at, source)
        return after(commit, TAKEN, environ.get(HOLD))

    def probe(self, token: str) -> Response:
        """Sarbacane, or a person who pastes the address, tries it: nothing is stored."""
        return _text("ready for events", 200) if token in self._tokens else self._unknown_token()

    def _unknown_token(self) -> Response:
        """Said in the log now and then: a rotation gone wrong looks like this, and would end all calls."""
        self._counts.unknown_token()
        now = time.monotonic()
        if now - self._warned >= WARN_EVERY:
            self._warned = now
            _log.warning("somebody calls with a token that is not in the list")
        return _text("not found", 404)

    def unknown(self, _error: Exception) -> Response:
        """Any other path or method: looked up like a token, so that it takes the same time."""
        _ = request.path in self._tokens
        return _text("not found", 404)


def healthz() -> Response:
    return _text("alive", 200)


def readyz(intake: Intake, path: Path) -> Response:
    if shutil.disk_usage(path.parent).free < ROOM:
        return _text("the store's disk is nearly full", 503)
    return after(intake.probe(), _text("ready", 200), request.environ.get(HOLD))


def unforeseen(error: Exception) -> Response:
    """Answered so that Sarbacane comes again. Flask's own log line would hold the path, and with it the token."""
    where = "".join(traceback.format_tb(error.__traceback__))
    _log.error("a request failed: %s\n%s", type(error).__name__, where)
    return unavailable()


def unavailable() -> Response:
    response = _text("the store cannot take it now; please try again", 503)
    response.headers["Retry-After"] = RETRY_AFTER
    return response


def after(commit: Future[None], answer: Response, hold: Callable[[Future[None]], None] | None) -> Response:
    """The answer once the commit is durable. Waits for it, but not for ever, unless whoever holds it does."""
    if hold:
        hold(commit)
        return answer
    try:
        return answer if commit.exception(GIVE_UP) is None else unavailable()
    except TimeoutError:
        _log.error("a commit takes more than %d s; the delivery is refused", GIVE_UP)
        return unavailable()


def _body(read: Callable[[int], bytes], limit: int) -> tuple[bytes, bool]:
    """The body, or its first part and False if there is more than `limit` of it. Chunked bodies have no length."""
    body = read(limit + 1)
    while body and len(body) <= limit and (more := read(limit + 1 - len(body))):
        body += more
    if len(body) <= limit:
        return body, True
    drained = len(body)
    while drained < DRAINED and (more := read(_CHUNK)):
        drained += len(more)
    return body, False


def _taken() -> Response:
    response = Response(status=204, headers=_NO_BANNER)
    del response.headers["Content-Type"]
    return response


TAKEN = _taken()
"""One for all: Flask only reads it, and making one is a quarter of what Flask takes for a request."""


def _text(text: str, status: int) -> Response:
    return Response(f"{text}\n", status, _NO_BANNER, mimetype="text/plain")
