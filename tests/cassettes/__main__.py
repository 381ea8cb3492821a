"""python -m tests.cassettes: record the conversations anew, from the sandbox, or from a real org.

For a real org (a sandbox org or a scratch org: records are created and deleted there) set $SALESFORCE_USERNAME,
$SALESFORCE_CONSUMER_KEY, $SALESFORCE_PRIVATE_KEY (a file), $SALESFORCE_LOGIN_HOST and, if need be,
$SALESFORCE_MY_DOMAIN.
"""

from __future__ import annotations

import json
import logging
import os
import sys
import tempfile
from pathlib import Path
from typing import Any

import structlog

from syncd.salesforce import Crm
from syncd.sandbox import Org, Sandbox
from tests.cassettes.cases import CASES, Case, Hands, World
from tests.cassettes.tape import TAPES, cassette, settings, worlds
from tests.conftest import Syncd

WANTED = ("SALESFORCE_USERNAME", "SALESFORCE_CONSUMER_KEY", "SALESFORCE_PRIVATE_KEY", "SALESFORCE_LOGIN_HOST")


def main() -> int:
    given = [name for name in WANTED if os.environ.get(name)]
    if given and len(given) < len(WANTED):
        print(f"to record from a real org set {', '.join(set(WANTED) - set(given))} too", file=sys.stderr)
        return 2
    structlog.configure(wrapper_class=structlog.make_filtering_bound_logger(logging.WARNING))
    TAPES.mkdir(exist_ok=True)
    known = worlds()
    wrong = 0
    with tempfile.TemporaryDirectory() as name:
        for number, (case_name, case) in enumerate(CASES.items()):
            directory = Path(name) / str(number)
            if given and case.unreal:
                print(f"left    {case_name}: only the sandbox can be made to do it")
                continue
            world, said = (
                _from_real_org(case_name, case, directory) if given else _from_sandbox(case_name, case, directory)
            )
            same = json.dumps(said) == json.dumps(case.outcome)
            wrong += not same
            print(f"{'taken ' if same else 'DIFFERS'} {case_name}" + ("" if same else f": {said} != {case.outcome}"))
            known[case_name] = {"from": "a real org" if given else "the sandbox", "world": world}
    (TAPES / "worlds.json").write_text(json.dumps(known, indent=1, ensure_ascii=False) + "\n")
    return 1 if wrong else 0


def _from_sandbox(name: str, case: Case, directory: Path) -> tuple[World, Any]:
    org = Org()
    with Sandbox(org, directory=directory.parent / "keys") as sandbox:
        salesforce = {
            "login_host": sandbox.address,
            "username": sandbox.username,
            "consumer_key": sandbox.consumer_key,
            "ca_bundle": str(sandbox.ca_bundle),
        }
        return _recorded(name, case, directory, salesforce, sandbox.private_key.read_text(), org)


def _from_real_org(name: str, case: Case, directory: Path) -> tuple[World, Any]:
    salesforce = {
        "login_host": os.environ["SALESFORCE_LOGIN_HOST"],
        "my_domain": os.environ.get("SALESFORCE_MY_DOMAIN", ""),
        "username": os.environ["SALESFORCE_USERNAME"],
        "consumer_key": os.environ["SALESFORCE_CONSUMER_KEY"],
    }
    key = Path(os.environ["SALESFORCE_PRIVATE_KEY"]).read_text()
    return _recorded(name, case, directory, salesforce, key, None)


def _recorded(
    name: str, case: Case, directory: Path, salesforce: dict[str, Any], key: str, org: Org | None
) -> tuple[World, Any]:
    configured = settings(directory, salesforce, key)
    hands = Hands(Crm(configured).session, org)
    try:
        world = case.before(hands)
        if case.unreal and org:
            case.unreal(org)
        syncd = Syncd(configured, Crm(configured))
        with cassette(name, record=True):
            said = case.play(syncd, world)
        syncd.db.close()
        syncd.crm.session.close()
        return world, said
    finally:
        if org is None:
            hands.clean_up()
        hands.session.close()


if __name__ == "__main__":
    sys.exit(main())
