"""A sandbox of one's own for each test, keys shared by all of them, and a client that is logged in."""

import os
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
import requests

from syncd.sandbox import Org, Sandbox

VERSION = "v66.0"
SHARED = Path(os.environ.get("SHARED_DATA") or Path(__file__).parents[3] / "shared")


class Api(requests.Session):
    """Paths are relative to the data API; `expect` is the status the test counts on."""

    def __init__(self, sandbox: Sandbox) -> None:
        super().__init__()
        self.trust_env = False  # REQUESTS_CA_BUNDLE would win over `verify`
        self.verify = str(sandbox.ca_bundle)
        self.base = f"{sandbox.url}/services/data/{VERSION}/"
        self.url = sandbox.url

    def call(self, method: str, path: str, expect: int = 200, **arguments: Any) -> Any:
        answer = self.request(method, self.base + path, timeout=10, **arguments)
        assert answer.status_code == expect, answer.text
        return answer.json() if answer.content else None

    def update(self, kind: str, *rows: dict[str, Any], **arguments: Any) -> Any:
        return self._write("PATCH", kind, rows, arguments)

    def create(self, kind: str, *rows: dict[str, Any], **arguments: Any) -> Any:
        return self._write("POST", kind, rows, arguments)

    def refusal(self, kind: str, row: dict[str, Any], *, creating: bool = False) -> tuple[str, list[str]]:
        """Code and fields of the one error of a row that must be refused."""
        (result,) = self._write("POST" if creating else "PATCH", kind, (row,), {})
        assert result["success"] is False, result
        (error,) = result["errors"]
        return error["statusCode"], error["fields"]

    def query(self, soql: str, resource: str = "query", expect: int = 200) -> Any:
        return self.call("GET", resource, expect, params={"q": soql})

    def find(self, rest: str, *, kind: str = "Contact") -> list[str]:
        """Ids of what `SELECT Id FROM kind …` finds."""
        found = self.query(f"SELECT Id FROM {kind} {rest}")
        return [row["Id"] for row in found["records"]]

    def _write(self, method: str, kind: str, rows: tuple[dict[str, Any], ...], arguments: dict[str, Any]) -> Any:
        records = [{"attributes": {"type": kind}, **row} for row in rows]
        sent = {"allOrNone": arguments.pop("all_or_none", False), "records": records}
        return self.call(method, "composite/sobjects", json=sent, **arguments)


@pytest.fixture(scope="session")
def keys(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return tmp_path_factory.mktemp("sandbox-keys")


@pytest.fixture
def org() -> Org:
    return Org()


@pytest.fixture
def sandbox(org: Org, keys: Path) -> Iterator[Sandbox]:
    with Sandbox(org, directory=keys) as running:
        yield running


@pytest.fixture
def stranger(sandbox: Sandbox) -> Iterator[Api]:
    """A client without a session id."""
    with Api(sandbox) as session:
        yield session


@pytest.fixture
def api(stranger: Api, sandbox: Sandbox) -> Api:
    stranger.headers["Authorization"] = f"Bearer {sandbox.session_id()}"
    return stranger


@pytest.fixture
def contact(org: Org) -> str:
    return org.add("Contact", FirstName="Léa", LastName="Durand", Email="lea@example.com")


@pytest.fixture
def lead(org: Org) -> str:
    return org.add("Lead", LastName="Moreau", Company="Moreau SA", Email="moreau@example.com")
