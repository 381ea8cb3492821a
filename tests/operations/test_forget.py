"""A person who asks for it is told what is stored, and erased: not a byte of the address is left in the files."""

from __future__ import annotations

import json
import time
import unicodedata
from collections.abc import Callable
from contextlib import suppress
from pathlib import Path
from sqlite3 import IntegrityError

import pytest

from syncd.salesforce.tasks import Tasks
from syncd.sandbox import Fault, Org
from syncd.store import Inbox, Work, totals
from syncd.store.inbox import Unread
from syncd.store.mentions import Mentions, Person
from tests.conftest import Syncd
from tests.effort import effort
from tests.factories import ADDRESS, payload
from tests.operate.conftest import Commands

OTHER = "paul.martin@example.fr"
WORDS = {"smtpDescription": f"550 <{ADDRESS.upper()}> is unknown here"}


def fill(syncd: Syncd, contact: str, add: Callable[[str], str]) -> str:
    """A person with a mark, a Task, an opt-out, something in quarantine, a mention by somebody else, and others."""
    other = add(OTHER)
    syncd.receive(
        *(payload("open", 0, "s0", email=f"n{i}@example.fr", whId="") for i in range(300)),
        payload("hard_bounce", 1, whId=contact, **WORDS),
        payload("open", 2, whId=contact),
        payload("unsubscribe", 2, whId=contact),
        payload("hard_bounce", 1, email=OTHER, whId=other, **WORDS),
    )
    syncd.run()
    kept = json.dumps({"email": ADDRESS.upper(), "date": "soon"}).encode()
    Inbox(syncd.db).append([], [Unread(syncd.clock(), "webhook", "no date", kept)])
    syncd.receive(payload("click", 3, whId=contact))
    return other


def bytes_of(directory: Path) -> bytes:
    return b"".join(file.read_bytes() for file in directory.glob("syncd.db*")).lower()


def test_nothing_of_the_address_and_its_whid_is_left_in_the_files(
    syncd: Syncd, command: Commands, contact: str, add: Callable[[str], str], org: Org, tmp_path: Path
) -> None:
    other = fill(syncd, contact, add)
    before, counted = (org.get(contact), org.get(other), org.all("Task")), totals.by_kind(syncd.db)
    assert ADDRESS.encode() in bytes_of(tmp_path)
    dry = command.json("forget", ADDRESS, "--dry-run")
    assert (dry["events"], dry["recipients"], dry["quarantined"], dry["written"]) == (4, 1, 1, False)
    assert len(json.loads(command("export", ADDRESS))["events"]) == 4
    said = command.json("forget", ADDRESS)
    assert (said["events"], said["recipients"], said["quarantined"], said["traces"]) == (4, 1, 1, 0)
    assert said["mentions"] > 0
    left = bytes_of(tmp_path)
    assert ADDRESS.encode() not in left
    assert contact.lower().encode() not in left
    assert OTHER.encode() in left
    command("resync", "--all")
    assert (org.get(contact), org.get(other), org.all("Task")) == before
    assert totals.by_kind(syncd.db) == counted | {"click": (1, 1)}
    exported = json.loads(command("export", ADDRESS))
    assert [name for name, found in exported.items() if found] == ["address"]


@pytest.mark.parametrize("nobody", ["", " ", "@", "a", "@example.fr", "jeanne@"])
def test_what_is_no_whole_address_erases_nothing(
    syncd: Syncd, command: Commands, contact: str, add: Callable[[str], str], nobody: str
) -> None:
    """Of nothing, everything would be a mention, and all that waits in quarantine be emptied."""
    fill(syncd, contact, add)
    before = list(syncd.db.conn.iterdump())
    command("forget", nobody, code=2)
    assert "is no address" in command.errors
    command("export", nobody, code=2)
    assert before == list(syncd.db.conn.iterdump())


ROWS_OF_NOBODY = (
    """INSERT INTO decisions (subject_id, aspect, verdict, at, through, by)
      SELECT id, 'invalid', 'undone', 1, 1, '' FROM subjects WHERE sf_id = :other""",
    "INSERT INTO alarms (key, words, advice, opened_at) VALUES ('', '', '', 1)",
    "INSERT INTO holds (by_what, value, opened_at) VALUES ('text', '', 1)",
    "INSERT INTO jobs (run_id, object, operation, state, created_at) SELECT id, '', '', '', 1 FROM runs LIMIT 1",
    "INSERT INTO meta VALUES ('some', '')",
    "INSERT INTO signs VALUES (1, 'some', 1)",
)
NOT_OWN = {
    "events": f"address = '{OTHER}'",
    "recipients": f"address = '{OTHER}'",
    "subjects": "sf_id = :other",
    "changes": "sf_id = :other",
    "receipts": "change_id IN (SELECT id FROM changes WHERE sf_id = :other)",
    "activities": "false",  # those of others have no column but ids and digests
    "meta": "name = 'some'",
    "rules": "false",  # of nobody
}


def texts_of(syncd: Syncd) -> list[tuple[str, str]]:
    """Every column of every table that can hold text, asked of the schema."""
    return [
        (table.name, column.name)
        for table in syncd.db.tables
        for column in table.columns
        if column.type == "TEXT" and not table.name.startswith("_sqlite")
    ]


def plant(syncd: Syncd, said: str, other: str) -> set[str]:
    """Has each column that takes it say this in a row that is not the person's own; which those are."""
    for sql in ROWS_OF_NOBODY:
        syncd.db.execute(sql, {"other": other})
    planted = set()
    for table, column in reversed(texts_of(syncd)):  # what names a row stands before what it says
        which = f"{column} = (SELECT {column} FROM {table} WHERE {NOT_OWN.get(table, 'true')} LIMIT 1)"
        for text in (said, json.dumps({"said": said})):
            with suppress(IntegrityError):
                sql = f"UPDATE {table} SET {column} = :text WHERE {which}"
                if syncd.db.execute(sql, {"text": text, "other": other}).rowcount:
                    planted.add(f"{table}.{column}")
                    break
    return planted


def test_no_column_of_any_table_names_who_was_forgotten(
    syncd: Syncd, command: Commands, contact: str, add: Callable[[str], str], tmp_path: Path
) -> None:
    """Wherever a mail server, Salesforce, a person or syncd itself may have quoted the address or the whId."""
    other = fill(syncd, contact, add)
    planted = plant(syncd, f"<{ADDRESS}>, duplicates value on record with id: {contact[:15]}", other)
    assert planted >= {
        "alarms.words", "alarms.advice", "decisions.by", "decisions.note", "holds.value", "holds.decided_by",
        "receipts.words", "runs.cause", "runs.summary", "changes.why", "events.raw", "events.send", "sends.send",
        "mailings.key", "meta.value", "quarantine.reason", "quarantine.source", "jobs.state",
    }  # fmt: skip
    command("forget", ADDRESS, "--rewrite")  # rows that have grown may have left copies in unused space
    for table, column in texts_of(syncd):
        texts = [str(text) for (text,) in syncd.db.execute(f"SELECT {column} FROM {table}").fetchall()]
        assert not [text for text in texts if ADDRESS in text or contact[:15] in text], (table, column)
    left = bytes_of(tmp_path)
    assert ADDRESS.encode() not in left
    assert contact[:15].lower().encode() not in left


@pytest.mark.parametrize(
    "said",
    [
        "jeanne.durand@example.fr",
        "<JEANNE.Durand@example.fr>",
        "mailto:jeanne.durand%40example.fr&x",
        "\\njeanne.durand@example.fr",
        "to=jeanne%2Edurand%40example%2Efr",
        "%3Cjeanne.durand@example.fr.",
        "\\u003cjeanne.durand\\u0040example.fr\\u003e",
    ],
)
def test_an_address_is_found_however_it_is_spelt(said: str) -> None:
    person = Person("jeanne.durand@example.fr")
    assert person.is_in(said)
    assert "durand" not in person.without(said).lower()


@pytest.mark.parametrize(
    "said", ["josé@exämple.fr", "JOSÉ@EXÄMPLE.FR", "jos\\u00e9@ex\\u00C4mple.fr", "jos%C3%A9%40ex%c3%a4mple.fr"]
)
def test_letters_with_accents_are_found_too(said: str) -> None:
    for form in ("NFC", "NFD"):
        assert Person("josé@exämple.fr").without(unicodedata.normalize(form, said)) == "forgotten"


@pytest.mark.parametrize(
    "said",
    [
        "marie-jeanne.durand@example.fr",
        "ajeanne.durand@example.fr",
        "jeanne.durand@example.fr.example.net",
        "jeanne.durand@example.france",
    ],
)
def test_somebody_elses_address_that_contains_it_is_not_touched(said: str) -> None:
    assert Person("jeanne.durand@example.fr").without(said) == said


def test_a_whid_without_the_address_in_quarantine_goes_too_and_a_number_elsewhere_stays(
    syncd: Syncd, command: Commands
) -> None:
    syncd.receive(payload("open", whId="42"), payload("open", email=OTHER, whId="43", sendId="42"))
    for body in (b'{"whId": "42", "date": "soon"}', b"whId=42&date=soon", b'{"whId": "142", "date": 42}'):
        Inbox(syncd.db).append([], [Unread(syncd.clock(), "webhook", "no address", body)])
    assert command.json("forget", ADDRESS)["quarantined"] == 2
    assert len(json.loads(command("export", OTHER))["events"]) == 1
    assert syncd.db.execute("SELECT whid, send FROM events").fetchall() == [("43", "42")]


@pytest.mark.parametrize("encoding", ["utf-16", "utf-16-le", "cp1252"])
def test_a_delivery_in_quarantine_is_found_in_any_encoding(syncd: Syncd, command: Commands, encoding: str) -> None:
    kept = json.dumps({"email": ADDRESS, "name": "Jérôme", "date": "soon"}, ensure_ascii=False).encode(encoding)
    Inbox(syncd.db).append([], [Unread(syncd.clock(), "webhook", "no date", kept)])
    assert len(json.loads(command("export", ADDRESS))["quarantine"]) == 1
    assert command.json("forget", ADDRESS)["quarantined"] == 1
    assert json.loads(command("export", ADDRESS))["quarantine"] == []


def test_an_erasure_that_was_killed_is_completed_by_the_next(
    syncd: Syncd,
    command: Commands,
    contact: str,
    add: Callable[[str], str],
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    """What it had erased by then told whose id it was."""

    def die(*_: object) -> None:
        raise KeyboardInterrupt

    plant(syncd, f"duplicates value on record with id: {contact}", fill(syncd, contact, add))
    with monkeypatch.context() as patched:
        patched.setattr(Mentions, "everywhere", die)
        command("forget", ADDRESS, code=None)
    command("forget", ADDRESS, "--rewrite")
    assert contact[:15].lower().encode() not in bytes_of(tmp_path)


def test_what_was_said_of_two_in_the_same_words_stays_two(syncd: Syncd, command: Commands) -> None:
    for value in (ADDRESS, ADDRESS.upper()):
        syncd.db.execute("INSERT INTO holds (by_what, value, opened_at) VALUES ('text', ?, 1)", (value,))
    assert command.json("forget", ADDRESS)["mentions"] == 2
    values = {value for (value,) in syncd.db.execute("SELECT value FROM holds").fetchall()}
    assert len(values) == 2
    assert ADDRESS not in str(values).lower()


def test_what_happened_before_does_not_come_back_and_what_happens_later_counts(
    syncd: Syncd, command: Commands, contact: str, add: Callable[[str], str], org: Org
) -> None:
    fill(syncd, contact, add)
    command("forget", ADDRESS)
    org.edit(contact, EmailBouncedDate=None, EmailBouncedReason=None)
    syncd.receive(payload("hard_bounce", 1, whId=contact, **WORDS), payload("soft_bounce", 1, whId=contact))
    syncd.run()
    assert org.get(contact)["EmailBouncedReason"] is None
    assert json.loads(command("export", ADDRESS))["events"] == []
    syncd.later(days=400)
    syncd.receive(payload("hard_bounce", 600, whId=contact))
    syncd.run()
    assert org.get(contact)["EmailBouncedReason"] == "550 5.1.1 user unknown"


def test_an_opt_out_is_honoured_once_whenever_it_comes(
    syncd: Syncd, command: Commands, contact: str, add: Callable[[str], str], org: Org
) -> None:
    """Sarbacane delivers it when the person has been forgotten already; what had been honoured does not come back."""
    fill(syncd, contact, add)
    command("forget", ADDRESS)
    org.edit(contact, HasOptedOutOfEmail=False)
    syncd.receive(payload("unsubscribe", 2, whId=contact), payload("open", 4, whId=contact))
    syncd.run()
    assert org.get(contact)["HasOptedOutOfEmail"] is False
    assert json.loads(command("export", ADDRESS))["events"] == []
    late = payload("complaint", 2.5, whId=contact)
    syncd.receive(late)
    syncd.run()
    assert org.get(contact)["HasOptedOutOfEmail"] is True
    command("forget", ADDRESS)
    syncd.receive(late)
    syncd.run()
    assert json.loads(command("export", ADDRESS))["events"] == []


def test_an_opt_out_that_salesforce_was_not_told_is_named_and_honoured_if_it_comes_again(
    syncd: Syncd, command: Commands, contact: str, org: Org
) -> None:
    opt_out = payload("unsubscribe", 2, whId=contact)
    syncd.receive(opt_out)
    syncd.run(write=False)  # its record is known, and nothing is written
    assert command.json("forget", ADDRESS, "--dry-run", code=1)["not_opted_out"] == [contact]
    command("forget", ADDRESS, "--dry-run", code=1)
    assert f"{contact} has not reached Salesforce: run syncd sync first" in command.errors
    command("forget", ADDRESS, code=1)
    assert f"{contact} had not reached Salesforce: opt the record out there" in command.errors
    syncd.run()
    assert org.get(contact)["HasOptedOutOfEmail"] is False
    syncd.receive(opt_out)
    syncd.run()
    assert org.get(contact)["HasOptedOutOfEmail"] is True


def test_of_a_record_with_two_addresses_the_other_one_stays_as_it_was(
    syncd: Syncd, command: Commands, contact: str, org: Org
) -> None:
    """Its mark is left alone, too: it is no longer syncd's, so that nothing is written because of an erasure."""
    syncd.receive(
        payload("hard_bounce", 1, whId=contact, **WORDS), payload("open", 2, email=OTHER, whId=contact),
    )  # fmt: skip
    syncd.run()
    before = (org.get(contact), org.all("Task"))
    assert f"syncd forget {OTHER}" in command("forget", ADDRESS)
    command("resync", "--all")
    assert (org.get(contact), org.all("Task")) == before
    assert [event["email"] for event in map(_raw, json.loads(command("export", OTHER))["events"])] == [OTHER]


def test_a_task_of_unknown_fate_that_named_the_address_is_not_made_again_and_stops_no_run(
    syncd: Syncd, command: Commands, contact: str, org: Org
) -> None:
    org.faults.add(Fault(path="composite/sobjects$", method="POST", status=503, when="after", times=1))
    link = f"https://acme.example/?to={ADDRESS}"
    syncd.receive(payload("click", 1, "s", whId=contact, url=link), payload("open", 1, "s", email=OTHER, whId=contact))
    assert (syncd.run().ended, syncd.changes()) == ("unavailable", [("activity", "uncertain")])
    command("forget", ADDRESS)
    syncd.clock.at = time.time_ns() // 1_000_000
    syncd.later(minutes=11)
    syncd.receive(payload("open", 2, "s", email=OTHER, whId=contact))
    assert syncd.run().ended == "done"
    assert len(org.all("Task")) == 1


def test_what_a_crash_left_unclear_has_its_time_to_appear_though_somebody_is_forgotten_meanwhile(
    syncd: Syncd, command: Commands, contact: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    def die(*_: object) -> None:
        raise KeyboardInterrupt

    syncd.receive(payload("open", 1, "s", whId=contact))
    with monkeypatch.context() as patched:
        patched.setattr(Tasks, "create", die)
        with pytest.raises(KeyboardInterrupt):
            syncd.run()
    command("forget", OTHER)
    started = time.time_ns() // 1_000_000
    ((not_before,),) = syncd.db.execute("SELECT not_before FROM activities").fetchall()
    assert not_before > started + 9 * 60_000


def _raw(event: dict[str, dict[str, str]]) -> dict[str, str]:
    return event["raw"]


def test_however_many_were_forgotten_taking_in_what_comes_is_no_more_work(syncd: Syncd, command: Commands) -> None:
    syncd.receive(payload("open", whId=""))
    syncd.run()
    command("forget", ADDRESS)

    work = Work(syncd.db)

    def fold(day: int) -> int:
        syncd.receive(payload("open", day, email="n@example.fr", whId=""))
        return effort(syncd.db, lambda: work.fold(syncd.clock(), work.newest()))

    fold(1)
    before = fold(2)
    syncd.db.conn.executemany("INSERT INTO forgotten VALUES (?, 1)", [(b"%16d" % i,) for i in range(2_000)])
    assert fold(3) < before + 1_000


def test_nobody_of_that_address_is_no_error(command: Commands) -> None:
    assert command("forget", "nobody@example.fr").startswith("Erased: 0 events of 0 recipients")


def test_what_unused_space_holds_is_found_and_a_rewrite_ends_it(
    syncd: Syncd, command: Commands, contact: str, tmp_path: Path
) -> None:
    """As after a deletion by a program that does not overwrite."""
    syncd.receive(*(payload("open", i, f"s{i}", whId=contact, subject="x" * 500) for i in range(200)))
    syncd.run()
    syncd.db.execute("PRAGMA secure_delete=OFF")
    syncd.db.execute("DELETE FROM events")
    assert command.json("forget", ADDRESS, code=1)["traces"] > 0
    assert command.json("forget", ADDRESS, "--rewrite")["traces"] == 0
    assert ADDRESS.encode() not in bytes_of(tmp_path)
