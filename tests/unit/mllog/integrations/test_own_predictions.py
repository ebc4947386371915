"""Handlers that log for themselves: whose prediction stands for the request, and what is told of an answer that failed."""

from __future__ import annotations

import asyncio
import datetime as dt
from collections import Counter
from concurrent.futures import ThreadPoolExecutor
from contextlib import ExitStack
from typing import TYPE_CHECKING, Any

import numpy as np
import pytest
from fastapi import BackgroundTasks, FastAPI, HTTPException
from flask import Flask, abort, jsonify, request
from hypothesis import given, settings
from hypothesis import strategies as st
from support import servers

import mllog
from mllog.card import ModelCard
from mllog.integrations.asgi import MllogMiddleware
from mllog.integrations.wsgi import MllogMiddleware as WsgiMiddleware
from mllog.ruler import Feature, Ruler
from mllog.testing import Captured, assert_valid, capture_events
from watchers.show import gather
from watchers.stores import open_store

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator
    from pathlib import Path

DOORS = ["async", "thread", "wsgi"]
REQUEST = {"x-request-id": "r-1", "traceparent": "00-4bf92f3577b34da6a3ce929d0e0e4736-00f067aa0ba902b7-01"}
NOW = dt.datetime(2026, 1, 2, 12, 30, tzinfo=dt.UTC)


@pytest.fixture
def shadow() -> Iterator[Captured]:
    """Another model's logger."""
    with capture_events("shadow", role="shadow") as captured:
        yield captured


def serve(
    door: str, log: mllog.ModelLogger, handle: Callable[[dict[str, Any]], Any], *loggers: mllog.ModelLogger
) -> int:
    """The status of one request to a server whose handler is the function, behind a middleware of each logger."""
    if door == "wsgi":
        flask = Flask("server")

        @flask.post("/predict")
        def predict() -> Any:
            return jsonify(handle(request.get_json()))

        for one in (*loggers, log):
            flask.wsgi_app = WsgiMiddleware(flask.wsgi_app, one)  # type: ignore[method-assign]
        with servers.wsgi(flask) as place:
            return place.ask("/predict", {"a": 1.0}, REQUEST).status
    app = FastAPI()
    if door == "async":

        @app.post("/predict")
        async def predict_in_task(row: dict[str, Any]) -> Any:
            return handle(row)
    else:

        @app.post("/predict")
        def predict_in_thread(row: dict[str, Any]) -> Any:
            return handle(row)

    for one in (*loggers, log):
        app.add_middleware(MllogMiddleware, log=one)
    with servers.asgi(app) as place:
        return place.ask("/predict", {"a": 1.0}, REQUEST).status


def refuse(door: str, status: int) -> None:
    """Answer by a status, as a handler of this framework does."""
    if door == "wsgi":
        abort(status)
    raise HTTPException(status)


def outputs(captured: Captured) -> list[dict[str, Any]]:
    """Events of outputs that came apart."""
    events = [event for event in captured.events("prediction") if event["event"]["action"] == "output"]
    if events:
        assert_valid(events)
    assert captured.log.status().rejected == 0
    return events


@pytest.mark.parametrize("door", DOORS)
def test_another_models_prediction_is_another_models(captured: Captured, shadow: Captured, door: str) -> None:
    """The request is the middleware's logger's all the same; the other's events have the request's ids."""

    def handle(row: dict[str, Any]) -> Any:
        shadow.log.prediction(row, 0.7, "s1")
        return {"score": 0.3}

    assert serve(door, captured.log, handle) == 200
    (event,), (other,) = captured.predictions(), shadow.predictions()
    assert (event["ml"]["prediction_id"], event["ml"]["outputs"]["score"]) == ("r-1", 0.3)
    assert event["ml"]["inputs"] == {"number": {"a": 1.0}}
    assert (other["ml"]["prediction_id"], other["ml"]["outputs"]["score"]) == ("s1", 0.7)
    assert other["trace"] == event["trace"] == {"id": "4bf92f3577b34da6a3ce929d0e0e4736"}
    assert other["http"]["request"]["id"] == "r-1"


@pytest.mark.parametrize("door", DOORS)
def test_a_failure_behind_the_handlers_own_prediction(captured: Captured, shadow: Captured, door: str) -> None:
    """It is told under the prediction's id, with exception, route and status, and is no second prediction."""

    def handle(row: dict[str, Any]) -> Any:
        captured.log.prediction(row, 0.5, "p1")
        shadow.log.prediction(row, 0.7, "s1")
        raise ZeroDivisionError("in the answer")

    assert serve(door, captured.log, handle) == 500
    (prediction,), (failure,) = captured.predictions(), outputs(captured)
    assert prediction["event"]["outcome"] == "success"
    assert failure["event"]["outcome"] == "failure"
    assert failure["event"]["duration"] > 0
    assert prediction["ml"]["prediction_id"] == failure["ml"]["prediction_id"] == "p1"
    assert failure["ml"].keys().isdisjoint({"inputs", "outputs", "bins", "missing"})
    assert (failure["error"]["type"], failure["error"]["message"]) == ("ZeroDivisionError", "in the answer")
    assert "in handle" in failure["error"]["stack_trace"]
    assert failure["http"] == {
        "request": {"id": "r-1", "method": "POST"},
        "response": {"status_code": 500},
        "route": "/predict",
    }
    assert failure["trace"] == prediction["trace"]
    assert outputs(shadow) == []


@pytest.mark.parametrize("door", DOORS)
@pytest.mark.parametrize(("status", "told"), [(503, True), (422, False), (404, False)])
def test_answers_that_are_errors(captured: Captured, door: str, status: int, *, told: bool) -> None:
    """5xx is a failure, without an exception where the framework answered it itself; 4xx is none."""

    def handle(row: dict[str, Any]) -> Any:
        captured.log.prediction(row, 0.5, "p1")
        refuse(door, status)

    assert serve(door, captured.log, handle) == status
    assert len(captured.predictions()) == 1
    failures = outputs(captured)
    assert [event["http"]["response"]["status_code"] for event in failures] == [status] * told
    assert not [event for event in failures if "error" in event]


@pytest.mark.parametrize("door", DOORS)
def test_a_failure_that_the_prediction_tells_itself(captured: Captured, door: str) -> None:
    """Where the last prediction is a failure nothing is said twice; what fails behind a second try is said."""

    def once(row: dict[str, Any]) -> Any:
        with captured.log.request(row, "p1"):
            raise ZeroDivisionError("in the model")

    def by_its_error(row: dict[str, Any]) -> Any:
        captured.log.prediction(row, error=ZeroDivisionError("in the model"))
        raise ValueError("in the model")

    def again(row: dict[str, Any]) -> Any:
        try:
            once(row)
        except ZeroDivisionError:
            captured.log.prediction(row, 0.5, "p2")
        raise ValueError("in the answer")

    assert serve(door, captured.log, once) == 500
    assert [event["event"]["outcome"] for event in captured.predictions()] == ["failure"]
    assert serve(door, captured.log, by_its_error) == 500
    assert outputs(captured) == []
    assert serve(door, captured.log, again) == 500
    assert [event["event"]["outcome"] for event in captured.predictions()[2:]] == ["failure", "success"]
    assert [event["error"]["type"] for event in outputs(captured)] == ["ValueError"]


@pytest.mark.parametrize("door", DOORS)
def test_sampling_keeps_the_failure(door: str) -> None:
    """By the rule for failures, though the prediction itself was left out before anybody knew; else by the draw."""
    for always, expected in ((("failure",), ["tail"]), ((), [])):
        sampling = mllog.Sampling(rate=1e-9, always=always, seed=1)  # type: ignore[arg-type]
        with capture_events(sampling=sampling) as captured:

            def handle(row: dict[str, Any], log: mllog.ModelLogger = captured.log) -> Any:
                log.prediction(row, 0.9, "p1")
                raise ZeroDivisionError

            assert serve(door, captured.log, handle) == 500
            assert captured.predictions() == []
            assert [event["ml"]["sample"] for event in outputs(captured)] == expected
            assert captured.log.status().sampled_out == 2 - len(expected)


def test_by_which_id_a_failure_is_found(captured: Captured) -> None:
    """The prediction's own, else its event's; where there are several, that of the request, which all of them carry."""
    rows = [{"a": 1.0}, {"a": 2.0}]
    ids: list[str] = []
    cases: list[tuple[Callable[[], object], Callable[[], str]]] = [
        (lambda: captured.log.prediction(rows[0], 0.5, 7), lambda: "7"),  # type: ignore[arg-type]
        (lambda: ids.append(captured.log.prediction(rows[0], 0.5)), lambda: ids[-1]),
        (lambda: [captured.log.prediction(row, 0.5, "p") for row in rows], lambda: "r-1"),
        (lambda: captured.log.batch({"a": np.arange(3.0)}), lambda: "r-1"),
    ]
    for log_own, expected in cases:

        def handle(row: dict[str, Any], log_own: Callable[[], object] = log_own) -> Any:
            log_own()
            raise ZeroDivisionError

        assert serve("async", captured.log, handle) == 500
        assert outputs(captured)[-1]["ml"]["prediction_id"] == expected()
    assert {event["http"]["request"]["id"] for event in captured.predictions()} == {"r-1"}
    assert len(outputs(captured)) == len(cases)


def test_what_readers_make_of_a_failure(tmp_path: Path) -> None:
    """`mllog show` joins both events by either id, and a profile counts one prediction."""
    card = ModelCard(model="model", version="1", ruler=Ruler((Feature("a", "number"),)))
    ids: list[str] = []
    with mllog.ModelLogger(
        "model", version="1", card=card, sink=tmp_path, clock=lambda: int(NOW.timestamp() * 1e9)
    ) as log:

        def handle(row: dict[str, Any]) -> Any:
            ids.append(log.prediction(row, 0.5, None if not ids else "p2"))
            raise ZeroDivisionError

        for _ in range(2):
            assert serve("async", log, handle) == 500
    store = open_store(str(tmp_path))
    for key in (ids[0], "p2", ids[1]):
        decision = gather(store, key)
        assert decision is not None
        assert Counter(event["event"]["action"] for event in decision["events"]) == {"predict": 1, "output": 1}
        assert decision["joined"]["parts"]["output"]["value"]["score"] == 0.5
        assert decision["joined"]["conflicts"] == []
    hour = dt.timedelta(hours=1)
    profiles = store.profiles("model", card.ruler, NOW - hour, NOW + hour)
    assert sum(profile.n for profile in profiles) == 2


def test_of_an_exception_no_more_than_the_policy_can_look_at() -> None:
    """Its text may quote what went in, which an event without inputs can't know: only its type is told."""
    rows = {"a": [float(k) for k in range(60)], "customer": [f"C-{k % 20:05}" for k in range(60)]}
    policy = {"features": {"customer": "drop"}}
    card = ModelCard.from_frame(rows, "model", "1", policy=policy)
    with capture_events(card=card) as captured:

        def handle(row: dict[str, Any]) -> Any:
            captured.log.prediction({**row, "customer": "C-00004711"}, 0.5, "p1")
            raise KeyError("C-00004711")

        assert serve("async", captured.log, handle) == 500
        (failure,) = outputs(captured)
        assert failure["error"] == {"type": "KeyError"}
        assert not [line for line in captured.lines if b"4711" in line]


@pytest.mark.parametrize("door", DOORS)
def test_two_middlewares_tell_a_failure_once(captured: Captured, shadow: Captured, door: str) -> None:
    """Of one logger; a middleware of another logger has an event of its own, with the exception."""

    def handle(row: dict[str, Any]) -> Any:
        captured.log.prediction(row, 0.5, "p1")
        raise ZeroDivisionError

    assert serve(door, captured.log, handle, captured.log, shadow.log) == 500
    assert len(captured.predictions()) == len(outputs(captured)) == 1
    (other,) = shadow.predictions()
    assert (other["event"]["outcome"], other["error"]["type"]) == ("failure", "ZeroDivisionError")
    assert outputs(shadow) == []


def test_requests_that_would_be_no_event(captured: Captured) -> None:
    """A GET, and a path that isn't among the middleware's: what its handler logs may fail all the same."""
    app = FastAPI()
    app.add_middleware(MllogMiddleware, log=captured.log, paths=["/predict"])

    @app.get("/predict")
    @app.get("/other")
    def handle(how: str = "") -> Any:
        if how:
            captured.log.prediction({"a": 1.0}, 0.5, how)
        raise ZeroDivisionError

    with servers.asgi(app) as place:
        for path in ("/predict", "/other", "/predict?how=p1", "/other?how=p2"):
            assert place.ask(path).status == 500
    assert [event["ml"]["prediction_id"] for event in captured.predictions()] == ["p1", "p2"]
    assert [event["ml"]["prediction_id"] for event in outputs(captured)] == ["p1", "p2"]


def test_what_happens_behind_the_answer(captured: Captured) -> None:
    """Whoever has the answer has it: a task in the background that fails later is none of the request's business."""
    app = FastAPI()
    app.add_middleware(MllogMiddleware, log=captured.log, paths=["/own", "/late"])

    def later(name: str) -> None:
        if name != "own":
            captured.log.prediction({"a": 1.0}, 0.5, name)
        raise ZeroDivisionError

    @app.post("/{name}")
    def handle(name: str, tasks: BackgroundTasks, row: dict[str, Any]) -> Any:
        if name == "own":
            captured.log.prediction(row, 0.5, name)
        tasks.add_task(later, name)
        return {"score": 0.5}

    with servers.asgi(app) as place:
        for name in ("own", "late", "other"):
            assert place.ask(f"/{name}", {"a": 1.0}, {"x-request-id": "r-1"}).status == 200
    assert [event["ml"]["prediction_id"] for event in captured.predictions()] == ["own", "r-1", "late", "other"]
    assert outputs(captured) == []


def test_threads_of_the_handler(captured: Captured) -> None:
    """A thread that inherits the context speaks for the request, one that doesn't is somebody else."""
    app = FastAPI()
    app.add_middleware(MllogMiddleware, log=captured.log)

    @app.post("/{how}")
    async def handle(how: str, row: dict[str, Any]) -> Any:
        if how == "inherits":
            await asyncio.gather(*(asyncio.to_thread(captured.log.prediction, row, 0.5, f"p{k}") for k in range(8)))
        else:
            with ThreadPoolExecutor(1) as threads:
                threads.submit(captured.log.prediction, row, 0.5, "own").result()
        raise ZeroDivisionError

    with servers.asgi(app) as place:
        for how in ("inherits", "alone"):
            assert place.ask(f"/{how}", {"a": 1.0}, {"x-request-id": how}).status == 500
    inherited, alone = captured.predictions()[:8], captured.predictions()[8:]
    assert {event["ml"]["prediction_id"] for event in inherited} == {f"p{k}" for k in range(8)}
    assert [event["ml"]["prediction_id"] for event in alone] == ["own", "alone"]
    assert [event["ml"]["prediction_id"] for event in outputs(captured)] == ["inherits"]


def test_a_prediction_that_could_not_be_made_is_none() -> None:
    """It is counted, and the request is logged instead."""
    broken: list[bool] = []

    def clock() -> int:
        if broken:
            raise RuntimeError("no time")
        return int(NOW.timestamp() * 1e9)

    with capture_events(clock=clock) as captured:

        def handle(row: dict[str, Any]) -> Any:
            broken.append(True)
            captured.log.prediction(row, 0.5, "p1")
            broken.clear()
            return {"score": 0.3}

        assert serve("async", captured.log, handle) == 200
        (event,) = captured.predictions()
        assert event["ml"]["prediction_id"] == "r-1"
        assert captured.log.status().rejected == 1


LOGGERS = st.sampled_from(["champion", "shadow", "other"])


@settings(max_examples=60, deadline=None)
@given(
    around=st.lists(LOGGERS | st.none(), max_size=4, unique=True),
    within=st.lists(st.tuples(LOGGERS, st.booleans()), max_size=4),
    raises=st.booleans(),
)
def test_every_logger_has_its_event_and_its_failure(
    around: list[str | None], within: list[tuple[str, bool]], raises: bool
) -> None:
    """Whatever middlewares and predictions: a logger's own stand for the request, and a failure is told once."""
    with ExitStack() as stack:
        captured = {name: stack.enter_context(capture_events(name)) for name in ("champion", "shadow", "other")}

        async def app(scope: Any, receive: Any, send: Any) -> None:
            await receive()
            for name, failed in within:
                captured[name].log.prediction({"a": 2.0}, outcome="failure" if failed else "success")
            if raises:
                raise ZeroDivisionError
            await send({"type": "http.response.start", "status": 200, "headers": []})
            await send({"type": "http.response.body"})

        served: Any = app
        for name in around:
            served = MllogMiddleware(served, captured[name].log if name is not None else None)

        async def receive() -> dict[str, Any]:
            return {"type": "http.request", "body": b'{"a": 1}'}

        async def send(message: Any) -> None: ...

        headers = [(b"content-type", b"application/json"), (b"content-length", b"8")]
        scope = {"type": "http", "method": "POST", "path": "/", "headers": headers}
        try:
            asyncio.run(served(scope, receive, send))
        except ZeroDivisionError:
            assert raises
        for name, one in captured.items():
            own = [failed for logger, failed in within if logger == name]
            expected = ["failure" if failed else "success" for failed in own]
            if not own and name in around:
                expected = ["failure" if raises else "success"]
            assert [event["event"]["outcome"] for event in one.predictions()] == expected
            told = bool(own) and not own[-1] and raises and name in around
            assert [event["event"]["outcome"] for event in outputs(one)] == ["failure"] * told
