"""What Salesforce does of its own accord while it saves a record.

Each rule sees one save and may change `after` or refuse it with RowError. `BEFORE_SAVE` is the place where duplicate
rules and the like would join; `ALWAYS` runs before it, an administrator's validation rules after it.
"""

import re
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from datetime import timedelta
from typing import TYPE_CHECKING

from syncd.sandbox.errors import RowError
from syncd.sandbox.objects import CLOSED_TASK_STATUS

if TYPE_CHECKING:
    from syncd.sandbox.org import Org
    from syncd.sandbox.schema import Row


@dataclass(frozen=True, slots=True)
class Actor:
    """Who saves. `api`: through REST, so field permissions hold; `auto_assign`: the call didn't switch rules off;
    `allow_save`: it has seen the warnings of duplicate rules."""

    user_id: str
    api: bool = True
    auto_assign: bool = True
    allow_save: bool = False


@dataclass(slots=True)
class Save:
    org: "Org"
    type: str
    actor: Actor
    before: "Row | None"
    after: "Row"
    given: frozenset[str]
    now: str

    def changed(self, name: str) -> bool:
        return self.before is not None and self.before.get(name) != self.after.get(name)


@dataclass(frozen=True, slots=True)
class ValidationRule:
    """Refuses a save after which the value of `field`, as text, matches `pattern`; an unchanged one, too."""

    type: str
    field: str
    pattern: "re.Pattern[str]"
    message: str


def validation(save: Save) -> None:
    """Whoever saves (help, "Validation Rules"). The error is shown at the top of the page, so it names no field."""
    for rule in save.org.validation_rules:
        if rule.type == save.type and rule.pattern.search(str(save.after.get(rule.field) or "")):
            raise RowError("FIELD_CUSTOM_VALIDATION_EXCEPTION", rule.message)


@dataclass(frozen=True, slots=True)
class DuplicateRule:
    """Warns of, or blocks, a save of a record with the address of another one. That it looks at an update of other
    fields, too, is not documented, and borne (REST guide, "Duplicate Rule Header")."""

    type: str
    blocks: bool


def duplicates(save: Save) -> None:
    address = str(save.after.get("Email") or "").lower()
    for rule in save.org.duplicate_rules if save.actor.api and address else ():
        if rule.type != save.type or (save.actor.allow_save and not rule.blocks):
            continue
        others = save.org.store.tables[save.type].find("Email", address)
        if any(other != save.after.get("Id") for other in others):
            raise RowError("DUPLICATES_DETECTED", "Use one of these records?")


SAVED_TOGETHER = 200
"""Rows that pass the triggers, and share their governor limits, at once (Apex guide, "Bulk Trigger Idioms")."""


@dataclass(frozen=True, slots=True)
class Trigger:
    """Code of an org's own. It throws on more than `most` rows together, or on one whose id, or that of whom it is
    about, matches `stumbles`; and what it throws refuses all of them (forceworkbench#813, EDA#429)."""

    type: str
    most: int
    stumbles: "re.Pattern[str] | None" = None
    message: str = "execution of BeforeUpdate\n\ncaused by: System.LimitException: Apex CPU time limit exceeded"

    def throws(self, keys: "Sequence[str]") -> bool:
        return len(keys) > self.most or any(self.stumbles and self.stumbles.search(key) for key in keys)

    def thrown(self) -> RowError:
        return RowError("CANNOT_INSERT_UPDATE_ACTIVATE_ENTITY", f"{self.type}Trigger: {self.message}")


LOCKED_TOO = ("AccountId", "WhoId", "WhatId")
"""Saving a record locks what it belongs to ("Record Locking Cheat Sheet", Salesforce developers' site)."""
LOCK_WORDS = {
    "UNABLE_TO_LOCK_ROW": "unable to obtain exclusive access to this record or 1 records: {}",
    "ENTITY_IS_LOCKED": "the entity is locked for editing",
}


def locks(save: Save) -> None:
    """Somebody else is at work on the record, or it is in an approval process."""
    if not save.actor.api:
        return
    for name in ("Id", *LOCKED_TOO):
        code = save.org.locks.get(str(save.after.get(name) or ""))
        # an approval process locks the record itself only
        if code and (name == "Id" or code == "UNABLE_TO_LOCK_ROW"):
            raise RowError(code, LOCK_WORDS[code].format(save.after[name]))


def storage(save: Save) -> None:
    """With the storage used up nothing can be created; what is there can be changed (StatusCode text, SOAP guide)."""
    if save.before is None and save.actor.api and save.org.storage_full:
        raise RowError("STORAGE_LIMIT_EXCEEDED", "storage limit exceeded")


ALWAYS: tuple[Callable[[Save], None], ...] = (locks, storage)


def full_name(save: Save) -> None:
    parts = (save.after.get("FirstName"), save.after.get("LastName"))
    save.after["Name"] = " ".join(str(part) for part in parts if part)


def new_address_clears_bounce(save: Save) -> None:
    """Changing the address clears both bounce fields (help article 000393429)."""
    if not save.changed("Email"):
        return
    for name in ("EmailBouncedReason", "EmailBouncedDate"):
        if name not in save.given:
            save.after[name] = None


PERSON_FIELDS = {
    "PersonEmail": "Email",
    "PersonHasOptedOutOfEmail": "HasOptedOutOfEmail",
    "PersonEmailBouncedReason": "EmailBouncedReason",
    "PersonEmailBouncedDate": "EmailBouncedDate",
}
"""A person account is an Account and a Contact that say the same."""


def new_person_address_clears_bounce(save: Save) -> None:
    if save.changed("PersonEmail"):
        for name in ("PersonEmailBouncedReason", "PersonEmailBouncedDate"):
            if name not in save.given:
                save.after[name] = None


def person_contact_is_written_through_its_account(save: Save) -> None:
    """The code is a guess: no recording of such a refusal is public."""
    if save.actor.api and save.before and save.before.get("IsPersonAccount"):
        raise RowError("INVALID_FIELD_FOR_INSERT_UPDATE", "Cannot modify a contact of a person account directly")


def bounced_flag(save: Save) -> None:
    """Contact.IsEmailBounced can't be written, it follows (object reference of Contact)."""
    save.after["IsEmailBounced"] = any(save.after.get(name) for name in ("EmailBouncedDate", "EmailBouncedReason"))


def converted_lead_is_frozen(save: Save) -> None:
    """StatusCode CANNOT_UPDATE_CONVERTED_LEAD (SOAP API guide); a person's edit in the set-up of a test may pass."""
    if save.actor.api and save.before and save.before.get("IsConverted"):
        raise RowError("CANNOT_UPDATE_CONVERTED_LEAD", "cannot reference converted lead")


def assignment(save: Save) -> None:
    """Active rules run on created and updated Leads, Accounts and Cases unless the call says
    `Sforce-Auto-Assign: FALSE` (REST guide, "Assignment Rule Header")."""
    owner = save.org.assignment_owner(save.type)
    if owner and save.actor.api and save.actor.auto_assign:
        save.after["OwnerId"] = owner


def task_closing(save: Save) -> None:
    """IsClosed follows Status; the system notes when (object reference of Task)."""
    closed = save.after.get("Status") in CLOSED_TASK_STATUS
    if closed and not (save.before and save.before.get("IsClosed")):
        save.after["CompletedDateTime"] = save.now
    elif not closed:
        save.after["CompletedDateTime"] = None
    save.after["IsClosed"] = closed
    save.after["IsHighPriority"] = save.after.get("Priority") == "High"


def task_relations(save: Save) -> None:
    """A task can't be logged on a converted lead; its account is that of its contact."""
    who = save.org.row(str(save.after["WhoId"])) if save.after.get("WhoId") else None
    if who and who.get("IsConverted") and save.actor.api and (save.before is None or save.changed("WhoId")):
        raise RowError("CANNOT_UPDATE_CONVERTED_LEAD", "cannot reference converted lead", ("WhoId",))
    what = str(save.after.get("WhatId") or "")
    save.after["AccountId"] = what if what.startswith("001") else (who or {}).get("AccountId")


BEFORE_SAVE: dict[str, tuple[Callable[[Save], None], ...]] = {
    "Contact": (person_contact_is_written_through_its_account, full_name, new_address_clears_bounce, bounced_flag),
    "Lead": (converted_lead_is_frozen, full_name, new_address_clears_bounce, assignment),
    "Account": (new_person_address_clears_bounce, assignment),
    "Case": (assignment,),
    "User": (full_name,),
    "Task": (task_closing, task_relations),
}


def last_activity(org: "Org", who_id: str) -> None:
    """`LastActivityDate` is the due date of the most recently closed task (object reference); it moves without
    touching LastModifiedDate."""
    who = org.row(who_id)
    if who is None or "LastActivityDate" not in who:
        return
    tasks = (org.row(task_id) or {} for task_id in org.store.tables["Task"].find("WhoId", who_id))
    days = [str(task["ActivityDate"]) for task in tasks if _counts(task)]
    latest = max(days, default=None)
    if who["LastActivityDate"] != latest:
        org.store.put(org.type_of(who_id), who_id, who | {"LastActivityDate": latest})


def _counts(task: "Row") -> bool:
    return bool(task.get("IsClosed") and task.get("ActivityDate") and not task.get("IsDeleted"))


def mirror_person(org: "Org", account: "Row") -> None:
    contact_id = str(account.get("PersonContactId") or "")
    contact = org.row(contact_id)
    if contact:
        said = {name: account[twin] for twin, name in PERSON_FIELDS.items()}
        bounced = bool(said["EmailBouncedReason"] or said["EmailBouncedDate"])
        org.store.put("Contact", contact_id, contact | said | {"IsEmailBounced": bounced})


ARCHIVED_AFTER = timedelta(days=365)


def archive(org: "Org") -> None:
    """Closed Tasks whose day (or, without one, whose creation) is a year ago: query hides them, queryAll shows them,
    and they may still be changed (SOAP API guide, "Archived Activities")."""
    oldest = (org.clock() - ARCHIVED_AFTER).date().isoformat()
    for task_id, task in list(org.store.tables["Task"].rows.items()):
        day = str(task["ActivityDate"] or task["CreatedDate"])[:10]
        if task["IsClosed"] and not task["IsArchived"] and day <= oldest:
            org.store.put("Task", task_id, task | {"IsArchived": True})


def after_save(org: "Org", kind: str, before: "Row | None", after: "Row") -> None:
    if kind == "Account":
        mirror_person(org, after)
    if kind == "Task":
        for who_id in {(before or {}).get("WhoId"), after.get("WhoId")} - {None}:
            last_activity(org, str(who_id))
