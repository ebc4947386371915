"""Panels as Vega-Lite (https://vega.github.io/vega-lite/docs/), which is what is left of Lens without Kibana."""

from __future__ import annotations

import datetime as dt
from collections.abc import Iterator, Mapping, Sequence
from itertools import pairwise
from typing import Any, Final

from kibana_objects.lens import COLOURS
from kibana_objects.model import Colour
from kibana_objects.preview.asking import Answered
from kibana_objects.preview.values import dotted

INK: Final = "#343741"
GRID: Final = "#e6e9ef"
SCHEME: Final = [
    "#209280", "#6092c0", "#d36086", "#9170b8", "#ca8eae", "#d6bf57", "#b9a888", "#da8b45", "#aa6556", "#e7664c",
]  # fmt: skip
MARKS: Final[dict[str, dict[str, Any]]] = {
    "line": {"type": "line", "strokeWidth": 1.6},
    "area": {"type": "area", "opacity": 0.6},
    "area_stacked": {"type": "area", "opacity": 0.8},
    "bar": {"type": "bar"},
    "bar_stacked": {"type": "bar"},
    "bar_percentage_stacked": {"type": "bar"},
    "bar_horizontal": {"type": "bar"},
}
SEVERITIES: Final[dict[str, Colour]] = {"critical": "bad", "warning": "warning", "info": "neutral"}
_LEGEND: Final = 34

Json = dict[str, Any]
Spec = dict[str, Any]


def specification(answered: Answered, width: int, height: int) -> Spec | None:
    """A panel as Vega-Lite; None where it is a number, a table or a cloud of words, which are drawn as text.

    Args:
        answered: The panel with its rows.
        width: Pixels that there are.
        height: The same.
    """
    lens = answered.panel["embeddableConfig"]["attributes"]
    drawn = {"lnsXY": _chart, "lnsHeatmap": _heat, "lnsPie": _share}.get(lens["visualizationType"])
    if drawn is None or answered.is_empty:
        return None
    state = lens["state"]
    spec = drawn(answered, state["visualization"], state["datasourceStates"]["formBased"]["layers"])
    return {
        "$schema": "https://vega.github.io/schema/vega-lite/v5.json",
        "width": width,
        "height": height,
        "autosize": {"type": "fit", "contains": "padding"},
        "background": "transparent",
        "config": _config(),
        **spec,
    }


def _config() -> Json:
    text = {"labelColor": INK, "titleColor": INK, "labelFont": "sans-serif", "labelFontSize": 10, "titleFontSize": 10}
    return {
        "axis": {**text, "gridColor": GRID, "domainColor": GRID, "tickColor": GRID, "labelLimit": 150},
        "legend": {**text, "labelLimit": 130, "symbolSize": 60},
        "view": {"stroke": None},
        "range": {"category": SCHEME},
    }


def _format(column: Mapping[str, Any]) -> Json:
    """An axis by the format of what is on it."""
    held = (column.get("params") or {}).get("format") or {}
    if held.get("id") == "percent":
        return {"format": ".1%"}
    if held.get("id") == "duration":
        return {"labelExpr": "format(datum.value / 1e6, '~s') + ' ms'"}
    suffix = held.get("params", {}).get("suffix", "")
    return {"labelExpr": f"format(datum.value, '~s') + '{suffix}'"} if suffix else {"format": "~s"}


def _points(answered: Answered, part: Mapping[str, Any], layer: Mapping[str, Any]) -> Iterator[Json]:
    columns = layer["columns"]
    split = part.get("splitAccessor")
    for row in answered.layers[part["layerId"]]:
        for accessor in part["accessors"]:
            x = row[part["xAccessor"]]
            label = columns[accessor]["label"]
            name = str(row[split]) if split else label
            yield {"x": x.isoformat() if isinstance(x, dt.datetime) else x, "y": row.get(accessor), "series": name}


def _chart(answered: Answered, state: Mapping[str, Any], layers: Mapping[str, Any]) -> Spec:
    drawn: list[Spec] = []
    for part in state["layers"]:
        if part["layerType"] == "data":
            drawn.append(_series(answered, part, layers[part["layerId"]]))
        elif part["layerType"] == "referenceLine":
            drawn += _lines(part, layers[part["layerId"]])
    if answered.marks:
        drawn += _marks(answered.marks)
    return {"layer": drawn}


def _series(answered: Answered, part: Mapping[str, Any], layer: Mapping[str, Any]) -> Spec:
    columns = layer["columns"]
    kind = part["seriesType"]
    times = columns[part["xAccessor"]]["operationType"] == "date_histogram"
    first = columns[part["accessors"][0]]
    points = list(_points(answered, part, layer))
    names = list(dict.fromkeys(point["series"] for point in points))
    said = {name: COLOURS[SEVERITIES[name]] for name in names if name in SEVERITIES}
    y: Json = {"field": "y", "type": "quantitative", "title": None, "axis": _format(first), "stack": None}
    if "stacked" in kind:
        y["stack"] = "normalize" if "percentage" in kind else "zero"
        if "percentage" in kind:
            y["axis"] = {"format": ".0%"}
    encoding: Json = {
        "x": {"field": "x", "type": "temporal", "title": None, "axis": {"grid": False}}
        if times
        else {"field": "x", "type": "nominal", "title": None, "sort": None, "axis": {"labelAngle": -35}},
        "y": y,
        "color": {
            "field": "series",
            "type": "nominal",
            "title": None,
            "sort": names,
            "legend": {"orient": "right"} if len(names) > 1 else None,
            **({"scale": {"domain": names, "range": [said.get(name, SCHEME[1]) for name in names]}} if said else {}),
        },
    }
    mark = dict(MARKS[kind])
    if kind == "bar" and not times:
        encoding["xOffset"] = {"field": "series", "sort": names}
    if mark["type"] == "bar" and times:
        mark["width"] = {"band": 0.9}
        encoding["x"] |= {"timeUnit": _unit(points)}
    return {"data": {"values": points}, "mark": mark, "encoding": encoding}


def _unit(points: Sequence[Json]) -> str:
    """The step of a time axis, by which bars are as wide as they may be."""
    times = sorted({dt.datetime.fromisoformat(point["x"]) for point in points})
    step = min(((b - a).total_seconds() for a, b in pairwise(times)), default=3600.0)
    if step >= 86_400:
        return "utcyearmonthdate"
    return "utcyearmonthdatehours" if step >= 3600 else "utcyearmonthdatehoursminutes"


def _lines(part: Mapping[str, Any], layer: Mapping[str, Any]) -> Iterator[Spec]:
    for one in part["yConfig"]:
        column = layer["columns"][one["forAccessor"]]
        values = [{"at": float(column["params"]["value"]), "label": column["label"]}]
        y = {"field": "at", "type": "quantitative"}
        yield {
            "data": {"values": values},
            "mark": {"type": "rule", "color": one["color"], "strokeDash": [5, 4]},
            "encoding": {"y": y},
        }
        yield {
            "data": {"values": values},
            "mark": {"type": "text", "align": "left", "dy": -5, "fontSize": 9, "color": one["color"], "x": 4},
            "encoding": {"y": y, "text": {"field": "label"}},
        }


def _marks(marks: Sequence[Mapping[str, Any]]) -> Iterator[Spec]:
    """Deployments: a line each, with the version that was deployed."""
    values = [{"at": mark["@timestamp"], "label": str(dotted(mark, "ml.model.version") or "")} for mark in marks]
    x = {"field": "at", "type": "temporal"}
    yield {
        "data": {"values": values},
        "mark": {"type": "rule", "color": COLOURS["neutral"], "strokeDash": [2, 2], "opacity": 0.7},
        "encoding": {"x": x},
    }
    yield {
        "data": {"values": values},
        "mark": {"type": "text", "align": "left", "dx": 3, "fontSize": 8, "color": COLOURS["neutral"], "y": 4},
        "encoding": {"x": x, "text": {"field": "label"}},
    }


def _heat(answered: Answered, state: Mapping[str, Any], layers: Mapping[str, Any]) -> Spec:
    rows = answered.layers[state["layerId"]]
    columns = layers[state["layerId"]]["columns"]
    values = [
        {"x": row[state["xAccessor"]].isoformat(), "y": row[state["yAccessor"]], "value": row[state["valueAccessor"]]}
        for row in rows
        if row[state["valueAccessor"]] is not None
    ]
    return {
        "data": {"values": values},
        "mark": "rect",
        "encoding": {
            "x": {
                "field": "x",
                "type": "temporal",
                "timeUnit": _unit(values),
                "title": None,
                "axis": {"grid": False},
            },
            "y": {"field": "y", "type": "nominal", "title": None},
            "color": {
                "field": "value",
                "type": "quantitative",
                "title": None,
                "scale": {"range": ["#eef2f7", "#d6bf57", COLOURS["bad"]], "domainMin": 0},
                "legend": {**_format(columns[state["valueAccessor"]]), "gradientLength": 3 * _LEGEND},
            },
        },
    }


def _share(answered: Answered, state: Mapping[str, Any], _: Mapping[str, Any]) -> Spec:
    (part,) = state["layers"]
    (group,), (measure,) = part["primaryGroups"], part["metrics"]
    rows = answered.layers[part["layerId"]]
    values = [{"name": str(row[group]), "value": row[measure]} for row in rows]
    return {
        "data": {"values": values},
        "mark": {"type": "arc", "innerRadius": 40},
        "encoding": {
            "theta": {"field": "value", "type": "quantitative", "stack": True},
            "color": {"field": "name", "type": "nominal", "title": None, "sort": None},
            "order": {"field": "value", "sort": "descending"},
        },
    }
