"""The webhook tokens: compared in constant time, never shown."""

from __future__ import annotations

from hmac import compare_digest
from typing import TYPE_CHECKING

from syncd.errors import ConfigError

if TYPE_CHECKING:
    from collections.abc import Iterable


class Tokens:
    """The tokens that open the webhook. Raises ConfigError if there is none."""

    __slots__ = ("_tokens",)

    def __init__(self, tokens: Iterable[str]) -> None:
        self._tokens = tuple(token.encode() for token in tokens)
        if not self._tokens:
            raise ConfigError("webhook_tokens: holds no token, so nothing could be received")

    def __contains__(self, candidate: str) -> bool:
        """In a time that tells neither which token was met nor how far."""
        sent = candidate.encode(errors="surrogatepass")
        # a list, not a generator: any() must not stop at the first that fits
        return any([compare_digest(sent, token) for token in self._tokens])  # noqa: C419

    def __repr__(self) -> str:
        return f"<{len(self._tokens)} tokens>"
