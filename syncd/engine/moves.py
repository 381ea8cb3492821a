"""Once a day Salesforce is asked which records were merged away or converted, so that what they were is due.

Otherwise that is noticed only when something asks for such a record, and hardly anything does: nobody is mailed any
more under an id that is gone. Who had opted out would go on being mailed as the record that survived.
"""

from __future__ import annotations

import json
from typing import TYPE_CHECKING

from syncd.budget import Need
from syncd.errors import ConfigError, Fatal, Retriable
from syncd.ids import OBJECTS

if TYPE_CHECKING:
    from syncd.engine.context import Context, Summary

HOUR, DAY = 3_600_000, 86_400_000
OVERLAP = DAY
"""Salesforce's clock says when, which may not be ours, and what was committed late has an earlier time: rows that were
five minutes old have been missed (airbytehq/airbyte#27146). What is told twice is followed once."""
_ASKED = "moves_asked"


def learn_moves(c: Context, said: Summary, started: int) -> None:
    """A call for each object of which a record is known, and what it tells is due. No failure is the run's.

    After all else, which has the first right to the calls that there are.
    """
    if c.work.looks_only:
        return
    first = c.work.first_run()
    asked: dict[str, tuple[int, int]] = json.loads(c.work.meta(_ASKED) or "{}")
    for prefix, object_ in OBJECTS.items():
        through, ask_at = asked.get(object_, (first, first + DAY))
        if started < ask_at <= started + DAY:
            continue
        if through > started + DAY:  # by a clock that was far ahead: who knows when that really was
            through = first
        if c.work.has_found(prefix):
            asked[object_] = _ask(c, said, object_, through, started)
        else:
            asked[object_] = (started, started + DAY)  # what a run finds it finds where it has gone by then
        c.work.set_meta(_ASKED, json.dumps(asked))


def _ask(c: Context, said: Summary, object_: str, since: int, started: int) -> tuple[int, int]:
    """Until when all is known now, and when to ask again."""
    try:
        with c.budget.for_(Need.MARKS):
            for moves in c.crm.records.moved_since(object_, since - OVERLAP):
                c.work.told(moves, started)
                c.going_on(said.run_id)
    except (Retriable, Fatal, ConfigError) as error:
        said.trouble(f"asking which {object_}s were merged or converted: {error}")
        return since, started + (HOUR if isinstance(error, Retriable) else DAY)
    return started, started + DAY
