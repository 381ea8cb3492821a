"""Between planning and writing: all marks of the run are known, and none has been sent.

The intents are committed already. A crash in here lets none of them out: only the run that committed an intent sends
it; the next one finds it unsent by reading, plans it afresh, and brakes again.
"""

from __future__ import annotations

from collections import Counter
from typing import TYPE_CHECKING

from syncd.brake import WINDOW, Group, Seen, counted, held, is_shifted, suspects
from syncd.rules import deliveries_unseen, mailing
from syncd.store import PAUSED_SINCE

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Iterator, Sequence

    from syncd.brake import Mark
    from syncd.engine.context import Context, Summary
    from syncd.engine.foresight import Foresight
    from syncd.model import Case, Record

    _Marks = Callable[[], Iterator[Mark]]


PAGE = 1_000


def pausing(c: Context, started: int, *, write: bool) -> bool:
    """Whether soft bounces mark nobody, as no mail that arrived is reported; when it ends, they are planned again."""
    pauses = deliveries_unseen(c.holds.seen(), c.rules.soft_bounce)
    since = c.work.meta(PAUSED_SINCE)
    if write and pauses and not since:
        c.work.set_meta(PAUSED_SINCE, str(c.now()))
    elif write and since and not pauses:
        c.holds.wake_paused(started)
        c.work.set_meta(PAUSED_SINCE, "")
    return pauses


class Brake:
    """What a run has to remember for it: the sends of those whose records have other addresses."""

    def __init__(self, c: Context, said: Summary) -> None:
        self._c = c
        self._said = said
        self._suspect: set[str] = set()
        self.pausing = False

    def watch(self, cases: Iterable[Case], records: dict[str, Record]) -> None:
        """Notes whose record has the address that was mailed, of a page that was planned."""
        agreeing: list[tuple[int, bool]] = []
        for case in cases:
            if record := records.get(case.subject.sf_id):
                others = {r.address for r in case.recipients if record.lacks(r.address)}
                known = (r for r in case.recipients if not record.may_have(r.address))
                agreeing += [(r.id, r.address not in others) for r in known]
                self._suspect |= {mailing(event) for event in case.events if event.address in others} - {""}
        self._c.holds.agree(agreeing)

    def apply(self) -> None:
        """Holds what is beyond the limits, and all of a send whose whId column is shifted."""
        if not self._c.limits.enabled:
            return
        dropped = self._c.holds.dropped_sends()
        for send in sorted(self._suspect):
            if send in dropped:
                self._drop(send, dropped[send])
            else:
                self._look_at(send)
        for group, hold_id in self._c.holds.open_groups().items():
            if group.by == "shifted":
                self._keep(group, self._c.holds.hold_send(self._said.run_id, group.value, hold_id).total())
        self._brake()

    def foresee(self, foresight: Foresight) -> None:
        """The same for a run that only shows: what would be held is said, and nothing is."""
        if not self._c.limits.enabled:
            return
        dropped = self._c.holds.dropped_sends()
        shifted = {group.value for group in self._c.holds.open_groups() if group.by == "shifted"}
        shifted |= {send for send in self._suspect if send not in dropped and self._is_shifted(send)}
        foresight.keep(shifted | (self._suspect & dropped.keys()))
        if foresight.marks:
            seen = self._seen(lambda: iter(foresight.marks))
            foresight.hold(held(foresight.marks, seen, self._c.limits))
        self._said.held.update({str(group): number for group, number in foresight.counts()})

    def _look_at(self, send: str) -> None:
        if self._is_shifted(send):
            self._c.holds.open(Group("shifted", send), self._c.now())

    def _is_shifted(self, send: str) -> bool:
        holds = self._c.holds
        return is_shifted(holds.mismatches(send), holds.mailed(send)) and (
            Group("shifted", send) not in holds.released(self._c.now())
        )

    def _drop(self, send: str, hold_id: int) -> None:
        """What comes of a send later than a person refused it; what a run that died in here had held, too."""
        self._c.holds.hold_send(self._said.run_id, send, hold_id, reopen=False)
        if dropped := self._c.holds.drop(hold_id, "an earlier drop", self._c.now()):
            self._said.changes["dropped"] += dropped

    def _brake(self) -> None:
        c, run_id = self._c, self._said.run_id
        if not any(True for _ in c.holds.planned(run_id)):
            return
        seen = self._seen(lambda: c.holds.planned(run_id))
        ids: dict[Group, int] = {}
        page: list[tuple[int, int]] = []
        kept: Counter[Group] = Counter()
        for mark, group in held(c.holds.planned(run_id), seen, c.limits):
            if group not in ids:
                ids[group] = c.holds.open(group, c.now())
            page.append((mark.id, ids[group]))
            kept[group] += 1
            if len(page) >= PAGE:
                c.holds.hold(page)
                page = []
        c.holds.hold(page)
        for group, number in kept.items():
            self._keep(group, number)

    def _seen(self, planned: _Marks) -> Seen:
        c, now = self._c, self._c.now()
        released = c.holds.released(now)
        written = counted(c.holds.written(now - WINDOW), released)
        counts = counted(planned(), released) + written
        large = suspects(counts, c.limits)
        sends = self._sends(large, planned, now)
        return Seen(
            recipients=c.holds.recipients(),
            counts=counts,
            written=written,
            sizes={group: c.holds.size(group, sends.get(group, ())) for group in large if group.by != "text"},
            open=c.holds.open_groups().keys(),
            released=released,
        )

    def _sends(self, groups: set[Group], planned: _Marks, now: int) -> dict[Group, set[str]]:
        """With which sends the marked of each domain were mailed."""
        sends: dict[Group, set[str]] = {}
        sources: Sequence[_Marks] = (planned, lambda: self._c.holds.written(now - WINDOW))
        for mark in (mark for source in sources for mark in source()) if groups else ():
            for group in mark.groups:
                if group in groups and group.by == "domain":
                    sends.setdefault(group, set()).add(mark.send)
        return sends

    def _keep(self, group: Group, number: int) -> None:
        if number:
            self._said.changes["held"] += number
            self._said.held[str(group)] += number
