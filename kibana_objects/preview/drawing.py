"""Panels as Vega-Lite (https://vega.github.io/vega-lite/docs/), which is what is left of Lens without Kibana."""

from __future__ import annotations

import datetime as dt
from collections.abc import Iterator, Mapping, Sequence
from typing import Any, Final

from kibana_objects.lens import COLOURS
from kibana_objects.model import Colour
from kibana_objects.preview.asking import Answered
from kibana_objects.preview.values import dotted
from kibana_objects.queries import Span

INK: Final = "#343741"
GRID: Final = "#e6e9ef"
SCHEME: Final = [
    "#209280", "#6092c0", "#d36086", "#9170b8", "#ca8eae", "#d6bf57", "#b9a888", "#da8b45", "#aa6556", "#e7664c",
]  # fmt: skip
MARKS: Final[dict[str, dict[str, Any]]] = {
    # Without points a number that is alone would not be seen.
    "line": {"type": "line", "strokeWidth": 1.6, "point": {"size": 10, "filled": True}},
    "area": {"type": "area", "opacity": 0.6},
    "area_stacked": {"type": "area", "opacity": 0.8},
    "bar": {"type": "bar"},
    "bar_stacked": {"type": "bar"},
    "bar_percentage_stacked": {"type": "bar"},
    "bar_horizontal": {"type": "bar"},
}
SEVERITIES: Final[dict[str, Colour]] = {"critical": "bad", "warning": "warning", "info": "neutral"}
_LEGEND: Final = 34
_CLOCK: Final = (
    "utcFormat(datum.value, utchours(datum.value) + utcminutes(datum.value) ? '%H:%M' : "
    "utcdate(datum.value) > 1 ? '%a %d' : '%d %b')"
)
"""What a mark of a time axis is called: a day at its beginning, else the time of day."""

_DAY: Final = "utcFormat(datum.value, '%d %b')"
_LONG: Final = dt.timedelta(days=14)
"""Beyond it a day of the week doesn't say which."""

_LATE: Final = 0.8
"""Share of the time after which a mark's name is written before it."""

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
        return {"format": ".2~%"}
    if held.get("id") == "duration":
        return {"labelExpr": "format(datum.value / 1e6, '~s') + ' ms'"}
    suffix = held.get("params", {}).get("suffix", "")
    # Thousandths by their prefix are nothing that people read.
    number = "(abs(datum.value) < 1 ? format(datum.value, '.3~f') : format(datum.value, '~s'))"
    return {"labelExpr": f"{number} + '{suffix}'"}


def _points(answered: Answered, part: Mapping[str, Any], layer: Mapping[str, Any]) -> Iterator[Json]:
    columns = layer["columns"]
    split = part.get("splitAccessor")
    for row in answered.layers[part["layerId"]]:
        for accessor in part["accessors"]:
            name = str(row[split]) if split else columns[accessor]["label"]
            yield {"x": row[part["xAccessor"]], "y": row.get(accessor), "series": name}


def _chart(answered: Answered, state: Mapping[str, Any], layers: Mapping[str, Any]) -> Spec:
    drawn: list[Spec] = []
    for part in state["layers"]:
        if part["layerType"] == "data":
            drawn.append(_series(answered, part, layers[part["layerId"]], state))
        elif part["layerType"] == "referenceLine":
            drawn += _lines(answered, part, layers[part["layerId"]], fit=_is_fit(state))
    if answered.marks:
        drawn += _marks(answered.marks, answered.span)
    return {"layer": drawn}


def _series(answered: Answered, part: Mapping[str, Any], layer: Mapping[str, Any], state: Mapping[str, Any]) -> Spec:
    columns = layer["columns"]
    kind = part["seriesType"]
    times = columns[part["xAccessor"]]["operationType"] == "date_histogram"
    legend = state["legend"]["isVisible"]
    points = list(_points(answered, part, layer))
    names = list(dict.fromkeys(point["series"] for point in points))
    encoding: Json = {
        "x": _time_axis(answered.span)
        if times
        else {"field": "x", "type": "nominal", "title": None, "sort": None, "axis": {"labelAngle": -35}},
        "y": _height(kind, columns[part["accessors"][0]], points, fit=_is_fit(state)),
        "color": _colours(names, legend=legend),
    }
    mark = MARKS[kind]
    if mark["type"] == "bar" and times:
        # Bars from time to time: what is stacked or beside each other there nobody can work out but we.
        points = list(_boxes(points, names, kind, _step(answered, part["layerId"])))
        encoding |= {"x2": {"field": "x2"}, "y2": {"field": "y2"}}
        encoding["y"] |= {"stack": None}
        mark = {"type": "rect"}
    elif kind == "bar":
        encoding["xOffset"] = {"field": "series", "sort": names}
    return {"data": {"values": [_spelt(point) for point in points]}, "mark": mark, "encoding": encoding}


def _is_fit(state: Mapping[str, Any]) -> bool:
    return bool(state.get("yLeftExtent", {}).get("mode") == "dataBounds")


def _height(kind: str, column: Mapping[str, Any], points: Sequence[Json], *, fit: bool) -> Json:
    y: Json = {"field": "y", "type": "quantitative", "title": None, "axis": _format(column), "stack": None}
    if "stacked" in kind:
        y["stack"] = "zero"
    if "percentage" in kind:
        return {**y, "stack": "normalize", "axis": {"format": ".0%"}}
    if fit:
        return {**y, "scale": {"zero": False}}
    # An axis of zeros alone would have its zero in the middle.
    return y if any(point["y"] for point in points) else {**y, "scale": {"domain": [0, 1]}}


def _colours(names: Sequence[str], *, legend: bool) -> Json:
    """A colour for each series, that of its severity where it is one."""
    said = {name: COLOURS[SEVERITIES[name]] for name in names if name in SEVERITIES}
    beside = {"orient": "right"} if legend else None
    colour: Json = {"field": "series", "type": "nominal", "title": None, "sort": names, "legend": beside}
    if said:
        colour["scale"] = {"domain": names, "range": [said.get(name, SCHEME[1]) for name in names]}
    return colour


def _step(answered: Answered, layer: str) -> dt.timedelta:
    """Of the time axis of a layer."""
    asked = answered.question.layers[layer]
    return next(
        dt.timedelta(seconds=asked.step(column))
        for _, column in asked.dimensions
        if column["operationType"] == "date_histogram"
    )


def _boxes(points: Sequence[Json], names: Sequence[str], kind: str, step: dt.timedelta) -> Iterator[Json]:
    """Bars of a time axis by their corners: on each other where they are stacked, else beside each other."""
    heights: dict[dt.datetime, float] = {}
    totals: dict[dt.datetime, float] = {}
    for point in points:
        totals[point["x"]] = totals.get(point["x"], 0.0) + (point["y"] or 0.0)
    for point in points:
        start, value = point["x"], point["y"] or 0.0
        box = {**point, "x2": start + step, "y": value, "y2": 0.0}
        if "stacked" in kind:
            whole = (totals[start] or 1.0) if "percentage" in kind else 1.0
            below = heights.get(start, 0.0)
            heights[start] = below + value
            box |= {"y": heights[start] / whole, "y2": below / whole}
        elif len(names) > 1:
            place = names.index(point["series"])
            box |= {"x": start + step * place / len(names), "x2": start + step * (place + 1) / len(names)}
        if value:
            yield box


def _spelt(point: Json) -> Json:
    return {key: value.isoformat() if isinstance(value, dt.datetime) else value for key, value in point.items()}


def _time_axis(span: Span) -> Json:
    """All of the dashboard's time, in UTC, so that what happened at once stands below each other."""
    ends = [span.start.astimezone(dt.UTC).isoformat(), span.end.astimezone(dt.UTC).isoformat()]
    scale = {"type": "utc", "domain": ends, "clamp": True}
    axis = {
        "grid": False,
        "labelOverlap": "greedy",
        "labelSeparation": 8,
        "labelExpr": _DAY if span.end - span.start > _LONG else _CLOCK,
    }
    return {"field": "x", "type": "temporal", "title": None, "axis": axis, "scale": scale}


def _lines(answered: Answered, part: Mapping[str, Any], layer: Mapping[str, Any], *, fit: bool) -> Iterator[Spec]:
    numbers = [value for rows in answered.layers.values() for row in rows for value in row.values()]
    known = [value for value in numbers if isinstance(value, int | float)]
    for one in part["yConfig"]:
        column = layer["columns"][one["forAccessor"]]
        if fit and not min(known, default=0) <= float(column["params"]["value"]) <= max(known, default=0):
            continue  # beyond an axis that is as high as the numbers
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


def _marks(marks: Sequence[Mapping[str, Any]], span: Span) -> Iterator[Spec]:
    """Deployments: a line each, with the version that was deployed, on the side where there is room."""
    late = span.start + (span.end - span.start) * _LATE
    values = [
        {
            "x": mark["@timestamp"],
            "label": str(dotted(mark, "ml.model.version") or ""),
            "side": "left" if dt.datetime.fromisoformat(mark["@timestamp"]) > late else "right",
        }
        for mark in marks
    ]
    x = {"field": "x", "type": "temporal"}
    yield {
        "data": {"values": values},
        "mark": {"type": "rule", "color": COLOURS["neutral"], "strokeDash": [2, 2], "opacity": 0.7},
        "encoding": {"x": x},
    }
    for side, align, shift in (("left", "right", -3), ("right", "left", 3)):
        yield {
            "data": {"values": [value for value in values if value["side"] == side]},
            "mark": {"type": "text", "align": align, "dx": shift, "fontSize": 8, "color": COLOURS["neutral"], "y": 4},
            "encoding": {"x": x, "text": {"field": "label"}},
        }


def _heat(answered: Answered, state: Mapping[str, Any], layers: Mapping[str, Any]) -> Spec:
    rows = answered.layers[state["layerId"]]
    columns = layers[state["layerId"]]["columns"]
    x, y, value = (state[f"{axis}Accessor"] for axis in ("x", "y", "value"))
    step = _step(answered, state["layerId"])
    values = [
        _spelt({"x": row[x], "x2": row[x] + step, "y": row[y], "value": row[value]})
        for row in rows
        if row[value] is not None
    ]
    return {
        "data": {"values": values},
        "mark": "rect",
        "encoding": {
            "x": _time_axis(answered.span),
            "x2": {"field": "x2"},
            "y": {"field": "y", "type": "nominal", "title": None, "axis": {"labelOverlap": "greedy"}},
            "color": {
                "field": "value",
                "type": "quantitative",
                "title": None,
                "scale": {"range": ["#eef2f7", "#d6bf57", COLOURS["bad"]], "interpolate": "rgb", "domainMin": 0},
                "legend": {**_format(columns[value]), "gradientLength": 3 * _LEGEND},
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
