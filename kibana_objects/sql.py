"""Questions as SQL of DuckDB: the same rows as Elasticsearch's aggregations, of documents in a table.

A table has a column ``_index`` and one for each field that is asked for, named like it: a list of texts for keywords,
booleans and texts, a number, or a TIMESTAMP in UTC. Several values of a field count the document once for each, as in
Elasticsearch.
"""

from __future__ import annotations

import datetime as dt
import math
import re
from collections.abc import Iterator, Mapping, Sequence
from typing import Any, Final

from kibana_objects import kql
from kibana_objects.queries import Asked, Column, Documents, Row, Scope, Span, shift
from mllog.errors import SettingError

NUMBERS: Final = frozenset({"long", "integer", "double", "float"})
_AGGREGATES: Final = {"sum": "sum", "average": "avg", "min": "min", "max": "max"}
_OPERATORS: Final = {"gt": ">", "gte": ">=", "lt": "<", "lte": "<="}
_EMPTY: Final = {"count": 0, "sum": 0.0, "unique_count": 0}
"""Operation -> its number of no documents; of others there is none."""


def quoted(name: str) -> str:
    """A name in SQL."""
    return '"' + name.replace('"', '""') + '"'


def literal(text: str) -> str:
    """A text in SQL."""
    return "'" + text.replace("'", "''") + "'"


def kind(field_type: str) -> str:
    """The type of a field's column."""
    return "TIMESTAMP" if field_type == "date" else "DOUBLE" if field_type in NUMBERS else "VARCHAR[]"


def condition(node: kql.Node | None, types: Mapping[str, str]) -> str:
    """The documents that a query lets pass; true or false, never NULL.

    Raises:
        SettingError: As :func:`kibana_objects.kql.to_query`.
    """
    kql.to_query(node, types)  # what can't be asked there can't be asked here
    return _condition(node, types)


def select(asked: Asked, table: str, by: str = "") -> str:
    """The rows of the columns of one shift: first the dimensions as ``k0``, ``k1`` and so on, then the measures.

    Level by level, as Elasticsearch does: the greatest values of the first dimension, of each of them the greatest of
    the second, and so on. A level is counted before the next one tells its documents apart.
    """
    span = asked.scope.span.shifted(by)
    dimensions = asked.dimensions
    parts = [f"e0 AS (SELECT * FROM {_chosen(asked.scope, table, span)})"]
    for number, (_, column) in enumerate(dimensions):
        keys = ", ".join(f"k{k}" for k in range(number + 1))
        parts.append(f"d{number} AS (SELECT *, {_key(asked, column)} AS k{number} FROM e{number})")
        parts.append(
            f"t{number} AS (SELECT {keys}, {_rank(asked, column, number)} AS r{number} FROM d{number} "
            f"WHERE k{number} IS NOT NULL GROUP BY {keys} {_limit(column, number)})"
        )
        parts.append(f"e{number + 1} AS (SELECT * FROM d{number} JOIN t{number} USING ({keys}))")
    last = len(dimensions)
    names = [name for k in range(last) for name in (f"k{k}", f"r{k}")]
    shown = [f"k{k}" for k in range(last)]
    shown += [f"{_measure(column, asked.scope.types)} AS {quoted(key)}" for key, column in asked.measures(by)]
    grouped = f" GROUP BY {', '.join(names)} ORDER BY {', '.join(f'r{k}' for k in range(last))}" if last else ""
    return f"WITH {', '.join(parts)} SELECT {', '.join(shown) or '0'} FROM e{last}{grouped}"


def listing(wanted: Documents, table: str, columns: Sequence[str]) -> str:
    """The first documents of a scope."""
    order = ", ".join(_order(name, way, wanted.scope.types[name]) for name, way in wanted.sort)
    first = f"ORDER BY {order} LIMIT {int(wanted.size)}"
    return f"SELECT {', '.join(columns)} FROM {_chosen(wanted.scope, table, wanted.scope.span)} {first}"


def _order(name: str, way: str, field_type: str) -> str:
    """As a node has it: of several values the first one counts, none is the last."""
    value = quoted(name)
    if kind(field_type) == "VARCHAR[]":
        value = f"list_{'min' if way == 'asc' else 'max'}({value})"
    return f"{value} {'ASC' if way == 'asc' else 'DESC'} NULLS LAST"


def rows(asked: Asked, by: str, answer: Sequence[Sequence[Any]]) -> list[Row]:
    """The rows of an answer to :func:`select`, with the empty steps of a time axis between them."""
    span = asked.scope.span.shifted(by)
    dimensions = asked.dimensions
    measures = list(asked.measures(by))
    found: dict[tuple[Any, ...], Row] = {}
    for line in answer:
        keys = tuple(
            dt.datetime.fromtimestamp(value, dt.UTC) + shift(by) if _is_time(column) else value
            for value, (_, column) in zip(line, dimensions, strict=False)
        )
        values = {
            key: value.replace(tzinfo=dt.UTC) if isinstance(value, dt.datetime) else value
            for (key, _), value in zip(measures, line[len(dimensions) :], strict=False)
        }
        found[keys] = {**{key: value for (key, _), value in zip(dimensions, keys, strict=True)}, **values}
    if not dimensions or not _is_time(dimensions[-1][1]) or dimensions[-1][1]["sourceField"] != asked.scope.time:
        return list(found.values())
    names = [key for key, _ in dimensions]
    step = asked.step(dimensions[-1][1])
    empty = {key: _EMPTY.get(column["operationType"]) for key, column in measures}
    # Along the axis of the whole there are steps even where there is nothing.
    before = dict.fromkeys(keys[:-1] for keys in found) if len(dimensions) > 1 else {(): None}
    places = [(*outer, at) for outer in before for at in _steps(span, step, shift(by))]
    return [found.get(place, {**dict(zip(names, place, strict=True)), **empty}) for place in places]


def _steps(span: Span, step: int, back: dt.timedelta) -> Iterator[dt.datetime]:
    first = int(span.start.timestamp()) // step * step
    for at in range(first, -int(-span.end.timestamp() // 1), step):
        yield dt.datetime.fromtimestamp(at, dt.UTC) + back


def _chosen(scope: Scope, table: str, span: Span) -> str:
    """The table with the conditions of a scope."""
    indices = " OR ".join(_like("_index", pattern) for pattern in scope.pattern.split(","))
    conditions = [
        f"({indices})",
        *(
            f"{quoted(scope.time)} {sign} {_moment(at)}"
            for sign, at in ((">=", span.start), ("<", span.end))
            if scope.time
        ),
        *(condition(node, scope.types) for node in scope.filters),
    ]
    return f"{quoted(table)} WHERE {' AND '.join(conditions)}"


def _moment(at: dt.datetime) -> str:
    utc = at.astimezone(dt.UTC) if at.tzinfo else at
    return f"TIMESTAMP {literal(utc.replace(tzinfo=None).isoformat(sep=' '))}"


def _is_time(column: Column) -> bool:
    return bool(column["operationType"] == "date_histogram")


def _key(asked: Asked, column: Column) -> str:
    """The values of a dimension, one row for each."""
    name = quoted(column["sourceField"])
    if _is_time(column):
        step = asked.step(column)
        return f"epoch_us({name}) // {step * 1_000_000} * {step}"
    return name if kind(asked.scope.types[column["sourceField"]]) == "DOUBLE" else f"unnest(list_distinct({name}))"


def _rank(asked: Asked, column: Column, number: int) -> str:
    """The place of a value among those of its level; equal ones are ordered by their names."""
    key = f"k{number}"
    within = f"PARTITION BY {', '.join(f'k{k}' for k in range(number))} " if number else ""
    order = f"{key} ASC"
    if not _is_time(column):
        params = column["params"]
        direction = params["orderDirection"].upper()
        order = f"{key} {direction}"
        if params["orderBy"]["type"] == "column":
            measure = _measure(asked.layer["columns"][params["orderBy"]["columnId"]], asked.scope.types)
            # What has no such number is the greatest, on a node.
            order = f"{measure} {direction} NULLS {'FIRST' if direction == 'DESC' else 'LAST'}, {key} ASC"
    return f"row_number() OVER ({within}ORDER BY {order})"


def _limit(column: Column, number: int) -> str:
    return "" if _is_time(column) else f"QUALIFY r{number} <= {int(column['params']['size'])}"


def _measure(column: Column, types: Mapping[str, str]) -> str:
    operation = column["operationType"]
    passing = ""
    if "filter" in column:
        passing = f" FILTER (WHERE {condition(kql.parse(column['filter']['query']), types)})"
    if operation == "count":
        return f"count(*){passing}"
    name = quoted(column["sourceField"])
    if operation in {"median", "percentile"}:
        share = 0.5 if operation == "median" else column["params"]["percentile"] / 100
        return f"quantile_cont({name}, {share}){passing}"
    if operation == "unique_count":
        if kind(types[column["sourceField"]]) == "VARCHAR[]":
            return f"coalesce(len(list_distinct(flatten(list({name}){passing}))), 0)"
        return f"count(DISTINCT {name}){passing}"
    made = f"{_AGGREGATES[operation]}({name}){passing}"
    return f"coalesce({made}, 0.0)" if operation == "sum" else made


def _condition(node: kql.Node | None, types: Mapping[str, str]) -> str:
    match node:
        case None:
            return "true"
        case kql.And(parts):
            return f"({' AND '.join(_condition(part, types) for part in parts)})"
        case kql.Or(parts):
            return f"({' OR '.join(_condition(part, types) for part in parts)})"
        case kql.Not(part):
            return f"(NOT {_condition(part, types)})"
        case kql.Match(field, "*", True):
            empty = "len({}) > 0" if kind(types[field]) == "VARCHAR[]" else "{} IS NOT NULL"
            return f"coalesce({empty.format(quoted(field))}, false)"
        case kql.Match(field, value, pattern):
            return f"coalesce({_matches(field, value, types[field], pattern=pattern)}, false)"
        case kql.Range(field, operator, value):
            return f"coalesce({_beyond(field, _OPERATORS[operator], value, types[field])}, false)"


def _matches(field: str, value: str, field_type: str, *, pattern: bool) -> str:
    name = quoted(field)
    if kind(field_type) != "VARCHAR[]":
        return f"{name} = {_value(field, value, field_type)}"
    if pattern:
        return f"len(list_filter({name}, lambda one: {_like('one', value)})) > 0"
    if field_type == "text":
        words = r"\W+".join(map(re.escape, re.findall(r"\w+", value.lower())))
        found = literal(rf"(^|\W){words}($|\W)")
        return f"len(list_filter({name}, lambda one: regexp_matches(lower(one), {found}))) > 0"
    return f"list_contains({name}, {literal(value)})"


def _beyond(field: str, sign: str, value: str, field_type: str) -> str:
    name = quoted(field)
    if kind(field_type) == "VARCHAR[]":
        return f"len(list_filter({name}, lambda one: one {sign} {literal(value)})) > 0"
    return f"{name} {sign} {_value(field, value, field_type)}"


def _value(field: str, value: str, field_type: str) -> str:
    try:
        if field_type == "date":
            return _moment(dt.datetime.fromisoformat(value))
        if math.isfinite(number := float(value)):
            return repr(number)
    except (ValueError, OverflowError):
        pass
    what = "time in ISO 8601" if field_type == "date" else "number"
    raise SettingError(f"field {field!r} is {field_type}, and {value!r} no {what}", field=field, value=value)


def _like(what: str, pattern: str) -> str:
    """Whether a text is as a pattern, in which ``*`` stands for anything."""
    escaped = re.sub(r"([\\%_])", r"\\\1", pattern).replace("*", "%")
    return f"{what} LIKE {literal(escaped)} ESCAPE '\\'"
