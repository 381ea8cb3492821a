"""From ids to records, wherever they have gone: merged away, converted, split into a person account's two halves.

Of a deleted record nothing is read; queryAll still tells its MasterRecordId while it is in the recycle bin.
A converted Lead can be read, though never written again. Nothing more is asked when every record is there.
"""

from __future__ import annotations

from collections import defaultdict
from dataclasses import dataclass, field, replace
from typing import TYPE_CHECKING

from syncd.ids import record_id

if TYPE_CHECKING:
    from collections.abc import Iterable, Mapping

    from syncd.errors import Fatal
    from syncd.model import Move, Record
    from syncd.salesforce.records import Records

LONGEST_CHAIN = 10
"""Merges of merges that are followed in one run: each link may take two calls."""


@dataclass(slots=True)
class Reading:
    """What became of the ids asked for. `untold`: those whose object cannot be looked at, with Salesforce's refusal."""

    records: dict[str, Record] = field(default_factory=dict)
    moves: dict[str, Move] = field(default_factory=dict)
    untold: dict[str, Fatal] = field(default_factory=dict)

    def record(self, sf_id: str) -> Record | None:
        """The record that an id is, or leads to by now."""
        return self.records.get(self._last(sf_id))

    def refusal(self, sf_id: str) -> Fatal | None:
        """Why nothing is known of it."""
        return self.untold.get(self._last(sf_id))

    def led_to(self) -> list[Move]:
        """Where ids lead in the end, of those that are no records themselves."""
        ends = ((move, self._last(sf_id)) for sf_id, move in self.moves.items() if sf_id not in self.records)
        return [replace(move, to_id=last) for move, last in ends if last in self.records]

    def _last(self, sf_id: str) -> str:
        passed = set()
        while sf_id not in self.records and sf_id in self.moves and sf_id not in passed:
            passed.add(sf_id)
            sf_id = self.moves[sf_id].to_id
        return sf_id


def follow(records: Records, ids: Iterable[str], remembered: Mapping[str, Move]) -> Reading:
    """Reads these records, and those that they have become.

    What is `remembered` is taken as true as long as the id itself is not a record (again): a merged one is looked at in
    the same call, for it may have been restored; a conversion is for ever.
    """
    reading = Reading(moves=dict(remembered))
    asked: set[str] = set()
    wanted = {sf_id for sf_id in ids if sf_id not in remembered or remembered[sf_id].how == "merged"}
    wanted |= {move.to_id for move in remembered.values()}
    for _ in range(LONGEST_CHAIN):
        wanted -= asked
        if not wanted:
            break
        asked |= wanted
        records.read(_by_object(wanted), reading)
        lost = {i for i in wanted if i not in reading.records and i not in reading.moves and i not in reading.untold}
        records.find_moved(_by_object(lost), reading)
        wanted = {reading.moves[sf_id].to_id for sf_id in wanted if sf_id in reading.moves}
    return reading


def _by_object(ids: Iterable[str]) -> dict[str, list[str]]:
    grouped: dict[str, list[str]] = defaultdict(list)
    for sf_id in sorted(ids):
        if named := record_id(sf_id):
            grouped[named.object].append(sf_id)
    return dict(sorted(grouped.items()))
