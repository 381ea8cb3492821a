"""syncd's own app under plain WSGI, where each answer that waits for its commit takes a thread."""

from __future__ import annotations

import os
from pathlib import Path
from typing import TYPE_CHECKING

from syncd.config import load
from syncd.receiver import create_app

if TYPE_CHECKING:
    from flask import Flask


def app() -> Flask:
    return create_app(load(Path(os.environ["BENCH_CONFIG"])))
