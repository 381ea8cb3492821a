"""Objects and fields: what they are made of. The tables of standard fields are in `objects`."""

from dataclasses import dataclass, field, replace
from typing import Any

Scalar = str | int | float | bool | None
Row = dict[str, Scalar]


@dataclass(frozen=True, slots=True)
class Field:
    """One column. `default` stands for what Salesforce fills in at creation; a field that is neither nillable nor
    defaulted is required."""

    name: str
    type: str = "string"
    label: str = ""
    length: int = 0
    createable: bool = True
    updateable: bool = True
    nillable: bool = True
    default: Scalar = None
    id_lookup: bool = False
    external_id: bool = False
    unique: bool = False
    refers_to: tuple[str, ...] = ()
    values: tuple[str, ...] = ()
    restricted: bool = False
    encrypted: bool = False  # Shield, probabilistic: "not filterable" (help, "General Shield Platform Encryption …")

    @property
    def custom(self) -> bool:
        return self.name.endswith("__c")

    @property
    def filterable(self) -> bool:
        """A long text area can't be filtered on (recorded: CumulusCI, describe of Contact.Description)."""
        return not (self.encrypted or (self.type == "textarea" and self.length > 255))

    @property
    def required(self) -> bool:
        return self.createable and not self.nillable and self.default is None

    @property
    def indexed(self) -> bool:
        return self.id_lookup or self.external_id or self.unique or self.name in ("WhoId", "AccountId")


@dataclass(slots=True)
class SObject:
    name: str
    prefix: str
    label: str
    plural: str
    fields: dict[str, Field]
    writable: bool = True
    createable: bool = True  # by the API user
    hidden: set[str] = field(default_factory=set)
    _by_lower: dict[str, Field] = field(init=False, default_factory=dict)

    def __post_init__(self) -> None:
        self._by_lower = {name.lower(): column for name, column in self.fields.items()}

    def field(self, name: str) -> Field | None:
        """A field as the API user sees it: names are case-insensitive, hidden fields don't exist."""
        found = self._by_lower.get(name.lower())
        return None if found is None or found.name in self.hidden else found

    def visible(self) -> list[Field]:
        return [column for column in self.fields.values() if column.name not in self.hidden]

    def put(self, column: Field) -> None:
        self.fields[column.name] = column
        self._by_lower[column.name.lower()] = column

    def alter(self, name: str, **about: Any) -> None:
        self.put(replace(self.fields[name], **about))


def sobject(name: str, prefix: str, *columns: Field, plural: str = "", writable: bool = True) -> SObject:
    return SObject(name, prefix, name, plural or name + "s", {column.name: column for column in columns}, writable)
