"""What Salesforce says: login, clock, API version, calls left, objects, fields, Tasks."""

from __future__ import annotations

import math
from functools import partial
from typing import TYPE_CHECKING, Any, TypeVar

from syncd.checkup import budget
from syncd.checkup.fields import object_findings
from syncd.checkup.finding import CONFIGURATION, UNREACHABLE, WRONG, Finding
from syncd.checkup.sight import SHARING, THING, sharing, sight
from syncd.errors import ConfigError, Fatal, Retriable
from syncd.salesforce.login import LEGACY_WARNING, LoginRefused
from syncd.salesforce.session import Session

if TYPE_CHECKING:
    from collections.abc import Callable, Collection, Iterator, Mapping

    from syncd.config import Settings
    from syncd.store.estimate import Load

    T = TypeVar("T")

TOLERATED = 60.0  # seconds: assertions live for 180, and Salesforce accepts 300
TASK_FIELDS = ("WhoId", "Subject", "Description", "ActivityDate", "Status", "TaskSubtype")
TASK_BYTES = 2_048  # what Salesforce counts against the data storage for one
TOKEN_LENGTH = 16
MONTH = 30
DAY_IN_SECONDS = 86_400
WRITTEN_A_CALL = 200
CALLS_A_RUN = 4  # reading and writing Contacts and Leads
DESCRIBES_A_DAY = 48  # two objects, each hour


LATER = ("API version", "API calls", "Contact", "Lead", "Task")


def salesforce(settings: Settings, load: Load | None) -> Iterator[Finding]:
    session = Session(settings.salesforce, settings.secrets)
    try:
        with budget.counted(session, settings):
            yield from _logged_in(session, settings, load)
    finally:
        session.close()


def _logged_in(session: Session, settings: Settings, load: Load | None) -> Iterator[Finding]:
    refused = _login(session, settings)
    yield refused or Finding.ok("login", _who(session, settings))
    if settings.salesforce.auth == "password":
        yield Finding.hint("login", LEGACY_WARNING, 'set up auth = "jwt"; syncd init makes its key')
    yield _clock(session)
    if refused:
        yield from (Finding.skipped(thing, "login failed") for thing in LATER)
        return
    version = _version(session, settings)
    yield version
    if version.code:
        yield from (Finding.skipped(thing, "no usable API version") for thing in LATER[1:])
        return
    yield from _rest(session, settings, load)


def _login(session: Session, settings: Settings) -> Finding | None:
    failed = _tried("login", session.log_in)
    if failed or settings.salesforce.auth != "session":
        return failed
    # a session id that was given is proved by the first call only
    return _tried("login", session.limits)


def _rest(session: Session, settings: Settings, load: Load | None) -> Iterator[Finding]:
    yield from _attempt("API calls", lambda: _calls(session, settings, load))
    by_email = settings.mapping.match_by_email == "unique"
    for name, external_id in settings.mapping.external_id:
        fields = getattr(settings.fields, name)
        yield from _attempt(name, partial(object_findings, session, name, fields, external_id, by_email=by_email))
    yield from _attempt("Account", lambda: _person_accounts(session, settings))
    yield from _attempt(SHARING, lambda: [sharing(session, settings.salesforce.username)])
    if by_email:
        yield from _attempt(THING, lambda: [sight(session, settings.salesforce.username)])
    if settings.activities.mode == "off":
        yield Finding.ok("Task", 'not needed: [activities] mode = "off"')
        return
    yield from _attempt("Task", lambda: _task(session, settings.activities.external_id_field))
    yield _estimate(load)


def _person_accounts(session: Session, settings: Settings) -> list[Finding]:
    """Only in an org that has them: its Contacts tell which of them are one."""
    described = session.call("GET", "sobjects/Contact/describe")
    if not any(field["name"] == "IsPersonAccount" for field in described["fields"]):
        return []
    return object_findings(session, "Account", settings.fields.Account)


def _attempt(thing: str, look: Callable[[], list[Finding]]) -> list[Finding]:
    found: list[Finding] = []
    failed = _tried(thing, lambda: found.extend(look()))
    return [failed] if failed else found


def _tried(thing: str, do: Callable[[], object]) -> Finding | None:
    """What kept it from being done, if anything."""
    try:
        do()
    except ConfigError:
        return Finding.skipped(thing, "a secret is wrong, see above")
    except LoginRefused as error:
        return Finding.wrong(thing, f"{error.code}: {error.said}", error.do)
    except Retriable as error:
        return Finding.wrong(thing, str(error), _RETRIABLE.get(error.code, _LATER), code=UNREACHABLE)
    except Fatal as error:
        # no trusted connection is no connection
        code = UNREACHABLE if error.code == "tls" else WRONG
        return Finding.wrong(thing, str(error), _FATAL.get(error.code, ""), code=code)
    return None


_LATER = "try again later; trust.salesforce.com tells of disturbances"
_RETRIABLE = {
    "budget": "wait, or raise daily_budget under [salesforce]",
    "unreachable": "compare login_host, my_domain and instance_url with Setup > My Domain; does a firewall or a proxy "
    "($HTTPS_PROXY) stand between?",
    "REQUEST_LIMIT_EXCEEDED": "the org's calls of the last 24 hours are used up: see Setup > System Overview > API "
    "Requests for who uses them; syncd goes on by itself when there are some again",
}
_FATAL = {
    "tls": "if a proxy of yours signs HTTPS, write its authority under [salesforce]: ca_bundle = "
    "\"/etc/ssl/proxy.pem\"; if a certificate has expired or is not yet valid, look at this machine's clock",
    "API_DISABLED_FOR_ORG": "the org's edition has no API, or the user lacks the permission “API Enabled”",
    "NOT_FOUND": "give the integration user access to it in its permission set, under Object Settings",
    "INSUFFICIENT_ACCESS": "give the integration user access to it in its permission set, under Object Settings",
    "instance_url": "write the org's own host: my_domain = \"acme.my.salesforce.com\"",
}  # fmt: skip


def _who(session: Session, settings: Settings) -> str:
    of = settings.salesforce
    user = f" as {of.username}" if of.username and of.auth in ("jwt", "password") else ""
    return f"{of.auth}{user} at {session.log_in()}"


def _clock(session: Session) -> Finding:
    ahead = session.clock_ahead
    if ahead is None:
        return Finding.skipped("clock", "no answer to compare with")
    if abs(ahead) <= TOLERATED:
        return Finding.ok("clock", f"within {max(1, math.ceil(abs(ahead)))} s of Salesforce's")
    way = "slow" if ahead > 0 else "fast"
    return Finding.wrong(
        "clock", f"this machine's clock is {_span(abs(ahead))} {way}; logins fail when clocks differ",
        "run: timedatectl set-ntp true",
    )  # fmt: skip


def _span(seconds: float) -> str:
    return f"{seconds / 60:.0f} minutes" if seconds >= 120 else f"{seconds:.0f} s"


def _version(session: Session, settings: Settings) -> Finding:
    wanted, offered = settings.salesforce.api_version, list[str]()
    failed = _tried("API version", lambda: offered.extend(session.versions()))
    if failed:
        return failed
    if wanted in offered:
        return Finding.ok("API version", f"{wanted}; the org offers {offered[0]} to {offered[-1]}")
    last = max(offered, key=float, default="67.0")
    return Finding.wrong(
        "API version", f"the org does not offer {wanted}", f'write under [salesforce]: api_version = "{last}"',
        code=CONFIGURATION,
    )  # fmt: skip


def _calls(session: Session, settings: Settings, load: Load | None) -> list[Finding]:
    limits = session.limits().get("DailyApiRequests") or {}
    left, allowed = (int(limits.get(name, 0)) for name in ("Remaining", "Max"))
    needed = calls_a_day(settings.sync.every.total_seconds(), load)
    said = f"{left:,} of {allowed:,} left today; syncd takes at most about {needed:,} a day"
    of_syncd = budget.finding(session, settings, allowed, needed)
    if left >= needed:
        return [Finding.ok("API calls", said), of_syncd]
    return [
        Finding.wrong(
            "API calls", said, 'make fewer runs, under [sync]: every = "5m"',
            "see Setup > System Overview > API Requests for who uses the others",
        ),
        of_syncd,
    ]  # fmt: skip


def calls_a_day(every: float, load: Load | None) -> int:
    """At most: each run that has something to do reads and writes both objects. A run without work makes no call, so
    there are no more of those than events; not knowing the events, every run counts."""
    runs = DAY_IN_SECONDS / every
    busy = runs if load is None or not load.events else min(runs, load.events_a_day)
    more = load.events_a_day / WRITTEN_A_CALL if load else 0
    return math.ceil(busy * CALLS_A_RUN + DESCRIBES_A_DAY + more)


def _task(session: Session, external_id_field: str) -> list[Finding]:
    described = session.call("GET", "sobjects/Task/describe")
    if not described.get("createable"):
        return [
            Finding.wrong(
                "Task", "the user may not create Tasks",
                "give the integration user the permission “Edit Tasks”, or write under [activities]: mode = \"off\"",
            )
        ]  # fmt: skip
    by_name = {field["name"]: field for field in described["fields"]}
    closed = [name for name in TASK_FIELDS if not by_name.get(name, {}).get("createable")]
    if closed:
        return [
            Finding.wrong(
                "Task", f"these fields of a new Task may not be set: {', '.join(closed)}",
                "give the integration user Read and Edit on them in its permission set: Object Settings > Task",
            )
        ]  # fmt: skip
    if needed := _needed(by_name, (*TASK_FIELDS, external_id_field)):
        return [
            Finding.wrong(
                "Task", f"a new Task needs what syncd does not know: {', '.join(needed)}",
                "in Setup > Object Manager > Activity (or Task) > Fields give it a default value, or do not require it",
                'or write under [activities]: mode = "off"',
            )
        ]  # fmt: skip
    rows = session.query("SELECT MasterLabel FROM TaskStatus WHERE IsClosed = true ORDER BY SortOrder")
    if not rows:
        return [
            Finding.wrong(
                "Task", "no status of a Task counts as closed, so activities would stay open",
                "tick Closed for one in Setup > Object Manager > Task > Fields > Status",
            )
        ]  # fmt: skip
    made = Finding.ok("Task", f"may be created, with the status “{rows[0]['MasterLabel']}”")
    return [made, *([_external_id(by_name, external_id_field)] if external_id_field else [])]


def _needed(fields: Mapping[str, Mapping[str, Any]], given: Collection[str]) -> list[str]:
    """Those that are filled at creation by nobody: neither by syncd nor by a default."""
    return sorted(
        name
        for name, field in fields.items()
        if field.get("createable")
        and not field.get("nillable", True)
        and not field.get("defaultedOnCreate", True)
        and name not in given
    )


def _external_id(fields: Mapping[str, Mapping[str, Any]], name: str) -> Finding:
    """Whether Salesforce itself can keep a Task from being made twice."""
    field, thing = fields.get(name), f"Task.{name}"
    if field is None:
        return Finding.wrong(
            thing, "there is no such field, or the user may not see it",
            "make it in Setup > Object Manager > Activity > Fields: Text of 32, External ID; give the user Edit on it",
        )  # fmt: skip
    if not field.get("externalId") or field.get("type") != "string" or int(field.get("length") or 0) < TOKEN_LENGTH:
        return Finding.wrong(
            thing, f"is no text of at least {TOKEN_LENGTH} characters with External ID ticked",
            "tick External ID in Setup > Object Manager > Activity > Fields",
        )  # fmt: skip
    if not field.get("createable"):
        return Finding.wrong(thing, "may not be set", "give the integration user Edit on it in its permission set")
    if not field.get("unique"):
        return Finding.hint(
            thing, "is not unique: upserts on it need the permission “View All Data”, and are refused without",
            "tick “Do not allow duplicate values” if Salesforce offers it, or give the user that permission",
        )  # fmt: skip
    return Finding.ok(thing, "external id, unique: Salesforce makes no Task twice")


def _estimate(load: Load | None) -> Finding:
    if load is None or not load.events:
        return Finding.hint("Tasks a month", "not known before events have come; one for each person and send opened")
    tasks = load.tasks_a_day * MONTH
    return Finding.ok(
        "Tasks a month",
        f"about {tasks:,.0f}, which is {tasks * TASK_BYTES / 1e6:,.1f} MB of Salesforce's data storage"
        f" (from the last {load.days:,.0f} days of events)",
    )
