"""How many calls a campaign takes: the number that Salesforce counts."""

from __future__ import annotations

from syncd.sandbox import Org
from tests.conftest import Syncd
from tests.factories import payload


def test_ten_thousand_events_of_eight_thousand_recipients_take_at_most_sixty_calls(unbraked: Syncd, org: Org) -> None:
    """6,000 end with a Task, 400 with a mark, 200 with an opt-out; every eighth is a Lead."""
    syncd = unbraked
    people = [
        org.add("Lead", LastName=f"N{i}", Company="Exemple SA", Email=f"n{i}@example.fr")
        if i % 8 == 7
        else org.add("Contact", LastName=f"N{i}", Email=f"n{i}@example.fr")
        for i in range(8_000)
    ]
    events = []
    for i, sf_id in enumerate(people):
        kind = "open" if i < 6_000 else "hard_bounce" if i < 6_200 else "unsubscribe" if i < 6_600 else "delivered"
        who = {"whId": sf_id, "email": f"n{i}@example.fr"}
        events.append(payload(kind, 1, "s", **who))
        if i < 2_000:
            events.append(payload("click", 1.1, "s", **who))
    assert len(events) == 10_000
    syncd.receive(*events)
    said = syncd.run()
    assert (said.ended, said.events, dict(said.changes)) == ("done", 10_000, {"done": 6_600})
    assert len(org.all("Task")) == 6_000
    assert sum(bool(r["EmailBouncedReason"]) for kind in ("Contact", "Lead") for r in org.all(kind)) == 200
    assert sum(bool(r["HasOptedOutOfEmail"]) for kind in ("Contact", "Lead") for r in org.all(kind)) == 400
    print(f"{said.calls} calls")
    assert said.calls == org.calls_count() <= 60
    assert syncd.run().calls == 0
