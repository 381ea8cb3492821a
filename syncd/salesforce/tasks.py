"""Activities are Tasks: created closed, found again by the token in their text."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import UTC, datetime
from typing import TYPE_CHECKING

from simple_salesforce.format import format_soql

from syncd.activities import token_in
from syncd.salesforce.errors import receipt
from syncd.salesforce.records import answered

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


class Tasks:
    def __init__(self, session: Session) -> None:
        self._session = session
        self._closed = ""

    def create(self, activities: Sequence[tuple[str, Mapping[str, Value]]]) -> list[Receipt]:
        """(record id, content by role), at most 200: a receipt for each, with the new Task's id."""
        records = [
            {
                "attributes": {"type": "Task"},
                "WhoId": who,
                "Status": self._closed_status(),
                "TaskSubtype": "Email",  # can be set on creation only
                **_content(values),
            }
            for who, values in activities
        ]
        return self._write("POST", records)

    def update(self, activities: Sequence[tuple[str, Mapping[str, Value]]]) -> list[Receipt]:
        """(Task id, content by role), at most 200: a receipt for each."""
        return self._write(
            "PATCH",
            [{"attributes": {"type": "Task"}, "id": task_id, **_content(values)} for task_id, values in activities],
        )

    def delete(self, task_ids: Sequence[str]) -> list[Receipt]:
        """At most 200: a receipt for each."""
        params = {"ids": ",".join(task_ids), "allOrNone": "false"}
        answer = self._session.call("DELETE", "composite/sobjects", params=params)
        return [receipt(row) for row in answered(answer, len(task_ids))]

    def find(self, who_ids: Iterable[str], since: int) -> dict[str, Found]:
        """The Tasks of these records made since then, by the token they carry; deleted and archived ones too."""
        found: dict[str, Found] = {}
        wanted = sorted(set(who_ids))
        moment = datetime.fromtimestamp(since / 1000, UTC)
        for start in range(0, len(wanted), IDS_A_QUERY):
            soql = format_soql(
                "SELECT Id, Description, IsDeleted FROM Task WHERE WhoId IN {} AND CreatedDate >= {}",
                wanted[start : start + IDS_A_QUERY],
                moment,
            )
            for row in self._session.query(soql, deleted=True):
                token = token_in(row.get("Description") or "")
                if token:
                    found[token] = Found(str(row["Id"]), bool(row.get("IsDeleted")))
        return found

    def _write(self, method: str, records: list[dict[str, object]]) -> list[Receipt]:
        answer = self._session.call(method, "composite/sobjects", body={"allOrNone": False, "records": records})
        return [receipt(row) for row in answered(answer, len(records))]

    def _closed_status(self) -> str:
        """The org's first closed status: an activity reports what happened and asks nobody to do anything."""
        if not self._closed:
            rows = self._session.query("SELECT MasterLabel FROM TaskStatus WHERE IsClosed = true ORDER BY SortOrder")
            self._closed = str(rows[0]["MasterLabel"]) if rows else "Completed"
        return self._closed


def _content(values: Mapping[str, Value]) -> dict[str, object]:
    return {
        "Subject": values["subject"],
        "Description": values["description"],
        "ActivityDate": values["day"],
    }
