from __future__ import annotations

import asyncio
import contextvars
import random
from concurrent.futures import ThreadPoolExecutor
from types import MappingProxyType
from typing import TYPE_CHECKING, Any

import numpy as np
import pandas as pd
import pytest
from hypothesis import given
from hypothesis import strategies as st

import mllog
from mllog import context
from mllog.testing import assert_valid, capture_events

if TYPE_CHECKING:
    from collections.abc import Callable

    from mllog.card import ModelCard


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


def told(log_it: Callable[[mllog.ModelLogger], object], **options: Any) -> dict[str, Any]:
    """``ml`` of the one event that a call logs, without what all events have."""
    with capture_events(**options) as captured:
        log_it(captured.log)
        (event,) = [event for event in captured.events() if event["event"]["action"] != "deploy"]
        assert_valid([event])
    return {k: v for k, v in event["ml"].items() if k not in {"model", "environment", "sequence", "prediction_id"}}


VECTOR = [0.1 * k for k in range(40)]


@pytest.mark.parametrize(
    ("given", "values"),
    [
        (pd.Series({"a": 0.5, "b": -1.0}), {"b": -1.0, "a": 0.5}),
        ({"a": np.float32(0.5)}, {"a": 0.5}),
        (MappingProxyType({"a": 1}), {"a": 1.0}),
        ([0.5, 1.0], {"x1": 1.0, "x0": 0.5}),
        (np.array([[0.5, 1.0]]), {"x1": 1.0, "x0": 0.5}),
        (np.array(VECTOR), {f"x{k}": VECTOR[k] for k in range(39, 29, -1)}),
    ],
    ids=["Series", "numpy scalars", "mapping", "list", "matrix of one row", "long vector"],
)
def test_explanations_in_each_form(given: Any, values: dict[str, float]) -> None:
    """What explainers give: named or a vector, of which the ten greatest are kept; nothing is marked."""
    expected = {"explanation": {"features": list(values), "values": values}}
    assert told(lambda log: log.explanation("p", given)) == expected
    assert told(lambda log: log.output("p", {"explanation": given})) == expected


def test_vectors_have_the_cards_names(card: ModelCard) -> None:
    """Where a vector is as long as the card's list of features, it is in their order."""
    names = [feature.name for feature in card.ruler.inputs]
    found = told(lambda log: log.explanation("p", np.arange(len(names))), card=card)
    assert found["explanation"]["values"] == {name: float(k) for k, name in enumerate(names)}


@pytest.mark.parametrize(
    ("given", "kept"),
    [
        ({"a": "x", "b": 1}, {"b": 1.0}),
        ({"a": [0.1, 0.2]}, {}),
        ({"a": float("nan"), "b": 1}, {"b": 1.0}),
        ({1: 0.5, "1": 0.25}, {"1": 0.5}),
        ({"": 0.5}, {"unnamed": 0.5}),
        ("much", {}),
        (5, {}),
        (iter([1]), {}),
        ([0.5, "x"], {"x0": 0.5}),
    ],
)
def test_attributions_that_are_none_are_marked(given: Any, kept: dict[str, float]) -> None:
    """What is no finite number under a name of its own isn't kept, and the event says so."""
    found = told(lambda log: log.explanation("p", given))
    assert found["explanation"]["values"] == kept
    assert found["replaced"] == ["@explanation"]


@pytest.mark.parametrize(
    ("log_it", "mark"),
    [
        (lambda log: log.label("p", float("nan")), "@label"),
        (lambda log: log.label("p", float("-inf")), "@label"),
        (lambda log: log.label("p", 2**70), "@label"),
        (lambda log: log.label("p", "a\ud800"), "@label"),
        (lambda log: log.label("p", iter("ab")), "@label"),
        (lambda log: log.label("p", "late", annotator=" "), "@annotator"),
        (lambda log: log.outcome("p", float("nan")), "@outcome"),
        (lambda log: log.outcome("p", "a\ud800"), "@outcome"),
        (lambda log: log.kpi("rev", "12.5 EUR"), "@metric"),
        (lambda log: log.kpi("rev", float("nan")), "@metric"),
        (lambda log: log.cost("a\ud800", 1.0), "@metric"),
        (lambda log: log.kpi("rev", 1.0, unit=""), "@unit"),
        (lambda log: log.step("join", rows_in="5"), "@rows_in"),
        (lambda log: log.step("join", 5, 1.5), "@rows_out"),
        (lambda log: log.step("join", duration="fast"), "@duration"),
        (lambda log: log.step("join", outcome="bogus"), "@outcome"),
        (lambda log: log.prediction({}, latency="fast"), "@latency"),
        (lambda log: log.prediction({}, latency=float("nan")), "@latency"),
        (lambda log: log.prediction({}, outcome="bogus"), "@outcome"),
        (lambda log: log.prediction({}, labels={"a": float("nan")}), "@labels"),
        (lambda log: log.prediction({}, labels={"a": 2**70}), "@labels"),
        (lambda log: log.prediction({}, labels={1: 1, "1": 2}), "@labels"),
        (lambda log: log.prediction({}, labels={"": 1}), "@labels"),
        (lambda log: log.prediction({}, labels={"a": ["\udfff"]}), "@labels"),
        (lambda log: log.prediction({}, id="p\ud800"), "@prediction_id"),
        (lambda log: log.prediction({}, message="\ud800"), "@message"),
        (lambda log: log.prediction({}, "\ud800"), "@label"),
    ],
)
def test_what_is_replaced_is_marked(log_it: Callable[[mllog.ModelLogger], object], mark: str) -> None:
    """No value vanishes without a word: what can't be written as it was given is named."""
    assert told(log_it)["replaced"] == [mark]


@pytest.mark.parametrize(
    ("log_it", "mark"),
    [
        (lambda log: log.prediction({}, labels={f"k{k}": k for k in range(101)}), "@labels"),
        (lambda log: log.prediction({}, labels={"a": "x" * 9000}), "@labels"),
        (lambda log: log.prediction({}, labels={"x" * 300: 1}), "@labels"),
        (lambda log: log.prediction({}, message="x" * 9000), "@message"),
        (lambda log: log.prediction({}, error=ValueError("x" * 9000)), "@error"),
        (lambda log: log.label("p", "x" * 9000), "@label"),
        (lambda log: log.kpi("x" * 300, 1.0), "@metric"),
        (lambda log: log.step("x" * 300), "@step"),
    ],
)
def test_what_is_cut_is_marked(log_it: Callable[[mllog.ModelLogger], object], mark: str) -> None:
    """The same of what was too long or too many."""
    found = told(log_it)
    assert found["truncated"] == [mark]
    assert "replaced" not in found


def test_what_is_kept_is_not_marked() -> None:
    """Ordinary values of each kind leave no mark, and neither does a null."""

    def log_all(log: mllog.ModelLogger) -> None:
        labels = {"a": 1, "b": None, "c": [1.5, "x"], "d": {"e": True}, 5: "x"}
        log.prediction({"x": 1}, 0.5, "p", latency=0.5, labels=labels, message="x", error=ValueError("x"))
        log.prediction({"x": 1}, outcome="unknown")
        log.label("p", None)
        log.label("p", pd.NA)
        log.label("p", True, annotator="ann")
        log.outcome("p", "churned")
        log.kpi("rev", np.float64(12.5), unit="EUR")
        log.cost("tokens", 5)
        log.step("join", np.int64(5), 4.0, duration=0.5)
        log.explanation("p", {"x": 1})

    with capture_events() as captured:
        log_all(captured.log)
        events = captured.events()
        assert_valid(events)
    assert len(events) == 11
    assert not any({"replaced", "truncated"} & event["ml"].keys() for event in events)


@given(st.text(max_size=300) | st.integers() | st.floats() | st.none())
def test_all_parts_meet_under_one_id(id_: Any) -> None:
    """Whatever is given for an id, prediction and later parts write the same, or none of them writes one."""
    with capture_events() as captured:
        captured.log.prediction({"x": 1}, 0.5, id_)
        captured.log.output(id_, 0.5)
        captured.log.label(id_, "late")
        captured.log.kpi("rev", 1.0, id_)
        captured.log.batch({"x": [1], "id": [id_]}, id="id")
        events = [event for event in captured.events() if event["event"]["action"] != "deploy"]
    assert len(events) == 5
    assert len({event["ml"].get("prediction_id") for event in events}) == 1
