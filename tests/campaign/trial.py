"""One trial: the same campaign through the real store and engine against a sandbox in which things go wrong."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from syncd.config import Settings, from_mapping
from syncd.config.models import SalesforceSection
from syncd.salesforce import Crm
from syncd.sandbox import Org, Sandbox, parse
from tests.campaign import story
from tests.conftest import Syncd

if TYPE_CHECKING:
    from collections.abc import Sequence
    from pathlib import Path

    from tests.reckoning import Expected

SEED = 5
RUNS_A_WAVE = 6
RUNS_TO_SETTLE = 60
SOON = 12 * 3_600_000
"""A subject that is due later than this waits for something else than Salesforce: a record that may yet appear."""
EVERY = 60_000
"""ms: the scheduler's rhythm, so that what is due within a minute is one run's."""
TIMEOUT = 1.5
"""Seconds that a client waits; a fault that makes it give up holds back a little more."""


@dataclass
class Outcome:
    """What came of a trial."""

    state: dict[str, list[dict[str, Any]]]
    told: dict[str, Expected]
    reckoned: dict[str, Expected]
    duplicates: int
    calls: int
    met: int
    runs: int
    settled: bool
    endings: dict[str, int]

    def problems(self, undisturbed: Outcome) -> list[str]:
        """What is wrong with it; nothing if faults have changed nothing in the end."""
        found = list(story.differences(self.reckoned, self.told))
        if self.state != undisturbed.state:
            found.append("the org differs from one without faults")
        if self.duplicates:
            found.append(f"{self.duplicates} Tasks too many")
        if not self.settled:
            found.append(f"not settled after {self.runs} runs")
        return found


def trial(
    directory: Path, keys: Path, recipients: int, faults: Sequence[str] = (), timeout: float = TIMEOUT
) -> Outcome:
    """The campaign of `recipients`, with these faults (as of `syncd sandbox --fault`) in force until it is over."""
    org = Org(seed=SEED)
    everybody = story.people(org, recipients)
    waves = story.happen(everybody, SEED)
    for spec in faults:
        _prepare(org, spec, timeout)
    with Sandbox(org, directory=keys) as sandbox:
        settings = _settings(directory, sandbox, faults, timeout)
        syncd = Syncd(settings, Crm(settings))
        try:
            endings = _suffer(syncd, org, waves[:1])
            story.convert(org, everybody)
            endings += _suffer(syncd, org, waves[1:])
            met = sum(fault.fired for fault in org.faults)
            org.faults.clear()
            endings += _settle(syncd, org)
            settled = not _next_due(syncd) and not _left_open(syncd)
        finally:
            syncd.db.close()
            syncd.crm.session.close()
        return Outcome(
            story.state(org),
            story.told(org, everybody),
            story.reckoned(everybody),
            story.duplicates(org),
            org.calls_count(),
            met,
            len(endings),
            settled,
            {how: endings.count(how) for how in sorted(set(endings))},
        )


def _prepare(org: Org, spec: str, timeout: float) -> None:
    fault = parse(spec)
    if fault.hold is not None:
        fault.hold = 1.3 * timeout if spec.startswith("timeout") else 0.05
    org.faults.add(fault)
    if spec.startswith("query-page-lost"):
        org.page_size = 20


def _suffer(syncd: Syncd, org: Org, waves: list[list[story.Payload]]) -> list[str]:
    """The waves, with faults in force: how each run ended."""
    endings: list[str] = []
    for wave in waves:
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


def _settings(directory: Path, sandbox: Sandbox, faults: Sequence[str], timeout: float) -> Settings:
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
    if any(spec.startswith("bulk") for spec in faults) and "bulk_threshold" in SalesforceSection.model_fields:
        salesforce["bulk_threshold"] = 20
    return from_mapping(
        {
            "secrets_dir": str(secrets),
            "store": {"url": f"sqlite:///{directory}/syncd.db"},
            "sync": {"mode": "live"},
            "salesforce": salesforce,
        }
    )
