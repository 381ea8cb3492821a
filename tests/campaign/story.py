"""A campaign of many weekly sends: who is mailed, and what happens to them."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, field
from random import Random
from typing import TYPE_CHECKING, Any

from tests.factories import payload

if TYPE_CHECKING:
    from syncd.sandbox import Org

Payload = dict[str, Any]

SENDS = 8
WAVES = ((0, 1, 2), (3, 4, 5), (6, 7))
"""Sends whose events arrive together: between two waves syncd runs, so later ones change what earlier ones made."""
MINUTES = 1 / 1_440  # of a day
STRANGER = "003Sb00zzzzzzzzAAA"


@dataclass
class Person:
    """One record, and what Sarbacane reports of it. `who` is what its Tasks hang on."""

    object: str
    id: str
    who: str
    whid: str
    address: str
    waves: list[list[Payload]] = field(default_factory=lambda: [[] for _ in WAVES])
    later: float = 0
    """Minutes by which its events come later than those of another with the same address."""
    others: list[Person] = field(default_factory=list)
    """Those whose record has become this one's, and so has what happened to them."""
    former: list[list[Payload]] = field(default_factory=list)
    """All that had happened to this record, or to one that has become it, after each wave until then."""
    is_paired: bool = False
    """Its record becomes one with another's."""
    is_gone: bool = False
    """Its record has become another one's."""
    mailed_through: int = len(WAVES) - 1
    """The last wave in which anything is heard of it."""

    def say(self, kind: str, send: int, minutes: float, *, wave: int | None = None, **more: Any) -> None:
        """An event, so many minutes after its send went out. It arrives with its send's wave, or with a later one."""
        if wave is None:
            wave = next(number for number, sends in enumerate(WAVES) if send in sends)
        if wave > self.mailed_through:
            return
        said = {"whId": self.whid, "email": self.address} | more
        self.waves[wave].append(payload(kind, 7 * send + (minutes + self.later) * MINUTES, f"s{send}", **said))

    def happened(self, through: int = len(WAVES) - 1) -> list[Payload]:
        """To all who are this record, up to and with this wave."""
        mine = [said for wave in self.waves[: through + 1] for said in wave]
        return mine + [said for other in self.others for said in other.happened(through)]

    def become(self, other: Person, after: int) -> None:
        """The other's record is this one's from now on, after a wave."""
        self.former += [person.happened(wave) for person in (self, other) for wave in range(after + 1)]
        self.former += other.former
        self.others.append(other)
        other.is_gone = True


def people(org: Org, number: int) -> list[Person]:
    """The records: Contacts, every eighth a Lead, every twentieth a person account."""
    return [_person(org, i) for i in range(number)]


def _person(org: Org, i: int) -> Person:
    address, name = f"n{i}@d{i % 40}.example", f"N{i}"
    if i % 8 == 7:
        lead = org.add("Lead", LastName=name, Company="Exemple SA", Email=address)
        return Person("Lead", lead, lead, lead, address)
    if i % 20 == 4:
        account, contact = org.add_person(LastName=name, PersonEmail=address)
        return Person("Account", account, contact, account if i % 40 == 4 else contact, address)
    contact = org.add("Contact", LastName=name, Email=address)
    return Person("Contact", contact, contact, contact[:15] if i % 30 == 9 else contact, address.upper())


def happen(everybody: list[Person], seed: int) -> list[list[Payload]]:
    """Lets things happen to everybody; the waves as they arrive: out of order, some events twice, some of strangers."""
    dice = Random(seed)
    fates = _fates(len(everybody))
    for i, person in enumerate(everybody):
        fates[i * 37 % 100](person, dice)
    # fifteen characters are somebody's by chance, and no checksum tells
    mistyped = next(person.whid[:15] for person in everybody if person.object == "Contact" and len(person.whid) == 18)
    waves = []
    for number, _ in enumerate(WAVES):
        wave = [said for person in everybody for said in person.waves[number]]
        wave += dice.sample(wave, len(wave) // 20)
        wave += [payload("open", 7 * number, f"s{number}", whId=STRANGER, email="gone@x.example")]
        wave += [payload("unsubscribe", 7 * number, f"s{number}", whId=mistyped, email="mistyped@x.example")]
        dice.shuffle(wave)
        waves.append(wave)
    return waves


# --- what happens to people ------------------------------------------------------------------------------------


def _reads(person: Person, dice: Random) -> None:
    for send in dice.sample(range(SENDS), 3):
        person.say("delivered", send, 1)
        for once in range(dice.choice((0, 0, 1, 1, 2))):
            person.say("open", send, 30 + 45 * once)


def _clicks(person: Person, dice: Random) -> None:
    for send in dice.sample(range(SENDS), 2):
        person.say("delivered", send, 1)
        person.say("open", send, 30)
        for once in range(dice.choice((1, 2))):
            person.say("click", send, 50 + 25 * once, url=f"https://acme.example/{once}")


def _bounces_hard(person: Person, dice: Random) -> None:
    """The first of two justifies it, though the second may arrive before."""
    first = dice.randrange(SENDS)
    person.say("hard_bounce", first, 2, smtpDescription=f"550 5.1.1 {'unknown user ' * 30}")
    person.say("hard_bounce", dice.randrange(first, SENDS), 4, smtpDescription="550 5.7.1 once more")


def _comes_back(person: Person, _: Random) -> None:
    """Marked in the first wave, lifted in the second."""
    person.say("hard_bounce", 1, 2)
    person.say("delivered", 4, 1)


def _bounces_softly(person: Person, dice: Random) -> None:
    for send in range(dice.choice((4, 5, 6, 8))):
        person.say("soft_bounce", send, 3)


def _recovers(person: Person, _: Random) -> None:
    for send in range(SENDS):
        person.say("delivered" if send == 5 else "soft_bounce", send, 3)


def _opts_out(person: Person, dice: Random) -> None:
    send = dice.randrange(SENDS)
    person.say("delivered", send, 1)
    person.say(dice.choice(("unsubscribe", "complaint")), send, 60)


def _does_it_all(person: Person, _: Random) -> None:
    """A mark, an opt-out and Tasks, all on one record."""
    person.say("delivered", 0, 1)
    person.say("open", 0, 20)
    person.say("unsubscribe", 2, 9)
    person.say("hard_bounce", 3, 2)
    person.say("open", 6, 9)


def _has_moved(person: Person, dice: Random) -> None:
    """What happened to another address than the record's: no mark, but Tasks and opt-outs. If a tenth of a send's
    recipients were like that, syncd would hold all of it, which the reckoning knows nothing of."""
    old = f"old.{person.address}"
    if len(person.whid) == 15:
        old = person.address  # an id without a checksum counts only with its address
    send = dice.randrange(SENDS - 3)
    person.say("hard_bounce", send, 2, email=old)
    person.say("open", send + 2, 20, email=old)
    person.say("complaint", send + 3, 30, email=old)
    person.say("open", send + 2, 90)


def _has_no_send(person: Person, _: Random) -> None:
    person.say("open", 1, 30, sendId=None)
    person.say("open", 4, 30, sendId=None)
    person.say("click", 6, 30, sendId=None, url="https://acme.example/x")


def _is_scanned(person: Person, dice: Random) -> None:
    """By a machine that follows the links. Of every other it is seen in the next wave only, when there is a Task.

    Not if by then the record may be another's, which has a Task of that send already: then this one stays as it was.
    """
    send = dice.choice(WAVES[0])
    person.say("delivered", send, 1)
    person.say("open", send, 5.01)
    for link, wave in enumerate((0, 0 if person.is_paired else dice.choice((0, 1)))):
        person.say("click", send, 5 + 0.01 * link, url=f"https://acme.example/{link}", wave=wave)


_Fate = Callable[[Person, Random], None]
_SOME: tuple[tuple[_Fate, int], ...] = (
    (_clicks, 30), (_bounces_softly, 9), (_recovers, 3), (_opts_out, 6), (_has_moved, 2), (_has_no_send, 4),
    (_is_scanned, 4),
)  # fmt: skip
_HARD: tuple[_Fate, ...] = (_bounces_hard, _comes_back, _does_it_all)
MOST_HARD = 150
"""Hard-bounced ones: with more of them in a day the brake would hold marks, which the reckoning knows nothing of."""


def _fates(number: int) -> list[_Fate]:
    """A hundred of them, dealt out in turn."""
    each = max(1, min(3, MOST_HARD * 100 // number // len(_HARD)))
    fates = [fate for fate, share in (*_SOME, *((fate, each) for fate in _HARD)) for _ in range(share)]
    return fates + [_reads] * (100 - len(fates))
