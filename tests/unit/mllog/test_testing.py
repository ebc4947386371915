"""What users' tests are given."""

from __future__ import annotations

import copy
from typing import Any

import pytest

from mllog.delivery import settings
from mllog.testing import assert_valid, capture_events


def test_predictions_are_whole_ones() -> None:
    """Later parts, labels and what the process says of itself aren't among them."""
    with capture_events("flight-delay", version="7") as captured:
        captured.log.prediction({"a": 1.0}, 0.5, id="p1")
        captured.log.output("p1", 0.7)
        captured.log.explanation("p1", {"a": 0.1})
        captured.log.label("p1", "late")
        (event,) = captured.predictions()
        assert len(captured.events("prediction")) == 3
        assert len(captured.events()) == len(captured.lines) == 5
    assert event["ml"]["model"] == {"name": "flight-delay", "version": "7", "role": "champion"}


def test_every_kind_of_event_is_valid(card: Any) -> None:
    """All fields of all kinds are in the table, of the types that it says."""
    with capture_events(card=card) as captured:
        log = captured.log
        log.prediction(
            {"distance": 1e9, "carrier": "ZZ", "night": "x", "remarks": "late zebra", "embedding": [1, 2], "new.name": 1},
            {"label": "late", "score": 0.5, "value": 3, "scores": {"late": 0.5}, "top_k": ["late"], "more": {1}},
            "p1",
            trace_id="t",
            latency=0.1,
            labels={"a": {"b": 1}},
            error=ValueError("bad"),
            message="x",
            user="u",
        )
        log.explanation("p1", {"distance": 0.1})
        log.label("p1", 5, annotator="me")
        log.outcome("p1", 1.5)
        log.kpi("revenue", 5, unit="EUR")
        log.step("join", 1, 2, duration=0.1)
        assert_valid(captured.events())


@pytest.mark.parametrize(
    ("path", "value", "message"),
    [
        (("ml", "wrong"), 1, "ml.wrong is in no table"),
        (("wrong",), {"a": 1}, "wrong.a is in no table"),
        (("ml", "inputs", "number", "a.b"), "1", "ml.inputs.number.a.b is no double"),
        (("ml", "inputs", "number", "a"), True, "ml.inputs.number.a is no double"),
        (("ml", "missing"), {"null": [1]}, "ml.missing.null is no keyword"),
        (("ml", "missing"), {"null": "a"}, "ml.missing.null is no list"),
        (("ml", "replaced"), "a", "ml.replaced is no list"),
        (("ml", "outputs", "score"), [0.1, 0.2], "ml.outputs.score is a list"),
        (("ml", "outputs", "score"), float("nan"), "ml.outputs.score is nothing that JSON can hold"),
        (("ml", "outputs", "scores"), "x", "ml.outputs.scores is no object"),
        (("ml", "outputs", "other"), {"a": [2**70]}, "ml.outputs.other is nothing that JSON can hold"),
        (("ml", "text"), {"a": {"tokens": 2**31}}, "ml.text.a.tokens is no integer"),
        (("ml", "sample"), "middle", "ml.sample is none of head, tail"),
        (("ml", "model", "role"), "king", "ml.model.role is none of"),
        (("labels",), "x", "labels is no flattened"),
        (("labels",), {"a": float("inf")}, "labels is nothing that JSON can hold"),
        (("event", "outcome"), "bogus", "event.outcome is none of failure, success, unknown"),
        (("event", "action"), "think", "event.action is none of"),
        (("event", "duration"), 1.5, "event.duration is no long"),
        (("event", "duration"), 2**70, "event.duration is no long"),
        (("@timestamp",), "noon", "@timestamp is no date"),
        (("event", "id"), None, "an event has no event.id"),
    ],
)
def test_what_is_wrong_is_named(path: tuple[str, ...], value: Any, message: str) -> None:
    """A field that isn't in the table, one of another type, one that must be there."""
    with capture_events() as captured:
        captured.log.prediction({"a": 1.0}, {"label": "late"})
        (event,) = captured.predictions()
    wrong = copy.deepcopy(event)
    inner = wrong
    for name in path[:-1]:
        inner = inner[name]
    inner[path[-1]] = value
    if value is None:
        del inner[path[-1]]
    with pytest.raises(AssertionError, match=message.replace(".", r"\.")):
        assert_valid([event, wrong])


@pytest.mark.parametrize(
    ("name", "value"),
    [
        ("SAMPLING", "0.001"),
        ("CARD", "/nowhere/card.json"),
        ("SINK", "/nowhere/events"),
        ("ROLE", "king"),
        ("NAMESPACE", "Not One"),
        ("OVERFLOW", "x"),
        ("MAX_BYTES", "1"),
        ("DURABLE", "x"),
        ("SERVICE", "mine"),
    ],
)
def test_variables_of_whoever_runs_a_test_say_nothing(name: str, value: str, monkeypatch: pytest.MonkeyPatch) -> None:
    """What is captured is the same on a developer's machine as anywhere else; a logger beside it reads them."""
    monkeypatch.setenv(f"MLLOG_{name}", value)
    with capture_events() as captured:
        for k in range(50):
            captured.log.prediction({"a": k}, 0.5)
        events = captured.predictions()
        assert settings.variable(name.lower()) == value
    assert len(events) == 50
    assert "service" not in events[0]
    assert events[0]["ml"]["model"]["role"] == "champion"


def test_what_is_passed_says_all(card: Any, monkeypatch: pytest.MonkeyPatch) -> None:
    """Arguments still count where variables don't."""
    monkeypatch.setenv("MLLOG_ROLE", "canary")
    with capture_events(card=card, role="shadow", sampling=0.5, service="mine") as captured:
        captured.log.prediction({"distance": 500.0}, {"label": "late"}, error=ValueError("x"))
        (event,) = captured.predictions()
    assert (event["ml"]["model"]["role"], event["service"]) == ("shadow", {"name": "mine"})
    assert "sample" in event["ml"]
    assert "card" in event["ml"]
