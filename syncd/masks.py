"""E-mail addresses where they are not to be read whole: in logs, and in messages that other services carry. Pure."""

from __future__ import annotations

import re

_ADDRESS = re.compile(r"(?<![\w.+'-])([\w+][\w.+'-]*)(@|%40)(?=\w)", re.IGNORECASE)
_SHORT = 3


def masked(text: str) -> str:
    """`jeanne.durand@example.fr` as `j…d@example.fr`, wherever it stands: enough to recognise, not to write to.

    Of a short one as little as that leaves: `abc@` is `a…@`, `a@` is `…@`.
    """
    return _ADDRESS.sub(_less, text)


def _less(found: re.Match[str]) -> str:
    local, at = found.groups()
    return f"{local[: len(local) > 1]}…{local[-1:] if len(local) > _SHORT else ''}{at}"
