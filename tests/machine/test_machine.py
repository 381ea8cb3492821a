"""`make install` on a clean machine, and its units under a real systemd that is PID 1.

Everything is as shipped: the units with all they may not do, the users, the socket, the credentials. The one thing that
differs from an administrator's machine is Salesforce: the sandbox, as a unit of its own.
"""

from __future__ import annotations

import json
import re
import subprocess
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

import pytest

from syncd.sandbox.server import CONSUMER_KEY, USERNAME
from tests.machine.machine import Machine, missing
from tests.system.conftest import until

LACKS = missing()
pytestmark = [
    pytest.mark.skipif(bool(LACKS), reason=f"no machine of its own here: {LACKS}"),
    pytest.mark.timeout(300),
]

RECEIVER, SYNC, DASHBOARD = "syncd-receiver.service", "syncd-sync.service", "syncd-dashboard.service"
BACKUP, PRUNE = "syncd-backup.service", "syncd-prune.service"
SALESFORCE = "/srv/salesforce"
CONTACT = "003Sb0000000001IAA"


@pytest.fixture(scope="module")
def machine() -> Iterator[Machine]:
    made = Machine()
    yield made
    made.close()


@pytest.fixture(scope="module")
def installed(machine: Machine) -> str:
    """What `make install` prints, on a machine that has Python and make."""
    return machine.shell("make -C /src install PYTHON=python3", online=True)


@pytest.fixture(scope="module")
def running(machine: Machine, installed: str) -> str:
    """The path to post to, once all is configured and started."""
    found = re.search(r"/webhooks/sarbacane/\S+", installed)
    assert found
    machine.write(
        "/run/systemd/system/sandbox.service",
        f"""[Service]
ExecStart=/usr/local/bin/syncd sandbox --directory {SALESFORCE}
ExecStartPost=/bin/sh -c 'until curl -sf --cacert {SALESFORCE}/ca.pem https://localhost:8443/; do sleep 0.1; done'
""",
    )
    machine.run("systemctl", "start", "sandbox.service")
    machine.shell(
        f"""syncd init --force --login-host localhost:8443 --ca-bundle {SALESFORCE}/ca.pem \
              --username {USERNAME} --consumer-key {CONSUMER_KEY}
            chmod a+rx {SALESFORCE}
            curl -sf --cacert {SALESFORCE}/ca.pem --data-binary @/etc/syncd/salesforce.crt \
              https://localhost:8443/sandbox/certificate
            syncd check
            sed -i 's/mode = "observe".*/mode = "live"\\nevery = "1s"/' /etc/syncd/syncd.toml
            systemctl enable --now syncd.target"""
    )
    return found.group()


def post(machine: Machine, path: str, **event: str) -> str:
    said = {"campaignId": "c1", "sendId": "s1", "date": "2026-11-20T09:00:00Z", **event}
    answer = ("--silent", "--output", "/dev/null", "--write-out", "%{http_code}")
    return machine.run("curl", *answer, "--data", json.dumps(said), f"http://127.0.0.1:8080{path}", code=None)


def salesforce(machine: Machine, page: str) -> Any:
    return json.loads(machine.run("curl", "-sf", "--cacert", f"{SALESFORCE}/ca.pem", f"https://localhost:8443/{page}"))


def bounced(machine: Machine, record: str) -> str | None:
    for contact in salesforce(machine, "sandbox/state")["Contact"]:
        if contact["Id"] == record:
            return str(contact["EmailBouncedReason"] or "")
    raise AssertionError(record)


@contextmanager
def load(machine: Machine, path: str) -> Iterator[dict[str, int]]:
    """Eight clients that post without a pause; afterwards how many were answered what."""
    answers: dict[str, int] = {}
    command = machine.command("python3", "/src/tests/machine/load.py", path)
    with subprocess.Popen(command, stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True) as clients:
        assert clients.stdout
        assert clients.stdin
        assert clients.stdout.readline() == "started\n"
        yield answers
        clients.stdin.close()
        answers.update(json.loads(clients.stdout.read()))


def states(machine: Machine) -> list[str]:
    return machine.run("systemctl", "is-active", "syncd-receiver.socket", RECEIVER, SYNC, DASHBOARD, code=None).split()


def restarts(machine: Machine, unit: str) -> int:
    return int(machine.shows(unit, "NRestarts"))


def test_the_installed_units_are_right_and_hardened(machine: Machine, installed: str) -> None:
    units = machine.shell("ls /usr/local/lib/systemd/system").split()
    assert machine.run("systemd-analyze", "verify", *units) == ""
    for unit in (unit for unit in units if unit.endswith(".service")):
        said = machine.shell(f"cd /usr/local/lib/systemd/system && systemd-analyze security --offline=true ./{unit}")
        (exposure,) = re.findall(r"Overall exposure level .*: ([\d.]+)", said)
        assert float(exposure) <= 1.5, said


def test_an_event_goes_all_the_way_through_the_socket_to_salesforce(machine: Machine, running: str) -> None:
    until(lambda: states(machine) == ["active"] * 4)
    event = {
        "type": "hard_bounce",
        "whId": CONTACT,
        "email": "lea.durand.1@example.com",
        "smtpDescription": "550 5.1.1",
    }
    assert post(machine, running, **event) == "204"
    until(lambda: bounced(machine, CONTACT))
    assert "run" in machine.shows(SYNC, "StatusText")
    metrics = machine.run("curl", "-sf", "http://127.0.0.1:8081/metrics")
    assert "\nsyncd_store_up 1.0\n" in metrics
    assert "\nsyncd_events_received_total 1.0\n" in metrics


def test_the_receiver_cannot_reach_salesforces_secrets(machine: Machine, running: str) -> None:
    sync, receiver = machine.shows(SYNC, "MainPID"), machine.shows(RECEIVER, "MainPID")
    handed_over = f"/proc/{receiver}/root/run/credentials/"
    assert machine.run("ls", f"{handed_over}{RECEIVER}") == "webhook_tokens\n"
    assert machine.run("ls", handed_over) == f"{RECEIVER}\n"
    assert "PRIVATE KEY" in machine.run("cat", f"/proc/{sync}/root/run/credentials/{SYNC}/salesforce_private_key")
    for path in (
        "/etc/syncd/secrets/salesforce_private_key",
        f"/run/credentials/{SYNC}/salesforce_private_key",
        f"/proc/{sync}/root/run/credentials/{SYNC}/salesforce_private_key",
        f"/proc/{sync}/environ",
    ):
        assert "Permission denied" in machine.run("runuser", "-u", "syncd-receiver", "--", "cat", path, code=1)
    for user in ("nobody", "syncd-receiver"):  # the alerts' passwords stand in it
        may_read = machine.run("runuser", "-u", user, "--", "cat", "/etc/syncd/syncd.toml", code=None)
        assert ("[store]" in may_read) == (user != "nobody")
    devices = machine.run("cat", f"/proc/{receiver}/net/dev")
    assert re.findall(r"^ *(\w+):", devices, re.MULTILINE) == ["lo"]


def test_no_connection_is_refused_while_the_receiver_restarts_under_load(machine: Machine, running: str) -> None:
    with load(machine, running) as answers:
        for _ in range(2):
            machine.run("systemctl", "restart", RECEIVER)
        before = restarts(machine, RECEIVER)
        machine.run("systemctl", "kill", "--kill-whom=main", "--signal=TERM", RECEIVER)  # an exit nobody asked for
        until(lambda: restarts(machine, RECEIVER) > before)
        until(lambda: machine.shows(RECEIVER, "ActiveState") == "active")
    assert set(answers) == {"204"}
    assert answers["204"] > 3 * 8  # each client, in each of the three gaps


def test_a_hung_process_is_restarted_by_the_watchdog(machine: Machine, running: str) -> None:
    for unit in (SYNC, RECEIVER):
        machine.write(f"/run/systemd/system/{unit}.d/soon.conf", "[Service]\nWatchdogSec=2s\nRestartSec=100ms\n")
    machine.shell(f"systemctl daemon-reload && systemctl restart {SYNC} {RECEIVER}")
    main = {unit: machine.shows(unit, "MainPID") for unit in (SYNC, RECEIVER)}
    before = {unit: restarts(machine, unit) for unit in main}
    children = machine.run("cat", f"/proc/{main[RECEIVER]}/task/{main[RECEIVER]}/children").split()
    machine.run("kill", "-STOP", main[SYNC], children[0])  # the receiver's worker, which answers
    for unit in main:
        until(lambda unit=unit: restarts(machine, unit) > before[unit])  # type: ignore[misc]
        until(lambda unit=unit: machine.shows(unit, "ActiveState") == "active")  # type: ignore[misc]
        assert machine.shows(unit, "MainPID") != main[unit]
    assert post(machine, running, type="open", email="after@example.fr") == "204"
    for unit in main:
        machine.shell(f"rm -r /run/systemd/system/{unit}.d")
    machine.shell(f"systemctl daemon-reload && systemctl restart {SYNC} {RECEIVER}")


def test_a_reload_takes_a_new_configuration_and_refuses_a_wrong_one(machine: Machine, running: str) -> None:
    main = {unit: machine.shows(unit, "MainPID") for unit in (SYNC, RECEIVER, DASHBOARD)}
    machine.shell("echo '[rules]\nlift_on_success = false' >> /etc/syncd/syncd.toml")
    with load(machine, running) as answers:
        machine.run("systemctl", "reload", SYNC, RECEIVER, DASHBOARD)
        until(lambda: any("is reloaded" in line["event"] for line in machine.log(RECEIVER)))
        until(lambda: [line["event"] for line in machine.log(SYNC)].count("scheduler started") >= 2)
    assert set(answers) == {"204"}
    machine.shell("echo nonsense = 1 >> /etc/syncd/syncd.toml")
    machine.run("systemctl", "reload", *main)
    for unit in main:
        until(lambda unit=unit: any("the old one goes on" in line["event"] for line in machine.log(unit)))  # type: ignore[misc]
        assert machine.shows(unit, "MainPID") == main[unit]
        assert machine.shows(unit, "ActiveState") == "active"
    for unit in (RECEIVER, DASHBOARD):  # the scheduler's says by now what its last run did
        until(lambda unit=unit: "the old one goes on" in machine.shows(unit, "StatusText"))  # type: ignore[misc]
    machine.shell("sed -i /nonsense/d /etc/syncd/syncd.toml")


def test_why_a_service_does_not_start_is_a_document_in_the_journal_and_found_by_check(
    machine: Machine, running: str
) -> None:
    tokens = "/etc/syncd/secrets/webhook_tokens"
    machine.shell(f"cp -p {tokens} {tokens}.aside; : > {tokens}; ! systemctl restart {RECEIVER}")
    until(lambda: "is empty, or was not handed over" in machine.log(RECEIVER)[-1]["event"])
    assert "nobody answers: the receiver cannot start" in machine.shell("syncd check || true")
    machine.shell(f"mv {tokens}.aside {tokens}")
    until(lambda: states(machine) == ["active"] * 4)


def test_who_has_stopped_the_target_may_take_the_store_away(machine: Machine, running: str) -> None:
    """As a restore does in the next line: a receiver that still answered would store into a file without a name."""
    with load(machine, running):
        machine.run("systemctl", "stop", "syncd.target")
        assert states(machine) == ["inactive"] * 4
    machine.run("systemctl", "start", "syncd.target")
    until(lambda: states(machine) == ["active"] * 4)


KILLED = """
import os, sys
from pathlib import Path
from syncd.store import open_store
db = open_store(Path("/var/lib/syncd/syncd.db"))
db.execute("INSERT INTO meta VALUES ('killed', 'here')")
os._exit(9)
"""


def test_what_root_types_leaves_nothing_that_the_services_cannot_write(machine: Machine, running: str) -> None:
    """While they run, while they don't, when it is killed, and when it is the first to use a store."""
    commands = ("status", "sync", "forget a@example.fr")
    typed = "; ".join(f"syncd {command} >/dev/null 2>&1 || [ $? != 2 ]" for command in commands)

    def is_well() -> None:
        until(lambda: states(machine) == ["active"] * 4)
        assert machine.shell("find /var/lib/syncd -path '*/backups/*' -o -user root -print") == ""
        assert machine.shell("stat -c %a:%G /var/lib/syncd/syncd.db*").split() == ["660:syncd"] * 3
        assert post(machine, running, type="open", email="b@example.fr", whId="") == "204"
        until(lambda: json.loads(machine.run("syncd", "status", "--json", code=None))["events_waiting"] == 0)

    machine.shell(f"umask 077; {typed}")
    is_well()
    machine.shell(f"systemctl stop syncd.target; {typed}")
    machine.run("/usr/local/lib/syncd/current/bin/python", "-I", "-c", KILLED, code=9)
    machine.shell("test -e /var/lib/syncd/syncd.db-wal; systemctl start syncd.target")
    is_well()
    machine.shell(
        """systemctl stop syncd.target; cd /var/lib/syncd
           rm -r syncd.db* receiver-metrics; syncd status; ! timeout 3 syncd receive"""
    )
    machine.run("systemctl", "start", "syncd.target")
    is_well()


def test_installing_again_upgrades_without_a_refused_connection(machine: Machine, running: str) -> None:
    """From a version that is not the newest one there, of a store elsewhere, with a scheduler that has just died."""
    token = machine.run("cat", "/etc/syncd/secrets/webhook_tokens")
    machine.write(f"/run/systemd/system/{SYNC}.d/late.conf", "[Service]\nRestartSec=1h\n")
    machine.shell(
        """systemctl daemon-reload; systemctl stop syncd.target
           cd /var/lib/syncd; mv syncd.db other.db
           sed -i s,/syncd.db,/other.db, /etc/syncd/syncd.toml
           systemctl start syncd.target"""
    )
    before = machine.shell("cd /usr/local/lib/syncd; readlink current; mkdir $(date -u +%Y%m%dT%H%M%SZ)").strip()
    until(lambda: states(machine) == ["active"] * 4)
    main = {unit: machine.shows(unit, "MainPID") for unit in (SYNC, RECEIVER)}
    machine.run("systemctl", "kill", "--signal=KILL", SYNC)
    until(lambda: machine.shows(SYNC, "SubState") == "auto-restart")
    with load(machine, running) as answers:
        said = machine.shell("make -C /src install PYTHON=python3", online=True)
    assert set(answers) == {"204"}
    assert "upgraded" in said
    for unit in main:
        assert machine.shows(unit, "ActiveState") == "active"
        assert machine.shows(unit, "MainPID") != main[unit]
    assert machine.run("cat", "/etc/syncd/secrets/webhook_tokens") == token
    assert len(machine.run("ls", "/var/lib/syncd/backups").split()) == 1
    now = machine.shell("readlink /usr/local/lib/syncd/current").strip()
    assert machine.shell("ls /usr/local/lib/syncd").split() == [before, now, "current"]


ONE_VERSION_BEFORE = r"""
from pathlib import Path
(file,) = Path("/usr/local/lib/syncd/current/lib").glob("python3*/site-packages/syncd/store/migrations.py")
text = file.read_text()
file.write_text(text[: text.rindex("@migrations()")] + text[text.index("def _execute") :])
"""


def test_an_upgrade_while_all_is_stopped_migrates_too_and_keeps_two_copies(machine: Machine, running: str) -> None:
    """Else what a later boot starts would refuse the store, and every delivery with it."""
    machine.run("python3", "-c", ONE_VERSION_BEFORE)
    machine.shell(
        """systemctl stop syncd.target
           cd /var/lib/syncd; touch backups/before-20250101T000000Z.db backups/before-20250102T000000Z.db
           sed -i 's,/var/lib/syncd/[a-z]*.db,/var/lib/syncd/other.db,' /etc/syncd/syncd.toml
           rm -f other.db*; runuser -u syncd -- sh -c 'umask 007; syncd status'"""
    )
    said = machine.shell("make -C /src install PYTHON=python3", online=True)
    assert "applied m0" in said
    assert "running: nothing" in said
    copies = machine.shell("cd /var/lib/syncd/backups; ls before-*").split()
    assert len(copies) == 2
    assert "before-20250101T000000Z.db" not in copies
    machine.run("systemctl", "start", "syncd.target")
    until(lambda: states(machine) == ["active"] * 4)
    assert post(machine, running, type="open", email="next@example.fr") == "204"


def test_the_nightly_backup_is_made_by_its_unit_and_only_so_many_are_kept(machine: Machine, running: str) -> None:
    machine.shell("cd /var/lib/syncd/backups && touch syncd-202501{10..30}T023000Z.db")
    machine.run("systemctl", "start", BACKUP)
    kept = machine.shell("ls /var/lib/syncd/backups/syncd-*").split()
    assert len(kept) == 14
    assert kept[-1] > "/var/lib/syncd/backups/syncd-202502"


def test_a_nightly_backup_that_fails_is_an_alarm_until_one_is_made(machine: Machine, running: str) -> None:
    def alarms() -> str:
        return machine.shell("syncd status | grep ^ALARM || true")

    machine.shell("mv /var/lib/syncd/backups /var/lib/syncd/aside; ! systemctl start syncd-backup")
    assert "The last backup failed" in alarms()
    machine.shell("mv /var/lib/syncd/aside /var/lib/syncd/backups; systemctl start syncd-backup")
    assert "backup" not in alarms()


def test_what_retention_no_longer_keeps_is_removed_by_its_unit(machine: Machine, running: str) -> None:
    def sends() -> list[str]:
        return [event["send"] for event in json.loads(machine.run("syncd", "events", "--email", old, "--json"))]

    def is_quiet() -> bool:
        said = json.loads(machine.shell("syncd status --json || true"))
        return not (said["events_waiting"] or said["subjects_due"] or said["run_going_on"])

    old = "old@example.fr"
    for send in ("s1", "s2"):
        date = f"2020-0{send[1]}-01T09:00:00Z"
        assert post(machine, running, type="delivered", email=old, whId=CONTACT, sendId=send, date=date) == "204"
    assert sends() == ["s2", "s1"]
    until(is_quiet)
    machine.run("systemctl", "start", PRUNE)
    assert sends() == ["s2"]  # the last mail that arrived stays
    assert "syncd-prune.timer" in machine.run("systemctl", "list-timers", "--no-pager")


def test_uninstalling_leaves_configuration_and_data(machine: Machine, running: str) -> None:
    said = machine.run("make", "-C", "/src", "uninstall")
    assert "/etc/syncd " in said
    assert "/var/lib/syncd " in said
    machine.run("test", "-s", "/etc/syncd/secrets/salesforce_private_key", "-a", "-s", "/var/lib/syncd/other.db")
    assert machine.shell("find /usr/local /etc/systemd -name 'syncd*'") == ""
    assert post(machine, running, type="open", email="late@example.fr") == "000"
