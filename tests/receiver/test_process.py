"""The receiver from outside: a real process, real HTTP, a real file."""

from __future__ import annotations

import json
import os
import signal
import socket
import subprocess
import sys
from concurrent.futures import ThreadPoolExecutor
from typing import TYPE_CHECKING

import pytest

from syncd.metrics import exposition
from syncd.store import open_store
from tests.receiver.configured import NEXT_TOKEN, TOKEN, configuration, write_tokens
from tests.receiver.process import HOOK, PATIENCE, Receiver, is_alive, until
from tests.receiver.stored import addresses, body, payload, query, reasons

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path


@pytest.fixture
def receiver(tmp_path: Path) -> Iterator[Receiver]:
    running = Receiver(tmp_path)
    yield running
    running.close()


@pytest.fixture(scope="module")
def steady(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Receiver]:
    """One that no test of this module disturbs."""
    running = Receiver(tmp_path_factory.mktemp("steady"), max_body_bytes=100_000)
    yield running
    running.close()


def test_the_webhook_answers_as_promised(steady: Receiver) -> None:
    wrong = "/webhooks/sarbacane/wrong"
    cases = {
        "valid": ("POST", HOOK, body(1)),
        "again": ("POST", HOOK, body(1)),
        "unreadable": ("POST", HOOK, b"{"),
        "empty": ("POST", HOOK, b""),
        "unknown kind": ("POST", HOOK, body(2, type="CAPTCHA")),
        "too large": ("POST", HOOK, body(3) + b" " * 5_000_000),
        "tried": ("GET", HOOK, None),
        "tried silently": ("HEAD", HOOK, None),
        "no such token": ("POST", wrong, body(4)),
        "no such token, other method": ("PUT", wrong, body(4)),
        "no such path": ("GET", "/", None),
        "other method": ("DELETE", HOOK, None),
        "lives": ("GET", "/healthz", None),
        "ready": ("GET", "/readyz", None),
    }
    assert {name: steady.request(*case)[0] for name, case in cases.items()} == {
        "valid": 204,
        "again": 204,
        "unreadable": 204,
        "empty": 204,
        "unknown kind": 204,
        "too large": 204,
        "tried": 200,
        "tried silently": 200,
        "no such token": 404,
        "no such token, other method": 404,
        "no such path": 404,
        "other method": 404,
        "lives": 200,
        "ready": 200,
    }
    assert addresses(steady.store)[:2] == ["user1@example.com", "user2@example.com"]
    assert [reason.partition(";")[0] for reason in reasons(steady.store)] == [
        "neither JSON nor a URL-encoded form",
        "larger than max_body_bytes = 100000",
    ]
    assert "user4@example.com" not in addresses(steady.store)


def test_an_unknown_token_looks_like_an_unknown_path(steady: Receiver) -> None:
    unknown = ("/nothing", "/webhooks/sarbacane/wrong", "/webhooks/sarbacane/%e2%82%ac", "/webhooks/sarbacane/%ff%00")
    answers = [steady.request("POST", path, body(1)) for path in unknown]
    # No body is read, so any connection may end, depending on what had arrived.
    same = [(status, content, headers | {"date": "", "connection": ""}) for status, content, headers in answers]
    assert [same[0]] * 4 == same
    assert (answers[0][0], answers[0][2]["server"]) == (404, "")
    assert "Traceback" not in "".join(steady.log)


def test_what_is_no_http_is_refused_without_a_banner(steady: Receiver) -> None:
    for nonsense in (b"hello\r\n\r\n", b"GET / HTTP/1.1\r\nHost: x\r\nBig: " + b"a" * 200_000 + b"\r\n\r\n"):
        with socket.create_connection(("127.0.0.1", steady.port), PATIENCE) as connection:
            connection.sendall(nonsense)
            answer = connection.recv(10_000)
        assert answer.startswith(b"HTTP/1.1 4")
        assert b"granian" not in answer


def test_every_way_to_write_a_body_is_read(steady: Receiver) -> None:
    bodies = {
        "bom@example.com": b"\xef\xbb\xbf" + body(email="bom@example.com"),
        "form@example.com": b"email=form%40example.com&type=open&date=2026-03-02T10%3A00%3A00Z&sendId=1",
        "array@example.com": json.dumps([payload(email="array@example.com"), {"type": "open"}]).encode(),
        "chunked@example.com": body(email="chunked@example.com"),
    }
    for address, sent in bodies.items():
        chunks = iter([sent[:10], sent[10:]]) if address.startswith("chunked") else sent
        assert steady.request("POST", HOOK, chunks)[0] == 204
    assert set(bodies) <= set(addresses(steady.store))
    assert "no email" in reasons(steady.store)


def test_a_chunked_body_over_the_limit_is_answered_and_its_start_kept(steady: Receiver) -> None:
    chunks = (b"chunked " * 1000 for _ in range(1000))
    assert steady.request("POST", HOOK, chunks)[0] == 204
    assert query(steady.store, "SELECT count(*) FROM quarantine WHERE CAST(body AS TEXT) LIKE 'chunked chunked%'") == [
        (1,)
    ]


def test_a_connection_carries_many_requests(steady: Receiver) -> None:
    connection = steady.connect()
    for number in range(100, 120):
        connection.request("POST", HOOK, body(number))
        answer = connection.getresponse()
        answer.read()
        assert answer.status == 204
    connection.close()
    assert {f"user{number}@example.com" for number in range(100, 120)} <= set(addresses(steady.store))


def test_a_token_may_be_percent_encoded(steady: Receiver) -> None:
    encoded = "".join(f"%{ord(letter):02x}" for letter in TOKEN)
    assert steady.post(body(30), f"/webhooks/sarbacane/{encoded}") == 204
    assert "user30@example.com" in addresses(steady.store)


def test_slow_clients_keep_nobody_waiting(steady: Receiver) -> None:
    sent = body(40)
    slow = [socket.create_connection(("127.0.0.1", steady.port), PATIENCE) for _ in range(200)]
    head = f"POST {HOOK} HTTP/1.1\r\nHost: x\r\nContent-Length: {len(sent)}\r\n\r\n".encode()
    for connection in slow:
        connection.sendall(head + sent[:10])
    assert steady.post(body(41)) == 204
    for connection in slow:
        connection.sendall(sent[10:])
        assert connection.recv(1000).startswith(b"HTTP/1.1 204")
        connection.close()
    assert addresses(steady.store).count("user40@example.com") == 1


def test_a_body_that_breaks_off_is_no_event_and_no_failure(steady: Receiver) -> None:
    sent = body(45)
    with socket.create_connection(("127.0.0.1", steady.port), PATIENCE) as connection:
        connection.sendall(
            f"POST {HOOK} HTTP/1.1\r\nHost: x\r\nContent-Length: {len(sent) + 1}\r\n\r\n".encode() + sent
        )
        connection.shutdown(socket.SHUT_WR)
        assert connection.recv(1000).startswith(b"HTTP/1.1 408")
    assert steady.post(body(46)) == 204
    assert "user45@example.com" not in addresses(steady.store)
    assert "Traceback" not in "".join(steady.log)


def test_the_same_event_from_many_at_once_is_stored_once(steady: Receiver) -> None:
    with ThreadPoolExecutor(16) as pool:
        assert set(pool.map(steady.post, [body(50)] * 64)) == {204}
    assert addresses(steady.store).count("user50@example.com") == 1


def test_an_acknowledged_event_survives_kill_9(receiver: Receiver) -> None:
    assert receiver.post(body(1)) == 204
    receiver.kill_group()
    assert addresses(receiver.store) == ["user1@example.com"]
    assert query(receiver.store, "PRAGMA integrity_check") == [("ok",)]


def test_a_worker_does_not_outlive_its_parent(receiver: Receiver) -> None:
    assert receiver.post(body(1)) == 204
    worker = receiver.worker
    receiver.signal(signal.SIGKILL)
    until(lambda: not is_alive(worker))
    assert addresses(receiver.store) == ["user1@example.com"]


def test_a_dead_worker_is_replaced_and_a_hopeless_one_ends_the_parent(receiver: Receiver) -> None:
    assert receiver.post(body(1)) == 204
    first = receiver.worker
    os.kill(first, signal.SIGKILL)
    second = until(lambda: next((int(pid) for pid in receiver._children() if int(pid) != first), 0))
    assert receiver.post(body(2)) == 204  # no connection was refused meanwhile
    os.kill(second, signal.SIGKILL)
    assert receiver.wait() == 1
    assert addresses(receiver.store) == ["user1@example.com", "user2@example.com"]


def test_sigterm_answers_what_has_begun_and_the_socket_serves_the_next(receiver: Receiver) -> None:
    sent = body(1)
    with socket.create_connection(("127.0.0.1", receiver.port), PATIENCE) as begun:
        begun.sendall(f"POST {HOOK} HTTP/1.1\r\nHost: x\r\nContent-Length: {len(sent)}\r\n\r\n".encode() + sent[:10])
        assert receiver.post(body(2)) == 204  # so the first request has been taken up as well
        worker = receiver.worker
        receiver.signal(signal.SIGTERM)
        with ThreadPoolExecutor(1) as pool:
            waiting = pool.submit(receiver.post, body(3))  # nobody accepts it any more, or the old one still does
            begun.sendall(sent[10:])
            assert begun.recv(1000).startswith(b"HTTP/1.1 204")
            assert receiver.wait() == 0
            receiver.start()
            assert waiting.result(PATIENCE) == 204
    assert not is_alive(worker)
    assert sorted(addresses(receiver.store)) == [f"user{number}@example.com" for number in (1, 2, 3)]


def test_a_locked_store_is_answered_with_try_again(receiver: Receiver) -> None:
    assert receiver.post(body(1)) == 204
    db = open_store(receiver.store)
    db.execute("BEGIN IMMEDIATE")
    status, _, headers = receiver.request("POST", HOOK, body(2))
    assert (status, headers["retry-after"]) == (503, "30")
    assert receiver.request("GET", "/healthz")[0] == 200
    db.execute("ROLLBACK")
    db.close()
    assert receiver.post(body(2)) == 204
    assert addresses(receiver.store) == ["user1@example.com", "user2@example.com"]


def test_a_full_disk_is_answered_with_try_again(receiver: Receiver) -> None:
    assert receiver.post(body(1)) == 204
    receiver.limit_files(0)
    assert receiver.post(body(2)) == 503
    assert receiver.request("GET", "/readyz")[0] == 503
    receiver.limit_files(-1)
    assert receiver.request("GET", "/readyz")[0] == 200
    assert receiver.post(body(2)) == 204
    assert addresses(receiver.store) == ["user1@example.com", "user2@example.com"]
    assert query(receiver.store, "PRAGMA integrity_check") == [("ok",)]


def test_sighup_takes_up_new_tokens_without_a_refusal(receiver: Receiver) -> None:
    hook = f"/webhooks/sarbacane/{NEXT_TOKEN}"
    assert (receiver.post(body(1)), receiver.post(body(2), hook)) == (204, 404)
    write_tokens(receiver.directory, [TOKEN, NEXT_TOKEN])
    receiver.signal(signal.SIGHUP)
    old: list[int] = []

    def taken_up() -> bool:
        old.append(receiver.post(body(3)))
        return receiver.post(body(2), hook) == 204

    until(taken_up)
    until(lambda: len(receiver._children()) == 1)
    assert set(old) == {204}
    assert receiver.post(body(4), hook) == 204


def test_a_mistake_in_the_configuration_does_not_stop_a_running_receiver(receiver: Receiver) -> None:
    assert receiver.post(body(1)) == 204
    write_tokens(receiver.directory, [])
    receiver.signal(signal.SIGHUP)
    until(lambda: any("the old one goes on" in line for line in receiver.log))
    assert receiver.post(body(2)) == 204


def test_what_it_counts_can_be_read_by_another_process(receiver: Receiver) -> None:
    receiver.request("POST", HOOK, json.dumps([payload(1), payload(2), {}]))
    receiver.request("POST", "/webhooks/sarbacane/wrong", body(3))
    os.kill(receiver.worker, signal.SIGKILL)  # the sums outlive a worker
    receiver.request("POST", HOOK, body(4))
    expected = {
        "syncd_events_received_total 3.0",
        "syncd_deliveries_quarantined_total 1.0",
        "syncd_unknown_token_total 1.0",
        "syncd_commit_seconds_count 2.0",
    }
    until(lambda: expected <= set(exposition(receiver.store).decode().splitlines()))


def test_it_says_where_it_listens_when_it_is_given_no_socket(tmp_path: Path) -> None:
    command = [sys.executable, "-m", "syncd", "--config", str(configuration(tmp_path)), "receive"]
    process = subprocess.Popen(command, stderr=subprocess.PIPE, text=True)
    assert process.stderr
    line = process.stderr.readline()
    port = int(line.rpartition("127.0.0.1:")[2].partition('"')[0])
    with socket.create_connection(("127.0.0.1", port), PATIENCE) as connection:
        connection.sendall(b"GET /healthz HTTP/1.1\r\nHost: x\r\nConnection: close\r\n\r\n")
        assert connection.recv(1000).startswith(b"HTTP/1.1 200")
    process.terminate()
    assert (process.wait(PATIENCE), process.stderr.read()) == (0, "")
    process.stderr.close()


def test_an_address_that_is_taken_is_a_mistake_in_the_configuration(tmp_path: Path) -> None:
    with socket.create_server(("127.0.0.1", 0)) as taken:
        path = configuration(tmp_path)
        path.write_text(path.read_text().replace("127.0.0.1:0", f"127.0.0.1:{taken.getsockname()[1]}"))
        command = [sys.executable, "-m", "syncd", "--config", str(path), "receive"]
        ended = subprocess.run(command, capture_output=True, text=True, timeout=PATIENCE, check=False)
    assert ended.returncode == 2
    assert "receiver.bind: cannot listen on 127.0.0.1:" in ended.stderr


def test_it_proves_in_the_store_that_it_takes_what_comes(steady: Receiver) -> None:
    assert until(lambda: query(steady.store, "SELECT CAST(value AS INTEGER) > 0 FROM meta WHERE name = 'received'"))


def test_what_is_wrong_elsewhere_in_the_configuration_keeps_no_event_out(receiver: Receiver) -> None:
    """A machine that starts again at night with a slip that nobody has noticed yet."""
    right = receiver.config.read_text()
    live, misspelt = right + '[sync]\nmode = "Live"\n', right.replace("[store]", "[stoer]")
    for wrong, is_fatal in ((live, False), (right + "nonsense", True), (misspelt, True)):
        receiver.signal(signal.SIGTERM)
        receiver.wait()
        receiver.config.write_text(wrong)
        receiver.start()
        if is_fatal:
            assert receiver.wait() == 2
        else:
            assert receiver.post(body(1)) == 204
            assert any("sync.mode: must be" in line for line in receiver.log)
    assert addresses(receiver.store) == ["user1@example.com"]


def test_counts_that_cannot_be_kept_refuse_no_event(tmp_path: Path) -> None:
    (tmp_path / "receiver-metrics").touch()
    receiver = Receiver(tmp_path)
    try:
        assert receiver.post(body(1)) == 204
        assert any("nobody sees what is counted" in line for line in receiver.log)
    finally:
        receiver.close()
