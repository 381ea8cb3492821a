"""What one would write first: one sqlite-utils insert a request, as durable as syncd's."""

import os
import threading
import time

from flask import Flask, request
from sqlite_utils import Database
from sqlite_utils.db import Table

app = Flask("one_insert", static_folder=None)
local = threading.local()


def connection() -> Database:
    db: Database | None = getattr(local, "db", None)
    if db is None:
        db = local.db = Database(os.environ["BENCH_DB"])
        db.conn.execute("PRAGMA busy_timeout = 30000")
        db.enable_wal()
        db.conn.execute("PRAGMA synchronous = FULL")
    return db


@app.post("/webhooks/sarbacane/<token>")
def event(token: str) -> tuple[str, int]:
    sent = request.get_json(force=True)
    row = {"received_at": time.time(), "address": sent["email"], "raw": request.get_data(as_text=True)}
    Table(connection(), "events").insert(row)
    return "", 204
