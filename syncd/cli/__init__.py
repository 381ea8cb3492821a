"""`syncd`: turns values into words and errors into exit codes.

0 done · 1 done, but something was rejected or failed · 2 wrong usage or configuration · 3 could not run now
"""

from __future__ import annotations

import logging
import os
import sys
from importlib import import_module
from pathlib import Path
from typing import TYPE_CHECKING, Any

import click

from syncd import __version__
from syncd.errors import ConfigError, SyncdError

if TYPE_CHECKING:
    from collections.abc import Sequence

WRONG, NOT_NOW = 2, 3


COMMANDS = {
    "demo": "demo",
    "init": "connect",
    "check": "connect",
    "serve": "services",
    "receive": "services",
    "schedule": "services",
    "dashboard": "services",
    "sync": "work",
    "status": "look",
    "explain": "story",
    "events": "look",
    "runs": "look",
    "quarantine": "quarantine",
    "resync": "operate",
    "retry": "operate",
    "held": "brake",
    "release": "brake",
    "drop": "brake",
    "undo": "undo",
    "backtest": "backtest",
    "import": "take_in",
    "alert": "alert",
    "backup": "data",
    "export": "data",
    "forget": "data",
    "prune": "data",
    "migrate": "work",
    "sandbox": "services",
}
"""Command → the module it is in. Imported when it is asked for: all of them together take over a second."""


class _Group(click.Group):
    """Errors end as a message that says what to do next, and an exit code."""

    def list_commands(self, ctx: click.Context) -> list[str]:
        return list(COMMANDS)

    def get_command(self, ctx: click.Context, cmd_name: str) -> click.Command | None:
        if cmd_name not in COMMANDS:
            return None
        module = import_module(f"syncd.cli.{COMMANDS[cmd_name]}")
        return next(it for it in vars(module).values() if isinstance(it, click.Command) and it.name == cmd_name)

    def invoke(self, ctx: click.Context) -> Any:
        try:
            return super().invoke(ctx)
        except BrokenPipeError:  # the reader of our output has seen enough; what is left of it goes nowhere
            os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())
        except ConfigError as error:
            _say(str(error))
            ctx.exit(WRONG)
        except SyncdError as error:
            _say(f"syncd: {error}")
            ctx.exit(NOT_NOW)


def _say(problem: str) -> None:
    from syncd import logs  # its library takes a moment, and most commands end well

    if logs.in_journal():
        logs.configure(json=True)
        logging.getLogger("syncd").error("%s", problem)
    else:
        click.echo(problem, err=True)


@click.group(cls=_Group, context_settings={"help_option_names": ["-h", "--help"], "max_content_width": 100})
@click.version_option(__version__, prog_name="syncd")
@click.option(
    "--config",
    type=click.Path(path_type=Path, dir_okay=False),
    help="The configuration file. [default: $SYNCD_CONFIG, else /etc/syncd/syncd.toml]",
)
@click.pass_context
def cli(ctx: click.Context, config: Path | None) -> None:
    """Keeps Salesforce true to what Sarbacane reports.

    Start with `syncd demo`: the whole way on this machine, no account needed.
    """
    ctx.obj = config


def main(arguments: Sequence[str] | None = None) -> None:
    cli.main(arguments, prog_name="syncd")
