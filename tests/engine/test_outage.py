"""A Salesforce that was out of reach is asked with one call, not hammered, and then everything goes on."""

from __future__ import annotations

import pytest

from syncd.salesforce import Crm
from syncd.sandbox import Fault, Org
from tests.conftest import Syncd
from tests.factories import payload


@pytest.fixture
def down(syncd: Syncd, org: Org) -> Syncd:
    """Twice in a row Salesforce did not answer, and much is due."""
    org.faults.add(Fault(status=503, times=None))
    for i in range(20):
        who = org.add("Contact", LastName="N", Email=f"n{i}@example.fr")
        syncd.receive(payload("unsubscribe", whId=who, email=f"n{i}@example.fr"))
    for _ in range(2):
        syncd.run()
        syncd.later(hours=1)
    return syncd


def test_then_a_run_makes_one_call_first_and_claims_nothing(down: Syncd, org: Org) -> None:
    before = org.calls_count()
    said = down.run()
    assert (said.ended, said.subjects, org.calls_count() - before) == ("unavailable", 0, 1)


def test_the_pause_before_the_next_question_grows_up_to_five_minutes(down: Syncd) -> None:
    pauses = []
    for _ in range(4):
        assert down.run(patient=True).code != "waiting"
        asked = down.clock.at
        while down.run(patient=True).code == "waiting":
            down.clock.at += 10_000
        pauses.append(round((down.clock.at - asked) / 30_000) * 30)
        down.later(minutes=10)
    assert pauses == [60, 240, 300, 300]


def test_a_patient_run_says_what_it_waits_for_and_makes_no_call(down: Syncd, org: Org) -> None:
    down.run()
    before = org.calls_count()
    said = down.run(patient=True)
    assert (said.ended, said.code, org.calls_count()) == ("unavailable", "waiting", before)
    assert "asked again at" in said.words


def test_a_person_who_runs_it_by_hand_does_not_wait(down: Syncd, org: Org) -> None:
    down.run()
    org.faults.clear()
    assert down.run().changes == {"done": 20}


def test_the_first_answer_opens_fully_and_it_is_forgotten(down: Syncd, org: Org) -> None:
    org.faults.clear()
    assert down.run(patient=True).changes == {"done": 20}
    assert down.run(patient=True).ended == "done"
    down.receive(payload("hard_bounce", whId=org.all("Contact")[0]["Id"], email="n0@example.fr"))
    before = org.calls_count()
    down.run(patient=True)
    assert not [call for call in org.calls[before:] if call.path.endswith("limits")]


def test_it_is_remembered_over_a_restart(down: Syncd, org: Org) -> None:
    down.crm.session.close()
    down.crm = Crm(down.settings)
    before = org.calls_count()
    assert down.run().ended == "unavailable"
    assert org.calls_count() - before == 1


def test_a_user_who_may_not_see_the_limits_is_an_answer_too(down: Syncd, org: Org) -> None:
    org.faults.clear()
    org.faults.add(Fault(path="limits", status=403, code="FORBIDDEN"))
    assert down.run().changes == {"done": 20}


def test_any_other_refusal_ends_the_run(down: Syncd, org: Org) -> None:
    org.faults.clear()
    org.faults.add(Fault(path="limits", status=403, code="API_DISABLED_FOR_ORG"))
    assert (down.run().ended, down.run().ended) == ("fatal", "done")
