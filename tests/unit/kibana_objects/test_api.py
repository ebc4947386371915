"""Bodies for Kibana's own API say what the saved objects say: two writers, one description."""

from __future__ import annotations

import json

import pytest

from kibana_objects.api import body
from kibana_objects.bundles import bundles
from kibana_objects.cli import main
from kibana_objects.dashboards import all_dashboards
from kibana_objects.objects import NAVIGATION_HEIGHT

SAVED = {one["id"]: one for one in bundles()["dashboards.ndjson"] if one["type"] == "dashboard"}
KINDS = {
    "lnsMetric": "metric", "lnsXY": "xy", "lnsDatatable": "data_table", "lnsHeatmap": "heatmap", "lnsTagcloud": "tag_cloud",
    "lnsPie": "pie",
}  # fmt: skip
MADE = {"math", "formula", "static_value"}


def found(config):
    """(Operation, field) of everything in a body's panel, however deep."""
    if isinstance(config, dict):
        if "operation" in config and config["operation"] not in MADE:
            yield config["operation"], config.get("field") or (config.get("fields") or [None])[0]
        for value in config.values():
            yield from found(value)
    elif isinstance(config, list):
        for value in config:
            yield from found(value)


@pytest.mark.parametrize("page", all_dashboards(), ids=lambda page: page.id)
def test_both_say_the_same(page):
    """The same panels at the same places, asking for the same of the same view, with the same filters and clicks."""
    saved = SAVED[page.id]
    panels = [panel for panel in json.loads(saved["attributes"]["panelsJSON"]) if panel["type"] != "links"]
    made = body(page)
    assert made["title"] == saved["attributes"]["title"]
    assert len(made["panels"]) == len(panels)
    for one, other in zip(made["panels"], panels, strict=True):
        grid = other["gridData"]
        assert one["grid"] == {"x": grid["x"], "y": grid["y"] - NAVIGATION_HEIGHT, "w": grid["w"], "h": grid["h"]}
        config = one["config"]
        assert config["title"] == other["embeddableConfig"]["title"]
        if other["type"] == "search":
            assert one["type"] == "discover_session"
            continue
        lens = other["embeddableConfig"]["attributes"]
        assert config["type"] == KINDS[lens["visualizationType"]]
        assert config.get("query", {"expression": ""})["expression"] == lens["state"]["query"]["query"]
        layers = lens["state"]["datasourceStates"]["formBased"]["layers"].values()
        asked = {
            (column["operationType"], None if column["sourceField"] == "___records___" else column["sourceField"])
            for layer in layers for key, column in layer["columns"].items()
            if column["operationType"] not in MADE and "X" not in key
        }  # fmt: skip
        assert set(found(config)) == asked
        events = other["embeddableConfig"]["enhancements"].get("dynamicActions", {}).get("events", [])
        assert [click["label"] for click in config.get("drilldowns", [])] == [event["action"]["name"] for event in events]


def test_the_command_writes_them(tmp_path, capsys):
    """One a dashboard, the same each time."""
    assert main(["build", "--api", "--out", str(tmp_path)]) == 0
    first = {path.name: path.read_bytes() for path in (tmp_path / "api").iterdir()}
    assert set(first) == {f"{page.id}.json" for page in all_dashboards()}
    assert main(["build", "--api", "--out", str(tmp_path)]) == 0
    assert first == {path.name: path.read_bytes() for path in (tmp_path / "api").iterdir()}
    for page in all_dashboards():
        assert json.loads(first[f"{page.id}.json"]) == body(page)


def test_a_step_of_a_day_is_one():
    """Documents of days have cells of a day, others those that fit."""
    intervals = {
        panel["config"]["title"]: panel["config"]["x"].get("suggested_interval")
        for page in all_dashboards() for panel in body(page)["panels"]
        if panel["config"].get("type") == "heatmap"
    }  # fmt: skip
    assert intervals["Share of each value in its feature, by day: the 15 greatest"] == "1d"
    assert intervals["Unseen values by feature and time"] == "1h"
