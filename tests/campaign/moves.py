"""What people do to whole records between two waves: they convert Leads, merge, delete and restore.

Some of those who are no longer found under the id that the list has are mailed under it once more, and syncd asks what
became of the record. The others are never heard of again: of them Salesforce tells, once a day.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import TYPE_CHECKING

from tests.campaign.story import SENDS, WAVES

if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence
    from random import Random

    from syncd.sandbox import Org
    from tests.campaign.story import Person

Move = tuple[int, Callable[[], None]]
"""The wave after which it is done, and what."""
FIELDS = {
    "Contact": ("EmailBouncedDate", "EmailBouncedReason", "HasOptedOutOfEmail"),
    "Lead": ("EmailBouncedDate", "EmailBouncedReason", "HasOptedOutOfEmail"),
    "Account": ("PersonEmailBouncedDate", "PersonEmailBouncedReason", "PersonHasOptedOutOfEmail"),
}
EMAIL = {"Contact": "Email", "Lead": "Email", "Account": "PersonEmail"}
LATER = 0.4
"""Minutes between what happens to two with one address: what comes at the same instant has no order."""


class Moves:
    """Who is moved, when and how: of every hundred some twenty."""

    def __init__(self, org: Org, everybody: Sequence[Person], dice: Random) -> None:
        self.org = org
        self.dice = dice
        self._moves: list[Move] = []
        some = max(1, len(everybody) // 100)
        leads = [person for person in everybody if person.object == "Lead"]
        for lead in leads[::3]:
            self._convert(lead)
        # fifteen characters count only with the address of the record, which may be another one's after a merge
        contacts = self._shuffled(one for one in everybody if one.object == "Contact" and len(one.whid) == 18)
        accounts = self._shuffled(one for one in everybody if one.object == "Account")
        for middle, first in zip(leads[1 : 3 * some : 3], leads[2 : 3 * some : 3], strict=True):
            self._convert_into(next(contacts), middle, after=1)
            self._merge(middle, first, after=0)
            self._asks(middle, after=1)
            self._asks(first, after=0)
        for _ in range(some):
            for _ in range(3):
                self._pair(next(contacts), next(contacts))
            self._chain(next(contacts), next(contacts), next(contacts))
            self._delete(next(contacts))
        for _ in range((some + 1) // 2):
            self._pair(next(accounts), next(accounts))

    def carry_out(self, wave: int) -> None:
        """Those that come after this wave, chains from their beginning: they are planned from their end."""
        for after, move in reversed(self._moves):
            if after == wave:
                move()

    def _shuffled(self, persons: Iterator[Person]) -> Iterator[Person]:
        everybody = list(persons)
        self.dice.shuffle(everybody)
        return iter(everybody)

    # --- what is done ---------------------------------------------------------------------------------------------

    def _convert(self, lead: Person) -> None:
        """To a new Contact: from now on that is what has to say it all."""

        def convert() -> None:
            _, lead.id = self.org.convert(lead.id)
            lead.object, lead.who = "Contact", lead.id

        self._moves.append((0, convert))
        self._asks(lead, after=0)

    def _convert_into(self, contact: Person, lead: Person, after: int) -> None:
        def convert() -> None:
            self.org.convert(lead.id, contact=contact.id)
            contact.become(lead, after)

        self._one_address(contact, lead)
        self._moves.append((after, convert))

    def _pair(self, master: Person, loser: Person) -> None:
        after = self.dice.choice((0, 1))
        self._merge(master, loser, after)
        self._asks(loser, after)

    def _chain(self, last: Person, middle: Person, first: Person) -> None:
        """Half of them are heard of from their first only."""
        self._merge(last, middle, after=1)
        self._merge(middle, first, after=self.dice.choice((0, 1)))
        self._asks(first, after=1)
        if self.dice.random() < 0.5:
            self._asks(middle, after=1)

    def _merge(self, master: Person, loser: Person, after: int) -> None:
        takes_over = self.dice.random() < 0.5

        def merge() -> None:
            self.org.merge(master.id, [loser.id], **(self._lacking(master, loser) if takes_over else {}))
            master.become(loser, after)

        self._one_address(master, loser)
        self._moves.append((after, merge))

    def _lacking(self, master: Person, loser: Person) -> dict[str, object]:
        """What the loser says and the master does not."""
        has, other = self.org.get(master.id), self.org.get(loser.id)
        return {name: other[name] for name in FIELDS[master.object] if other[name] and not has[name]}

    def _delete(self, person: Person) -> None:
        """For as long as one wave takes."""
        self._moves += [(0, lambda: self.org.delete(person.id)), (1, lambda: self.org.undelete(person.id))]
        self._asks(person, after=1, chance=1)

    # --- whom it happens to ---------------------------------------------------------------------------------------

    def _one_address(self, master: Person, loser: Person) -> None:
        """Mostly; a quarter of those who are merged keep an address of their own."""
        master.is_paired = loser.is_paired = True
        if self.dice.random() < 0.75:
            loser.address, loser.later = master.address, master.later + LATER
            self.org.edit(loser.id, **{EMAIL[loser.object]: master.address.lower()})

    def _asks(self, person: Person, after: int, chance: float = 0.5) -> None:
        if self.dice.random() >= chance:
            person.mailed_through = after
            return
        send = self.dice.randrange(min(WAVES[after + 1]), SENDS)
        person.say(self.dice.choice(("open", "unsubscribe")), send, 100)
