"""The grid: 48 columns, nothing over anything else, and what Kibana leaves out beyond its limits."""

from __future__ import annotations

import json
from collections.abc import Iterator
from itertools import combinations
from typing import Any, Final

from kibana_objects.lint.problem import Bundle, Panel, Problem, called
from kibana_objects.objects import COLUMNS

PANELS: Final = 100
CONTROLS: Final = 5
"""More than so many choices are read by nobody."""

_FACTORIES: Final = frozenset({"OPEN_IN_DISCOVER_DRILLDOWN", "DASHBOARD_TO_DASHBOARD_DRILLDOWN"})


def places(bundle: Bundle) -> Iterator[Problem]:
    """Each panel has its own place within the columns."""
    by_dashboard: dict[str, list[Panel]] = {}
    for panel in bundle.panels():
        by_dashboard.setdefault(panel.dashboard, []).append(panel)
        grid = panel.held.get("gridData", {})
        if grid.get("i") != panel.key:
            yield panel.problem(f"gridData.i is {grid.get('i')!r}, panelIndex {panel.key!r}")
        if not all(isinstance(grid.get(name), int) for name in "xywh"):
            yield panel.problem(f"gridData {dict(grid)} has no x, y, w and h")
        elif grid["x"] < 0 or grid["y"] < 0 or grid["w"] < 1 or grid["h"] < 1 or grid["x"] + grid["w"] > COLUMNS:
            yield panel.problem(f"it isn't within {COLUMNS} columns: {dict(grid)}")
    for name, panels in by_dashboard.items():
        keys = [panel.key for panel in panels]
        if len(set(keys)) < len(keys):
            yield Problem(name, "panels", "two have the same panelIndex")
        if len(panels) > PANELS:
            yield Problem(name, "panels", f"are {len(panels)}; Kibana leaves out those beyond {PANELS}")
        for one, other in combinations(panels, 2):
            if _overlap(one.held.get("gridData", {}), other.held.get("gridData", {})):
                yield one.problem(f"lies over {other.key}")


def _overlap(a: dict[str, Any], b: dict[str, Any]) -> bool:
    if not all(isinstance(grid.get(name), int) for grid in (a, b) for name in "xywh"):
        return False
    beside = a["x"] + a["w"] <= b["x"] or b["x"] + b["w"] <= a["x"]
    above = a["y"] + a["h"] <= b["y"] or b["y"] + b["h"] <= a["y"]
    return not (beside or above)


def pages(bundle: Bundle) -> Iterator[Problem]:
    """A page has choices, a time, links to the others and a list of documents."""
    for one in bundle.of("dashboard"):
        if one["id"] in bundle.broken:
            continue
        held = one["attributes"]
        if held.get("timeRestore") and not (held.get("timeFrom") and held.get("timeTo")):
            yield Problem(called(one), "timeRestore", "restores a time that isn't there")
        group = held.get("controlGroupInput")
        controls = json.loads(group["panelsJSON"]) if group else {}
        if not 1 <= len(controls) <= CONTROLS:
            yield Problem(called(one), "controls", f"are {len(controls)}, not 1 to {CONTROLS}")
        kinds = [panel.get("type") for panel in json.loads(held["panelsJSON"])]
        for kind, meaning in (("links", "links to the other dashboards"), ("search", "documents")):
            if kind not in kinds:
                yield Problem(called(one), "panels", f"there are no {meaning}")


def clicks(bundle: Bundle) -> Iterator[Problem]:
    """Drill-downs that every licence has."""
    for panel in bundle.panels():
        events = panel.held.get("embeddableConfig", {}).get("enhancements", {}).get("dynamicActions", {})
        for event in events.get("events", ()):
            if event["action"]["factoryId"] not in _FACTORIES:
                yield panel.problem(f"the drill-down {event['action']['factoryId']} is a paid one, or unknown")
            if event.get("triggers") != ["FILTER_TRIGGER"]:
                yield panel.problem(f"its drill-down has triggers {event.get('triggers')}, which no chart fires")


RULES: Final = (places, pages, clicks)
