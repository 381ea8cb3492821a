"""People to start with: the same ones every time."""

from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from syncd.sandbox.org import Org

FIRST = ("Léa", "Hugo", "Chloé", "Louis", "Manon", "Jules", "Inès", "Adam", "Zoé", "Noé", "Anaïs")
LAST = ("Durand", "Lefèvre", "Moreau", "Girard", "Bonnet", "Lambert", "Rousseau", "Faure", "Mercier")
PLAIN = str.maketrans("éèïëôç", "eeieoc")


def seed(org: "Org", contacts: int = 20, leads: int = 0) -> list[str]:
    """Add people with addresses at example.com; the ids, contacts first."""
    return [
        *(org.add("Contact", **_person(number)) for number in range(contacts)),
        *(org.add("Lead", **_person(number, "lead."), Company=f"Société {number + 1}") for number in range(leads)),
    ]


def _person(number: int, prefix: str = "") -> dict[str, str]:
    first, last = FIRST[number % len(FIRST)], LAST[number % len(LAST)]
    address = f"{prefix}{first}.{last}.{number + 1}@example.com".lower().translate(PLAIN)
    return {"FirstName": first, "LastName": last, "Email": address}
