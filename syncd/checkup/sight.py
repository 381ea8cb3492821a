"""Does the user see every record? Without, the only record with an address may be one of two."""

from __future__ import annotations

from typing import TYPE_CHECKING

from syncd.checkup.finding import Finding
from syncd.errors import Fatal
from syncd.salesforce.permissions import hidden_by_default, viewed_wholly, views_all_data

if TYPE_CHECKING:
    from syncd.salesforce.session import Session

THING = "match_by_email"
_DO = (
    "in the integration user's permission set, Object Settings > Account, Contact and Lead > tick View All Records",
    'or write under [mapping]: match_by_email = "never"',
)


def sight(session: Session, username: str) -> Finding:
    """For `match_by_email = "unique"`. Raises what the queries raise that every user may make."""
    if views_all_data(session):
        return Finding.ok(THING, "unique: the user sees all records (View All Data)")
    hidden = hidden_by_default(session)
    if not hidden:
        return Finding.ok(THING, "unique: Contacts and Leads are public in this org")
    try:
        hidden -= viewed_wholly(session, username)
    except Fatal:
        return Finding.hint(
            THING, f"unique: the org hides {_listed(hidden)}s from those who do not own them, and whether this "
            "user sees all of them cannot be asked without View Setup and Configuration; two with one address would "
            "pass for one",
            *_DO,
        )  # fmt: skip
    if not hidden:
        return Finding.ok(THING, "unique: the user sees all Contacts and Leads (View All Records)")
    return Finding.wrong(
        THING,
        f"unique, but the user does not see every {_listed(hidden)}; two with one address would pass for one",
        *_DO,
    )


def _listed(names: set[str]) -> str:
    return " and ".join(sorted(names))
