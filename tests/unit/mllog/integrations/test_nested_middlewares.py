"""A middleware around another one: one request is one event of each logger, under one id and in one trace."""

from __future__ import annotations

import asyncio
import json
from contextlib import ExitStack
from typing import TYPE_CHECKING, Any

import pytest
from fastapi import FastAPI, HTTPException
from flask import Flask, request
from hypothesis import given, settings
from hypothesis import strategies as st
from support import servers
from werkzeug.middleware.dispatcher import DispatcherMiddleware

from mllog.integrations.asgi import MllogMiddleware
from mllog.integrations.wsgi import MllogMiddleware as WsgiMiddleware
from mllog.testing import Captured, capture_events

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator
    from contextlib import AbstractContextManager

    import mllog

ROW = {"a": 1.0}
Handle = Any
"""What the inner application does with a row."""


@pytest.fixture
def shadow() -> Iterator[Captured]:
    """Another model's logger."""
    with capture_events("shadow") as capture:
        yield capture


def fastapi(
    handle: Handle, outer: mllog.ModelLogger, inner: mllog.ModelLogger
) -> AbstractContextManager[servers.Place]:
    """An application that is mounted in another, each with its middleware."""
    sub, app = FastAPI(), FastAPI()

    @sub.post("/predict")
    def predict(row: dict[str, Any]) -> Any:
        return handle(row)

    sub.add_middleware(MllogMiddleware, log=inner)
    app.mount("/sub", sub)
    app.add_middleware(MllogMiddleware, log=outer)
    return servers.asgi(app)


def flask(handle: Handle, outer: mllog.ModelLogger, inner: mllog.ModelLogger) -> AbstractContextManager[servers.Place]:
    """The same of WSGI."""
    sub, app = Flask("sub"), Flask("app")

    @sub.post("/predict")
    def predict() -> Any:
        return handle(request.get_json())

    sub.wsgi_app = WsgiMiddleware(sub.wsgi_app, inner)  # type: ignore[method-assign]
    together = DispatcherMiddleware(app.wsgi_app, {"/sub": sub})
    return servers.wsgi(WsgiMiddleware(together, outer))


DOORS = [fastapi, flask]


@pytest.mark.parametrize("door", DOORS)
@pytest.mark.parametrize("headers", [{}, {"x-request-id": "r-1"}])
def test_one_logger_around_itself(
    captured: Captured, shadow: Captured, door: Callable[..., Any], headers: dict[str, str]
) -> None:
    """One event, under the id that the answer carries; what is logged meanwhile is of the same request and trace."""

    def handle(row: dict[str, Any]) -> Any:
        shadow.log.prediction(row, 0.7)
        return {"score": 0.3}

    with door(handle, captured.log, captured.log) as place:
        answer = place.ask("/sub/predict", ROW, headers)
    assert answer.json() == {"score": 0.3}
    (event,), (other,) = captured.predictions(), shadow.predictions()
    assert (
        event["ml"]["prediction_id"]
        == answer.headers["x-request-id"]
        == headers.get("x-request-id", event["http"]["request"]["id"])
    )
    assert (event["ml"]["inputs"], event["ml"]["outputs"]["score"]) == ({"number": ROW}, 0.3)
    assert event["http"]["response"]["status_code"] == 200
    assert event["url"]["path"] == "/sub/predict"
    for name in ("trace", "span", "transaction"):
        assert event[name] == other[name]
    assert other["http"]["request"]["id"] == event["ml"]["prediction_id"]


@pytest.mark.parametrize("door", DOORS)
def test_two_loggers(captured: Captured, shadow: Captured, door: Callable[..., Any]) -> None:
    """An event of each, under the one id that the answer carries, and in one trace."""
    with door(lambda row: {"score": row["a"] / 2}, captured.log, shadow.log) as place:
        answer = place.ask("/sub/predict", ROW)
    (event,), (other,) = captured.predictions(), shadow.predictions()
    assert event["ml"]["prediction_id"] == other["ml"]["prediction_id"] == answer.headers["x-request-id"]
    assert event["trace"] == other["trace"]
    assert event["ml"]["outputs"]["score"] == other["ml"]["outputs"]["score"] == 0.5


@pytest.mark.parametrize("door", DOORS)
def test_a_failure_is_one_event(captured: Captured, door: Callable[..., Any]) -> None:
    """With its exception, by the middleware that is nearest to it."""

    def handle(row: dict[str, Any]) -> Any:
        raise ZeroDivisionError("in the model")

    with door(handle, captured.log, captured.log) as place:
        answer = place.ask("/sub/predict", ROW)
        assert place.ask("/sub/nowhere", ROW).status == 404
    assert answer.status == 500
    event = captured.predictions()[0]
    assert (event["event"]["outcome"], event["error"]["type"]) == ("failure", "ZeroDivisionError")
    assert [e["ml"]["prediction_id"] for e in captured.events("prediction")].count(event["ml"]["prediction_id"]) == 1


def test_a_failure_between_the_two(captured: Captured) -> None:
    """The inner one's answer was good, and then the outer application failed: that is told of the one prediction."""
    sub, app = FastAPI(), FastAPI()

    @sub.post("/predict")
    def predict(row: dict[str, Any]) -> Any:
        return {"score": 0.3}

    sub.add_middleware(MllogMiddleware, log=captured.log)

    @app.middleware("http")
    async def broken(request: Any, call_next: Any) -> Any:
        answer = await call_next(request)
        async for _ in answer.body_iterator:
            pass
        raise ZeroDivisionError("in the answer")

    app.mount("/sub", sub)
    app.add_middleware(MllogMiddleware, log=captured.log)
    with servers.asgi(app) as place:
        assert place.ask("/sub/predict", ROW, {"x-request-id": "r-1"}).status == 500
    events = captured.events("prediction")
    assert [(e["event"]["action"], e["event"]["outcome"]) for e in events] == [
        ("predict", "success"),
        ("output", "failure"),
    ]
    assert {e["ml"]["prediction_id"] for e in events} == {"r-1"}


def test_a_middleware_that_has_other_paths(captured: Captured) -> None:
    """Where the inner one doesn't take a request for a prediction the outer one does."""
    sub, app = FastAPI(), FastAPI()

    @sub.post("/{name}")
    def predict(name: str, row: dict[str, Any]) -> Any:
        if name == "refused":
            raise HTTPException(503)
        return {"score": 0.3}

    sub.add_middleware(MllogMiddleware, log=captured.log, paths=["/none"])
    app.mount("/sub", sub)
    app.add_middleware(MllogMiddleware, log=captured.log, user=lambda scope: "ann")
    with servers.asgi(app) as place:
        for name in ("predict", "refused"):
            place.ask(f"/sub/{name}", ROW, {"x-request-id": name})
    found = {event["ml"]["prediction_id"]: event["event"]["outcome"] for event in captured.predictions()}
    assert found == {"predict": "success", "refused": "failure"}
    assert {event["user"]["id"] for event in captured.predictions()} == {"ann"}


def test_a_request_that_a_handler_makes_itself(captured: Captured) -> None:
    """Of the same application, without a socket: it is another request, with an id of its own, and an event of its own."""
    app = FastAPI()
    app.add_middleware(MllogMiddleware, log=captured.log)

    @app.post("/one")
    async def one(row: dict[str, Any]) -> Any:
        return {"score": row["a"] / 10}

    @app.post("/all")
    async def every(rows: dict[str, Any]) -> Any:
        return {"value": sum([json.loads(await ask(app, "/one", {"a": a}))["score"] for a in rows["a"]])}

    with servers.asgi(app) as place:
        assert place.ask("/all", {"a": [1.0, 2.0]}, {"x-request-id": "r-1"}).json() == {"value": pytest.approx(0.3)}
    events = captured.predictions()
    assert [event["http"]["route"] for event in events] == ["/one", "/one", "/all"]
    assert len({event["ml"]["prediction_id"] for event in events}) == 3
    assert events[2]["ml"]["prediction_id"] == "r-1"


async def ask(app: Any, path: str, body: Any) -> bytes:
    """A request to an application in this process."""
    data, parts = json.dumps(body).encode(), []

    async def receive() -> dict[str, Any]:
        return {"type": "http.request", "body": data}

    async def send(message: dict[str, Any]) -> None:
        parts.append(message.get("body", b""))

    headers = [(b"content-type", b"application/json"), (b"content-length", b"%d" % len(data))]
    await app({"type": "http", "method": "POST", "path": path, "query_string": b"", "headers": headers}, receive, send)
    return b"".join(parts)


@pytest.mark.parametrize("door", ["asgi", "wsgi"])
def test_a_scope_that_is_used_again(captured: Captured, door: str) -> None:
    """Clients of tests do so: it is another request all the same."""
    if door == "asgi":
        scope: dict[str, Any] = {
            "type": "http",
            "method": "POST",
            "path": "/",
            "headers": [(b"content-type", b"application/json"), (b"content-length", b"8")],
        }

        async def app(scope: Any, receive: Any, send: Any) -> None:
            await receive()
            await send({"type": "http.response.start", "status": 200, "headers": []})
            await send({"type": "http.response.body"})

        async def receive() -> dict[str, Any]:
            return {"type": "http.request", "body": b'{"a": 1}'}

        async def send(message: Any) -> None: ...

        served = MllogMiddleware(app, captured.log)
        for _ in range(2):
            asyncio.run(served(scope, receive, send))
    else:
        environ = {
            "REQUEST_METHOD": "POST",
            "PATH_INFO": "/",
            "CONTENT_TYPE": "application/json",
            "CONTENT_LENGTH": "8",
        }

        def old(environ: Any, start: Any) -> list[bytes]:
            start("200 OK", [])
            return [b""]

        for _ in range(2):
            WsgiMiddleware(old, captured.log)(environ, lambda status, headers: lambda data: None)
    assert len({event["ml"]["prediction_id"] for event in captured.predictions()}) == 2
    assert len({event["trace"]["id"] for event in captured.predictions()}) == 2


LOGGERS = st.sampled_from(["champion", "shadow"])


@settings(max_examples=50, deadline=None)
@given(around=st.lists(LOGGERS | st.none(), max_size=6), own=st.lists(LOGGERS, max_size=2), raises=st.booleans())
def test_however_many(around: list[str | None], own: list[str], *, raises: bool) -> None:
    """Whatever stands around whatever: each logger has the handler's own predictions, else one event."""
    with ExitStack() as stack:
        captured = {name: stack.enter_context(capture_events(name)) for name in ("champion", "shadow")}

        async def app(scope: Any, receive: Any, send: Any) -> None:
            await receive()
            for name in own:
                captured[name].log.prediction({"a": 2.0})
            if raises:
                raise ZeroDivisionError
            await send({"type": "http.response.start", "status": 200, "headers": []})
            await send({"type": "http.response.body"})

        served: Any = app
        for name in around:
            served = MllogMiddleware(served, captured[name].log if name is not None else None)
        try:
            asyncio.run(ask(served, "/", {"a": 1}))
        except ZeroDivisionError:
            assert raises
        ids = set()
        for name, one in captured.items():
            events = one.predictions()
            assert len(events) == (own.count(name) or (name in around))
            failures = [e for e in one.events("prediction") if e["event"]["action"] == "output"]
            assert len(failures) == (raises and name in own and name in around)
            ids |= {event["http"]["request"]["id"] for event in events if "http" in event}
        assert len(ids) <= 1
