"""Logged in at Salesforce: the one place that makes calls.

Through simple-salesforce, around the traps that were reproduced in it: it sets no time-out, forgets a call's own
headers after a re-login, and its record methods recurse on a lasting 401 and join ids into URLs. So the time-out and
the headers are the session's, every call is `restful` with a JSON body, and logging in again is done here, once.
"""

from __future__ import annotations

import json
from typing import TYPE_CHECKING, Any, BinaryIO, TypeVar

import requests
from simple_salesforce.api import Salesforce
from simple_salesforce.exceptions import SalesforceExpiredSession

from syncd import __version__
from syncd.errors import Fatal, Retriable, SalesforceError, SyncdError
from syncd.salesforce.adapter import Adapter, Watched
from syncd.salesforce.errors import may_have_moved, misread, refuse, translate
from syncd.salesforce.login import expired, log_in

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator, Mapping

    from syncd.budget import Budget
    from syncd.config import Secrets
    from syncd.config.models import SalesforceSection
    from syncd.salesforce.adapter import Readable

T = TypeVar("T")

_NO_LIMITS_FOR_YOU = frozenset({"FORBIDDEN", "INSUFFICIENT_ACCESS", "NOT_FOUND"})


def _in_our_words(ask: Callable[[], T]) -> T:
    try:
        return ask()
    except SyncdError:
        raise
    except Exception as error:
        translate(error)


def _answer(client: Salesforce, path: str, arguments: dict[str, Any]) -> Any:
    try:
        return client.restful(path, **arguments)
    except TypeError as error:  # it asks for the length of whatever came
        raise misread("neither an object nor a list") from error


def _json(content: bytes) -> Any:
    try:
        return json.loads(content)
    except ValueError:
        return None


def _page(answer: object) -> tuple[list[dict[str, Any]], str]:
    """The records of a query's answer, and where the next ones are, if there are more."""
    records = answer.get("records") if isinstance(answer, dict) else None
    if not isinstance(answer, dict) or not isinstance(records, list):
        raise misread("expected the records of a query")
    following = "" if answer.get("done") else str(answer.get("nextRecordsUrl") or "")
    if not all(isinstance(row, dict) for row in records) or not (following or answer.get("done")):
        raise misread("expected the records of a query, and where the next ones are")
    return records, following


class Session:
    """For one thread. Logs in at the first call; a session that expires is renewed once a call."""

    def __init__(self, settings: SalesforceSection, secrets: Secrets) -> None:
        self._settings = settings
        self._secrets = secrets
        self._http = requests.Session()
        self._adapter = Adapter(settings.timeout.total_seconds(), settings.ca_bundle)
        self._http.mount("https://", self._adapter)
        # Without it an update of a Lead or Account may run assignment rules and change the owner.
        self._http.headers["Sforce-Auto-Assign"] = "FALSE"
        # A rule that only warns of duplicates refuses to save a record that has one, unless the caller has seen the
        # warning (REST guide, "Duplicate Rule Header"); nothing that is written here makes one record like another.
        self._http.headers["Sforce-Duplicate-Rule-Header"] = "allowSave=true"
        self._http.headers["User-Agent"] = f"syncd/{__version__}"
        self._client: Salesforce | None = None

    @property
    def calls(self) -> int:
        """HTTP requests made so far, the login's among them."""
        return self._adapter.calls

    @property
    def timeout(self) -> float:
        """Seconds that one call may take."""
        return self._adapter.timeout

    @timeout.setter
    def timeout(self, seconds: float) -> None:
        self._adapter.timeout = seconds

    @property
    def budget(self) -> Budget | None:
        """Asked before each call, a login as well; without one, calls are only counted."""
        return self._adapter.budget

    @budget.setter
    def budget(self, budget: Budget | None) -> None:
        self._adapter.budget = budget

    @property
    def alive(self) -> Callable[[], object] | None:
        """Called before each call and with each part of an upload or a download: those may take minutes."""
        return self._adapter.alive

    @alive.setter
    def alive(self, tell: Callable[[], object] | None) -> None:
        self._adapter.alive = tell

    @property
    def clock_ahead(self) -> float | None:
        """By how many seconds Salesforce's clock is ahead of ours, by its last answer's Date."""
        return self._adapter.ahead

    def log_in(self) -> str:
        """Logs in unless that is done; the instance's host. With a session id that was given nothing is asked yet."""
        return str(self._translated(self._connected).sf_instance)

    def versions(self) -> list[str]:
        """The API versions that the org offers, such as "67.0"."""
        host = self.log_in()
        answer = self._translated(lambda: self._http.get(f"https://{host}/services/data", allow_redirects=False))
        if answer.status_code != 200:
            raise Retriable(f"HTTP_{answer.status_code}", f"asking {host} for its API versions")
        listed = self._translated(answer.json)
        return [str(one.get("version", "")) for one in listed if isinstance(one, dict)]

    def limits(self) -> dict[str, Any]:
        """What the org may do, and what is left of it, by name: {"DailyApiRequests": {"Max": …, "Remaining": …}, …}."""
        said = self.call("GET", "limits")
        if not isinstance(said, dict):
            raise misread("expected the limits")
        of_calls = said.get("DailyApiRequests")
        if self.budget and isinstance(of_calls, dict) and isinstance(of_calls.get("Max"), int):
            self.budget.learn(of_calls["Max"])
        return said

    def probe(self) -> None:
        """Asks whether Salesforce is there, with one cheap call. A user who may not see the limits is an answer too."""
        try:
            self.limits()
        except Fatal as error:
            if error.code not in _NO_LIMITS_FOR_YOU:
                raise

    def close(self) -> None:
        self._http.close()

    def call(self, method: str, path: str, *, body: object = None, params: Mapping[str, str] | None = None) -> Any:
        """The decoded answer. Raises Retriable or Fatal."""
        arguments: dict[str, Any] = {"method": method, "params": params, "allow_redirects": False}
        if body is not None:
            arguments["json"] = body
        return self._translated(lambda: self._restful(path, arguments))

    def _restful(self, path: str, arguments: dict[str, Any]) -> Any:
        try:
            return _answer(self._connected(), path, arguments)
        except SalesforceExpiredSession:
            self._client = None
        try:
            return _answer(self._connected(again=True), path, arguments)
        except SalesforceExpiredSession as error:
            self._client = None
            raise Fatal("INVALID_SESSION_ID", "a session that was just opened is refused") from error

    def _translated(self, ask: Callable[[], T]) -> T:
        try:
            return _in_our_words(ask)
        except SalesforceError as error:
            if may_have_moved(error):
                self._client = None  # the next call logs in, which tells where the org is
            raise

    def upload(self, path: str, file: Readable) -> None:
        """Sends a CSV, read as it is sent."""
        self._translated(lambda: self._raw("PUT", path, file, {"Content-Type": "text/csv; charset=UTF-8"}).close())

    def download(self, path: str, into: BinaryIO) -> None:
        """Writes an answer's bytes as they come; nothing for 204."""

        def ask() -> None:
            with self._raw("GET", path) as answer:
                for part in answer.iter_content(65_536):
                    self._adapter.tell()
                    into.write(part)

        self._translated(ask)

    def _raw(
        self, method: str, path: str, file: Readable | None = None, headers: Mapping[str, str] | None = None
    ) -> requests.Response:
        answer = self._once(self._connected(), method, path, file, headers)
        if answer.status_code == 401:
            answer.close()
            self._client = None
            answer = self._once(self._connected(again=True), method, path, file, headers)
        if answer.status_code == 401:
            raise Fatal("INVALID_SESSION_ID", "a session that was just opened is refused")
        if answer.status_code >= 300:
            with answer:
                refuse(answer.status_code, _json(next(answer.iter_content(65_536), b"")))
        return answer

    def _once(
        self,
        client: Salesforce,
        method: str,
        path: str,
        file: Readable | None,
        headers: Mapping[str, str] | None,
    ) -> requests.Response:
        if file:
            file.seek(0)
        return self._http.request(
            method,
            client.base_url + path,
            data=file and Watched(file, self._adapter.tell),
            headers={"Authorization": f"Bearer {client.session_id}", **(headers or {})},
            allow_redirects=False,
            stream=True,
        )

    def query(self, soql: str, *, deleted: bool = False) -> list[dict[str, Any]]:
        """All rows of a query; `deleted`: with deleted and archived ones."""
        return [row for page in self.pages(soql, deleted=deleted) for row in page]

    def pages(self, soql: str, *, deleted: bool = False) -> Iterator[list[dict[str, Any]]]:
        """The rows of a query, a call's at a time."""
        found, following = _page(self.call("GET", "queryAll" if deleted else "query", params={"q": soql}))
        yield found
        while following:
            found, following = _page(self.call("GET", following.split(f"/v{self._settings.api_version}/", 1)[-1]))
            yield found

    def fields_of(self, object_: str) -> dict[str, dict[str, Any]]:
        """What describe says of each field, by name."""
        answer = self.call("GET", f"sobjects/{object_}/describe")
        fields = answer.get("fields") if isinstance(answer, dict) else None
        if not isinstance(fields, list) or not all(isinstance(field, dict) and field.get("name") for field in fields):
            raise misread(f"expected the fields of {object_}")
        return {field["name"]: field for field in fields}

    # --- logging in -------------------------------------------------------------------------------------------

    def _connected(self, *, again: bool = False) -> Salesforce:
        if self._client is None:
            instance, session_id = self._login(again=again)
            self._client = Salesforce(
                instance_url=instance,
                session_id=session_id,
                session=self._http,
                version=self._settings.api_version,
            )
        return self._client

    def _login(self, *, again: bool) -> tuple[str, str]:
        if again and self._settings.auth == "session":
            raise expired()
        return log_in(self._http, self._settings, self._secrets)
