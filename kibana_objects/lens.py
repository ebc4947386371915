"""Panels as Lens visualizations: the attributes that a dashboard holds by value.

Shape: those of Kibana 8.19, which every 9.x reads and brings up to date.
"""

from __future__ import annotations

from typing import Any, Final

from kibana_objects import columns as made
from kibana_objects.model import Chart, Cloud, Colour, Dimension, Figure, Heat, Number, Panel, Share, Table, Time

DATA: Final = "data"
LINES: Final = "lines"
DEPLOYMENTS: Final = "deployments"
"""Ids of layers; they are told apart within a panel only."""

DEPLOYED: Final = "mllog-deployments"
"""Data view of the deployments that time axes are annotated with."""

COLOURS: Final[dict[Colour, str]] = {"good": "#209280", "warning": "#d6bf57", "bad": "#cc5642", "neutral": "#6092c0"}

Json = dict[str, Any]


def attributes(panel: Panel) -> Json:
    """The attributes of a panel.

    Raises:
        TypeError: It is none that Lens draws.
    """
    writer = _WRITERS.get(type(panel))
    if writer is None:
        raise TypeError(f"{type(panel).__name__} {panel.title!r} isn't drawn by Lens")
    kind, visualization, layers, views = writer(panel)
    references = [
        {"type": "index-pattern", "id": view, "name": f"indexpattern-datasource-layer-{key}"}
        for key, view in views.items()
        if key in layers
    ]
    references += [
        {"type": "index-pattern", "id": view, "name": f"xy-visualization-layer-{key}"}
        for key, view in views.items()
        if key not in layers
    ]
    return {
        "title": "",
        "visualizationType": kind,
        "type": "lens",
        "references": references,
        "state": {
            "visualization": visualization,
            "query": {"query": panel.where, "language": "kuery"},
            "filters": [],
            "datasourceStates": {
                "formBased": {"layers": layers},
                "indexpattern": {"layers": {}},
                "textBased": {"layers": {}},
            },
            "internalReferences": [],
            "adHocDataViews": {},
        },
    }


_Written = tuple[str, Json, dict[str, Json], dict[str, str]]
"""Visualization type, its state, the layers of its data source, and the data view of each layer."""


def _columns(
    panel: Panel, dimensions: tuple[Dimension, ...], measures: tuple[Number, ...]
) -> tuple[Json, list[str], list[str]]:
    """All columns, the ids of dimensions and of measures."""
    keys = [f"m{k}" for k in range(len(measures))]
    by = [f"d{k}" for k in range(len(dimensions))]
    least = made.LEAST_STEPS.get(panel.view, "auto")
    columns: Json = {key: made.dimension(what, keys, least) for key, what in zip(by, dimensions, strict=True)}
    for key, number in zip(keys, measures, strict=True):
        columns |= made.measure(key, number)
    return columns, by, keys


def _figure(panel: Figure) -> _Written:
    columns, _, (key,) = _columns(panel, (), (panel.measure,))
    state: Json = {"layerId": DATA, "layerType": "data", "metricAccessor": key}
    if panel.steps:
        state |= {"palette": _palette(panel.steps), "applyColorTo": "background"}
    return "lnsMetric", state, {DATA: made.layer(columns)}, {DATA: panel.view}


def _palette(steps: tuple[tuple[float, Colour], ...]) -> Json:
    """Colours by value: each from its least value to the next one's."""
    least = [value for value, _ in steps]
    shades = [COLOURS[colour] for _, colour in steps]
    ends: list[float | None] = [*least[1:], None]
    return {
        "type": "palette",
        "name": "custom",
        "params": {
            "name": "custom",
            "steps": len(steps),
            "rangeType": "number",
            "rangeMin": least[0],
            "rangeMax": None,
            "continuity": "above",
            "reverse": False,
            "progression": "fixed",
            "stops": [{"color": shade, "stop": end} for shade, end in zip(shades, ends, strict=True)],
            "colorStops": [{"color": shade, "stop": start} for shade, start in zip(shades, least, strict=True)],
        },
    }


def _chart(panel: Chart) -> _Written:
    # The outermost split comes first.
    dimensions = (panel.x,) if panel.split is None else (panel.split, panel.x)
    columns, by, keys = _columns(panel, dimensions, panel.measures)
    data: Json = {
        "layerId": DATA,
        "layerType": "data",
        "accessors": keys,
        "seriesType": panel.series,
        "xAccessor": by[-1],
        "position": "top",
        "showGridlines": False,
    }
    if panel.split is not None:
        data["splitAccessor"] = by[0]
    layers, views, drawn = {DATA: made.layer(columns)}, {DATA: panel.view}, [data]
    if panel.lines:
        lines = {f"l{k}": made.threshold(label, value) for k, (label, value, _) in enumerate(panel.lines)}
        layers[LINES], views[LINES] = made.layer(lines), panel.view
        drawn.append(_lines(panel, list(lines)))
    if panel.annotated and isinstance(panel.x, Time):
        views[DEPLOYMENTS] = DEPLOYED
        drawn.append(_deployments())
    shown = {"x": False, "yLeft": False, "yRight": False}
    state: Json = {
        "preferredSeriesType": panel.series,
        "legend": {"isVisible": panel.split is not None or len(panel.measures) > 1, "position": "right"},
        "valueLabels": "hide",
        "fittingFunction": "None",
        "layers": drawn,
        "axisTitlesVisibilitySettings": shown,
        "tickLabelsVisibilitySettings": {"x": True, "yLeft": True, "yRight": True},
        "labelsOrientation": {"x": 0, "yLeft": 0, "yRight": 0},
        "gridlinesVisibilitySettings": {"x": True, "yLeft": True, "yRight": True},
    }
    if panel.fit:
        state["yLeftExtent"] = {"mode": "dataBounds"}
    return "lnsXY", state, layers, views


def _lines(panel: Chart, keys: list[str]) -> Json:
    drawn = [
        {
            "forAccessor": key,
            "axisMode": "left",
            "color": COLOURS[colour],
            "lineStyle": "dashed",
            "textVisibility": True,
            "iconPosition": "auto",
            "fill": "none",
        }
        for key, (_, _, colour) in zip(keys, panel.lines, strict=True)
    ]
    return {"layerId": LINES, "layerType": "referenceLine", "accessors": keys, "yConfig": drawn}


def _deployments() -> Json:
    """Processes that began, and packages that changed, as marks on the time axis."""
    return {
        "layerId": DEPLOYMENTS,
        "layerType": "annotations",
        "persistanceType": "byValue",
        "ignoreGlobalFilters": False,
        "annotations": [
            {
                "id": "deployed",
                "type": "query",
                "label": "deployed",
                "key": {"type": "point_in_time"},
                "timeField": "@timestamp",
                "textField": "ml.model.version",
                "extraFields": ["ml.model.name", "ml.environment", "host.name"],
                "textVisibility": True,
                "icon": "triangle",
                "color": COLOURS["neutral"],
                "filter": {"type": "kibana_query", "query": "event.action : deploy", "language": "kuery"},
            }
        ],
    }


def _table(panel: Table) -> _Written:
    columns, by, keys = _columns(panel, panel.rows, panel.measures)
    state: Json = {
        "layerId": DATA,
        "layerType": "data",
        "columns": [
            *({"columnId": key} for key in by),
            *({"columnId": key, "alignment": "right"} for key in keys),
        ],
        "sorting": {"columnId": keys[0], "direction": "desc"},
        "paging": {"size": panel.size, "enabled": True},
    }
    return "lnsDatatable", state, {DATA: made.layer(columns)}, {DATA: panel.view}


def _heat(panel: Heat) -> _Written:
    columns, (x, y), (value,) = _columns(panel, (panel.x, panel.y), (panel.measure,))
    state: Json = {
        "layerId": DATA,
        "layerType": "data",
        "shape": "heatmap",
        "xAccessor": x,
        "yAccessor": y,
        "valueAccessor": value,
        "legend": {"type": "heatmap_legend", "isVisible": True, "position": "right"},
        "gridConfig": {
            "type": "heatmap_grid",
            "isCellLabelVisible": False,
            "isYAxisLabelVisible": True,
            "isXAxisLabelVisible": True,
            "isYAxisTitleVisible": False,
            "isXAxisTitleVisible": False,
        },
    }
    return "lnsHeatmap", state, {DATA: made.layer(columns)}, {DATA: panel.view}


def _cloud(panel: Cloud) -> _Written:
    columns, (tags,), (value,) = _columns(panel, (panel.tags,), (panel.measure,))
    state: Json = {
        "layerId": DATA,
        "layerType": "data",
        "tagAccessor": tags,
        "valueAccessor": value,
        "minFontSize": 12,
        "maxFontSize": 48,
        "orientation": "single",
        "showLabel": False,
    }
    return "lnsTagcloud", state, {DATA: made.layer(columns)}, {DATA: panel.view}


def _share(panel: Share) -> _Written:
    columns, (slices,), (value,) = _columns(panel, (panel.slices,), (panel.measure,))
    layer = {
        "layerId": DATA,
        "layerType": "data",
        "primaryGroups": [slices],
        "metrics": [value],
        "numberDisplay": "percent",
        "categoryDisplay": "default",
        "legendDisplay": "default",
        "nestedLegend": False,
    }
    return "lnsPie", {"shape": "donut", "layers": [layer]}, {DATA: made.layer(columns)}, {DATA: panel.view}


_WRITERS: Final[dict[type[Panel], Any]] = {
    Figure: _figure,
    Chart: _chart,
    Table: _table,
    Heat: _heat,
    Cloud: _cloud,
    Share: _share,
}
