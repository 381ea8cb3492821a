"""python -m tests.bench.beside [RECIPIENTS]: the receiver while a run of so many (100,000) goes on beside it.

The run has nice 19, as in its unit, and so has the stand-in for Salesforce, which in earnest is another machine. Both
may use either core; the receiver has core 0, the load core 1.
"""

from __future__ import annotations

import os
import subprocess
import sys
import tempfile
import time
from contextlib import closing, contextmanager
from multiprocessing import Pipe, Process
from pathlib import Path
from typing import TYPE_CHECKING

from syncd.sandbox import Org, Sandbox
from syncd.sarbacane import read
from syncd.store import Inbox, open_store
from tests.bench.contenders import SYNCD, running, worker
from tests.bench.rounds import Round, has_wrk, measured, told
from tests.receiver.stored import payload

if TYPE_CHECKING:
    from collections.abc import Iterator
    from multiprocessing.connection import Connection

ROUNDS, SECONDS = 5, 3


def salesforce(directory: Path, contacts: int, told: Connection) -> None:
    """The body of a process: an org in which `user0@example.com` and so on are Contacts."""
    os.nice(19)
    org = Org()
    for number in range(contacts):
        org.add("Contact", LastName=f"N{number}", Email=f"user{number}@example.com")
    with Sandbox(org, directory=directory) as sandbox:
        told.send((sandbox.address, sandbox.username, sandbox.consumer_key, sandbox.ca_bundle, sandbox.private_key))
        told.recv()


@contextmanager
def a_run(directory: Path, contacts: int) -> Iterator[list[str]]:
    """The command that starts one; its configuration differs from the receiver's in what concerns Salesforce."""
    here, there = Pipe()
    org = Process(target=salesforce, args=(directory, contacts, there))
    org.start()
    address, username, consumer_key, ca_bundle, private_key = here.recv()
    (directory / "secrets").mkdir(mode=0o700)
    (directory / "secrets" / "salesforce_private_key").touch(mode=0o600)
    (directory / "secrets" / "salesforce_private_key").write_text(private_key.read_text())
    path = directory / "run.toml"
    path.write_text(
        'secrets_dir = "secrets"\n[store]\nurl = "sqlite:///syncd.db"\n[sync]\nmode = "live"\n[salesforce]\n'
        f'login_host = "{address}"\nusername = "{username}"\nconsumer_key = "{consumer_key}"\n'
        f'ca_bundle = "{ca_bundle}"\n'
    )
    yield ["nice", "-n", "19", sys.executable, "-m", "syncd", "--config", str(path), "sync"]
    here.send("enough")
    org.join()


def events(store: Path, recipients: int) -> None:
    now = time.time_ns() // 1_000_000
    with closing(open_store(store)) as db:
        db.execute("PRAGMA synchronous=OFF")
        for start in range(0, recipients, 10_000):
            Inbox(db).append([read(payload(number), now) for number in range(start, min(start + 10_000, recipients))])


def main() -> int:
    if not has_wrk():
        print("This needs wrk. Install it (apt-get install wrk, as root), then run again.", file=sys.stderr)
        return 1
    recipients = int(sys.argv[1]) if len(sys.argv) > 1 else 100_000
    with tempfile.TemporaryDirectory() as name, a_run(Path(name), recipients) as command:
        directory = Path(name)
        events(directory / "syncd.db", recipients)
        with running(SYNCD, sys.executable, directory) as (port, process):

            def rounds(count: int) -> list[Round]:
                return [measured(SYNCD, port, worker(process), 64, SECONDS, "without_whid") for _ in range(count)]

            alone = rounds(ROUNDS)
            began = time.monotonic()
            run = subprocess.Popen(command, stdout=subprocess.DEVNULL)
            beside = rounds(1)
            while run.poll() is None and len(beside) < 4 * ROUNDS:
                beside += rounds(1)
            lasted = time.monotonic() - began
            how = "ended with" if run.poll() is not None else "was stopped; after"
            run.terminate()
            run.wait()
            alone += rounds(ROUNDS)
    print(f"a run of {recipients:,} recipients {how} {lasted:.0f} s and {len(beside)} rounds")
    print(told("alone", alone))
    print(told("beside a run", beside, alone))
    return 0


if __name__ == "__main__":
    sys.exit(main())
