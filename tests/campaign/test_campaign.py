"""The campaign in short, several faults at once; `python -m tests.campaign` takes each alone, for 5,000 recipients."""

from __future__ import annotations

from pathlib import Path

import pytest

from tests.campaign.trial import Outcome, trial

RECIPIENTS = 80
MIXES = {
    "answers lost after the work": ["503-after@15%", "reset-after@15%", "empty-answer@15%", "half-answer@15%"],
    "rows refused, whole calls too": ["lock-row@20%", "storage-full@20%", "lock-batch@15%", "limit-concurrent@10%"],
    "sessions, logins and pages": ["session-expired@10%", "session-ends@10%", "login-html@30%", "503-cdn@5%"],
    "late commits": ["timeout-late@10% x3 on composite/sobjects$", "fewer-rows@15%"],
}


@pytest.fixture(scope="module")
def undisturbed(tmp_path_factory: pytest.TempPathFactory, keys: Path) -> Outcome:
    return trial(tmp_path_factory.mktemp("undisturbed") / "store", keys, RECIPIENTS)


def test_without_faults_salesforce_says_what_was_reckoned(undisturbed: Outcome) -> None:
    assert undisturbed.problems(undisturbed) == []
    assert undisturbed.endings == {"done": undisturbed.runs}
    assert len(undisturbed.books.told) < RECIPIENTS  # some were merged
    assert sum(bool(said.bounce_reason) for said in undisturbed.books.told.values()) > 5
    assert sum(said.opted_out for said in undisturbed.books.told.values()) > 5
    assert len(undisturbed.books.state["Task"]) > RECIPIENTS


@pytest.mark.parametrize("mix", MIXES)
def test_faults_change_the_way_but_not_the_outcome(mix: str, undisturbed: Outcome, keys: Path, tmp_path: Path) -> None:
    outcome = trial(tmp_path / "store", keys, RECIPIENTS, MIXES[mix], timeout=0.8)
    assert outcome.met > 0
    assert outcome.problems(undisturbed) == []
