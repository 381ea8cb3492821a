"""The same conversations with the sandbox and from the cassettes, which need no network."""

from __future__ import annotations

import re
from collections.abc import Iterator
from pathlib import Path

import pytest
import requests
from vcr.errors import CannotOverwriteExistingCassetteException

from syncd.salesforce import Crm
from syncd.sandbox import Org, Sandbox
from tests.cassettes.cases import CASES, Hands
from tests.cassettes.tape import HOST, TAPES, cassette, settings, tape, worlds
from tests.conftest import Syncd


@pytest.fixture
def replayed(tmp_path: Path, keys: Path) -> Iterator[Syncd]:
    """A client whose Salesforce is nowhere but in the cassettes."""
    salesforce = {"login_host": HOST, "username": "someone@syncd.example", "consumer_key": "any"}
    private_key = Sandbox(Org(), directory=keys).private_key.read_text()
    configured = settings(tmp_path, salesforce, private_key)
    running = Syncd(configured, Crm(configured))
    yield running
    running.db.close()
    running.crm.session.close()


@pytest.mark.parametrize("name", CASES)
def test_a_conversation_ends_the_same_from_the_cassette(name: str, replayed: Syncd) -> None:
    with cassette(name, record=False) as played:
        assert CASES[name].play(replayed, worlds()[name]["world"]) == CASES[name].outcome
    assert played.all_played


@pytest.mark.parametrize("name", CASES)
def test_a_conversation_ends_the_same_with_the_sandbox(name: str, syncd: Syncd, org: Org) -> None:
    case, hands = CASES[name], Hands(Crm(syncd.settings).session, org)
    world = case.before(hands)
    hands.session.close()
    if case.unreal:
        case.unreal(org)
    assert case.play(syncd, world) == case.outcome


def test_a_call_that_is_in_no_cassette_is_refused(replayed: Syncd) -> None:
    with cassette("a query that names no field", record=False), pytest.raises(CannotOverwriteExistingCassetteException):
        requests.get(f"https://{HOST}/services/data/v66.0/limits", timeout=1)


def test_cassettes_hold_no_token_no_host_and_nobody() -> None:
    assert {path.name for path in TAPES.glob("*.yaml")} == {tape(name).name for name in CASES}
    for path in TAPES.glob("*.yaml"):
        text = path.read_text()
        assert not re.search(r"Bearer \S|eyJ[\w-]{10}|assertion|00D\w{12,15}!", text), path
        assert {found.lower() for found in re.findall(r"https://([^/\"'\s\\]+)", text)} <= {HOST, "acme.example"}, path
        assert not re.search(r"@(?!example\.com|example\.invalid)[\w-]+\.", text), path
