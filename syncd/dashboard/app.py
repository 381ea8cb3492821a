"""The WSGI application. It reads the store and the receiver's counts, and holds no secret."""

from __future__ import annotations

from typing import TYPE_CHECKING

from flask import Flask, Response

from syncd import metrics
from syncd.dashboard.gauges import Gauges

if TYPE_CHECKING:
    from syncd.config import Settings

PROMETHEUS = "text/plain; version=0.0.4; charset=utf-8"


def create_app(settings: Settings) -> Flask:
    path = settings.store.path
    app = Flask("syncd.dashboard", static_folder=None)

    @app.get("/metrics")
    def _metrics() -> Response:
        """What the receiver counted, and what the store says now: both outlive any process."""
        return Response(metrics.exposition(path, Gauges(settings)), content_type=PROMETHEUS)

    @app.get("/healthz")
    def _healthz() -> Response:
        return Response("alive\n", mimetype="text/plain")

    return app
