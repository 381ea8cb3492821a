"""`syncd events`, `runs` and `quarantine`: lists a person filters, and what is read again."""

from __future__ import annotations

import json

import pytest

from syncd import sarbacane
from syncd.model import Kind
from syncd.sandbox import Org
from syncd.store import Inbox, Unread, lists
from tests.conftest import Syncd
from tests.factories import CONTACT, payload
from tests.operate.conftest import Commands

# --- events -----------------------------------------------------------------------------------------------------


@pytest.fixture
def three(syncd: Syncd) -> None:
    syncd.receive(payload("delivered", 0, email="a@example.fr"), payload("hard_bounce", 5, email="b@example.fr"))
    syncd.run()
    syncd.receive(payload("open", 9, email="a@example.fr", whId="", campaignId="c2", subject="=1+1"))


@pytest.mark.parametrize(
    ("arguments", "ids"),
    [
        ([], [3, 2, 1]),
        (["--since", "2026-03-05"], [3, 2]),
        (["--until", "2026-03-02"], [1]),
        (["--kind", "open"], [3]),
        (["--email", "A@example.fr"], [3, 1]),
        (["--email", "a@example.fr", "--kind", "delivered"], [1]),
        (["--whid", CONTACT], [2, 1]),
        (["--campaign", "c2"], [3]),
        (["--send", "s5"], [2]),
        (["--send", "s5", "--kind", "open"], []),
        (["--limit", "2"], [3, 2]),
        (["--limit", "0"], [3, 2, 1]),
    ],
    ids=str,
)
@pytest.mark.parametrize("page", [1, 10_000])
@pytest.mark.usefixtures("three")
def test_events_are_listed_newest_first_by_filters(
    command: Commands, monkeypatch: pytest.MonkeyPatch, arguments: list[str], ids: list[int], page: int
) -> None:
    monkeypatch.setattr(lists, "EVENTS_A_PAGE", page)
    assert [event["id"] for event in command.json("events", *arguments)] == ids
    assert [int(row["id"]) for row in command.csv("events", *arguments)] == ids


def test_explaining_nobody_is_a_wrong_usage(command: Commands) -> None:
    command("explain", " ", code=2)
    assert "Say whom" in command.errors


@pytest.mark.usefixtures("three")
def test_an_event_is_a_line_with_what_it_says_and_json_has_the_payload(command: Commands) -> None:
    said = f"2026-03-07 09:00:00Z  hard_bounce  b@example.fr  {CONTACT}  s5  550 5.1.1 user unknown  [address_unknown]"
    assert command("events", "--send", "s5") == said + "\n"
    (event,) = command.json("events", "--send", "s5")
    assert event["raw"] == payload("hard_bounce", 5, email="b@example.fr")
    assert event["at"] == "2026-03-07T09:00:00.000+00:00"


@pytest.mark.usefixtures("three")
def test_a_limit_that_cuts_something_off_says_so(command: Commands) -> None:
    command("events", "--limit", "2")
    assert "--limit 0 shows all" in command.errors
    command("events", "--limit", "3")
    assert command.errors == ""


@pytest.mark.usefixtures("three")
def test_a_table_is_safe_in_a_spreadsheet(command: Commands) -> None:
    assert command.csv("events", "--kind", "open")[0]["subject"] == "'=1+1"


def test_an_empty_list_is_an_empty_document_or_a_header(command: Commands) -> None:
    assert command("events") == ""
    assert command.json("events") == []
    assert command("runs", "--csv").startswith("run,cause,")
    command("events", "--json", "--csv", code=2)


# --- runs -------------------------------------------------------------------------------------------------------


def test_runs_tell_what_came_of_them(command: Commands, syncd: Syncd, contact: str) -> None:
    syncd.receive(payload("hard_bounce", whId=contact))
    command("sync")
    command("resync", "--all")
    assert [(run["run"], run["cause"], run["changes"]) for run in command.json("runs")] == [
        (2, "resync", {}),
        (1, "sync", {"done": 1}),
    ]
    assert command.csv("runs", "--limit", "1")[0]["ended"] == "done"
    assert command("runs").splitlines()[1].endswith("sync      done: 1 event, 1 subject, 1 done; 4 calls")
    assert command.json("runs", "--until", "2026-01-01") == []


def test_a_run_that_goes_on_is_listed_too(command: Commands, syncd: Syncd) -> None:
    syncd.run()
    syncd.db.execute("UPDATE runs SET ended_at = NULL, summary = NULL")
    assert "going on, or killed" in command("runs")


# --- quarantine -------------------------------------------------------------------------------------------------

ODD = json.dumps(payload("open", whId="w", date="der 3. März"))
MIXED = json.dumps([payload("open", 1), payload("open", 2, date="der 3. März"), {"no": "event"}])


@pytest.fixture
def kept(syncd: Syncd) -> None:
    bodies = {"webhook": "half a { body", "events.json:7": ODD, "webhook 2": MIXED}
    Inbox(syncd.db).append(
        [], [Unread(1_700_000_000_000, source, "was odd", body.encode()) for source, body in bodies.items()]
    )


@pytest.fixture
def upgraded(monkeypatch: pytest.MonkeyPatch) -> None:
    """A syncd that has learnt this way of writing a date."""
    read = sarbacane._from_text
    monkeypatch.setattr(sarbacane, "_from_text", lambda text: read("2026-03-03" if "märz" in text.lower() else text))


@pytest.mark.usefixtures("kept")
def test_quarantine_lists_and_shows_what_could_not_be_read(command: Commands) -> None:
    assert [(row["id"], row["source"], row["reason"]) for row in command.json("quarantine", "list")] == [
        (3, "webhook 2", "was odd"),
        (2, "events.json:7", "was odd"),
        (1, "webhook", "was odd"),
    ]
    assert command.csv("quarantine", "list")[2]["bytes"] == "13"
    assert (
        command("quarantine", "list", "--limit", "1")
        == f"     3  2023-11-14T22:13:20Z  webhook 2  {len(MIXED)} bytes: was odd\n"
    )
    assert command("quarantine", "show", "1") == "half a { body\n"
    assert command.json("quarantine", "show", "1")["body"] == "half a { body"
    command("quarantine", "show", "9", code=2)
    assert "quarantine list" in command.errors


@pytest.mark.usefixtures("kept", "upgraded")
def test_what_can_be_read_now_becomes_events_with_the_time_it_came(command: Commands, syncd: Syncd) -> None:
    said = command("quarantine", "retry", code=1)
    assert said.splitlines()[-1] == "3 events read; 2 of 4 stay. The next run works on them."
    assert [event["received_at"] for event in syncd.desk.events()] == [1_700_000_000_000] * 3
    left = command.json("quarantine", "list")
    assert [(row["id"], row["reason"]) for row in left] == [(4, "no email"), (1, "was odd")]
    assert len(command.json("quarantine", "list", "--resolved")) == 4
    assert "0 events read; 2 of 2 stay." in command("quarantine", "retry", code=1)
    assert len(syncd.desk.events()) == 3


@pytest.mark.usefixtures("kept", "upgraded")
def test_only_these_are_read_again_and_a_dry_run_only_tells(command: Commands, syncd: Syncd) -> None:
    shown = command.json("quarantine", "retry", "2", "--dry-run")
    assert (shown["events"], [one["id"] for one in shown["deliveries"]]) == (1, [2])
    assert syncd.desk.events() == []
    command("quarantine", "retry", "2")
    assert len(syncd.desk.events()) == 1
    assert [row["id"] for row in command.json("quarantine", "list")] == [3, 1]


def test_what_was_read_again_reaches_salesforce(
    command: Commands, syncd: Syncd, org: Org, contact: str, request: pytest.FixtureRequest
) -> None:
    odd = json.dumps(payload("hard_bounce", whId=contact, date="der 3. März"))
    Inbox(syncd.db).append([], [Unread(syncd.clock(), "webhook", "was odd", odd.encode())])
    request.getfixturevalue("upgraded")
    command("quarantine", "retry")
    assert command.json("sync")["changes"] == {"done": 1}


# --- shell completion ---------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("words", "offered"),
    [
        ("syncd quar", ["quarantine"]),
        ("syncd quarantine ", ["list", "retry", "show"]),
        ("syncd resync --kind ", [kind.value for kind in Kind]),
        ("syncd resync --un", ["--until", "--unmatched"]),
    ],
)
def test_the_shell_completes_commands_options_and_kinds(words: str, offered: list[str]) -> None:
    from click.shell_completion import ShellComplete

    from syncd.cli import cli

    *before, last = words.split(" ")
    found = ShellComplete(cli, {}, "syncd", "_SYNCD_COMPLETE").get_completions(before[1:], last)
    assert [item.value for item in found] == offered
