"""A configuration file and its secrets, as an operator would have them."""

from __future__ import annotations

from typing import TYPE_CHECKING

from syncd.config import Settings, load

if TYPE_CHECKING:
    from collections.abc import Iterable
    from pathlib import Path

TOKEN = "a-token-for-tests-0123456789abcdef"
NEXT_TOKEN = "the-next-token-for-tests-0123456789"


def settings(directory: Path, tokens: Iterable[str] = (TOKEN,), **receiver: int) -> Settings:
    return load(configuration(directory, tokens, **receiver), {})


def configuration(directory: Path, tokens: Iterable[str] = (TOKEN,), **receiver: int) -> Path:
    """The path of a file that configures a receiver with its store at `directory`/syncd.db."""
    write_tokens(directory, tokens)
    keys = "".join(f"{key} = {value}\n" for key, value in receiver.items())
    path = directory / "syncd.toml"
    path.write_text(
        'secrets_dir = "secrets"\n[store]\nurl = "sqlite:///syncd.db"\n'
        f'[receiver]\nbind = "127.0.0.1:0"\n{keys}'
        '[salesforce]\nusername = "nobody@example.com"\nconsumer_key = "none"\n'
    )
    return path


def write_tokens(directory: Path, tokens: Iterable[str]) -> None:
    """In one step: a reload must never see half a file."""
    (directory / "secrets").mkdir(mode=0o700, exist_ok=True)
    new = directory / "secrets" / "webhook_tokens.new"
    new.touch(mode=0o600)
    new.write_text("".join(f"{token}\n" for token in tokens))
    new.rename(directory / "secrets" / "webhook_tokens")
