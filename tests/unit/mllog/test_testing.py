"""What users' tests are given."""

from __future__ import annotations

import copy
from typing import Any

import pytest

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
        (("event", "duration"), 1.5, "event.duration is no long"),
        (("@timestamp",), "noon", "@timestamp is no date"),
        (("event", "id"), None, "an event has no event.id"),
    ],
)
def test_what_is_wrong_is_named(path: tuple[str, ...], value: Any, message: str) -> None:
    """A field that isn't in the table, one of another type, one that must be there."""
    with capture_events() as captured:
        captured.log.prediction({"a": 1.0})
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
