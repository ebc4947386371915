"""Descriptions as saved objects: one JSON object each, as ``POST /api/saved_objects/_import`` takes them.

Declared versions are the oldest whose shape this is: a Kibana brings older objects up to date and refuses newer ones.
"""

from __future__ import annotations

import json
from collections.abc import Iterable, Mapping
from typing import Any, Final

from kibana_objects.lens import attributes
from kibana_objects.model import Control, Dashboard, Documents, Panel, Rule, Search

CORE_MIGRATION: Final = "8.8.0"
VERSIONS: Final = {
    "index-pattern": "8.0.0",
    "tag": "8.0.0",
    "search": "10.5.0",
    "dashboard": "10.2.0",
    "alert": "10.1.0",
}
"""Type -> version of its shape."""

TAG: Final = "mllog"
NAVIGATION_HEIGHT: Final = 2
COLUMNS: Final = 48
LOG: Final = "mllog-log"
"""The preconfigured connector that rules write to: see the how-to on Kibana."""

_MADE: Final = "2026-01-01T00:00:00.000Z"
_UNSET: Final = (
    "apiKey", "apiKeyOwner", "createdBy", "updatedBy", "legacyId", "scheduledTaskId", "throttle", "notifyWhen",
)  # fmt: skip
"""What Kibana sets itself when a rule is enabled."""

Json = dict[str, Any]


def saved(kind: str, identity: str, held: Json, references: Iterable[Json] = ()) -> Json:
    """A saved object."""
    return {
        "type": kind,
        "id": identity,
        "coreMigrationVersion": CORE_MIGRATION,
        "typeMigrationVersion": VERSIONS[kind],
        "managed": False,
        "attributes": held,
        "references": list(references),
    }


def packed(value: Any) -> str:
    """JSON within JSON, always spelt the same."""
    return json.dumps(value, sort_keys=True, separators=(",", ":"), ensure_ascii=False)


def tag() -> Json:
    """The tag of everything."""
    return saved("tag", TAG, {"name": "mllog", "description": "Models in production", "color": "#209280"})


def search(described: Search) -> Json:
    """A saved search."""
    source = "kibanaSavedObjectMeta.searchSourceJSON.index"
    held = {
        "title": described.title,
        "description": described.story,
        "columns": list(described.columns),
        "sort": [list(one) for one in described.sort],
        "grid": {},
        "hideChart": False,
        "isTextBasedQuery": False,
        "timeRestore": False,
        "usesAdHocDataView": False,
        "kibanaSavedObjectMeta": {
            "searchSourceJSON": packed({"query": _kql(described.where), "filter": [], "indexRefName": source})
        },
    }
    return saved(
        "search",
        described.id,
        held,
        [{"type": "index-pattern", "id": described.view, "name": source}, _tagged()],
    )


def dashboard(described: Dashboard, titles: Mapping[str, str]) -> Json:
    """A dashboard with links to all others.

    Args:
        described: What is on it.
        titles: Of all dashboards by their ids, in the order of the links.
    """
    panels, references = [], []
    first, named = _navigation(titles)
    panels.append(first)
    references += named
    top = NAVIGATION_HEIGHT
    for number, row in enumerate(described.rows):
        left = 0
        for place, panel in enumerate(row.panels):
            key = f"p{number}{place}"
            grid = {"x": left, "y": top, "w": panel.width, "h": row.height, "i": key}
            written, named = _panel(key, grid, panel)
            panels.append(written)
            references += named
            left += panel.width
        top += row.height
    controls, named = _controls(described.controls)
    held = {
        "title": described.title,
        "description": described.story,
        "panelsJSON": packed(panels),
        "optionsJSON": packed(
            {
                "useMargins": True,
                "syncColors": False,
                "syncCursor": True,
                "syncTooltips": False,
                "hidePanelTitles": False,
            }
        ),
        "kibanaSavedObjectMeta": {"searchSourceJSON": packed({"query": _kql(described.where), "filter": []})},
        "timeRestore": True,
        "timeFrom": described.span,
        "timeTo": "now",
        "refreshInterval": {"pause": True, "value": 60000},
        "controlGroupInput": controls,
        "version": 1,
    }
    return saved("dashboard", described.id, held, [*references, *named, _tagged()])


def rule(described: Rule) -> Json:
    """A rule; it is imported disabled, as Kibana's own exports are, and enabled afterwards."""
    held = {
        "name": described.name,
        "tags": [TAG],
        "enabled": False,
        "consumer": "stackAlerts",
        "alertTypeId": ".es-query",
        "schedule": {"interval": described.every},
        "params": _asked(described),
        "actions": [
            _told(described, "query matched", "warn", described.message),
            _told(described, "recovered", "info", "{{rule.name}}: it is over"),
        ],
        **dict.fromkeys(_UNSET),
        "createdAt": _MADE,
        "updatedAt": _MADE,
        "muteAll": False,
        "mutedInstanceIds": [],
        "revision": 0,
        "executionStatus": {"status": "pending", "lastExecutionDate": _MADE},
        "alertDelay": {"active": 1},
    }
    return saved("alert", described.id, held)


def _asked(described: Rule) -> Json:
    """What a rule asks, and when it is met."""
    fewer = described.above is None
    grouped = {"groupBy": "top", "termField": described.group, "termSize": 100}
    return {
        "searchType": "esQuery",
        "index": [described.index],
        "timeField": described.time,
        "esQuery": packed({"query": described.query}),
        "size": 10,
        "timeWindowSize": described.minutes,
        "timeWindowUnit": "m",
        "threshold": [described.below if fewer else described.above],
        "thresholdComparator": "<" if fewer else ">",
        "aggType": "count",
        **(grouped if described.group else {"groupBy": "all"}),
        "excludeHitsFromPreviousRun": False,
    }


def _told(described: Rule, group: str, level: str, message: str) -> Json:
    """An action: what is written to Kibana's log, each time that the rule's state changes."""
    return {
        "uuid": f"{described.id}-{group.replace(' ', '-')}",
        "group": group,
        "actionRef": f"preconfigured:{LOG}",
        "actionTypeId": ".server-log",
        "params": {"level": level, "message": message},
        "frequency": {"summary": False, "notifyWhen": "onActionGroupChange", "throttle": None},
    }


def _kql(query: str) -> Json:
    return {"query": query, "language": "kuery"}


def _tagged() -> Json:
    return {"type": "tag", "id": TAG, "name": f"tag-ref-{TAG}"}


def _navigation(titles: Mapping[str, str]) -> tuple[Json, list[Json]]:
    """Links to all dashboards, which take filters and time along."""
    key = "nav"
    links = [
        {
            "type": "dashboardLink",
            "id": f"l{order}",
            "order": order,
            "label": title,
            "destinationRefName": f"link_l{order}_dashboard",
            "options": {"openInNewTab": False, "useCurrentFilters": True, "useCurrentDateRange": True},
        }
        for order, title in enumerate(titles.values())
    ]
    references = [
        {"type": "dashboard", "id": identity, "name": f"{key}:link_l{order}_dashboard"}
        for order, identity in enumerate(titles)
    ]
    panel = {
        "type": "links",
        "panelIndex": key,
        "gridData": {"x": 0, "y": 0, "w": COLUMNS, "h": NAVIGATION_HEIGHT, "i": key},
        "embeddableConfig": {
            "attributes": {"layout": "horizontal", "links": links},
            "enhancements": {},
            "title": "",
            "hidePanelTitles": True,
        },
    }
    return panel, references


def _panel(key: str, grid: Json, panel: Panel) -> tuple[Json, list[Json]]:
    """A panel and what the dashboard refers to for it."""
    if isinstance(panel, Documents):
        held: Json = {"enhancements": {}, "title": panel.title}
        written = {"type": "search", "panelRefName": f"panel_{key}", "embeddableConfig": held}
        references = [{"type": "search", "id": panel.search, "name": f"{key}:panel_{key}"}]
    else:
        lens = attributes(panel)
        events, references = _drilldowns(key, panel)
        enhancements = {"dynamicActions": {"events": events}} if events else {}
        held = {"attributes": lens, "enhancements": enhancements, "title": panel.title}
        written = {"type": "lens", "embeddableConfig": held}
        references = [*({**one, "name": f"{key}:{one['name']}"} for one in lens["references"]), *references]
    return {**written, "panelIndex": key, "gridData": grid}, references


def drill_name(target: str) -> str:
    """What a click that leads there is called."""
    return "The documents" if target == "documents" else f"To {target.removeprefix('mllog-')}"


def _drilldowns(key: str, panel: Panel) -> tuple[list[Json], list[Json]]:
    events, references = [], []
    for number, target in enumerate(panel.drill):
        event = f"d{number}"
        if target == "documents":
            action = {
                "factoryId": "OPEN_IN_DISCOVER_DRILLDOWN",
                "name": drill_name(target),
                "config": {"openInNewTab": True},
            }
        else:
            factory = "DASHBOARD_TO_DASHBOARD_DRILLDOWN"
            config = {"useCurrentFilters": True, "useCurrentDateRange": True, "openInNewTab": False}
            action = {"factoryId": factory, "name": drill_name(target), "config": config}
            name = f"{key}:drilldown:{factory}:{event}:dashboardId"
            references.append({"type": "dashboard", "id": target, "name": name})
        events.append({"eventId": event, "triggers": ["FILTER_TRIGGER"], "action": action})
    return events, references


def _controls(controls: Iterable[Control]) -> tuple[Json, list[Json]]:
    panels, references = {}, []
    for order, control in enumerate(controls):
        key = f"c{order}"
        panels[key] = {
            "type": "optionsListControl",
            "order": order,
            "grow": True,
            "width": "medium",
            "explicitInput": {
                "id": key,
                "fieldName": control.of,
                "title": control.title,
                "searchTechnique": "wildcard",
                "selectedOptions": [],
                "sort": {"by": "_count", "direction": "desc"},
            },
        }
        references.append(
            {"type": "index-pattern", "id": control.view, "name": f"controlGroup_{key}:optionsListDataView"}
        )
    held = {
        "chainingSystem": "HIERARCHICAL",
        "controlStyle": "oneLine",
        "showApplySelections": False,
        "ignoreParentSettingsJSON": packed(
            {"ignoreFilters": False, "ignoreQuery": False, "ignoreTimerange": False, "ignoreValidations": False}
        ),
        "panelsJSON": packed(panels),
    }
    return held, references
