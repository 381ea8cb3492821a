"""Who may come in: the connected app with its certificate and secret, session ids, and three OAuth flows."""

import secrets
from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import datetime, timedelta
from typing import TYPE_CHECKING, Any

import jwt
from cryptography.hazmat.primitives.asymmetric.rsa import RSAPublicKey
from cryptography.x509 import load_pem_x509_certificate

if TYPE_CHECKING:
    from syncd.sandbox.org import Org

JWT_BEARER = "urn:ietf:params:oauth:grant-type:jwt-bearer"
LOGIN_HOSTS = ("https://login.salesforce.com", "https://test.salesforce.com")
LONGEST_ASSERTION = timedelta(minutes=5)
CLOCK_SKEW = timedelta(seconds=60)
"""Salesforce asks for an expiry within three minutes; clocks that differ a little are borne."""


class OAuthError(Exception):
    """Refused: always 400, with OAuth's own shape (recorded: JupiterOne, invalid_client_id)."""

    def __init__(self, code: str, description: str) -> None:
        super().__init__(f"{code}: {description}")
        self.code, self.description = code, description

    def body(self) -> dict[str, str]:
        return {"error": self.code, "error_description": self.description}


@dataclass
class App:
    """A connected app: one user, who may come in by certificate, by the app's secret, or by a password."""

    username: str
    certificate_key: RSAPublicKey
    secret: str = ""
    password: str = ""  # with the security token behind it
    runs_as_user: bool = True


@dataclass
class Logins:
    """The connected apps by consumer key and the sessions in force."""

    apps: dict[str, App] = field(default_factory=dict)
    sessions: set[str] = field(default_factory=set)
    refusal: tuple[str, str] | None = None

    def register(self, consumer_key: str, app: App) -> None:
        self.apps[consumer_key] = app

    def upload(self, certificate: bytes) -> None:
        """The certificate of every app from now on; ValueError if it is none, or not of an RSA key."""
        key = load_pem_x509_certificate(certificate).public_key()
        if not isinstance(key, RSAPublicKey):
            raise ValueError("not the certificate of an RSA key")  # noqa: TRY004 - one kind of error for the caller
        for app in self.apps.values():
            app.certificate_key = key

    def new_session(self, organization_id: str) -> str:
        session_id = f"{organization_id[:15]}!{secrets.token_urlsafe(48)}"
        self.sessions.add(session_id)
        return session_id

    def expire(self) -> None:
        self.sessions.clear()


def grant(org: "Org", form: Mapping[str, str], url: str) -> dict[str, str]:
    """The answer to a token request that reached `url`, the sandbox's own; OAuthError if it is refused.

    There is no refresh token and no `expires_in` in it (OAuth 2.0 JWT Bearer Flow, Salesforce help).
    """
    kind = form.get("grant_type")
    if kind == JWT_BEARER:
        _verified(org, form.get("assertion", ""), (*LOGIN_HOSTS, url))
    elif kind == "client_credentials":
        _runs_as(_with_secret(org, form))
    elif kind == "password":
        _with_password(_with_secret(org, form), form)
    else:
        raise OAuthError("unsupported_grant_type", "grant type not supported")
    if org.logins.refusal:
        raise OAuthError(*org.logins.refusal)
    return {
        "access_token": org.logins.new_session(org.organization_id),
        "scope": "api",
        "instance_url": url,
        "id": f"{url}/id/{org.organization_id}/{org.integration_user}",
        "token_type": "Bearer",
        "issued_at": str(int(org.clock().timestamp() * 1000)),
    }


def _with_secret(org: "Org", form: Mapping[str, str]) -> App:
    app = org.logins.apps.get(form.get("client_id", ""))
    if app is None:
        raise OAuthError("invalid_client_id", "client identifier invalid")
    if not app.secret or form.get("client_secret") != app.secret:
        raise OAuthError("invalid_client", "invalid client credentials")
    return app


def _runs_as(app: App) -> None:
    if not app.runs_as_user:
        raise OAuthError("invalid_grant", "no client credentials user enabled")


def _with_password(app: App, form: Mapping[str, str]) -> None:
    if (form.get("username"), form.get("password")) != (app.username, app.password):
        raise OAuthError("invalid_grant", "authentication failure")


def _verified(org: "Org", assertion: str, audiences: tuple[str, ...]) -> None:
    try:
        unproven = jwt.decode(assertion, options={"verify_signature": False})
    except jwt.PyJWTError:
        raise OAuthError("invalid_grant", "invalid assertion") from None
    app = org.logins.apps.get(str(unproven.get("iss")))
    if app is None:
        raise OAuthError("invalid_client_id", "client identifier invalid")
    try:
        jwt.decode(assertion, app.certificate_key, algorithms=["RS256"], options=SIGNATURE_ONLY)
    except jwt.PyJWTError:
        raise OAuthError("invalid_grant", "invalid assertion") from None
    if str(unproven.get("aud", "")).rstrip("/") not in audiences:
        raise OAuthError("invalid_grant", "audience is invalid")
    if not _in_time(unproven.get("exp"), org.clock()):
        raise OAuthError("invalid_grant", "expired authorization code")
    if unproven.get("sub") != app.username:
        raise OAuthError("invalid_grant", "user hasn't approved this consumer")


CLAIMS = ("exp", "nbf", "iat", "aud", "iss", "sub", "jti")
SIGNATURE_ONLY: Any = {f"verify_{claim}": False for claim in CLAIMS}
"""The claims are checked here, against the org's own clock."""


def _in_time(expiry: object, now: datetime) -> bool:
    """The expiry may be a number or, as simple-salesforce sends it, its digits in a string."""
    try:
        until = datetime.fromtimestamp(float(str(expiry)), tz=now.tzinfo)
    except (ValueError, OverflowError, OSError):
        return False
    return now < until <= now + LONGEST_ASSERTION + CLOCK_SKEW
