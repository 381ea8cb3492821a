"""Waves of bounces, against a Salesforce over HTTPS: what is held, what is written, and what a person does then."""

from __future__ import annotations

from collections.abc import Callable, Iterable
from typing import Any

import pytest

from syncd.engine import braking
from syncd.sandbox import Org
from syncd.store import Holds
from tests.conftest import Syncd
from tests.factories import payload
from tests.operate.conftest import Commands

GONE = {"smtpDescription": "550 5.1.1 user unknown"}


def people(
    org: Org, number: int, domain: Callable[[int], str] = lambda _: "gone.example", first: int = 0
) -> list[dict[str, str]]:
    """Contacts, as what is mailed to them names them."""
    addresses = [f"n{i}@{domain(i)}" for i in range(first, first + number)]
    return [{"email": a, "whId": org.add("Contact", LastName="N", Email=a)} for a in addresses]


def marked(org: Org) -> int:
    return sum(bool(contact["EmailBouncedReason"]) for contact in org.all("Contact"))


def bounces(mailed: list[dict[str, str]], send: str = "s", **more: Any) -> list[dict[str, Any]]:
    return [payload("hard_bounce", 1, send, **who, **more) for who in mailed]


@pytest.fixture
def waiting(syncd: Syncd, org: Org) -> list[dict[str, str]]:
    """60 bounces of one domain: 49 were written and 11 wait."""
    mailed = people(org, 60)
    syncd.receive(*bounces(mailed))
    said = syncd.run()
    assert (dict(said.changes), dict(said.held)) == ({"done": 49, "held": 11}, {"domain gone.example": 11})
    return mailed


def test_five_hundred_bounces_of_a_domain_with_a_run_a_minute_are_held_beyond_its_limit(
    command: Commands, syncd: Syncd, org: Org
) -> None:
    mailed = people(org, 500)
    for minute in range(30):
        syncd.receive(*bounces(mailed[minute * 17 : minute * 17 + 17]))
        syncd.run()
        syncd.later(minutes=1)
    assert marked(org) == 49
    (group,) = command.json("held")
    assert (group["by"], group["value"], group["held"], group["written"]) == (
        "domain", "gone.example", {"mark": 451}, {"mark": 49},
    )  # fmt: skip
    assert group["runs"] == [1, 2, 3]
    assert "49 marks written before: syncd undo --group 1" in command("held")
    assert len(command.csv("held", "1", "--limit", "0")) == 451


@pytest.mark.parametrize(
    ("bounced", "mailed"), [(180, 4_000), pytest.param(500, 20_000, marks=pytest.mark.large)], ids=["some", "many"]
)
def test_bounces_over_sixty_domains_in_a_large_send_are_all_marked(
    syncd: Syncd, org: Org, bounced: int, mailed: int
) -> None:
    gone = people(org, bounced, lambda i: f"d{i % 60}.example")
    rest = [payload("delivered", 1, "s", email=f"r{i}@d{i % 60}.example", whId="") for i in range(mailed - bounced)]
    syncd.receive(*bounces(gone, **GONE), *rest)
    said = syncd.run()
    assert (dict(said.changes), marked(org)) == ({"done": bounced}, bounced)
    assert syncd.holds.groups() == []


def test_what_was_written_is_gone_through_once_for_all_groups(syncd: Syncd, org: Org) -> None:
    syncd.receive(*bounces(people(org, 55, lambda _: "gone.example"), "gone"))
    syncd.receive(*bounces(people(org, 55, lambda _: "lost.example"), "lost"))
    syncd.run()
    asked: list[str] = []
    syncd.db.conn.set_trace_callback(asked.append)
    groups = syncd.holds.groups()
    assert [(it.group.value, dict(it.written)) for it in groups] == [
        ("gone.example", {"mark": 49}), ("lost.example", {"mark": 49}),
    ]  # fmt: skip
    a_page, nothing_more = (sql for sql in asked if "'hard_bounce'" in sql)
    assert a_page != nothing_more


def test_a_second_run_changes_nothing(syncd: Syncd, org: Org, waiting: list[dict[str, str]]) -> None:
    writes, changes = org.calls_count(writing=True), syncd.changes()
    syncd.wake()
    said = syncd.run()
    assert (said.subjects, dict(said.planned), dict(said.changes)) == (60, {}, {})
    assert (org.calls_count(writing=True), syncd.changes()) == (writes, changes)


def test_a_mail_that_arrives_meanwhile_makes_a_held_mark_void(
    command: Commands, syncd: Syncd, org: Org, waiting: list[dict[str, str]]
) -> None:
    syncd.receive(payload("delivered", 5, "later", **waiting[-1]))
    syncd.run()
    assert command.json("held")[0]["held"] == {"mark": 10}
    syncd.clock.at += 1
    command("release", "1")
    assert marked(org) == 59


def test_released_is_written_and_the_rest_of_the_group_is_not_held_again_that_day(
    command: Commands, syncd: Syncd, org: Org, waiting: list[dict[str, str]]
) -> None:
    more = [{"email": f"m{i}@gone.example", "whId": org.add("Contact", LastName="M", Email=f"m{i}@gone.example")}
            for i in range(5)]  # fmt: skip
    assert "11 changes would be released: domain gone.example" in command("release", "1", "--dry-run")
    assert marked(org) == 49
    told = command.json("release", "1")
    assert (told["released"], told["changes"], marked(org)) == (11, {"done": 11}, 60)
    assert command.json("held") == []
    syncd.clock.at = told_now()
    syncd.receive(*bounces(more))
    syncd.run()
    assert marked(org) == 65
    assert "No group 1 waits" in fails(command, "release", "1")


def test_dropped_is_never_written_for_what_happened_until_now(
    command: Commands, syncd: Syncd, org: Org, waiting: list[dict[str, str]]
) -> None:
    assert command("drop", "1", "--dry-run").count("bounce_reason: empty → 550 5.1.1 user unknown") == 11
    told = command("drop", "1")
    assert "11 changes dropped: domain gone.example." in told
    assert "49 marks went out before it was held. To take them back: syncd undo --group 1" in told
    command("resync", "--all")
    assert (command.json("held"), marked(org)) == ([], 49)
    assert "invalid dropped" in command("explain", waiting[-1]["email"])
    syncd.clock.at = told_now() + 400 * 86_400_000
    syncd.receive(payload("hard_bounce", 300, "s9", **waiting[-1]))
    syncd.run()
    assert marked(org) == 50


def test_a_dry_run_shows_what_would_be_held_and_the_run_holds_just_that(
    command: Commands, syncd: Syncd, org: Org
) -> None:
    gone = people(org, 60)
    syncd.receive(*bounces(gone))
    shown = command.json("sync", "--dry-run")
    assert (shown["held"], command.json("held")) == ({"domain gone.example": 11}, [])
    assert command("sync", "--dry-run").count("[held: domain gone.example]") == 11
    assert command.json("sync", code=1)["held"] == {"domain gone.example": 11}
    held = {change["sf_id"] for change in shown["would_change"] if change["state"] == "held"}
    assert held == {one["whId"] for one in gone if not org.get(one["whId"])["IsEmailBounced"]}


def test_without_the_brake_a_dry_run_holds_nothing_either(unbraked: Syncd, org: Org) -> None:
    unbraked.receive(*bounces(people(org, 60)))
    said = unbraked.run(write=False)
    assert (said.planned, said.held) == ({"mark": 60}, {})
    assert (dict(unbraked.run().changes), marked(org)) == ({"done": 60}, 60)


def test_a_dry_run_knows_what_was_held_released_and_dropped(
    command: Commands, syncd: Syncd, org: Org, waiting: list[dict[str, str]]
) -> None:
    assert "[held" not in command("release", "1", "--dry-run")
    syncd.receive(*bounces(people(org, 3, first=100)))
    assert command.json("sync", "--dry-run")["held"] == {"domain gone.example": 3}
    command("release", "1", code=0)
    syncd.receive(*bounces(people(org, 3, first=200)))
    assert command.json("sync", "--dry-run")["held"] == {}


def test_a_crash_before_the_brake_lets_nothing_out(syncd: Syncd, org: Org, monkeypatch: pytest.MonkeyPatch) -> None:
    from syncd.engine.braking import Brake

    syncd.receive(*bounces(people(org, 60)))

    def die(_: Brake) -> None:
        raise KeyboardInterrupt

    with monkeypatch.context() as patched:
        patched.setattr(Brake, "apply", die)
        with pytest.raises(KeyboardInterrupt):
            syncd.run()
    assert marked(org) == 0
    said = syncd.run()
    assert (said.changes["held"], marked(org)) == (11, 49)


@pytest.mark.parametrize("decide", ["release", "drop"])
def test_what_a_run_holds_just_after_a_person_decided_is_shown_again(
    command: Commands,
    syncd: Syncd,
    org: Org,
    waiting: list[dict[str, str]],
    monkeypatch: pytest.MonkeyPatch,
    decide: str,
) -> None:
    hold = Holds.hold

    def decided_meanwhile(holds: Holds, changes: Iterable[tuple[int, int]], **more: bool) -> None:
        getattr(syncd.holds, decide)(1, "anna", syncd.clock())
        hold(holds, changes, **more)

    syncd.receive(*bounces(people(org, 5)))
    with monkeypatch.context() as patched:
        patched.setattr(Holds, "hold", decided_meanwhile)
        syncd.run()
    (group,) = command.json("held")
    assert (group["held"], marked(org)) == ({"mark": 5}, 49)
    command("release", str(group["group"]))
    assert marked(org) == {"release": 65, "drop": 54}[decide]


# --- a whId column in the wrong rows ----------------------------------------------------------------------------------


@pytest.fixture
def shifted(syncd: Syncd, org: Org) -> list[dict[str, Any]]:
    """A send to 60, each with the whId of the one above."""
    mailed = people(org, 60)
    wrong = [{**who, "whId": mailed[i - 1]["whId"]} for i, who in enumerate(mailed)]
    kinds = ["hard_bounce"] * 20 + ["open"] * 20 + ["unsubscribe"] * 10 + ["delivered"] * 10
    events = [payload(kind, 1, "s", **who) for kind, who in zip(kinds, wrong, strict=True)]
    syncd.receive(*events)
    return events


def test_of_a_shifted_send_nothing_is_written_and_all_is_held(
    command: Commands, syncd: Syncd, org: Org, shifted: list[dict[str, Any]]
) -> None:
    syncd.run()
    assert org.calls_count(writing=True) == 0
    (group,) = command.json("held")
    assert (group["by"], group["value"]) == ("shifted", "send:s")
    assert group["held"] == {"activity": 20, "opt_out": 10}
    assert "20 Tasks, 10 opt-outs held (the records have other addresses: is the column whId" in command("held")
    assert "20 Tasks, 10 opt-outs held back, shifted send:s; the whId column" in command("status", code=1)
    syncd.receive(payload("open", 2, "s", **{k: shifted[-1][k] for k in ("email", "whId")}))
    syncd.later(hours=1)
    syncd.run()
    assert (org.calls_count(writing=True), command.json("held")[0]["held"]["activity"]) == (0, 21)


def test_a_dry_run_shows_that_all_of_it_would_be_held(
    command: Commands, syncd: Syncd, shifted: list[dict[str, Any]]
) -> None:
    shown = command.json("sync", "--dry-run")
    assert {change["state"] for change in shown["would_change"] if change["what"] == "activity"} == {"held"}
    assert shown["held"] == command.json("sync", code=1)["held"]


def test_a_run_that_finds_nothing_more_of_it_holds_nothing_more(syncd: Syncd, shifted: list[dict[str, Any]]) -> None:
    syncd.run()
    assert "held" not in syncd.run().changes


def test_another_send_is_not_held_with_it(syncd: Syncd, org: Org, shifted: list[dict[str, Any]]) -> None:
    (other,) = people(org, 1, lambda _: "other.example")
    syncd.receive(payload("unsubscribe", 1, "t", **other))
    said = syncd.run()
    assert (said.changes["held"], said.changes["done"]) == (30, 1)


def test_a_shifted_send_that_a_person_releases_is_written(
    command: Commands, syncd: Syncd, org: Org, shifted: list[dict[str, Any]]
) -> None:
    syncd.run()
    told = command.json("release", "1")
    assert told["changes"] == {"done": 30}
    assert (len(org.all("Task")), command.json("held")) == (20, [])
    command("resync", "--all")
    assert command.json("held") == []


def test_a_shifted_send_that_a_person_drops_is_never_written(
    command: Commands, syncd: Syncd, org: Org, shifted: list[dict[str, Any]]
) -> None:
    syncd.run()
    command("drop", "1")
    command("resync", "--all")
    assert (org.calls_count(writing=True), command.json("held")) == (0, [])
    syncd.receive(payload("open", 2, "s", **{k: shifted[-1][k] for k in ("email", "whId")}))
    assert dict(syncd.run().changes) == {"dropped": 1}
    assert (org.calls_count(writing=True), command.json("held")) == (0, [])


@pytest.mark.parametrize("day", [0, 3], ids=["before", "after"])
def test_who_opted_out_with_another_send_is_opted_out_though_a_shifted_one_is_dropped(
    command: Commands, syncd: Syncd, org: Org, shifted: list[dict[str, Any]], day: int
) -> None:
    own, held = shifted[43]["email"], shifted[44]["whId"]
    syncd.receive(payload("unsubscribe", day, "t", email=own, whId=held))
    syncd.run()
    command("drop", "1")
    command("sync")
    assert [held] == [contact["Id"] for contact in org.all("Contact") if contact["HasOptedOutOfEmail"]]
    command("resync", "--all")
    assert [held] == [contact["Id"] for contact in org.all("Contact") if contact["HasOptedOutOfEmail"]]
    assert command.json("held") == []


@pytest.mark.parametrize("together", [True, False], ids=["at once", "later"])
def test_who_opted_out_with_another_send_does_not_wait_with_the_shifted_one(
    command: Commands, syncd: Syncd, org: Org, shifted: list[dict[str, Any]], together: bool
) -> None:
    own, held = shifted[43]["email"], shifted[44]["whId"]
    if not together:
        syncd.run()
    syncd.receive(payload("unsubscribe", 3, "t", email=own, whId=held))
    syncd.run()
    assert [held] == [contact["Id"] for contact in org.all("Contact") if contact["HasOptedOutOfEmail"]]
    assert command.json("held")[0]["held"]["opt_out"] == 9
    command("drop", "1")
    command("resync", "--all")
    assert [held] == [contact["Id"] for contact in org.all("Contact") if contact["HasOptedOutOfEmail"]]


def test_what_is_dropped_of_a_shifted_send_spends_no_opt_out_that_is_heard_of_later(
    command: Commands, syncd: Syncd, org: Org, shifted: list[dict[str, Any]]
) -> None:
    own, held = shifted[43]["email"], shifted[44]["whId"]
    syncd.run()
    command("drop", "1")
    syncd.receive(payload("unsubscribe", 0, "t", email=own, whId=held))  # given before, imported now
    syncd.run()
    assert [held] == [contact["Id"] for contact in org.all("Contact") if contact["HasOptedOutOfEmail"]]


def test_a_crash_while_a_run_drops_what_came_later_leaves_nothing_held_for_ever(
    command: Commands, syncd: Syncd, org: Org, shifted: list[dict[str, Any]], monkeypatch: pytest.MonkeyPatch
) -> None:
    syncd.run()
    command("drop", "1")
    syncd.receive(payload("open", 2, "s", **{k: shifted[-1][k] for k in ("email", "whId")}))

    def die(*_: object) -> None:
        raise KeyboardInterrupt

    with monkeypatch.context() as patched:
        patched.setattr(Holds, "drop", die)
        with pytest.raises(KeyboardInterrupt):
            syncd.run()
    assert dict(syncd.run().changes) == {"dropped": 1}
    assert (org.calls_count(writing=True), [state for _, state in syncd.changes() if state == "held"]) == (0, [])


def told_now() -> int:
    """Decisions of the command line are made by the real clock."""
    import time

    return time.time_ns() // 1_000_000


def fails(command: Commands, *arguments: str) -> str:
    command(*arguments, code=2)
    return command.errors


def test_more_than_a_page_is_held_page_by_page(monkeypatch: pytest.MonkeyPatch, syncd: Syncd, org: Org) -> None:
    monkeypatch.setattr(braking, "PAGE", 5)
    syncd.receive(*bounces(people(org, 61)))
    said = syncd.run()
    assert (dict(said.changes), marked(org)) == ({"done": 49, "held": 12}, 49)
