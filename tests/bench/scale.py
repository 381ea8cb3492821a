"""python -m tests.bench.scale: calls, seconds and peak memory of one run over very many recipients.

Of a hundred, 60 end with a Task, 5 with a field (half marks, half opt-outs); the whId is the record's id; every eighth
is a Lead. The sandbox is a process of its own, and so is the run (`syncd sync`), whose memory the kernel tells.
"""

from __future__ import annotations

import argparse
import json
import os
import subprocess
import sys
import tempfile
import time
from contextlib import closing
from pathlib import Path
from typing import Any

from syncd.sandbox import Org, Sandbox
from syncd.sarbacane import read
from syncd.store import Inbox, open_store
from tests.factories import payload

A_TRANSACTION = 500


def main() -> int:
    arguments = _arguments()
    if arguments.serve:
        return _serve(arguments.recipients[0], arguments.serve)
    print(f"{'recipients':>10}  {'way':<11}  {'calls':>5}  {'seconds':>7}  {'peak MB':>7}  changes")
    for number in arguments.recipients:
        for way in arguments.ways:
            _round(number, way)
    return 0


def _arguments() -> argparse.Namespace:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--recipients", type=int, nargs="+", default=[10_000, 100_000])
    parser.add_argument("--ways", nargs="+", choices=("bulk", "collections"), default=["bulk", "collections"])
    parser.add_argument("--serve", type=Path, help=argparse.SUPPRESS)
    return parser.parse_args()


def _round(number: int, way: str) -> None:
    with tempfile.TemporaryDirectory() as name:
        directory = Path(name)
        command = [sys.executable, "-m", "tests.bench.scale", "--recipients", str(number), "--serve", name]
        with subprocess.Popen(command, stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True) as sandbox:
            assert sandbox.stdin
            assert sandbox.stdout
            told = json.loads(sandbox.stdout.readline())
            config = _configured(directory, told, 2_000 if way == "bulk" else 1_000_000)
            _receive(directory, number)
            seconds, peak, said = _run(config)
            sandbox.stdin.close()
    changes = ", ".join(f"{count} {state}" for state, count in said["changes"].items())
    print(f"{number:>10,}  {way:<11}  {said['calls']:>5}  {seconds:>7.0f}  {peak:>7.0f}  {changes}", flush=True)
    expected = number * 65 // 100
    assert (said["ended"], said["changes"]) == ("done", {"done": expected}), said


def _kind(i: int) -> str:
    return "open" if i % 20 < 12 else "delivered" if i % 20 > 12 else "hard_bounce" if i % 40 == 12 else "unsubscribe"


def _serve(number: int, directory: Path) -> int:
    """The sandbox with its records, until the other end closes."""
    org = Org()
    ids = (
        org.add("Lead", LastName=f"N{i}", Company="Exemple SA", Email=f"n{i}@example.fr")
        if i % 8 == 7
        else org.add("Contact", LastName=f"N{i}", Email=f"n{i}@example.fr")
        for i in range(number)
    )
    (directory / "ids").write_text("\n".join(ids))
    with Sandbox(org, directory=directory) as sandbox:
        told = {
            "login_host": sandbox.address,
            "username": sandbox.username,
            "consumer_key": sandbox.consumer_key,
            "ca_bundle": str(sandbox.ca_bundle),
            "key": str(sandbox.private_key),
        }
        print(json.dumps(told), flush=True)
        sys.stdin.read()
    return 0


def _configured(directory: Path, told: dict[str, Any], threshold: int) -> Path:
    secrets = directory / "secrets"
    secrets.mkdir(mode=0o700)
    for name, text in (
        ("salesforce_private_key", Path(told.pop("key")).read_text()),
        ("webhook_tokens", "bench-token-0123456789-abcdef"),
    ):
        (secrets / name).touch(mode=0o600)
        (secrets / name).write_text(text)
    keys = "\n".join(f"{name} = {json.dumps(value)}" for name, value in told.items())
    config = directory / "syncd.toml"
    config.write_text(
        f'secrets_dir = "secrets"\n[store]\nurl = "sqlite:///{directory}/syncd.db"\n'
        f'[salesforce]\ntimeout = "120s"\nbulk_threshold = {threshold}\n{keys}\n'
    )
    return config


def _receive(directory: Path, number: int) -> None:
    ids = (directory / "ids").read_text().split()
    now = time.time_ns() // 1_000_000
    with closing(open_store(directory / "syncd.db")) as db:
        inbox = Inbox(db)
        for start in range(0, number, A_TRANSACTION):
            some = range(start, min(start + A_TRANSACTION, number))
            inbox.append([read(payload(_kind(i), 0, "s", whId=ids[i], email=f"n{i}@example.fr"), now) for i in some])


def _run(config: Path) -> tuple[float, float, dict[str, Any]]:
    """Seconds, peak memory in MB, and what the run says."""
    command = [sys.executable, "-m", "syncd", "--config", str(config), "sync", "--json"]
    started = time.monotonic()
    with tempfile.TemporaryFile("w+") as out:
        process = subprocess.Popen(command, stdout=out)
        _, _, used = os.wait4(process.pid, 0)
        process.returncode = 0
        seconds = time.monotonic() - started
        out.seek(0)
        return seconds, used.ru_maxrss / 1_024, json.load(out)


if __name__ == "__main__":
    raise SystemExit(main())
