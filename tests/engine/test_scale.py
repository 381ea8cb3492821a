"""How many calls a campaign takes: the number that Salesforce counts."""

from __future__ import annotations

import pytest

from syncd.sandbox import Org
from tests.conftest import Syncd
from tests.factories import payload


@pytest.mark.parametrize(
    ("recipients", "calls"), [(1_600, 20), pytest.param(8_000, 60, marks=pytest.mark.large)], ids=["some", "many"]
)
def test_a_campaign_takes_few_calls(unbraked: Syncd, org: Org, recipients: int, calls: int) -> None:
    """10,000 events of 8,000 recipients at most 60: of 40, 30 end with a Task, one with a mark, two with an opt-out."""
    syncd = unbraked
    people = [
        org.add("Lead", LastName=f"N{i}", Company="Exemple SA", Email=f"n{i}@example.fr")
        if i % 8 == 7
        else org.add("Contact", LastName=f"N{i}", Email=f"n{i}@example.fr")
        for i in range(recipients)
    ]
    events = []
    for i, sf_id in enumerate(people):
        place = i * 40 // recipients
        kind = "open" if place < 30 else "hard_bounce" if place < 31 else "unsubscribe" if place < 33 else "delivered"
        who = {"whId": sf_id, "email": f"n{i}@example.fr"}
        events.append(payload(kind, 1, "s", **who))
        if place < 10:
            events.append(payload("click", 1.1, "s", **who))
    assert len(events) == recipients * 5 / 4
    syncd.receive(*events)
    said = syncd.run()
    done = recipients * 33 // 40
    assert (said.ended, said.events, dict(said.changes)) == ("done", len(events), {"done": done})
    assert len(org.all("Task")) == recipients * 30 // 40
    assert sum(bool(r["EmailBouncedReason"]) for kind in ("Contact", "Lead") for r in org.all(kind)) == recipients // 40
    assert sum(bool(r["HasOptedOutOfEmail"]) for kind in ("Contact", "Lead") for r in org.all(kind)) == recipients // 20
    print(f"{said.calls} calls")
    assert said.calls == org.calls_count() <= calls
    assert syncd.run().calls == 0
