"""Dashboards as bodies of ``PUT /api/dashboards/<id>``, which Kibana 9.5 and later check as they take them.

https://www.elastic.co/docs/api/doc/kibana/group/endpoint-dashboards. Formulas need no parts there, and nothing is JSON
within JSON. Links between dashboards are left to drill-downs; data views and searches are imported before.
"""

from __future__ import annotations

from typing import Any, Final

from kibana_objects.columns import LEAST_STEPS, spelt
from kibana_objects.lens import COLOURS, DEPLOYED
from kibana_objects.model import (
    Chart,
    Cloud,
    Control,
    Dashboard,
    Dimension,
    Documents,
    Figure,
    Format,
    Heat,
    Measure,
    Number,
    Panel,
    Share,
    Table,
    Time,
)
from kibana_objects.objects import TAG, drill_name

Json = dict[str, Any]

_FORMATS: Final[dict[Format, Json | None]] = {
    "number": {"type": "number", "decimals": 3},
    "whole": {"type": "number", "decimals": 0},
    "percent": {"type": "percent", "decimals": 1},
    "seconds": {"type": "number", "decimals": 3, "suffix": " s"},
    "nanoseconds": {"type": "duration", "from": "nanoseconds", "to": "humanizePrecise"},
    "date": None,
}
_NULLABLE: Final = frozenset({"count", "unique_count", "sum"})
"""Operations that may be shown as 0 or as nothing."""


def body(described: Dashboard) -> Json:
    """The body of a dashboard."""
    panels = []
    top = 0
    for row in described.rows:
        left = 0
        for panel in row.panels:
            grid = {"x": left, "y": top, "w": panel.width, "h": row.height}
            panels.append({"type": _kind(panel), "grid": grid, "config": _config(panel)})
            left += panel.width
        top += row.height
    return {
        "title": described.title,
        "description": described.story,
        "panels": panels,
        "pinned_panels": [_control(control) for control in described.controls],
        "options": {"use_margins": True, "sync_cursor": True, "sync_colors": False, "sync_tooltips": False},
        "query": {"expression": described.where, "language": "kql"},
        "time_range": {"from": described.span, "to": "now"},
        "refresh_interval": {"pause": True, "value": 60000},
        "tags": [TAG],
    }


def _kind(panel: Panel) -> str:
    return "discover_session" if isinstance(panel, Documents) else "vis"


def _control(control: Control) -> Json:
    config = {
        "data_view_id": control.view,
        "field_name": control.of,
        "title": control.title,
        "search_technique": "wildcard",
        "sort": {"by": "_count", "direction": "desc"},
    }
    return {"type": "options_list_control", "grow": True, "width": "medium", "config": config}


def _config(panel: Panel) -> Json:
    if isinstance(panel, Documents):
        return {"title": panel.title, "ref_id": panel.search}
    config: Json = {"title": panel.title, **_drawn(panel)}
    if panel.where:
        config["query"] = _kql(panel.where)
    if panel.drill:
        config["drilldowns"] = [_drilldown(target) for target in panel.drill]
    return config


def _drawn(panel: Panel) -> Json:
    match panel:
        case Figure():
            first = {"type": "primary", **_measure(panel.measure)}
            if panel.steps:
                first["color"] = _steps(panel)
            return {"type": "metric", **_source(panel), "metrics": [first]}
        case Chart():
            axis = {"axis": {"y": {"domain": {"type": "fit"}}}} if panel.fit else {}
            return {"type": "xy", "layers": _layers(panel), **axis}
        case Table():
            return {
                "type": "data_table",
                **_source(panel),
                "rows": [_dimension(what) for what in panel.rows],
                "metrics": [_measure(what) for what in panel.measures],
                "paging": panel.size,
                "sort_by": {"column_type": "metric", "index": 0, "direction": "desc"},
            }
        case Heat():
            return {
                "type": "heatmap",
                **_source(panel),
                "x": _dimension(panel.x, panel.view),
                "y": _dimension(panel.y),
                "metric": _measure(panel.measure),
            }
        case Cloud():
            return {
                "type": "tag_cloud",
                **_source(panel),
                "tag_by": _dimension(panel.tags),
                "metric": _measure(panel.measure),
            }
        case Share():
            return {
                "type": "pie",
                **_source(panel),
                "donut_hole": "m",
                "group_by": [_dimension(panel.slices)],
                "metrics": [_measure(panel.measure)],
            }
        case _:
            raise TypeError(f"{type(panel).__name__} {panel.title!r} has no body")


def _source(panel: Panel) -> Json:
    return {"data_source": {"type": "data_view_reference", "ref_id": panel.view}}


def _layers(panel: Chart) -> list[Json]:
    kind = panel.series.replace("percentage_stacked", "percentage")
    data: Json = {
        "type": kind,
        **_source(panel),
        "x": _dimension(panel.x, panel.view),
        "y": [_measure(what) for what in panel.measures],
    }
    if panel.split is not None:
        data["breakdown_by"] = _dimension(panel.split)
    layers = [data]
    if panel.lines:
        thresholds = [{"operation": "static_value", "value": value, "label": label} for label, value, _ in panel.lines]
        layers.append({"type": "reference_lines", **_source(panel), "thresholds": thresholds})
    if panel.annotated and isinstance(panel.x, Time):
        event = {
            "type": "query",
            "label": "deployed",
            "time_field": "@timestamp",
            "query": _kql("event.action : deploy"),
            "text": {"visible": True, "field": "ml.model.version"},
            "extra_fields": ["ml.model.name", "ml.environment", "host.name"],
            "icon": "triangle",
        }
        source = {"type": "data_view_reference", "ref_id": DEPLOYED}
        layers.append({"type": "annotations", "data_source": source, "events": [event]})
    return layers


def _dimension(what: Dimension, view: str = "") -> Json:
    if isinstance(what, Time):
        time: Json = {"operation": "date_histogram", "field": what.of, "label": what.label, "include_empty_rows": True}
        least = what.every or LEAST_STEPS.get(view)
        return {**time, "suggested_interval": least} if least else time
    rank: Json = {"type": "alphabetical", "direction": "asc"}
    if what.by is not None:
        rank = {"type": "metric", "metric_index": what.by, "direction": "asc" if what.ascending else "desc"}
    made: Json = {
        "operation": "terms",
        "fields": [what.of],
        "label": what.label,
        "limit": what.size,
        "rank_by": rank,
    }
    if what.other:
        made["other_bucket"] = {"include_documents_without_field": False}
    return made


def _measure(what: Number) -> Json:
    shown = _FORMATS[what.format]
    made: Json = {"label": what.label, **({"format": shown} if shown else {})}
    if not isinstance(what, Measure):
        return {"operation": "formula", "formula": f"{spelt(what.top)} / {spelt(what.bottom)}", **made}
    made["operation"] = what.operation
    if what.of:
        made["field"] = what.of
    if what.operation == "percentile":
        made["percentile"] = what.percentile
    if what.operation in _NULLABLE:
        made["empty_as_null"] = what.operation != "count"
    if what.where:
        made["filter"] = _kql(what.where)
    if what.shift:
        made["time_shift"] = what.shift
    return made


def _steps(panel: Figure) -> Json:
    least = [value for value, _ in panel.steps]
    ends = [*least[1:], None]
    steps = [
        {"color": COLOURS[colour], "gte": start, **({} if end is None else {"lt": end})}
        for (start, colour), end in zip(panel.steps, ends, strict=True)
    ]
    return {"type": "dynamic", "range": "absolute", "steps": steps}


def _drilldown(target: str) -> Json:
    made: Json = {"label": drill_name(target), "trigger": "on_apply_filter"}
    if target == "documents":
        return {**made, "type": "discover_drilldown", "open_in_new_tab": True}
    return {
        **made,
        "type": "dashboard_drilldown",
        "dashboard_id": target,
        "use_filters": True,
        "use_time_range": True,
        "open_in_new_tab": False,
    }


def _kql(expression: str) -> Json:
    return {"expression": expression, "language": "kql"}
