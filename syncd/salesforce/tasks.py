"""Activities are Tasks: created closed, found again by the token in their text, or in a field of its own.

With `[activities] external_id_field` a Task is created by an upsert on that field, so that Salesforce itself makes it
once only. A Task that is known is never upserted but updated by its id: an upsert would make one anew that a person has
deleted.
"""

from __future__ import annotations

from dataclasses import dataclass, replace
from datetime import UTC, datetime
from typing import TYPE_CHECKING, Any

from simple_salesforce.format import format_soql

from syncd.activities import token_in
from syncd.model import Fate
from syncd.salesforce.errors import receipts

if TYPE_CHECKING:
    from collections.abc import Iterable, Mapping, Sequence

    from syncd.model import Receipt, Value
    from syncd.salesforce.session import Session

IDS_A_QUERY = 400
"""A query is a GET, whose URI may be 16,384 bytes long; an id takes 27 of them once it is encoded."""


@dataclass(frozen=True, slots=True)
class Found:
    """A Task that carries one of our tokens."""

    task_id: str
    deleted: bool
    values: Mapping[str, Value]  # by role, as Salesforce has them


class Tasks:
    def __init__(self, session: Session, external_id_field: str = "") -> None:
        self._session = session
        self._field = external_id_field
        self._closed = ""

    def create(self, activities: Sequence[tuple[str, Mapping[str, Value], str]]) -> list[Receipt]:
        """(record id, content by role, token), at most 200: a receipt for each, with the Task's id."""
        path = f"composite/sobjects/Task/{self._field}" if self._field else "composite/sobjects"
        records = [{"attributes": {"type": "Task"}, **self.new(*activity)} for activity in activities]
        return self._write("PATCH" if self._field else "POST", records, path)

    def new(self, who: str, values: Mapping[str, Value], token: str) -> dict[str, object]:
        """The fields of a Task to be created."""
        # TaskSubtype can be set on creation only: an upsert that meets the Task would be refused for it
        own = {self._field: token} if self._field else {"TaskSubtype": "Email"}
        return {"WhoId": who, "Status": self._closed_status(), **content_fields(values), **own}

    @property
    def external_id_field(self) -> str:
        """The field that the token is kept in, if there is one."""
        return self._field

    def changed(self, values: Mapping[str, Value]) -> dict[str, object]:
        """The fields of a Task to be updated."""
        return content_fields(values)

    def update(self, activities: Sequence[tuple[str, Mapping[str, Value]]]) -> list[Receipt]:
        """(Task id, content by role), at most 200: a receipt for each."""
        records = [
            {"attributes": {"type": "Task"}, "id": task_id, **content_fields(values)} for task_id, values in activities
        ]
        return [self.updated(receipt) for receipt in self._write("PATCH", records)]

    def updated(self, answer: Receipt) -> Receipt:
        """Of an update: its only reference is the Task itself, which is no more once the recycle bin is emptied."""
        return replace(answer, fate=Fate.GONE) if answer.code == "INVALID_CROSS_REFERENCE_KEY" else answer

    def delete(self, task_ids: Sequence[str]) -> list[Receipt]:
        """At most 200: a receipt for each."""
        params = {"ids": ",".join(task_ids), "allOrNone": "false"}
        answer = self._session.call("DELETE", "composite/sobjects", params=params)
        return receipts(answer, len(task_ids))

    def read(self, task_ids: Iterable[str]) -> dict[str, Found]:
        """By id; deleted and archived ones too. What Salesforce does not know any more is missing."""
        found: dict[str, Found] = {}
        wanted = sorted(set(task_ids))
        for start in range(0, len(wanted), IDS_A_QUERY):
            soql = format_soql(
                f"SELECT {self._columns} FROM Task WHERE Id IN {{}}", wanted[start : start + IDS_A_QUERY]
            )
            for row in self._session.query(soql, deleted=True):
                found[str(row["Id"])] = _found(row)
        return found

    def find(self, who_ids: Iterable[str], since: int) -> dict[str, Found]:
        """The Tasks of these records made since then, by the token they carry; deleted and archived ones too.

        Of two with one token, which is what a Task that was taken back and made again leaves, the living one counts.
        """
        return self._by_token("WhoId IN {} AND CreatedDate >= {}", who_ids, datetime.fromtimestamp(since / 1000, UTC))

    def may_exist(self, answer: Receipt) -> bool:
        """Whether the refusal of a new Task may mean that there is one with its token: only the token's field says so.

        Any other field that has to be unique is the org's own rule, as a validation is.
        """
        return bool(self._field) and answer.code in _DUPLICATES

    def with_tokens(self, tokens: Iterable[str]) -> dict[str, Found]:
        """Those with one of these tokens in the field that is for it, whenever and for whomever they were made."""
        return self._by_token(f"{self._field} IN {{}}", tokens)

    def _by_token(self, condition: str, of: Iterable[str], *more: object) -> dict[str, Found]:
        """`of`: the values of the condition's first placeholder, `more`: those of the others."""
        found: dict[str, Found] = {}
        wanted = sorted(set(of))
        for start in range(0, len(wanted), IDS_A_QUERY):
            some = wanted[start : start + IDS_A_QUERY]
            soql = format_soql(f"SELECT {self._columns} FROM Task WHERE {condition}", some, *more)
            for row in self._session.query(soql, deleted=True):
                token = self.token_of(row)
                if token and (token not in found or found[token].deleted):
                    found[token] = _found(row)
        return found

    @property
    def _columns(self) -> str:
        return ", ".join(("Id", *([self._field] if self._field else []), *_FIELDS.values(), "IsDeleted"))

    def token_of(self, row: Mapping[str, object]) -> str:
        """The token that a Task carries, in its own field or at the end of its text."""
        own = str(row.get(self._field) or "") if self._field else ""
        return own or token_in(str(row.get("Description") or ""))

    def _write(self, method: str, records: list[dict[str, object]], path: str = "composite/sobjects") -> list[Receipt]:
        answer = self._session.call(method, path, body={"allOrNone": False, "records": records})
        return receipts(answer, len(records))

    def _closed_status(self) -> str:
        """The org's first closed status: an activity reports what happened and asks nobody to do anything.

        By the name that is stored, not by the label, which an org may have changed (help 004205234): a picklist that
        is not restricted takes any word, and what is no status is not closed.
        """
        if not self._closed:
            rows = self._session.query("SELECT ApiName FROM TaskStatus WHERE IsClosed = true ORDER BY SortOrder")
            self._closed = str(rows[0]["ApiName"]) if rows else "Completed"
        return self._closed


_DUPLICATES = frozenset({"DUPLICATE_VALUE", "DUPLICATE_EXTERNAL_ID"})
_FIELDS = {"subject": "Subject", "description": "Description", "day": "ActivityDate"}


def content_fields(values: Mapping[str, Value]) -> dict[str, object]:
    return {field: values[role] for role, field in _FIELDS.items()}


def _found(row: Mapping[str, Any]) -> Found:
    values = {role: row.get(field) for role, field in _FIELDS.items()}
    return Found(str(row["Id"]), bool(row.get("IsDeleted")), values)
