"""What can be seen on this machine: configuration, secrets, store, receiver."""

from __future__ import annotations

import errno
import http.client
import os
import shutil
import socket
import stat
import time
from contextlib import closing
from typing import TYPE_CHECKING

from syncd.checkup.finding import CONFIGURATION, UNREACHABLE, Finding
from syncd.errors import ConfigError, StoreError
from syncd.store import Inbox, open_store
from syncd.store.estimate import Load, load_a_day

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator, Sequence
    from pathlib import Path

    from syncd.config import Secrets, Settings
    from syncd.config.values import Bind

LEAST_FREE = 500_000_000  # bytes: the receiver calls itself unready at a tenth of it
PATIENCE = 2.0  # seconds for an answer of this machine

_NEEDED: dict[str, tuple[str, ...]] = {
    "jwt": ("salesforce_private_key",),
    "client_credentials": ("salesforce_consumer_secret",),
    "session": ("salesforce_session_id",),
    "password": ("salesforce_consumer_secret", "salesforce_password", "salesforce_security_token"),
}
"""auth → the secrets that it reads."""


def refused(thing: str, error: ConfigError) -> Iterator[Finding]:
    """A finding for each problem of a configuration: its first line says what, the others what to do."""
    for problem in error.problems:
        said, *todo = problem.splitlines()
        yield Finding.wrong(thing, said, *(line.strip() for line in todo), code=CONFIGURATION)


def secrets(settings: Settings) -> Iterator[Finding]:
    """Each secret that this configuration needs, read as a run reads it."""
    directory = settings.secrets_dir
    if directory.is_dir() and (mode := stat.S_IMODE(directory.stat().st_mode)) & 0o022:
        yield Finding.wrong(
            "secrets", f"{directory}: others may put files into it (mode {mode:04o})", f"run: chmod 700 {directory}",
            code=CONFIGURATION,
        )  # fmt: skip
    for name in ("webhook_tokens", *_NEEDED[settings.salesforce.auth]):
        yield from _secret(settings.secrets, name)


def _secret(held: Secrets, name: str) -> Iterator[Finding]:
    read: Callable[[], str | Sequence[str]] = getattr(held, name)
    try:
        found = read()
    except ConfigError as error:
        yield from refused("secrets", error)
        return
    if name == "webhook_tokens":
        yield Finding.ok("secrets", f"webhook_tokens, {len(found)} in force")
    elif found:
        yield Finding.ok("secrets", name)


def store(settings: Settings) -> tuple[Load | None, list[Finding]]:
    """How many events and Tasks a day there were, if that can be told, and what was found."""
    path = settings.store.path
    problem = _directory_problem(path.parent)
    if problem:
        return None, [problem]
    free = shutil.disk_usage(path.parent).free
    room = [] if free >= LEAST_FREE else [_no_room(path.parent, free)]
    if not path.exists():
        # not made here: whoever runs this command may be another user than the service, which then could not write it
        return None, [Finding.ok("store", f"{path}, made on first use; {_gigabytes(free)} free"), *room]
    try:
        with closing(open_store(path)) as db:
            Inbox(db).is_writable()
            load = load_a_day(db, time.time_ns() // 1_000_000, settings.activities.on)
    except StoreError as error:
        return None, [Finding.wrong("store", *_split(str(error)), code=UNREACHABLE), *room]
    return load, [_shared(path) or Finding.ok("store", f"{path}, {load.events} events; {_gigabytes(free)} free"), *room]


def _shared(path: Path) -> Finding | None:
    """Root may write what the services may not: a backup that was put back, say, and is root's."""
    directory, found = path.parent.stat(), path.stat()
    is_shared = os.geteuid() == 0 and directory.st_uid != 0 and directory.st_mode & stat.S_IWGRP
    if not is_shared or (found.st_gid == directory.st_gid and found.st_mode & stat.S_IWGRP):
        return None
    return Finding.wrong(
        "store", f"{path} cannot be written by the services, which share {path.parent}",
        f"run: chown --reference={path.parent} {path}; chmod 660 {path}", code=UNREACHABLE,
    )  # fmt: skip


def _directory_problem(directory: Path) -> Finding | None:
    if not directory.is_dir():
        return Finding.wrong(
            "store", f"its directory {directory} does not exist", f"run: mkdir -p {directory}", code=UNREACHABLE
        )
    if not os.access(directory, os.W_OK | os.X_OK):
        return Finding.wrong(
            "store", f"this user may not write to {directory}",
            f"run syncd as the directory's owner, or: chown USER {directory}", code=UNREACHABLE,
        )  # fmt: skip
    return None


def _no_room(directory: Path, free: int) -> Finding:
    return Finding.wrong("disk", f"only {_gigabytes(free)} free at {directory}", "make room, or move [store] url")


def _split(message: str) -> tuple[str, str]:
    """The store's messages end in what to do, those that quote SQLite don't."""
    said, stop, todo = message.partition(". ")
    return said, f"do: {todo}" if stop else "see whose the file is and who uses it; if it is damaged, restore a backup"


def _gigabytes(size: int) -> str:
    return f"{size / 1e9:.1f} GB"


def receiver(settings: Settings) -> Finding:
    """Free to listen on, or answering already."""
    bind = settings.receiver.bind
    try:
        family = socket.AF_INET6 if ":" in bind.host or not bind.host else socket.AF_INET
        socket.create_server((bind.host, bind.port), family=family, dualstack_ipv6=not bind.host).close()
    except OSError as error:
        if error.errno == errno.EADDRINUSE:
            return _taken(bind)
        return Finding.wrong("receiver", f"cannot listen on {bind}: {error.strerror}", _bind_advice(error))
    return Finding.ok("receiver", f"{bind} is free; nothing is received until `syncd serve` runs")


def _bind_advice(error: OSError) -> str:
    if error.errno == errno.EACCES:
        return 'take a port from 1024 on: bind = "127.0.0.1:8080", and let the proxy before it have 443'
    return 'write an address of this machine under [receiver]: bind = "127.0.0.1:8080", or ":8080" for all'


def _taken(bind: Bind) -> Finding:
    answer = _health(bind)
    if answer == "alive":
        return Finding.ok("receiver", f"answering on {bind}")
    if answer is None:  # systemd holds the socket while the service is tried again and again
        return Finding.wrong(
            "receiver", f"{bind} takes connections, and nobody answers: the receiver cannot start, or hangs",
            f"see why: journalctl -u syncd-receiver; if it is not syncd's: ss -ltnp 'sport = :{bind.port}'",
        )  # fmt: skip
    return Finding.wrong(
        "receiver", f"{bind} is taken by something that is not syncd",
        f"find it: ss -ltnp 'sport = :{bind.port}'; stop it, or write another port under [receiver]: bind",
    )  # fmt: skip


def _health(bind: Bind) -> str | None:
    """The body of GET /healthz, if its status is 200; None if no answer comes."""
    connection = http.client.HTTPConnection(bind.host or "localhost", bind.port, timeout=PATIENCE)
    try:
        connection.request("GET", "/healthz")
        answer = connection.getresponse()
        return answer.read(64).decode(errors="replace").strip() if answer.status == 200 else ""
    except TimeoutError:
        return None
    except (OSError, http.client.HTTPException):
        return ""
    finally:
        connection.close()
