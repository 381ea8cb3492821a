"""The commands that look and change nothing."""

from __future__ import annotations

import json
import time
from contextlib import closing
from dataclasses import asdict
from typing import TYPE_CHECKING, Any

import click

from syncd.alarms import conditions
from syncd.budget import Budget
from syncd.cli.given import CSV, JSON, KINDS, SINCE, UNTIL, Address
from syncd.cli.tables import LIMIT, counts, show
from syncd.cli.words import counted, event_line, iso, reason
from syncd.config import load
from syncd.store import Alarms, Calls, Desk, Filter, Journal, Lists, open_store, situation
from syncd.texts import json_text, printable

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

    from syncd.config import Settings
    from syncd.model import Event


@click.command()
@click.option("--json", "as_json", is_flag=True, help="One JSON document; the README says what each key is.")
@click.pass_obj
def status(config: Path | None, *, as_json: bool) -> None:
    """What is going on, on one screen.

    Exits 1 when something needs a person: a change was rejected or is held, a record is failing, or an alarm is on.
    """
    settings = load(config)
    said = _gather(settings)
    if as_json:
        click.echo(json_text(said))
    else:
        for name, text in _lines(said):
            click.echo(printable(f"{name:<18}{text}"))
    raise SystemExit(1 if any(said[name] for name in ("rejected", "held", "subjects_failing", "alarms")) else 0)


def _gather(settings: Settings) -> dict[str, Any]:
    now = time.time_ns() // 1_000_000
    with closing(open_store(settings.store.path)) as db:
        said = Desk(db).status(now)
        alarms = Alarms(db)
        since = {key: opened_at for key, opened_at, *_ in alarms.open()}
        seen = situation(settings, alarms, now)
        applied = Journal(db).are_rules_applied(settings.judgement())
        allowed = Budget(Calls(db), settings.salesforce.daily_budget, lambda: now).allowed
    for name in ("last_event_at", "calls_resume_at"):
        said[name] = iso(said[name])
    said["last_run"] = said["last_run"] and _last_run(said["last_run"])
    return {
        "mode": settings.sync.mode,
        "store": str(settings.store.path),
        **said,
        "calls_allowed": allowed,
        "rules_changed": not applied,
        "disk_free_bytes": seen.disk_free,
        "alarms": [{**asdict(alarm), "since": iso(since.get(alarm.key))} for alarm in conditions(seen)],
    }


def _last_run(run: dict[str, Any]) -> dict[str, Any]:
    """As `syncd runs` shows them."""
    times = {name: iso(run[name]) for name in ("started_at", "ended_at")}
    return {
        "run": run["id"],
        "cause": run["cause"],
        **times,
        **{name: it for name, it in (run["summary"] or {}).items() if name != "run"},
    }


def _lines(said: dict[str, Any]) -> list[tuple[str, str]]:
    kinds = ", ".join(f"{kind} {number}" for kind, number in said["kinds"].items())
    waiting, failing = counted(said["events_waiting"], "event"), counted(said["subjects_failing"], "subject")
    return [
        ("mode", said["mode"] + ("" if said["mode"] == "live" else ": plans, and writes nothing to Salesforce")),
        ("last event", _when(said["last_event_at"])),
        ("events", f"{said['events']}" + (f" ({kinds})" if kinds else "")),
        ("in 30 days", _lists(said["lately"])),
        ("waiting", f"{waiting}, {counted(said['subjects_due'], 'subject')} due, {said['subjects_later']} later"),
        ("unmatched", f"{counted(said['unmatched'], 'recipient')} without a record"),
        ("rejected", f"{counted(said['rejected'], 'change')} that Salesforce would not take{_why(said['rejections'])}"),
        ("held", f"{counted(said['held'], 'change')} waiting for a person"),
        ("failing", f"{failing}, tried again; {counted(said['unsettled'], 'change')} without a clear answer"),
        ("quarantine", f"{said['quarantined']} deliveries that could not be read"),
        ("last run", _run(said["last_run"]) + ("; one is going on" if said["run_going_on"] else "")),
        (
            "Salesforce calls",
            f"{said['calls_24h']} of {said['calls_allowed']} in 24 hours" + _goes_on(said["calls_resume_at"]),
        ),
        *_rules(said),
        ("disk", f"{said['disk_free_bytes'] / 1e9:.1f} GB free at {said['store']}"),
        *(("ALARM", f"{alarm['words']}. {alarm['advice']}") for alarm in said["alarms"]),
    ]


def _rules(said: dict[str, Any]) -> Iterator[tuple[str, str]]:
    if said["rules_changed"]:
        yield "rules", "changed since everything was judged; what would differ: syncd resync --all --dry-run"
    if number := said["marks_by_senders_fault"]:
        yield "doubtful", f"{counted(number, 'mark')} of bounces that blame who sends; see: [rules.hard_bounce] spare"


def _lists(lately: dict[str, int]) -> str:
    """What tells whether the whId column of the recipient lists is in order."""
    if not lately["events"]:
        return "no event"
    usable = f"{lately['with_usable_whid'] / lately['events']:.1%} of the events have a usable whId"
    if not lately["bounces_judged"]:
        return f"{usable}; no bounce that would have marked"
    mismatched = lately["address_mismatches"] / lately["bounces_judged"]
    return f"{usable}; {mismatched:.1%} of the bounces were of another address than the record's"


def _why(rejections: dict[str, int]) -> str:
    """Of the latest: one cause has a thousand victims."""
    most = ", ".join(f"{number} × {code}" for code, number in list(rejections.items())[:CODES_SHOWN])
    return f": {most}; when that is mended: syncd retry" if most else ""


def _when(text: str | None) -> str:
    return f"{text[:10]} {text[11:19]}Z" if text else "-"


def _goes_on(resumes_at: str | None) -> str:
    return f"; the budget is spent, and goes on {_when(resumes_at)}" if resumes_at else ""


def _run(last: dict[str, Any] | None) -> str:
    if last is None:
        return "none yet"
    changes = counts(last.get("changes", {}), "no change")
    return f"{last['run']} by {last['cause']}, {_when(last['ended_at'])}: {_ended(last)}; {changes}"


def _ended(run: dict[str, Any]) -> str:
    """On one line; what to type is in --json."""
    words = next(iter(run.get("words", "").splitlines()), "")
    return " ".join(part for part in (run.get("ended"), run.get("code"), words) if part)


@click.command()
@SINCE
@UNTIL
@click.option("--kind", type=KINDS, default=None, help="Only this kind.")
@click.option("--email", type=Address(), default="", help="Only of this address.")
@click.option("--whid", default="", help="Only with this whId, as Sarbacane sent it.")
@click.option("--campaign", default="", help="Only of this campaignId.")
@click.option("--send", default="", help="Only of this sendId.")
@LIMIT
@JSON
@CSV
@click.pass_obj
def events(config: Path | None, /, *, limit: int, as_json: bool, as_csv: bool, **given: Any) -> None:
    """List what Sarbacane reported, the last received first; --json has the payloads as they came.

    \b
    syncd events --kind hard_bounce --since 7d
    syncd events --email jeanne.durand@example.fr --limit 0 --csv > jeanne.csv
    """
    wanted = Filter(**{name: value for name, value in given.items() if value is not None})
    settings = load(config)
    with closing(open_store(settings.store.path)) as db:
        found = ({**_event(event_id, event), "_": event} for event_id, event in Lists(db).events(wanted))
        rows = ((row if not as_json else _whole(row)) for row in found)
        show(rows, lambda row: event_line(row["_"]), _EVENT, limit=limit, as_json=as_json, as_csv=as_csv)


CODES_SHOWN = 3
_WORDS = ("word", "address", "whid", "campaign", "send", "subject", "url", "smtp")
_EVENT = ("id", "at", "received_at", "kind", *_WORDS, "claimed_at", "reason")


def _event(event_id: int, event: Event) -> dict[str, Any]:
    words = {name: getattr(event, name) for name in _WORDS}
    times = {"at": iso(event.at), "received_at": iso(event.received_at)}
    judged = {"claimed_at": iso(event.claimed_at), "reason": reason(event)}
    return {"id": event_id, **times, "kind": event.kind.value, **words, **judged}


def _whole(row: dict[str, Any]) -> dict[str, Any]:
    event = row.pop("_")
    return {**row, "key": event.key.hex(), "raw": json.loads(event.raw)}


@click.command()
@SINCE
@UNTIL
@LIMIT
@JSON
@CSV
@click.pass_obj
def runs(config: Path | None, *, since: int | None, until: int | None, limit: int, as_json: bool, as_csv: bool) -> None:
    """List what was run, and what came of it; the last first."""
    settings = load(config)
    with closing(open_store(settings.store.path)) as db:
        found = (
            {**run, "started_at": iso(run["started_at"]), "ended_at": iso(run["ended_at"])}
            for run in Lists(db).runs(Filter(since=since, until=until))
        )
        show(found, _run_line, _RUN, limit=limit, as_json=as_json, as_csv=as_csv)


_RUN = (
    "run", "cause", "started_at", "ended_at", "ended", "code", "words", "events", "subjects", "unmatched", "calls",
    "planned", "changes",
)  # fmt: skip


def _run_line(run: dict[str, Any]) -> str:
    ended = _ended(run) or "going on, or killed"
    number = {name: counted(run[f"{name}s"], name) for name in ("event", "subject", "call")}
    did = f"{number['event']}, {number['subject']}, {counts(run['changes'], 'no change')}; {number['call']}"
    return f"{run['run']:>6}  {run['started_at'][:19]}Z  {run['cause']:<8}  {ended}: {did}"
