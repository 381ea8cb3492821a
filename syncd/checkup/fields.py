"""The configured fields, held against what describe says: they exist, are read and written, fit and are long enough."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from syncd.checkup.finding import Finding
from syncd.salesforce.described import TYPES

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping

    from syncd.config.models import ObjectFields
    from syncd.salesforce.session import Session

ADDRESS_TYPES = frozenset({"email", "string"})
LEAST_REASON = 80  # characters: a shorter cut of a mail server's words explains nothing


def object_findings(
    session: Session, name: str, fields: ObjectFields, external_id: str = "", *, by_email: bool = False
) -> list[Finding]:
    """One line if all is well, else one for each field that is not. Raises what the describe raises.

    `by_email`: whether records are looked for by their addresses.
    """
    described = session.call("GET", f"sobjects/{name}/describe")
    by_name = {field["name"]: field for field in described["fields"]}
    wrong = [*_problems(name, fields, by_name), *_unknown_external_id(name, external_id, by_name)]
    if by_email:
        wrong += [_not_searched(name, field) for field in fields.email if not _can_be_searched(by_name.get(field))]
    if not described.get("updateable"):
        wrong.insert(
            0, Finding.wrong(name, "the user may read but not edit these records", _permission(name, "tick Edit"))
        )
    if wrong:
        return wrong
    written = [field for role, field in _roles(fields) if field]
    return [Finding.ok(name, f"{', '.join(fields.email)} read; {', '.join(written) or 'nothing'} written")]


def _unknown_external_id(name: str, field: str, by_name: Mapping[str, Any]) -> Iterator[Finding]:
    if field and not by_name.get(field, {}).get("filterable", field in by_name):
        yield Finding.wrong(
            f"{name}.{field}", "there is no such field to find records by, or the user may not see it",
            _permission(name, f"{field}: tick Read") + "; or name another one under [mapping.external_id]",
        )  # fmt: skip


def _can_be_searched(field: Mapping[str, Any] | None) -> bool:
    """A missing one is told as that."""
    return field is None or bool(field.get("filterable", True))


def _not_searched(name: str, field: str) -> Finding:
    return Finding.wrong(
        f"{name}.{field}", "no query may filter by it, as if it were encrypted (Shield), so no recipient is found by "
        "address",
        "have it encrypted deterministically, which can be searched, or write under [mapping]: "
        'match_by_email = "never"',
    )  # fmt: skip


def _roles(fields: ObjectFields) -> Iterator[tuple[str, str]]:
    """Role → field name, of the fields that are written."""
    for role in type(fields).model_fields:
        if role != "email":
            yield role, getattr(fields, role)


def _problems(name: str, fields: ObjectFields, by_name: Mapping[str, Mapping[str, Any]]) -> Iterator[Finding]:
    for field in fields.email:
        if field not in by_name:
            yield _missing(name, "email", field, by_name)
        elif by_name[field].get("type") not in ADDRESS_TYPES:
            yield _unfit(name, "email", by_name[field], ADDRESS_TYPES)
    for role, field in _roles(fields):
        if not field:
            continue
        if field not in by_name:
            yield _missing(name, role, field, by_name)
        else:
            yield from _written(name, role, by_name[field])


def _written(name: str, role: str, field: Mapping[str, Any]) -> Iterator[Finding]:
    types = TYPES.get(role)
    if types and field.get("type") not in types:
        yield _unfit(name, role, field, types)
        return
    thing = f"{name}.{field['name']}"
    if not field.get("updateable"):
        yield Finding.wrong(thing, "can be read but not written", _permission(name, f"{field['name']}: tick Edit"))
    length = int(field.get("length") or 0)
    if role == "bounce_reason" and 0 < length < LEAST_REASON:
        yield Finding.wrong(
            thing, f"is {length} characters long; a reason takes {LEAST_REASON} at least, better 255",
            f"make it longer in Setup > Object Manager > {name} > Fields, or name another one under "
            f"[fields.{name}]: {role} = …",
        )  # fmt: skip


def _missing(name: str, role: str, field: str, by_name: Mapping[str, Any]) -> Finding:
    same = next((known for known in by_name if known.lower() == field.lower()), None)
    if same:
        return Finding.wrong(f"{name}.{field}", f"is spelt {same}", f"write under [fields.{name}]: {_toml(role, same)}")
    without = "" if role == "email" else f'; or write nothing, under [fields.{name}]: {role} = ""'
    return Finding.wrong(
        f"{name}.{field}", "there is no such field, or the user may not see it",
        _permission(name, f"{field}: tick Read and Edit") + without,
    )  # fmt: skip


def _unfit(name: str, role: str, field: Mapping[str, Any], types: frozenset[str] | set[str]) -> Finding:
    return Finding.wrong(
        f"{name}.{field['name']}", f"is a {field.get('type')} field; {role} goes into {' or '.join(sorted(types))}",
        f"name another field under [fields.{name}]: {role} = …",
    )  # fmt: skip


def _toml(role: str, field: str) -> str:
    return f'email = ["{field}"]' if role == "email" else f'{role} = "{field}"'


def _permission(name: str, what: str) -> str:
    return f"in the integration user's permission set, Object Settings > {name} > {what}"
