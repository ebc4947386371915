"""`mllog demo` from its first line to its last, and what can be done with what it leaves."""

from __future__ import annotations

import datetime as dt
import json
import re
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pytest

from mllog.fields import EVENT
from watchers.incidents import IncidentEvent, fold

pytestmark = pytest.mark.slow

FAULT = {
    "name": str,
    "kind": str,
    "feature": (str, type(None)),
    "segment": (dict, type(None)),
    "start": str,
    "end": str,
    "found": bool,
    "found_at": (str, type(None)),
    "incident": (str, type(None)),
    "named_feature": (str, type(None)),
    "named_segment": (dict, type(None)),
}
"""The contract's keys of a planted fault."""

AFTER = "2013-04-15T05:00:00+00:00"
"""The moment as of which the demo judges: an hour after the last of its days in New York."""

HOUR = dt.timedelta(hours=1)


@dataclass(frozen=True)
class Demo:
    """What one run of the demo left."""

    folder: Path
    document: dict[str, Any]
    code: int

    @property
    def events(self) -> Path:
        return self.folder / "events"

    def lines(self):
        """Every event, with the line it stands on."""
        for path in sorted(self.events.rglob("*.ndjson")):
            if "_watchers" not in path.parts:
                with path.open(encoding="utf-8") as file:
                    yield from file

    def incidents(self):
        """The incidents, folded from their events as they were written."""
        written = (self.events / "_watchers" / "incidents.ndjson").read_text().splitlines()
        return fold(IncidentEvent.from_dict(json.loads(line)) for line in written)


@pytest.fixture(scope="session")
def demo(call, tmp_path_factory):
    """One run of the demo, for all tests of this file."""
    folder = tmp_path_factory.mktemp("demo")
    answer = call("mllog", "demo", "--json", "--out", folder)
    assert answer.out, answer.err
    return Demo(folder, answer.json, answer.code)


def moment(text):
    return dt.datetime.fromisoformat(text)


def test_every_planted_fault_is_found_and_named(demo):
    """Ten faults; each is found by an incident that leads with its feature and segment and knows since when."""
    missed = [
        (fault["name"], fault["named_feature"], fault["named_segment"], fault["onset"])
        for fault in demo.document["faults"]
        if not fault["found"]
        or (fault["named_feature"], fault["named_segment"]) != (fault["feature"], fault["segment"])
        or abs(moment(fault["onset"]) - moment(fault["start"])) > (24 * HOUR if fault["kind"] == "unit" else HOUR)
        or not moment(fault["start"]) <= moment(fault["found_at"]) <= moment(fault["end"]) + 24 * HOUR
    ]
    assert missed == []
    assert len({fault["name"] for fault in demo.document["faults"]}) == 10
    assert demo.code == 0


def test_the_document_is_as_the_contract_has_it(demo):
    """``--json`` prints the contract's keys with values of their types; every time has a zone."""
    document = demo.document
    for fault in document["faults"]:
        assert {name: fault[name] for name in FAULT if not isinstance(fault[name], FAULT[name])} == {}
        assert all(moment(fault[name]).tzinfo for name in ("start", "end", "found_at"))
    assert isinstance(document["false_alarms"], list)
    assert type(document["events"]) is int
    assert isinstance(document["seconds"], float)
    assert isinstance(document["report"], str)


def test_what_alarmed_besides_is_told(demo):
    """At most two false alarms; every incident is a fault's, a storm's or a false alarm's, and stands in the store."""
    document = demo.document
    assert len(document["false_alarms"]) <= 2
    incidents = demo.incidents()
    others = {other["id"]: other for other in (*document["false_alarms"], *document["storms"])}
    assert {fault["incident"] for fault in document["faults"]} | others.keys() <= incidents.keys()
    assert all(other["cancelled"] < 0.05 for other in document["false_alarms"])
    assert all(other["cancelled"] >= 0.05 for other in document["storms"])


def test_it_takes_minutes_not_hours(demo):
    """69,600 predictions are logged and judged hour by hour in minutes, also where others work beside."""
    assert demo.document["events"] == pytest.approx(69_600, rel=0.002)
    assert demo.document["seconds"] < 600


def test_the_report_is_one_file(demo):
    """The report is one page of under a megabyte that asks nobody else for anything and names every fault."""
    page = Path(demo.document["report"])
    text = page.read_text(encoding="utf-8")
    assert page.stat().st_size < 1_000_000
    assert re.findall(r"""(?:src|href|srcset|data|poster)\s*=\s*["']?\s*(?:https?:)?//[^"'>\s]*""", text) == []
    assert re.findall(r"""@import|url\(\s*["']?\s*(?!["']?(?:data:|#))""", text) == []
    assert [fault["name"] for fault in demo.document["faults"] if fault["name"] not in text] == []


def test_every_line_is_a_known_event(demo):
    """Every line is strict JSON, its id its own, and each of its fields stands in the table of event fields."""
    names = {field.name for field in EVENT}
    opaque = {field.name for field in EVENT if field.type in {"flattened", "object"}}
    maps = tuple(field.name.removesuffix("*") for field in EVENT if field.name.endswith(".*"))
    unknown: set[str] = set()
    ids: set[str] = set()
    count = 0

    def walk(value, path):
        if path in opaque:
            return
        if isinstance(value, dict):
            for name, inner in value.items():
                walk(inner, f"{path}.{name}" if path else name)
        elif path not in names and not path.startswith(maps):
            unknown.add(path)

    def refuse(word):
        raise AssertionError(f"{word} is no JSON")

    for line in demo.lines():
        assert line.endswith("\n")
        event = json.loads(line, parse_constant=refuse)
        walk(event, "")
        ids.add(event["event"]["id"])
        count += 1
    assert unknown == set()
    assert len(ids) == count > demo.document["events"]


def test_all_kinds_of_events_are_there(demo):
    """Beside the predictions there are labels, KPIs, costs, steps and the deployments, each in its own data stream."""
    kinds: dict[str, set[str]] = {}
    count: dict[str, int] = {}
    predicted, labelled = set(), set()
    for line in demo.lines():
        event = json.loads(line)
        action = event["event"]["action"]
        kinds.setdefault(action, set()).add(event["event"]["dataset"].split(".")[1])
        count[action] = count.get(action, 0) + 1
        if action in {"predict", "label"}:
            (predicted if action == "predict" else labelled).add(event["ml"]["prediction_id"])
    assert kinds == {
        "predict": {"prediction"},
        "label": {"label"},
        "kpi": {"metric"},
        "cost": {"metric"},
        "step": {"pipeline"},
        "deploy": {"deployment"},
    }
    assert count["predict"] == demo.document["events"]
    assert labelled <= predicted
    assert len(labelled) > 0.9 * len(predicted)


def test_a_second_run_finds_nothing_due(demo, call):
    """The folder can be judged again by the ordinary command: as of the same moment nothing is due."""
    answer = call("watchers", "run", "--once", "--store", demo.events, "--now", AFTER, "--json")
    assert answer.json == {
        "findings": [], "incidents": [], "hours": {}, "reopened": {}, "held": [], "rejected": 0, "problems": [],
    }  # fmt: skip
    assert answer.code == 0
    answer = call("watchers", "run", "--once", "--store", f"duckdb:{demo.events}", "--now", AFTER)
    assert "nothing is due" in answer.out


def test_incidents_are_listed(demo, call):
    """``watchers incidents list --json`` gives the demo's incidents, and one of them can be shown."""
    listed = call("watchers", "incidents", "--store", demo.events, "list", "--json")
    incidents = demo.incidents()
    assert {i["id"]: i for i in listed.json["incidents"]} == {i.id: i.to_dict() for i in incidents.values()}
    assert listed.code == (1 if any(incident.active for incident in incidents.values()) else 0)
    fault = next(fault for fault in demo.document["faults"] if fault["name"] == "null-for-origin")
    shown = call("watchers", "incidents", "--store", demo.events, "show", fault["incident"][:8], "--json")
    assert shown.code == 0
    assert shown.json["incident"] == incidents[fault["incident"]].to_dict()
    assert "missing" in {finding["check"] for finding in shown.json["findings"]}


def test_a_document_of_an_incident_is_shown_whole(demo, call):
    """``mllog show`` prints the very prediction that an incident points at: it has the fault, and names the incident."""
    fault = next(fault for fault in demo.document["faults"] if fault["name"] == "null-for-origin")
    document = demo.incidents()[fault["incident"]].documents[0]
    answer = call("mllog", "show", document, "--store", demo.events, "--json")
    assert answer.code == 0
    event = answer.json["events"][0]
    assert fault["feature"] in event["ml"]["missing"]["null"]
    assert event["ml"]["inputs"]["keyword"]["origin"] == fault["segment"]["origin"]
    assert fault["incident"] in {incident["id"] for incident in answer.json["incidents"]}
    assert answer.json["environment"]["manifest"]["packages"]["scikit-learn"]
    flight = event["ml"]["prediction_id"]
    whole = call("mllog", "show", flight, "--store", demo.events, "--json").json
    assert {event["event"]["action"] for event in whole["events"]} >= {"predict"}
    assert flight in call("mllog", "show", flight, "--store", demo.events).out


def test_the_report_can_be_written_again(demo, call, tmp_path):
    """``watchers report`` writes the report from the store alone, with every incident that was open at any time."""
    page = tmp_path / "sub" / "report.html"
    answer = call("watchers", "report", "--store", demo.events, "--out", page, "--json")
    assert answer.code == 0
    text = page.read_text(encoding="utf-8")
    assert [incident.id for incident in demo.incidents().values() if incident.id not in text] == []


def test_an_hour_can_be_profiled(demo, call):
    """``watchers profile`` prints the counts of a span, as many predictions as the events of that span."""
    start, end = "2013-02-05T12:00:00+00:00", "2013-02-05T18:00:00+00:00"
    answer = call("watchers", "profile", "--store", demo.events, "--from", start, "--to", end, "--json")
    assert answer.code == 0
    between = 0
    for line in demo.lines():
        event = json.loads(line)
        if event["event"]["action"] == "predict":
            between += moment(start) <= moment(event["@timestamp"]) < moment(end)
    assert answer.json["n"] == between == answer.json["counts"]["|n|"]


def test_elasticsearch_counts_the_same(demo, elasticsearch_node):
    """Hour by hour the same profiles in both stores, so the same findings: judging reads nothing else (docs/decisions/0021)."""
    from mllog.elastic.client import connect
    from mllog.elastic.setup import ensure
    from mllog.shipping.destinations import open_destination
    from mllog.shipping.shipper import Shipper
    from watchers.stores import open_store

    place = f"elasticsearch+{elasticsearch_node.url}"
    ensure(connect(place))
    shipper = Shipper(demo.folder / "events", open_destination(place, parallel=True), copy=True, give_up=60.0)
    shipper.run()
    assert shipper.reason is None
    assert shipper.counts.dead == 0
    files, elastic = open_store(str(demo.folder / "events")), open_store(place)
    elastic.refresh()
    (model,) = files.models()
    assert model in elastic.models()
    assert elastic.span(model) == files.span(model)
    ruler = files.cards()[-1].ruler
    start, end = (time.replace(minute=0, second=0, microsecond=0) for time in files.span(model))
    counted = 0
    for ours, theirs in zip(files.profiles(model, ruler, start, end), elastic.profiles(model, ruler, start, end), strict=True):
        assert theirs.complete, theirs.reason
        assert (ours.window, ours.cells.keys(), ours.names, ours.manifests) == (theirs.window, theirs.cells.keys(), theirs.names, theirs.manifests)
        for key, counts in ours.cells.items():
            differ = [ruler.cells[i] for i in (counts != theirs.cells[key]).nonzero()[0]]
            assert differ == [], (ours.window, key)
        counted += ours.n
    assert counted > 69_000
