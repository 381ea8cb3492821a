"""`syncd check` on set-ups that are right and on broken ones, by the command line against a Salesforce over HTTPS."""

from __future__ import annotations

import json
import os
import socket
import time
from collections.abc import Callable, Iterator
from contextlib import closing
from dataclasses import dataclass, replace
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import pytest
import trustme
from click.testing import CliRunner
from cryptography.hazmat.primitives import serialization
from cryptography.hazmat.primitives.asymmetric import rsa

from syncd.cli import cli
from syncd.sandbox import Org, Sandbox
from syncd.sandbox.keys import keys_in
from syncd.sarbacane import read
from syncd.store import Desk, Inbox, open_store
from tests.factories import payload

DAY = 86_400_000


@dataclass
class Setup:
    """An installation whose parts a test breaks before it runs `syncd check`."""

    directory: Path
    sandbox: Sandbox
    keys: dict[str, str]  # of [salesforce]
    more: str = ""
    store: str = "sqlite:///syncd.db"
    bind: str = "127.0.0.1:0"

    @property
    def org(self) -> Org:
        return self.sandbox.org

    @property
    def config(self) -> Path:
        return self.directory / "syncd.toml"

    def secret(self, name: str, text: str, mode: int = 0o600) -> Path:
        path = self.directory / "secrets" / name
        path.parent.mkdir(mode=0o700, exist_ok=True)
        path.write_text(text + "\n")
        path.chmod(mode)
        return path

    def check(self, *arguments: str, code: int = 0) -> str:
        keys = "\n".join(f"{name} = {json.dumps(value)}" for name, value in self.keys.items())
        self.config.write_text(
            f'secrets_dir = "secrets"\n[store]\nurl = "{self.store}"\n[receiver]\nbind = "{self.bind}"\n'
            f"[salesforce]\n{keys}\n{self.more}\n"
        )
        done = CliRunner().invoke(cli, ["--config", str(self.config), "check", *arguments])
        assert code == done.exit_code, done.output
        return done.stdout

    def wrong(self, thing: str, *, code: int = 1, alone: bool = True) -> str:
        """What is said of the one thing that is wrong, with what to do, on one line."""
        document = json.loads(self.check("--json", code=code))
        found = {finding["thing"]: finding for finding in document["findings"] if finding["state"] == "wrong"}
        assert thing in found, document
        assert not alone or list(found) == [thing], document
        assert found[thing]["do"], "nothing says what to do"
        return " → ".join([found[thing]["text"], *found[thing]["do"]])

    def states(self, *, code: int) -> dict[str, str]:
        document = json.loads(self.check("--json", code=code))
        return {finding["thing"]: finding["state"] for finding in document["findings"]}


@pytest.fixture
def setup(tmp_path: Path, sandbox: Sandbox) -> Setup:
    keys = {
        "login_host": sandbox.address,
        "username": sandbox.username,
        "consumer_key": sandbox.consumer_key,
        "ca_bundle": str(sandbox.ca_bundle),
        "timeout": "5s",
    }
    made = Setup(tmp_path, sandbox, keys)
    made.secret("webhook_tokens", "test-token-0123456789-abcdef")
    made.secret("salesforce_private_key", sandbox.private_key.read_text())
    return made


def test_a_good_setup_is_ok_line_by_line_and_nothing_is_written(setup: Setup) -> None:
    lines = setup.check().splitlines()
    assert {line.split()[0] for line in lines} == {"ok", "hint"}
    for thing in ("configuration", "secrets", "store", "receiver", "login", "clock", "API version", "API calls"):
        assert any(line.startswith(f"ok     {thing}: ") for line in lines), thing
    assert "ok     Contact: Email read; EmailBouncedDate, EmailBouncedReason, HasOptedOutOfEmail written" in lines
    assert "ok     Task: may be created, with the status “Completed”" in lines
    assert setup.org.calls_count(writing=True) == 0
    assert not (setup.directory / "syncd.db").exists()


def test_json_says_the_same_for_machines(setup: Setup) -> None:
    document = json.loads(setup.check("--json"))
    assert (document["ok"], document["exit_code"]) == (True, 0)
    assert {"thing": "secrets", "state": "ok", "text": "webhook_tokens, 1 in force", "do": []} in document["findings"]


def test_observing_is_said_as_a_hint(setup: Setup) -> None:
    setup.more = '[sync]\nmode = "observe"'
    assert "hint   mode: observe: syncd plans and shows" in setup.check()


# --- the login ------------------------------------------------------------------------------------------------


def test_a_key_that_is_not_the_certificates_is_told(setup: Setup) -> None:
    pem = rsa.generate_private_key(65_537, 2_048).private_bytes(
        serialization.Encoding.PEM, serialization.PrivateFormat.PKCS8, serialization.NoEncryption()
    )
    setup.secret("salesforce_private_key", pem.decode())
    assert "does not belong to the certificate in the app) → upload the certificate" in setup.wrong("login")


def test_a_user_who_is_not_approved_is_told(setup: Setup) -> None:
    setup.org.revoke_logins()
    said = setup.wrong("login")
    assert "hasn't approved this consumer" in said
    assert "Admin approved users are pre-authorized" in said


def test_what_depends_on_the_login_is_not_checked_and_the_rest_is(setup: Setup) -> None:
    setup.org.revoke_logins()
    setup.bind = "192.0.2.1:8080"
    states = setup.states(code=1)
    assert (states["login"], states["receiver"], states["store"], states["clock"]) == ("wrong", "wrong", "ok", "ok")
    assert {states[thing] for thing in ("API version", "API calls", "Contact", "Lead", "Task")} == {"not checked"}
    assert "-      Contact: not checked: login failed" in setup.check(code=1)


def test_a_wrong_consumer_key_is_told(setup: Setup) -> None:
    setup.keys["consumer_key"] = "3MVG9.of.another.org"
    assert "consumer_key is no app of this org) → copy the consumer key again" in setup.wrong("login")


def test_a_wrong_consumer_secret_is_told(setup: Setup) -> None:
    setup.keys |= {"auth": "client_credentials", "my_domain": setup.sandbox.address}
    setup.secret("salesforce_consumer_secret", "of-another-app")
    assert "invalid client credentials (the consumer secret does not belong" in setup.wrong("login")


def test_a_host_that_does_not_exist_is_told_and_exits_3(setup: Setup) -> None:
    setup.keys["my_domain"] = "acme.my.salesforce.invalid"
    said = setup.wrong("login", code=3)
    assert "unreachable: there is no such host → compare login_host, my_domain and instance_url with Setup" in said


def test_a_host_where_nobody_answers_is_told_and_exits_3(setup: Setup) -> None:
    setup.sandbox.stop()
    assert "unreachable: nobody answers there → compare login_host" in setup.wrong("login", code=3)


def test_a_host_that_is_no_salesforce_is_told(setup: Setup) -> None:
    from syncd.sandbox import Fault

    setup.org.faults.add(Fault(path="oauth2/token", status=404, body="<html>not here</html>"))
    assert "answers, but not as Salesforce's login does → compare login_host" in setup.wrong("login")


def test_an_unknown_authority_is_told_and_exits_3(setup: Setup, tmp_path: Path) -> None:
    setup.keys["ca_bundle"] = str(keys_in(tmp_path / "other", ("localhost",)).ca_bundle)
    said = setup.wrong("login", code=3)
    assert "no trusted connection to Salesforce" in said
    assert "write its authority under [salesforce]: ca_bundle =" in said


def test_an_expired_certificate_is_told_and_exits_3(setup: Setup, sandbox: Sandbox) -> None:
    sandbox.stop()
    authority = trustme.CA.from_pem(sandbox.ca_bundle.read_bytes(), sandbox.ca_bundle.with_name("ca.key").read_bytes())
    tls = type(sandbox._keys.tls)(sandbox._keys.tls.protocol)
    authority.issue_cert("localhost", not_after=datetime.now(UTC) - timedelta(days=1)).configure_cert(tls)
    sandbox._keys = replace(sandbox._keys, tls=tls)
    sandbox.start()
    said = setup.wrong("login", code=3)
    assert "certificate has expired" in said
    assert "look at this machine's clock" in said


@pytest.mark.parametrize(("hours", "way"), [(1, "60 minutes slow"), (-1, "60 minutes fast")])
def test_a_clock_that_is_off_is_told_twice(setup: Setup, hours: int, way: str) -> None:
    setup.org.clock = lambda: datetime.now(UTC) + timedelta(hours=hours)
    assert "the clocks differ) → set this machine's clock" in setup.wrong("login", alone=False)
    assert f"this machine's clock is {way}" in setup.wrong("clock", alone=False)
    assert setup.states(code=1)["API version"] == "not checked"


def test_an_expired_session_id_is_told(setup: Setup) -> None:
    setup.keys |= {"auth": "session", "instance_url": setup.sandbox.url}
    setup.secret("salesforce_session_id", setup.sandbox.session_id())
    setup.check()
    setup.org.expire_sessions()
    assert "the session has expired → put a new id into salesforce_session_id" in setup.wrong("login")


def test_a_password_works_and_is_warned_of(setup: Setup) -> None:
    setup.keys["auth"] = "password"
    for name in ("consumer_secret", "password", "security_token"):
        setup.secret(f"salesforce_{name}", getattr(setup.sandbox, name))
    said = setup.check()
    assert "ok     login: password as integration.user@syncd.example" in said
    assert 'hint   login: auth = "password" is legacy' in said
    assert "20 February 2027" in said


# --- what the user may do -----------------------------------------------------------------------------------


def test_a_version_that_the_org_does_not_offer_is_told(setup: Setup) -> None:
    setup.keys["api_version"] = "68.0"
    assert 'does not offer 68.0 → write under [salesforce]: api_version = "67.0"' in setup.wrong("API version", code=2)
    assert setup.states(code=2)["Contact"] == "not checked"


def test_an_object_that_the_user_cannot_see_is_told(setup: Setup) -> None:
    setup.org.hide_object("Lead")
    assert "give the integration user access to it in its permission set" in setup.wrong("Lead")


@pytest.mark.parametrize("name", ["HasOptedOutOfEmail", "Email"])
def test_a_field_that_is_missing_or_hidden_is_told(setup: Setup, name: str) -> None:
    setup.org.hide_field("Contact", name)
    said = setup.wrong(f"Contact.{name}")
    assert "there is no such field, or the user may not see it → in the integration user's permission set" in said
    assert ('opted_out = ""' in said) == (name != "Email")


def test_a_misspelt_field_is_told_with_its_right_name(setup: Setup) -> None:
    setup.more = '[fields.Lead]\nbounce_reason = "emailBouncedReason"\nemail = ["email"]'
    said = setup.check(code=1)
    assert "WRONG  Lead.emailBouncedReason: is spelt EmailBouncedReason" in said
    assert 'write under [fields.Lead]: email = ["Email"]' in said


def test_an_external_id_field_that_is_not_there_is_told(setup: Setup) -> None:
    setup.more = '[mapping]\nwhid = "auto"\nexternal_id.Contact = "Shop__c"'
    assert "another one under [mapping.external_id]" in setup.wrong("Contact.Shop__c")
    setup.org.add_field("Contact", "Shop__c", length=40, external_id=True)
    setup.check()


def test_a_field_that_can_only_be_read_is_told(setup: Setup) -> None:
    setup.org.read_only("Lead", "EmailBouncedDate")
    said = setup.wrong("Lead.EmailBouncedDate")
    assert "can be read but not written → in the integration user's permission set, Object Settings > Lead" in said


def test_a_field_that_is_too_short_is_told(setup: Setup) -> None:
    setup.org.add_field("Contact", "Why__c", length=40)
    setup.more = '[fields.Contact]\nbounce_reason = "Why__c"'
    assert "is 40 characters long; a reason takes 80 at least" in setup.wrong("Contact.Why__c")


def test_a_field_of_another_type_is_told(setup: Setup) -> None:
    setup.more = '[fields.Contact]\nbounce_date = "LastName"\nemail = ["EmailBouncedDate"]'
    said = setup.check(code=1)
    assert "WRONG  Contact.LastName: is a string field; bounce_date goes into date or datetime" in said
    assert "WRONG  Contact.EmailBouncedDate: is a datetime field; email goes into email or string" in said


@pytest.mark.parametrize(
    ("role", "kind", "fits"),
    [
        ("bounce_date", "date", True),
        ("invalid", "boolean", True),
        ("invalid", "string", False),
        ("soft_bounce_count", "double", True),
        ("soft_bounce_count", "string", False),
        ("last_open", "datetime", True),
        ("last_click", "date", True),
        ("last_click", "boolean", False),
    ],
)
def test_fields_of_the_orgs_own_are_held_against_their_types(setup: Setup, role: str, kind: str, *, fits: bool) -> None:
    setup.org.add_field("Contact", "Own__c", type=kind)
    setup.more = f'[fields.Contact]\n{role} = "Own__c"'
    if fits:
        assert "Own__c" in setup.check()
    else:
        assert f"is a {kind} field; {role} goes into " in setup.wrong("Contact.Own__c")


def test_person_accounts_are_looked_at_where_there_are_some(setup: Setup) -> None:
    setup.org.hide_field("Account", "PersonEmailBouncedDate")
    assert "there is no such field" in setup.wrong("Account.PersonEmailBouncedDate")
    setup.org.hide_field("Contact", "IsPersonAccount")
    assert "Account" not in setup.states(code=0)


# --- sight of all records -------------------------------------------------------------------------------------


PROFILE = "0PS000000000001AAA"
UNIQUE = '[mapping]\nmatch_by_email = "unique"'


@pytest.fixture
def private(setup: Setup) -> Setup:
    """An org that shows Leads to their owners only."""
    setup.more = UNIQUE
    (org,) = setup.org.all("Organization")
    setup.org.edit(org["Id"], DefaultLeadAccess="None")
    (user,) = (user for user in setup.org.all("User") if user["Id"] == setup.org.integration_user)
    setup.keys["username"] = user["Username"]
    setup.org.add("PermissionSetAssignment", AssigneeId=user["Id"], PermissionSetId=PROFILE)
    return setup


def test_an_org_where_contacts_and_leads_are_public_may_be_matched_by_address(setup: Setup) -> None:
    setup.more = UNIQUE
    assert "ok     match_by_email: unique: Contacts and Leads are public in this org" in setup.check()
    (org,) = setup.org.all("Organization")
    setup.org.edit(org["Id"], DefaultAccountAccess="None")
    assert "hint   match_by_email: unique: the org hides Contacts" in setup.check()


def test_an_address_that_cannot_be_searched_for_is_told(setup: Setup) -> None:
    setup.org.encrypt("Lead", "Email")
    setup.check()
    setup.more = UNIQUE
    said = setup.wrong("Lead.Email")
    assert said.startswith("no query may filter by it, as if it were encrypted (Shield), so no recipient is found by")
    assert 'match_by_email = "never"' in said


def test_a_user_who_sees_some_leads_may_not_match_by_address(private: Setup) -> None:
    said = private.wrong("match_by_email")
    assert said.startswith("unique, but the user does not see every Lead; two with one address would pass for one → in")
    assert said.endswith('match_by_email = "never"')
    private.more = ""
    private.check()


def test_one_who_views_all_data_or_all_records_may(private: Setup) -> None:
    org = private.org
    org.add("PermissionSetAssignment", AssigneeId=org.integration_user, PermissionSetId="0PS000000000001AAA")
    org.add("ObjectPermissions", ParentId="0PS000000000001AAA", SobjectType="Lead", PermissionsViewAllRecords=True)
    (user,) = (user for user in org.all("User") if user["Id"] == org.integration_user)
    private.keys["username"] = user["Username"]
    assert "the user sees all Contacts and Leads (View All Records)" in private.check()
    (own,) = org.all("UserPermissionAccess")
    org.edit(own["Id"], PermissionsViewAllData=True)
    assert "the user sees all records (View All Data)" in private.check()


def test_what_cannot_be_asked_is_said(private: Setup) -> None:
    private.org.hide_object("ObjectPermissions")
    assert "hint   match_by_email: unique: the org hides Leads from those who do not own them" in private.check()
    private.org.show_object("ObjectPermissions")
    (mine,) = private.org.all("PermissionSetAssignment")
    private.org.edit(mine["Id"], AssigneeId=private.org.person)
    assert "cannot be asked without View Setup and Configuration" in private.check()


@pytest.mark.parametrize(
    ("access", "said"),
    [
        ({"DefaultAccountAccess": "Edit"}, "ok     sharing: Contacts and Leads may be seen and edited whoever owns"),
        ({"DefaultAccountAccess": "Read"}, "hint   sharing: the user sees all Contacts, but the org has them edited"),
        ({"DefaultLeadAccess": "Read"}, "hint   sharing: the user sees all Leads, but the org has them edited by"),
        ({"DefaultLeadAccess": "None"}, "hint   sharing: the org hides Leads from those who do not own them: unless a"),
    ],
)
def test_an_org_where_records_are_their_owners_is_told(setup: Setup, access: dict[str, str], said: str) -> None:
    """Read and edit on the object are there, and nobody's records are seen, or each change is refused."""
    (org,) = setup.org.all("Organization")
    setup.org.edit(org["Id"], **access)
    assert said in setup.check()


def test_one_who_may_edit_all_data_or_all_records_needs_no_rule(private: Setup) -> None:
    private.more = ""
    everything = {"PermissionsViewAllRecords": True, "PermissionsModifyAllRecords": True}
    granted = private.org.add("ObjectPermissions", ParentId=PROFILE, SobjectType="Lead", **everything)
    assert "ok     sharing: " in private.check()
    private.org.edit(granted, PermissionsModifyAllRecords=False)
    assert "hint   sharing: the user sees all Leads, but the org has them edited by those who own" in private.check()
    (own,) = private.org.all("UserPermissionAccess")
    private.org.edit(own["Id"], PermissionsViewAllData=True, PermissionsModifyAllData=True)
    assert "ok     sharing: " in private.check()


def test_what_is_public_may_be_none_of_the_users_business(setup: Setup) -> None:
    setup.org.hide_object("Organization")
    assert "-      sharing: not checked: what is public in this org cannot be asked (INVALID_TYPE)" in setup.check()


def test_a_missing_permission_to_create_tasks_is_told_and_needed_for_activities_only(setup: Setup) -> None:
    setup.org.forbid_creating("Task")
    assert "may not create Tasks → give the integration user the permission “Edit Tasks”" in setup.wrong("Task")
    setup.more = '[activities]\nmode = "off"'
    assert "ok     Task: not needed" in setup.check()


def test_an_org_without_a_closed_status_is_told(setup: Setup) -> None:
    for status in setup.org.all("TaskStatus"):
        setup.org.edit(status["Id"], IsClosed=False)
    assert "no status of a Task counts as closed" in setup.wrong("Task")


def test_a_task_field_that_has_to_be_filled_is_told(setup: Setup) -> None:
    setup.org.add_field("Task", "Region__c", nillable=False)
    assert "a new Task needs what syncd does not know: Region__c → in Setup" in setup.wrong("Task")


def test_a_task_field_that_may_not_be_set_is_told(setup: Setup) -> None:
    setup.org.hide_field("Task", "Description")
    assert "may not be set: Description" in setup.wrong("Task")


def test_calls_that_are_nearly_used_up_are_told(setup: Setup) -> None:
    setup.org.api_usage = 99_000
    assert "999 of 100,000 left today; syncd takes at most about 5,808 a day" in setup.wrong("API calls")


def test_a_budget_that_is_spent_is_told_and_exits_3(setup: Setup) -> None:
    setup.org.api_usage = 100_000
    said = setup.wrong("API calls", code=3, alone=False)
    assert "REQUEST_LIMIT_EXCEEDED" in said
    assert "Setup > System Overview > API Requests" in said


# --- this machine ---------------------------------------------------------------------------------------------


def test_a_secret_that_others_may_read_is_told_and_exits_2(setup: Setup) -> None:
    path = setup.secret("salesforce_private_key", setup.sandbox.private_key.read_text(), 0o644)
    said = setup.wrong("secrets", code=2)
    assert f"others may read or write it (mode 0644); if they did, replace it → run: chmod 600 {path}" in said
    assert "-      login: not checked: a secret is wrong, see above" in setup.check(code=2)


def test_a_directory_of_secrets_that_others_may_write_is_told(setup: Setup) -> None:
    (setup.directory / "secrets").chmod(0o777)
    assert "others may put files into it (mode 0777) → run: chmod 700" in setup.wrong("secrets", code=2)


def test_a_missing_token_is_told_with_the_command_that_makes_one(setup: Setup) -> None:
    (setup.directory / "secrets" / "webhook_tokens").unlink()
    assert "there is no such file → run: (umask 077;" in setup.wrong("secrets", code=2)


def test_a_wrong_configuration_is_told_whole_and_nothing_else_is_looked_at(setup: Setup) -> None:
    setup.keys["username"] = ""
    setup.more = '[sync]\nmode = "Live"'
    said = setup.check(code=2)
    assert said.count("WRONG  configuration: ") == 2
    assert 'write: mode = "live"' in said
    assert "-      login: not checked: the configuration is wrong" in said
    assert setup.org.calls == []


def test_a_missing_configuration_leads_to_init(tmp_path: Path) -> None:
    done = CliRunner().invoke(cli, ["--config", str(tmp_path / "none.toml"), "check"])
    assert done.exit_code == 2
    assert f"run: syncd --config {tmp_path / 'none.toml'} init" in done.stdout


def test_a_pending_migration_is_told_and_exits_3(setup: Setup) -> None:
    db = open_store(setup.directory / "syncd.db")
    db.execute("DELETE FROM _sqlite_migrations WHERE name = 'm003_ledger'")
    db.close()
    said = setup.wrong("store", code=3)
    assert "1 migration pending (m003_ledger) → do: Back up and run: syncd migrate" in said


def test_a_store_without_a_directory_is_told_and_exits_3(setup: Setup) -> None:
    setup.store = "sqlite:///missing/syncd.db"
    assert f"→ run: mkdir -p {setup.directory}/missing" in setup.wrong("store", code=3)


def test_a_store_that_is_no_store_is_told_and_exits_3(setup: Setup) -> None:
    (setup.directory / "syncd.db").write_text("this is no database, " * 100)
    assert "file is not a database" in setup.wrong("store", code=3)


@pytest.mark.skipif(os.geteuid() != 0, reason="who is not root sees it by trying")
def test_a_store_that_root_has_put_back_for_itself_alone_is_told(setup: Setup) -> None:
    os.chown(setup.directory, 1, 1)
    setup.directory.chmod(0o770)
    store = setup.directory / "syncd.db"
    open_store(store).close()
    assert "ok     store: " in setup.check()
    store.chmod(0o600)
    said = setup.wrong("store", code=3)
    assert f"→ run: chown --reference={setup.directory} {store}; chmod 660 {store}" in said


@pytest.fixture
def taken() -> Iterator[str]:
    with socket.create_server(("127.0.0.1", 0)) as listener:
        yield f"127.0.0.1:{listener.getsockname()[1]}"


def test_a_port_that_something_else_has_is_told(
    setup: Setup, sandbox: Sandbox, taken: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    setup.bind = f"127.0.0.1:{sandbox.address.partition(':')[2]}"
    assert "is taken by something that is not syncd → find it: ss -ltnp" in setup.wrong("receiver")
    monkeypatch.setattr("syncd.checkup.local.PATIENCE", 0.05)
    setup.bind = taken  # it listens and never answers, as the socket does whose service cannot start
    assert "nobody answers: the receiver cannot start, or hangs → see why: journalctl" in setup.wrong("receiver")


def test_a_receiver_that_is_running_is_ok(setup: Setup, answering: str) -> None:
    setup.bind = answering
    assert f"ok     receiver: answering on {answering}" in setup.check()


@pytest.fixture
def answering(setup: Setup) -> Iterator[str]:
    """The receiver's application on a port of its own."""
    import threading

    from werkzeug.serving import make_server

    from syncd.config import load
    from syncd.receiver import create_app

    setup.check()
    server = make_server("127.0.0.1", 0, create_app(load(setup.config, {})), threaded=True)
    thread = threading.Thread(target=server.serve_forever, kwargs={"poll_interval": 0.05})
    thread.start()
    yield f"127.0.0.1:{server.port}"
    server.shutdown()
    thread.join()
    server.server_close()


def test_tasks_a_month_are_estimated_from_the_stored_events(setup: Setup) -> None:
    """Two people opened one send each, one of them twice; ten days ago was the first."""
    now = round(datetime.now(UTC).timestamp() * 1000)

    def event(kind: str, days_ago: float, **more: Any) -> Any:
        moment = datetime.fromtimestamp((now - days_ago * DAY) / 1000, UTC)
        return read(payload(kind, send="s1", date=moment.strftime("%Y-%m-%dT%H:%M:%SZ"), **more), now)

    db = open_store(setup.directory / "syncd.db")
    Inbox(db).append(
        [
            event("delivered", 10),
            event("open", 9),
            event("open", 8),
            event("click", 5, email="luc@example.fr"),
            event("open", 40, email="old@example.fr"),
        ]
    )
    db.close()
    said = setup.check()
    assert "ok     Tasks a month: about 6, which is 0.0 MB of Salesforce's data storage (from the last 10 days" in said
    assert "ok     store: " in said
    assert "5 events" in said


def test_from_an_empty_directory_init_then_check_works_with_what_was_printed(
    tmp_path: Path, sandbox: Sandbox, cli_in: Callable[..., str]
) -> None:
    said = cli_in(
        "init", "--directory", str(tmp_path / "etc"), "--login-host", sandbox.address, "--username", sandbox.username,
        "--consumer-key", sandbox.consumer_key, "--ca-bundle", str(sandbox.ca_bundle),
    )  # fmt: skip
    command = said.splitlines()[-1].split()[1:]  # as printed, without `syncd`
    upload = next(word for word in said.split() if word.endswith("salesforce.crt"))
    assert "upload the certificate" in cli_in(*command, code=1)
    sandbox.org.logins.upload(Path(upload).read_bytes())
    assert "ok     login: jwt as" in cli_in(*command)


@pytest.fixture
def cli_in(monkeypatch: pytest.MonkeyPatch) -> Callable[..., str]:
    monkeypatch.setenv("SYNCD_RECEIVER__BIND", "127.0.0.1:0")

    def run(*arguments: str, code: int = 0) -> str:
        done = CliRunner().invoke(cli, arguments)
        assert code == done.exit_code, done.output
        return done.stdout

    return run


# --- a field for the token --------------------------------------------------------------------------------------


def with_field(setup: Setup, **about: object) -> None:
    setup.more = '[activities]\nexternal_id_field = "Token__c"'
    if about:
        setup.org.add_field("Task", "Token__c", **about)


def test_a_field_for_the_token_that_does_what_it_should_is_ok(setup: Setup) -> None:
    with_field(setup, external_id=True, unique=True)
    assert "ok     Task.Token__c: external id, unique" in setup.check()


@pytest.mark.parametrize(
    ("about", "said"),
    [
        ({}, "there is no such field"),
        ({"external_id": False}, "External ID"),
        ({"external_id": True, "length": 10}, "at least 16 characters"),
        ({"external_id": True, "createable": False}, "may not be set"),
    ],
)
def test_a_field_for_the_token_that_will_not_do_is_told(setup: Setup, about: dict[str, Any], said: str) -> None:
    with_field(setup, **about)
    assert said in setup.wrong("Task.Token__c")


def test_a_field_for_the_token_that_is_not_unique_needs_a_permission(setup: Setup) -> None:
    with_field(setup, external_id=True)
    assert "hint   Task.Token__c: is not unique" in setup.check()


def test_calls_of_a_check_are_counted_and_a_small_budget_is_a_hint(setup: Setup) -> None:
    setup.check()
    open_store(setup.directory / "syncd.db").close()
    setup.keys["daily_budget"] = "30"
    said = setup.check()
    assert "hint   budget: syncd allows itself 30 calls a day" in said
    with closing(open_store(setup.directory / "syncd.db")) as db:
        assert Desk(db).status(time.time_ns() // 1_000_000)["calls_24h"] > 5
