"""python -m tests.bench.naive: syncd beside the loop that one would write, on the same events, in one run.

The loop asks for the record of each event and then changes it or adds a Task, as the first example of simple-salesforce
would have it. Both talk to the sandbox over HTTPS on this machine, where a call takes milliseconds; to Salesforce it
takes a hundred of them or more, so the number of calls says more than the time.
"""

from __future__ import annotations

import argparse
import logging
import tempfile
import time
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

import requests
import structlog
from simple_salesforce.api import Salesforce
from simple_salesforce.format import format_soql

from syncd.salesforce import Crm
from syncd.sandbox import Org, Sandbox
from tests.cassettes.tape import settings
from tests.conftest import Syncd
from tests.factories import payload

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence

KINDS = ("delivered", "open", "open", "click", "hard_bounce", "open", "unsubscribe", "delivered", "click", "open")
"""What happens to one person after another; those who bounce or leave are few enough to trip no brake."""


@dataclass
class Run:
    """What one way took, and what Salesforce says afterwards."""

    way: str
    seconds: float
    calls: int
    tasks: int
    marked: int
    opted_out: int


def campaign(org: Org, events: int) -> list[dict[str, Any]]:
    """Three events for each person: their own, and an open and a click of the same send by every second one."""
    said: list[dict[str, Any]] = []
    number = 0
    while len(said) < events:
        address = f"n{number}@d{number % 50}.example"
        who = {"whId": org.add("Contact", LastName=f"N{number}", Email=address), "email": address}
        own = KINDS[number // 3 % len(KINDS)] if number % 3 else "delivered"
        said.append(payload(own, 1, "s", **who))
        if own in ("open", "click"):
            said += [payload("open", 1.1, "s", **who), payload("click", 1.2, "s", **who)]
        number += 1
    return said[:events]


def naive(sandbox: Sandbox, events: Sequence[dict[str, Any]], _: Path) -> None:
    with requests.Session() as session:
        session.trust_env, session.verify = False, str(sandbox.ca_bundle)
        salesforce = Salesforce(instance_url=sandbox.url, session_id=sandbox.session_id(), session=session)
        for event in events:
            query = format_soql("SELECT Id, Email FROM Contact WHERE Id = {}", event["whId"])
            contact = salesforce.query(query)["records"][0]["Id"]
            if event["type"] in ("open", "click"):
                task = {"WhoId": contact, "Subject": event["subject"], "Status": "Completed"}
                salesforce.Task.create(task)  # type: ignore[operator] # an attribute made on the fly
            elif event["type"] == "hard_bounce":
                when = event["date"].replace(" ", "")
                values = {"EmailBouncedDate": when, "EmailBouncedReason": event["smtpDescription"]}
                salesforce.Contact.update(contact, values)  # type: ignore[operator]
            elif event["type"] == "unsubscribe":
                salesforce.Contact.update(contact, {"HasOptedOutOfEmail": True})  # type: ignore[operator]


def ours(sandbox: Sandbox, events: Sequence[dict[str, Any]], directory: Path) -> None:
    salesforce = {
        "login_host": sandbox.address,
        "username": sandbox.username,
        "consumer_key": sandbox.consumer_key,
        "ca_bundle": str(sandbox.ca_bundle),
    }
    configured = settings(directory, salesforce, sandbox.private_key.read_text())
    syncd = Syncd(configured, Crm(configured))
    syncd.receive(*events)
    said = syncd.run()
    assert said.ended == "done", said
    syncd.db.close()
    syncd.crm.session.close()


WAYS: dict[str, Callable[[Sandbox, Sequence[dict[str, Any]], Path], None]] = {"one by one": naive, "syncd": ours}


def measured(way: str, events: int, directory: Path) -> Run:
    org = Org()
    said = campaign(org, events)
    with Sandbox(org, directory=directory) as sandbox:
        started = time.monotonic()
        WAYS[way](sandbox, said, directory)
        seconds = time.monotonic() - started
    people = org.all("Contact")
    return Run(
        way,
        seconds,
        org.calls_count(),
        len(org.all("Task")),
        sum(bool(row["EmailBouncedReason"]) for row in people),
        sum(bool(row["HasOptedOutOfEmail"]) for row in people),
    )


def main() -> None:
    parser = argparse.ArgumentParser(prog="python -m tests.bench.naive", description=__doc__)
    parser.add_argument("--events", type=int, default=3_000)
    arguments = parser.parse_args()
    structlog.configure(wrapper_class=structlog.make_filtering_bound_logger(logging.WARNING))
    print(f"{arguments.events} events")
    print(f"{'':12} {'calls':>7} {'seconds':>8} {'Tasks':>6} {'marked':>7} {'opted out':>10}")
    with tempfile.TemporaryDirectory() as name:
        for way in WAYS:
            run = measured(way, arguments.events, Path(name))
            print(
                f"{run.way:12} {run.calls:7} {run.seconds:8.1f} {run.tasks:6} {run.marked:7} {run.opted_out:10}",
                flush=True,
            )


if __name__ == "__main__":
    main()
