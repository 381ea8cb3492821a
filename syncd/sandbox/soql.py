"""SOQL, a small honest part of it: text → `Query`.

    SELECT a, b | COUNT() FROM Type [WHERE …] [ORDER BY a [ASC|DESC] [NULLS FIRST|LAST], …] [LIMIT n]

Conditions: = != <> < <= > >= IN, NOT IN, LIKE, AND, OR, NOT, parentheses. As in Salesforce AND and OR don't mix
without parentheses (SOQL guide, "conditionExpression"). What Salesforce knows and this doesn't (relationships,
aggregates, date literals, sub-queries) is refused, never guessed.
"""

import re
from dataclasses import dataclass
from typing import NoReturn

from syncd.sandbox.errors import CallError
from syncd.sandbox.schema import Scalar
from syncd.sandbox.values import parse_date, parse_moment

TOKEN = re.compile(
    r"""\s*(?:
      (?P<string>'(?:[^'\\]|\\.)*')
    | (?P<moment>\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d(?:\.\d+)?(?:Z|[+-]\d\d:?\d\d))
    | (?P<date>\d{4}-\d\d-\d\d)
    | (?P<number>[+-]?\d+(?:\.\d+)?)
    | (?P<word>[A-Za-z_][A-Za-z0-9_.]*)
    | (?P<sign>!=|<>|<=|>=|[=<>(),])
    )""",
    re.VERBOSE | re.ASCII,
)
ESCAPES = {"n": "\n", "N": "\n", "r": "\r", "R": "\r", "t": "\t", "T": "\t", "b": "\b", "B": "\b", "f": "\f", "F": "\f"}
COMPARISONS = ("=", "!=", "<", "<=", ">", ">=")
RESERVED = frozenset(
    ("select", "from", "where", "and", "or", "not", "in", "like", "order", "by", "limit", "asc", "desc", "nulls")
) | {"null", "true", "false"}


@dataclass(frozen=True, slots=True)
class Token:
    kind: str
    text: str
    at: int


@dataclass(frozen=True, slots=True)
class Literal:
    """`kind`: string, number, boolean, date, datetime or null."""

    kind: str
    value: Scalar


@dataclass(frozen=True, slots=True)
class Name:
    text: str
    at: int


@dataclass(frozen=True, slots=True)
class Condition:
    field: Name
    operator: str
    values: tuple[Literal, ...]


@dataclass(frozen=True, slots=True)
class Both:
    """`operator`: and, or."""

    operator: str
    parts: tuple["Expression", ...]


@dataclass(frozen=True, slots=True)
class Not:
    part: "Expression"


Expression = Condition | Both | Not


@dataclass(frozen=True, slots=True)
class Order:
    field: Name
    descending: bool
    nulls_last: bool


@dataclass(frozen=True, slots=True)
class Query:
    """`fields` is empty for COUNT()."""

    text: str
    fields: tuple[Name, ...]
    kind: Name
    where: Expression | None
    order: tuple[Order, ...]
    limit: int | None


def point_at(text: str, at: int, message: str) -> str:
    """Salesforce's way of showing where (recorded: CumulusCI, INVALID_TYPE)."""
    return f"\n{text}\n{' ' * at}^\nERROR at Row:1:Column:{at + 1}\n{message}"


def parse(text: str) -> Query:
    """CallError MALFORMED_QUERY if it can't be read."""
    return _Parser(text).query()


class _Parser:
    def __init__(self, text: str) -> None:
        self.text = text
        self.tokens = self._tokens()
        self.next = 0

    def query(self) -> Query:
        self._keyword("select")
        fields = self._selected()
        self._keyword("from")
        kind = self._name()
        where = self._expression() if self._taken("where") else None
        order = self._order() if self._taken("order") else ()
        limit = self._limit() if self._taken("limit") else None
        if self._peek().kind != "end":
            self._unexpected()
        return Query(self.text, fields, kind, where, order, limit)

    def _tokens(self) -> list[Token]:
        found, at = [], 0
        end = len(self.text.rstrip())
        while at < end:
            match = TOKEN.match(self.text, at)
            if not match or match.lastgroup is None:
                self._malformed(at, f"line 1:{at} no viable alternative at character '{self.text[at : at + 1]}'")
            found.append(Token(match.lastgroup, match[match.lastgroup], match.start(match.lastgroup)))
            at = match.end()
        return [*found, Token("end", "<EOF>", end)]

    def _selected(self) -> tuple[Name, ...]:
        first = self._name()
        if first.text.lower() == "count" and self._sign("("):
            self._expect(")")
            return ()
        names = [first]
        while self._sign(","):
            names.append(self._name())
        for number, name in enumerate(names):
            if name.text.lower() in {other.text.lower() for other in names[:number]}:
                self._malformed(name.at, f"duplicate field selected: {name.text}")
        return tuple(names)

    def _expression(self) -> Expression:
        if self._taken("not"):
            return Not(self._simple())
        parts = [self._simple()]
        operator = next((word for word in ("and", "or") if self._is(word)), "")
        while operator and self._taken(operator):
            parts.append(self._simple())
        if self._is("and") or self._is("or"):
            self._unexpected()
        return Both(operator, tuple(parts)) if operator else parts[0]

    def _simple(self) -> Expression:
        if self._sign("("):
            inner = self._expression()
            self._expect(")")
            return inner
        field = self._name()
        if self._taken("not"):
            self._keyword("in")
            return Condition(field, "not in", self._list())
        if self._taken("in"):
            return Condition(field, "in", self._list())
        if self._taken("like"):
            return Condition(field, "like", (self._literal(),))
        token = self._peek()
        operator = "!=" if token.text == "<>" else token.text
        if token.kind != "sign" or operator not in COMPARISONS:
            self._unexpected()
        self.next += 1
        return Condition(field, operator, (self._literal(),))

    def _list(self) -> tuple[Literal, ...]:
        self._expect("(")
        values = [self._literal()]
        while self._sign(","):
            values.append(self._literal())
        self._expect(")")
        return tuple(values)

    def _literal(self) -> Literal:
        token = self._peek()
        made = _LITERALS.get(token.kind, lambda _: None)(token.text)
        if made is None:
            self._unexpected()
        self.next += 1
        return made

    def _order(self) -> tuple[Order, ...]:
        self._keyword("by")
        orders = [self._one_order()]
        while self._sign(","):
            orders.append(self._one_order())
        return tuple(orders)

    def _one_order(self) -> Order:
        """Nulls come first unless told otherwise (SOQL guide, ORDER BY)."""
        field = self._name()
        descending = self._taken("desc")
        if not descending:
            self._taken("asc")
        nulls_last = False
        if self._taken("nulls"):
            nulls_last = self._taken("last")
            if not nulls_last:
                self._keyword("first")
        return Order(field, descending, nulls_last)

    def _limit(self) -> int:
        token = self._peek()
        if token.kind != "number" or not token.text.isdecimal():
            self._unexpected()
        self.next += 1
        return int(token.text)

    def _name(self) -> Name:
        token = self._peek()
        if token.kind != "word" or token.text.lower() in RESERVED:
            self._unexpected()
        self.next += 1
        return Name(token.text, token.at)

    def _peek(self) -> Token:
        return self.tokens[self.next]

    def _is(self, word: str) -> bool:
        token = self._peek()
        return token.kind == "word" and token.text.lower() == word

    def _taken(self, word: str) -> bool:
        found = self._is(word)
        self.next += found
        return found

    def _sign(self, sign: str) -> bool:
        token = self._peek()
        found = token.kind == "sign" and token.text == sign
        self.next += found
        return found

    def _keyword(self, word: str) -> None:
        if not self._taken(word):
            self._unexpected()

    def _expect(self, sign: str) -> None:
        if not self._sign(sign):
            self._unexpected()

    def _unexpected(self) -> NoReturn:
        token = self._peek()
        self._malformed(token.at, f"unexpected token: '{token.text}'")

    def _malformed(self, at: int, message: str) -> NoReturn:
        raise CallError(400, "MALFORMED_QUERY", point_at(self.text, at, message))


def _string(text: str) -> Literal:
    """Backslashes resolved, but for `\\_` and `\\%`: only LIKE knows what those mean."""

    def plain(found: re.Match[str]) -> str:
        return found[0] if found[1] in "%_" else ESCAPES.get(found[1], found[1])

    return Literal("string", re.sub(r"\\(.)", plain, text[1:-1], flags=re.DOTALL))


def _word(text: str) -> Literal | None:
    words = {"null": Literal("null", None), "true": Literal("boolean", True), "false": Literal("boolean", False)}
    return words.get(text.lower())


def _moment(text: str) -> Literal | None:
    moment = parse_moment(text)
    return Literal("datetime", moment) if moment else None


def _date(text: str) -> Literal | None:
    day = parse_date(text)
    return Literal("date", day) if day else None


_LITERALS = {
    "string": _string,
    "number": lambda text: Literal("number", float(text)),
    "word": _word,
    "moment": _moment,
    "date": _date,
}
