"""Layers of Lens as Elasticsearch's aggregations, and answers as rows: what Kibana asks when a dashboard is opened.

They are made from the saved objects and not from what these were built of: what runs on a node is what stands in the
file.
"""

from __future__ import annotations

import datetime as dt
import re
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from typing import Any, Final

from kibana_objects import kql

BARS: Final = 75
"""A time axis has at most so many steps."""

INTERVALS: Final = (1, 5, 10, 30, 60, 300, 600, 1800, 3600, 3 * 3600, 12 * 3600, 86_400, 7 * 86_400, 30 * 86_400)
"""Seconds that a step may be, as Kibana's ``auto`` has them."""

_SHIFT: Final = re.compile(r"(\d+)([smhdw])")
_UNITS: Final = {"s": 1, "m": 60, "h": 3600, "d": 86_400, "w": 604_800}
_AGGREGATIONS: Final = {
    "unique_count": "cardinality", "sum": "sum", "average": "avg", "min": "min", "max": "max",
}  # fmt: skip

Json = dict[str, Any]
Row = dict[str, Any]


@dataclass(frozen=True, slots=True)
class Span:
    """From when to when, aware of their time zone."""

    start: dt.datetime
    end: dt.datetime

    @property
    def step(self) -> int:
        """Seconds between two marks of a time axis."""
        wanted = (self.end - self.start).total_seconds() / BARS
        return next((seconds for seconds in INTERVALS if seconds >= wanted), INTERVALS[-1])

    def shifted(self, by: str) -> Span:
        """As long ago as Lens spells it (``1w``)."""
        back = shift(by)
        return Span(self.start - back, self.end - back)


def shift(by: str) -> dt.timedelta:
    """A time that Lens spells, such as ``1w``; nothing for an empty text."""
    found = _SHIFT.fullmatch(by)
    return dt.timedelta(seconds=int(found[1]) * _UNITS[found[2]]) if found else dt.timedelta(0)


@dataclass(frozen=True, slots=True)
class Asked:
    """What a layer asks.

    Attributes:
        layer: A ``formBased`` layer.
        queries: KQL of the panel and of the dashboard.
        types: Field -> type, of the data view.
        time: The view's time field.
        span: The dashboard's time.
    """

    layer: Mapping[str, Any]
    queries: tuple[str, ...]
    types: Mapping[str, str]
    time: str
    span: Span

    @property
    def shifts(self) -> tuple[str, ...]:
        """Times that it looks back; the empty one is now."""
        columns = self.layer["columns"].values()
        return tuple(dict.fromkeys(["", *(column.get("timeShift", "") for column in columns)]))

    def search(self, by: str = "") -> Json:
        """The search for the columns of one shift.

        Raises:
            SettingError: A filter can't be read, or asks for a field that isn't there.
        """
        span = self.span.shifted(by)
        ends = {"gte": span.start.isoformat(), "lt": span.end.isoformat(), "format": "strict_date_optional_time"}
        filters = [{"range": {self.time: ends}}, *(self._query(text) for text in self.queries if text)]
        return {
            "size": 0,
            "track_total_hits": True,
            "query": {"bool": {"filter": filters}},
            "aggs": self._level(list(self._dimensions()), by, span),
        }

    def rows(self, answers: Mapping[str, Mapping[str, Any]]) -> list[Row]:
        """Rows of column id -> value, in the order of the buckets.

        Args:
            answers: By shift, the answer to its :meth:`search`.
        """
        keys = list(self._dimensions())
        found: dict[tuple[Any, ...], Row] = {}
        for by, answer in answers.items():
            top = {**answer.get("aggregations", {}), "doc_count": answer["hits"]["total"]["value"]}
            for row in self._read(keys, by, top):
                place = tuple(row[key] for key in keys)
                if not by or place in found:
                    found.setdefault(place, {}).update(row)
        for row in found.values():
            self._calculate(row)
        return list(found.values())

    def _dimensions(self) -> Iterator[str]:
        columns = self.layer["columns"]
        return (key for key in self.layer["columnOrder"] if columns[key]["isBucketed"])

    def _measures(self, by: str) -> Iterator[tuple[str, Json]]:
        for key, column in self.layer["columns"].items():
            made = column["operationType"] in {"formula", "math", "static_value"}
            if not column["isBucketed"] and not made and column.get("timeShift", "") == by:
                yield key, column

    def _query(self, text: str) -> Json:
        return kql.to_query(kql.parse(text), self.types)

    def _level(self, keys: list[str], by: str, span: Span) -> Json:
        if not keys:
            return {key: self._measure(column) for key, column in self._measures(by) if self._measure(column)}
        key, *rest = keys
        column = self.layer["columns"][key]
        inner = self._level(rest, by, span)
        if column["operationType"] == "date_histogram":
            ends = {"min": int(span.start.timestamp() * 1000), "max": int(span.end.timestamp() * 1000) - 1}
            body: Json = {
                "field": column["sourceField"],
                "fixed_interval": f"{self.span.step}s",
                "min_doc_count": 0,
            }
            # An axis of another time than the dashboard's has no ends that it must reach.
            if column["sourceField"] == self.time:
                body["extended_bounds"] = ends
            else:
                body["min_doc_count"] = 1
            return {key: {"date_histogram": body, "aggs": inner}}
        params = column["params"]
        order, needed = self._order(params)
        terms = {"field": column["sourceField"], "size": params["size"], "order": order}
        return {key: {"terms": terms, "aggs": {**needed, **inner}}}

    def _order(self, params: Mapping[str, Any]) -> tuple[Json, Json]:
        """How values are ordered, and the aggregation that this needs beside them."""
        direction = params["orderDirection"]
        if params["orderBy"]["type"] != "column":
            return {"_key": direction}, {}
        key = params["orderBy"]["columnId"]
        column = self.layer["columns"][key]
        body = self._measure({**column, "timeShift": ""})
        if not body:
            return {"_count": direction}, {}
        path = key
        if "filter" in column and column["operationType"] != "count":
            path = f"{key}>value"
        if "percentiles" in body or "percentiles" in body.get("aggs", {}).get("value", {}):
            path += f".{50 if column['operationType'] == 'median' else column['params']['percentile']}"
        return {path: direction}, {key: body}

    def _measure(self, column: Mapping[str, Any]) -> Json:
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
        asked: Json = {"filter": self._query(column["filter"]["query"])}
        if inner:
            asked["aggs"] = {"value": inner}
        return asked

    def _read(self, keys: list[str], by: str, bucket: Mapping[str, Any]) -> Iterator[Row]:
        if not keys:
            yield {key: self._value(key, column, bucket) for key, column in self._measures(by)}
            return
        key, *rest = keys
        time = self.layer["columns"][key]["operationType"] == "date_histogram"
        for each in bucket.get(key, {}).get("buckets", ()):
            value = each.get("key_as_string", each["key"])
            if time:
                value = dt.datetime.fromtimestamp(each["key"] / 1000, dt.UTC) + shift(by)
            for row in self._read(rest, by, each):
                yield {key: value, **row}

    @staticmethod
    def _value(key: str, column: Mapping[str, Any], bucket: Mapping[str, Any]) -> Any:
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

    def _calculate(self, row: Row) -> None:
        """Fill in formulas: a division of two columns, as this project writes them."""
        columns = self.layer["columns"]
        for key, column in columns.items():
            if column["operationType"] == "math":
                top, bottom = (row.get(name) for name in column["params"]["tinymathAst"]["args"])
                row[key] = None if top is None or not bottom else top / bottom
        for key, column in columns.items():
            if column["operationType"] == "formula":
                row[key] = row.get(column["references"][0])
