"""A clock that ran ahead, as of a machine that waits for its time server, holds nothing up once it is right again."""

from __future__ import annotations

from syncd.sandbox import Fault, Org
from tests.conftest import Syncd
from tests.factories import ADDRESS, payload


def test_an_outage_a_budget_and_tasks_of_then_are_none_of_now(syncd: Syncd, org: Org) -> None:
    now = syncd.clock.at
    contact = org.add("Contact", LastName="Durand", Email=ADDRESS)
    syncd.later(days=365)
    syncd.receive(payload("open", whId=contact))
    syncd.run()  # Tasks were written, and are again in a quarter of an hour
    fault = org.faults.add(Fault(path=".", status=503))
    other = org.add("Contact", LastName="Petit", Email="b@example.fr")
    syncd.receive(payload("unsubscribe", whId=other, email="b@example.fr"), payload("click", whId=contact))
    for _ in range(3):
        syncd.run()
    org.faults.clear()
    assert fault.fired
    syncd.clock.at = now
    assert syncd.desk.status(now)["calls_24h"] == 0
    assert syncd.run(patient=True, tasks_now=False).changes == {"done": 2}
    assert org.get(other)["HasOptedOutOfEmail"] is True
    assert "clicked once" in org.all("Task")[0]["Description"]
