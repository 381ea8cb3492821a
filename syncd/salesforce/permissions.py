"""What the user may see and edit, as far as a user can ask."""

from __future__ import annotations

from typing import TYPE_CHECKING, Literal

from simple_salesforce.format import format_soql

from syncd.errors import Fatal

if TYPE_CHECKING:
    from syncd.salesforce.session import Session

    Right = Literal["ViewAll", "ModifyAll"]

ENOUGH: dict[Right, frozenset[str]] = {
    "ViewAll": frozenset({"Read", "Edit", "ReadEditTransfer"}),
    "ModifyAll": frozenset({"Edit", "ReadEditTransfer"}),
}
"""Organization-wide defaults under which a user has that right on every record anyway."""


def has_on_all_data(session: Session, right: Right) -> bool:
    """The running user's own permissions are a row that everybody may read."""
    field = f"Permissions{right}Data"
    own = session.query(f"SELECT {field} FROM UserPermissionAccess")
    return bool(own and own[0][field])


def closed_by_default(session: Session, right: Right) -> set[str]:
    """Of Contact and Lead those on which not everybody has it. A Contact may be as public as its Account is."""
    fields = {name: f"Default{name}Access" for name in ("Contact", "Lead", "Account")}
    orgs = session.query(f"SELECT {', '.join(fields.values())} FROM Organization")
    if not orgs:
        raise Fatal("INSUFFICIENT_ACCESS", "what is public in this org cannot be seen")
    access = {name: str(orgs[0][field] or "") for name, field in fields.items()}
    if access["Contact"] == "ControlledByParent":
        access["Contact"] = access["Account"]
    return {name for name in ("Contact", "Lead") if access[name] not in ENOUGH[right]}


def has_wholly(session: Session, username: str, right: Right) -> set[str]:
    """The objects with View, or Modify, All Records, by a permission set or by the profile, which counts as one.

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
    granted = session.query(
        format_soql(
            f"SELECT SobjectType FROM ObjectPermissions WHERE Permissions{right}Records = true AND ParentId IN {{}}",
            [str(one["PermissionSetId"]) for one in assigned],
        )
    )
    return {str(row["SobjectType"]) for row in granted}
