"""Keys and certificates in the sandbox's directory: made once, used again, so that a configuration stays valid."""

import os
import ssl
from dataclasses import dataclass
from pathlib import Path

import trustme
from cryptography.hazmat.primitives import serialization
from cryptography.hazmat.primitives.asymmetric import rsa


@dataclass(frozen=True)
class Keys:
    ca_bundle: Path
    private_key: Path
    public_key: rsa.RSAPublicKey
    tls: ssl.SSLContext


def keys_in(directory: Path, names: tuple[str, ...]) -> Keys:
    """The authority, the client's key, and a TLS context for these host names."""
    directory.mkdir(mode=0o700, parents=True, exist_ok=True)
    authority = _authority(directory / "ca.pem", directory / "ca.key")
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    context.minimum_version = ssl.TLSVersion.TLSv1_2
    authority.issue_cert(*names).configure_cert(context)
    private_key = directory / "client.key"
    return Keys(directory / "ca.pem", private_key, _client_key(private_key), context)


def _authority(certificate: Path, key: Path) -> trustme.CA:
    if certificate.exists() and key.exists():
        return trustme.CA.from_pem(certificate.read_bytes(), key.read_bytes())
    made = trustme.CA(organization_name="syncd sandbox")
    _write_private(key, made.private_key_pem.bytes())
    certificate.write_bytes(made.cert_pem.bytes())
    return made


def _client_key(path: Path) -> rsa.RSAPublicKey:
    """RSA with 2,048 bits: Salesforce takes no elliptic curves for JWT logins."""
    if path.exists():
        # our own key from our own directory: proving its primes would take longer than all the rest of a start
        loaded = serialization.load_pem_private_key(
            path.read_bytes(), password=None, unsafe_skip_rsa_key_validation=True
        )
        if not isinstance(loaded, rsa.RSAPrivateKey):
            raise ValueError(f"{path} holds no RSA key; remove it and a new one is made")
        return loaded.public_key()
    made = rsa.generate_private_key(public_exponent=65_537, key_size=2_048)
    pem = made.private_bytes(
        serialization.Encoding.PEM, serialization.PrivateFormat.PKCS8, serialization.NoEncryption()
    )
    _write_private(path, pem)
    return made.public_key()


def _write_private(path: Path, data: bytes) -> None:
    with os.fdopen(os.open(path, os.O_WRONLY | os.O_CREAT | os.O_TRUNC, 0o600), "wb") as file:
        file.write(data)
