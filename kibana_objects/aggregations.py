"""Questions as Elasticsearch's aggregations, and its answers as rows."""

from __future__ import annotations

import datetime as dt
from collections.abc import Iterator, Mapping
from typing import Any, Final

from kibana_objects import kql
from kibana_objects.queries import Asked, Column, Documents, Row, Scope, Span, shift

_AGGREGATIONS: Final = {
    "unique_count": "cardinality", "sum": "sum", "average": "avg", "min": "min", "max": "max",
}  # fmt: skip

Json = dict[str, Any]


def search(asked: Asked, by: str = "") -> Json:
    """The search for the columns of one shift.

    Raises:
        SettingError: A filter can't be read, or asks for a field that isn't there.
    """
    span = asked.scope.span.shifted(by)
    return {
        "size": 0,
        "track_total_hits": True,
        "query": _query(asked.scope, span),
        "aggs": _level(asked, asked.dimensions, by, span),
    }


def listing(wanted: Documents) -> Json:
    """The search for the first documents of a view; raises as :func:`search` does."""
    return {
        "size": wanted.size,
        "track_total_hits": False,
        "query": _query(wanted.scope, wanted.scope.span),
        "sort": [{name: {"order": way, "unmapped_type": wanted.scope.types[name]}} for name, way in wanted.sort],
    }


def rows(asked: Asked, by: str, answer: Mapping[str, Any]) -> Iterator[Row]:
    """Rows of the columns of one shift, in the order of the buckets."""
    top = {**answer.get("aggregations", {}), "doc_count": answer["hits"]["total"]["value"]}
    return _read(asked, asked.dimensions, by, top)


def _query(scope: Scope, span: Span) -> Json:
    ends = {"gte": span.start.isoformat(), "lt": span.end.isoformat(), "format": "strict_date_optional_time"}
    time = [{"range": {scope.time: ends}}] if scope.time else []
    filters = [*time, *(kql.to_query(node, scope.types) for node in scope.filters)]
    return {"bool": {"filter": filters}}


def _level(asked: Asked, dimensions: list[tuple[str, Column]], by: str, span: Span) -> Json:
    if not dimensions:
        measures = ((key, _measure(asked, column)) for key, column in asked.measures(by))
        return {key: body for key, body in measures if body}
    (key, column), *rest = dimensions
    inner = _level(asked, rest, by, span)
    if column["operationType"] == "date_histogram":
        ends = {"min": int(span.start.timestamp() * 1000), "max": int(span.end.timestamp() * 1000) - 1}
        body: Json = {"field": column["sourceField"], "fixed_interval": f"{asked.step(column)}s", "min_doc_count": 0}
        # An axis of another time than the dashboard's has no ends that it must reach.
        if column["sourceField"] == asked.scope.time:
            body["extended_bounds"] = ends
        else:
            body["min_doc_count"] = 1
        return {key: {"date_histogram": body, "aggs": inner}}
    params = column["params"]
    order, needed = _order(asked, params)
    terms = {"field": column["sourceField"], "size": params["size"], "order": order}
    return {key: {"terms": terms, "aggs": {**needed, **inner}}}


def _order(asked: Asked, params: Mapping[str, Any]) -> tuple[Json, Json]:
    """How values are ordered, and the aggregation that this needs beside them."""
    direction = params["orderDirection"]
    if params["orderBy"]["type"] != "column":
        return {"_key": direction}, {}
    key = params["orderBy"]["columnId"]
    column = asked.layer["columns"][key]
    body = _measure(asked, column)
    if not body:
        return {"_count": direction}, {}
    path = key
    if "filter" in column and column["operationType"] != "count":
        path = f"{key}>value"
    if "percentiles" in body or "percentiles" in body.get("aggs", {}).get("value", {}):
        path += f".{50 if column['operationType'] == 'median' else column['params']['percentile']}"
    return {path: direction}, {key: body}


def _measure(asked: Asked, column: Column) -> Json:
    """The aggregation of a measure; none for a plain count, which every bucket has."""
    operation, name = column["operationType"], column["sourceField"]
    inner: Json
    if operation == "count":
        inner = {}
    elif operation in {"median", "percentile"}:
        percent = 50 if operation == "median" else column["params"]["percentile"]
        inner = {"percentiles": {"field": name, "percents": [percent]}}
    else:
        inner = {_AGGREGATIONS[operation]: {"field": name}}
    if "filter" not in column:
        return inner
    body: Json = {"filter": kql.to_query(kql.parse(column["filter"]["query"]), asked.scope.types)}
    if inner:
        body["aggs"] = {"value": inner}
    return body


def _read(
    asked: Asked, dimensions: list[tuple[str, Column]], by: str, bucket: Mapping[str, Any]
) -> Iterator[Row]:
    if not dimensions:
        yield {key: _value(key, column, bucket) for key, column in asked.measures(by)}
        return
    (key, column), *rest = dimensions
    for each in bucket.get(key, {}).get("buckets", ()):
        value = each.get("key_as_string", each["key"])
        if column["operationType"] == "date_histogram":
            value = dt.datetime.fromtimestamp(each["key"] / 1000, dt.UTC) + shift(by)
        for row in _read(asked, rest, by, each):
            yield {key: value, **row}


def _value(key: str, column: Column, bucket: Mapping[str, Any]) -> Any:
    held = bucket
    if "filter" in column:
        held = bucket.get(key, {"doc_count": 0})
    if column["operationType"] == "count":
        return held["doc_count"]
    answer = held.get("value" if "filter" in column else key, {})
    if "values" in answer:
        (value,) = answer["values"].values()
        return value
    if column["dataType"] == "date" and answer.get("value") is not None:
        return dt.datetime.fromtimestamp(answer["value"] / 1000, dt.UTC)
    return answer.get("value")
