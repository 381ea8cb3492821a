"""Cassettes: who spoke, in files without tokens, hosts, or anybody's address."""

from __future__ import annotations

import gzip
import json
import re
from pathlib import Path
from typing import TYPE_CHECKING, Any

import vcr

from syncd.config import Settings, from_mapping

if TYPE_CHECKING:
    from contextlib import AbstractContextManager

TAPES = Path(__file__).parent / "tapes"
HOST = "cassette.my.salesforce.com"
"""Stands for every host in a cassette; there is no such one."""
KEPT_HEADERS = frozenset({"content-type", "sforce-limit-info", "retry-after", "www-authenticate"})
KEPT_OF_A_FIELD = (
    "name", "type", "label", "length", "nillable", "createable", "updateable", "unique", "externalId", "idLookup",
    "filterable", "referenceTo",
)  # fmt: skip
OURS = re.compile(r"syncd\.\w+@example\.com|[\w.+-]+@(?:old\.)?example\.\w+")
ADDRESS = re.compile(r"[\w.+'-]+@[\w-]+(?:\.[\w-]+)+")
SECRET = re.compile(r'"(access_token|id|signature)":\s*"[^"]*"')


def tape(name: str) -> Path:
    return TAPES / f"{re.sub(r'[^a-z]+', '-', name.lower()).strip('-')}.yaml"


def worlds() -> dict[str, Any]:
    """What was there when each conversation was recorded, and where that was."""
    path = TAPES / "worlds.json"
    return dict(json.loads(path.read_text())) if path.exists() else {}


def cassette(name: str, *, record: bool) -> AbstractContextManager[Any]:
    """Within it every call is recorded; or answered from the cassette, and refused if that doesn't know it."""
    machine = vcr.VCR(
        record_mode="all" if record else "none",
        match_on=("method", "path", "query", "body"),
        before_record_request=_asked,
        before_record_response=_answered,
        decode_compressed_response=True,
    )
    path = tape(name)
    if record:
        path.unlink(missing_ok=True)
    return machine.use_cassette(str(path))  # type: ignore[no-any-return]


def _asked(request: Any) -> Any:
    request.uri = re.sub(r"^https://[^/]+", f"https://{HOST}", request.uri)
    body = request.body or b""
    if request.headers.get("Content-Encoding") == "gzip":
        body = gzip.decompress(body)
    if request.path == "/services/oauth2/token":
        body = b"FILTERED"
    request.body = body or None
    request.headers = {name: text for name, text in request.headers.items() if name.lower() in KEPT_HEADERS}
    return request


def _answered(response: dict[str, Any]) -> dict[str, Any]:
    text = response["body"]["string"].decode()
    if '"access_token"' in text:
        text = SECRET.sub(r'"\1":"FILTERED"', text)
        text = re.sub(r'"instance_url":\s*"[^"]*"', f'"instance_url":"https://{HOST}"', text)
    text = ADDRESS.sub(lambda found: found[0] if OURS.fullmatch(found[0]) else "somebody@example.invalid", text)
    data = _less(text).encode()
    kept = {name: values for name, values in response["headers"].items() if name.lower() in KEPT_HEADERS}
    return {**response, "headers": kept | {"Content-Length": [str(len(data))]}, "body": {"string": data}}


def _less(text: str) -> str:
    """A describe without what syncd doesn't read, and without the org's own fields."""
    if '"fields":[{' not in text or '"keyPrefix"' not in text:
        return text
    said = json.loads(text)
    fields = [
        {key: field[key] for key in KEPT_OF_A_FIELD if key in field}
        for field in said["fields"]
        if not field.get("custom")
    ]
    return json.dumps({"name": said["name"], "keyPrefix": said["keyPrefix"], "fields": fields})


def settings(directory: Path, salesforce: dict[str, Any], private_key: str) -> Settings:
    """A configuration for one conversation; `salesforce` says whom with."""
    secrets = directory / "secrets"
    secrets.mkdir(mode=0o700, parents=True, exist_ok=True)
    (secrets / "salesforce_private_key").touch(mode=0o600)
    (secrets / "salesforce_private_key").write_text(private_key)
    return from_mapping(
        {
            "secrets_dir": str(secrets),
            "store": {"url": f"sqlite:///{directory}/syncd.db"},
            "sync": {"mode": "live"},
            "salesforce": salesforce,
        }
    )
