"""What the user may see, as far as a user can ask."""

from __future__ import annotations

from typing import TYPE_CHECKING

from simple_salesforce.format import format_soql

from syncd.errors import Fatal

if TYPE_CHECKING:
    from syncd.salesforce.session import Session

HIDING = frozenset({"None", "ControlledByParent", ""})
"""Organization-wide defaults under which a user sees only some records, or those whose Account is seen."""


def views_all_data(session: Session) -> bool:
    """The running user's own permissions are a row that everybody may read."""
    own = session.query("SELECT PermissionsViewAllData FROM UserPermissionAccess")
    return bool(own and own[0]["PermissionsViewAllData"])


def hidden_by_default(session: Session) -> set[str]:
    """Of Contact and Lead those that are not public in this org. A Contact may be as public as its Account is."""
    fields = {name: f"Default{name}Access" for name in ("Contact", "Lead", "Account")}
    (org,) = session.query(f"SELECT {', '.join(fields.values())} FROM Organization")
    access = {name: str(org[field] or "") for name, field in fields.items()}
    if access["Contact"] == "ControlledByParent":
        access["Contact"] = access["Account"]
    return {name for name in ("Contact", "Lead") if access[name] in HIDING}


def viewed_wholly(session: Session, username: str) -> set[str]:
    """The objects with View All Records, by a permission set or by the profile, which counts as one.

    Since Summer '20 this may be asked with View Setup and Configuration only; else Fatal.
    """
    users = session.query(format_soql("SELECT Id FROM User WHERE Username = {}", username))
    assigned = session.query(
        format_soql(
            "SELECT PermissionSetId FROM PermissionSetAssignment WHERE AssigneeId IN {}",
            [str(user["Id"]) for user in users] or [""],
        )
    )
    if not assigned:  # every user has a profile at least, so these were not shown
        raise Fatal("INSUFFICIENT_ACCESS", "whose permission sets are which cannot be seen")
    seen = session.query(
        format_soql(
            "SELECT SobjectType FROM ObjectPermissions WHERE PermissionsViewAllRecords = true AND ParentId IN {}",
            [str(one["PermissionSetId"]) for one in assigned],
        )
    )
    return {str(row["SobjectType"]) for row in seen}
