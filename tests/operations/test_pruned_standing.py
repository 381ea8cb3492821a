"""Pruning again and again, through the store itself, while mail goes on and old files are read in once more.

What is judged, and what a back-test says, is the same as if nothing had ever been removed.
"""

from __future__ import annotations

import shutil
from collections import defaultdict
from collections.abc import Iterator, Sequence
from contextlib import closing
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any

from hypothesis import example, given, settings
from hypothesis import strategies as st
from sqlite_utils import Database

from syncd.backtest import Difference, compare
from syncd.model import Case, Event, Justification, Match, Rules, SoftBounceRule, Subject
from syncd.retention import surplus
from syncd.rules import TRANSPORT, standing
from syncd.sarbacane import read
from syncd.store import Histories, Inbox, Work, open_store
from syncd.store.prune import Prune, Pruned
from tests.factories import ADDRESS, CONTACT, millis, payload

OTHER = "second@example.fr"
RULES = Rules(activities="off")
KEPT = 100  # days
KINDS = ("delivered", "delivered", "open", "click", "click", "soft_bounce", "soft_bounce", "hard_bounce", "unsubscribe")
TELLS = {kind.value for kind in TRANSPORT}

Chapter = tuple[float, list[dict[str, Any]]]
"""The day, and what came until then."""

others = st.builds(
    lambda threshold, window, a_day, span: Rules(
        activities="off", soft_bounce=SoftBounceRule(threshold, window, a_day, span, ignore_reasons=frozenset())
    ),
    st.integers(1, 3),
    st.sampled_from([20, 365]),
    st.integers(1, 2),
    st.sampled_from([0, 7]),
)


@st.composite
def lives(draw: st.DrawFn) -> list[Chapter]:
    """Some of it comes late, and some again. How a mail ended that is known of for long is not told anew."""
    today, chapters, known = 0.0, list[Chapter](), list[dict[str, Any]]()
    for pause in draw(st.lists(st.sampled_from([30, 100, 400]), min_size=3, max_size=5)):
        today += pause
        came = [draw(mail(today)) for _ in range(draw(st.integers(0, 7)))]
        mailed = {_mailing(it) for it in known}
        news = [it for it in came if it["type"] not in TELLS or _mailing(it) not in mailed]
        again = draw(st.lists(st.sampled_from(known), max_size=3)) if known else []
        chapters.append((today, news + again))
        known += news
    return chapters


@st.composite
def mail(draw: st.DrawFn, today: float) -> dict[str, Any]:
    day = today - draw(st.sampled_from([0, 1, 5, 29, 29, 120, 350])) - draw(st.integers(0, 95)) / 96
    kind = draw(st.sampled_from(KINDS))
    ago = draw(st.integers(0, 8)) if kind in ("open", "click") else 0  # to a mail of long ago, today
    number = int(day // 50) - ago
    return payload(
        kind,
        day,
        draw(st.sampled_from([f"s{number}", f"s{number}", f"s{number}", ""])),
        campaignId=draw(st.sampled_from([f"c{number}", ""])),
        email=draw(st.sampled_from([ADDRESS] * 4 + [OTHER])),
        whId=draw(st.sampled_from([CONTACT] * 5 + [CONTACT[:15]])),
        url=draw(st.sampled_from(["https://acme.example/1", "https://acme.example/2"])),
    )


def _mailing(it: dict[str, Any]) -> tuple[str, str]:
    return it["email"], it["sendId"] or it["campaignId"]


@settings(max_examples=40)
@example(
    life=[
        (130, [payload("delivered", 1, "a"), payload("delivered", 120, "b")]),
        (600, [payload("hard_bounce", 599, "c")]),
        (610, [payload("click", 609, "a")]),  # of a sealed send, and so no mail that arrived after the bounce
    ],
    other=RULES,
)
@given(life=lives(), other=others)
def test_nothing_is_judged_otherwise_because_of_it(new_store: Path, life: list[Chapter], other: Rules) -> None:
    with TemporaryDirectory() as directory:
        shutil.copy(new_store, path := Path(directory, "syncd.db"))
        history: dict[bytes, Event] = {}
        with closing(open_store(path)) as db:
            for day, came in life:
                events = [read(it, millis(day)) for it in came]
                history = {event.key: event for event in events} | history
                Inbox(db).append(events)
                fold(db, millis(day))
                prune(db, millis(day - KEPT))
                assert list(judged(list(history.values()), other)) == list(judged(stored(db), other))
                assert backtested(list(history.values()), other) == stored_backtest(db, other)


def fold(db: Database, now: int) -> None:
    """As a run does it in which nothing is to be written."""
    work = Work(db)
    run_id = work.begin("test", now, 0)
    while work.fold(now, work.newest()):
        pass
    page = work.claim(run_id, 100, now)
    work.attach(run_id, [Match(it, CONTACT, "Contact", "id") for it in page], {it.id for it in page}, now)
    work.end(run_id, now, {})


def prune(db: Database, before: int) -> None:
    pruning, said = Prune(db), Pruned()
    for cases in pruning.old(before):
        pruning.remove([(case, surplus(case, RULES, before)) for case in cases], before, said)


def stored(db: Database) -> Sequence[Event]:
    return next((case.events for case in whole(db)), ())


def whole(db: Database) -> list[Case]:
    return Work(db).cases([Subject(row["id"], CONTACT, "Contact") for row in db["subjects"].rows])


def judged(events: Sequence[Event], other: Rules) -> Iterator[tuple[Justification | None, set[bytes], Event | None]]:
    for addresses in ((ADDRESS,), (OTHER,), (ADDRESS, OTHER)):
        for rules in (RULES, other):
            it = standing(events, addresses, (), rules)
            yield it.invalid, {why.event.key for why in it.elsewhere}, it.opted_out


def backtested(events: Sequence[Event], other: Rules) -> tuple[str, str]:
    mailed: dict[str, list[Event]] = defaultdict(list)
    for event in events:
        mailed[event.address].append(event)
    return _told(compare(1, mailed, (), RULES, other))


def stored_backtest(db: Database, other: Rules) -> tuple[str, str]:
    found = [compare(it.subject, it.mail, it.decisions, RULES, other) for it in Histories(db).between(0, 1_000)]
    return _told(next(iter(found), None))


def _told(difference: Difference | None) -> tuple[str, str]:
    now, then = (difference.now, difference.then) if difference else (None, None)
    return now.reason if now else "", then.reason if then else ""
