"""What users' tests are given."""

from __future__ import annotations

import copy
import itertools
import json
import logging
import threading
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

import mllog
from mllog.delivery import settings
from mllog.environment import Manifest
from mllog.errors import SettingError
from mllog.testing import assert_valid, capture_events, redirect


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
            {
                "distance": 1e9,
                "carrier": "ZZ",
                "night": "x",
                "remarks": "late zebra",
                "embedding": [1, 2],
                "new.name": 1,
            },
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
        (("event", "id"), "p1", "event.id is no id"),
        (("ml", "outputs", "score"), 7.5, "ml.outputs.score isn't within 0 and 1"),
        (("ml", "outputs", "score"), -0.1, "ml.outputs.score isn't within 0 and 1"),
        (("ml", "weight"), -3.0, "ml.weight is below 1"),
        (("ml", "weight"), 0.5, "ml.weight is below 1"),
        (("ml", "weight"), 2.0, "ml.sample and ml.weight come together"),
        (("ml", "sample"), "head", "ml.sample and ml.weight come together"),
        (("ml", "sequence", "number"), -1, "ml.sequence.number is below 1"),
        (("ml", "sequence"), None, "an event has no ml.sequence.process"),
        (("ml", "text"), {"a": {"tokens": -1}}, "ml.text.a.tokens is below 0"),
        (("event", "duration"), -5, "event.duration is below 0"),
        (("event", "outcome"), None, "an event has no event.outcome"),
        (("event", "dataset"), "nonsense", "event.dataset is none of predict events of a model"),
        (("event", "dataset"), "mllog.metric", "event.dataset is none of predict events of a model"),
        (("data_stream", "dataset"), "mllog.prediction.other", "data_stream.dataset isn't event.dataset"),
        (("data_stream", "namespace"), "Pro-d", "data_stream.namespace is no namespace"),
        (("event", "action"), "kpi", "event.dataset is none of kpi events"),
        (("http",), {"response": {"status_code": 42}}, "http.response.status_code isn't within 100 and 599"),
        (("process", "pid"), None, "an event has no process.pid"),
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


@pytest.mark.parametrize(("action", "name"), [("step", "step"), ("kpi", "metric"), ("deploy", "manifest")])
def test_what_only_some_events_must_have(action: str, name: str) -> None:
    """A step has a name, a figure too, a deployment its manifest."""
    with capture_events() as captured:
        captured.log.step("join", 1, 2)
        captured.log.kpi("revenue", 5)
        (event,) = (event for event in captured.events() if event["event"]["action"] == action)
    assert_valid([event])
    del event["ml"][name]
    with pytest.raises(AssertionError, match=rf"an event of {action} has no ml\.{name}"):
        assert_valid([event])


def test_no_event_is_not_valid() -> None:
    """A test that looks for events of a kind that nobody logged proves nothing."""
    with capture_events() as captured, pytest.raises(AssertionError, match="there is no event"):
        assert_valid(captured.predictions())
    with pytest.raises(AssertionError, match="there is no event"):
        assert_valid(event for event in ())


@given(st.floats(1e-9, 1, exclude_min=True), st.floats(0, 1), st.floats(0, 1e9))
def test_what_a_logger_writes_is_within_the_ranges(rate: float, score: float, latency: float) -> None:
    """Whatever the share that is kept, the score and the time it took."""
    with capture_events(sampling=mllog.Sampling(rate, always=("failure",))) as captured:
        captured.log.prediction({"a": 1.0}, {"score": score}, latency=latency, outcome="failure")
        captured.log.prediction({"a": 1.0}, {"score": score}, latency=latency)
        assert_valid(captured.events())


def written(folder: Path) -> list[dict[str, Any]]:
    """Events that an application's logger wrote, in their order."""
    lines = [line for path in sorted(folder.glob("*/*.ndjson")) for line in path.read_text().splitlines()]
    return sorted(map(json.loads, lines), key=lambda event: event["ml"]["sequence"]["number"])


def inputs(events: list[dict[str, Any]]) -> list[Any]:
    return [e["ml"]["inputs"]["number"]["k"] for e in events if e["event"]["action"] == "predict"]


def application(folder: Path, **options: Any) -> mllog.ModelLogger:
    """A logger as applications make theirs, in a variable of a module."""
    options = {"environment": Manifest(python="3"), "resources": 0, **options}
    return mllog.ModelLogger("app", version="3", sink=folder, **options)


def test_an_applications_own_logger(tmp_path: Path) -> None:
    """Within the block events are in memory, before and behind it where the logger writes; no number is missing there."""
    log = application(tmp_path, flush_interval=3600)
    log.prediction({"k": 1})
    with redirect(log) as captured:
        assert inputs(written(tmp_path)) == [1]  # what waited is where it was to go
        log.prediction({"k": 2}, 0.5, id="p2")
        log.batch({"k": [3.0, 4.0]})
        log.label("p2", "late")
        assert inputs(captured.predictions()) == [2, 3, 4]
        assert captured.log is log
        assert_valid(captured.events())
    log.prediction({"k": 5})
    log.close()
    events = written(tmp_path)
    assert inputs(events) == [1, 5]
    numbers = [event["ml"]["sequence"]["number"] for event in events]
    assert numbers == list(range(1, len(events) + 1))
    assert inputs(captured.predictions()) == [2, 3, 4]
    status = log.status()
    assert (status.dropped, status.rejected, status.accepted) == (0, 0, len(events))
    assert {event["ml"]["model"]["name"] for event in captured.events()} == {"app"}


def test_it_stays_the_logger_that_it_is(tmp_path: Path, card: Any) -> None:
    """Its card measures, its clock stamps, its policy keeps back; only the draw is off."""
    card = mllog.ModelCard(model="app", version="3", ruler=card.ruler, task="classification", policy={"user": "drop"})
    log = application(
        tmp_path, card=card, sampling=mllog.Sampling(1e-9, always=()), clock=lambda: 10**18, role="shadow"
    )
    with redirect(log) as captured:
        for _ in range(20):
            log.prediction({"distance": 1e9}, {"label": "late"}, user="ann-marie")
        events = captured.predictions()
    assert len(events) == 20
    assert events[0]["@timestamp"].startswith("2001-09-09T01:46:40")
    assert events[0]["ml"]["violations"]["range"] == ["distance"]
    assert events[0]["ml"]["model"]["role"] == "shadow"
    assert "weight" not in events[0]["ml"]
    assert "ann-marie" not in json.dumps(captured.events())
    log.prediction({"k": 1})
    assert log.status().sampled_out == 1
    log.close()


def test_an_application_that_closes_its_logger(tmp_path: Path) -> None:
    """A server does so at its end: the next test finds the logger as it was, and so does the one behind a failure."""
    log = application(tmp_path)
    for k in range(3):
        with pytest.raises(ZeroDivisionError), redirect(log) as captured:
            log.prediction({"k": k})
            log.close()
            log.prediction({"k": -k})
            assert inputs(captured.predictions()) == [k, -k]
            raise ZeroDivisionError
    log.prediction({"k": 7})
    log.close()
    with redirect(log) as captured:
        log.prediction({"k": 8})
        assert inputs(captured.predictions()) == [8]
    assert inputs(written(tmp_path)) == [7]


def test_blocks_within_blocks(tmp_path: Path) -> None:
    """Each event is in the innermost that was open when it was logged."""
    log = application(tmp_path)
    with redirect(log) as outer:
        log.prediction({"k": 1})
        with redirect(log) as inner:
            log.prediction({"k": 2})
        log.prediction({"k": 3})
        assert (inputs(outer.predictions()), inputs(inner.predictions())) == ([1, 3], [2])
    log.close()
    assert inputs(written(tmp_path)) == []


def test_threads_that_log_meanwhile(tmp_path: Path) -> None:
    """Each event is in memory or where the logger writes, once, whatever the moment."""
    log = application(tmp_path)
    stop, counter, logged = threading.Event(), itertools.count(), []

    def work() -> None:
        while not stop.is_set():
            k = next(counter)
            log.prediction({"k": k})
            logged.append(k)
            stop.wait(0.0002)

    threads = [threading.Thread(target=work) for _ in range(4)]
    for thread in threads:
        thread.start()
    captures = []
    for _ in range(20):
        with redirect(log) as captured:
            stop.wait(0.005)
        captures.append(captured)
    stop.set()
    for thread in threads:
        thread.join()
    log.close()
    found = inputs(written(tmp_path)) + [k for captured in captures for k in inputs(captured.predictions())]
    assert sorted(found) == sorted(logged)
    assert any(captured.predictions() for captured in captures)


def test_front_doors_need_not_know(tmp_path: Path) -> None:
    """A handler, a decorated function and a wrapped request that were made with the logger before."""
    from mllog.integrations.stdlib import EventHandler

    log = application(tmp_path)
    logger = logging.getLogger("test_front_doors_need_not_know")
    logger.propagate = False
    logger.addHandler(EventHandler(log))
    predict = log.monitor(lambda row: row["k"])
    with redirect(log) as captured:
        logger.warning("predicted", extra={"inputs": {"k": 1}, "output": 0.5})
        predict({"k": 2})
        with log.request({"k": 3}) as request:
            request.output = 0.1
        assert inputs(captured.predictions()) == [1, 2, 3]
    log.close()
    assert inputs(written(tmp_path)) == []


def test_only_a_logger_can_be_redirected() -> None:
    """It is said before the block begins."""
    with pytest.raises(SettingError, match="is no logger"), redirect("app.log"):  # type: ignore[arg-type]
        pass
