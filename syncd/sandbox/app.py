"""The Flask application: login, the gate before the data API, and its resources."""

import re
from functools import cache
from typing import TYPE_CHECKING, Any

from flask import Blueprint, Flask, Response, g, request
from werkzeug.exceptions import HTTPException

from syncd.sandbox import bulk_views, collection_views, control, query_views, record_views
from syncd.sandbox.context import org, reply
from syncd.sandbox.edge import error_response
from syncd.sandbox.errors import CallError, RowError, not_found
from syncd.sandbox.oauth import OAuthError, grant

if TYPE_CHECKING:
    from werkzeug.wrappers import Response as AnyResponse

VERSIONED = re.compile(r"/services/data/v(\d+)\.\d(/|$)")
OLDEST, RETIRED_FROM, NEWEST_LISTED = 31, 21, 67
USAGE_WOBBLE = 10
SEASONS = ("Spring", "Summer", "Winter")

views = Blueprint("entrance", __name__)


@cache
def the_app() -> Flask:
    """One for all orgs, since its routes take longer to compile than an org to make; the edge says which org."""
    app = Flask(__name__, static_folder=None)
    app.url_map.strict_slashes = False
    app.url_map.merge_slashes = False
    app.register_blueprint(control.views)
    app.register_blueprint(views)
    for resources in (record_views.views, collection_views.views, query_views.views, bulk_views.views):
        app.register_blueprint(resources, url_prefix="/services/data/<version>")
    app.url_value_preprocessor(_note_version)
    app.before_request(_gate)
    app.after_request(_usage)
    app.register_error_handler(CallError, error_response)
    app.register_error_handler(RowError, lambda error: error_response(CallError.of_row(error)))
    app.register_error_handler(OAuthError, lambda error: reply(error.body(), 400))
    app.register_error_handler(HTTPException, _http_error)
    return app


def _note_version(_: str | None, values: dict[str, Any] | None) -> None:
    if values:
        g.version = values.pop("version", "")


def _gate() -> "AnyResponse | None":
    """A supported version, a session in force, and calls left for today; each call let in is counted."""
    versioned = VERSIONED.match(request.path)
    if not versioned:
        return None
    if int(versioned[1]) < OLDEST:
        raise _no_version(int(versioned[1]))
    if _session_id() not in org().logins.sessions:
        return _no_session()
    if org().api_usage >= org().daily_limit:
        raise CallError(403, "REQUEST_LIMIT_EXCEEDED", "TotalRequests Limit exceeded.")
    org().api_usage += 1
    return None


def _no_version(number: int) -> CallError:
    """Versions 21 to 30 are retired and answer 410 (Salesforce help, "API Versions Retirement")."""
    if number < RETIRED_FROM:
        return not_found()
    return CallError(410, "UNSUPPORTED_API_VERSION", "The requested API version is no longer supported")


def _session_id() -> str:
    scheme, _, session_id = request.headers.get("Authorization", "").partition(" ")
    return session_id.strip() if scheme.lower() in ("bearer", "oauth") else ""


def _no_session() -> "AnyResponse":
    """With `WWW-Authenticate: Token`, without a usage header (recorded: restforce-db)."""
    response = error_response(CallError(401, "INVALID_SESSION_ID", "Session expired or invalid"))
    response.headers["WWW-Authenticate"] = "Token"
    return response


def _usage(response: Response) -> Response:
    """Only answers that aren't errors say how much of the day's calls is used (recorded: restforce-db, Nango)."""
    if VERSIONED.match(request.path) and response.status_code < 400:
        response.headers["Sforce-Limit-Info"] = f"api-usage={_usage_told()}/{org().daily_limit}"
    return response


def _usage_told() -> int:
    """Not monotonic, if the org is told so: six calls within three seconds said 91, 99, 100, 92, 92, 97 (recorded:
    restforce-db)."""
    behind = org().random.randrange(USAGE_WOBBLE) if org().usage_wobbles else 0
    return max(0, org().api_usage - behind)


def _http_error(error: HTTPException) -> "AnyResponse":
    if error.code == 405:
        allowed = ", ".join(sorted(getattr(error, "valid_methods", None) or ()))
        message = f"HTTP Method '{request.method}' not allowed. Allowed are {allowed}"
        return error_response(CallError(405, "METHOD_NOT_ALLOWED", message))
    if error.code == 404:
        return error_response(not_found())
    return error_response(CallError(error.code or 500, "UNKNOWN_EXCEPTION", error.description or "An error occurred"))


@views.post("/services/oauth2/token")
def token() -> Response:
    return reply(grant(org(), request.form, request.host_url.rstrip("/")))


@views.get("/services/data")
def versions() -> Response:
    """Open to all, as with Salesforce (recorded: Nango)."""
    return reply([_version(number) for number in range(OLDEST, NEWEST_LISTED + 1)])


def _version(number: int) -> dict[str, str]:
    """Three releases a year: 66.0 is Spring '26."""
    label = f"{SEASONS[(number - 66) % 3]} '{26 + (number - 65) // 3}"
    return {"label": label, "url": f"/services/data/v{number}.0", "version": f"{number}.0"}


@views.get("/services/data/<version>")
def resources() -> Response:
    names = ("composite", "jobs", "limits", "query", "queryAll", "sobjects")
    return reply({name: f"/services/data/{g.version}/{name}" for name in names})


@views.get("/services/data/<version>/limits")
def limits() -> Response:
    """REST guide, "Limits": the rolling day's maximum and what remains of it."""
    used = {"Max": org().daily_limit, "Remaining": max(0, org().daily_limit - org().api_usage)}
    batches = {"Max": 15_000, "Remaining": 15_000}
    storage = {"Max": 5_120, "Remaining": 5_120}
    return reply({"DailyApiRequests": used, "DailyBulkApiBatches": batches, "DataStorageMB": storage})
