from __future__ import annotations

import pytest

from syncd.checkup.org import calls_a_day
from syncd.store.estimate import Load


@pytest.mark.parametrize(
    ("every", "load", "calls"),
    [
        (60, None, 1440 * 4 + 48),  # nothing known: every run may have something to do
        (300, None, 288 * 4 + 48),
        (60, Load(90, 3.0, 1.0, 30), 3 * 4 + 48 + 1),  # a run without work makes no call
        (60, Load(3_000_000, 100_000.0, 1.0, 30), 1440 * 4 + 48 + 500),
    ],
)
def test_calls_a_day_follow_from_runs_that_have_something_to_do(every: float, load: Load | None, calls: int) -> None:
    assert calls == calls_a_day(every, load)
