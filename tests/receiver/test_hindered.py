"""A slow disk, and the tool that comes with systemd: the receiver with programs that pip does not bring."""

from __future__ import annotations

import shutil
import socket
import subprocess
import sys
import time
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager
from http.client import HTTPConnection
from typing import TYPE_CHECKING

import pytest

from tests.receiver.configured import configuration
from tests.receiver.process import HOOK, PATIENCE, Receiver
from tests.receiver.stored import addresses, body, query

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

SLOW = 0.3


@contextmanager
def slow_disk(pid: int, seconds: float, log: Path) -> Iterator[None]:
    """Each fdatasync of this process takes so much longer, since strace lets it return late; `log` has a line each."""
    inject = f"inject=fdatasync,fsync:delay_exit={int(seconds * 1e6)}"
    command = ["strace", "-f", "-p", str(pid), "-o", str(log), "-e", "trace=fdatasync,fsync", "-e", inject]
    tracer = subprocess.Popen(command, stderr=subprocess.PIPE, text=True)
    assert tracer.stderr
    if "attached" not in (said := tracer.stderr.readline()):
        pytest.skip(f"strace may not trace here: {said}")
    try:
        yield
    finally:
        tracer.terminate()
        tracer.wait(PATIENCE)
        tracer.stderr.close()


@pytest.mark.skipif(not shutil.which("strace"), reason="strace is missing")
def test_on_a_slow_disk_each_answer_waits_for_the_disk_and_many_share_one_wait(tmp_path: Path) -> None:
    receiver = Receiver(tmp_path)
    try:
        assert receiver.post(body(0)) == 204
        log = tmp_path / "syncs"
        with slow_disk(receiver.worker, SLOW, log), ThreadPoolExecutor(40) as pool:
            began = time.monotonic()
            assert receiver.post(body(1)) == 204
            assert time.monotonic() - began >= SLOW  # not answered before it was on the disk
            before = len(log.read_text().splitlines())
            assert set(pool.map(receiver.post, [body(number) for number in range(2, 42)])) == {204}
            assert 0 < len(log.read_text().splitlines()) - before < 40 / 3
            acknowledged = set(range(42))
            cut = [pool.submit(receiver.post, body(number)) for number in range(42, 52)]
            receiver.kill_group()
            receiver.start()  # for those whose connection nobody had taken
            acknowledged |= {42 + place for place, sent in enumerate(cut) if sent.exception(PATIENCE) is None}
        assert {f"user{number}@example.com" for number in acknowledged} <= set(addresses(receiver.store))
        assert query(receiver.store, "PRAGMA integrity_check") == [("ok",)]
    finally:
        receiver.close()


@pytest.mark.skipif(not shutil.which("systemd-socket-activate"), reason="systemd-socket-activate is missing")
def test_it_takes_the_socket_that_systemd_hands_down(tmp_path: Path) -> None:
    with socket.create_server(("127.0.0.1", 0)) as free:
        port = free.getsockname()[1]
    config = str(configuration(tmp_path))
    syncd = [sys.executable, "-m", "syncd", "--config", config, "receive"]
    process = subprocess.Popen(
        ["systemd-socket-activate", "-l", f"127.0.0.1:{port}", *syncd], stderr=subprocess.PIPE, text=True
    )
    try:
        assert process.stderr
        assert "Listening on" in process.stderr.readline()
        connection = HTTPConnection("127.0.0.1", port, timeout=PATIENCE)
        connection.request("POST", HOOK, body(1))  # the first connection is what starts it
        assert connection.getresponse().status == 204
        connection.close()
    finally:
        process.terminate()
        process.communicate(timeout=PATIENCE)
    assert process.returncode == 0
    assert addresses(tmp_path / "syncd.db") == ["user1@example.com"]
