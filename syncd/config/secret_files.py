"""Secrets are files, one a secret, read when they are needed and never shown."""

import os
import pwd
import re
import shlex
import stat
from dataclasses import dataclass
from functools import lru_cache
from pathlib import Path
from typing import TYPE_CHECKING

from syncd.errors import ConfigError

if TYPE_CHECKING:
    from cryptography.hazmat.primitives.asymmetric.rsa import RSAPrivateKey
    from cryptography.hazmat.primitives.asymmetric.types import PrivateKeyTypes

MIN_KEY_BITS = 2048

# 22 characters of 6 bits each are the first to hold 128 bits.
_TOKEN = re.compile(r"[A-Za-z0-9_-]{22,}")
_WORD = re.compile(r"[!-~]+")


@dataclass(frozen=True, slots=True)
class Secrets:
    """Reads each secret from `credentials_dir` (systemd's) if it is there, else from `directory`."""

    directory: Path
    credentials_dir: Path | None = None

    def webhook_tokens(self) -> tuple[str, ...]:
        """The tokens that open the webhook; several while one is being replaced."""
        path, how = self._path("webhook_tokens"), _make_token(self.directory / "webhook_tokens")
        lines = [(number, line.strip()) for number, line in enumerate(self._read(path, how), 1)]
        tokens = [(number, line) for number, line in lines if line and not line.startswith("#")]
        if not tokens:
            raise ConfigError(
                f"{path}: holds no webhook token, so syncd refuses to start: nothing could be received\n  run: {how}"
            )
        weak = [number for number, token in tokens if not _TOKEN.fullmatch(token)]
        if weak:
            raise ConfigError(
                *(
                    f"{path}:{number}: is no safe token: it takes at least 22 of the characters A-Z a-z 0-9 _ -"
                    f"\n  run: {how}   (then delete line {number})"
                    for number in weak
                )
            )
        return tuple(dict.fromkeys(token for _, token in tokens))

    def salesforce_private_key(self) -> "RSAPrivateKey":
        """The key that signs the login."""
        # here, since most commands sign nothing
        from cryptography.exceptions import UnsupportedAlgorithm
        from cryptography.hazmat.primitives.asymmetric import rsa

        path = self._path("salesforce_private_key")
        pem = "\n".join(self._read(path, _make_key(path))) + "\n"
        try:
            key = _loaded(pem.encode())
        except TypeError:
            new = shlex.quote(f"{path}.new")
            raise ConfigError(
                f"{path}: is protected by a passphrase, which syncd cannot type\n"
                f"  run: (umask 077; openssl pkey -in {_quoted(path)} -out {new}) && mv {new} {_quoted(path)}"
            ) from None
        except (ValueError, UnsupportedAlgorithm):
            raise ConfigError(f"{path}: holds no private key in PEM form\n  run: {_make_key(path)}") from None
        if not isinstance(key, rsa.RSAPrivateKey):
            raise ConfigError(f"{path}: is no RSA key, and Salesforce takes no other\n  run: {_make_key(path)}")
        if key.key_size < MIN_KEY_BITS:
            raise ConfigError(
                f"{path}: is an RSA key of {key.key_size} bits; {MIN_KEY_BITS} are the least\n  run: {_make_key(path)}"
            )
        return key

    def salesforce_session_id(self) -> str:
        return self._word("salesforce_session_id", "session id")

    def salesforce_consumer_secret(self) -> str:
        return self._word("salesforce_consumer_secret", "consumer secret")

    def salesforce_password(self) -> str:
        """As it is written, spaces and all, without the line's end."""
        path, how = self._alone("salesforce_password", "the password")
        password = "\n".join(self._read(path, how, "do"))
        if not password:
            raise ConfigError(f"{path}: holds no password\n  do: {how}")
        return password

    def salesforce_security_token(self) -> str:
        """Empty without a file: where the network is trusted, Salesforce wants none."""
        name = "salesforce_security_token"
        return self._word(name, "security token") if self._is_there(name) else ""

    def _word(self, name: str, what: str) -> str:
        path, how = self._alone(name, f"a {what}")
        word = "\n".join(self._read(path, how, "do")).strip()
        if not _WORD.fullmatch(word):
            raise ConfigError(f"{path}: holds no {what}\n  do: {how}")
        return word

    def _alone(self, name: str, what: str) -> tuple[Path, str]:
        path = self._path(name)
        return path, f"put {what}, alone on one line, into {path} and run: chmod 600 {_quoted(path)}"

    def _path(self, name: str) -> Path:
        if self.credentials_dir:
            handed_over = self.credentials_dir / name
            try:
                # a blank one stands in a unit for a file that is not there: SetCredential
                if handed_over.exists() and handed_over.read_bytes().strip():
                    return handed_over
            except OSError:
                return handed_over
        return self.directory / name

    def _is_there(self, name: str) -> bool:
        try:
            return self._path(name).exists()
        except OSError:
            return False

    def _read(self, path: Path, make: str, verb: str = "run") -> list[str]:
        try:
            with path.open("rb") as file:
                self._check_mode(path, os.fstat(file.fileno()))
                return file.read().decode("utf-8-sig").splitlines()
        except FileNotFoundError:
            raise ConfigError(f"{path}: there is no such file\n  {verb}: {make}") from None
        except PermissionError:
            if self.credentials_dir:
                raise ConfigError(
                    f"{path}: is empty, or was not handed over by systemd\n  {verb}: {make}"
                    f"\n  (the unit wants the line LoadCredential={path.name}:{path}, and a restart)"
                ) from None
            raise ConfigError(
                f"{path}: {_user()} may not read it\n  run: chown {_user()} {_quoted(path)}"
                f"   (or let systemd hand it over: LoadCredential={path.name}:{path})"
            ) from None
        except OSError as error:
            raise ConfigError(f"{path}: cannot be read: {error.strerror}") from None
        except UnicodeDecodeError:
            raise ConfigError(f"{path}: is not text\n  {verb}: {make}") from None

    def _check_mode(self, path: Path, found: os.stat_result) -> None:
        mode = stat.S_IMODE(found.st_mode)
        # systemd hands a credential over as 0400, or as 0440 with an access list for the service's user alone.
        handed_over = path.parent == self.credentials_dir and found.st_uid in {0, os.geteuid()}
        if mode & (0o037 if handed_over else 0o077):
            raise ConfigError(
                f"{path}: others may read or write it (mode {mode:04o}); if they did, replace it"
                f"\n  run: chmod 600 {_quoted(path)}"
            )


@lru_cache(maxsize=1)
def _loaded(pem: bytes) -> "PrivateKeyTypes":
    """Takes some 40 ms, since the key's numbers are checked; those of a key that is the same still are not again."""
    from cryptography.hazmat.primitives.serialization import load_pem_private_key

    return load_pem_private_key(pem, password=None)


def _user() -> str:
    try:
        return pwd.getpwuid(os.geteuid()).pw_name
    except KeyError:
        return str(os.geteuid())


def _quoted(path: Path) -> str:
    return shlex.quote(str(path))


def _make_token(path: Path) -> str:
    python = "python3 -c 'import secrets; print(secrets.token_urlsafe(24))'"
    return f"(umask 077; mkdir -p {_quoted(path.parent)}; {python} >> {_quoted(path)})"


def _make_key(path: Path) -> str:
    return (
        f"openssl req -x509 -newkey rsa:{MIN_KEY_BITS} -nodes -days 3650 -subj /CN=syncd -keyout {_quoted(path)} "
        "-out syncd.crt   (then upload syncd.crt to the connected app, and: chmod 600 "
        f"{_quoted(path)})"
    )
