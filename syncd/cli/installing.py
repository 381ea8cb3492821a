"""What `syncd init` writes: a configuration, a token, and the login's key with its certificate."""

from __future__ import annotations

import os
import secrets
import shlex
import tomllib
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import TYPE_CHECKING

from cryptography import x509
from cryptography.hazmat.primitives import hashes, serialization
from cryptography.hazmat.primitives.asymmetric import rsa
from cryptography.x509.oid import NameOID

from syncd.config import from_mapping
from syncd.errors import ConfigError

if TYPE_CHECKING:
    from collections.abc import Iterator

AUTHS = ("jwt", "client_credentials", "session", "password")
KEY_BITS = 2048  # Salesforce takes no fewer, and no elliptic curves
YEARS = 10
SYSTEM_STORE = "sqlite:////var/lib/syncd/syncd.db"


@dataclass(frozen=True, slots=True)
class Answers:
    """What only a person knows. Empty: a line to fill in."""

    auth: str = "jwt"
    login_host: str = "login.salesforce.com"
    my_domain: str = ""
    username: str = ""
    consumer_key: str = ""
    ca_bundle: str = ""


def install(file: Path, answers: Answers, *, force: bool) -> list[str]:
    """Writes what is missing (`force`: what is there, too, but for tokens). What happened, and what to do next."""
    held = file.parent / "secrets"
    text = configuration(file, answers)
    _check(text, file.parent)
    try:
        held.mkdir(mode=0o700, parents=True, exist_ok=True)
        said = [_put(file, text, 0o644, force=force)]
        token = _token(held / "webhook_tokens")
        said.append(f"{'wrote' if token else 'kept ':<8}{held / 'webhook_tokens'}")
        if answers.auth == "jwt":
            said += _key_and_certificate(held / "salesforce_private_key", file.parent / "salesforce.crt", force=force)
    except OSError as error:
        raise ConfigError(
            f"{error.filename}: cannot be written: {error.strerror}"
            "\n  do: run this as the user of the service, or name a directory of yours: syncd init --directory DIR"
        ) from None
    return [*said, "", *_next(file, held, answers, token)]


def configuration(file: Path, answers: Answers) -> str:
    store = SYSTEM_STORE if file.parent == Path("/etc/syncd") else "sqlite:///syncd.db"
    keys = "\n".join(_salesforce(answers))
    return f"""\
# syncd's configuration. Every other key, with its default: config/syncd.example.toml
# `syncd check` says whether it is right. After a change: systemctl reload syncd-receiver syncd-sync
# (without systemd: SIGHUP to `syncd serve`).

secrets_dir = "secrets"   # one file a secret, chmod 600; paths that don't begin with / start at this file

[store]
url = {_toml(store)}

[receiver]
bind = "127.0.0.1:8080"   # put TLS in front of it: Sarbacane posts to https://your-host/webhooks/sarbacane/<token>

[sync]
mode = "observe"   # plans, shows, and writes nothing to Salesforce; "live" writes

[salesforce]
{keys}
"""


def _salesforce(answers: Answers) -> Iterator[str]:
    """The lines that this way of logging in needs; empty ones are said to be missing by every command."""
    fill = "   # FILL IN: "
    yield f"auth = {_toml(answers.auth)}"
    if answers.auth == "session":
        yield f'instance_url = ""{fill}https://acme.my.salesforce.com'
    else:
        yield f"login_host = {_toml(answers.login_host)}   # test.salesforce.com for a sandbox org"
        needed = fill if answers.auth == "client_credentials" else "   # "
        hint = "" if answers.my_domain else f"{needed}Setup > My Domain, such as acme.my.salesforce.com"
        yield f"my_domain = {_toml(answers.my_domain)}{hint}"
        if answers.auth != "client_credentials":
            hint = "" if answers.username else f"{fill}the user that syncd works as"
            yield f"username = {_toml(answers.username)}{hint}"
        hint = "" if answers.consumer_key else f"{fill}of the External Client App, Settings > OAuth Settings"
        yield f"consumer_key = {_toml(answers.consumer_key)}{hint}"
    if answers.ca_bundle:
        yield f"ca_bundle = {_toml(str(Path(answers.ca_bundle).absolute()))}"


def _toml(text: str) -> str:
    escaped = text.replace("\\", "\\\\").replace('"', '\\"')
    return f'"{escaped}"'


def _check(text: str, base: Path) -> None:
    """Refuses what was given wrong before anything is written; what is missing may be filled in later."""
    try:
        from_mapping(tomllib.loads(text), base)
    except tomllib.TOMLDecodeError:
        raise ConfigError("a value given to init holds a character that no value has\n  do: type it again") from None
    except ConfigError as error:
        wrong = [problem for problem in error.problems if ": is missing; " not in problem]
        if wrong:
            raise ConfigError(*wrong) from None


def _put(path: Path, text: str, mode: int, *, force: bool) -> str:
    """Made with its mode from the first byte on; what was there is replaced at once or not at all."""
    if path.exists() and not force:
        return f"kept    {path}"
    new = path.with_name(f".{path.name}.new")
    new.unlink(missing_ok=True)
    with os.fdopen(os.open(new, os.O_WRONLY | os.O_CREAT | os.O_EXCL, mode), "w") as out:
        out.write(text)
    new.replace(path)
    return f"wrote   {path}"


def _token(path: Path) -> str:
    """The new token; nothing if there is a file: Sarbacane calls with what is in it, so not even --force touches it."""
    if path.exists():
        return ""
    token = secrets.token_urlsafe(24)  # 192 bits
    _put(path, f"{token}\n", 0o600, force=False)
    return token


def _key_and_certificate(key_file: Path, certificate_file: Path, *, force: bool) -> list[str]:
    """A certificate is made anew when its key is, and when it is missing."""
    if key_file.exists() and not force:
        if certificate_file.exists():
            return [f"kept    {key_file}", f"kept    {certificate_file}"]
        key = _read_key(key_file)
        return [f"kept    {key_file}", _put(certificate_file, _certificate(key), 0o644, force=True)]
    key = rsa.generate_private_key(public_exponent=65_537, key_size=KEY_BITS)
    pem = key.private_bytes(
        serialization.Encoding.PEM, serialization.PrivateFormat.PKCS8, serialization.NoEncryption()
    ).decode()
    return [
        _put(key_file, pem, 0o600, force=True),
        _put(certificate_file, _certificate(key), 0o644, force=True),
    ]


def _read_key(path: Path) -> rsa.RSAPrivateKey:
    try:
        key = serialization.load_pem_private_key(path.read_bytes(), password=None)
    except (ValueError, TypeError):
        key = None
    if not isinstance(key, rsa.RSAPrivateKey):
        raise ConfigError(f"{path}: holds no RSA key without a passphrase\n  do: remove it and run syncd init again")
    return key


def _certificate(key: rsa.RSAPrivateKey) -> str:
    """Self-signed: Salesforce wants the public key in this form and trusts it because you upload it."""
    name = x509.Name([x509.NameAttribute(NameOID.COMMON_NAME, "syncd")])
    now = datetime.now(UTC)
    made = (
        x509.CertificateBuilder()
        .subject_name(name)
        .issuer_name(name)
        .public_key(key.public_key())
        .serial_number(x509.random_serial_number())
        .not_valid_before(now - timedelta(days=1))
        .not_valid_after(now + timedelta(days=365 * YEARS))
        .sign(key, hashes.SHA256())
    )
    return made.public_bytes(serialization.Encoding.PEM).decode()


def _next(file: Path, held: Path, answers: Answers, token: str) -> Iterator[str]:
    yield "Next:"
    if token:
        yield "1. Sarbacane calls your host, over https, with this path. The token is shown only now; keep it secret:"
        yield f"     /webhooks/sarbacane/{token}"
    else:
        yield f"1. Sarbacane calls /webhooks/sarbacane/<token>; the token stands in {held / 'webhook_tokens'}."
    yield f"2. {_for_salesforce(file, held, answers)}"
    yield f"3. Fill in what is missing in {file}, and run:"
    yield f"     syncd --config {shlex.quote(str(file))} check"


def _for_salesforce(file: Path, held: Path, answers: Answers) -> str:
    if answers.auth == "jwt":
        return f"In Salesforce upload {file.parent / 'salesforce.crt'} to the External Client App (JWT Bearer Flow)."
    names = {
        "client_credentials": "the app's consumer secret into {0}/salesforce_consumer_secret",
        "session": "a session id into {0}/salesforce_session_id",
        "password": "the app's consumer secret into {0}/salesforce_consumer_secret, the password into "
        "{0}/salesforce_password and its token into {0}/salesforce_security_token",
    }
    return f"Put {names[answers.auth].format(held)}; chmod 600 each."
