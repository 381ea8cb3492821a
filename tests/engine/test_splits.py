"""In whatever order events come, however often, and whenever the runs are: Salesforce says the same in the end."""

from __future__ import annotations

import re
from itertools import count, pairwise
from typing import Any

from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from syncd.sandbox import Org
from tests.conftest import Syncd
from tests.factories import ADDRESS, payload
from tests.histories import bursts, courses, histories, scans
from tests.reckoning import Expected, reckon

FIELDS = {"EmailBouncedDate": "bounce_date", "EmailBouncedReason": "bounce_reason", "HasOptedOutOfEmail": "opted_out"}
COUNTS = re.compile(
    r"(?:opened (once|(\d+) times)|not opened), (?:clicked (once|(\d+) times)|not clicked)", re.IGNORECASE
)
RUNS, PEOPLE = 6, 8
"""Runs cost time, people hardly any."""
numbers = count()


def of_somebody_else(history: list[dict[str, Any]], number: int, whid: str) -> list[dict[str, Any]]:
    """The same history of another record and other sends, so that nothing of it is taken for one wave of bounces."""
    return [
        one
        | {"email": f"{number}.{one['email']}.{number}.example", "whId": whid}
        | {"sendId": one["sendId"] and f"{one['sendId']}-{number}", "campaignId": one["campaignId"] and f"c{number}"}
        for one in history
    ]


def says(org: Org, whid: str) -> Expected:
    """What Salesforce says of a Contact, in the reckoning's words; Tasks by their texts."""
    contact = org.get(whid)
    tasks = [task for task in org.all("Task") if task["WhoId"] == whid]
    said = {role: contact[field] for field, role in FIELDS.items()}
    date = said["bounce_date"] and str(said["bounce_date"])[:19] + "Z"
    return Expected(**said | {"bounce_date": date}, activities=frozenset(told(task) for task in tasks))


def told(task: dict[str, Any]) -> tuple[str, int, int]:
    counts = COUNTS.match(task["Description"])
    assert counts, task
    opened, clicked = (
        1 if once else int(times or 0)
        for once, times in ((counts[1] == "once", counts[2]), (counts[3] == "once", counts[4]))
    )
    campaign, send = re.findall(r"Sarbacane campaign (\S+), send (\S+)", task["Description"])[0]
    names = (("send", send), ("campaign", campaign), ("day", task["ActivityDate"]))
    return next(f"{kind}:{name}" for kind, name in names if name != "-"), opened, clicked


Split = tuple[list[dict[str, Any]], list[list[int]]]


@st.composite
def splits(draw: st.DrawFn) -> Split:
    """A history, and its events in the order in which they come, some twice, a list for each of up to six runs."""
    history = draw(bursts() | courses() | histories() | scans())
    twice = draw(st.lists(st.sampled_from(range(len(history))), max_size=3)) if history else []
    arriving = draw(st.permutations([*range(len(history)), *twice]))
    some = st.lists(st.integers(0, len(arriving)), max_size=RUNS - 1)
    each = st.just(range(1, min(len(arriving), RUNS)))
    cuts = sorted(draw(each | some))
    runs = [arriving[a:b] for a, b in pairwise([0, *cuts, len(arriving)])]
    return history, [*runs, *[[]] * (RUNS - len(runs))]


@settings(max_examples=15, suppress_health_check=[HealthCheck.function_scoped_fixture, HealthCheck.too_slow])
@given(st.lists(splits(), min_size=PEOPLE, max_size=PEOPLE))
def test_any_order_any_duplication_any_split_into_runs_ends_the_same(
    syncd: Syncd, org: Org, people: list[Split]
) -> None:
    """With the brake in, and machines too: a Task that a burst shows to be a scanner's goes again."""
    syncd.receive(payload("delivered", 300, f"r{next(numbers)}", email="r@example.fr", whId=""))  # mail does arrive
    expected: dict[str, Expected] = {}
    arriving: list[list[dict[str, Any]]] = [[] for _ in range(RUNS)]
    for drawn, runs in people:
        number = next(numbers)
        address = f"{number}.{ADDRESS}.{number}.example"
        whid = org.add("Contact", LastName="Durand", Email=address)
        history = of_somebody_else(drawn, number, whid)
        expected[whid] = reckon(history, address)
        for come, some in zip(arriving, runs, strict=True):
            come += [history[i] for i in some]
    for come in arriving:
        syncd.receive(*come)
        assert syncd.run().ended == "done"
    assert {whid: says(org, whid) for whid in expected} == expected
    syncd.wake()
    again = syncd.run()
    assert (again.planned, again.changes) == ({}, {})
