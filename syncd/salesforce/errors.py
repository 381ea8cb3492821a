"""Salesforce's refusals sorted by what happens next. Codes, never texts: messages are localised.

Sources: the REST error table and the SOAP status codes; UNABLE_TO_LOCK_ROW's status is unsettled (400 or 500), a limit
has the status of a missing permission (403), so the code decides and the status only where there is none.
"""

from __future__ import annotations

import ssl
from dataclasses import replace
from typing import TYPE_CHECKING, Any, NoReturn

import requests
from simple_salesforce.exceptions import SalesforceError as LibraryError
from urllib3.exceptions import NameResolutionError, NewConnectionError

from syncd.errors import Fatal, Refused, Retriable, SalesforceError
from syncd.model import Fate, Receipt

if TYPE_CHECKING:
    from collections.abc import Mapping

LONGEST_WORDS = 1_000  # of Salesforce's that are kept
FATES: Mapping[str, Fate] = {
    # Passing. SOAP StatusCode texts: "temporary states"; "transient. Resend after a short wait"; an approval process.
    "UNABLE_TO_LOCK_ROW": Fate.LOCKED,
    "TOO_MANY_APEX_REQUESTS": Fate.LATER,
    "ENTITY_IS_LOCKED": Fate.LATER,
    "SERVER_UNAVAILABLE": Fate.LATER,
    "UNKNOWN_EXCEPTION": Fate.LATER,
    "QUERY_TIMEOUT": Fate.LATER,
    "REQUEST_RUNNING_TOO_LONG": Fate.LATER,
    "API_CURRENTLY_DISABLED": Fate.LATER,
    # The org is at another instance than the session is (400: amazon-connect-salesforce-lambda#4, #12); a cursor of a
    # query has expired. Nothing was done, and asked anew it goes well.
    "URL_NOT_RESET": Fate.LATER,
    "INVALID_QUERY_LOCATOR": Fate.LATER,
    # The day's calls ("TotalRequests …") or too many long ones at once ("Concurrent…"): one code, and both pass.
    "REQUEST_LIMIT_EXCEEDED": Fate.LATER,
    # Only creating needs room.
    "STORAGE_LIMIT_EXCEEDED": Fate.FULL,
    # A trigger or a flow threw, and every row that was saved together has this code: its governor limits are those of
    # 200 rows together (forceworkbench#813, of Tasks; declarative-lookup-rollup-summaries#593), or it stumbled on one
    # of them (EDA#429), or Salesforce gave up on all since it refused so many (Apex guide, "Bulk DML Exception
    # Handling"). Refused alone, it is the row's.
    "CANNOT_INSERT_UPDATE_ACTIVATE_ENTITY": Fate.CROWDED,
    "CANNOT_EXECUTE_FLOW_TRIGGER": Fate.CROWDED,
    "LIMIT_EXCEEDED": Fate.CROWDED,
    # Another record by now: look where it went (MasterRecordId, ConvertedContactId).
    "ENTITY_IS_DELETED": Fate.GONE,
    "CANNOT_UPDATE_CONVERTED_LEAD": Fate.MOVED,
    # "The operation you requested isn't allowed due to a security policy in your organization" (Marketo diagnostics);
    # nobody's row will be taken until an administrator has changed something.
    "TXN_SECURITY_NO_ACCESS": Fate.STOP,
    "TXN_SECURITY_METERING_ERROR": Fate.STOP,
    "API_DISABLED_FOR_ORG": Fate.STOP,
    "INVALID_SESSION_ID": Fate.STOP,
}
"""What a code means for a row; one that is not here rejects it: validation rules, triggers, lengths, permissions.

Of a whole call those that pass are Retriable, all others Fatal. Matched by code alone, but for the limit: no text.
"""
PASSING = frozenset({Fate.LATER, Fate.LOCKED, Fate.FULL})
_RETRIABLE_STATUS = frozenset({408, 420, 429})
_FROM_BETWEEN = frozenset({400, 403, 404})  # without Salesforce's code: a proxy's, a firewall's or a CDN's page


def receipt(row: Mapping[str, Any]) -> Receipt:
    """One row of a collections answer; failed rows may have no id, and name their code `statusCode`."""
    if row.get("success"):
        return Receipt(str(row.get("id") or ""))
    errors = row.get("errors") or [{}]
    code = str(errors[0].get("statusCode") or "UNKNOWN_EXCEPTION")
    words = "; ".join(str(error.get("message") or "") for error in errors)
    return refusal(code, words, str(row.get("id") or ""))


def receipts(answer: object, expected: int) -> list[Receipt]:
    """One for each row that was sent, in order. What was sent alone had nobody beside it to be refused for."""
    said = [receipt(row) for row in results(answer, expected)]
    if expected == 1 and said[0].fate is Fate.CROWDED:
        return [replace(said[0], fate=Fate.REJECTED)]
    return said


def refusal(code: str, words: str, sf_id: str = "") -> Receipt:
    """What Salesforce's code means for this row."""
    return Receipt(sf_id, code, words[:LONGEST_WORDS], FATES.get(code, Fate.REJECTED))


def results(answer: object, expected: int) -> list[Any]:
    """The rows of a collections answer, one for each that was sent; anything else says nothing of what was done."""
    if not isinstance(answer, list) or len(answer) != expected or not all(map(_is_result, answer)):
        raise misread(f"expected {expected} results")
    return answer


def _is_result(row: object) -> bool:
    return (
        isinstance(row, dict)
        and isinstance(row.get("success"), bool)
        and (row["success"] or all(isinstance(error, dict) for error in row.get("errors") or ()))
    )


def misread(words: str) -> Retriable:
    """An answer with a shape that nobody documents: a proxy's, or one that was cut off."""
    return Retriable("unreadable_answer", words, uncertain=True)


def translate(error: Exception) -> NoReturn:
    """Raises what a whole call's failure means. The library's own text is not kept: it holds URLs with addresses."""
    if isinstance(error, LibraryError):
        _refused(error)
    if isinstance(error, requests.exceptions.JSONDecodeError):
        raise misread("the answer was cut off or no JSON") from error
    if isinstance(error, requests.exceptions.SSLError) and _untrusted(error):
        raise Fatal(
            "tls", f"no trusted connection to Salesforce ({_cause(error)}); see [salesforce] ca_bundle"
        ) from error
    if isinstance(error, requests.exceptions.RequestException):
        raise Retriable("unreachable", _in_words(error), uncertain=not _never_sent(error)) from error
    raise error


def _refused(error: LibraryError) -> NoReturn:
    refuse(int(error.status or 0), error.content, error)


def refuse(status: int, content: object, error: Exception | None = None) -> NoReturn:
    """Raises what an answer with this status means. `content`: decoded JSON, or anything that is not Salesforce's."""
    first: Any = content[0] if isinstance(content, list) and content else None
    if not isinstance(first, dict):
        first = {}
    code = str(first.get("errorCode") or f"HTTP_{status}")
    words = str(first.get("message") or "")[:LONGEST_WORDS]
    if status >= 500 or status in _RETRIABLE_STATUS:
        # A server may answer 503 after it has committed.
        raise Retriable(code, words, uncertain=status >= 500) from error
    fate = FATES.get(code)
    if fate in PASSING:
        raise Retriable(code, words) from error
    if 300 < status < 400:
        words = "the answer sends elsewhere, as for maintenance or after My Domain was renamed"
        raise Retriable(code, words) from error
    if not first and status in _FROM_BETWEEN:
        raise Retriable(code, "this page is not Salesforce's: something between answers") from error
    if status == 400 and fate is not Fate.STOP:
        raise Refused(code, words) from error
    raise Fatal(code, words) from error


def may_have_moved(error: SalesforceError) -> bool:
    """Whether the org may be at another host than the last login said: migrated, or with another My Domain."""
    never_sent = error.code == "unreachable" and isinstance(error, Retriable) and not error.uncertain
    return never_sent or error.code in ("URL_NOT_RESET", "HTTP_420") or error.code.startswith("HTTP_3")


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
