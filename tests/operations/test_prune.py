"""Pruning makes the store smaller and writes nothing to Salesforce, then or later."""

from __future__ import annotations

from collections import Counter

from syncd.model import Rules
from syncd.retention import surplus
from syncd.sandbox import Org
from syncd.store import Inbox, Work
from syncd.store.inbox import Unread
from syncd.store.prune import Prune, Pruned
from tests.conftest import Syncd
from tests.factories import payload
from tests.operate.conftest import Commands


def test_old_events_go_and_nothing_is_written_because_of_it(
    syncd: Syncd, command: Commands, contact: str, org: Org
) -> None:
    """The clock of the command is the machine's, so `old` is two years before today."""
    history = [
        payload("hard_bounce", -1000, "a", whId=contact),
        payload("open", -990, "b", whId=contact),
        payload("click", -990, "b", whId=contact),
        payload("unsubscribe", -989, "b", whId=contact),
        payload("open", -900, "c", whId=contact),  # the last of its kind is shown in a field, if the company wants that
        payload("click", -900, "c", whId=contact),
        payload("hard_bounce", -10, "d", whId=contact),
    ]
    syncd.receive(*history)
    syncd.run()
    syncd.run()
    Inbox(syncd.db).append([], [Unread(syncd.clock() - 100 * 86_400_000, "webhook", "no JSON", b"?")])
    before = (org.get(contact), org.all("Task"))
    assert command.json("prune", "--dry-run")["events"] == 3
    said = command.json("prune")
    assert (said["events"], said["needed"], said["subjects"], said["quarantined"]) == (3, 3, 1, 1)
    assert [event["kind"] for event in syncd.desk.events()] == ["unsubscribe", "open", "click", "hard_bounce"]
    assert command.json("prune")["events"] == 0

    command("resync", "--all")
    assert (org.get(contact), org.all("Task")) == before
    syncd.receive(*history)  # all of it once more, as an old file would bring it
    syncd.run()
    assert len(syncd.desk.events()) == 4
    syncd.receive(payload("click", 200, "b", whId=contact))  # on a mail of years ago: no success of a later send
    syncd.run()
    assert (org.get(contact), org.all("Task")) == before
    assert len(syncd.desk.events()) == 5
    assert command("explain", contact)
    syncd.receive(payload("complaint", 201, "b", whId=contact))  # that counts, whatever mail it is about
    org.edit(contact, HasOptedOutOfEmail=False)
    syncd.run()
    syncd.receive(payload("complaint", 202, "b", whId=contact, date=syncd.clock() + 1_000))
    syncd.run()
    assert org.get(contact)["HasOptedOutOfEmail"] is True


def test_what_waits_for_a_run_keeps_everything(syncd: Syncd, command: Commands, contact: str) -> None:
    syncd.receive(payload("delivered", -1000, "a", whId=contact), payload("delivered", -900, "b", whId=contact))
    assert command.json("prune")["events"] == 0  # no run has seen it
    syncd.run()
    command("resync", "--all", "--dry-run")
    syncd.db.execute("UPDATE subjects SET due_at = 1")
    said = command.json("prune")
    assert (said["events"], said["needed"], said["waiting"]) == (0, 0, 1)
    assert "Kept until the next time: all of 1 subject with work waiting." in command("prune")
    syncd.db.execute("UPDATE subjects SET due_at = NULL")
    said = command.json("prune")
    assert (said["events"], said["needed"], said["waiting"]) == (1, 1, 0)


def test_marks_keep_their_receipts_and_activities_lose_theirs(syncd: Syncd, command: Commands, contact: str) -> None:
    syncd.receive(payload("open", -900, "a", whId=contact), payload("hard_bounce", -800, "b", whId=contact))
    syncd.clock.at -= 800 * 86_400_000
    syncd.run()
    assert sorted(change["what"] for change in syncd.desk.changes()) == ["activity", "mark"]
    assert command.json("prune")["changes"] == 1
    assert [(change["what"], len(change["receipts"])) for change in syncd.desk.changes()] == [("mark", 1)]
    syncd.clock.at += 800 * 86_400_000
    assert not syncd.run().changes


def test_of_neighbours_only_the_one_of_whom_something_came_meanwhile_keeps_everything(syncd: Syncd, org: Org) -> None:
    contacts = [org.add("Contact", LastName="M", Email=f"m{number}@example.fr") for number in range(3)]
    syncd.receive(
        *(payload("delivered", day, f"s{day}", whId=whid) for whid in contacts for day in (-1000, -990, -900, -890))
    )
    syncd.run()
    pruning, said, before = Prune(syncd.db), Pruned(), syncd.clock() - 100 * 86_400_000
    (cases,) = pruning.old(before)
    page = [(case, surplus(case, Rules(), before)) for case in cases]
    syncd.receive(payload("click", 0, "t", whId=contacts[1]))
    Work(syncd.db).fold(syncd.clock(), 100)
    syncd.db.execute("UPDATE subjects SET due_at = NULL")
    pruning.remove(page, before, said)
    assert (said.subjects, said.events, said.needed) == (2, 6, 6)
    left = Counter(event["whid"] for event in syncd.desk.events())
    assert [left[whid] for whid in contacts] == [1, 5, 1]
