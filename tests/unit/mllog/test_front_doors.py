"""The same event from each front door."""

from __future__ import annotations

import io
import json
import logging
import pickle
from typing import TYPE_CHECKING, Any

import numpy as np
import pandas as pd
import pytest
import structlog
from sklearn.linear_model import LinearRegression, LogisticRegression

import mllog
from mllog.integrations.stdlib import EventFormatter, EventHandler
from mllog.processors import as_event, deliver
from mllog.testing import Captured, capture_events

if TYPE_CHECKING:
    from collections.abc import Iterator

NOON = 1_767_355_200_000_000_000
ROW = {"distance": 500.0, "carrier": "ZZ", "night": None, "nan": float("nan"), "array": np.arange(3)}
OUTPUT = {"label": "late", "score": 0.81}
KEYS: dict[str, Any] = {"prediction_id": "p1", "trace_id": "t1", "latency": 0.5, "labels": {"tenant": "x"}}


@pytest.fixture(autouse=True)
def restored_structlog() -> Iterator[None]:
    """structlog's configuration is global; it is put back."""
    yield
    structlog.reset_defaults()


def direct(log: mllog.ModelLogger) -> None:
    log.prediction(ROW, OUTPUT, "p1", trace_id="t1", latency=0.5, labels={"tenant": "x"}, message="predicted")


def stdlib_logger(handler: logging.Handler) -> logging.Logger:
    logger = logging.Logger("front-door")  # noqa: LOG001
    logger.addHandler(handler)
    return logger


def by_handler(log: mllog.ModelLogger) -> None:
    stdlib_logger(EventHandler(log)).info("predicted", extra={"inputs": ROW, "output": OUTPUT, **KEYS})


def by_formatter(log: mllog.ModelLogger) -> str:
    stream = io.StringIO()
    handler = logging.StreamHandler(stream)
    handler.setFormatter(EventFormatter(log))
    stdlib_logger(handler).info("predicted", extra={"inputs": ROW, "output": OUTPUT, **KEYS})
    return stream.getvalue()


def by_configured_structlog(log: mllog.ModelLogger) -> None:
    mllog.configure_structlog(log)
    structlog.get_logger().info("predicted", inputs=ROW, output=OUTPUT, **KEYS)


def by_deliver(log: mllog.ModelLogger) -> None:
    structlog.wrap_logger(structlog.PrintLogger(), processors=[deliver(log)]).info(
        "predicted", inputs=ROW, output=OUTPUT, **KEYS
    )


def by_as_event(log: mllog.ModelLogger) -> str:
    stream = io.StringIO()
    processors = [as_event(log), structlog.processors.JSONRenderer()]
    structlog.wrap_logger(structlog.PrintLogger(stream), processors=processors).info(
        "predicted", inputs=ROW, output=OUTPUT, **KEYS
    )
    return stream.getvalue()


def event_from(door: Any, **options: Any) -> dict[str, Any]:
    with capture_events(clock=lambda: NOON, **options) as captured:
        text = door(captured.log)
        event: dict[str, Any] = json.loads(text) if text else captured.events("prediction")[-1]
    event["event"].pop("id")
    event["ml"].pop("sequence")
    return event


@pytest.mark.parametrize("with_card", [False, True])
@pytest.mark.parametrize("door", [by_handler, by_formatter, by_configured_structlog, by_deliver, by_as_event])
def test_the_same_event(door: Any, with_card: bool, request: pytest.FixtureRequest) -> None:
    """Whichever way a prediction comes in, the event is the same but for its id and number."""
    options = {"card": request.getfixturevalue("card")} if with_card else {}
    assert event_from(door, **options) == event_from(direct, **options)


def test_other_records_pass(captured: Captured, capsysbinary: pytest.CaptureFixture[bytes]) -> None:
    """What is no prediction stays an ordinary log line, as strict JSON."""
    stream = io.StringIO()
    handler = logging.StreamHandler(stream)
    handler.setFormatter(EventFormatter(captured.log))
    logger = stdlib_logger(handler)
    logger.addHandler(EventHandler(captured.log))
    try:
        raise ValueError("bad")  # noqa: TRY301
    except ValueError:
        logger.exception("failed %s", 5, extra={"n": float("nan"), "odd": {1, 2}})
    line = json.loads(stream.getvalue())
    assert line["message"] == "failed 5"
    assert line["log"] == {"level": "error", "logger": "front-door"}
    assert line["labels"] == {"n": None, "odd": [1, 2]}
    assert "ValueError: bad" in line["error"]["stack_trace"]
    mllog.configure_structlog(captured.log)
    structlog.get_logger().warning("hello", n=float("nan"), odd={1})
    line = json.loads(capsysbinary.readouterr().out)
    assert (line["message"], line["level"], line["n"], line["odd"]) == ("hello", "warning", None, [1])
    assert captured.events("prediction") == []


def test_failures_keep_their_exception() -> None:
    """An exception in the log call makes the prediction a failure."""
    with capture_events() as captured:
        logger = structlog.wrap_logger(structlog.PrintLogger(), processors=[deliver(captured.log)])
        try:
            raise ValueError("bad")  # noqa: TRY301
        except ValueError as error:
            stdlib_logger(EventHandler(captured.log)).exception("failed", extra={"inputs": ROW})
            logger.error("failed", inputs=ROW, exc_info=True)  # noqa: G201
            logger.error("failed", inputs=ROW, exc_info=error)  # noqa: TRY400
            logger.error("failed", inputs=ROW, exc_info=(ValueError, error, None))  # noqa: TRY400
        for event in captured.events("prediction"):
            assert event["event"]["outcome"] == "failure"
            assert event["error"]["type"] == "ValueError"
        assert len(captured.events("prediction")) == 4


FRAME = pd.DataFrame({"a": [0.0, 1.0, 2.0, 3.0], "b": [1.0, 0.0, 1.0, 0.0]})


def test_a_wrapped_classifier() -> None:
    """Answers are the estimator's own; one event a row, with label, score and scores."""
    model = LogisticRegression().fit(FRAME, ["no", "no", "yes", "yes"])
    with capture_events() as captured:
        wrapped = mllog.wrap(model, captured.log)
        assert list(wrapped.predict(FRAME)) == list(model.predict(FRAME))
        assert np.array_equal(wrapped.predict_proba(FRAME), model.predict_proba(FRAME))
        assert wrapped.coef_ is model.coef_
        assert repr(wrapped) == repr(model)
        events = captured.events("prediction")
    assert len(events) == 8
    assert events[0]["ml"]["inputs"] == {"number": {"a": 0.0, "b": 1.0}}
    assert events[0]["ml"]["outputs"] == {"label": "no"}
    outputs = events[7]["ml"]["outputs"]
    assert outputs["label"] == "yes"
    assert outputs["score"] == outputs["scores"]["yes"] > 0.5
    assert events[7]["event"]["duration"] >= 0


def test_a_wrapped_regression_of_arrays() -> None:
    """Arrays have the names that the estimator was fitted with, else x0, x1, …"""
    named = LinearRegression().fit(FRAME, [0.0, 0.1, 0.2, 0.3])
    nameless = LinearRegression().fit(FRAME.to_numpy(), [0.0, 0.1, 0.2, 0.3])
    with capture_events() as captured:
        mllog.wrap(nameless, captured.log).predict(FRAME.to_numpy()[:1])
        with pytest.warns(UserWarning, match="feature names"):
            mllog.wrap(named, captured.log).predict(FRAME.to_numpy()[:1])
        first, second = captured.events("prediction")
    assert first["ml"]["inputs"]["number"] == {"x0": 0.0, "x1": 1.0}
    assert second["ml"]["inputs"]["number"] == {"a": 0.0, "b": 1.0}
    assert first["ml"]["outputs"]["value"] == pytest.approx(0.0, abs=1e-9)
    assert "score" not in first["ml"]["outputs"]


def test_a_wrapped_estimator_that_fails() -> None:
    """The estimator's exception goes on; what it was asked is logged as failures."""
    with capture_events() as captured:
        wrapped = mllog.wrap(LogisticRegression(), captured.log)
        with pytest.raises(Exception, match="not fitted"):
            wrapped.predict(FRAME)
        with pytest.raises(Exception, match="not fitted"):
            wrapped.predict(5)
        events = captured.events("prediction")
        assert captured.log.status().rejected == 1
    assert [event["event"]["outcome"] for event in events] == ["failure"] * 4
    assert events[0]["error"]["type"] == "NotFittedError"


def test_a_wrapped_estimator_stays_what_it_is() -> None:
    """Attributes are set on the estimator, and a half-made stand-in doesn't recurse for ever."""
    with capture_events() as captured:
        model = LinearRegression()
        wrapped = mllog.wrap(model, captured.log)
        wrapped.note = 5
        assert model.note == 5  # type: ignore[attr-defined]
        with pytest.raises(AttributeError):
            type(wrapped).__new__(type(wrapped)).anything  # noqa: B018
        assert pickle.loads(pickle.dumps(model)).note == 5
