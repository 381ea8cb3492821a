"""The listener for people and machines of the house, loopback unless told otherwise: metrics and health so far."""

from __future__ import annotations

from syncd.dashboard.app import create_app

__all__ = ["create_app"]
