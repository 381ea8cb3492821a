"""What Sarbacane calls: a Flask app and the server it runs in."""

from __future__ import annotations

from syncd.receiver.app import create_app

__all__ = ["create_app"]
