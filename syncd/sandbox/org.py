"""The org: its schema, its records, its settings, and who may come in. No HTTP here."""

import random
import re
import threading
from collections.abc import Callable, Sequence
from datetime import UTC, datetime
from typing import TYPE_CHECKING, Any

from syncd.sandbox import lifecycle
from syncd.sandbox.bulk import Jobs
from syncd.sandbox.cursors import Cursors
from syncd.sandbox.faults import Faults
from syncd.sandbox.ids import canonical, make_id
from syncd.sandbox.oauth import Logins
from syncd.sandbox.objects import TASK_STATUS
from syncd.sandbox.rules import LOCK_WORDS, SAVED_TOGETHER, Actor, DuplicateRule, Trigger, ValidationRule, archive
from syncd.sandbox.saving import save
from syncd.sandbox.tables import Tables
from syncd.sandbox.traffic import Traffic
from syncd.sandbox.values import render

if TYPE_CHECKING:
    from syncd.sandbox.schema import Scalar

TIMESTAMPS = frozenset({"CreatedDate", "LastModifiedDate", "SystemModstamp", "CompletedDateTime"})
WITH_ASSIGNMENT_RULES = ("Lead", "Account", "Case")


class Org(Tables, Traffic):
    """A Salesforce org in memory. Every method may be called from any thread."""

    def __init__(self, clock: Callable[[], datetime] = lambda: datetime.now(UTC), seed: int = 0) -> None:
        lock = threading.RLock()
        Tables.__init__(self, lock)
        Traffic.__init__(self, lock)
        self.random = random.Random(seed)  # noqa: S311 - chance of faults, repeatable
        self.clock = clock
        self.faults = Faults(self.random)
        self.logins = Logins()
        self.cursors = Cursors()
        self.jobs = Jobs(self)
        self.daily_limit = 100_000
        self.api_usage = 0
        self.usage_wobbles = False
        self.page_size = 2_000
        self.storage_full = False
        self.locks: dict[str, str] = {}
        self.validation_rules: list[ValidationRule] = []
        self.triggers: list[Trigger] = []
        self.duplicate_rules: list[DuplicateRule] = []
        self._archived_on = ""
        self.unknown_field_refuses_call = False
        """Whether a collections write with an unknown field is refused as a whole (400) instead of row by row: it is
        not documented which, so a client must bear both."""
        self._counters: dict[str, int] = {}
        self._rules: dict[str, str] = {}
        self.organization_id = make_id("00D", 1)
        self.integration_user, self.person = make_id("005", 1), make_id("005", 2)
        self._populate()

    def _populate(self) -> None:
        for first, last in (("Integration", "User"), ("Camille", "Martin")):
            name = f"{first}.{last}@syncd.example".lower()
            self.add("User", FirstName=first, LastName=last, Username=name, Email=name)
        self.add(
            "Organization",
            Name="Sandbox",
            DefaultAccountAccess="Edit",
            DefaultContactAccess="ControlledByParent",
            DefaultLeadAccess="ReadEditTransfer",
        )
        self.add("UserPermissionAccess")
        for order, label in enumerate(TASK_STATUS, start=1):
            self.add(
                "TaskStatus",
                MasterLabel=label,
                ApiName=label,
                SortOrder=order,
                IsDefault=order == 1,
                IsClosed=label == "Completed",
            )

    # Records, as a person changes them in the user interface

    def add(self, kind: str, **fields: object) -> str:
        """Create a record; fields that only Salesforce sets (IsArchived, CreatedDate, …) may be given too.

        RowError if Salesforce would refuse it."""
        with self.lock:
            return save(self, self.objects[kind], None, fields, self.as_person())

    def add_person(self, **fields: object) -> tuple[str, str]:
        """A person account: (Account id, Contact id). Fields as the Account has them: LastName, PersonEmail, …"""
        with self.lock:
            last = fields.pop("LastName")
            account = self.add("Account", Name=last, IsPersonAccount=True, **fields)
            contact = self.add("Contact", LastName=last, AccountId=account, IsPersonAccount=True)
            self.edit(account, PersonContactId=contact)
            return account, contact

    def edit(self, record_id: str, **fields: object) -> None:
        with self.lock:
            kind, row = self._existing(record_id)
            save(self, self.objects[kind], row, fields, self.as_person())

    def merge(self, master: str, losers: Sequence[str], **values: object) -> None:
        """Make one record of up to three; `values` are those the master takes over. ValueError if that can't be."""
        with self.lock:
            kind, winner = self._existing(master)
            lifecycle.merge(self, kind, winner, [self._existing(loser)[1] for loser in losers], values)

    def convert(self, lead: str, *, account: str | None = None, contact: str | None = None) -> tuple[str, str]:
        """Make a Lead an Account and a Contact, new ones unless they are given: their ids."""
        with self.lock:
            kind, row = self._existing(lead)
            if kind != "Lead":
                raise ValueError(f"only a Lead can be converted, {lead} is none")
            given = [self._existing(one)[1]["Id"] if one else None for one in (account, contact)]
            return lifecycle.convert(self, row, *(str(one) if one else None for one in given))

    def delete(self, record_id: str) -> None:
        """Into the recycle bin."""
        with self.lock:
            kind, row = self._existing(record_id)
            lifecycle.set_deleted(self, kind, row, deleted=True)

    def undelete(self, record_id: str) -> None:
        with self.lock:
            kind, row = self._existing(record_id)
            lifecycle.set_deleted(self, kind, row, deleted=False)

    def purge(self, record_id: str) -> None:
        """Out of the recycle bin: from now on it never was."""
        with self.lock:
            kind, row = self._existing(record_id)
            if not row.get("IsDeleted"):
                raise ValueError(f"{record_id} is not in the recycle bin")
            self.store.tables[kind].put(str(row["Id"]), None)

    def get(self, record_id: str) -> dict[str, Any]:
        """All fields, those of a deleted record too; KeyError if it never was."""
        with self.lock:
            return dict(self._existing(record_id)[1])

    def all(self, kind: str) -> list[dict[str, Any]]:
        """The records of a type that aren't deleted, oldest first."""
        with self.lock:
            self.catch_up()
            rows = self.store.tables[kind].rows
            return [dict(rows[key]) for key in sorted(rows) if not rows[key].get("IsDeleted")]

    def snapshot(self) -> dict[str, list[dict[str, Any]]]:
        """All records by type and id, deleted ones too, without what the clock wrote: equal if nothing happened."""
        with self.lock:
            self.catch_up()
            return {
                kind: [
                    {name: value for name, value in table.rows[key].items() if name not in TIMESTAMPS}
                    for key in sorted(table.rows)
                ]
                for kind, table in sorted(self.store.tables.items())
                if table.rows
            }

    # Settings, as an administrator changes them

    def assignment_rule(self, kind: str, owner_id: str | None) -> None:
        """Activate (None: deactivate) the rule that gives every saved record of `kind` to `owner_id`."""
        if kind not in WITH_ASSIGNMENT_RULES:
            raise ValueError(f"{kind} has no assignment rules; {', '.join(WITH_ASSIGNMENT_RULES)} have")
        with self.lock:
            self._rules.pop(kind, None)
            if owner_id:
                self._rules[kind] = canonical(owner_id) or owner_id

    def assignment_owner(self, kind: str) -> str | None:
        return self._rules.get(kind)

    def validation_rule(self, kind: str, field: str, pattern: str, message: str) -> None:
        """Refuse every save of `kind` after which the value of `field` matches; KeyError, re.error if it can't be."""
        with self.lock:
            name = self.objects[kind].fields[field].name
            self.validation_rules.append(ValidationRule(kind, name, re.compile(pattern), message))

    def drop_validation_rules(self) -> None:
        with self.lock:
            self.validation_rules.clear()

    def trigger(self, kind: str, most: int = SAVED_TOGETHER, stumbles: str = "") -> None:
        """Code that runs whenever the API saves `kind`: it throws on more rows than `most`, and on an id that matches;
        KeyError, re.error if it can't be."""
        with self.lock:
            pattern = re.compile(stumbles) if stumbles else None
            self.triggers.append(Trigger(self.objects[kind].name, most, pattern))

    def duplicate_rule(self, kind: str, *, blocks: bool = False) -> None:
        """Warn of two records of `kind` with one address, or allow none."""
        with self.lock:
            self.duplicate_rules.append(DuplicateRule(self.objects[kind].name, blocks))

    def drop_triggers(self) -> None:
        with self.lock:
            self.triggers.clear()

    def lock_row(self, record_id: str, code: str = "UNABLE_TO_LOCK_ROW") -> None:
        """Until it is unlocked the API can't save it, nor, unless it is locked by an approval (ENTITY_IS_LOCKED), what
        belongs to it."""
        if code not in LOCK_WORDS:
            raise ValueError(f"code is one of {', '.join(LOCK_WORDS)}")
        with self.lock:
            self.locks[str(self._existing(record_id)[1]["Id"])] = code

    def unlock_row(self, record_id: str) -> None:
        with self.lock:
            self.locks.pop(canonical(record_id) or "", None)

    def archive(self) -> None:
        """What Salesforce does by itself, each night of the org's clock."""
        with self.lock:
            archive(self)

    def expire_sessions(self) -> None:
        """Every session id issued so far is worth nothing."""
        self.logins.expire()

    def revoke_logins(
        self, code: str = "invalid_grant", description: str = "user hasn't approved this consumer"
    ) -> None:
        """Refuse every login from now on, with this OAuth error."""
        self.logins.refusal = (code, description)

    def allow_logins(self) -> None:
        self.logins.refusal = None

    # For the parts of this package

    def catch_up(self) -> None:
        """Do what was due since somebody last looked: Bulk jobs, and each night's archiving."""
        self.jobs.advance()
        today = self.clock().date().isoformat()
        if today > self._archived_on:
            if self._archived_on:
                archive(self)
            self._archived_on = today

    def new_id(self, prefix: str) -> str:
        self._counters[prefix] = self._counters.get(prefix, 0) + 1
        return make_id(prefix, self._counters[prefix])

    def now(self) -> str:
        return render(self.clock())

    def as_person(self) -> Actor:
        return Actor(self.person, api=False, auto_assign=False)

    def _existing(self, record_id: str) -> "tuple[str, dict[str, Scalar]]":
        self.catch_up()
        found = canonical(record_id)
        row = self.row(found) if found else None
        if found is None or row is None:
            raise KeyError(record_id)
        return self.type_of(found), row
