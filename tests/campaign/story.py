"""A campaign of many weekly sends: who is mailed, what happens to them, and what Salesforce must say in the end."""

from __future__ import annotations

import re
from collections import Counter
from collections.abc import Callable
from dataclasses import dataclass, field
from random import Random
from typing import TYPE_CHECKING, Any

from tests.factories import payload
from tests.reckoning import Expected, reckon

if TYPE_CHECKING:
    from collections.abc import Iterator

    from syncd.sandbox import Org

Payload = dict[str, Any]

SENDS = 8
WAVES = ((0, 1, 2), (3, 4, 5), (6, 7))
"""Sends whose events arrive together: between two waves syncd runs, so later ones change what earlier ones made."""
MINUTES = 1 / 1_440  # of a day
STRANGER = "003Sb00zzzzzzzzAAA"
FIELDS = {
    "Contact": ("EmailBouncedDate", "EmailBouncedReason", "HasOptedOutOfEmail"),
    "Lead": ("EmailBouncedDate", "EmailBouncedReason", "HasOptedOutOfEmail"),
    "Account": ("PersonEmailBouncedDate", "PersonEmailBouncedReason", "PersonHasOptedOutOfEmail"),
}
COUNTED = re.compile(
    r"(?:Opened|not opened)(?P<opens> once| \d+ times)?, (?:clicked|not clicked)(?P<clicks> once| \d+)?"
)
TOKEN = re.compile(r"syncd [0-9a-f]{16}$")
NAMED = re.compile(r"^Sarbacane campaign (?P<campaign>\S+), send (?P<send>\S+)$", re.MULTILINE)


@dataclass
class Person:
    """One record, and what Sarbacane reports of it. `who` is what its Tasks hang on."""

    object: str
    id: str
    who: str
    whid: str
    address: str
    waves: list[list[Payload]] = field(default_factory=lambda: [[] for _ in WAVES])

    def say(self, kind: str, send: int, minutes: float, **more: Any) -> None:
        """An event, so many minutes after its send went out."""
        wave = next(number for number, sends in enumerate(WAVES) if send in sends)
        said = {"whId": self.whid, "email": self.address} | more
        self.waves[wave].append(payload(kind, 7 * send + minutes * MINUTES, f"s{send}", **said))

    @property
    def payloads(self) -> list[Payload]:
        return [said for wave in self.waves for said in wave]


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
    waves = []
    for number, _ in enumerate(WAVES):
        wave = [said for person in everybody for said in person.waves[number]]
        wave += dice.sample(wave, len(wave) // 20)
        wave += [payload("open", 7 * number, f"s{number}", whId=STRANGER, email="gone@x.example")]
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
    person.say("hard_bounce", dice.randrange(SENDS), 2, smtpDescription=f"550 5.1.1 {'unknown user ' * 30}")


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


def _has_moved(person: Person, _: Random) -> None:
    """What happened to another address than the record's: no mark, but Tasks and opt-outs."""
    old = f"old.{person.address}"
    if len(person.whid) == 15:
        old = person.address  # an id without a checksum counts only with its address
    person.say("hard_bounce", 2, 2, email=old)
    person.say("open", 4, 20, email=old)
    person.say("complaint", 5, 30, email=old)
    person.say("open", 4, 90)


def _has_no_send(person: Person, _: Random) -> None:
    person.say("open", 1, 30, sendId=None)
    person.say("open", 4, 30, sendId=None)
    person.say("click", 6, 30, sendId=None, url="https://acme.example/x")


_Fate = Callable[[Person, Random], None]
_SOME: tuple[tuple[_Fate, int], ...] = (
    (_clicks, 30), (_bounces_softly, 9), (_recovers, 3), (_opts_out, 6), (_has_moved, 3), (_has_no_send, 4),
)  # fmt: skip
_HARD: tuple[_Fate, ...] = (_bounces_hard, _comes_back, _does_it_all)
MOST_HARD = 150
"""Hard-bounced ones: with more of them in a day the brake would hold marks, which the reckoning knows nothing of."""


def _fates(number: int) -> list[_Fate]:
    """A hundred of them, dealt out in turn."""
    each = max(1, min(3, MOST_HARD * 100 // number // len(_HARD)))
    fates = [fate for fate, share in (*_SOME, *((fate, each) for fate in _HARD)) for _ in range(share)]
    return fates + [_reads] * (100 - len(fates))


def convert(org: Org, everybody: list[Person]) -> None:
    """Every third Lead becomes a Contact, as people have it; from now on that is what has to say it all."""
    for lead in [person for person in everybody if person.object == "Lead"][::3]:
        _, lead.id = org.convert(lead.id)
        lead.object, lead.who = "Contact", lead.id


# --- what Salesforce says, and must say -----------------------------------------------------------------------


def reckoned(everybody: list[Person]) -> dict[str, Expected]:
    """What each record must say, by the short reckoning that knows nothing of syncd."""
    return {person.id: reckon(person.payloads, person.address.lower()) for person in everybody}


def told(org: Org, everybody: list[Person]) -> dict[str, Expected]:
    """What each record says. A Task that comes twice is there twice, and so unlike anything reckoned."""
    tasks: dict[str, Counter[tuple[str, int, int]]] = {}
    for task in org.all("Task"):
        tasks.setdefault(str(task["WhoId"]), Counter())[_activity(str(task["Description"]))] += 1
    return {person.id: _said(org, person, tasks.get(person.who, Counter())) for person in everybody}


def _said(org: Org, person: Person, tasks: Counter[tuple[str, int, int]]) -> Expected:
    row = org.get(person.id)
    date, reason, opted_out = (row[name] for name in FIELDS[person.object])
    return Expected(
        bounce_date=date and date.replace(".000+0000", "Z"),
        bounce_reason=reason,
        opted_out=opted_out,
        activities=frozenset(
            (send, opens, clicks) if times == 1 else (f"{send}, {times} times", opens, clicks)
            for (send, opens, clicks), times in tasks.items()
        ),
    )


def _activity(description: str) -> tuple[str, int, int]:
    counted = COUNTED.search(description)
    assert counted, description
    return send_of(description), _times(counted["opens"]), _times(counted["clicks"])


def send_of(description: str) -> str:
    """The send that a Task is about."""
    named = NAMED.search(description)
    assert named, description
    return f"send:{named['send']}" if named["send"] != "-" else f"campaign:{named['campaign']}"


def _times(words: str | None) -> int:
    return 0 if words is None else 1 if words == " once" else int(words.split()[0])


def duplicates(org: Org) -> int:
    """How many Tasks are there once more than they should be."""
    seen = Counter((task["WhoId"], send_of(str(task["Description"]))) for task in org.all("Task"))
    return sum(times - 1 for times in seen.values())


PASSING = {"Id", "LastModifiedById"}
"""A Task's id depends on the order of creation; who touched a record last, on whether a mark that was lifted again had
been written at all."""


def state(org: Org) -> dict[str, list[dict[str, Any]]]:
    """All that the org holds, save for what may well depend on the way: a converted Lead says for ever what had been
    written on it by then, and the token of a Task is of the record that it was made for."""
    return {
        kind: sorted(
            (
                {
                    name: TOKEN.sub("", str(value)) if name == "Description" else value
                    for name, value in row.items()
                    if name not in _passing(kind)
                }
                for row in rows
                if not row.get("IsConverted")
            ),
            key=_key,
        )
        for kind, rows in org.snapshot().items()
    }


def _passing(kind: str) -> set[str]:
    return PASSING if kind == "Task" else PASSING - {"Id"}


def _key(row: dict[str, Any]) -> str:
    return repr(sorted(row.items()))


def differences(left: dict[str, Expected], right: dict[str, Expected]) -> Iterator[str]:
    yield from (f"{one}: {left[one]} != {right[one]}" for one in left if left[one] != right[one])
