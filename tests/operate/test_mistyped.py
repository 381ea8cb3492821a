"""What a person names and is not there is refused with what to type next, and is no success."""

from __future__ import annotations

from pathlib import Path

import pytest

from syncd.store import Inbox, Unread
from tests.conftest import Syncd
from tests.factories import ADDRESS, NOW, payload
from tests.operate.conftest import Commands

RECORD = "003A000010khO8JIAU"
HUGE = "99999999999999999999"


@pytest.mark.parametrize(
    ("arguments", "said"),
    [
        (("undo", "--run", "999"), "There is no run 999. See: syncd runs"),
        (("retry", "--run", "999"), "There is no run 999. See: syncd runs"),
        (("undo", "--record", RECORD), f"See: syncd explain {RECORD}"),
        (("retry", "--record", RECORD), f"See: syncd explain {RECORD}"),
        (("undo", "--group", "9"), "There is no group 9. See: syncd held"),
        (("held", "9"), "No group 9 waits. See: syncd held"),
        (("release", "9"), "No group 9 waits. See: syncd held"),
        (("drop", "9"), "No group 9 waits. See: syncd held"),
        (("quarantine", "show", "9"), "There is no 9 in quarantine"),
        (("quarantine", "retry", "9"), "There is no 9 in quarantine. See: syncd quarantine list"),
        (("explain", " "), "Say whom"),
        (("undo", "--run", HUGE), "not in the range"),
        (("quarantine", "show", HUGE), "not in the range"),
        (("events", "--limit", HUGE), "not in the range"),
        (("events", "--since", f"{HUGE}d"), "Write 2026-03-02"),
        (("runs", "--until", "9999-12-31"), "Write 2026-03-02"),
    ],
)
def test_what_is_not_there_is_wrong_usage(command: Commands, arguments: tuple[str, ...], said: str) -> None:
    assert command(*arguments, code=2) == ""
    assert said in command.errors


def test_a_record_that_syncd_has_met_and_never_wrote_on_is_known(command: Commands, syncd: Syncd, contact: str) -> None:
    syncd.receive(payload("hard_bounce", whId=contact))
    command("sync")
    command("undo", "--record", contact)
    assert "left to be taken back" in command("undo", "--record", contact)
    assert command.json("retry", "--record", contact)["refused_changes"] == 0


def test_nothing_is_read_again_if_one_of_these_is_not_in_quarantine(command: Commands, syncd: Syncd) -> None:
    Inbox(syncd.db).append([], [Unread(NOW, "webhook", "not JSON", b'{"type": "open"')])
    command("quarantine", "retry", "1", "9", code=2)
    assert "1  webhook" in command("quarantine", "retry", "1", code=1)
    syncd.db.execute("UPDATE quarantine SET resolved_at = 1")
    assert "1  has been read already" in command("quarantine", "retry", "1")


def test_a_choice_that_means_nobody_and_an_empty_list_say_so(command: Commands) -> None:
    assert "0 subjects chosen." in command("resync", "--email", "nobody@example.fr")
    assert "Nothing stored is meant by that" in command.errors
    assert command("events", "--email", "nobody@example.fr") == ""
    assert command.errors == "There is none.\n"


@pytest.mark.parametrize("arguments", [("forget", "--dry-run"), ("export",)])
def test_an_address_of_which_nothing_is_stored_is_named(command: Commands, arguments: tuple[str, ...]) -> None:
    command(*arguments, ADDRESS)
    assert f"Nothing is stored of {ADDRESS}" in command.errors


def test_a_day_ends_with_itself_however_it_is_written(command: Commands, syncd: Syncd) -> None:
    syncd.receive(payload("open", 14))
    day = command.json("events")[0]["at"][:10]
    assert len(command.json("events", "--until", day)) == 1
    assert len(command.json("events", "--until", day.replace("-", ""))) == 1


def test_a_sandbox_that_cannot_listen_says_where(command: Commands, tmp_path: Path) -> None:
    (tmp_path / "file").touch()
    command("sandbox", "--port", "0", "--directory", str(tmp_path / "file" / "keys"), code=2)
    assert "Not a directory" in command.errors
