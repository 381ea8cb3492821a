"""One trial: the same campaign through the real store and engine against a sandbox in which things go wrong."""

from __future__ import annotations

from collections import Counter
from dataclasses import dataclass, replace
from itertools import islice
from random import Random
from typing import TYPE_CHECKING, Any

from syncd.config import Settings, from_mapping
from syncd.salesforce import Crm
from syncd.sandbox import Org, Sandbox, parse
from tests.campaign import story
from tests.campaign.books import Books, closed
from tests.campaign.moves import Moves
from tests.conftest import Syncd

if TYPE_CHECKING:
    from collections.abc import Sequence
    from pathlib import Path

SEED = 5
RUNS_A_WAVE = 6
RUNS_TO_SETTLE = 60
SOON = 12 * 3_600_000
"""A subject that is due later than this waits for something else than Salesforce: a record that may yet appear."""
EVERY = 60_000
"""ms: the scheduler's rhythm, so that what is due within a minute is one run's."""
TIMEOUT = 1.5
"""Seconds that a client waits; a fault that makes it give up holds back a little more."""
FEW = 20
"""Changes of a kind from which on they go through the Bulk API, if that is what is tried."""


@dataclass(frozen=True)
class Outcome:
    """What came of a trial. `met`: calls and jobs that met a fault, `endings`: how many runs ended how."""

    books: Books
    calls: int
    met: int
    settled: bool
    endings: dict[str, int]

    @property
    def runs(self) -> int:
        return sum(self.endings.values())

    def problems(self, undisturbed: Outcome) -> list[str]:
        """What is wrong with it; nothing if faults have changed nothing in the end."""
        found = [*self.books.wrong(), *islice(self.books.unlike(undisturbed.books), 5)]
        if self.books.duplicates:
            found.append(f"{self.books.duplicates} Tasks too many")
        if not self.settled:
            found.append(f"not settled after {self.runs} runs")
        return found


def trial(
    directory: Path,
    keys: Path,
    recipients: int,
    faults: Sequence[str] = (),
    *,
    bulk: bool = False,
    timeout: float = TIMEOUT,
) -> Outcome:
    """The campaign of `recipients`, with these faults (as of `syncd sandbox --fault`) in force until it is over."""
    org = Org(seed=SEED)
    everybody = story.people(org, recipients)
    moves = Moves(org, everybody, Random(SEED))
    waves = story.happen(everybody, SEED)
    for spec in faults:
        _prepare(org, spec, timeout, bulk=bulk)
    with Sandbox(org, directory=keys) as sandbox:
        settings = _settings(directory, sandbox, faults, timeout, bulk=bulk)
        syncd = Syncd(settings, Crm(settings))
        made_for: dict[str, str] = {}
        endings: list[str] = []
        try:
            for number, wave in enumerate(waves):
                syncd.later(days=number > 0)  # what people did meanwhile is asked for, too
                endings += _suffer(syncd, org, wave)
                made_for = {str(task["Id"]): str(task["WhoId"]) for task in org.all("Task")} | made_for
                moves.carry_out(number)
            met = sum(fault.fired for fault in org.faults)
            org.faults.clear()
            syncd.later(days=1)
            endings += [_run(syncd, org), *_settle(syncd, org)]
            settled = not _next_due(syncd) and not _left_open(syncd)
        finally:
            syncd.db.close()
            syncd.crm.session.close()
        books = closed(org, everybody, made_for)
        return Outcome(books, org.calls_count(), met, settled, dict(Counter(endings)))


def _prepare(org: Org, spec: str, timeout: float, *, bulk: bool) -> None:
    fault = parse(spec)
    if bulk and fault.row_code:  # the rows of a job meet theirs when it is closed; all of them, those of two jobs
        at_closing = org.faults.add(replace(fault, path="/jobs/ingest/", method="PATCH"))
        if not fault.row_share:
            at_closing.chance, at_closing.times = None, 2
    if fault.hold is not None:
        fault.hold = 1.3 * timeout if spec.startswith("timeout") else 0.05
    org.faults.add(fault)
    if spec.startswith("query-page-lost"):
        org.page_size = 20


def _suffer(syncd: Syncd, org: Org, wave: list[story.Payload]) -> list[str]:
    """A wave, with faults in force: how each run ended."""
    endings: list[str] = []
    syncd.receive(*wave)
    for _ in range(RUNS_A_WAVE):
        endings.append(_run(syncd, org))
        if not _next_due(syncd):
            break
    return endings


def _settle(syncd: Syncd, org: Org) -> list[str]:
    endings: list[str] = []
    while _next_due(syncd) and len(endings) < RUNS_TO_SETTLE:
        endings.append(_run(syncd, org))
    return endings


def _run(syncd: Syncd, org: Org) -> str:
    """One run, when the next subject is due; what Salesforce was still doing when the client gave up is done after."""
    syncd.clock.at = max(syncd.clock.at, _next_due(syncd) + EVERY)
    ended = syncd.run().ended
    assert org.wait_until_idle()
    return ended


def _next_due(syncd: Syncd) -> int:
    """The instant at which something is due soon; 0 if nothing is."""
    ((fresh,),) = syncd.db.execute("SELECT count(*) FROM fresh")
    ((due,),) = syncd.db.execute("SELECT min(due_at) FROM subjects WHERE due_at < ?", (syncd.clock.at + SOON,))
    return int(due or 0) or (syncd.clock.at if fresh else 0)


def _left_open(syncd: Syncd) -> int:
    ((number,),) = syncd.db.execute("SELECT count(*) FROM changes WHERE state IN ('intended', 'uncertain')")
    return int(number)


def _settings(directory: Path, sandbox: Sandbox, faults: Sequence[str], timeout: float, *, bulk: bool) -> Settings:
    secrets = directory / "secrets"
    secrets.mkdir(mode=0o700, parents=True)
    for name, text in {
        "salesforce_private_key": sandbox.private_key.read_text(),
        "webhook_tokens": "test-token-0123456789-abcdef\n",
    }.items():
        (secrets / name).touch(mode=0o600)
        (secrets / name).write_text(text)
    waits = any(spec.startswith("timeout") for spec in faults)
    salesforce: dict[str, Any] = {
        "login_host": sandbox.address,
        "username": sandbox.username,
        "consumer_key": sandbox.consumer_key,
        "ca_bundle": str(sandbox.ca_bundle),
        "timeout": f"{int(timeout * 1000)}ms" if waits else "30s",
    }
    if bulk:
        salesforce["bulk_threshold"] = FEW
    return from_mapping(
        {
            "secrets_dir": str(secrets),
            "store": {"url": f"sqlite:///{directory}/syncd.db"},
            "sync": {"mode": "live"},
            "salesforce": salesforce,
        }
    )
