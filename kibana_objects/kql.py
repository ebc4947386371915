"""KQL: parsed, asked for its fields, and turned into Elasticsearch's own queries.

Grammar: that of Kibana's language (https://www.elastic.co/docs/explore-analyze/query-filter/languages/kql), but for two
of its liberties: a value with blanks in it must be quoted, and a value without a field is refused, since what it is
looked for in depends on the index.
"""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from functools import cache
from typing import Any, Final

from lark import Lark, Transformer, v_args
from lark.exceptions import UnexpectedInput, VisitError

from mllog.errors import SettingError

_GRAMMAR: Final = r"""
    ?start: or_
    ?or_: and_ (_OR and_)*
    ?and_: not_ (_AND not_)*
    ?not_: _NOT not_ -> negation
         | "(" or_ ")"
         | clause
    clause: word ":" values -> field
          | word COMPARISON value -> range
    ?values: value -> one
           | "(" or_values ")"
    ?or_values: and_values (_OR and_values)* -> any_of
    ?and_values: not_values (_AND not_values)* -> all_of
    ?not_values: _NOT not_values -> none_of
               | "(" or_values ")"
               | value -> one
    value: QUOTED -> quoted
         | WORD -> plain
    word: QUOTED -> name
        | WORD -> name
    COMPARISON: "<=" | ">=" | "<" | ">"
    _OR.2: /or(?=[\s(])/i
    _AND.2: /and(?=[\s(])/i
    _NOT.2: /not(?=[\s(])/i
    QUOTED: /"(\\.|[^"\\])*"/
    WORD: /(\\.|[^\s\\():<>"{}])+/
    %import common.WS
    %ignore WS
"""

Query = dict[str, Any]


@dataclass(frozen=True, slots=True)
class And:
    """All of them."""

    parts: tuple[Node, ...]


@dataclass(frozen=True, slots=True)
class Or:
    """Any of them."""

    parts: tuple[Node, ...]


@dataclass(frozen=True, slots=True)
class Not:
    """Not that."""

    part: Node


@dataclass(frozen=True, slots=True)
class Match:
    """A field has a value; ``pattern``: ``*`` in it stands for anything."""

    field: str
    value: str
    pattern: bool = False


@dataclass(frozen=True, slots=True)
class Range:
    """A field is beyond a value: ``gt``, ``gte``, ``lt`` or ``lte``."""

    field: str
    operator: str
    value: str


Node = And | Or | Not | Match | Range
_OPERATORS: Final = {"<": "lt", "<=": "lte", ">": "gt", ">=": "gte"}


def parse(text: str) -> Node | None:
    """What a query says; None for the empty one, which lets everything pass.

    Raises:
        SettingError: It is none; says where.
    """
    if not text.strip():
        return None
    try:
        found: Node = _Reader().transform(_parser().parse(text))
    except (UnexpectedInput, VisitError) as error:
        column = getattr(error, "column", -1)
        place = f"at its {column}. character" if isinstance(column, int) and column > 0 else "at its end"
        raise SettingError(
            f"KQL {text!r} can't be read {place}: a query is field : value, joined by and, or, not and brackets",
            field="query",
            value=text,
        ) from error
    return found


def conjuncts(node: Node | None) -> tuple[Node, ...]:
    """The parts of a query all of which must hold."""
    match node:
        case None:
            return ()
        case And(parts):
            return tuple(one for part in parts for one in conjuncts(part))
        case _:
            return (node,)


def fields(node: Node | None) -> Iterator[str]:
    """The fields that a query names."""
    match node:
        case And(parts) | Or(parts):
            for part in parts:
                yield from fields(part)
        case Not(part):
            yield from fields(part)
        case Match(field) | Range(field):
            yield field


def to_query(node: Node | None, types: Mapping[str, str]) -> Query:
    """A query of Elasticsearch that lets the same documents pass.

    Args:
        node: From :func:`parse`.
        types: Field -> its Elasticsearch type.

    Raises:
        SettingError: A field has no type, or none that can be asked so.
    """
    match node:
        case None:
            return {"match_all": {}}
        case And(parts):
            return {"bool": {"filter": [to_query(part, types) for part in parts]}}
        case Or(parts):
            return {"bool": {"should": [to_query(part, types) for part in parts], "minimum_should_match": 1}}
        case Not(part):
            return {"bool": {"must_not": [to_query(part, types)]}}
        case Range(field, operator, value):
            if _type(field, types) in {"text", "boolean", "object", "flattened"}:
                raise SettingError(f"field {field!r} is {types[field]}: it has no order", field=field, value=value)
            return {"range": {field: {operator: value}}}
        case Match(field, "*", True):
            _type(field, types)
            return {"exists": {"field": field}}
        case Match(field, value, pattern):
            kind = _type(field, types)
            if pattern and kind != "keyword":
                raise SettingError(f"field {field!r} is {kind}: only keywords have patterns", field=field, value=value)
            if pattern:
                return {"wildcard": {field: {"value": value}}}
            return {"match_phrase" if kind == "text" else "term": {field: value}}


def _type(field: str, types: Mapping[str, str]) -> str:
    if field not in types:
        raise SettingError(f"field {field!r} isn't in the data view", field=field, value=field)
    return types[field]


@cache
def _parser() -> Lark:
    return Lark(_GRAMMAR, parser="lalr", maybe_placeholders=False)


Value = Match | Range | Not | And | Or


class _Reader(Transformer[Any, Any]):
    """From the parser's tree to nodes; what a field is asked for is read before the field is known."""

    @staticmethod
    def _plain(token: str) -> str:
        return re.sub(r"\\(.)", r"\1", token)

    @v_args(inline=True)
    def name(self, token: str) -> str:
        return self._plain(token[1:-1]) if token.startswith('"') else self._plain(token)

    @v_args(inline=True)
    def quoted(self, token: str) -> Match:
        return Match("", self._plain(token[1:-1]))

    @v_args(inline=True)
    def plain(self, token: str) -> Match:
        return Match("", self._plain(token), pattern=bool(re.search(r"(?<!\\)\*", token)))

    @v_args(inline=True)
    def one(self, value: Match) -> Match:
        return value

    def any_of(self, parts: list[Node]) -> Node:
        return parts[0] if len(parts) == 1 else Or(tuple(parts))

    def all_of(self, parts: list[Node]) -> Node:
        return parts[0] if len(parts) == 1 else And(tuple(parts))

    @v_args(inline=True)
    def none_of(self, part: Node) -> Not:
        return Not(part)

    @v_args(inline=True)
    def field(self, name: str, values: Node) -> Node:
        return _named(name, values)

    @v_args(inline=True)
    def range(self, name: str, operator: str, value: Match) -> Range:
        return Range(name, _OPERATORS[operator], value.value)

    def or_(self, parts: list[Node]) -> Or:
        return Or(tuple(parts))

    def and_(self, parts: list[Node]) -> And:
        return And(tuple(parts))

    @v_args(inline=True)
    def negation(self, part: Node) -> Not:
        return Not(part)


def _named(name: str, node: Node) -> Node:
    """Values as matches of a field."""
    match node:
        case Match(_, value, pattern):
            return Match(name, value, pattern)
        case Not(part):
            return Not(_named(name, part))
        case And(parts):
            return And(tuple(_named(name, part) for part in parts))
        case Or(parts):
            return Or(tuple(_named(name, part) for part in parts))
        case Range():
            return node
