"""After an outage one cheap call asks whether Salesforce is back, before a run claims and reads everything again.

A run that ends for want of Salesforce is followed by another one as usual. From the second in a row on the pause before
the next question grows, up to some minutes, and the first answer opens fully. All of it is in the store, so a restart
does not begin from the beginning.
"""

from __future__ import annotations

import json
from datetime import UTC, datetime
from typing import TYPE_CHECKING

from syncd.errors import Retriable

if TYPE_CHECKING:
    from syncd.engine.context import Context, Summary

REPEATED = 2  # runs in a row
FIRST_PAUSE = 30_000
LAST_PAUSE = 300_000
LONGEST = LAST_PAUSE * 3 // 2
WAITING = "waiting"
_OUTAGE = "outage"


def admit(c: Context, *, patient: bool) -> None:
    """Raises Retriable while Salesforce does not answer, or, for a `patient` run, while it is not asked again yet."""
    failed, ask_at = _outage(c)
    if failed < REPEATED:
        return
    if patient and 0 < ask_at - c.now() <= LONGEST:  # beyond that it is of a clock that ran ahead
        moment = datetime.fromtimestamp(ask_at / 1000, UTC).strftime("%H:%M:%S UTC")
        raise Retriable(WAITING, f"Salesforce was out of reach {failed} times; it is asked again at {moment}")
    c.crm.session.probe()
    _remember(c, 0, 0)


def note(c: Context, said: Summary) -> None:
    """What this run says of Salesforce: out of reach once more, or there."""
    failed, _ = _outage(c)
    if said.ended == "unavailable":
        if said.code != WAITING:
            pause = min(FIRST_PAUSE << min(max(failed + 1 - REPEATED, 0), 16), LAST_PAUSE)
            _remember(c, failed + 1, c.now() + round(pause * (0.5 + c.chance())))
    elif failed and said.calls:
        _remember(c, 0, 0)


def _outage(c: Context) -> tuple[int, int]:
    failed, ask_at = json.loads(c.work.meta(_OUTAGE) or "[0, 0]")
    return int(failed), int(ask_at)


def _remember(c: Context, failed: int, ask_at: int) -> None:
    c.work.set_meta(_OUTAGE, json.dumps([failed, ask_at]))
