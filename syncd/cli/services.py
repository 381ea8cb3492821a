"""The commands that go on until they are stopped."""

from __future__ import annotations

from pathlib import Path
from tempfile import gettempdir

import click
import structlog

from syncd import logs, processes
from syncd.config import file_in_use, load, load_to_receive

log = structlog.get_logger()


@click.command()
@click.pass_obj
def serve(config: Path | None) -> None:
    """Run the receiver, the scheduler and the dashboard together, until stopped."""
    settings = load(config)
    settings.secrets.webhook_tokens()  # what is missing is said before anything starts
    logs.configure(settings.logs.level, settings.logs.by_logger())
    raise SystemExit(processes.serve(file_in_use(config), settings.receiver.bind))


@click.command()
@click.pass_obj
def receive(config: Path | None) -> None:
    """Run the receiver: Sarbacane's events go into the store.

    Listens on [receiver] bind, or on the socket that systemd hands over. What is wrong elsewhere in the configuration
    is said, and keeps no event out.
    """
    from syncd.receiver.server import serve as serve_http

    processes.die_with_parent()
    settings, wrong = load_to_receive(config)
    logs.configure(settings.logs.level, settings.logs.by_logger())
    if wrong:
        log.error("the configuration is wrong: events are received, and nothing else is done", error=str(wrong))
    serve_http(settings, file_in_use(config))


@click.command()
@click.pass_obj
def schedule(config: Path | None) -> None:
    """Run the scheduler: what is due goes to Salesforce, at once and then every [sync] every."""
    from syncd.schedule import schedule as run_schedule

    processes.die_with_parent()
    settings = load(config)
    logs.configure(settings.logs.level, settings.logs.by_logger())
    run_schedule(settings, file_in_use(config))


@click.command()
@click.pass_obj
def dashboard(config: Path | None) -> None:
    """Show metrics for Prometheus, and health, on [dashboard] bind."""
    from syncd.dashboard.server import serve as serve_dashboard

    processes.die_with_parent()
    settings = load(config)
    logs.configure(settings.logs.level, settings.logs.by_logger())
    serve_dashboard(settings, file_in_use(config))


@click.command()
@click.option("--host", default="127.0.0.1", show_default=True, help="Address to listen on.")
@click.option(
    "--port", default=8443, show_default=True, type=click.IntRange(0, 65535), help="Port; 0 takes a free one."
)
@click.option(
    "--directory",
    type=click.Path(path_type=Path, file_okay=False),
    default=Path(gettempdir()) / "syncd-sandbox",
    show_default=True,
    help="Where its certificate and the login's key are kept.",
)
@click.option(
    "--records", default=10, show_default=True, type=click.IntRange(0), help="Contacts and Leads to begin with."
)
@click.option(
    "--fault",
    "faults",
    multiple=True,
    metavar="KIND[@CHANCE%]",
    help="What shall go wrong, such as lock-row@10%; may be repeated. `--fault list` shows all kinds.",
)
def sandbox(host: str, port: int, directory: Path, records: int, faults: tuple[str, ...]) -> None:
    """Run a local stand-in for Salesforce, over HTTPS: for trying a configuration."""
    from syncd.sandbox import listed, parse
    from syncd.sandbox import serve as serve_sandbox

    if "list" in faults:
        click.echo("\n".join(listed()))
        return
    try:
        for spec in faults:
            parse(spec)
    except ValueError as error:
        raise click.BadParameter(str(error), param_hint="--fault") from None
    try:
        directory.mkdir(parents=True, exist_ok=True)
        serve_sandbox(host, port, directory, records, faults=faults)
    except OSError as error:
        raise click.UsageError(
            f"Cannot serve on {host}:{port} with {directory}: {error.strerror or error}. See: syncd sandbox --help"
        ) from error
