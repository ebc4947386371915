from __future__ import annotations

import mllog
from mllog import context
from mllog.testing import capture_events


def test_parts_of_a_prediction_meet_under_its_id() -> None:
    """Inputs now, output later, explanation and outcome at some time: each an event with the same prediction id."""
    with capture_events() as captured:
        captured.log.prediction({"x": 1.0}, id="a")
        captured.log.output("a", {"label": "late", "score": 0.8})
        captured.log.explanation("a", {"x": -0.3, "y": float("nan")})
        captured.log.outcome("a", 12.5)
        captured.log.label("a", "late")
        parts = {event["event"]["action"]: event["ml"] for event in captured.events()}
    assert {ml["prediction_id"] for action, ml in parts.items() if action != "deploy"} == {"a"}
    assert parts["output"]["outputs"] == {"label": "late", "score": 0.8}
    assert "inputs" not in parts["output"]
    assert parts["explain"]["explanation"] == {"features": ["x"], "values": {"x": -0.3}}
    assert parts["outcome"]["outcome"] == {"value": "12.5", "number": 12.5}


def test_what_is_bound_stands_on_every_event_meanwhile() -> None:
    """A middleware binds the request; inner blocks add to outer ones, and nothing stays behind."""
    with capture_events() as captured:
        with context.bind(trace={"id": "t"}), context.bind(http={"request": {"id": "r"}}):
            captured.log.prediction({"x": 1})
        captured.log.prediction({"x": 1})
        inside, outside = captured.events("prediction")
    assert (inside["trace"], inside["http"]) == ({"id": "t"}, {"request": {"id": "r"}})
    assert "trace" not in outside


def test_sampling_counts_what_it_leaves_out() -> None:
    """What isn't kept has no number; how many they were is an event of its own."""
    with capture_events(sampling=mllog.Sampling(rate=0.25)) as captured:
        for k in range(1000):
            captured.log.prediction({"x": k})
        captured.log.flush()
        status = captured.log.status()
        kept = captured.events("prediction")
        told = sum(e["ml"]["metric"]["value"] for e in captured.events("metric"))
    assert len(kept) + status.sampled_out == 1000
    assert 150 < len(kept) < 350
    assert told == status.sampled_out
    assert {(e["ml"]["sample"], e["ml"]["weight"]) for e in kept} == {("head", 4.0)}
    assert sorted(e["ml"]["sequence"]["number"] for e in captured.events()) == list(range(1, status.accepted + 1))
