"""What people do to whole records in the user interface: merge them, convert Leads, delete, restore, purge.

No recording of a merge or a conversion is public. What is done here follows the SOAP API guide (`merge()`,
`convertLead()`, `undelete()`, `emptyRecycleBin()`) and the object reference of Contact and Lead; where both are silent
the comment says so.
"""

from collections.abc import Iterator, Sequence
from typing import TYPE_CHECKING, Any

from syncd.sandbox import rules
from syncd.sandbox.saving import save

if TYPE_CHECKING:
    from syncd.sandbox.org import Org
    from syncd.sandbox.schema import Row

MERGEABLE = ("Account", "Contact", "Lead")
MOST_LOSERS = 2
"""`merge()`: "up to three records", the master included."""
CHILDREN = (
    ("Contact", "AccountId"),
    ("Account", "ParentId"),
    ("Case", "ContactId"),
    ("Case", "AccountId"),
    ("Task", "WhoId"),
    ("Task", "WhatId"),
    ("Task", "AccountId"),
)
"""What hangs on a record and moves with it. MasterRecordId and the Converted…Ids of others stay as they were: a chain
has to be followed link by link."""
CONVERTED = "Closed - Converted"
KEPT_AT_CONVERSION = ("FirstName", "LastName", "Salutation", "Email", "Phone", "MobilePhone", "Title", "LeadSource")


def merge(org: "Org", kind: str, master: "Row", losers: "Sequence[Row]", values: dict[str, object]) -> None:
    """The losers are deleted with MasterRecordId = the master's id, what hung on them hangs on the master, whose values
    stay except those given. ValueError if Salesforce would refuse it."""
    _mergeable(org, kind, master, losers)
    if values:
        save(org, org.objects[kind], master, values, org.as_person())
    for loser in losers:
        _move_children(org, str(loser["Id"]), str(master["Id"]))
        if kind == "Account" and loser.get("IsPersonAccount"):
            _merge_person(org, master, loser)
        put(org, kind, loser, IsDeleted=True, MasterRecordId=master["Id"])


def _mergeable(org: "Org", kind: str, master: "Row", losers: "Sequence[Row]") -> None:
    ids = [str(row["Id"]) for row in (master, *losers)]
    if kind not in MERGEABLE or any(org.type_of(one) != kind for one in ids):
        raise ValueError(f"only records of one type are merged: {', '.join(MERGEABLE)}")
    if not 1 <= len(losers) <= MOST_LOSERS or len(set(ids)) < len(ids):
        raise ValueError(f"a master is merged with one or {MOST_LOSERS} other records")
    if any(row["IsDeleted"] for row in (master, *losers)):
        raise ValueError("a deleted record can't be merged")
    if any(row.get("IsConverted") for row in (master, *losers)):
        raise ValueError("a converted Lead can't be merged")
    if len({bool(row.get("IsPersonAccount")) for row in (master, *losers)}) > 1:
        raise ValueError("a person account is merged with person accounts only")
    if kind == "Contact" and master.get("IsPersonAccount"):
        raise ValueError("a person account is merged as the Account it is")


def _merge_person(org: "Org", master: "Row", loser: "Row") -> None:
    """A person account is an Account and a Contact: its Contact goes the same way."""
    contact = org.row(str(loser["PersonContactId"]))
    survivor = org.row(str(master["PersonContactId"]))
    if contact and survivor:
        _move_children(org, str(contact["Id"]), str(survivor["Id"]))
        put(org, "Contact", contact, IsDeleted=True, MasterRecordId=survivor["Id"])


def convert(org: "Org", lead: "Row", account_id: str | None, contact_id: str | None) -> tuple[str, str]:
    """(Account id, Contact id): those given, or made from the Lead. ValueError if Salesforce would refuse it.

    An existing Contact keeps its values. The opt-out goes to a new one; whether the bounce fields do is documented
    nowhere: here they don't.
    """
    if lead["IsDeleted"] or lead["IsConverted"]:
        raise ValueError("a deleted or converted Lead can't be converted")
    if contact_id and not account_id:
        account_id = str((org.row(contact_id) or {}).get("AccountId") or "") or None
    person = org.as_person()
    account = account_id or save(org, org.objects["Account"], None, {"Name": lead["Company"]}, person)
    if not contact_id:
        values = {name: lead[name] for name in (*KEPT_AT_CONVERSION, "HasOptedOutOfEmail")}
        contact_id = save(org, org.objects["Contact"], None, values | {"AccountId": account}, person)
    put(
        org,
        "Lead",
        lead,
        IsConverted=True,
        Status=CONVERTED,
        ConvertedDate=org.now()[:10],
        ConvertedAccountId=account,
        ConvertedContactId=contact_id,
    )
    _move_children(org, str(lead["Id"]), contact_id)
    return account, contact_id


def set_deleted(org: "Org", kind: str, row: "Row", by: str | None = None, *, deleted: bool) -> None:
    """Into the recycle bin or out of it; a record that lost a merge and is restored stands on its own again."""
    restored: dict[str, Any] = {} if deleted or "MasterRecordId" not in row else {"MasterRecordId": None}
    put(org, kind, row, by, IsDeleted=deleted, **restored)


def put(org: "Org", kind: str, row: "Row", by: str | None = None, **values: Any) -> None:
    """Changes of Salesforce's own: no field permission and no rule before saving has a say."""
    row = org.store.tables[kind].rows[str(row["Id"])]  # its Tasks may have moved since it was read
    stamps = {"LastModifiedDate": org.now(), "SystemModstamp": org.now(), "LastModifiedById": by or org.person}
    after = row | {name: value for name, value in stamps.items() if name in row} | values
    org.store.put(kind, str(row["Id"]), after)
    rules.after_save(org, kind, row, after)


def _move_children(org: "Org", old: str, new: str) -> None:
    account = (org.row(new) or {}).get("AccountId")
    for kind, name in CHILDREN:
        for child in list(_children(org, kind, name, old)):
            moved: dict[str, Any] = {name: new}
            if name == "WhoId" and not str(child["WhatId"] or "").startswith("001"):
                moved["AccountId"] = account
            put(org, kind, child, **moved)


def _children(org: "Org", kind: str, name: str, parent: str) -> "Iterator[Row]":
    """Archived Tasks move, too. Deleted ones stay behind: nothing says that they move."""
    table = org.store.tables[kind]
    ids = table.find(name, parent) if table.has_index(name) else list(table.rows)
    for record_id in ids:
        row = table.rows[record_id]
        if row[name] == parent and not row["IsDeleted"]:
            yield row
