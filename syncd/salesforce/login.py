"""The ways to log in. Not the library's: those know only hosts under salesforce.com, and renew badly.

Each answers (instance URL, session id) and reads its secrets anew, so that they can be replaced while syncd runs.
The refusals are those that users and vendors' troubleshooting pages report; none was met in a live org.
"""

from __future__ import annotations

import time
from typing import TYPE_CHECKING, Any, NamedTuple
from urllib.parse import urlsplit

import jwt
import requests

from syncd.errors import Fatal, Retriable

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping

    from syncd.config import Secrets
    from syncd.config.models import SalesforceSection

LIFE_OF_ASSERTION = 180  # seconds: Salesforce accepts five minutes at most, and clocks differ
JWT_BEARER = "urn:ietf:params:oauth:grant-type:jwt-bearer"

LEGACY_WARNING = (
    'auth = "password" is legacy: Salesforce is retiring the username-password flow (announced for Winter \'27; '
    "enforcement on 20 February 2027 is reported), and External Client Apps never had it"
)
"""First-party notices and what others quote of them differ in the date; both are told."""


class LoginRefused(Fatal):
    """Salesforce will not let syncd in. `said`: its words and what they mean; `do`: what a person can do about it."""

    def __init__(self, code: str, said: str, do: str) -> None:
        self.said = said
        self.do = do
        super().__init__(code, f"{said}; {do}" if do else said)


class _Meaning(NamedTuple):
    code: str
    words: str  # part of the description; OAuth's descriptions are not localised, unlike the API's messages
    means: str
    do: str


_MEANINGS = (
    _Meaning(
        "invalid_grant", "expired authorization code",
        "the assertion has expired or is not valid yet, which means that the clocks differ",
        "set this machine's clock (timedatectl; NTP must be on)",
    ),
    _Meaning(
        "invalid_grant", "invalid assertion",
        "the private key does not belong to the certificate in the app",
        "upload the certificate made with salesforce_private_key to the External Client App (JWT Bearer Flow)",
    ),
    _Meaning(
        "invalid_grant", "user hasn't approved this consumer",
        "the user is not pre-authorised, or username is another one",
        "compare username; in the External Client App's policies choose “Admin approved users are pre-authorized” and "
        "add the user's profile or permission set",
    ),
    _Meaning(
        "invalid_grant", "ip restricted",
        "the user may not log in from this machine's address",
        "in Setup > Profiles > the user's profile > Login IP Ranges add the address that syncd calls from, or choose "
        "“Relax IP restrictions” in the External Client App's policies",
    ),
    _Meaning("invalid_grant", "inactive user", "the user is inactive or frozen", "activate the user in Setup > Users"),
    _Meaning(
        "invalid_grant", "inactive organization",
        "the org is locked, or its trial is over",
        "log in as an administrator and see what Salesforce says",
    ),
    _Meaning(
        "invalid_app_access", "",
        "the user may not use this app",
        "add the user's profile or permission set to the External Client App's policies",
    ),
    _Meaning(
        "invalid_grant", "audience",
        "login_host is not the host that this org logs in at",
        "write login_host = \"login.salesforce.com\", or \"test.salesforce.com\" for a sandbox org",
    ),
    _Meaning(
        "invalid_grant", "no client credentials user enabled",
        "the app has no user to run as",
        "set “Run As” in the External Client App's policies, under Client Credentials Flow",
    ),
    _Meaning(
        "invalid_grant", "request not supported on this domain",
        "my_domain is not the org's own host",
        "write my_domain as in Setup > My Domain, such as acme.my.salesforce.com",
    ),
    _Meaning(
        "invalid_grant", "authentication failure",
        "the password, the security token or the user is wrong, or the flow is switched off",
        "compare username and the files salesforce_password and salesforce_security_token; better: auth = \"jwt\"",
    ),
    _Meaning(
        "invalid_client_id", "",
        "consumer_key is no app of this org",
        "copy the consumer key again (External Client App > Settings > OAuth Settings); a new app takes ten minutes",
    ),
    _Meaning(
        "invalid_client", "",
        "the consumer secret does not belong to the consumer key",
        "copy the consumer secret again into salesforce_consumer_secret",
    ),
    _Meaning(
        "unsupported_grant_type", "",
        "this way of logging in is switched off in the org or the app",
        "switch the flow on in the External Client App, or choose another [salesforce] auth",
    ),
    _Meaning("inactive_user", "", "the user is inactive", "activate the user in Setup > Users"),
)  # fmt: skip


def log_in(http: requests.Session, settings: SalesforceSection, secrets: Secrets) -> tuple[str, str]:
    """(instance URL, session id). Raises LoginRefused, Fatal, Retriable, ConfigError, or what requests raises."""
    if settings.auth == "session":
        return settings.instance_url, secrets.salesforce_session_id()
    host = settings.my_domain or settings.login_host
    answer = http.post(
        f"https://{host}/services/oauth2/token",
        data=_FORMS[settings.auth](settings, secrets),
        allow_redirects=False,  # a secret goes to nobody but the host that was configured
    )
    return _token(answer, host)


def expired() -> LoginRefused:
    """A session id that was given cannot be renewed."""
    return LoginRefused(
        "INVALID_SESSION_ID",
        "the session has expired",
        'put a new id into salesforce_session_id, or choose auth = "jwt", which renews by itself',
    )


def _by_jwt(settings: SalesforceSection, secrets: Secrets) -> Mapping[str, str]:
    claims = {
        "iss": settings.consumer_key,
        "sub": settings.username,
        "aud": f"https://{settings.login_host}",
        "exp": int(time.time()) + LIFE_OF_ASSERTION,
    }
    assertion = jwt.encode(claims, secrets.salesforce_private_key(), algorithm="RS256")
    return {"grant_type": JWT_BEARER, "assertion": assertion}


def _by_client_credentials(settings: SalesforceSection, secrets: Secrets) -> Mapping[str, str]:
    return {
        "grant_type": "client_credentials",
        "client_id": settings.consumer_key,
        "client_secret": secrets.salesforce_consumer_secret(),
    }


def _by_password(settings: SalesforceSection, secrets: Secrets) -> Mapping[str, str]:
    return {
        "grant_type": "password",
        "client_id": settings.consumer_key,
        "client_secret": secrets.salesforce_consumer_secret(),
        "username": settings.username,
        # Salesforce wants the token straight behind the password
        "password": secrets.salesforce_password() + secrets.salesforce_security_token(),
    }


_FORMS: Mapping[str, Callable[[SalesforceSection, Secrets], Mapping[str, str]]] = {
    "jwt": _by_jwt,
    "client_credentials": _by_client_credentials,
    "password": _by_password,
}


def _token(answer: requests.Response, host: str) -> tuple[str, str]:
    """The instance must be where we asked, or Salesforce's: the session id is sent to it.

    Some refusals pass by themselves: "unknown_error: retry your request" (400; amazon-connect-salesforce-lambda#43,
    simple-salesforce#814) and "login rate exceeded".
    """
    said = _decoded(answer)
    if answer.status_code == 200 and said.get("access_token") and said.get("instance_url"):
        instance = urlsplit(said["instance_url"])
        if instance.scheme == "https" and (
            instance.netloc == host or (instance.hostname or "").endswith(".salesforce.com")
        ):
            return said["instance_url"], said["access_token"]
        raise Fatal(
            "instance_url", f"the token is for {instance.netloc}, which is neither {host} nor under salesforce.com"
        )
    if answer.status_code >= 500 or answer.status_code in (408, 420, 429):
        raise Retriable(f"HTTP_{answer.status_code}", "logging in")
    code, words = str(said.get("error") or ""), str(said.get("error_description") or "")
    if code == "unknown_error" or "rate exceeded" in words:
        raise Retriable(code, f"logging in: {words}")
    if not code:
        raise _not_salesforces(answer, host)
    raise _refusal(code, words or "logging in failed")


def _decoded(answer: requests.Response) -> dict[str, Any]:
    try:
        said = answer.json()
    except requests.exceptions.JSONDecodeError:
        return {}
    return said if isinstance(said, dict) else {}


def _not_salesforces(answer: requests.Response, host: str) -> LoginRefused:
    elsewhere = urlsplit(answer.headers.get("Location", "")).hostname
    return LoginRefused(
        f"HTTP_{answer.status_code}",
        f"{host} sends on to {elsewhere}" if elsewhere else f"{host} answers, but not as Salesforce's login does",
        "compare login_host and my_domain with Setup > My Domain, such as acme.my.salesforce.com",
    )


def _refusal(code: str, words: str) -> LoginRefused:
    for meaning in _MEANINGS:
        if meaning.code == code and meaning.words in words.lower():
            return LoginRefused(code, f"{words} ({meaning.means})", meaning.do)
    return LoginRefused(code, words, "")
