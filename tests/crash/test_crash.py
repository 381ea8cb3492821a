"""The campaign in short; `python -m tests.crash --kills 100` is the long one."""

from __future__ import annotations

from typing import TYPE_CHECKING

from tests.crash.campaign import campaign
from tests.crash.runs import kill_runs

if TYPE_CHECKING:
    from pathlib import Path


def test_five_kills_lose_and_double_nothing(tmp_path: Path) -> None:
    report = campaign(tmp_path, 5, seed=5)
    assert report.is_clean, str(report)
    assert report.refused_connections == 0
    assert report.acknowledged > 0


def test_restarts_under_load_refuse_no_connection(tmp_path: Path) -> None:
    report = campaign(tmp_path, 3, seed=7, ways=["restart"])
    assert report.is_clean, str(report)
    assert report.answers.keys() <= {0, 204}
    assert report.refused_connections == 0


def test_kills_in_the_middle_of_a_run_change_nothing_in_the_end(tmp_path: Path) -> None:
    report = kill_runs(tmp_path, 5, seed=3, recipients=60)
    assert report.is_clean, str(report)
    assert report.writes > report.tasks > 40
    assert report.held > 1, "kills come in the middle of calls only if these take a while"
