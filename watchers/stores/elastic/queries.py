"""Which documents show a finding, as a query and an order."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from typing import Final

from mllog.ruler import LABEL, MISSING_KINDS
from watchers.stores.base import DocumentQuery
from watchers.stores.elastic.plan import BOOLEAN, KEYWORD, LONG_LABEL, NUMBER, Body, as_numbers, exists

_FIRST: Final[Body] = {"@timestamp": {"order": "asc", "format": "strict_date_optional_time_nanos"}}
ID: Final[Body] = {"event.id": {"order": "asc", "unmapped_type": "keyword"}}
BY_TIME: Final[list[Body]] = [{"@timestamp": {**_FIRST["@timestamp"], "unmapped_type": "date"}}]
"""A point in time tells documents of one moment apart."""


def any_of(*queries: Body) -> Body:
    """At least one of some queries."""
    return {"bool": {"should": list(queries), "minimum_should_match": 1}}


def is_one_of(feature: str | None, values: Sequence[str]) -> Body:
    """A category is one of some values, as :func:`mllog.ruler.category_key` writes them."""
    if feature == LABEL:
        return {"terms": {"ml.outputs.label": list(values)}}
    queries: list[Body] = [{"terms": {f"{KEYWORD}{feature}": list(values)}}]
    booleans = [value for value in values if value in {"true", "false"}]
    if booleans:
        queries.append({"terms": {f"{BOOLEAN}{feature}": booleans}})
    numbers = as_numbers(values)
    if numbers:
        queries.append({"terms": {f"{NUMBER}{feature}": numbers}})
    return any_of(*queries)


def _names(field: str) -> Callable[[DocumentQuery], Body]:
    return lambda query: {"term": {field: query.feature}}


def _missing(query: DocumentQuery) -> Body:
    return any_of(*({"term": {f"ml.missing.{kind}": query.feature}} for kind in MISSING_KINDS))


def _unseen(query: DocumentQuery) -> Body:
    if query.feature == LABEL:
        return is_one_of(LABEL, query.values)
    violated = {"term": {"ml.violations.category": query.feature}}
    return {"bool": {"filter": [violated, *([is_one_of(query.feature, query.values)] if query.values else [])]}}


def _unanswered(query: DocumentQuery) -> Body:
    labelled = any_of({"exists": {"field": "ml.outputs.label"}}, LONG_LABEL)
    answered = {"terms": {"ml.bins": list(query.values)}} if query.values else labelled
    return {"bool": {"must_not": [{"term": {"event.outcome": "failure"}}, answered]}}


_QUERIES: Final[Mapping[str, Callable[[DocumentQuery], Body]]] = {
    "missing": _missing,
    "unseen": _unseen,
    "range": _names("ml.violations.range"),
    "type": _names("ml.violations.type"),
    "tokens": lambda query: {"range": {f"ml.text.{query.feature}.unseen": {"gt": 0}}},
    "category": lambda query: is_one_of(query.feature, query.values),
    "number": lambda query: exists(f"{NUMBER}{query.feature}"),
    "latency": lambda _: {"exists": {"field": "event.duration"}},
    "bin": lambda query: {"terms": {"ml.bins": list(query.values)}},
    "environment": lambda query: {"terms": {"ml.environment": list(query.values)}},
    "failure": lambda _: {"term": {"event.outcome": "failure"}},
    "unanswered": _unanswered,
    "any": lambda _: {"match_all": {}},
}


def condition(query: DocumentQuery) -> Body:
    """The query of a kind of documents."""
    return _QUERIES[query.kind](query)


def order(query: DocumentQuery) -> list[Body]:
    """What comes first; the id tells all others apart."""
    fields = {
        "tokens": (f"ml.text.{query.feature}.unseen", "desc", "integer"),
        "latency": ("event.duration", "desc", "long"),
        "number": (f"{NUMBER}{query.feature}", "desc" if query.side == "high" else "asc", "double"),
    }
    if query.kind not in fields:
        return [_FIRST, ID]
    name, direction, kind = fields[query.kind]
    return [{name: {"order": direction, "unmapped_type": kind}}, ID]


def of_segment(segment: Mapping[str, str] | None) -> list[Body]:
    """The queries of a segment; none of all events."""
    return [is_one_of(field, [value]) for field, value in (segment or {}).items()]
