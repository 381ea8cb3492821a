"""`syncd init`: what it writes, and what it leaves alone."""

from __future__ import annotations

import re
from collections.abc import Callable
from pathlib import Path

import pytest
from click.testing import CliRunner, Result
from cryptography import x509
from cryptography.hazmat.primitives.serialization import load_pem_private_key

from syncd.cli import cli
from syncd.config import load
from syncd.errors import ConfigError
from syncd.salesforce.session import Session
from syncd.sandbox import Sandbox

ANSWERS = ("--username", "syncd@acme.example", "--consumer-key", "3MVG9")
FILES = ("syncd.toml", "salesforce.crt", "secrets/webhook_tokens", "secrets/salesforce_private_key")
Init = Callable[..., Result]


@pytest.fixture
def init(tmp_path: Path) -> Init:
    """Runs it in a directory of its own, and expects `code`."""

    def run(*arguments: str, code: int = 0) -> Result:
        done = CliRunner().invoke(cli, ["init", "--directory", str(tmp_path / "etc"), *arguments])
        assert code == done.exit_code, done.output
        return done

    return run


@pytest.fixture
def etc(tmp_path: Path) -> Path:
    return tmp_path / "etc"


def contents(etc: Path) -> dict[str, bytes]:
    return {name: (etc / name).read_bytes() for name in FILES}


def test_secrets_are_their_owners_alone(init: Init, etc: Path) -> None:
    init(*ANSWERS)
    assert (etc / "secrets").stat().st_mode & 0o777 == 0o700
    modes = {name: (etc / name).stat().st_mode & 0o777 for name in FILES}
    assert list(modes.values()) == [0o644, 0o644, 0o600, 0o600]
    assert {path.name for path in (etc / "secrets").iterdir()} == {"webhook_tokens", "salesforce_private_key"}


def test_the_written_configuration_loads_and_only_observes(init: Init, etc: Path) -> None:
    init(*ANSWERS, "--my-domain", "acme.my.salesforce.com")
    settings = load(etc / "syncd.toml", {})
    assert settings.sync.mode == "observe"
    assert settings.salesforce.username == "syncd@acme.example"
    assert settings.salesforce.my_domain == "acme.my.salesforce.com"
    assert etc / "syncd.db" == settings.store.path


def test_the_token_is_fresh_and_printed_once_in_the_path_for_sarbacane(init: Init, etc: Path) -> None:
    said = init(*ANSWERS).output
    (token,) = load(etc / "syncd.toml", {}).secrets.webhook_tokens()
    assert f"  /webhooks/sarbacane/{token}\n" in said
    assert len(token) >= 22
    assert token not in init(*ANSWERS).output
    assert token not in (etc / "syncd.toml").read_text()


def test_the_certificate_is_the_one_of_the_private_key_and_named_for_the_upload(init: Init, etc: Path) -> None:
    said = init(*ANSWERS).output
    certificate = x509.load_pem_x509_certificate((etc / "salesforce.crt").read_bytes())
    key = load_pem_private_key((etc / "secrets/salesforce_private_key").read_bytes(), None)
    assert certificate.public_key() == key.public_key()
    assert f"upload {etc / 'salesforce.crt'}" in said
    assert re.search(r"syncd --config \S+syncd\.toml check", said)


def test_a_second_time_nothing_changes(init: Init, etc: Path) -> None:
    init(*ANSWERS)
    before = contents(etc)
    said = init("--username", "other@acme.example").output
    assert before == contents(etc)
    assert said.count("kept ") == 4


def test_force_writes_anew_but_never_the_token(init: Init, etc: Path) -> None:
    init(*ANSWERS)
    before = contents(etc)
    init("--force", "--username", "other@acme.example", "--consumer-key", "3MVG9")
    after = contents(etc)
    assert [name for name in FILES if before[name] == after[name]] == ["secrets/webhook_tokens"]


def test_a_lost_certificate_is_made_again_from_the_key(init: Init, etc: Path) -> None:
    init(*ANSWERS)
    (etc / "salesforce.crt").unlink()
    key = (etc / "secrets/salesforce_private_key").read_bytes()
    init(*ANSWERS)
    assert key == (etc / "secrets/salesforce_private_key").read_bytes()
    certificate = x509.load_pem_x509_certificate((etc / "salesforce.crt").read_bytes())
    assert certificate.public_key() == load_pem_private_key(key, None).public_key()


def test_without_answers_the_lines_to_fill_in_are_named_by_every_command(init: Init, etc: Path) -> None:
    init()
    text = (etc / "syncd.toml").read_text()
    assert 'username = ""   # FILL IN' in text
    with pytest.raises(ConfigError) as caught:
        load(etc / "syncd.toml", {})
    assert [re.sub(r".*\d+: ", "", problem.split(": is missing")[0]) for problem in caught.value.problems] == [
        "salesforce.username",
        "salesforce.consumer_key",
    ]


@pytest.mark.parametrize(
    ("auth", "needed", "secret"),
    [
        ("client_credentials", ["my_domain", "consumer_key"], "salesforce_consumer_secret"),
        ("session", ["instance_url"], "salesforce_session_id"),
        ("password", ["username", "consumer_key"], "salesforce_security_token"),
    ],
)
def test_each_way_to_log_in_has_its_own_lines_and_secrets(
    init: Init, etc: Path, auth: str, needed: list[str], secret: str
) -> None:
    assert f"{etc / 'secrets' / secret}" in init("--auth", auth).output
    filled = re.findall(r"^(\w+) = \"\"   # FILL IN", (etc / "syncd.toml").read_text(), re.MULTILINE)
    assert needed == filled
    assert not (etc / "secrets/salesforce_private_key").exists()


def test_a_value_given_wrong_is_refused_before_anything_is_written(init: Init, etc: Path) -> None:
    said = init("--my-domain", "https://acme.my.salesforce.com/", code=2).output
    assert "without https://" in said
    assert not etc.exists()


def test_a_place_that_cannot_be_written_is_told(init: Init, etc: Path) -> None:
    etc.mkdir()
    (etc / "secrets").touch()
    assert "syncd init --directory DIR" in init(*ANSWERS, code=2).output


def test_the_file_of_config_is_the_one_that_is_written(tmp_path: Path) -> None:
    done = CliRunner().invoke(cli, ["--config", str(tmp_path / "my.toml"), "init", *ANSWERS])
    assert done.exit_code == 0
    assert load(tmp_path / "my.toml", {}).secrets.webhook_tokens()
    both = CliRunner().invoke(cli, ["--config", "x.toml", "init", "--directory", "y"])
    assert both.exit_code == 2


def test_what_init_made_logs_in_once_its_certificate_is_uploaded(init: Init, etc: Path, sandbox: Sandbox) -> None:
    init(
        "--login-host", sandbox.address, "--username", sandbox.username, "--consumer-key", sandbox.consumer_key,
        "--ca-bundle", str(sandbox.ca_bundle),
    )  # fmt: skip
    sandbox.org.logins.upload((etc / "salesforce.crt").read_bytes())
    settings = load(etc / "syncd.toml", {})
    session = Session(settings.salesforce, settings.secrets)
    assert sandbox.address == session.log_in()
    session.close()


def test_on_a_terminal_what_is_missing_is_asked_and_may_be_left_out(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    asked: list[str] = []

    def answer(question: str, **_: object) -> str:
        asked.append(question)
        return "" if "My Domain" in question else "3MVG9"

    monkeypatch.setattr("syncd.cli.connect.click.prompt", answer)
    monkeypatch.setattr("syncd.cli.connect._on_a_terminal", lambda: True)
    arguments = ["init", "--directory", str(tmp_path), "--username", "syncd@acme.example"]
    cli.main(arguments, standalone_mode=False)
    assert len(asked) == 2
    assert load(tmp_path / "syncd.toml", {}).salesforce.consumer_key == "3MVG9"
