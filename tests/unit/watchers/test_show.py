"""``mllog show``: one decision, whole."""

from __future__ import annotations

import argparse
import datetime as dt
import json
import sys
import types

import pytest

from watchers.incidents import Incident, IncidentEvent
from watchers.show import command

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
        return (
            {"python": "3.11", "packages": {f"p{k:02}": "1" for k in range(20)}}
            if fingerprint == "f00"
            else None
        )

    def incident_events(self):
        incident = Incident(
            "abc", "m", AT, AT, AT, title="carrier: missing", message="Why.", documents=["e1"]
        )
        other = Incident("xyz", "m", AT, AT, AT, title="another", documents=["e9"])
        return [IncidentEvent.make(i.id, AT, "opened", 0, i.to_dict()).to_dict() for i in (incident, other)]


@pytest.fixture(autouse=True)
def _store(monkeypatch):
    monkeypatch.setitem(
        sys.modules, "watchers.stores", types.SimpleNamespace(open_store=lambda place: Store())
    )


def run(*words):
    parser = argparse.ArgumentParser()
    command.add_arguments(parser)
    return command.run(parser.parse_args(words))


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


def test_json_is_one_document(capsys):
    """``--json`` prints the same, whole."""
    assert run("e1", "--store", "file:x", "--json") == 0
    decision = json.loads(capsys.readouterr().out)
    assert [incident["id"] for incident in decision["incidents"]] == ["abc"]
    assert (len(decision["events"]), decision["environment"]["manifest"]["python"]) == (2, "3.11")


def test_not_found_says_so(capsys):
    """An unknown id ends with 3 and names what was looked for and where."""
    assert run("nobody", "--store", "file:x") == 3
    assert "no event in file:x has the prediction id or event id 'nobody'" in capsys.readouterr().err
