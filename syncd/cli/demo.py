"""`syncd demo`: the whole way on one machine. Everything is real but the Salesforce, which is the sandbox."""

from __future__ import annotations

import os
import re
import secrets
import sys
import time
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import TYPE_CHECKING, Any

import click
import requests

from syncd.cli.campaign import PEOPLE, deliveries
from syncd.cli.words import documented, told
from syncd.config import Bind, load
from syncd.engine import assemble, run
from syncd.errors import Busy, StoreError
from syncd.processes import Child, Supervisor
from syncd.salesforce import Crm
from syncd.sandbox import Org, Sandbox
from syncd.store import Desk, open_store
from syncd.systemd import bound_socket
from syncd.texts import json_text

if TYPE_CHECKING:
    from collections.abc import Iterator

    from syncd.config import Settings
    from syncd.engine import Summary

PATIENCE = 30.0  # seconds for what takes two
_ELSEWHERE = re.compile("SYNCD_|CREDENTIALS_DIRECTORY$|(https?|all)_proxy$", re.IGNORECASE)
"""Variables that name another store, another Salesforce, or a way off this machine."""


@click.command()
@click.option("--once", is_flag=True, help="Exit when done, even on a terminal.")
@click.option(
    "--json", "as_json", is_flag=True, help="One JSON document: events, decisions, changes, receipts, records."
)
def demo(*, once: bool, as_json: bool) -> None:
    """Show the whole way on this machine, without any account.

    Starts a Salesforce stand-in, the receiver, the dashboard and the scheduler; posts a small campaign; prints what
    Salesforce says before and after. On a terminal it then stays up for looking around.
    """
    with _started() as (stage, supervisor):
        before = stage.records()
        answers = _post(stage)
        with stage.log.open("ab") as said:
            supervisor.start(Child("scheduler", ["schedule"], stderr=said))
        _wait_until_done(stage)
        writes = stage.org.calls_count(writing=True)
        again = _second_sync(stage)
        document = {
            **stage.facts(),
            "dashboard": _looked_at(stage),
            "deliveries": answers,
            "records": [
                {**person, "before": before[person["id"]], "after": stage.records()[person["id"]]}
                for person in stage.people()
            ],
            "second_sync": {**again.as_dict(), "writing_calls": stage.org.calls_count(writing=True) - writes},
            "salesforce_calls": stage.org.calls_count(),
        }
        click.echo(json_text(documented(document)) if as_json else told(document))
        if sys.stdout.isatty() and not once:
            _stay(stage, supervisor)


@dataclass(frozen=True, slots=True)
class _Stage:
    """What the demo runs on."""

    settings: Settings
    config: Path
    org: Org
    sandbox: Sandbox
    ids: dict[str, str]  # address → record id
    url: str
    dashboard: str
    log: Path

    def said(self) -> str:
        """What the receiver, the dashboard and the scheduler logged."""
        return self.log.read_text()

    def people(self) -> list[dict[str, Any]]:
        return [
            {"id": self.ids[p.email], "object": p.type, "name": f"{p.first} {p.last}", "story": p.story} for p in PEOPLE
        ]

    def records(self) -> dict[str, dict[str, Any]]:
        """What Salesforce says of each now, with its Tasks."""
        names = ("Email", "EmailBouncedDate", "EmailBouncedReason", "HasOptedOutOfEmail")
        tasks = self.org.all("Task")
        return {
            sf_id: {
                **{name: self.org.get(sf_id)[name] for name in names},
                "tasks": [
                    {name: task[name] for name in ("Subject", "Status", "ActivityDate", "Description")}
                    for task in tasks
                    if task["WhoId"] == sf_id
                ],
            }
            for sf_id in self.ids.values()
        }

    def facts(self) -> dict[str, Any]:
        db = open_store(self.settings.store.path)
        try:
            desk = Desk(db)
            return {
                "salesforce": self.sandbox.url,
                "receiver": self.url.rpartition("/")[0] + "/…",
                "store": str(self.settings.store.path),
                "events": desk.events(),
                "quarantine": desk.quarantine(),
                "recipients": desk.recipients(),
                "decisions": desk.decisions(),
                "changes": desk.changes(),
                "runs": desk.runs(),
            }
        finally:
            db.close()


@contextmanager
def _started() -> Iterator[tuple[_Stage, Supervisor]]:
    """The sandbox with its people, a configuration that reaches it, and receiver and dashboard as processes."""
    with ExitStack() as stack:
        stack.enter_context(_alone())
        directory = Path(stack.enter_context(TemporaryDirectory(prefix="syncd-demo-")))
        org = Org()
        ids = {person.email: org.add(person.type, **person.record()) for person in PEOPLE}
        sandbox = stack.enter_context(Sandbox(org, directory=directory / "salesforce"))
        listener, dashboard = (stack.enter_context(bound_socket(Bind("127.0.0.1", 0))) for _ in range(2))
        token = secrets.token_urlsafe(24)
        config = _configure(directory, sandbox, token, port := listener.getsockname()[1])
        supervisor = Supervisor(config)
        stack.callback(supervisor.stop)
        log = directory / "log"
        said = stack.enter_context(log.open("ab"))
        supervisor.start(Child("receiver", ["receive"], listener, stderr=said))
        supervisor.start(Child("dashboard", ["dashboard"], dashboard, stderr=said))
        url = f"http://127.0.0.1:{port}/webhooks/sarbacane/{token}"
        looked_at = f"http://127.0.0.1:{dashboard.getsockname()[1]}/metrics"
        yield _Stage(load(config), config, org, sandbox, ids, url, looked_at, log), supervisor


@contextmanager
def _alone() -> Iterator[None]:
    """For this process and those it starts: the demo's events have no business in a store that somebody configured."""
    kept = {name: value for name, value in os.environ.items() if _ELSEWHERE.match(name)}
    for name in kept:
        del os.environ[name]
    try:
        yield
    finally:
        os.environ.update(kept)


def _configure(directory: Path, sandbox: Sandbox, token: str, port: int) -> Path:
    """What `/etc/syncd` would hold."""
    files = directory / "secrets"
    files.mkdir(mode=0o700)
    for name, text in {"webhook_tokens": token, "salesforce_private_key": sandbox.private_key.read_text()}.items():
        (files / name).touch(mode=0o600)
        (files / name).write_text(text)
    config = directory / "syncd.toml"
    config.write_text(
        f"""\
secrets_dir = "secrets"

[store]
url = "sqlite:///syncd.db"

[receiver]
bind = "127.0.0.1:{port}"

[sync]
mode = "live"

[salesforce]
login_host = "{sandbox.address}"
username = "{sandbox.username}"
consumer_key = "{sandbox.consumer_key}"
ca_bundle = "{sandbox.ca_bundle}"
"""
    )
    return config


def _post(stage: _Stage) -> dict[str, int]:
    """How often each status was answered."""
    answers: dict[str, int] = {}
    with requests.Session() as client:
        client.trust_env = False  # a proxy of this machine has no business on loopback
        for body in deliveries(stage.ids, datetime.now(UTC)):
            try:
                status = str(client.post(stage.url, data=body, timeout=PATIENCE).status_code)
            except requests.RequestException as error:
                raise StoreError(f"the demo's receiver does not answer. It said:\n{stage.said()}") from error
            answers[status] = answers.get(status, 0) + 1
    return answers


def _looked_at(stage: _Stage) -> str:
    """The dashboard's address, once it has answered."""
    try:
        with requests.Session() as client:
            client.trust_env = False
            client.get(stage.dashboard, timeout=PATIENCE).raise_for_status()
    except requests.RequestException as error:
        raise StoreError(f"the demo's dashboard does not answer. It said:\n{stage.said()}") from error
    return stage.dashboard


def _wait_until_done(stage: _Stage) -> None:
    """Until the scheduler has nothing left to do."""
    db = open_store(stage.settings.store.path)
    try:
        deadline = time.monotonic() + PATIENCE
        while time.monotonic() < deadline:
            said = Desk(db).status(time.time_ns() // 1_000_000)
            if said["last_run"] and not (said["events_waiting"] or said["subjects_due"] or said["run_going_on"]):
                return
            time.sleep(0.05)
    finally:
        db.close()
    raise StoreError(f"the demo's scheduler did not get done. It said:\n{stage.said()}")


def _second_sync(stage: _Stage) -> Summary:
    deadline = time.monotonic() + PATIENCE
    while True:
        try:
            with assemble(stage.settings, Crm(stage.settings)) as context:
                return run(context, "demo")
        except Busy:  # the scheduler's own next run
            if time.monotonic() > deadline:
                raise
            time.sleep(0.1)


def _stay(stage: _Stage, supervisor: Supervisor) -> None:
    click.echo(
        f"""
Still running. From another terminal:
  curl -i --data @event.json {stage.url}
  curl {stage.dashboard}
  syncd --config {stage.config} status
  syncd --config {stage.config} sync
  tail -f {stage.log}
  curl --cacert {stage.sandbox.ca_bundle} {stage.sandbox.url}/sandbox/state
Ctrl-C ends it and removes everything."""
    )
    supervisor.stop_on_signals()
    supervisor.watch()
