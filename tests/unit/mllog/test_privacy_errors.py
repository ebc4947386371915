"""Exceptions, and what is said of them, are ``error.*`` by whatever key they come, so the word for messages finds them."""

from __future__ import annotations

import json
import logging
import pickle
import sys
from typing import TYPE_CHECKING, Any

import pytest
import structlog

from mllog import configure_structlog
from mllog.card import ModelCard
from mllog.integrations.stdlib import EventHandler
from mllog.processors import as_event, deliver
from mllog.testing import assert_valid, capture_events
from mllog.values import TEXT_LIMIT

if TYPE_CHECKING:
    from collections.abc import Callable

SECRET = "jane-SECRET"
FAILED = f"failed for {SECRET}"
ROWS: dict[str, list[Any]] = {"a": [float(k) for k in range(60)], "b": ["x", "y"] * 30}
ROW = {"a": 5.0, "b": "x"}
DROPPING = ModelCard.from_frame(ROWS, "m", "1", policy={"messages": "drop"})


def fail() -> None:
    try:
        {}[SECRET]
    except KeyError as error:
        raise ValueError(f"no {SECRET}\nat all") from error


def by_structlog(*processors: Any, **keys: Any) -> Callable[[Any], None]:
    def log_it(log: Any) -> None:
        logger = structlog.wrap_logger(structlog.PrintLogger(), processors=[*processors, deliver(log)])
        try:
            fail()
        except ValueError:
            logger.exception(FAILED, inputs=ROW, **keys)

    return log_it


def by_one_call(**keys: Any) -> Callable[[Any], None]:
    def log_it(log: Any) -> None:
        configure_structlog(log)
        try:
            fail()
        except ValueError:
            structlog.get_logger().exception(FAILED, inputs=ROW, **keys)

    return log_it


def by_logging(**keys: Any) -> Callable[[Any], None]:
    def log_it(log: Any) -> None:
        logger = logging.getLogger("privacy-errors")
        logger.propagate, logger.handlers = False, [EventHandler(log)]
        try:
            fail()
        except ValueError:
            logger.exception("failed for %s", SECRET, extra={"inputs": ROW, **keys})

    return log_it


def through_a_pickle(log: Any) -> None:
    """Of a record from another process there is only what a formatter made of its exception."""
    formatter, handler = logging.Formatter(), EventHandler(log)
    try:
        fail()
    except ValueError:
        record = logging.LogRecord("n", 40, "f", 1, FAILED, (), sys.exc_info())
    record.__dict__["inputs"] = ROW
    formatter.format(record)
    record.exc_info = None
    handler.handle(pickle.loads(pickle.dumps(record)))


STACKS = structlog.processors.StackInfoRenderer()
DOORS: dict[str, Callable[[Any], None]] = {
    "structlog, raw": by_structlog(),
    "structlog, text": by_structlog(STACKS, structlog.processors.format_exc_info, stack_info=True),
    "structlog, frames": by_structlog(structlog.processors.dict_tracebacks),
    "structlog, said": by_structlog(structlog.processors.format_exc_info, error=f"said {SECRET}"),
    "structlog, all said": by_structlog(exc_info=f"no {SECRET}", exception=f"no {SECRET}", error={"a": SECRET}),
    "structlog, own key": by_structlog(trace=f"Traceback (most recent call last):\n  File 'x'\nValueError: {SECRET}"),
    "configure_structlog": by_one_call(stack_info=True),
    "configure_structlog, said": by_one_call(error=f"no {SECRET}", exception=ValueError(SECRET)),
    "logging": by_logging(),
    "logging, said": by_logging(error=f"no {SECRET}", exception=f"no {SECRET}"),
    "logging, two": by_logging(error=KeyError(SECRET)),
    "through a pickle": through_a_pickle,
}


@pytest.mark.parametrize("door", sorted(DOORS))
def test_messages_are_dropped(door: str) -> None:
    """Nothing that was said is written, and the failure still is one."""
    with capture_events("m", card=DROPPING) as captured:
        DOORS[door](captured.log)
        events = captured.predictions()
        assert captured.log.status().rejected == 0
    assert events
    for event in events:
        written = json.dumps(event)
        assert SECRET not in written
        assert "Traceback" not in written
        assert "test_privacy_errors" not in written
        assert event["event"]["outcome"] == "failure"
        assert event.get("error", {}).keys() <= {"type"}


@pytest.mark.parametrize("door", sorted(DOORS))
def test_errors_are_told(door: str) -> None:
    """Without a policy the same is in ``error.*``, as that of an exception is, and in no label."""
    with capture_events("m") as captured:
        DOORS[door](captured.log)
        event, *_ = captured.predictions()
    assert_valid([event])
    assert "labels" not in event
    assert SECRET in event["error"]["message"]
    assert event["error"]["type"] in {"ValueError", "KeyError"}
    trace = event["error"]["stack_trace"]
    assert "Traceback (most recent call last):" in trace
    assert SECRET in trace


def test_what_a_traceback_says() -> None:
    """The class and the message behind it are read, and local variables aren't written."""
    with capture_events("m") as captured:
        for door in ("structlog, raw", "structlog, text", "structlog, frames"):
            DOORS[door](captured.log)
        raw, text, frames = [event["error"] for event in captured.predictions()]
    assert raw["type"] == text["type"] == frames["type"] == "ValueError"
    assert raw["message"] == text["message"] == frames["message"] == f"no {SECRET}\nat all"
    assert text["stack_trace"].startswith("Stack (most recent call last):")
    assert frames["stack_trace"].count("Traceback (most recent call last):") == 2
    assert ", in fail" in frames["stack_trace"]
    assert "locals" not in json.dumps(frames)


@pytest.mark.parametrize(
    ("keys", "error", "labels", "outcome"),
    [
        ({"error": "no such file"}, {"message": "no such file"}, None, "failure"),
        ({"error": 404}, None, {"error": 404}, "failure"),
        ({"error": ["a", 1]}, {"message": "['a', 1]"}, None, "failure"),
        ({"exception": "died"}, {"message": "died"}, None, "failure"),
        ({"exc_info": 1}, None, {"exc_info": 1}, "success"),
        ({"stack": "blue"}, None, {"stack": "blue"}, "success"),
        ({"stack": "Stack (most recent call last):\n  x"}, {"stack_trace": "Stack (most recent call last):\n  x"}, None, "success"),
        ({"exception": [{"exc_type": "E"}]}, {"message": "[{'exc_type': 'E'}]"}, None, "failure"),
        ({"error": "odd", "outcome": "unknown"}, {"message": "odd"}, None, "unknown"),
        ({"exception": "E: x\n" * 4000}, {"cut": True}, None, "failure"),
        ({"x": "Traceback (most recent call last):\n" + "  y\n" * 4000 + "a.b.E: z"}, {"cut": True}, None, "failure"),
    ],
)  # fmt: skip
def test_what_is_said_without_an_exception(
    keys: dict[str, Any], error: dict[str, str] | None, labels: dict[str, Any] | None, outcome: str
) -> None:
    """A text is a message, a number stays a label, and a label that a framework's key is called by stays one."""
    with capture_events("m") as captured:
        structlog.wrap_logger(structlog.PrintLogger(), processors=[deliver(captured.log)]).info("p", inputs=ROW, **keys)
        (event,) = captured.predictions()
    assert_valid([event])
    assert event["event"]["outcome"] == outcome
    assert event.get("labels") == labels
    if error == {"cut": True}:
        assert event["ml"]["truncated"] == ["@error"]
        assert all(len(text) < TEXT_LIMIT + 30 for text in event["error"].values())
    else:
        assert event.get("error") == error


def test_rendered_events_too() -> None:
    """What another renderer writes is the same event."""
    captured: list[dict[str, Any]] = []
    with capture_events("m", card=DROPPING) as capturing:
        logger = structlog.wrap_logger(
            structlog.PrintLogger(),
            processors=[structlog.processors.format_exc_info, as_event(capturing.log), lambda _, __, event: captured.append(event) or ""],
        )  # fmt: skip
        try:
            fail()
        except ValueError:
            logger.exception("failed", inputs=ROW, error=SECRET)
    assert captured[0]["error"] == {"type": "ValueError"}
    assert SECRET not in json.dumps(captured)
