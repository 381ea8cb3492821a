"""What the brake would do with changes that are only shown: no intent is committed, so they are counted in memory."""

from __future__ import annotations

from collections import Counter
from typing import TYPE_CHECKING

from syncd.brake import Group, Mark
from syncd.model import Aspect, Verdict, What
from syncd.rules import HARD_BOUNCE

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator

    from syncd.model import Case, Change, Plan


class Foresight:
    """The hard marks among what is shown, and how much of each send; then, which of them would be held, and in what."""

    def __init__(self) -> None:
        self.marks: list[Mark] = []  # each one's id is its place here
        self._of: list[str] = []  # the record of each mark
        self._sends: Counter[str] = Counter()
        self._held: dict[str, Group] = {}
        self._kept: dict[str, Group] = {}

    def note(self, case: Case, planned: Plan) -> None:
        """What is shown of one subject. A mark that a person has released is held by nothing."""
        released = {d.through for d in case.decisions if d.verdict is Verdict.RELEASED and d.aspect is Aspect.INVALID}
        for change in (change for change in planned.changes if change.is_open):
            why = change.why
            self._sends[str(why.get("send", ""))] += 1
            if change.what is What.MARK and why["rule"] == HARD_BOUNCE and max(released, default=-1) < change.through:
                said = (str(why[name]) for name in ("address", "send", "text", "reason"))
                self.marks.append(Mark(len(self.marks), *said))
                self._of.append(change.sf_id)

    def keep(self, sends: Iterable[str]) -> None:
        """All of these sends would be held, since their whId column is shifted."""
        self._kept = {send: Group("shifted", send) for send in sends}
        self.marks = [mark for mark in self.marks if mark.send not in self._kept]

    def hold(self, held: Iterable[tuple[Mark, Group]]) -> None:
        """These marks would be."""
        self._held = {self._of[mark.id]: group for mark, group in held}

    def counts(self) -> Iterator[tuple[Group, int]]:
        """How many changes would be held in which group."""
        yield from Counter(self._held.values()).items()
        yield from ((group, self._sends[send]) for send, group in self._kept.items() if self._sends[send])

    def holds(self, change: Change) -> Group | None:
        """The group in which a change that was shown would be held."""
        if not change.is_open:
            return None
        of_mark = self._held.get(change.sf_id) if change.what is What.MARK else None
        return self._kept.get(str(change.why.get("send", ""))) or of_mark
