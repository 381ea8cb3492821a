"""A parsed SOQL query against the org: the fields looked up, the types checked, the rows found."""

import re
from collections.abc import Callable, Iterable
from typing import TYPE_CHECKING, NoReturn

from syncd.sandbox.cursors import Cursor
from syncd.sandbox.errors import CallError
from syncd.sandbox.ids import canonical
from syncd.sandbox.soql import Both, Condition, Expression, Name, Not, Order, Query, parse, point_at
from syncd.sandbox.store import key_of

if TYPE_CHECKING:
    from syncd.sandbox.org import Org
    from syncd.sandbox.schema import Field, Row, Scalar, SObject
    from syncd.sandbox.soql import Literal

Test = Callable[["Row"], bool]

LITERAL_OF = {"boolean": "boolean", "date": "date", "datetime": "datetime"}
LITERAL_OF |= dict.fromkeys(("int", "double", "currency", "percent"), "number")
WORD_OF = {"datetime": "dateTime", "boolean": "boolean", "number": "double"}
NO_COLUMN = (
    "No such column '{}' on entity '{}'. If you are attempting to use a custom field, be sure to append the '__c' "
    "after the custom field name. Please reference your WSDL or the describe call for the appropriate names."
)
NO_TYPE = (
    "sObject type '{}' is not supported. If you are attempting to use a custom object, be sure to append the '__c' "
    "after the entity name. Please reference your WSDL or the describe call for the appropriate names."
)


def run(org: "Org", text: str, *, hidden_too: bool, page_size: int) -> tuple[Cursor, bool]:
    """What the query found, and whether it only counts. `hidden_too` shows deleted and archived rows (queryAll)."""
    query = parse(text)
    search = _Search(org, query)
    ids = search.ids(hidden_too=hidden_too)
    return Cursor(search.sobject.name, search.columns, tuple(ids), page_size), not query.fields


class _Search:
    def __init__(self, org: "Org", query: Query) -> None:
        self.query = query
        sobject = org.sobject(query.kind.text)
        if sobject is None:
            self._refuse("INVALID_TYPE", query.kind.at, NO_TYPE.format(query.kind.text))
        self.sobject: SObject = sobject
        self.table = org.store.tables[sobject.name]
        self.columns = tuple(self._field(name).name for name in query.fields)
        self.test = self._test(query.where) if query.where else None
        self.order = [(one, self._sortable(one).name) for one in query.order]

    def ids(self, *, hidden_too: bool) -> list[str]:
        rows = [self.table.rows[key] for key in sorted(self._candidates())]
        if not hidden_too:
            rows = [row for row in rows if not row.get("IsDeleted") and not row.get("IsArchived")]
        if self.test:
            rows = [row for row in rows if self.test(row)]
        for order, name in reversed(self.order):
            rows = _sorted(rows, order, name)
        return [str(row["Id"]) for row in rows[: self.query.limit]]

    def _candidates(self) -> Iterable[str]:
        """All ids, or those an index offers for one condition that must hold."""
        where = self.query.where
        must = where.parts if isinstance(where, Both) and where.operator == "and" else (where,)
        for part in must:
            if isinstance(part, Condition) and part.operator in ("=", "in"):
                offered = self._offered(part)
                if offered is not None:
                    return offered
        return self.table.rows

    def _offered(self, condition: Condition) -> set[str] | None:
        field = self._field(condition.field)
        wanted = [self._value(field, literal, condition.field) for literal in condition.values]
        if None in wanted or "" in wanted:
            return None
        if field.type == "id":
            return {str(value) for value in wanted if value in self.table.rows}
        if self.table.has_index(field.name):
            return {found for value in wanted for found in self.table.find(field.name, value)}
        return None

    def _test(self, expression: Expression) -> Test:
        if isinstance(expression, Not):
            inner = self._test(expression.part)
            return lambda row: not inner(row)
        if isinstance(expression, Both):
            tests = [self._test(part) for part in expression.parts]
            if expression.operator == "and":
                return lambda row: all(test(row) for test in tests)
            return lambda row: any(test(row) for test in tests)
        return self._compare(expression)

    def _compare(self, condition: Condition) -> Test:
        field = self._field(condition.field)
        if not field.filterable:
            at = condition.field.at
            self._refuse("INVALID_FIELD", at, f"field '{field.name}' can not be filtered in a query call")
        name, operator = field.name, condition.operator
        wanted = [self._value(field, literal, condition.field) for literal in condition.values]
        if operator == "like":
            return self._like(field, condition)
        if operator in ("=", "!=", "in", "not in"):
            keys = {_comparable(field, value) for value in wanted}
            if operator in ("=", "in"):
                return lambda row: _comparable(field, row[name]) in keys
            return lambda row: _comparable(field, row[name]) not in keys
        return _ordering(field, operator, wanted[0])

    def _like(self, field: "Field", condition: Condition) -> Test:
        literal = condition.values[0]
        if literal.kind != "string" or field.type in LITERAL_OF or field.type in ("id", "reference"):
            self._refuse("INVALID_FIELD", condition.field.at, f"invalid operator on {field.type} field")
        pattern = _pattern(str(literal.value))
        name = field.name
        return lambda row: row[name] is not None and pattern.fullmatch(str(row[name])) is not None

    def _value(self, field: "Field", literal: "Literal", name: Name) -> "Scalar":
        """A literal as it would be stored in this field."""
        if literal.kind == "null" or literal.value == "":
            return None
        expected = LITERAL_OF.get(field.type, "string")
        if literal.kind != expected:
            quotes = "should be" if expected == "string" else "should not be"
            self._refuse(
                "INVALID_FIELD",
                name.at,
                f"value of filter criterion for field '{field.name}' must be of type "
                f"{WORD_OF.get(expected, expected)} and {quotes} enclosed in quotes",
            )
        if field.type not in ("id", "reference"):
            return re.sub(r"\\([%_])", r"\1", literal.value) if isinstance(literal.value, str) else literal.value
        found = canonical(literal.value)
        if found is None:
            self._refuse("INVALID_QUERY_FILTER_OPERATOR", name.at, f"invalid ID field: {literal.value}")
        return found

    def _field(self, name: Name) -> "Field":
        found = self.sobject.field(name.text)
        if found is None:
            message = NO_COLUMN.format(name.text, self.sobject.name)
            if "." in name.text:
                message = f"Didn't understand relationship '{name.text.split('.')[0]}' in field path."
            self._refuse("INVALID_FIELD", name.at, message)
        return found

    def _sortable(self, order: Order) -> "Field":
        field = self._field(order.field)
        if not field.filterable:
            self._refuse("INVALID_FIELD", order.field.at, f"field '{field.name}' can not be sorted in a query call")
        return field

    def _refuse(self, code: str, at: int, message: str) -> NoReturn:
        raise CallError(400, code, point_at(self.query.text, at, message))


def _comparable(field: "Field", value: "Scalar") -> "Scalar":
    """Text compares without regard to case, ids with it."""
    return value if field.type in ("id", "reference") else key_of(value)


def _ordering(field: "Field", operator: str, wanted: "Scalar") -> Test:
    """`<`, `<=`, `>`, `>=`; a null is on no side of anything."""
    name, limit = field.name, _comparable(field, wanted)

    def test(row: "Row") -> bool:
        value = _comparable(field, row[name])
        if value is None or limit is None:
            return False
        if value == limit:
            return operator in ("<=", ">=")
        below = value < limit  # type: ignore[operator] # both of the field's one type
        return below if operator[0] == "<" else not below

    return test


def _pattern(like: str) -> "re.Pattern[str]":
    parts = []
    for escaped, plain in re.findall(r"\\([%_])|(.)", like, flags=re.DOTALL):
        wild = {"%": ".*", "_": "."}.get(plain)
        parts.append(wild or re.escape(escaped or plain))
    return re.compile("".join(parts), re.IGNORECASE | re.DOTALL)


def _sorted(rows: "list[Row]", order: Order, name: str) -> "list[Row]":
    nulls = [row for row in rows if row[name] is None]
    rest = sorted(
        (row for row in rows if row[name] is not None),
        key=lambda row: key_of(row[name]),  # type: ignore[arg-type,return-value] # one type a column, no nulls left
        reverse=order.descending,
    )
    return [*rest, *nulls] if order.nulls_last else [*nulls, *rest]
