"""Every way to log in, through HTTPS, and what is said when it fails."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import pytest
from structlog.testing import capture_logs

from syncd.config import Settings
from syncd.errors import ConfigError, Retriable
from syncd.salesforce import Crm
from syncd.salesforce.login import LoginRefused
from syncd.salesforce.session import Session
from syncd.sandbox import Fault, Org, Sandbox
from tests.connect.proxy import Proxy

Configured = Callable[..., Settings]


@pytest.fixture
def secrets(configured: Configured, sandbox: Sandbox) -> Path:
    """The directory of secrets, with all that the sandbox knows."""
    directory = configured().secrets_dir
    for name, text in {
        "salesforce_consumer_secret": sandbox.consumer_secret,
        "salesforce_password": sandbox.password,
        "salesforce_security_token": sandbox.security_token,
        "salesforce_session_id": sandbox.session_id(),
    }.items():
        put(directory, name, text)
    return directory


def put(directory: Path, name: str, text: str) -> None:
    (directory / name).touch(mode=0o600)
    (directory / name).write_text(text + "\n")


@pytest.fixture
def opened(configured: Configured, secrets: Path, sandbox: Sandbox) -> Iterator[Callable[..., Session]]:
    """Makes a session with these keys of [salesforce]."""
    made: list[Session] = []

    def make(**keys: Any) -> Session:
        keys.setdefault("instance_url", sandbox.url)
        settings = configured(salesforce=keys)
        made.append(Session(settings.salesforce, settings.secrets))
        return made[-1]

    yield make
    for session in made:
        session.close()


WAYS: dict[str, dict[str, str]] = {
    "jwt": {},
    "client_credentials": {"my_domain": "{address}", "login_host": "login.salesforce.com", "username": ""},
    "password": {},
    "session": {"username": "", "consumer_key": ""},
}


@pytest.fixture(params=WAYS)
def way(request: pytest.FixtureRequest, sandbox: Sandbox) -> dict[str, str]:
    keys = {name: text.format(address=sandbox.address) for name, text in WAYS[request.param].items()}
    return {"auth": request.param, **keys}


def test_each_way_opens_the_api(opened: Callable[..., Session], way: dict[str, str]) -> None:
    session = opened(**way)
    assert session.call("GET", "limits")["DailyApiRequests"]["Max"] == 100_000
    assert session.calls == (1 if way["auth"] == "session" else 2)


def test_an_expired_session_is_renewed_once_in_the_middle_of_a_run(
    opened: Callable[..., Session], org: Org, way: dict[str, str]
) -> None:
    session = opened(**way)
    session.call("GET", "limits")
    org.expire_sessions()
    org.forget_calls()
    if way["auth"] == "session":
        with pytest.raises(LoginRefused, match="put a new id into salesforce_session_id"):
            session.call("GET", "limits")
        return
    session.call("GET", "limits")
    token, limits = "/services/oauth2/token", "/services/data/v67.0/limits"
    assert [call.path for call in org.calls] == [limits, token, limits]


def test_owners_do_not_change_whatever_the_way(opened: Callable[..., Session], org: Org, way: dict[str, str]) -> None:
    lead = org.add("Lead", LastName="Robert", Company="Exemple")
    owner = org.get(lead)["OwnerId"]
    org.assignment_rule("Lead", org.person)
    session = opened(**way)
    session.call("GET", "limits")
    if way["auth"] != "session":
        org.expire_sessions()
    rows = [{"attributes": {"type": "Lead"}, "id": lead, "HasOptedOutOfEmail": True}]
    session.call("PATCH", "composite/sobjects", body={"allOrNone": False, "records": rows})
    assert (owner, True) == (org.get(lead)["OwnerId"], org.get(lead)["HasOptedOutOfEmail"])


# what is done to the org, the keys, a secret; what is said and what to do
REFUSALS: list[tuple[str, dict[str, str], tuple[str, str], str, str]] = [
    ("jwt", {"consumer_key": "3MVG9.other"}, ("", ""), "client identifier invalid (consumer_key is no app", "copy the"),
    ("jwt", {"username": "x@acme.example"}, ("", ""), "hasn't approved this consumer (the user is", "pre-authorized"),
    ("client_credentials", {}, ("salesforce_consumer_secret", "x"), "secret does not belong", "salesforce_consumer_se"),
    ("password", {}, ("salesforce_password", "x"), "authentication failure (the password", "salesforce_password"),
    ("password", {}, ("salesforce_security_token", "x"), "authentication failure", "salesforce_security_token"),
    ("password", {}, ("salesforce_consumer_secret", "x"), "invalid client credentials", "salesforce_consumer_secret"),
]


@pytest.mark.parametrize(("auth", "about", "secret", "said", "todo"), REFUSALS)
def test_a_refusal_says_what_it_means_and_what_to_do(
    opened: Callable[..., Session], secrets: Path, sandbox: Sandbox,
    auth: str, about: dict[str, str], secret: tuple[str, str], said: str, todo: str,
) -> None:  # fmt: skip
    if secret[0]:
        put(secrets, *secret)
    session = opened(auth=auth, my_domain=sandbox.address, **about)
    with pytest.raises(LoginRefused) as caught:
        session.log_in()
    assert said in caught.value.said
    assert todo in caught.value.do
    assert sandbox.consumer_secret not in str(caught.value)


@pytest.mark.parametrize("hours", [-1, 1])
def test_an_expired_authorization_code_is_told_as_a_matter_of_clocks(
    opened: Callable[..., Session], org: Org, hours: int
) -> None:
    org.clock = lambda: datetime.now(UTC) + timedelta(hours=hours)
    session = opened()
    with pytest.raises(LoginRefused, match=r"the clocks differ\); set this machine's clock"):
        session.log_in()
    assert session.clock_ahead == pytest.approx(hours * 3600, abs=5)


def test_the_clock_is_compared_to_the_second(opened: Callable[..., Session]) -> None:
    session = opened()
    assert session.clock_ahead is None
    session.log_in()
    assert session.clock_ahead == 0


@pytest.mark.parametrize(
    ("description", "said", "todo"),
    [
        ("ip restricted", "from this machine's address", "Login IP Ranges"),
        ("Audience validation failed", "login_host is not", "test.salesforce.com"),
        ("inactive user", "inactive or frozen", "Setup > Users"),
        ("inactive organization", "trial is over", "administrator"),
    ],
)
def test_what_an_administrator_has_set_is_told(
    opened: Callable[..., Session], org: Org, description: str, said: str, todo: str
) -> None:
    org.revoke_logins("invalid_grant", description)
    with pytest.raises(LoginRefused) as caught:
        opened().log_in()
    assert said in caught.value.said
    assert todo in caught.value.do


@pytest.mark.parametrize(
    ("code", "description"), [("unknown_error", "retry your request"), ("invalid_grant", "login rate exceeded")]
)
def test_a_refusal_that_passes_by_itself_is_none(
    opened: Callable[..., Session], org: Org, code: str, description: str
) -> None:
    org.revoke_logins(code, description)
    with pytest.raises(Retriable, match=description):
        opened().log_in()


def test_a_login_that_is_sent_elsewhere_says_where(opened: Callable[..., Session], org: Org, sandbox: Sandbox) -> None:
    org.faults.add(Fault(path="/oauth2/token", status=302, body="", location="https://new.my.salesforce.com/x"))
    with pytest.raises(LoginRefused, match=f"{sandbox.address} sends on to new.my.salesforce.com; compare login_host"):
        opened().log_in()


def test_an_app_without_a_user_to_run_as_is_told(opened: Callable[..., Session], sandbox: Sandbox, org: Org) -> None:
    org.logins.apps[sandbox.consumer_key].runs_as_user = False
    with pytest.raises(LoginRefused, match="set “Run As”"):
        opened(auth="client_credentials", my_domain=sandbox.address).log_in()


def test_the_versions_that_the_org_offers_are_listed(opened: Callable[..., Session]) -> None:
    assert opened().versions()[-1] == "67.0"


def test_client_credentials_need_the_orgs_own_host(configured: Configured) -> None:
    with pytest.raises(ConfigError, match=r'my_domain: is missing; auth = "client_credentials" needs it') as caught:
        configured(salesforce={"auth": "client_credentials"})
    assert 'my_domain = "acme.my.salesforce.com"' in str(caught.value)


@pytest.mark.parametrize("name", ["salesforce_consumer_secret", "salesforce_password"])
def test_a_secret_that_is_missing_or_empty_is_told_with_its_file(
    configured: Configured, secrets: Path, name: str
) -> None:
    settings = configured(salesforce={"auth": "password"})
    (secrets / name).write_text("\n")
    with pytest.raises(ConfigError, match=rf"{name}: holds no (.|\n)*chmod 600 .*{name}"):
        getattr(settings.secrets, name)()
    (secrets / name).unlink()
    with pytest.raises(ConfigError, match=rf"{name}: there is no such file"):
        getattr(settings.secrets, name)()


def test_a_security_token_may_be_left_out(opened: Callable[..., Session], secrets: Path, org: Org) -> None:
    (secrets / "salesforce_security_token").unlink()
    (app,) = org.logins.apps.values()
    app.password = app.password.removesuffix("sandboxSecurityToken")
    opened(auth="password").log_in()


def test_a_password_is_warned_of_at_the_start_and_nothing_else_is(
    configured: Configured, secrets: Path, sandbox: Sandbox
) -> None:
    for auth, warnings in {"password": 1, "jwt": 0}.items():
        with capture_logs() as logs:
            Crm(configured(salesforce={"auth": auth})).session.close()
        assert len(logs) == warnings
        assert all("Winter '27" in log["event"] and log["log_level"] == "warning" for log in logs)


@pytest.fixture
def proxy(sandbox: Sandbox, monkeypatch: pytest.MonkeyPatch) -> Iterator[Proxy]:
    """The one way to the sandbox: names that only the proxy resolves are reached through it."""
    for name in ("NO_PROXY", "no_proxy", "https_proxy", "REQUESTS_CA_BUNDLE", "CURL_CA_BUNDLE"):
        monkeypatch.delenv(name, raising=False)
    host, _, port = sandbox.address.partition(":")
    with Proxy((host, int(port))) as running:
        monkeypatch.setenv("HTTPS_PROXY", running.url)
        yield running


def test_a_proxy_of_the_environment_is_used(opened: Callable[..., Session], proxy: Proxy, sandbox: Sandbox) -> None:
    opened().call("GET", "limits")
    assert set(proxy.asked) == {sandbox.address}


def test_a_proxy_that_is_not_there_is_named(
    opened: Callable[..., Session], proxy: Proxy, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("HTTPS_PROXY", "http://127.0.0.1:9")  # the discard port: nobody listens
    with pytest.raises(Retriable, match=r"the proxy \(\$HTTPS_PROXY\) is not there"):
        opened().log_in()


def test_authorities_of_the_environment_are_honoured_and_those_configured_win(
    opened: Callable[..., Session], sandbox: Sandbox, monkeypatch: pytest.MonkeyPatch
) -> None:
    import certifi

    monkeypatch.setenv("REQUESTS_CA_BUNDLE", str(sandbox.ca_bundle))
    opened(ca_bundle="").log_in()
    monkeypatch.setenv("REQUESTS_CA_BUNDLE", certifi.where())
    opened(ca_bundle=str(sandbox.ca_bundle)).log_in()
