"""What a layer of Lens asks, and rows as it shows them: what Kibana asks when a dashboard is opened.

Questions are made from the saved objects and not from what these were built of: what is asked is what stands in the
file. :mod:`kibana_objects.aggregations` asks Elasticsearch, :mod:`kibana_objects.sql` documents of a folder.
"""

from __future__ import annotations

import datetime as dt
import re
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import Any, Final

from kibana_objects import kql
from kibana_objects.columns import RECORDS
from kibana_objects.data_views import VIEWS, Types, types_of

BARS: Final = 50
MOST_BARS: Final = 100
"""Steps of a time axis that Kibana wants, and how many it allows where a panel names its step (``histogram:barTarget``
and ``histogram:maxBars``)."""

_HOUR: Final = 3600
_DAY: Final = 24 * _HOUR
INTERVALS: Final = (
    (5, 1), (7.5, 5), (15, 10), (45, 30), (180, 60), (540, 300), (1200, 600), (2700, 1800), (2 * _HOUR, _HOUR),
    (6 * _HOUR, 3 * _HOUR), (_DAY, 12 * _HOUR), (7 * _DAY, _DAY), (21 * _DAY, 7 * _DAY), (365 * _DAY, 30 * _DAY),
    (float("inf"), 365 * _DAY),
)  # fmt: skip
"""(below how many seconds, which step) as Kibana chooses them for a wanted one."""

_SHIFT: Final = re.compile(r"(\d+)([smhdw])")
_UNITS: Final = {"s": 1, "m": 60, "h": 3600, "d": 86_400, "w": 604_800}
_MADE: Final = frozenset({"formula", "math", "static_value"})
"""Columns that nobody is asked for: they are made of others."""

Column = Mapping[str, Any]
Row = dict[str, Any]


@dataclass(frozen=True, slots=True)
class Span:
    """From when to when, aware of their time zone."""

    start: dt.datetime
    end: dt.datetime

    def step(self, interval: str) -> int:
        """Seconds of a step of a time axis.

        Args:
            interval: Of a column: ``auto``, or the least one (``1h``), which a long time makes longer.
        """
        seconds = (self.end - self.start).total_seconds()
        if interval == "auto":
            return next(step for bound, step in INTERVALS if bound > seconds / BARS)
        least = int(shift(interval).total_seconds())
        if seconds / least <= MOST_BARS:
            return least
        return max(least, *(step for _, step in INTERVALS if step < seconds / MOST_BARS))

    def shifted(self, by: str) -> Span:
        """As long ago as Lens spells it (``1w``)."""
        back = shift(by)
        return Span(self.start - back, self.end - back)


def shift(by: str) -> dt.timedelta:
    """A time that Lens spells, such as ``1w``; nothing for an empty text."""
    found = _SHIFT.fullmatch(by)
    return dt.timedelta(seconds=int(found[1]) * _UNITS[found[2]]) if found else dt.timedelta(0)


@dataclass(frozen=True, slots=True)
class Scope:
    """Whose documents are asked: those of a data view in the dashboard's time that filters let pass.

    Attributes:
        view: Id of the data view.
        filters: KQL of the panel and of the dashboard.
        span: The dashboard's time.
        time: The time field; empty where the view has none, so that it shows what is, whatever the time.
    """

    view: str
    filters: tuple[kql.Node, ...]
    span: Span
    time: str

    @property
    def pattern(self) -> str:
        """Index patterns with commas between them."""
        return VIEWS[self.view][0]

    @property
    def types(self) -> Types:
        """Field -> its Elasticsearch type."""
        return types_of(self.view)

    @property
    def fields(self) -> set[str]:
        """Fields that choose documents."""
        named = {name for node in self.filters for name in kql.fields(node)}
        return {self.time, *named} if self.time else named


@dataclass(frozen=True, slots=True)
class Documents:
    """The first documents of a scope.

    Attributes:
        scope: Of which.
        columns: Fields that are shown.
        sort: Fields by which they are first, and which way each goes: ``asc`` or ``desc``.
        size: So many of them.
    """

    scope: Scope
    columns: tuple[str, ...]
    sort: tuple[tuple[str, str], ...]
    size: int


@dataclass(frozen=True, slots=True)
class Asked:
    """What a layer asks.

    Attributes:
        layer: A ``formBased`` layer.
        scope: Of whose documents.
    """

    layer: Mapping[str, Any]
    scope: Scope

    @property
    def shifts(self) -> tuple[str, ...]:
        """Times that it looks back; the empty one is now."""
        columns = self.layer["columns"].values()
        return tuple(dict.fromkeys(["", *(column.get("timeShift", "") for column in columns)]))

    def step(self, column: Column) -> int:
        """Seconds of a step of a dimension that is time."""
        return self.scope.span.step(str(column["params"]["interval"]))

    @property
    def dimensions(self) -> list[tuple[str, Column]]:
        """Columns by whose values documents are told apart, the outermost first."""
        columns = self.layer["columns"]
        return [(key, columns[key]) for key in self.layer["columnOrder"] if columns[key]["isBucketed"]]

    @property
    def fields(self) -> set[str]:
        """Fields that are asked for."""
        columns = self.layer["columns"].values()
        named = {column["sourceField"] for column in columns if column.get("sourceField", RECORDS) != RECORDS}
        filters = (kql.parse(column["filter"]["query"]) for column in columns if "filter" in column)
        return {*self.scope.fields, *named, *(name for node in filters for name in kql.fields(node))}

    def measures(self, by: str) -> Iterator[tuple[str, Column]]:
        """Columns that are numbers of documents, of one shift."""
        for key, column in self.layer["columns"].items():
            if not column["isBucketed"] and column["operationType"] not in _MADE and column.get("timeShift", "") == by:
                yield key, column

    def together(self, parts: Mapping[str, Sequence[Row]]) -> list[Row]:
        """Rows of column id -> value.

        Args:
            parts: By shift, the rows with its measures; those of now say which there are.
        """
        keys = [key for key, _ in self.dimensions]
        # What another time has nothing of stays empty.
        nothing = dict.fromkeys(key for by in self.shifts for key, _ in self.measures(by))
        found: dict[tuple[Any, ...], Row] = {}
        for by, rows in parts.items():
            for row in rows:
                place = tuple(row[key] for key in keys)
                if not by or place in found:
                    found.setdefault(place, {**nothing}).update(row)
        for row in found.values():
            self._calculate(row)
        return list(found.values())

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
