"""``mllog show``: one decision, whole."""

from __future__ import annotations

import argparse
import datetime as dt
import itertools
import json
import sys
import types

import pytest

import mllog
from watchers.incidents import Incident, IncidentEvent
from watchers.show import command
from watchers.stores import open_store

AT = dt.datetime(2026, 3, 2, tzinfo=dt.UTC)


class Store:
    """A store of one prediction."""

    def events_of(self, prediction_id):
        if prediction_id not in {"order-1", "e1"}:
            return []
        return [
            {
                "@timestamp": AT.isoformat(),
                "event": {"id": "e1", "action": "predict"},
                "ml": {
                    "prediction_id": "order-1",
                    "environment": "f00",
                    "inputs": {"keyword": {"carrier": "[red]UA"}},
                },
            },
            {
                "@timestamp": AT.isoformat(),
                "event.id": "e2",
                "event.action": "label",
                "ml.label.value": "late",
            },
        ]

    def manifest(self, fingerprint):
        return {"python": "3.11", "packages": {f"p{k:02}": "1" for k in range(20)}} if fingerprint == "f00" else None

    def incident_events(self):
        incident = Incident("abc", "m", AT, AT, AT, title="carrier: missing", message="Why.", documents=["e1"])
        other = Incident("xyz", "m", AT, AT, AT, title="another", documents=["e9"])
        return [IncidentEvent.make(i.id, AT, "opened", 0, i.to_dict()).to_dict() for i in (incident, other)]


@pytest.fixture
def store(monkeypatch):
    """Commands meet this store, whatever place they are given."""
    monkeypatch.setitem(sys.modules, "watchers.stores", types.SimpleNamespace(open_store=lambda place: Store()))


def run(*words):
    parser = argparse.ArgumentParser()
    command.add_arguments(parser)
    return command.run(parser.parse_args(words))


@pytest.mark.usefixtures("store")
def test_everything_of_a_decision_is_printed(capsys):
    """Prediction, label, environment and the incident that lists it; brackets in values are no markup."""
    assert run("order-1", "--store", "file:x") == 0
    out = capsys.readouterr().out
    for words in (
        "Prediction",
        "[red]UA",
        "Label",
        "late",
        "Environment  f00",
        "p00 1",
        "8 more",
        "abc",
        "Why.",
    ):
        assert words in out
    assert "another" not in out


@pytest.mark.usefixtures("store")
def test_json_is_one_document(capsys):
    """``--json`` prints the same, whole."""
    assert run("e1", "--store", "file:x", "--json") == 0
    decision = json.loads(capsys.readouterr().out)
    assert [incident["id"] for incident in decision["incidents"]] == ["abc"]
    assert (len(decision["events"]), decision["environment"]["manifest"]["python"]) == (2, "3.11")


@pytest.mark.usefixtures("store")
def test_not_found_says_so(capsys):
    """An unknown id ends with 3 and names what was looked for and where."""
    assert run("nobody", "--store", "file:x") == 3
    assert "no event in file:x has the prediction id or event id 'nobody'" in capsys.readouterr().err


PARTS = {
    "inputs": lambda log: log.prediction({"a": 1.5, "night": None, "n": float("nan")}, id="p1"),
    "output": lambda log: log.output("p1", {"label": "late", "score": 0.8}),
    "explanation": lambda log: log.explanation("p1", {"a": -0.3}),
    "label": lambda log: log.label("p1", "on time"),
    "outcome": lambda log: log.outcome("p1", 12.5),
}


@pytest.mark.parametrize("order", list(itertools.permutations(PARTS))[::17], ids="-".join)
def test_parts_meet_in_any_order(tmp_path, order, capsys):
    """Inputs, output, explanation, label and outcome of one prediction are one view, whenever each of them came."""
    with mllog.ModelLogger("m", version="1", sink=tmp_path) as log:
        log.prediction({"a": 9.0}, 0.1, id="p2")
        for name in order:
            PARTS[name](log)
    assert run("p1", "--store", f"file:{tmp_path}", "--json") == 0
    joined = json.loads(capsys.readouterr().out)["joined"]
    assert {name: part["value"] for name, part in joined["parts"].items()} == {
        "inputs": {"a": 1.5, "night": None, "n": "NaN"},
        "output": {"label": "late", "score": 0.8},
        "explanation": {"a": -0.3},
        "label": "on time",
        "outcome": "12.5",
    }
    assert joined["missing"] == joined["conflicts"] == []


def test_repeated_and_conflicting_parts(tmp_path, capsys):
    """The latest by event time counts, fields of an output each for itself; the others are listed, repeats are not."""
    with mllog.ModelLogger("m", version="1", sink=tmp_path) as log:
        log.label("p1", "late", at=3.0)
        log.label("p1", "on time", at=2.0)
        log.label("p1", "late", at=1.0)
        log.output("p1", {"score": 0.7}, at=2.0)
        log.output("p1", {"label": "late", "score": 0.8}, at=1.0)
    for path in tmp_path.glob("*/*.ndjson"):  # a segment that was sent twice
        path.write_bytes(path.read_bytes() * 2)
    assert run("p1", "--store", f"file:{tmp_path}", "--json") == 0
    decision = json.loads(capsys.readouterr().out)
    joined = decision["joined"]
    assert len(decision["events"]) == 5
    assert joined["parts"]["label"]["value"] == "late"
    assert joined["parts"]["label"]["at"].startswith("1970-01-01T00:00:03")
    assert joined["parts"]["output"]["value"] == {"label": "late", "score": 0.7}
    assert {c["part"]: [one["value"] for one in c["values"]] for c in joined["conflicts"]} == {
        "label": ["late", "on time"],
        "output.score": [0.8, 0.7],
    }
    assert joined["missing"] == ["inputs"]
    assert run("p1", "--store", f"file:{tmp_path}") == 0
    out = " ".join(capsys.readouterr().out.split())
    assert "label differs" in out
    assert "inputs is missing" in out
    assert "the latest counts" in out


def test_any_event_leads_to_the_whole_prediction(tmp_path, capsys):
    """Asked for by the id of one of its events, all of them are shown."""
    with mllog.ModelLogger("m", version="1", sink=tmp_path) as log:
        log.prediction({"a": 1.5}, id="p1")
        event = log.label("p1", "late")
    assert run(event, "--store", f"file:{tmp_path}", "--json") == 0
    decision = json.loads(capsys.readouterr().out)
    assert len(decision["events"]) == 2
    assert decision["joined"]["parts"].keys() == {"inputs", "label"}


def test_only_predictions_are_counted(tmp_path):
    """Outputs, explanations and outcomes that come apart are no predictions of their own to the store."""
    with mllog.ModelLogger("m", version="1", sink=tmp_path, clock=lambda: int(AT.timestamp() * 1e9)) as log:
        for make in PARTS.values():
            make(log)
    store = open_store(f"file:{tmp_path}")
    assert len(store.sample("m", AT, AT + dt.timedelta(hours=1), 100)) == 1
