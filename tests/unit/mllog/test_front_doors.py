"""The same event from each front door."""

from __future__ import annotations

import asyncio
import copy
import io
import json
import logging
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import numpy as np
import pandas as pd
import pytest
import structlog
from sklearn.linear_model import LogisticRegression
from support import servers
from support.hostile import HOSTILE

import mllog
from mllog.integrations import asgi, wsgi
from mllog.integrations.stdlib import EventFormatter, EventHandler
from mllog.processors import as_event, deliver
from mllog.testing import Captured, assert_valid, capture_events

if TYPE_CHECKING:
    from collections.abc import AsyncIterator, Callable

NOON = 1_767_355_200_000_000_000
ROW = {"distance": 500.0, "carrier": "ZZ", "night": None, "nan": float("nan"), "array": np.arange(3)}
OUTPUT = {"label": "late", "score": 0.81}
TRACE = "4bf92f3577b34da6a3ce929d0e0e4736"
KEYS: dict[str, Any] = {
    "prediction_id": "p1",
    "trace_id": TRACE,
    "latency": 0.5,
    "labels": {"tenant": "x"},
    "user": "u1",
}
HEADERS = {"x-request-id": "p1", "traceparent": f"00-{TRACE}-00f067aa0ba902b7-01"}
HTTP = frozenset({"http", "url", "span", "transaction"})


@pytest.fixture(autouse=True)
def restored_structlog() -> Iterator[None]:
    """structlog's configuration is global; it is put back."""
    yield
    structlog.reset_defaults()


def fail(features: Any) -> Any:
    raise ValueError(f"bad {len(features)}")


def answer(features: Any) -> Any:
    assert features["distance"] == 500.0
    return OUTPUT


def by_request(log: mllog.ModelLogger, predict: Callable[[Any], Any]) -> None:
    with log.request(ROW, "p1", TRACE, user="u1", labels={"tenant": "x"}) as request:
        request.output = predict(ROW)


def by_async_request(log: mllog.ModelLogger, predict: Callable[[Any], Any]) -> None:
    async def serve() -> None:
        async with log.request(ROW, "p1", TRACE, user="u1", labels={"tenant": "x"}) as request:
            await asyncio.sleep(0)
            request.output = predict(ROW)

    asyncio.run(serve())


def by_monitor(log: mllog.ModelLogger, predict: Callable[[Any], Any]) -> None:
    @log.monitor(id="name", user="who")
    def monitored(features: Any, name: str, who: str) -> Any:
        return predict(features)

    monitored(ROW, "p1", "u1")


def by_async_monitor(log: mllog.ModelLogger, predict: Callable[[Any], Any]) -> None:
    @log.monitor(id="name", user="who")
    async def monitored(features: Any, name: str, who: str) -> Any:
        await asyncio.sleep(0)
        return predict(features)

    asyncio.run(monitored(ROW, "p1", "u1"))


def by_generator(log: mllog.ModelLogger, predict: Callable[[Any], Any]) -> None:
    @log.monitor(id="name", user="who")
    def monitored(features: Any, name: str, who: str) -> Iterator[Any]:
        yield predict(features)

    list(monitored(ROW, "p1", "u1"))


def by_async_generator(log: mllog.ModelLogger, predict: Callable[[Any], Any]) -> None:
    @log.monitor(id="name", user="who")
    async def monitored(features: Any, name: str, who: str) -> AsyncIterator[Any]:
        await asyncio.sleep(0)
        yield predict(features)

    async def consume() -> None:
        async for _ in monitored(ROW, "p1", "u1"):
            pass

    asyncio.run(consume())


def stdlib_logger(handler: logging.Handler) -> logging.Logger:
    logger = logging.Logger("front-door")  # noqa: LOG001
    logger.addHandler(handler)
    return logger


def say(logger: Any, predict: Callable[[Any], Any], keys: Callable[[dict[str, Any]], dict[str, Any]]) -> None:
    """A prediction as model code logs it that has a logger of a framework."""
    try:
        output = predict(ROW)
    except ValueError:
        logger.exception("predicted", **keys({"inputs": ROW, **KEYS}))
        raise
    logger.info("predicted", **keys({"inputs": ROW, "output": output, **KEYS}))


def by_handler(log: mllog.ModelLogger, predict: Callable[[Any], Any]) -> None:
    say(stdlib_logger(EventHandler(log)), predict, lambda given: {"extra": given})


def by_formatter(log: mllog.ModelLogger, predict: Callable[[Any], Any]) -> Iterator[str]:
    stream = io.StringIO()
    handler = logging.StreamHandler(stream)
    handler.setFormatter(EventFormatter(log))
    try:
        say(stdlib_logger(handler), predict, lambda given: {"extra": given})
    finally:
        yield stream.getvalue()


def by_configured_structlog(log: mllog.ModelLogger, predict: Callable[[Any], Any]) -> None:
    assert mllog.configure_structlog(log) is log
    say(structlog.get_logger(), predict, dict)


def by_deliver(log: mllog.ModelLogger, predict: Callable[[Any], Any]) -> None:
    say(structlog.wrap_logger(structlog.PrintLogger(), processors=[deliver(log)]), predict, dict)


def by_as_event(log: mllog.ModelLogger, predict: Callable[[Any], Any]) -> Iterator[str]:
    stream = io.StringIO()
    processors = [as_event(log), structlog.processors.JSONRenderer()]
    try:
        say(structlog.wrap_logger(structlog.PrintLogger(stream), processors=processors), predict, dict)
    finally:
        yield stream.getvalue()


def by_batch(log: mllog.ModelLogger, predict: Callable[[Any], Any]) -> None:
    log.batch(pd.DataFrame([{**ROW, "name": "p1"}]), outputs=[predict(ROW)], id="name")


def by_asgi(log: mllog.ModelLogger, predict: Callable[[Any], Any]) -> None:
    async def app(scope: Any, receive: Any, send: Any) -> None:
        if scope["type"] == "http":
            said = json.dumps(predict(json.loads((await receive())["body"]))).encode()
            headers = [(b"content-type", b"application/json"), (b"content-length", str(len(said)).encode())]
            await send({"type": "http.response.start", "status": 200, "headers": headers})
            await send({"type": "http.response.body", "body": said})

    with servers.asgi(asgi.MllogMiddleware(app, log, user=lambda scope: "u1")) as place:
        place.ask("/predict", {**ROW, "array": [0, 1, 2]}, HEADERS)


def by_wsgi(log: mllog.ModelLogger, predict: Callable[[Any], Any]) -> None:
    def app(environ: Any, start_response: Any) -> list[bytes]:
        said = json.dumps(predict(json.loads(environ["wsgi.input"].read(int(environ["CONTENT_LENGTH"]))))).encode()
        start_response("200 OK", [("Content-Type", "application/json"), ("Content-Length", str(len(said)))])
        return [said]

    with servers.wsgi(wsgi.MllogMiddleware(app, log, user=lambda environ: "u1")) as place:
        place.ask("/predict", {**ROW, "array": [0, 1, 2]}, HEADERS)


@dataclass
class Door:
    """A front door.

    Attributes:
        use: Hands over a prediction that a function makes; gives what it wrote where that isn't the logger's business.
        carries: Which arguments of the direct call it has a place for.
        adds: Top-level fields that it adds.
    """

    use: Callable[[mllog.ModelLogger, Callable[[Any], Any]], Any]
    carries: tuple[str, ...] = ("id", "trace_id", "labels", "user")
    adds: frozenset[str] = frozenset()


FRAMEWORK = ("id", "trace_id", "labels", "user", "message")
DOORS = {
    "request": Door(by_request),
    "async request": Door(by_async_request),
    "monitor": Door(by_monitor, ("id", "user")),
    "async monitor": Door(by_async_monitor, ("id", "user")),
    "generator": Door(by_generator, ("id", "user")),
    "async generator": Door(by_async_generator, ("id", "user")),
    "stdlib handler": Door(by_handler, FRAMEWORK),
    "stdlib formatter": Door(by_formatter, FRAMEWORK),
    "configure_structlog": Door(by_configured_structlog, FRAMEWORK),
    "structlog deliver": Door(by_deliver, FRAMEWORK),
    "structlog as_event": Door(by_as_event, FRAMEWORK),
    "batch": Door(by_batch, ("id",)),
    "asgi": Door(by_asgi, ("id", "trace_id", "user"), HTTP),
    "wsgi": Door(by_wsgi, ("id", "trace_id", "user"), HTTP),
}
ALL: dict[str, Any] = {
    "id": "p1",
    "trace_id": TRACE,
    "labels": {"tenant": "x"},
    "user": "u1",
    "message": "predicted",
}


def comparable(event: dict[str, Any], adds: frozenset[str] = frozenset()) -> dict[str, Any]:
    """An event without id, time, number, duration (and its bin), and what a door adds."""
    event = {name: value for name, value in event.items() if name not in adds | {"@timestamp"}}
    event["event"] = {name: value for name, value in event["event"].items() if name not in {"id", "duration"}}
    event["ml"] = {name: value for name, value in event["ml"].items() if name != "sequence"}
    if "bins" in event["ml"]:
        event["ml"]["bins"] = [name for name in event["ml"]["bins"] if not name.startswith("@latency")]
    return event


def event_of(door: Door, predict: Callable[[Any], Any], options: dict[str, Any]) -> dict[str, Any]:
    before = copy.deepcopy(ROW)
    with capture_events(**options) as captured:
        written: list[str] = []
        try:
            written.extend(door.use(captured.log, predict) or ())  # what came before an exception stays
        except ValueError as error:
            assert str(error) == "bad 5"  # noqa: PT017
        events = [json.loads(text) for text in written] or captured.predictions()
        assert captured.log.status().rejected == 0
    assert_valid(events)
    assert str(before) == str(ROW)
    (event,) = events
    return event


@pytest.mark.parametrize("with_card", [False, True], ids=["without a card", "with a card"])
@pytest.mark.parametrize("name", DOORS)
def test_the_same_event(name: str, with_card: bool, request: pytest.FixtureRequest) -> None:
    """Whichever way a prediction comes in, the event is the same but for its stamp and what the door adds."""
    door = DOORS[name]
    options = {"card": request.getfixturevalue("card")} if with_card else {}
    given = {key: ALL[key] for key in door.carries}
    direct = Door(lambda log, predict: log.prediction(ROW, predict(ROW), **given) and None)
    event = event_of(door, answer, options)
    assert comparable(event, door.adds) == comparable(event_of(direct, answer, options))
    assert door.adds <= event.keys()


@pytest.mark.parametrize("name", [name for name in DOORS if name != "batch"])
def test_the_same_failure(name: str) -> None:
    """Whichever way, a model that raises is a failure with type, message and stack, and the exception goes on."""
    door = DOORS[name]
    event = event_of(door, fail, {})
    assert event["event"]["outcome"] == "failure"
    assert (event["error"]["type"], event["error"]["message"]) == ("ValueError", "bad 5")
    assert "in fail\n" in event["error"]["stack_trace"]
    assert event["ml"]["prediction_id"] == "p1"
    assert "outputs" not in event["ml"]
    assert event["ml"]["inputs"]["number"] == {"distance": 500.0}


@pytest.mark.parametrize("with_card", [False, True], ids=["without a card", "with a card"])
def test_the_same_event_from_an_estimator(with_card: bool, request: pytest.FixtureRequest) -> None:
    """A wrapped estimator's rows are the events of direct calls with the estimator's answers."""
    options = {"card": request.getfixturevalue("card")} if with_card else {}
    frame = pd.DataFrame({"distance": [100.0, 900.0, 500.0], "weight": [1.0, 2.0, 3.0]})
    model = LogisticRegression().fit(frame, ["on time", "late", "late"])
    proba = model.predict_proba(frame)
    with capture_events(**options) as captured:
        mllog.wrap(model, captured.log).predict_proba(frame)
        for row, (late, on_time) in zip(frame.to_dict("records"), proba.tolist(), strict=True):
            output = {
                "label": "late" if late > on_time else "on time",
                "score": on_time,
                "scores": {"late": late, "on time": on_time},
            }
            captured.log.prediction(row, output)
        events = captured.predictions()
    assert_valid(events)
    assert [comparable(event) for event in events[:3]] == [comparable(event) for event in events[3:]]


def test_other_keys_are_labels() -> None:
    """What is logged with a prediction and means nothing to it isn't lost; what frameworks add themselves is no label."""
    with capture_events() as captured:
        logger = stdlib_logger(EventHandler(captured.log))
        logger.info("predicted %d", 5, extra={"inputs": {"a": 1}, "tenant": "x", "labels": {"k": 1}}, stack_info=True)
        mllog.configure_structlog(captured.log)
        bound = structlog.get_logger().bind(tenant="x")
        with structlog.contextvars.bound_contextvars(trace_id=TRACE):
            bound.info("predicted 5", inputs={"a": 1}, labels={"k": 1}, level=3)
        first, second = captured.predictions()
    assert first["labels"] == {"tenant": "x", "k": 1}
    assert second["labels"] == {"tenant": "x", "k": 1, "level": 3}
    assert first["message"] == second["message"] == "predicted 5"
    assert second["trace"] == {"id": TRACE}


def test_wrong_keys_lose_no_prediction() -> None:
    """An error that is a text, an outcome that is none, labels that aren't named: the event is written all the same."""
    with capture_events() as captured:
        logger = structlog.wrap_logger(structlog.PrintLogger(), processors=[deliver(captured.log)])
        logger.info("predicted", inputs={"a": 1}, error="no such file")
        logger.info("predicted", inputs={"a": 1}, outcome=["odd"], labels=[1, 2])
        logger.info("predicted", inputs={"a": 1}, exc_info=True)  # noqa: LOG014 - by mistake
        stdlib_logger(EventHandler(captured.log)).info("%d", "x", extra={"inputs": {"a": 1}})
        first, second, third, fourth = captured.predictions()
        assert captured.log.status().rejected == 0
    assert (first["event"]["outcome"], first["error"]) == ("failure", {"message": "no such file"})
    assert "labels" not in first
    assert (second["event"]["outcome"], second["labels"]) == ("unknown", {"labels": [1, 2], "outcome": ["odd"]})
    assert third["event"]["outcome"] == "success"
    assert fourth["message"] == "%d"


def test_exceptions_in_each_form() -> None:
    """exc_info may be True, the exception, or the triple; a record that was through a queue has only its text."""
    with capture_events() as captured:
        handler = EventHandler(captured.log)
        logger = structlog.wrap_logger(structlog.PrintLogger(), processors=[deliver(captured.log)])
        try:
            fail([1])
        except ValueError as error:
            logger.error("failed", inputs=ROW, exc_info=True)  # noqa: G201
            logger.error("failed", inputs=ROW, exc_info=error)  # noqa: TRY400
            logger.error("failed", inputs=ROW, exc_info=(ValueError, error, error.__traceback__))  # noqa: TRY400
            record = stdlib_logger(handler).makeRecord("n", 40, "f", 1, "failed", (), None, extra={"inputs": ROW})
            record.exc_text = "Traceback ..."
            handler.emit(record)
        events = captured.predictions()
    assert [event["event"]["outcome"] for event in events] == ["failure"] * 4
    assert [event["error"]["type"] for event in events[:3]] == ["ValueError"] * 3


def test_other_records_pass(capsysbinary: pytest.CaptureFixture[bytes]) -> None:
    """What is no prediction stays an ordinary log line, as strict JSON, and carries what is bound of the request."""
    stream = io.StringIO()
    handler = logging.StreamHandler(stream)
    with capture_events() as captured, mllog.context.bind(trace={"id": TRACE}):
        handler.setFormatter(EventFormatter(captured.log))
        logger = stdlib_logger(handler)
        logger.addHandler(EventHandler(captured.log))
        try:
            fail([])
        except ValueError:
            logger.exception("failed %s", 5, extra={"n": float("nan"), "odd": {1, 2}})
        line = json.loads(stream.getvalue())
        assert line["message"] == "failed 5"
        assert line["log"] == {"level": "error", "logger": "front-door"}
        assert line["labels"] == {"n": None, "odd": [1, 2]}
        assert "ValueError: bad 0" in line["error"]["stack_trace"]
        assert line["trace"] == {"id": TRACE}
        mllog.configure_structlog(captured.log)
        structlog.get_logger().warning("hello", n=float("nan"), odd={1})
        line = json.loads(capsysbinary.readouterr().out)
        assert (line["message"], line["level"], line["n"], line["odd"]) == ("hello", "warning", None, [1])
        assert line["trace"] == {"id": TRACE}
        assert captured.predictions() == []


def test_no_key_of_the_callers_is_lost() -> None:
    """Names that a framework uses too, names that begin with an underscore, and one name twice: all become labels."""
    with capture_events() as captured:
        extra = {"inputs": {"a": 1}, "event": "checkout", "_trace": "t", "k": 1, "labels": {"k": 2}}
        stdlib_logger(EventHandler(captured.log)).info("predicted", extra=extra)
        mllog.configure_structlog(captured.log)
        own = {"level": "info", "timestamp": 5, "@timestamp": "now", "logger": "L", "stack": "s", "_x": 1, "message": "m"}
        structlog.get_logger().info("predicted", inputs={"a": 1}, **own)
        first, second = captured.predictions()
    assert first["labels"] == {"event": "checkout", "_trace": "t", "k": 2, "k_": 1}
    assert first["message"] == second["message"] == "predicted"
    assert second["labels"] == own


def test_what_structlog_adds_is_no_label() -> None:
    """Level, time and logger that processors put there aren't taken for the caller's; other values of theirs are."""
    adding = [
        structlog.stdlib.add_log_level,
        structlog.stdlib.add_logger_name,
        structlog.processors.TimeStamper(fmt="iso", utc=True),
    ]
    with capture_events() as captured:
        std = logging.getLogger("front-door")
        logger = structlog.wrap_logger(std, processors=[*adding, deliver(captured.log)])
        logger.warning("predicted", inputs={"a": 1}, tenant="x")
        bare = structlog.wrap_logger(structlog.PrintLogger(), processors=[deliver(captured.log)])
        own = {"level": "gold", "timestamp": 5, "logger": "L", "stack": "s"}
        bare.info("predicted", inputs={"a": 1}, **own)
        first, second = captured.predictions()
    assert first["labels"] == {"tenant": "x"}
    assert second["labels"] == own


def test_local_variables_are_not_written(capsysbinary: pytest.CaptureFixture[bytes]) -> None:
    """A traceback on a log line names files and functions, never what was in them."""

    def connect(user: str, password: str) -> None:
        try:
            fail(user)
        except ValueError:
            structlog.get_logger().exception("cannot connect", user=user)

    with capture_events() as captured:
        mllog.configure_structlog(captured.log)
        connect("ann", "hunter2-SECRET")
    written = capsysbinary.readouterr().out
    assert b"hunter2" not in written
    assert b"locals" not in written
    (exception,) = json.loads(written)["exception"]
    assert (exception["exc_type"], exception["exc_value"]) == ("ValueError", "bad 3")
    assert [frame["name"] for frame in exception["frames"]] == ["connect", "fail"]


class Text:
    """A message that can't be shown."""

    def __str__(self) -> str:
        raise RuntimeError("no")


class Store(Mapping[str, Any]):
    """A mapping whose values come from somewhere that is down."""

    def __getitem__(self, key: str) -> Any:
        raise TimeoutError("feature store")

    def __iter__(self) -> Iterator[str]:
        return iter(["a"])

    def __len__(self) -> int:
        return 1


class Undecided:
    """Neither true nor false."""

    def __bool__(self) -> bool:
        raise RuntimeError("no")


ODD = (Text, Store, Undecided, *HOSTILE)


@pytest.mark.usefixtures("capsysbinary")
@pytest.mark.parametrize("number", range(len(ODD)))  # pytest looks at its parameters, which these don't stand
def test_odd_objects_raise_at_no_door(number: int) -> None:
    """Whatever stands under whichever key, the call returns and there is an event."""
    odd: Any = ODD[number]()
    keys = ("output", "prediction_id", "trace_id", "latency", "time", "labels", "outcome", "error", "user", "other")
    with capture_events() as captured:
        std = stdlib_logger(EventHandler(captured.log))
        mllog.configure_structlog(captured.log)
        configured = structlog.get_logger()
        rendering = structlog.wrap_logger(structlog.PrintLogger(io.StringIO()), processors=[as_event(captured.log), structlog.processors.JSONRenderer()])
        calls = 0
        for key in ("inputs", *keys):
            given = {"inputs": {"a": 1}, key: odd}
            std.info("predicted", extra=given)
            configured.info("predicted", **given)
            rendering.info("predicted", **given)
            calls += 3
        std.info(odd, extra={"inputs": {"a": odd}})
        configured.info(odd, inputs={"a": odd}, exc_info=odd)
        configured.info("line", q=odd, exc_info=odd)
        status = captured.log.status()
        captured.log.flush()
        assert_valid(captured.events())
    assert status.rejected == 0
    assert status.accepted == calls + 2 + 1  # the manifest


def test_an_event_that_no_door_can_make_is_counted() -> None:
    """Where not even the keys can be looked at, the call returns all the same."""

    class Keys(dict[str, Any]):
        def __iter__(self) -> Any:
            raise KeyError("no")

        keys = items = __iter__

    with capture_events() as captured:
        record = logging.LogRecord("n", 20, "f", 1, "predicted", (), None)
        record.__dict__.update({"inputs": {"a": 1}, "other": 1})
        handler = EventHandler(captured.log)
        handler.handle(record)
        record.__dict__ = Keys(record.__dict__)
        handler.handle(record)
        for processor in (deliver(captured.log), as_event(captured.log)):
            with pytest.raises(structlog.DropEvent):
                processor(None, "info", Keys(inputs={"a": 1}))
        assert captured.log.status().rejected == 3
        assert len(captured.predictions()) == 1


def test_filters_of_the_handler_count(captured: Captured) -> None:
    """A record that a filter of the handler holds back is no event."""
    handler = EventHandler(captured.log)
    handler.addFilter(lambda record: record.getMessage() == "yes")
    logger = stdlib_logger(handler)
    logger.info("no", extra={"inputs": {"a": 1}})
    logger.info("yes", extra={"inputs": {"a": 1}})
    assert [event["message"] for event in captured.predictions()] == ["yes"]


@pytest.mark.parametrize("more", [{}, {"tenant": "x"}, {"output": 0.5}, {"output": 0.5, "prediction_id": "p"}])
@pytest.mark.parametrize("message", [("predicted",), ("predicted %d", 5), (Text(),)], ids=["text", "arguments", "odd"])
def test_short_and_long_ways_through_the_handler(captured: Captured, more: dict[str, Any], message: Any) -> None:
    """Records with nothing odd about them take a shorter way, to the same event as by the formatter's way."""
    handler, formatter = EventHandler(captured.log), EventFormatter(captured.log)
    logger = stdlib_logger(handler)
    record = logger.makeRecord("n", 20, "f", 1, message[0], message[1:], None, extra={"inputs": {"a": 1}, **more})
    handler.handle(record)
    rendered = json.loads(formatter.format(record))
    (event,) = captured.predictions()
    assert comparable(event) == comparable(rendered)
