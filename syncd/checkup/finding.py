"""What one look found."""

from __future__ import annotations

from dataclasses import dataclass
from enum import StrEnum
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from collections.abc import Iterable

WRONG, CONFIGURATION, UNREACHABLE = 1, 2, 3


class State(StrEnum):
    OK = "ok"
    WRONG = "WRONG"
    SKIPPED = "-"  # not looked at, since something it depends on failed
    HINT = "hint"


@dataclass(frozen=True, slots=True)
class Finding:
    """One line of `syncd check`, and below it what to do. `code`: the exit code that this one asks for."""

    thing: str
    state: State
    text: str
    do: tuple[str, ...] = ()
    code: int = 0

    @classmethod
    def ok(cls, thing: str, text: str) -> Finding:
        return cls(thing, State.OK, text)

    @classmethod
    def hint(cls, thing: str, text: str, *do: str) -> Finding:
        return cls(thing, State.HINT, text, do)

    @classmethod
    def skipped(cls, thing: str, why: str) -> Finding:
        return cls(thing, State.SKIPPED, f"not checked: {why}")

    @classmethod
    def wrong(cls, thing: str, text: str, *do: str, code: int = WRONG) -> Finding:
        return cls(thing, State.WRONG, text, tuple(line for line in do if line), code)

    def as_dict(self) -> dict[str, Any]:
        state = {State.SKIPPED: "not checked", State.WRONG: "wrong"}.get(self.state, self.state.value)
        return {"thing": self.thing, "state": state, "text": self.text, "do": list(self.do)}


def exit_code(findings: Iterable[Finding]) -> int:
    """A wrong configuration comes before what cannot be reached, that before what is merely wrong."""
    codes = {finding.code for finding in findings}
    return next((code for code in (CONFIGURATION, UNREACHABLE, WRONG) if code in codes), 0)
