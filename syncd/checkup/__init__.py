"""`syncd check`: is everything there that a run needs? As values; the command line only prints them."""

from __future__ import annotations

from typing import TYPE_CHECKING

from syncd.checkup import local, org
from syncd.checkup.finding import Finding, State, exit_code
from syncd.config import file_in_use, load
from syncd.errors import ConfigError

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

__all__ = ["Finding", "State", "check", "exit_code"]


def check(config: Path | None) -> Iterator[Finding]:
    """Each finding as soon as it is known. What fails hides nothing but what depends on it; nothing is raised."""
    try:
        settings = load(config)
    except ConfigError as error:
        yield from local.refused("configuration", error)
        for thing in ("secrets", "store", "receiver", "login"):
            yield Finding.skipped(thing, "the configuration is wrong")
        return
    yield Finding.ok("configuration", str(file_in_use(config)))
    yield from local.secrets(settings)
    load_a_day, findings = local.store(settings)
    yield from findings
    yield local.receiver(settings)
    yield from org.salesforce(settings, load_a_day)
    if settings.sync.mode == "observe":
        yield Finding.hint(
            "mode",
            "observe: syncd plans and shows, and writes nothing to Salesforce",
            'when `syncd sync` shows what you want, write under [sync]: mode = "live"',
        )
