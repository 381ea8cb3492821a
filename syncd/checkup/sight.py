"""Does the user see every record, and may they be edited? Object permissions say nothing of whose the records are."""

from __future__ import annotations

from typing import TYPE_CHECKING

from syncd.checkup.finding import Finding
from syncd.errors import Fatal
from syncd.salesforce.permissions import closed_by_default, has_on_all_data, has_wholly

if TYPE_CHECKING:
    from syncd.salesforce.permissions import Right
    from syncd.salesforce.session import Session

THING = "match_by_email"
_DO = (
    "in the integration user's permission set, Object Settings > Account, Contact and Lead > tick View All Records",
    'or write under [mapping]: match_by_email = "never"',
)
SHARING = "sharing"
_RULE = "in Setup > Sharing Settings make a rule that shares {} with the integration user, Read/Write"


def sight(session: Session, username: str) -> Finding:
    """For `match_by_email = "unique"`. Raises what the queries raise that every user may make."""
    if has_on_all_data(session, "ViewAll"):
        return Finding.ok(THING, "unique: the user sees all records (View All Data)")
    hidden = closed_by_default(session, "ViewAll")
    if not hidden:
        return Finding.ok(THING, "unique: Contacts and Leads are public in this org")
    try:
        hidden -= has_wholly(session, username, "ViewAll")
    except Fatal:
        return Finding.hint(
            THING, f"unique: the org hides {_listed(hidden)} from those who do not own them, and whether this "
            "user sees all of them cannot be asked without View Setup and Configuration; two with one address would "
            "pass for one",
            *_DO,
        )  # fmt: skip
    if not hidden:
        return Finding.ok(THING, "unique: the user sees all Contacts and Leads (View All Records)")
    return Finding.wrong(
        THING,
        f"unique, but the user does not see every {' and '.join(sorted(hidden))}; two with one address would pass for "
        "one",
        *_DO,
    )


def sharing(session: Session, username: str) -> Finding:
    """A hint at most: whether a rule shares the records with this user, nobody can ask who has none of them."""
    try:
        hidden, closed = _beyond(session, username, "ViewAll"), _beyond(session, username, "ModifyAll")
    except Fatal as error:
        return Finding.skipped(SHARING, f"what is public in this org cannot be asked ({error.code})")
    if hidden:
        return Finding.hint(
            SHARING, f"the org hides {_listed(hidden)} from those who do not own them: unless a rule shares them with "
            "this user, none is found",
            *_share(hidden),
        )  # fmt: skip
    if closed:
        return Finding.hint(
            SHARING, f"the user sees all {_listed(closed)}, but the org has them edited by those who own them: unless "
            "a rule shares them with this user, every change is refused (INSUFFICIENT_ACCESS_OR_READONLY)",
            *_share(closed),
        )  # fmt: skip
    return Finding.ok(SHARING, "Contacts and Leads may be seen and edited whoever owns them")


def _beyond(session: Session, username: str, right: Right) -> set[str]:
    """The objects on which neither the org nor a permission gives the user this right on all records."""
    beyond = closed_by_default(session, right)
    if not beyond or has_on_all_data(session, right):
        return set()
    try:
        return beyond - has_wholly(session, username, right)
    except Fatal:
        return beyond


def _share(names: set[str]) -> tuple[str, ...]:
    if "Contact" not in names:
        return (_RULE.format("all Leads"),)
    every = "all Contacts and Leads" if "Lead" in names else "all Contacts"
    return (
        f"{_RULE.format(every)}; if Contacts are “Controlled by Parent”, one of Accounts",
        "Contacts without an Account then still are their owners' alone: for those tick View and Modify All Records",
    )


def _listed(names: set[str]) -> str:
    return " and ".join(f"{name}s" for name in sorted(names))
