"""The conversations: what is there before, what is said, and what must come of it, wherever it is said.

`before` goes through plain REST calls, so that a real org can be asked too; `unreal` cases need what only the sandbox
can be made to do.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from syncd.errors import Fatal
from syncd.salesforce import Row
from syncd.sandbox import parse
from tests.factories import payload

if TYPE_CHECKING:
    from syncd.model import Value
    from syncd.salesforce.session import Session
    from syncd.sandbox import Org
    from tests.conftest import Syncd

World = dict[str, str]
BOUNCED: dict[str, Value] = {"bounce_date": 1_772_442_000_000, "bounce_reason": "550 5.1.1 user unknown"}


class Hands:
    """Makes records and takes them away again; `org` is there if it is the sandbox."""

    def __init__(self, session: Session, org: Org | None) -> None:
        self.session, self.org = session, org
        self.made: list[tuple[str, str]] = []

    def add(self, kind: str, name: str, **fields: Any) -> str:
        sent = {"LastName": f"syncd cassette {name}", "Email": f"syncd.{name}@example.com"} | fields
        record_id = str(self.session.call("POST", f"sobjects/{kind}", body=sent)["id"])
        self.made.append((kind, record_id))
        return record_id

    def remove(self, kind: str, record_id: str) -> None:
        self.session.call("DELETE", f"sobjects/{kind}/{record_id}")
        self.made.remove((kind, record_id))

    def clean_up(self) -> None:
        for kind, record_id in reversed(self.made):
            self.session.call("DELETE", f"sobjects/{kind}/{record_id}")
        self.made.clear()


@dataclass(frozen=True)
class Case:
    before: Callable[[Hands], World]
    play: Callable[[Syncd, World], Any]
    outcome: Any
    unreal: Callable[[Org], None] | None = None
    """Set up in the sandbox between `before` and `play`; a real org can't be made to do it."""


def _nobody(_: Hands) -> World:
    return {}


def _one(hands: Hands) -> World:
    return {"one": hands.add("Contact", "one")}


def _two(hands: Hands) -> World:
    return {"one": hands.add("Contact", "one"), "two": hands.add("Lead", "two", Company="syncd cassette")}


def _one_gone(hands: Hands) -> World:
    world = {"one": hands.add("Contact", "one"), "gone": hands.add("Contact", "gone")}
    hands.remove("Contact", world["gone"])
    return world


def _say(syncd: Syncd, world: World, who: str, kind: str, day: float, send: str = "s1") -> None:
    syncd.receive(payload(kind, day, send, whId=world[who], email=f"syncd.{who}@example.com"))


def _login(syncd: Syncd, _: World) -> Any:
    return [bool(syncd.crm.session.log_in()), "66.0" in syncd.crm.session.versions()]


def _marks(syncd: Syncd, world: World) -> Any:
    _say(syncd, world, "one", "hard_bounce", 1)
    _say(syncd, world, "two", "unsubscribe", 1)
    said = syncd.run()
    return [said.ended, sorted(syncd.changes()), syncd.run().calls]


def _lifts(syncd: Syncd, world: World) -> Any:
    _say(syncd, world, "one", "hard_bounce", 1)
    syncd.run()
    _say(syncd, world, "one", "delivered", 8, "s2")
    return [syncd.run().ended, sorted(syncd.changes())]


def _mixed(syncd: Syncd, world: World) -> Any:
    receipts = syncd.crm.records.write([Row("Contact", world[who], BOUNCED) for who in ("one", "gone")])
    return [(receipt.fate.value, receipt.code) for receipt in receipts]


def _tasks(syncd: Syncd, world: World) -> Any:
    _say(syncd, world, "one", "open", 1)
    syncd.run()
    _say(syncd, world, "one", "click", 1.1)
    syncd.run()
    soql = f"SELECT Subject, Status, TaskSubtype, ActivityDate, Description FROM Task WHERE WhoId = '{world['one']}'"
    rows = syncd.crm.session.query(soql)
    shown = [{**row, "Description": row["Description"].split("\n")[0]} for row in rows]
    return [{name: value for name, value in row.items() if name != "attributes"} for row in shown]


def _uncertain(syncd: Syncd, world: World) -> Any:
    _say(syncd, world, "one", "open", 1)
    endings = [syncd.run().ended]
    for _ in range(3):
        syncd.later(hours=1)
        endings.append(syncd.run().ended)
    rows = syncd.crm.session.query(f"SELECT Id FROM Task WHERE WhoId = '{world['one']}'", deleted=True)
    return [endings, len(rows)]


def _pages(syncd: Syncd, world: World) -> Any:
    return len(syncd.crm.session.query("SELECT Id, Email FROM Contact WHERE Email LIKE 'syncd.%'"))


def _many(hands: Hands) -> World:
    return {f"n{number}": hands.add("Contact", f"n{number}") for number in range(5)}


def _refused(syncd: Syncd, _: World) -> Any:
    try:
        syncd.crm.session.query("SELECT Shoes FROM Contact")
    except Fatal as error:
        return error.code
    return "not refused"


def _small_pages(org: Org) -> None:
    org.page_size = 2


def _lose_an_answer(org: Org) -> None:
    org.faults.add(parse("503-after x1 on composite/sobjects$"))


def _end_sessions(org: Org) -> None:
    org.faults.add(parse("session-expired x1 on /query"))


MARKED = [("mark", "done"), ("opt_out", "done")]
TASK = {
    "Subject": "Nos nouveautés",
    "Status": "Completed",
    "TaskSubtype": "Email",
    "ActivityDate": "2026-03-03",
    "Description": "Opened once, clicked once",
}
CASES: dict[str, Case] = {
    "logging in with a JWT": Case(_nobody, _login, [True, True]),
    "a mark, an opt-out, and nothing more to do": Case(_two, _marks, ["done", MARKED, 0]),
    "a mark lifted after a success": Case(_one, _lifts, ["done", [("lift", "done"), ("mark", "done")]]),
    "an answer with a good and a bad row": Case(_one_gone, _mixed, [("taken", ""), ("gone", "ENTITY_IS_DELETED")]),
    "a Task created and updated": Case(_one, _tasks, [TASK]),
    "a query that names no field": Case(_nobody, _refused, "INVALID_FIELD"),
    "a Task whose answer was lost": Case(
        _one, _uncertain, [["unavailable", "done", "done", "done"], 1], _lose_an_answer
    ),
    "a query of several pages": Case(_many, _pages, 5, _small_pages),
    "a session that ends": Case(_many, _pages, 5, _end_sessions),
}
