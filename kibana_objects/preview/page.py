"""Pages of HTML, one a dashboard, that need nothing but themselves."""

from __future__ import annotations

import json
from collections.abc import Callable, Mapping, Sequence
from pathlib import Path
from typing import Any, Final

import jinja2

from kibana_objects.objects import COLUMNS
from kibana_objects.preview.asking import Answered, Source, ask
from kibana_objects.preview.drawing import specification
from kibana_objects.preview.values import dotted, shown
from kibana_objects.queries import Span
from mllog.files import replace

UNIT: Final = 20
"""Pixels of a row of the grid, as in Kibana."""

WIDTH: Final = 1600
_MARGIN: Final = 8
_TITLE: Final = 26
_ROWS: Final = 14
_WORDS: Final = (11, 34)
"""Least and greatest size of a word in a cloud, pixels."""

Json = Mapping[str, Any]


def write_pages(
    objects: Sequence[Json],
    source: Source,
    span: Span,
    folder: Path,
    *,
    where: str = "",
    tell: Callable[[str, int, int], None] = lambda *_: None,
) -> list[Path]:
    """Write a page for each dashboard.

    Args:
        objects: Saved objects that go together.
        source: Who answers their queries.
        span: What time they show.
        folder: Where the pages go.
        where: KQL of whoever looks, such as a chosen model.
        tell: Told of (what is done, steps done, steps to do).

    Returns:
        The files.

    Raises:
        StoreError: The source can't answer.
        SettingError: A filter can't be read.
        OSError: The disk refuses.
    """
    folder.mkdir(parents=True, exist_ok=True)
    pages = [one for one in objects if one["type"] == "dashboard"]
    links = [(f"{one['id']}.html", one["attributes"]["title"].removeprefix("[mllog] ")) for one in pages]
    written = []
    for number, one in enumerate(pages):
        tell("draw the dashboards", number, len(pages))
        answered = list(ask(one, objects, source, span, where=where))
        file = folder / f"{one['id']}.html"
        replace(file, _page(one, answered, links, span, where).encode(), sync=False)
        written.append(file)
    tell("draw the dashboards", len(pages), len(pages))
    return written


def _page(one: Json, answered: Sequence[Answered], links: Sequence[tuple[str, str]], span: Span, where: str) -> str:
    held = one["attributes"]
    controls = json.loads(held["controlGroupInput"]["panelsJSON"])
    panels = [_panel(each) for each in answered if each.panel["type"] != "links"]
    height = max((each.panel["gridData"]["y"] + each.panel["gridData"]["h"] for each in answered), default=0)
    environment = jinja2.Environment(
        loader=jinja2.PackageLoader("kibana_objects", "preview"), autoescape=True, undefined=jinja2.StrictUndefined
    )
    return environment.get_template("page.html.j2").render(
        title=held["title"],
        story=held["description"],
        links=links,
        here=f"{one['id']}.html",
        controls=[control["explicitInput"]["title"] for control in controls.values()],
        panels=panels,
        height=height * UNIT,
        width=WIDTH,
        span=f"{span.start:%d %b %Y %H:%M} to {span.end:%d %b %Y %H:%M} UTC",
        where=where,
    )


def _panel(answered: Answered) -> dict[str, Any]:
    grid = answered.panel["gridData"]
    width, height = WIDTH * grid["w"] // COLUMNS - _MARGIN, grid["h"] * UNIT - _MARGIN
    held: dict[str, Any] = {
        "key": answered.panel["panelIndex"],
        "title": answered.panel["embeddableConfig"].get("title", ""),
        "x": WIDTH * grid["x"] // COLUMNS,
        "y": grid["y"] * UNIT,
        "width": width,
        "height": height,
        "empty": answered.is_empty,
        "kind": "documents" if answered.panel["type"] == "search" else "chart",
        "svg": "",
    }
    if answered.panel["type"] == "search":
        rows = [[_cell(dotted(hit, name)) for name in answered.columns] for hit in answered.hits]
        return {**held, "columns": answered.columns, "rows": rows}
    if answered.is_empty and held["kind"] != "documents":
        kind = answered.panel["embeddableConfig"]["attributes"]["visualizationType"]
        if kind != "lnsMetric":
            return held
    spec = specification(answered, width - 16, height - _TITLE - 10)
    return {**held, **(_drawn(spec) if spec is not None else _written(answered))}


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
        "rows": [[shown(row[name], columns[name]) for name in names] for row in ordered[:_ROWS]],
        "numbers": [not columns[name]["isBucketed"] for name in names],
        "more": max(0, len(ordered) - _ROWS),
    }


def _colour(value: Any, palette: Json | None) -> str:
    """Of a number, by its palette."""
    if palette is None or not isinstance(value, int | float):
        return ""
    stops = palette["params"]["colorStops"]
    return next((str(one["color"]) for one in reversed(stops) if value >= one["stop"]), "")


def _cell(value: Any) -> str:
    if value is None:
        return "-"
    text = ", ".join(map(str, value)) if isinstance(value, list) else str(value)
    return f"{text[:117]}..." if len(text) > 120 else text
