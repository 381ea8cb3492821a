"""Salesforce's refusals sorted by what happens next. Codes, never texts: messages are localised.

Sources: the REST error table and the SOAP status codes; UNABLE_TO_LOCK_ROW's status is unsettled (400 or 500), a limit
has the status of a missing permission (403), so the code decides and the status only where there is none.
"""

from __future__ import annotations

import ssl
from typing import TYPE_CHECKING, Any, NoReturn

import requests
from simple_salesforce.exceptions import SalesforceError as LibraryError
from urllib3.exceptions import NameResolutionError, NewConnectionError

from syncd.errors import Fatal, Retriable
from syncd.model import Fate, Receipt

if TYPE_CHECKING:
    from collections.abc import Mapping

RETRIABLE = frozenset(
    {
        "UNABLE_TO_LOCK_ROW",  # "temporary states"
        "TOO_MANY_APEX_REQUESTS",  # "transient. Resend after a short wait"
        "SERVER_UNAVAILABLE",
        "UNKNOWN_EXCEPTION",
        "QUERY_TIMEOUT",
        "REQUEST_RUNNING_TOO_LONG",
        "ENTITY_IS_LOCKED",  # in an approval process
        "REQUEST_LIMIT_EXCEEDED",  # over 24 hours, or concurrent ones
        "STORAGE_LIMIT_EXCEEDED",
        "API_CURRENTLY_DISABLED",
    }
)
GONE = frozenset({"ENTITY_IS_DELETED", "CANNOT_UPDATE_CONVERTED_LEAD"})  # perhaps another record by now
_RETRIABLE_STATUS = frozenset({408, 420, 429})


def receipt(row: Mapping[str, Any]) -> Receipt:
    """One row of a collections answer; failed rows may have no id, and name their code `statusCode`."""
    if row.get("success"):
        return Receipt(str(row.get("id") or ""))
    errors = row.get("errors") or [{}]
    code = str(errors[0].get("statusCode") or "UNKNOWN_EXCEPTION")
    words = "; ".join(str(error.get("message") or "") for error in errors)
    return Receipt(str(row.get("id") or ""), code, words, _fate(code))


def _fate(code: str) -> Fate:
    if code in RETRIABLE:
        return Fate.LATER
    return Fate.GONE if code in GONE else Fate.REJECTED


def translate(error: Exception) -> NoReturn:
    """Raises what a whole call's failure means. The library's own text is not kept: it holds URLs with addresses."""
    if isinstance(error, LibraryError):
        _refused(error)
    if isinstance(error, requests.exceptions.JSONDecodeError):
        raise Retriable("unreadable_answer", "the answer was cut off or no JSON", uncertain=True) from error
    if isinstance(error, requests.exceptions.SSLError) and _untrusted(error):
        raise Fatal(
            "tls", f"no trusted connection to Salesforce ({_cause(error)}); see [salesforce] ca_bundle"
        ) from error
    if isinstance(error, requests.exceptions.RequestException):
        raise Retriable("unreachable", _in_words(error), uncertain=not _never_sent(error)) from error
    raise error


def _refused(error: LibraryError) -> NoReturn:
    content, status = error.content, int(error.status or 0)
    first: Any = content[0] if isinstance(content, list) and content else None  # type: ignore[redundant-expr]
    if not isinstance(first, dict):
        first = {}
    code = str(first.get("errorCode") or f"HTTP_{status}")
    words = str(first.get("message") or "")
    if status >= 500 or status in _RETRIABLE_STATUS:
        # A server may answer 503 after it has committed.
        raise Retriable(code, words, uncertain=status >= 500) from error
    if code in RETRIABLE:
        raise Retriable(code, words) from error
    raise Fatal(code, words) from error


def _in_words(error: requests.exceptions.RequestException) -> str:
    if isinstance(error, requests.exceptions.ProxyError):
        return "the proxy ($HTTPS_PROXY) is not there or refuses"
    reason = getattr(error.args[0], "reason", None) if error.args else None
    if isinstance(reason, NameResolutionError):
        return "there is no such host"
    return "nobody answers there" if isinstance(reason, NewConnectionError) else type(error).__name__


def _never_sent(error: requests.exceptions.RequestException) -> bool:
    if isinstance(error, requests.exceptions.ConnectTimeout | requests.exceptions.ProxyError):
        return True
    reason = getattr(error.args[0], "reason", None) if error.args else None
    return isinstance(reason, NewConnectionError)


def _untrusted(error: BaseException) -> bool:
    """Whether the certificate was refused: then nothing was sent. Other failures of TLS may come after the sending."""
    chain: BaseException | None = error
    while chain is not None:
        if isinstance(chain, ssl.SSLCertVerificationError):
            return True
        chain = chain.__context__
    return False


def _cause(error: BaseException) -> str:
    while error.__context__ is not None:
        error = error.__context__
    return str(error)
