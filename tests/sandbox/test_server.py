import http.client
import os
import signal
import socket
import ssl
import subprocess
import sys
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import pytest
import requests

from syncd.sandbox import Org, Sandbox, seed
from tests.sandbox.conftest import Api


def connect(sandbox: Sandbox) -> socket.socket:
    return socket.create_connection(("127.0.0.1", int(sandbox.address.rpartition(":")[2])), timeout=10)


def test_one_connection_serves_many_calls(sandbox: Sandbox) -> None:
    host, _, port = sandbox.address.rpartition(":")
    context = ssl.create_default_context(cafile=str(sandbox.ca_bundle))
    connection = http.client.HTTPSConnection(host, int(port), timeout=10, context=context)
    used = set()
    for method, path in [("GET", "/"), ("POST", "/services/oauth2/token"), ("GET", "/services/data/v66.0/limits")]:
        connection.request(method, path, b"x=y" if method == "POST" else None)
        connection.getresponse().read()
        used.add(connection.sock)
    connection.close()
    assert len(used) == 1


def test_a_body_in_chunks_is_read(api: Api) -> None:
    api.call("POST", "sobjects/Contact", 201, data=iter([b'{"LastName":', b' "Durand"}']))


def test_handshakes_that_stall_or_break_off_hinder_no_one(
    api: Api, sandbox: Sandbox, capfd: pytest.CaptureFixture[str]
) -> None:
    with connect(sandbox), connect(sandbox) as plain, connect(sandbox) as gone:
        plain.sendall(b"GET / HTTP/1.1\r\n\r\n")
        gone.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, b"\1\0\0\0\0\0\0\0")
        gone.close()
        api.call("GET", "limits")
    assert capfd.readouterr() == ("", "")


def test_a_client_that_leaves_in_the_middle_hinders_no_one(
    api: Api, sandbox: Sandbox, capfd: pytest.CaptureFixture[str]
) -> None:
    context = ssl.create_default_context(cafile=str(sandbox.ca_bundle))
    with context.wrap_socket(connect(sandbox), server_hostname="localhost") as client:
        client.sendall(b"POST /services/data/v66.0/sobjects/Contact HTTP/1.1\r\nContent-Length: 99\r\n\r\n{")
        client.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, b"\1\0\0\0\0\0\0\0")
    api.call("GET", "limits")
    assert capfd.readouterr() == ("", "")


def test_a_stopped_sandbox_answers_no_one_and_starts_again_where_it_was(
    api: Api, sandbox: Sandbox, contact: str
) -> None:
    api.call("GET", "limits")
    address = sandbox.address
    sandbox.stop()
    with pytest.raises(requests.ConnectionError):
        api.call("GET", "limits")
    sandbox.start()
    assert sandbox.address == address
    assert api.call("GET", f"sobjects/Contact/{contact}")["LastName"] == "Durand"


def test_keys_are_made_once(tmp_path: Path) -> None:
    first = Sandbox(Org(), directory=tmp_path / "deep" / "down")
    kept = {path.name: path.read_bytes() for path in (first.ca_bundle, first.private_key)}
    second = Sandbox(Org(), directory=tmp_path / "deep" / "down")
    assert {path.name: path.read_bytes() for path in (second.ca_bundle, second.private_key)} == kept


def test_a_taken_port_is_an_error(sandbox: Sandbox, keys: Path) -> None:
    second = Sandbox(Org(), port=int(sandbox.address.rpartition(":")[2]), directory=keys)
    with pytest.raises(OSError, match="in use"):
        second.start()
    second.stop()


def test_a_person_is_told_what_this_is(stranger: Api, sandbox: Sandbox) -> None:
    page = stranger.get(sandbox.url, timeout=10)
    assert page.headers["Content-Type"].startswith("text/plain")
    assert f"curl --cacert ca.pem {sandbox.url}/services/data/" in page.text


def test_a_person_gets_a_session_id_without_a_jwt(stranger: Api, sandbox: Sandbox) -> None:
    session_id = stranger.post(f"{sandbox.url}/sandbox/session", timeout=10).text
    stranger.headers["Authorization"] = f"Bearer {session_id}"
    stranger.call("GET", "limits")


def test_many_clients_at_once_lose_nothing(sandbox: Sandbox, org: Org) -> None:
    def client(number: int) -> list[str]:
        with Api(sandbox) as api:
            api.headers["Authorization"] = f"Bearer {sandbox.session_id()}"
            rows = [{"LastName": f"{number}-{row}"} for row in range(20)]
            return [result["id"] for _ in range(3) for result in api.create("Contact", *rows)]

    with ThreadPoolExecutor(8) as pool:
        made = [record_id for ids in pool.map(client, range(8)) for record_id in ids]
    assert sorted(made) == [row["Id"] for row in org.all("Contact")]
    assert len(set(made)) == 480
    assert org.api_usage == 24


def test_state_and_calls_can_be_looked_at(api: Api, org: Org, contact: str) -> None:
    api.call("GET", "limits")
    assert api.get(f"{api.url}/sandbox/state", timeout=10).json() == org.snapshot()
    assert api.get(f"{api.url}/sandbox/calls", timeout=10).json() == [
        {"method": "GET", "path": "/services/data/v66.0/limits", "status": 200, "rows": None, "writing": False}
    ]


def test_calls_can_be_forgotten(api: Api, org: Org) -> None:
    api.call("GET", "limits")
    org.forget_calls()
    assert org.calls == []


def test_the_same_people_are_there_every_time() -> None:
    first, second = Org(), Org()
    assert seed(first, contacts=30, leads=3) == seed(second, contacts=30, leads=3)
    assert [row["Email"] for row in first.all("Contact")] == [row["Email"] for row in second.all("Contact")]
    assert len({row["Email"] for row in first.all("Contact") + first.all("Lead")}) == 33
    assert first.all("Contact")[0]["Email"] == "lea.durand.1@example.com"


SERVE = "import pathlib, sys; from syncd.sandbox import serve; serve('127.0.0.1', 0, pathlib.Path(sys.argv[1]), 8)"


@pytest.mark.parametrize("number", [signal.SIGTERM, signal.SIGINT])
def test_serve_says_where_it_is_and_ends_when_asked(keys: Path, number: int) -> None:
    command = [sys.executable, "-c", SERVE, str(keys)]
    with subprocess.Popen(command, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True) as process:
        assert process.stdout is not None
        url = process.stdout.readline().split()[3]
        with requests.Session() as session:
            session.trust_env = False
            state = session.get(f"{url}/sandbox/state", verify=str(keys / "ca.pem"), timeout=10).json()
        os.kill(process.pid, number)
        _, errors = process.communicate(timeout=10)
    assert (len(state["Contact"]), len(state["Lead"])) == (8, 2)
    assert (process.returncode, errors) == (0, "")
