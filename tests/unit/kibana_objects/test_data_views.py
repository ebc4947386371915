"""Data views: valid saved objects, complete, and the same to the byte each time."""

from __future__ import annotations

import json
from fnmatch import fnmatch
from pathlib import Path

import jsonschema
import pytest
from referencing import Registry, Resource

from kibana_objects import data_views
from mllog.events import dataset
from mllog.fields import EVENT, TABLES

SCHEMAS = Path(__file__).parents[2] / "kibana_schemas"
SCHEMA = json.loads((SCHEMAS / "index-pattern.schema.json").read_text())
SAVED_OBJECT = json.loads((SCHEMAS / "saved-object.schema.json").read_text())
REGISTRY = Registry().with_resource("saved-object.schema.json", Resource.from_contents(SAVED_OBJECT))
VIEWS = {view["id"]: view for view in data_views()}


@pytest.mark.parametrize("identity", sorted(VIEWS))
def test_a_data_view_is_a_valid_saved_object(identity):
    """Every data view passes the JSON Schema of its type, and so of any saved object."""
    validator = jsonschema.Draft202012Validator(SCHEMA, registry=REGISTRY)
    assert [error.message for error in validator.iter_errors(VIEWS[identity])] == []


@pytest.mark.parametrize("identity", sorted(VIEWS))
def test_strings_that_hold_json_are_valid_too(identity):
    """Kibana parses the attributes that are strings of JSON only when a view is opened, so they are parsed here."""
    held = {
        name: json.loads(VIEWS[identity]["attributes"][name])
        for name in SCHEMA["$defs"].keys() & VIEWS[identity]["attributes"].keys()
    }
    assert "fieldAttrs" in held
    for name, value in held.items():
        jsonschema.validate(value, SCHEMA["$defs"][name])


@pytest.mark.parametrize("identity", sorted(VIEWS))
def test_every_described_field_stands_in_the_table(identity):
    """A view describes fields of the table of fields alone, each by its meaning there, and its time field is a date."""
    attributes = VIEWS[identity]["attributes"]
    table = {field.name: field for fields in TABLES.values() for field in fields}
    described = json.loads(attributes["fieldAttrs"])
    assert described.keys() <= table.keys()
    assert all(text["customDescription"] for text in described.values())
    # Incidents are seen as they are, whatever time is shown.
    assert identity == "mllog-incidents" or table[attributes["timeFieldName"]].type == "date"


def test_the_events_view_describes_every_field_but_maps():
    """Whatever the logger may write under a fixed name has a description for whoever looks at it in Kibana."""
    described = json.loads(VIEWS["mllog-events"]["attributes"]["fieldAttrs"])
    assert {field.name for field in EVENT if not field.name.endswith(".*")} == described.keys()


@pytest.mark.parametrize("model", ["flight-delay", "Fraud Model/2", "m"])
def test_the_patterns_meet_the_data_streams(model):
    """The views' patterns match the data stream of any model's predictions, and only the events' that of its labels."""
    prediction = f"logs-{dataset('prediction', model)}-default"
    label = f"logs-{dataset('label', model)}-default"
    patterns = {identity: view["attributes"]["title"] for identity, view in VIEWS.items()}
    assert fnmatch(prediction, patterns["mllog-events"])
    assert fnmatch(prediction, patterns["mllog-predictions"])
    assert fnmatch(label, patterns["mllog-events"])
    assert not fnmatch(label, patterns["mllog-predictions"])


def test_views_are_deterministic():
    """Built twice they are the same to the byte, in the order of their ids, so importing twice changes nothing."""
    assert json.dumps(data_views()) == json.dumps(data_views())
    assert [view["id"] for view in data_views()] == sorted(VIEWS)
