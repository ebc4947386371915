"""References: whatever is named is there, and whatever refers says so twice where Kibana wants it twice."""

from __future__ import annotations

import json
from collections import Counter
from collections.abc import Iterator
from typing import Final

from kibana_objects.lint.problem import Bundle, Panel, Problem, called

_FILTER_INDEX: Final = "kibanaSavedObjectMeta.searchSourceJSON"


def existing(bundle: Bundle) -> Iterator[Problem]:
    """Kibana looks for data views and searches alone; a dashboard or tag that is gone is a dead link."""
    there = {(one.get("type"), one.get("id")) for one in bundle.objects}
    for one in bundle.objects:
        names = Counter(reference.get("name") for reference in one.get("references", ()))
        for name, count in names.items():
            if count > 1:
                yield Problem(called(one), f"reference {name!r}", f"is there {count} times")
        for reference in one.get("references", ()):
            if (reference.get("type"), reference.get("id")) not in there:
                target = f"{reference.get('type')} {reference.get('id')}"
                yield Problem(called(one), f"reference {reference.get('name')!r}", f"{target} isn't in the bundle")


def panels(bundle: Bundle) -> Iterator[Problem]:
    """What panels refer to stands in the dashboard too, and nothing else does."""
    used: dict[str, set[str]] = {}
    for panel in bundle.panels():
        seen = used.setdefault(panel.dashboard, set())
        for name, message in _wanted(panel):
            full = f"{panel.key}:{name}"
            seen.add(full)
            if full not in panel.outer:
                yield panel.problem(f"the dashboard has no reference {full!r}{message}")
            elif name in panel.inner and panel.inner[name]["id"] != panel.outer[full]["id"]:
                yield panel.problem(f"{name!r} is another object within the panel and on the dashboard")
    for one in bundle.of("dashboard"):
        if one["id"] in bundle.broken:
            continue
        known = used.get(called(one), set()) | set(_controls(one["attributes"]))
        for reference in one.get("references", ()):
            name = reference["name"]
            if name not in known and not name.startswith(("tag-ref-", _FILTER_INDEX)):
                yield Problem(called(one), f"reference {name!r}", "nothing on it refers to that")
        for name in _controls(one["attributes"]):
            if name not in {reference["name"] for reference in one.get("references", ())}:
                yield Problem(called(one), f"control {name!r}", "has no data view")


def _wanted(panel: Panel) -> Iterator[tuple[str, str]]:
    """Names of references, without the panel's key, and what is missing with them."""
    held = panel.held
    if "panelRefName" in held:
        yield held["panelRefName"], " for its saved search"
    for name in panel.inner:
        yield name, ""
    config = held.get("embeddableConfig", {})
    for link in config.get("attributes", {}).get("links", ()) if held.get("type") == "links" else ():
        if link.get("type") == "dashboardLink":
            yield link["destinationRefName"], f" for the link {link.get('label')!r}"
    for event in config.get("enhancements", {}).get("dynamicActions", {}).get("events", ()):
        if event["action"]["factoryId"] == "DASHBOARD_TO_DASHBOARD_DRILLDOWN":
            yield f"drilldown:DASHBOARD_TO_DASHBOARD_DRILLDOWN:{event['eventId']}:dashboardId", " for its drill-down"


def _controls(attributes: dict[str, object]) -> Iterator[str]:
    group = attributes.get("controlGroupInput")
    if isinstance(group, dict):
        for key, control in json.loads(group["panelsJSON"]).items():
            kind = {"rangeSliderControl": "rangeSlider"}.get(control["type"], "optionsList")
            yield f"controlGroup_{key}:{kind}DataView"


def sources(bundle: Bundle) -> Iterator[Problem]:
    """A saved search finds its data view by a name."""
    for one in bundle.of("search"):
        if one["id"] in bundle.broken:
            continue
        source = json.loads(one["attributes"]["kibanaSavedObjectMeta"]["searchSourceJSON"])
        if source.get("indexRefName") not in {reference["name"] for reference in one.get("references", ())}:
            yield Problem(called(one), "searchSourceJSON", f"names {source.get('indexRefName')!r}, which it has not")


RULES: Final = (existing, panels, sources)
