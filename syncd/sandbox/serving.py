"""`syncd sandbox`: a seeded org served until someone stops it."""

import signal
import threading
from collections.abc import Callable, Sequence
from pathlib import Path

from syncd.sandbox.catalogue import parse
from syncd.sandbox.org import Org
from syncd.sandbox.seed import seed
from syncd.sandbox.server import Sandbox

SHOWN = 12


def serve(
    host: str,
    port: int,
    directory: Path,
    records: int = 20,
    *,
    faults: Sequence[str] = (),
    ready: Callable[[Sandbox], None] | None = None,
) -> None:
    """Serve `records` contacts and a quarter as many leads until SIGINT or SIGTERM; call from the main thread.

    `faults` are specs as in `catalogue`; ValueError if one makes no sense.

    `ready` is called once it answers; without one, what a configuration needs is printed.
    """
    stop = threading.Event()
    before = {number: signal.signal(number, lambda *_: stop.set()) for number in (signal.SIGINT, signal.SIGTERM)}
    try:
        org = Org()
        for spec in faults:
            org.faults.add(parse(spec))
        seed(org, contacts=records, leads=records // 4)
        with Sandbox(org, host, port, directory=directory) as sandbox:
            (ready or _tell)(sandbox)
            stop.wait()
    finally:
        for number, handler in before.items():
            signal.signal(number, handler)


def _tell(sandbox: Sandbox) -> None:
    """What a configuration needs, ready to paste, and whom to try it on."""
    people = [record for kind in ("Contact", "Lead") for record in sandbox.org.all(kind)][:SHOWN]
    lines = (
        f"Salesforce stand-in at {sandbox.url} (Ctrl-C stops it)",
        f"try: curl --cacert {sandbox.ca_bundle} {sandbox.url}",
        f"the login's private key: {sandbox.private_key}",
        "",
        "[salesforce]",
        f'login_host = "{sandbox.address}"',
        f'username = "{sandbox.username}"',
        f'consumer_key = "{sandbox.consumer_key}"',
        f'ca_bundle = "{sandbox.ca_bundle.absolute()}"',
        "",
        *(f"{record['Id']}  {record['Email']}" for record in people),
    )
    print("\n".join(lines), flush=True)
