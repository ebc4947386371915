"""A broken copy of each kind is caught, by its own words."""

from __future__ import annotations

import copy
import json
from pathlib import Path

import pytest

from kibana_objects.bundles import bundles
from kibana_objects.lint import figures, lint

OBJECTS = [one for objects in bundles().values() for one in objects]


def find(objects, kind, identity=None):
    return next(one for one in objects if one["type"] == kind and identity in (None, one["id"]))


class Page:
    """A dashboard whose panels can be changed."""

    def __init__(self, objects, identity="mllog-missing"):
        self.one = find(objects, "dashboard", identity)
        self.panels = json.loads(self.one["attributes"]["panelsJSON"])

    def __enter__(self):
        return self

    def __exit__(self, *_):
        self.one["attributes"]["panelsJSON"] = json.dumps(self.panels)

    def lens(self, kind="lnsXY"):
        """The first panel of a kind."""
        return next(
            panel for panel in self.panels
            if panel["type"] == "lens" and panel["embeddableConfig"]["attributes"]["visualizationType"] == kind
        )  # fmt: skip

    def state(self, kind="lnsXY"):
        return self.lens(kind)["embeddableConfig"]["attributes"]["state"]

    def layer(self, kind="lnsXY", key="data"):
        return self.state(kind)["datasourceStates"]["formBased"]["layers"][key]


def change(function, identity="mllog-missing"):
    """A mutation of one dashboard's panels."""

    def mutate(objects):
        with Page(objects, identity) as page:
            function(page)

    return mutate


def at(kind, identity, function):
    """A mutation of one object."""

    def mutate(objects):
        function(find(objects, kind, identity))

    return mutate


def _formula(page):
    layer = page.layer("lnsMetric")
    for panel in page.panels:
        if panel["type"] == "lens":
            layer = panel["embeddableConfig"]["attributes"]["state"]["datasourceStates"]["formBased"]["layers"]["data"]
            if any(column["operationType"] == "formula" for column in layer["columns"].values()):
                return layer
    raise AssertionError


MUTATIONS = {
    "two objects of one id": (lambda o: o.append(copy.deepcopy(o[0])), "is there 2 times"),
    "an id with blanks": (at("tag", "mllog", lambda t: t.update(id="my tag")), "so that it could go into a URL"),
    "a version of the future": (at("dashboard", "mllog-missing", lambda d: d.update(typeMigrationVersion="10.9.0")), "is '10.9.0'"),
    "no version": (at("search", None, lambda s: s.pop("typeMigrationVersion")), "typeMigrationVersion: is None"),
    "another core version": (at("tag", None, lambda t: t.update(coreMigrationVersion="9.9.9")), "coreMigrationVersion: is '9.9.9'"),
    "read-only": (at("dashboard", None, lambda d: d.update(managed=True)), "read-only"),
    "a time of the build": (at("dashboard", None, lambda d: d.update(updated_at="2026-01-01")), "makes builds differ"),
    "a type that is none of ours": (at("tag", None, lambda t: t.update(type="lens")), "is none that is built here"),
    "a title without its bracket": (at("dashboard", None, lambda d: d["attributes"].update(title="Overview")), "doesn't begin with"),
    "no description": (at("dashboard", None, lambda d: d["attributes"].update(description="")), "say what is seen in it"),
    "a text that stands for another": (at("search", None, lambda s: s["attributes"].update(description="TODO")), "stands for another one"),
    "panels that are no JSON": (at("dashboard", None, lambda d: d["attributes"].update(panelsJSON="[{")), "is no JSON"),
    "a rule that is enabled": (at("alert", None, lambda a: a["attributes"].update(enabled=True)), "import it disabled"),
    "a rule of a paid type": (at("alert", None, lambda a: a["attributes"].update(alertTypeId="xpack.ml.anomaly")), "Basic licence"),
    "a rule that tells nobody": (at("alert", None, lambda a: a["attributes"].update(actions=[])), "nobody is told"),
    "a rule by a field that it doesn't name": (
        at("alert", "mllog-rule-critical", lambda a: a["attributes"]["params"].pop("termField")), "doesn't name"),
    "a rule on a field that isn't there": (
        at("alert", "mllog-rule-unjudged", lambda a: a["attributes"]["params"].update(
            esQuery='{"query":{"exists":{"field":"run.unjugded"}}}')), "'run.unjugded' isn't there"),
    "a rule on somebody's index": (at("alert", None, lambda a: a["attributes"]["params"].update(index=["logs-*"])), "none of ours"),
    "a rule by a time that is none": (at("alert", None, lambda a: a["attributes"]["params"].update(timeField="incident.id")), "is no time"),
    "a data view that is gone": (lambda o: o.remove(find(o, "index-pattern", "mllog-windows")), "index-pattern mllog-windows isn't in the bundle"),
    "a dashboard that is gone": (lambda o: o.remove(find(o, "dashboard", "mllog-text")), "dashboard mllog-text isn't in the bundle"),
    "no tag": (at("dashboard", None, lambda d: d["references"].pop()), "don't have the tag"),
    "a reference that nothing uses": (
        at("dashboard", None, lambda d: d["references"].append(
            {"type": "tag", "id": "mllog", "name": "p99:indexpattern-datasource-layer-data"})), "nothing on it refers to that"),
    "a reference of a panel that is gone": (
        at("dashboard", "mllog-missing", lambda d: d["references"].remove(
            next(r for r in d["references"] if r["name"].startswith("p10:")))), "the dashboard has no reference 'p10:"),
    "two data views for one layer": (
        change(lambda p: p.lens()["embeddableConfig"]["attributes"]["references"][0].update(id="mllog-runs")),
        "another object within the panel"),
    "a control without a data view": (
        at("dashboard", None, lambda d: d.update(references=[r for r in d["references"] if not r["name"].startswith("controlGroup_c0")])),
        "has no data view"),
    "a search without a data view": (
        at("search", None, lambda s: s.update(references=[r for r in s["references"] if r["type"] == "tag"])), "which it has not"),
    "panelIndex and i that differ": (change(lambda p: p.panels[1]["gridData"].update(i="zz")), "panelIndex"),
    "a panel beyond the columns": (change(lambda p: p.panels[1]["gridData"].update(x=40)), "isn't within 48 columns"),
    "a panel over another": (change(lambda p: p.panels[2]["gridData"].update(x=0)), "lies over"),
    "a drill-down that costs": (
        change(lambda p: p.lens()["embeddableConfig"]["enhancements"]["dynamicActions"]["events"][0]["action"].update(
            factoryId="URL_DRILLDOWN")), "is a paid one"),
    "a time that isn't there": (at("dashboard", None, lambda d: d["attributes"].pop("timeFrom")), "restores a time"),
    "no links": (change(lambda p: p.panels.pop(0)), "no links to the other dashboards"),
    "a column that isn't in the order": (change(lambda p: p.layer()["columnOrder"].pop()), "isn't its columns"),
    "numbers before buckets": (change(lambda p: p.layer()["columnOrder"].reverse()), "numbers before buckets"),
    "ordered by a column that is gone": (
        change(lambda p: p.layer()["columns"]["d0"]["params"]["orderBy"].update(columnId="m9")), "ordered by 'm9'"),
    "too many values": (change(lambda p: p.layer()["columns"]["d0"]["params"].update(size=100_000)), "1 to 1000"),
    "a formula without its parts": (change(lambda p: _formula(p)["columns"]["m0"].update(references=[])), "renders nothing"),
    "a formula in a circle": (change(lambda p: _formula(p)["columns"]["m0X2"].update(references=["m0"])), "in a circle"),
    "a formula that calculates with others": (
        change(lambda p: _formula(p)["columns"]["m0X2"]["params"]["tinymathAst"].update(args=["m0X0", "m0X0"])), "calculates with"),
    "a broken formula": (change(lambda p: _formula(p)["columns"]["m0"]["params"].update(isFormulaBroken=True)), "is broken"),
    "an accessor that is none": (
        change(lambda p: p.state()["visualization"]["layers"][0].update(accessors=["m7"])), "draws 'm7'"),
    "a column that is never drawn": (
        change(lambda p: p.state("lnsDatatable")["visualization"]["columns"].pop()), "never drawn"),
    "a layer that isn't there": (change(lambda p: p.state("lnsHeatmap")["visualization"].update(layerId="other")), "the layer 'other'"),
    "no data view for a layer": (
        change(lambda p: p.lens()["embeddableConfig"]["attributes"].update(references=[])), "has no data view"),
    "a data view for no layer": (
        change(lambda p: p.lens("lnsHeatmap")["embeddableConfig"]["attributes"]["references"][0].update(
            name="indexpattern-datasource-layer-x")), "for the layer 'x'"),
    "a field that isn't there": (change(lambda p: p.layer()["columns"]["m0"].update(sourceField="missing.rat")), "'missing.rat' isn't"),
    "greatest first by what some have not": (
        change(lambda p: p.layer()["columns"]["m0"].update(sourceField="unseen.rate")), "filter by unseen.rate : *"),
    "the mean of a keyword": (change(lambda p: p.layer()["columns"]["m0"].update(sourceField="kind")), "is keyword, of which there is no average"),
    "values of a text": (
        change(lambda p: p.layer("lnsDatatable")["columns"]["d0"].update(sourceField="missing.rate", operationType="date_histogram")),
        "is double, of which there is no date_histogram"),
    "a filter that can't be read": (change(lambda p: p.state()["query"].update(query="kind : (feature")), "can't be read"),
    "a filter on a field that isn't there": (change(lambda p: p.state()["query"].update(query="knid : feature")), "'knid' isn't in"),
    "a number's filter on a field that isn't there": (
        change(lambda p: next(iter(p.layer("lnsMetric")["columns"].values())).update(
            filter={"query": "kid : x", "language": "kuery"})), "'kid' isn't in"),
    "a control of a number": (
        at("dashboard", None, lambda d: d["attributes"]["controlGroupInput"].update(
            panelsJSON=d["attributes"]["controlGroupInput"]["panelsJSON"].replace('"ml.model.name"', '"missing.rate"'))),
        "no values to choose from"),
    "a search's column that isn't there": (at("search", None, lambda s: s["attributes"]["columns"].append("nix")), "'nix' isn't in"),
    "a search by no field": (at("search", None, lambda s: s["attributes"].update(sort=[])), "names no field"),
    "a search in no order": (at("search", None, lambda s: s["attributes"].update(sort=[["incident.title", "desc"]])), "has no order"),
    "an annotation by a field that isn't there": (
        change(lambda p: p.state()["visualization"]["layers"][-1]["annotations"][0].update(textField="ml.model.versoin")),
        "'ml.model.versoin' isn't"),
}  # fmt: skip


def test_the_copy_is_whole():
    """What is broken below is fine before; the page says how many ways there are."""
    assert lint(copy.deepcopy(OBJECTS)) == []
    page = Path(__file__).parents[3] / "docs/how-to/kibana.md"
    text = page.read_text(encoding="utf-8")
    assert f"({len(MUTATIONS)} broken copies" in text
    counted = ", ".join(f"{number} {what}" for what, number in figures(OBJECTS).items())
    assert f"`{len(OBJECTS)} objects, {counted}, 0 problems`" in text


@pytest.mark.parametrize("name", MUTATIONS)
def test_a_broken_copy_is_caught(name):
    """Each of them."""
    mutate, said = MUTATIONS[name]
    objects = copy.deepcopy(OBJECTS)
    mutate(objects)
    assert objects != OBJECTS
    assert said in "\n".join(map(str, lint(objects)))


@pytest.mark.parametrize("broken", [
    {"type": "dashboard", "id": "x", "attributes": {}},
    {"type": "dashboard", "id": "x", "attributes": {"panelsJSON": "[{}]"}, "references": [{}]},
    {"type": "dashboard", "id": "x", "attributes": {"panelsJSON": "{}"}},
    {"type": "search", "attributes": {"columns": 3}}, {"type": ["a"], "id": {}, "attributes": {}},
    {"type": "alert", "id": "x", "attributes": {"params": []}},
])  # fmt: skip
def test_what_has_no_shape_is_a_problem(broken):
    """And no traceback, whoever wrote it."""
    assert lint([broken])
