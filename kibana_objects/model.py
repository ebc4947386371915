"""What a dashboard says, without a word of how Kibana stores it; :mod:`kibana_objects.lens` and others write it down.

A panel asks one data view: measures, over dimensions, of the documents that its filter lets pass. Filters are KQL
(https://www.elastic.co/docs/explore-analyze/query-filter/languages/kql).
"""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import Literal

Format = Literal["number", "whole", "percent", "seconds", "date", "nanoseconds"]
Colour = Literal["good", "warning", "bad", "neutral"]
Operation = Literal["count", "unique_count", "sum", "average", "min", "max", "median", "percentile", "last_value"]
SeriesType = Literal["line", "area", "area_stacked", "bar", "bar_stacked", "bar_percentage_stacked", "bar_horizontal"]
Sort = tuple[tuple[str, Literal["asc", "desc"]], ...]
Drill = str
"""``documents``: the very documents, in Discover; else the id of a dashboard."""


@dataclass(frozen=True, slots=True)
class Measure:
    """A number of a set of documents.

    Attributes:
        label: What it is called.
        operation: How it is made; ``count`` counts documents.
        of: The field; none for ``count``.
        where: KQL, in addition to the panel's.
        percentile: Which, for that operation.
        format: How it is shown.
        shift: The same so long ago, such as ``1w``.
    """

    label: str
    operation: Operation = "count"
    of: str = ""
    where: str = ""
    percentile: int = 95
    format: Format = "number"
    shift: str = ""


@dataclass(frozen=True, slots=True)
class Ratio:
    """One number over another; empty where the lower one is 0."""

    label: str
    top: Measure
    bottom: Measure
    format: Format = "percent"


@dataclass(frozen=True, slots=True)
class Terms:
    """The greatest values of a field.

    Attributes:
        label: What they are called.
        of: The field.
        size: How many of them.
        by: Which measure of the panel orders them: its place; None orders them by their names.
        other: Whether what is left is shown as one.
        ascending: Smallest first.
    """

    label: str
    of: str
    size: int = 10
    by: int | None = 0
    other: bool = False
    ascending: bool = False


@dataclass(frozen=True, slots=True)
class Time:
    """Steps of a time field.

    Attributes:
        label: What they are called.
        of: The field.
        every: The least step, such as ``1d``; empty: an hour of windows, else what fits the time that is shown.
    """

    label: str = "time"
    of: str = "@timestamp"
    every: str = ""


Dimension = Terms | Time
Number = Measure | Ratio


@dataclass(frozen=True, slots=True, kw_only=True)
class Panel:
    """Base of all panels.

    Attributes:
        title: What it shows.
        view: Id of the data view.
        where: KQL.
        width: Of 48 columns.
        drill: Where a click leads.
    """

    title: str
    view: str = ""
    where: str = ""
    width: int = 24
    drill: tuple[Drill, ...] = ()


@dataclass(frozen=True, slots=True, kw_only=True)
class Figure(Panel):
    """One number, large.

    Attributes:
        measure: Which.
        steps: Least value -> colour, ascending.
    """

    measure: Number
    steps: tuple[tuple[float, Colour], ...] = ()
    width: int = 8


@dataclass(frozen=True, slots=True, kw_only=True)
class Chart(Panel):
    """Numbers along a dimension.

    Attributes:
        measures: What is drawn.
        x: Along what.
        split: A series for each of its values.
        series: How it is drawn.
        lines: Thresholds: (label, value, colour).
        annotated: Whether deployments are marked, on a time axis.
        fit: Whether the axis is as high as the numbers, and not from 0 up: for those that are far from it. Of lines
            those are seen that the numbers come near.
    """

    measures: tuple[Number, ...]
    x: Dimension = field(default_factory=Time)
    split: Terms | None = None
    series: SeriesType = "line"
    lines: tuple[tuple[str, float, Colour], ...] = ()
    annotated: bool = True
    fit: bool = False


@dataclass(frozen=True, slots=True, kw_only=True)
class Table(Panel):
    """A row for each value of the dimensions, numbers as columns; the first measure orders them."""

    rows: tuple[Dimension, ...]
    measures: tuple[Number, ...]
    size: int = 10


@dataclass(frozen=True, slots=True, kw_only=True)
class Heat(Panel):
    """A cell for each pair of values, coloured by a number."""

    x: Dimension
    y: Terms
    measure: Number


@dataclass(frozen=True, slots=True, kw_only=True)
class Cloud(Panel):
    """Values, as large as their number."""

    tags: Terms
    measure: Number


@dataclass(frozen=True, slots=True, kw_only=True)
class Share(Panel):
    """Parts of a whole."""

    slices: Terms
    measure: Number


@dataclass(frozen=True, slots=True, kw_only=True)
class Documents(Panel):
    """The documents of a saved search."""

    search: str
    width: int = 48


@dataclass(frozen=True, slots=True)
class Row:
    """Panels side by side, of one height; their widths make 48."""

    height: int
    panels: tuple[Panel, ...]


@dataclass(frozen=True, slots=True)
class Control:
    """A choice at the top of a dashboard: values of a keyword."""

    title: str
    view: str
    of: str


@dataclass(frozen=True, slots=True)
class Dashboard:
    """A page.

    Attributes:
        id: Of the saved object; never changes.
        title: What it is called.
        story: One sentence: what somebody who is on call sees in it.
        rows: From top to bottom.
        controls: Choices.
        place: In the links between dashboards.
        span: What time it shows at first.
        where: KQL for all of its panels.
    """

    id: str
    title: str
    story: str
    rows: tuple[Row, ...]
    controls: tuple[Control, ...]
    place: int
    span: str = "now-7d"
    where: str = ""

    @property
    def panels(self) -> tuple[Panel, ...]:
        """All of them, from top to bottom and left to right."""
        return tuple(panel for row in self.rows for panel in row.panels)


@dataclass(frozen=True, slots=True)
class Search:
    """A saved search: a list of documents.

    Attributes:
        id: Of the saved object.
        title: What it is called.
        story: What it is for.
        view: Id of the data view.
        columns: Fields that are shown.
        where: KQL.
        sort: Fields and which way each goes.
    """

    id: str
    title: str
    story: str
    view: str
    columns: tuple[str, ...]
    where: str = ""
    sort: Sort = (("@timestamp", "desc"),)


@dataclass(frozen=True, slots=True)
class Rule:
    """A rule of Kibana's own alerting, of types that a Basic licence has.

    Attributes:
        id: Of the saved object.
        name: What it is called.
        index: Where it looks.
        time: The time field.
        query: Elasticsearch's query.
        minutes: Documents of so many minutes.
        above: Met where more than so many match; None: met where fewer than :attr:`below` do.
        below: See there.
        group: Counted for each value of this field alone.
        message: What is told, in Mustache.
        every: How often it looks.
    """

    id: str
    name: str
    index: str
    time: str
    query: dict[str, object]
    minutes: int
    message: str
    above: int | None = None
    below: int | None = None
    group: str = ""
    every: str = "5m"
