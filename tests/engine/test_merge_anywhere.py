"""A merge or a conversion anywhere between runs ends in what the reckoning says of both histories together."""

from __future__ import annotations

import re
from random import Random
from typing import Any

import pytest

from syncd.sandbox import Org
from tests.conftest import Syncd
from tests.factories import ADDRESS, payload
from tests.reckoning import reckon

KINDS = ("soft_bounce", "soft_bounce", "soft_bounce", "hard_bounce", "delivered", "open", "click", "unsubscribe")
SPELLINGS = (str, str, str.lower, lambda sf_id: sf_id[:15])


def history(chance: Random, ids: list[str]) -> list[dict[str, Any]]:
    """Weeks of mailings to both, each event at its own moment."""
    events = []
    for quarter in sorted(chance.sample(range(240), chance.randint(4, 16))):
        send = chance.choice([f"s{quarter // 8}", f"s{quarter // 8}", f"s{quarter // 40}"])
        whid = chance.choice(SPELLINGS)(chance.choice(ids))
        # fifteen characters with another address are not believed
        email = chance.choice([ADDRESS, ADDRESS, ADDRESS, "old@example.fr" if len(whid) == 18 else ADDRESS])
        events.append(payload(chance.choice(KINDS), quarter / 4, send, whId=whid, email=email))
    return events


def told(org: Org, sf_id: str) -> set[tuple[str, int, int]]:
    """(send, opens, clicks) of each Task on a record."""
    found = set()
    for task in org.all("Task"):
        text = task["Description"]
        send = re.search(r"send (\S+)", text)
        assert send
        counts = [0, 0]
        for i, done in enumerate(("pened", "licked")):
            if said := re.search(rf"{done} (once|(\d+) times)", text.splitlines()[0]):
                counts[i] = int(said[2] or 1)
        assert task["WhoId"] == sf_id
        found.add((f"send:{send[1]}", counts[0], counts[1]))
    return found


@pytest.mark.parametrize("seed", range(8))
def test_it_ends_the_same(syncd: Syncd, org: Org, seed: int) -> None:
    chance = Random(seed)
    winner = org.add("Contact", LastName="Durand", Email=ADDRESS)
    converted = seed % 2
    company = {"Company": "Exemple SA"} if converted else {}
    loser = org.add("Lead" if converted else "Contact", LastName="Durand", Email=ADDRESS, **company)
    events = history(chance, [winner, loser])
    # something that asks for the records after they were merged, which is heard of a day later otherwise
    last = [payload("unsubscribe", 70 + day, "last", whId=whid) for day, whid in enumerate((loser, winner))]
    mailed = list(events)
    chance.shuffle(mailed)  # late ones, too
    cuts = sorted(chance.sample(range(len(mailed) + 1), 3))
    merge_after = chance.choice(cuts)
    for start, end in zip([0, *cuts], [*cuts, len(mailed)], strict=True):
        syncd.receive(*mailed[start:end])
        syncd.run()
        syncd.later(minutes=1)
        if end == merge_after and not org.get(loser).get("MasterRecordId") and not org.get(loser).get("IsConverted"):
            if converted:
                org.convert(loser, contact=winner)
            else:
                org.merge(winner, [loser])
    syncd.receive(*last)
    syncd.run()
    syncd.later(minutes=1)
    syncd.run()
    expected = reckon([*events, *last], ADDRESS)
    record = org.get(winner)
    assert record["EmailBouncedReason"] == expected.bounce_reason
    assert (record["EmailBouncedDate"] or "")[:19] == (expected.bounce_date or "")[:19]
    assert record["HasOptedOutOfEmail"] is expected.opted_out
    assert expected.activities <= told(org, winner)
    before = org.calls_count(writing=True)
    for recipient in syncd.desk.recipients():
        assert recipient["sf_id"] in (winner, None)
    syncd.run()
    assert org.calls_count(writing=True) == before
