from __future__ import annotations

import asyncio
import contextvars
import random
from concurrent.futures import ThreadPoolExecutor

import pytest

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


def test_facts_carry_what_is_bound_too() -> None:
    """Labels and figures of a request are found by its trace as its predictions are."""
    with capture_events() as captured, context.bind(trace={"id": "t"}, user="ann"):
        captured.log.label("a", "late")
        captured.log.kpi("revenue", 5.0)
        captured.log.step("join")
        events = [event for event in captured.events() if event["event"]["action"] != "deploy"]
    assert [event["trace"] for event in events] == [{"id": "t"}] * 3
    assert [event["user"] for event in events] == [{"id": "ann"}] * 3


def test_what_an_event_says_itself_wins() -> None:
    """Its own user and trace stand where others are bound; an inner block's where an outer one has some."""
    with capture_events() as captured, context.bind(trace={"id": "t"}, user="ann"):
        captured.log.prediction({"x": 1}, user="bob", trace_id="own")
        with context.bind(user="eve"):
            captured.log.prediction({"x": 1})
        first, second = captured.predictions()
    assert (first["user"], first["trace"]) == ({"id": "bob"}, {"id": "own"})
    assert (second["user"], second["trace"]) == ({"id": "eve"}, {"id": "t"})


def test_what_the_logger_writes_itself_cannot_be_bound(caplog: pytest.LogCaptureFixture) -> None:
    """It is left out with a warning; odd values are typed, and later changes of them aren't seen."""
    url = {"path": "/a", "odd": {1}}
    with capture_events() as captured, context.bind(ml={"x": 1}, event="none", url=url):
        url["path"] = "/b"
        captured.log.prediction({"x": 1})
        (event,) = captured.predictions()
    assert event["ml"]["inputs"] == {"number": {"x": 1}}
    assert event["url"] == {"path": "/a", "odd": [1]}
    assert "event, ml can't be bound" in caplog.text


def test_threads_see_what_is_bound_where_they_are_given_it() -> None:
    """asyncio's threads inherit the context, others run in a copy of it."""
    with capture_events() as captured:

        async def serve() -> None:
            with context.bind(trace={"id": "t"}):
                await asyncio.to_thread(captured.log.prediction, {"x": 1})

        asyncio.run(serve())
        with context.bind(trace={"id": "u"}), ThreadPoolExecutor(1) as threads:
            threads.submit(contextvars.copy_context().run, captured.log.prediction, {"x": 1}).result()
            threads.submit(captured.log.prediction, {"x": 1}).result()
        events = captured.predictions()
    assert [event.get("trace") for event in events] == [{"id": "t"}, {"id": "u"}, None]


def test_a_block_of_a_request_takes_its_inputs_late() -> None:
    """Set inside of the block, they are kept as they are at that moment."""
    row = {"x": 1}
    with capture_events() as captured:
        with captured.log.request(user="ann", labels={"k": 1}) as request:
            request.inputs = row
            row["x"] = 2
            assert request.inputs is row
        (event,) = captured.predictions()
    assert event["ml"]["inputs"] == {"number": {"x": 1}}
    assert (event["user"], event["labels"]) == ({"id": "ann"}, {"k": 1})


def test_a_clock_that_fails_fails_no_request() -> None:
    """The block, the decorator and the step go on; the event that can't be stamped is counted."""

    def broken() -> int:
        raise OSError("no clock")

    with capture_events(clock=broken) as captured:
        with captured.log.request({"x": 1}) as request:
            request.output = 0.5
        assert captured.log.monitor(lambda row: 0.5)({"x": 1}) == 0.5
        with captured.log.timed("join"):
            pass
        assert captured.log.status().rejected == 4
        assert captured.events() == []


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


def test_sampling_leaves_the_models_random_numbers_alone() -> None:
    """A model that seeds the shared generator gets its own numbers, and doesn't decide what is kept."""
    random.seed(7)
    expected = [random.random() for _ in range(5)]
    with capture_events(sampling=0.5) as captured:
        drawn = []
        random.seed(7)
        for _ in range(5):
            captured.log.prediction({"x": 1})
            drawn.append(random.random())
        for _ in range(100):
            random.seed(7)
            captured.log.prediction({"x": 1})
        kept = len(captured.events("prediction"))
    assert expected == drawn
    assert 20 < kept < 85
