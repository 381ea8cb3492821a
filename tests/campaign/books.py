"""What Salesforce says when a campaign is over, and what it must say."""

from __future__ import annotations

import re
from collections import Counter, defaultdict
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from tests.campaign.moves import FIELDS
from tests.reckoning import Expected, reckon

if TYPE_CHECKING:
    from collections.abc import Container, Iterator, Mapping, Sequence

    from syncd.sandbox import Org
    from tests.campaign.story import Person

Activity = tuple[str, int, int]
"""The send, opens, clicks."""
State = dict[str, list[dict[str, Any]]]
COUNTED = re.compile(
    r"(?:Opened|not opened)(?P<opens> once| \d+ times)?, (?:clicked|not clicked)(?P<clicks> once| \d+)?"
)
TOKEN = re.compile(r"syncd [0-9a-f]{16}$")
NAMED = re.compile(r"^Sarbacane campaign (?P<campaign>\S+), send (?P<send>\S+)$", re.MULTILINE)
PASSING = {"Id", "LastModifiedById"}
"""A Task's id depends on the order of creation; who touched a record last, on whether a mark that was lifted again had
been written at all."""


@dataclass(frozen=True)
class Books:
    """What Salesforce says when all is over, and what it must say: `told` and `reckoned` by record."""

    state: State
    told: dict[str, Expected]
    reckoned: dict[str, Expected]
    wrongly_left: list[str]
    duplicates: int

    def wrong(self) -> list[str]:
        """What the records and Tasks should not say."""
        told = self.told.items()
        differing = [f"{one} says {said}, not {self.reckoned[one]}" for one, said in told if said != self.reckoned[one]]
        return differing + self.wrongly_left

    def unlike(self, other: Books) -> Iterator[str]:
        """What the org says that it does not say there, and the other way round."""
        for kind in self.state.keys() | other.state.keys():
            here, there = (Counter(map(_key, one.state.get(kind, ()))) for one in (self, other))
            yield from (f"{kind}: +{row}" for row in here - there)
            yield from (f"{kind}: -{row}" for row in there - here)


def closed(org: Org, everybody: Sequence[Person], made_for: Mapping[str, str]) -> Books:
    """`made_for`: by Task, the record that it was made for, of those that were there before records were merged."""
    tasks = _Tasks(org, made_for)
    there = [person for person in everybody if not person.is_gone]
    return Books(
        _state(org, tasks.left()),
        _told(org, there, tasks),
        {person.id: reckon(person.happened(), person.address.lower()) for person in there},
        _wrongly_left(there, tasks),
        tasks.duplicates(),
    )


def told_in(description: str) -> Activity:
    """What a Task tells."""
    counted, named = COUNTED.search(description), NAMED.search(description)
    assert counted, description
    assert named, description
    send = f"send:{named['send']}" if named["send"] != "-" else f"campaign:{named['campaign']}"
    return send, _times(counted["opens"]), _times(counted["clicks"])


def _times(words: str | None) -> int:
    return 0 if words is None else 1 if words == " once" else int(words.split()[0])


class _Tasks:
    """The Tasks of an org by record and send.

    Two of one send on a record are right only if a merge brought them together: then one of them is kept up and tells
    of all that happened, and each of the others says what it said before.
    """

    def __init__(self, org: Org, made_for: Mapping[str, str]) -> None:
        self._made_for = made_for
        found: defaultdict[tuple[str, str], list[tuple[Activity, str]]] = defaultdict(list)
        for task in org.all("Task"):
            told = told_in(str(task["Description"]))
            found[str(task["WhoId"]), told[0]].append((told, str(task["Id"])))
        self._all = {key: sorted(tasks) for key, tasks in found.items()}

    def kept_up(self) -> dict[str, set[Activity]]:
        """By record: of each send the one that tells of most."""
        kept: defaultdict[str, set[Activity]] = defaultdict(set)
        for (who, _), tasks in self._all.items():
            kept[who].add(tasks[-1][0])
        return kept

    def left(self) -> dict[str, tuple[str, Activity]]:
        """By id, the others: (record, what it tells)."""
        return {task: (who, said) for (who, _), tasks in self._all.items() for said, task in tasks[:-1]}

    def duplicates(self) -> int:
        """Those that should not have been made: each record may have made one, and none more once it had one."""
        return sum(len(tasks) - (len(self._made_by(tasks)) or 1) for tasks in self._all.values())

    def _made_by(self, tasks: Sequence[tuple[Activity, str]]) -> set[str]:
        return {self._made_for[task] for _, task in tasks if task in self._made_for}


def _told(org: Org, there: Sequence[Person], tasks: _Tasks) -> dict[str, Expected]:
    """What each record says, by the Tasks that are kept up."""
    kept = tasks.kept_up()
    return {person.id: _said(org, person, kept.get(person.who, set())) for person in there}


def _said(org: Org, person: Person, activities: set[Activity]) -> Expected:
    row = org.get(person.id)
    date, reason, opted_out = (row[name] for name in FIELDS[person.object])
    return Expected(
        bounce_date=date and date.replace(".000+0000", "Z"),
        bounce_reason=reason,
        opted_out=opted_out,
        activities=frozenset(activities),
    )


def _wrongly_left(there: Sequence[Person], tasks: _Tasks) -> list[str]:
    """Tasks beside the one that is kept up which say what none of the records that became one can have said."""
    former = {person.who: person.former for person in there}
    return [
        f"beside another one {who} has {said}"
        for who, said in tasks.left().values()
        if not any(said in reckon(past, "").activities for past in former[who])
    ]


# --- the whole org ----------------------------------------------------------------------------------------------


def _state(org: Org, left: Container[str]) -> State:
    """All that the org holds, save for what may well depend on the way: what a converted Lead, a record that was
    merged away and a Task that is kept up no more say for ever is what had been written by then, the token of a Task is
    of the record that it was made for, and a Task that was taken back need not have been made."""
    return {
        kind: [_lasting(kind, row) for row in rows if not _is_over(kind, row) and row["Id"] not in left]
        for kind, rows in org.snapshot().items()
    }


def _is_over(kind: str, row: dict[str, Any]) -> bool:
    taken_back = kind == "Task" and row.get("IsDeleted")
    return bool(row.get("IsConverted") or row.get("MasterRecordId") or taken_back)


def _lasting(kind: str, row: dict[str, Any]) -> dict[str, Any]:
    passing = PASSING if kind == "Task" else PASSING - {"Id"}
    return {
        name: TOKEN.sub("", str(value)) if name == "Description" else value
        for name, value in row.items()
        if name not in passing
    }


def _key(row: dict[str, Any]) -> str:
    return repr(sorted(row.items()))
