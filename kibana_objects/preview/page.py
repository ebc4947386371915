"""Pages of HTML, one a dashboard, that need nothing but themselves."""

from __future__ import annotations

import datetime as dt
import json
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from functools import cache
from pathlib import Path
from typing import Any, Final

import jinja2

from kibana_objects.data_views import fields_of
from kibana_objects.lens import COLOURS
from kibana_objects.objects import COLUMNS
from kibana_objects.preview.asking import Answered, Source, questions
from kibana_objects.preview.drawing import INK, specification
from kibana_objects.preview.values import dotted, in_unit, shown
from kibana_objects.queries import Asked, Span
from mllog.fields import Field
from mllog.files import replace

UNIT: Final = 20
"""Pixels of a row of the grid, as in Kibana."""

WIDTH: Final = 1600
_MARGIN: Final = 8
_TITLE: Final = 26
_ROW: Final = 21
"""Pixels of a row of a table."""
_WORDS: Final = (11, 34)
"""Least and greatest size of a word in a cloud, pixels."""

Json = Mapping[str, Any]


@dataclass(frozen=True, slots=True)
class Page:
    """What was written.

    Attributes:
        file: Where.
        panels: How many show something of documents.
        empty: Titles of those for which there was nothing.
        queries: Searches that they took.
        rows: What was answered: buckets of layers that have a number, and documents.
    """

    file: Path
    panels: int
    empty: tuple[str, ...]
    queries: int
    rows: int


def write_pages(
    objects: Sequence[Json],
    source: Source,
    span: Span,
    folder: Path,
    *,
    where: str = "",
    tell: Callable[[str, int, int], None] = lambda *_: None,
) -> list[Page]:
    """Write a page for each dashboard.

    Args:
        objects: Saved objects that go together.
        source: Who answers their queries.
        span: What time they show.
        folder: Where the pages go.
        where: KQL of whoever looks, such as a chosen model.
        tell: Told of (what is done, steps done, steps to do).

    Raises:
        StoreError: The source can't answer.
        SettingError: A filter can't be read.
        OSError: The disk refuses.
    """
    folder.mkdir(parents=True, exist_ok=True)
    dashboards = [one for one in objects if one["type"] == "dashboard"]
    links = [(f"{one['id']}.html", one["attributes"]["title"].removeprefix("[mllog] ")) for one in dashboards]
    asked = [questions(one, objects, span, where=where) for one in dashboards]
    tell("read the documents", 0, 1)
    source.prepare(question for page in asked for question in page)
    tell("read the documents", 1, 1)
    written = []
    for number, (one, page) in enumerate(zip(dashboards, asked, strict=True)):
        tell("draw the dashboards", number, len(dashboards))
        answered = [question.answered(source) for question in page]
        file = folder / f"{one['id']}.html"
        replace(file, _page(one, answered, links, span, where).encode(), sync=False)
        written.append(_counted(file, answered))
    tell("draw the dashboards", len(dashboards), len(dashboards))
    return written


def _counted(file: Path, answered: Sequence[Answered]) -> Page:
    asking = [one for one in answered if any(one.question.asks)]
    return Page(
        file,
        len(asking),
        tuple(str(one.panel["embeddableConfig"].get("title", "")) for one in asking if one.is_empty),
        sum(len(each.shifts) if isinstance(each, Asked) else 1 for one in asking for each in one.question.asks),
        sum(one.found + len(one.marks) + len(one.hits) for one in asking),
    )


def _page(one: Json, answered: Sequence[Answered], links: Sequence[tuple[str, str]], span: Span, where: str) -> str:
    held = one["attributes"]
    controls = json.loads(held["controlGroupInput"]["panelsJSON"])
    # The links between dashboards stand at the top of the page.
    top = max((_end(each) for each in answered if each.panel["type"] == "links"), default=0)
    panels = [_panel(each, top) for each in answered if each.panel["type"] != "links"]
    height = max(map(_end, answered), default=0) - top
    return _template().render(
        title=held["title"],
        story=held["description"],
        links=links,
        here=f"{one['id']}.html",
        controls=[control["explicitInput"]["title"] for control in controls.values()],
        panels=panels,
        height=height * UNIT,
        width=WIDTH,
        span=" to ".join(f"{at.astimezone(dt.UTC):%d %b %Y %H:%M}" for at in (span.start, span.end)) + " UTC",
        where=where,
    )


@cache
def _template() -> jinja2.Template:
    loader = jinja2.PackageLoader("kibana_objects", "preview")
    environment = jinja2.Environment(loader=loader, autoescape=True, undefined=jinja2.StrictUndefined)
    return environment.get_template("page.html.j2")


def _end(answered: Answered) -> int:
    """The row of the grid at which a panel ends."""
    grid = answered.panel["gridData"]
    return int(grid["y"] + grid["h"])


def _panel(answered: Answered, top: int) -> dict[str, Any]:
    grid = answered.panel["gridData"]
    width, height = WIDTH * grid["w"] // COLUMNS - _MARGIN, grid["h"] * UNIT - _MARGIN
    held: dict[str, Any] = {
        "key": answered.panel["panelIndex"],
        "title": answered.panel["embeddableConfig"].get("title", ""),
        "x": WIDTH * grid["x"] // COLUMNS,
        "y": (grid["y"] - top) * UNIT,
        "width": width,
        "height": height,
        "empty": answered.is_empty,
        "kind": "documents" if answered.panel["type"] == "search" else "chart",
        "svg": "",
    }
    if answered.panel["type"] == "search":
        wanted = answered.question.list
        fields = {field.name: field for field in fields_of(wanted.scope.view)} if wanted is not None else {}
        rows = [[_cell(dotted(hit, name), fields.get(name)) for name in answered.columns] for hit in answered.hits]
        return _fitting({**held, "columns": answered.columns, "rows": rows})
    if answered.is_empty and held["kind"] != "documents":
        kind = answered.panel["embeddableConfig"]["attributes"]["visualizationType"]
        if kind != "lnsMetric":
            return held
    spec = specification(answered, width - 16, height - _TITLE - 10)
    return _fitting({**held, **(_drawn(spec) if spec is not None else _written(answered))})


def _fitting(held: dict[str, Any]) -> dict[str, Any]:
    """A table with the rows that there is room for; how many are left out is said, where Kibana has pages."""
    rows = held.get("rows")
    room = (held["height"] - _TITLE) // _ROW - 1
    if rows is None or len(rows) <= room:
        return held
    # Of documents only the newest were asked for.
    more = "older ones" if held["kind"] == "documents" else f"{len(rows) - room + 1} more"
    return {**held, "rows": rows[: room - 1], "more": more}


def _drawn(spec: Mapping[str, Any]) -> dict[str, Any]:
    import vl_convert  # noqa: PLC0415 - it takes a while to load

    return {"svg": vl_convert.vegalite_to_svg(dict(spec))}


def _written(answered: Answered) -> dict[str, Any]:
    """A number, a table or a cloud of words, as text."""
    lens = answered.panel["embeddableConfig"]["attributes"]
    state = lens["state"]["visualization"]
    key = state["layerId"]
    columns = lens["state"]["datasourceStates"]["formBased"]["layers"][key]["columns"]
    rows = answered.layers[key]
    if lens["visualizationType"] == "lnsMetric":
        accessor = state["metricAccessor"]
        value = rows[0][accessor] if rows else None
        return {
            "kind": "figure",
            "label": columns[accessor]["label"],
            "value": shown(value, columns[accessor]),
            "colour": _colour(value, state.get("palette")),
            "ink": INK if _colour(value, state.get("palette")) == COLOURS["warning"] else "#fff",
        }
    if lens["visualizationType"] == "lnsTagcloud":
        words = [(str(row[state["tagAccessor"]]), float(row[state["valueAccessor"]] or 0)) for row in rows]
        most = max((count for _, count in words), default=1.0) or 1.0
        least, greatest = _WORDS
        return {
            "kind": "cloud",
            "words": [(word, round(least + (greatest - least) * (count / most) ** 0.5), f"{count:,.0f}")
                      for word, count in words],
        }  # fmt: skip
    names = [one["columnId"] for one in state["columns"]]
    by = state["sorting"]
    ordered = sorted(
        rows, key=lambda row: (row[by["columnId"]] is not None, row[by["columnId"]] or 0),
        reverse=by["direction"] == "desc",
    )  # fmt: skip
    return {
        "kind": "table",
        "columns": [columns[name]["label"] for name in names],
        "rows": [[shown(row[name], columns[name]) for name in names] for row in ordered],
        "numbers": [not columns[name]["isBucketed"] for name in names],
    }


def _colour(value: Any, palette: Json | None) -> str:
    """Of a number, by its palette."""
    if palette is None or not isinstance(value, int | float):
        return ""
    stops = palette["params"]["colorStops"]
    return next((str(one["color"]) for one in reversed(stops) if value >= one["stop"]), "")


def _cell(value: Any, field: Field | None) -> str:
    """A value of a document; field: None for one of a map."""
    if value is None:
        return "-"
    if isinstance(value, list):
        text = ", ".join(_cell(each, field) for each in value)
    elif field is not None and field.type == "date":
        text = shown(dt.datetime.fromisoformat(str(value)).astimezone(dt.UTC), {})
    elif field is not None and field.unit:
        text = in_unit(value, field.unit)
    else:
        text = f"{value:.4g}" if isinstance(value, float) else str(value)
    return f"{text[:117]}..." if len(text) > 120 else text
