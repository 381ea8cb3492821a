"""`syncd resync` and `syncd retry`: chosen subjects are looked at again; a dry run shows it and moves nothing."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from syncd.sandbox import Fault, Org, Sandbox
from tests.conftest import Syncd
from tests.factories import ADDRESS, payload
from tests.operate.conftest import Commands

UPDATE: dict[str, Any] = {"path": "composite/sobjects$", "method": "PATCH"}
RULE: dict[str, Any] = {"row_code": "FIELD_CUSTOM_VALIDATION_EXCEPTION", "row_message": "no bounces on Mondays"}
REASON = "550 5.1.1 user unknown"
LOWER = "[rules.soft_bounce]\nthreshold = 2\n"


def due(syncd: Syncd) -> list[Any]:
    return [row[0] for row in syncd.db.execute("SELECT due_at FROM subjects ORDER BY id").fetchall()]


@pytest.mark.parametrize(
    ("arguments", "chosen"),
    [
        (["--all"], "abc"),
        (["--since", "2026-03-05"], "bc"),
        (["--until", "2026-03-04"], "a"),
        (["--since", "2026-03-03", "--until", "2026-03-08"], "b"),
        (["--campaign", "c2"], "c"),
        (["--send", "s5"], "b"),
        (["--kind", "open"], "c"),
        (["--kind", "delivered", "--since", "2026-03-05"], "b"),
        (["--kind", "delivered", "--campaign", "c2"], ""),
        (["--email", "B@example.fr"], "b"),
        (["--email", "b@example.fr", "--send", "s0"], ""),
        (["--whid", "nobody"], "c"),
        (["--unmatched"], "c"),
        (["--unmatched", "--email", "a@example.fr"], ""),
        (["--rejected"], ""),
    ],
    ids=" ".join,
)
def test_options_choose_and_combine(
    command: Commands, syncd: Syncd, add: Callable[[str], str], arguments: list[str], chosen: str
) -> None:
    syncd.receive(
        payload("delivered", 0, whId=add("a@example.fr"), email="a@example.fr"),
        payload("delivered", 5, whId=add("b@example.fr"), email="b@example.fr"),
        payload("open", 9, whId="nobody", email="c@example.fr", campaignId="c2"),
    )
    syncd.run()
    assert command.json("resync", *arguments)["chosen"] == len(chosen)
    assert command("resync", "--dry-run", *arguments).startswith(f"{len(chosen)} subject{'s' * (len(chosen) != 1)} ")


def test_a_record_is_chosen_by_either_form_of_its_id(command: Commands, syncd: Syncd, contact: str) -> None:
    syncd.receive(payload("hard_bounce", whId=contact))
    syncd.run()
    assert command.json("resync", "--record", contact[:15])["chosen"] == 1
    assert command.json("resync", "--record", contact)["chosen"] == 1


def test_a_record_is_chosen_though_nobody_had_to_look_for_it_yet(
    command: Commands, sandbox: Sandbox, syncd: Syncd, org: Org, contact: str, tmp_path: Path
) -> None:
    syncd.receive(*(payload("soft_bounce", day, whId=contact) for day in (0, 10)))
    syncd.run()
    command.configure(sandbox, tmp_path, more=LOWER)
    assert command.json("resync", "--record", contact)["chosen"] == 1
    assert org.get(contact)["EmailBouncedReason"] == "2 soft bounces, 2026-03-02 to 2026-03-12"


def test_changed_rules_are_applied_by_resync_and_by_nothing_else(
    command: Commands, sandbox: Sandbox, syncd: Syncd, org: Org, contact: str, tmp_path: Path
) -> None:
    syncd.receive(*(payload("soft_bounce", day, whId=contact) for day in (0, 10)))
    syncd.run()
    command.configure(sandbox, tmp_path, more=LOWER)
    assert command.json("sync")["changes"] == {}
    shown = command("resync", "--all", "--dry-run")
    assert "bounce_reason: empty → 2 soft bounces, 2026-03-02 to 2026-03-12" in shown
    assert "Nothing was written to Salesforce (dry run)" in shown
    assert command.json("resync", "--all")["changes"] == {"done": 1}
    assert command.json("resync", "--all")["changes"] == {}
    assert org.get(contact)["EmailBouncedReason"] == "2 soft bounces, 2026-03-02 to 2026-03-12"


def test_a_dry_run_makes_nothing_due_so_no_run_after_it_writes_what_was_only_shown(
    command: Commands, sandbox: Sandbox, syncd: Syncd, org: Org, contact: str, tmp_path: Path
) -> None:
    syncd.receive(*(payload("soft_bounce", day, whId=contact) for day in (0, 10)))
    syncd.run()
    command.configure(sandbox, tmp_path, more=LOWER)
    before = due(syncd)
    assert len(command.json("resync", "--all", "--dry-run")["would_change"]) == 1
    assert due(syncd) == before == [None]
    assert command.json("sync")["changes"] == {}
    assert org.calls_count(writing=True) == 0


def test_what_is_due_anyway_is_part_of_the_dry_run_as_it_is_of_the_run(
    command: Commands, syncd: Syncd, add: Callable[[str], str]
) -> None:
    syncd.receive(payload("delivered", whId=add("a@example.fr"), email="a@example.fr"))
    syncd.run()
    syncd.receive(payload("hard_bounce", whId=add("b@example.fr"), email="b@example.fr"))
    shown = command.json("resync", "--email", "a@example.fr", "--dry-run")["would_change"]
    done = command.json("resync", "--email", "a@example.fr")
    assert [change["what"] for change in shown] == ["mark"]
    assert done["planned"] == {"mark": 1}


@pytest.mark.parametrize("others", [0, 1], ids=["alone", "beside an address that is known"])
def test_the_unmatched_are_found_once_their_record_exists(
    command: Commands, syncd: Syncd, org: Org, contact: str, others: int
) -> None:
    org.delete(contact)
    mails = [ADDRESS, "other@example.fr"][: others + 1]
    syncd.receive(*(payload("hard_bounce", whId=contact, email=mail) for mail in mails))
    assert syncd.run().unmatched == len(mails)
    org.undelete(contact)
    shown = command.json("resync", "--unmatched", "--dry-run")
    assert shown["unmatched"] == 0
    assert all(r["matched"] == "no" and r["lookups"] == 1 for r in syncd.desk.recipients())
    written = command.json("resync", "--unmatched")
    assert [c["state"] for c in shown["would_change"]].count("intended") == sum(written["planned"].values())


def test_one_option_at_least_is_needed(command: Commands) -> None:
    command("resync", code=2)
    assert "--all" in command.errors


@pytest.mark.parametrize(
    ("option", "value", "said"),
    [("--since", "yesterday", "2026-03-02"), ("--record", "42", "is not the id"), ("--kind", "bounce", "hard_bounce")],
)
def test_a_wrong_value_says_what_a_right_one_looks_like(command: Commands, option: str, value: str, said: str) -> None:
    command("resync", option, value, code=2)
    assert said in command.errors


def test_resync_exits_3_while_salesforce_is_away_and_the_chosen_stay_due(
    command: Commands, sandbox: Sandbox, syncd: Syncd, contact: str
) -> None:
    syncd.receive(payload("hard_bounce", whId=contact))
    syncd.run()
    sandbox.stop()
    assert command.json("resync", "--all", code=3)["code"] == "unreachable"
    assert due(syncd) != [None]


# --- retry --------------------------------------------------------------------------------------------------------


def test_retry_tries_a_rejected_change_again_and_exits_1_if_it_is_rejected_again(
    command: Commands, syncd: Syncd, org: Org, contact: str
) -> None:
    org.faults.add(Fault(**UPDATE, **RULE, times=2))
    syncd.receive(payload("hard_bounce", whId=contact))
    assert syncd.run().changes == {"rejected": 1}
    assert command.json("resync", "--rejected", "--dry-run")["chosen"] == 1
    assert command("retry", "--dry-run").startswith("1 refused change of 1 subject.\nmark Contact")
    assert due(syncd) == [None]
    assert command.json("retry", code=1)["changes"] == {"rejected": 1}
    assert command.json("retry")["changes"] == {"done": 1}
    assert org.get(contact)["EmailBouncedReason"] == REASON
    assert command.json("retry")["refused_changes"] == 0
    assert [state for _, state in syncd.changes()] == ["superseded", "superseded", "done"]


def test_retry_can_be_kept_to_one_run_or_one_record(
    command: Commands, syncd: Syncd, org: Org, add: Callable[[str], str]
) -> None:
    org.faults.add(Fault(**UPDATE, **RULE, times=2))
    ids = [add(f"{name}@example.fr") for name in "ab"]
    for name, sf_id in zip("ab", ids, strict=True):
        syncd.receive(payload("hard_bounce", whId=sf_id, email=f"{name}@example.fr"))
        syncd.run()
    assert command.json("retry", "--run", "2", "--dry-run")["refused_changes"] == 1
    assert command.json("retry", "--record", ids[0])["changes"] == {"done": 1}
    assert [org.get(sf_id)["EmailBouncedReason"] for sf_id in ids] == [REASON, None]


@pytest.mark.parametrize("kind", ["unsubscribe", "hard_bounce"])
def test_what_was_told_once_because_a_field_was_not_writable_is_tried_when_it_is(
    command: Commands, syncd: Syncd, org: Org, contact: str, kind: str
) -> None:
    fields = ["HasOptedOutOfEmail", "EmailBouncedReason", "EmailBouncedDate"]
    for name in fields:
        org.hide_field("Contact", name)
    syncd.receive(payload(kind, whId=contact))
    syncd.run()
    command("resync", "--all")
    assert len(syncd.changes()) == 1
    assert command.json("retry", "--dry-run")["refused_changes"] == 1
    for name in fields:
        org.show_field("Contact", name)
    assert command.json("retry")["changes"] == {"done": 1}


def test_a_dry_run_does_not_ask_what_was_merged(command: Commands, syncd: Syncd, org: Org, contact: str) -> None:
    """It would make due, for the next run, what nobody chose."""
    other = org.add("Contact", LastName="Durand", Email=ADDRESS)
    syncd.receive(payload("unsubscribe", whId=other))
    syncd.run()
    org.merge(contact, [other])
    before = org.calls_count()
    command("resync", "--dry-run", "--record", contact)
    assert (org.calls_count(), due(syncd)) == (before, [None])
    command("sync")
    command("sync")
    assert org.get(contact)["HasOptedOutOfEmail"] is True
