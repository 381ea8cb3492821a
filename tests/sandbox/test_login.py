import time
from pathlib import Path
from typing import Any

import jwt
import pytest
from cryptography.hazmat.primitives.asymmetric import rsa
from requests import Response

from syncd.sandbox import Org, Sandbox
from tests.sandbox.conftest import Api

GRANT = "urn:ietf:params:oauth:grant-type:jwt-bearer"


def login(api: Api, sandbox: Sandbox, key: Any = None, grant: str = GRANT, **claims: Any) -> Response:
    payload = {
        "iss": sandbox.consumer_key,
        "sub": sandbox.username,
        "aud": "https://login.salesforce.com",
        "exp": int(time.time()) + 180,
    } | claims
    assertion = jwt.encode(payload, key or sandbox.private_key.read_text(), "RS256")
    form = {"grant_type": grant, "assertion": assertion}
    return api.post(f"{sandbox.url}/services/oauth2/token", data=form, timeout=10)


def test_a_signed_assertion_gives_a_session_that_opens_the_api(stranger: Api, sandbox: Sandbox, org: Org) -> None:
    answer = login(stranger, sandbox)
    assert answer.status_code == 200
    token = answer.json()
    assert token["instance_url"] == sandbox.url
    assert token["token_type"] == "Bearer"
    assert {"access_token", "id", "scope", "issued_at"} <= token.keys()
    assert not {"refresh_token", "expires_in"} & token.keys()
    assert "Sforce-Limit-Info" not in answer.headers

    stranger.headers["Authorization"] = f"Bearer {token['access_token']}"
    assert stranger.call("GET", "limits")["DailyApiRequests"] == {"Max": 100_000, "Remaining": 99_999}
    assert [call.path for call in org.calls] == ["/services/oauth2/token", "/services/data/v66.0/limits"]


@pytest.mark.parametrize("audience", ["https://login.salesforce.com", "https://test.salesforce.com", None])
def test_the_audience_is_a_login_host_or_the_sandbox_itself(
    stranger: Api, sandbox: Sandbox, audience: str | None
) -> None:
    assert login(stranger, sandbox, aud=audience or sandbox.url).status_code == 200


def test_an_expiry_in_a_string_is_understood(stranger: Api, sandbox: Sandbox) -> None:
    assert login(stranger, sandbox, exp=str(int(time.time()) + 180)).status_code == 200


@pytest.mark.parametrize(
    ("claims", "error", "description"),
    [
        ({"aud": "https://acme.my.salesforce.com"}, "invalid_grant", "audience is invalid"),
        ({"exp": 1_700_000_000}, "invalid_grant", "expired authorization code"),
        ({"exp": 9_999_999_999}, "invalid_grant", "expired authorization code"),
        ({"exp": "soon"}, "invalid_grant", "expired authorization code"),
        ({"iss": "nobody"}, "invalid_client_id", "client identifier invalid"),
        ({"sub": "someone@else.example"}, "invalid_grant", "user hasn't approved this consumer"),
        ({"grant": "authorization_code"}, "unsupported_grant_type", "grant type not supported"),
    ],
)
def test_a_bad_assertion_is_refused_in_oauths_words(
    stranger: Api, sandbox: Sandbox, claims: dict[str, Any], error: str, description: str
) -> None:
    answer = login(stranger, sandbox, **claims)
    assert answer.status_code == 400
    assert answer.json() == {"error": error, "error_description": description}


def test_only_the_registered_key_signs(stranger: Api, sandbox: Sandbox) -> None:
    other = rsa.generate_private_key(public_exponent=65_537, key_size=2_048)
    answer = login(stranger, sandbox, key=other)
    assert (answer.status_code, answer.json()["error_description"]) == (400, "invalid assertion")


def test_an_assertion_that_is_no_jwt_is_refused(stranger: Api, sandbox: Sandbox) -> None:
    form = {"grant_type": GRANT, "assertion": "not.a.jwt"}
    answer = stranger.post(f"{sandbox.url}/services/oauth2/token", data=form, timeout=10)
    assert (answer.status_code, answer.json()["error"]) == (400, "invalid_grant")


def test_revoked_logins_are_refused_until_they_are_allowed_again(stranger: Api, sandbox: Sandbox, org: Org) -> None:
    org.revoke_logins(code="invalid_app_access", description="user is not admin approved to access this app")
    assert login(stranger, sandbox).json()["error"] == "invalid_app_access"
    org.allow_logins()
    assert login(stranger, sandbox).status_code == 200


@pytest.mark.parametrize("header", [None, "Bearer 00D!nothing", "Basic Zm9v"])
def test_without_a_session_in_force_nothing_is_read(stranger: Api, org: Org, header: str | None) -> None:
    headers = {"Authorization": header} if header else {}
    answer = stranger.get(f"{stranger.base}limits", headers=headers, timeout=10)
    assert answer.status_code == 401
    assert answer.json() == [{"message": "Session expired or invalid", "errorCode": "INVALID_SESSION_ID"}]
    assert answer.headers["WWW-Authenticate"] == "Token"
    assert "Sforce-Limit-Info" not in answer.headers
    assert org.api_usage == 0


def test_expired_sessions_are_worth_nothing_and_new_ones_are_fine(api: Api, sandbox: Sandbox, org: Org) -> None:
    api.call("GET", "limits")
    org.expire_sessions()
    api.call("GET", "limits", expect=401)
    api.headers["Authorization"] = f"Bearer {sandbox.session_id()}"
    api.call("GET", "limits")


def test_the_private_key_is_its_owners_alone(sandbox: Sandbox) -> None:
    assert Path(sandbox.private_key).stat().st_mode & 0o777 == 0o600
