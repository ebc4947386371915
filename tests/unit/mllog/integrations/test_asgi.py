"""The ASGI middleware, in a real server under real frameworks."""

from __future__ import annotations

import asyncio
import http.client
import json
import re
import threading
from concurrent.futures import ThreadPoolExecutor
from contextlib import asynccontextmanager
from typing import TYPE_CHECKING, Any

import pytest
from fastapi import APIRouter, BackgroundTasks, FastAPI, HTTPException
from fastapi.responses import JSONResponse, StreamingResponse
from hypothesis import given, settings
from hypothesis import strategies as st
from pydantic import BaseModel
from starlette.applications import Starlette
from starlette.authentication import AuthCredentials, AuthenticationBackend, SimpleUser
from starlette.middleware import Middleware
from starlette.middleware.authentication import AuthenticationMiddleware
from starlette.middleware.gzip import GZipMiddleware
from starlette.requests import Request
from starlette.routing import Mount, Route
from support import servers

import mllog
from mllog.integrations.asgi import MllogMiddleware
from mllog.integrations.bodies import Body
from mllog.testing import Captured, assert_valid

if TYPE_CHECKING:
    from collections.abc import AsyncIterator

TRACE, PARENT = "4bf92f3577b34da6a3ce929d0e0e4736", "00f067aa0ba902b7"
HEADERS = {"x-request-id": "r-1", "traceparent": f"00-{TRACE}-{PARENT}-01"}


class Flight(BaseModel):
    """A request's body."""

    distance: float
    carrier: str


def predictions(captured: Captured) -> list[dict[str, Any]]:
    events = captured.predictions()
    if events:
        assert_valid(events)
    assert captured.log.status().rejected == 0
    return events


def model_app(log: mllog.ModelLogger | None = None, **options: Any) -> FastAPI:
    """A model server of the usual kind."""
    app = FastAPI()
    app.add_middleware(MllogMiddleware, log=log, **options)

    @app.post("/models/{name}/predict")
    async def predict(name: str, flight: Flight) -> dict[str, Any]:
        if flight.carrier == "XX":
            raise ZeroDivisionError("no carrier")
        if flight.carrier == "503":
            raise HTTPException(503, "busy")
        return {"label": "late", "score": flight.distance / 1000}

    @app.get("/health")
    def health() -> str:
        return "fine"

    return app


def test_events_of_a_request_carry_what_is_known_of_it(captured: Captured) -> None:
    """In async handlers and in those that run in a thread: trace, ids, method, path, route and user."""
    app = FastAPI()

    @app.post("/async/{item}")
    async def in_task(item: str) -> None:
        captured.log.prediction({"a": 1.0})
        captured.log.label("p1", "late")

    @app.post("/sync/{item}")
    def in_thread(item: str) -> None:
        captured.log.prediction({"a": 1.0})
        captured.log.label("p1", "late")

    app.add_middleware(MllogMiddleware, user=lambda scope: dict(scope["headers"])[b"x-user"].decode())
    with servers.asgi(app) as place:
        for kind in ("async", "sync"):
            answer = place.ask(f"/{kind}/5?q=1", headers={**HEADERS, "x-user": "ann"}, method="POST")
            assert (answer.status, answer.headers["x-request-id"]) == (200, "r-1")
    captured.log.prediction({"a": 1.0})
    *inside, outside = predictions(captured)
    for event, kind in zip([*inside, *captured.events("label")], ["async", "sync"] * 2, strict=True):
        assert event["trace"] == {"id": TRACE}
        assert event["span"]["id"] == event["transaction"]["id"]
        assert re.fullmatch("[0-9a-f]{16}", event["span"]["id"])
        assert event["span"]["id"] != PARENT
        assert event["http"] == {"request": {"id": "r-1", "method": "POST"}, "route": f"/{kind}/{{item}}"}
        assert event["url"] == {"path": f"/{kind}/5"}
        assert event["user"] == {"id": "ann"}
    assert len({event["span"]["id"] for event in inside}) == 2
    assert outside.keys().isdisjoint({"trace", "http", "url", "user"})


@pytest.mark.parametrize("given_id", ["", "two words", "x" * 129, "é", "a,b c"])
@pytest.mark.parametrize(
    "parent", ["", f"00-{TRACE}-{PARENT}", f"00-{TRACE.upper()}-{PARENT}-01", f"00-{'0' * 32}-{PARENT}-01"]
)
def test_what_clients_send_is_not_trusted(captured: Captured, given_id: str, parent: str) -> None:
    """A request id or traceparent that isn't sane is replaced by a new one."""

    async def app(scope: Any, receive: Any, send: Any) -> None:
        captured.log.prediction({"a": 1.0})

    headers = [(b"X-Request-ID", given_id.encode()), (b"traceparent", parent.encode())]
    scope = {"type": "http", "method": "GET", "path": "/", "headers": headers}
    asyncio.run(MllogMiddleware(app)(scope, None, None))  # type: ignore[arg-type]
    (event,) = predictions(captured)
    assert re.fullmatch("[0-9a-f]{32}", event["http"]["request"]["id"])
    assert re.fullmatch("[0-9a-f]{32}", event["trace"]["id"])
    assert event["trace"]["id"] not in {TRACE, "0" * 32}


def test_two_traceparents_are_none(captured: Captured) -> None:
    """Which of the two is right can't be known."""

    async def app(scope: Any, receive: Any, send: Any) -> None:
        captured.log.prediction({"a": 1.0})

    headers = [(b"traceparent", HEADERS["traceparent"].encode())] * 2
    scope = {"type": "http", "method": "GET", "path": "/", "headers": headers}
    asyncio.run(MllogMiddleware(app)(scope, None, None))  # type: ignore[arg-type]
    assert predictions(captured)[0]["trace"]["id"] != TRACE


def test_routes_have_the_prefixes_that_they_stand_under(captured: Captured) -> None:
    """Included routers, routers in those, mounted applications, FastAPI's and Starlette's."""

    def handler(request: Request) -> JSONResponse:
        captured.log.prediction({"a": 1.0})
        return JSONResponse({})

    inner, outer, app = APIRouter(prefix="/v1"), APIRouter(prefix="/api"), FastAPI()
    inner.add_api_route("/items/{item}", handler)
    outer.include_router(inner)
    app.include_router(outer, prefix="/root")
    app.add_api_route("/plain/{x}", handler)
    sub = FastAPI()
    sub.add_api_route("/x/{a}", handler)
    app.mount("/sub", sub)
    app.mount("/star", Starlette(routes=[Mount("/deep", routes=[Route("/y/{b}", handler)])]))
    app.add_middleware(MllogMiddleware)
    with servers.asgi(app) as place:
        for path in ("/root/api/v1/items/3", "/plain/3", "/sub/x/3", "/star/deep/y/3"):
            assert place.ask(path).status == 200
    routes = [event["http"]["route"] for event in predictions(captured)]
    assert routes == ["/root/api/v1/items/{item}", "/plain/{x}", "/sub/x/{a}", "/star/deep/y/{b}"]


class Token(AuthenticationBackend):
    async def authenticate(self, conn: Any) -> Any:
        return AuthCredentials(["authenticated"]), SimpleUser(conn.headers["x-user"])


def test_the_user_that_authentication_finds_after_us(captured: Captured) -> None:
    """The user is asked for when an event is logged; a function that fails there fails nothing else."""

    def handler(request: Request) -> JSONResponse:
        captured.log.prediction({"a": 1.0})
        return JSONResponse({})

    for user, expected in ((lambda scope: scope["user"].display_name, {"id": "ann"}), (lambda scope: 1 / 0, None)):
        app = Starlette(
            routes=[Route("/", handler)],
            middleware=[
                Middleware(MllogMiddleware, user=user),
                Middleware(AuthenticationMiddleware, backend=Token()),
            ],
        )
        with servers.asgi(app) as place:
            assert place.ask("/", headers={"x-user": "ann"}).status == 200
        assert predictions(captured)[-1].get("user") == expected


def test_a_model_server_without_a_line_in_its_handlers(captured: Captured) -> None:
    """The JSON body is the inputs, the JSON answer the output; the request's id is the prediction's."""
    with servers.asgi(model_app(captured.log, paths=["/models/*/predict"])) as place:
        answer = place.ask("/models/a/predict", {"distance": 500, "carrier": "UA"}, HEADERS)
        assert place.ask("/health").status == 200
    assert answer.json() == {"label": "late", "score": 0.5}
    (event,) = predictions(captured)
    assert event["ml"]["inputs"] == {"number": {"distance": 500}, "keyword": {"carrier": "UA"}}
    assert event["ml"]["outputs"] == {"label": "late", "score": 0.5}
    assert event["ml"]["prediction_id"] == answer.headers["x-request-id"] == "r-1"
    assert event["event"]["outcome"] == "success"
    assert event["event"]["duration"] > 0
    assert event["http"] == {
        "request": {"id": "r-1", "method": "POST"},
        "response": {"status_code": 200},
        "route": "/models/{name}/predict",
    }
    assert event["trace"] == {"id": TRACE}
    assert "message" not in event


@pytest.mark.parametrize(
    ("body", "status", "outcome", "error"),
    [
        ({"distance": "far", "carrier": "UA"}, 422, "unknown", None),
        ({"distance": 1, "carrier": "503"}, 503, "failure", None),
        ({"distance": 1, "carrier": "XX"}, 500, "failure", "ZeroDivisionError"),
    ],
)
def test_answers_that_are_errors(
    captured: Captured, body: dict[str, Any], status: int, outcome: str, error: str | None
) -> None:
    """5xx and exceptions are failures; of 4xx the model knows nothing; what they say is no output."""
    with servers.asgi(model_app(captured.log)) as place:
        assert place.ask("/models/a/predict", body).status == status
    (event,) = predictions(captured)
    assert event["event"]["outcome"] == outcome
    assert event["http"]["response"] == {"status_code": status}
    assert event.get("error", {}).get("type") == error
    assert "outputs" not in event["ml"]
    assert event["ml"]["inputs"]["keyword"]["carrier"] == body["carrier"]


@pytest.mark.parametrize(
    ("path", "method", "body"),
    [
        ("/health", "GET", None),
        ("/nowhere", "POST", None),
        ("/models/a/predict", "OPTIONS", None),
        ("/models/a/predict", "POST", None),
    ],
)
def test_what_is_no_prediction(captured: Captured, path: str, method: str, body: Any) -> None:
    """Requests without a body, other paths, preflights and those refused before anything was read."""
    with servers.asgi(model_app(captured.log, paths="/models/*/predict")) as place:
        place.ask(path, body, method=method)
    assert predictions(captured) == []


def test_a_handler_that_logs_is_not_logged_again(captured: Captured) -> None:
    """Its own event says more: it wins, in threads too; a label is no prediction."""
    app = FastAPI()
    app.add_middleware(MllogMiddleware, log=captured.log)

    @app.post("/{how}")
    def handle(how: str, row: dict[str, Any]) -> dict[str, Any]:
        if how == "predict":
            with mllog.context.bind(user="ann"), captured.log.request(row, "own") as request:
                request.output = {"score": 0.5}
        else:
            captured.log.label("p0", "late")
        return {"score": 0.7}

    with servers.asgi(app) as place:
        place.ask("/predict", {"a": 1.0})
        place.ask("/label", {"a": 1.0}, {"x-request-id": "theirs"})
    first, second = predictions(captured)
    assert (first["ml"]["prediction_id"], first["ml"]["outputs"]["score"]) == ("own", 0.5)
    assert first["http"]["route"] == "/{how}"
    assert (second["ml"]["prediction_id"], second["ml"]["outputs"]["score"]) == ("theirs", 0.7)


def test_parts_of_bodies_and_batches(captured: Captured) -> None:
    """Functions pick what is input and output; a list of objects is one event for each, with ids that tell them apart."""
    app = FastAPI()
    app.add_middleware(
        MllogMiddleware,
        log=captured.log,
        inputs=lambda body: body["instances"],
        output=lambda answer: answer["predictions"],
    )

    @app.post("/predict")
    async def predict(body: dict[str, Any]) -> dict[str, Any]:
        return {"predictions": [row["a"] / 10 for row in body["instances"]]}

    with servers.asgi(app) as place:
        place.ask("/predict", {"instances": [{"a": 1.0}, {"a": 2.0}]}, HEADERS)
    first, second = predictions(captured)
    assert [event["ml"]["prediction_id"] for event in (first, second)] == ["r-1-0", "r-1-1"]
    assert [event["ml"]["inputs"]["number"]["a"] for event in (first, second)] == [1.0, 2.0]
    assert [event["ml"]["outputs"]["score"] for event in (first, second)] == [0.1, 0.2]


@pytest.mark.parametrize(
    ("body", "headers", "options", "note"),
    [
        (b'{"a": ' + b" " * 200 + b"1}", {}, {"body_bytes": 100}, "request not kept: over 100 bytes"),
        (b"{'a': 1}", {}, {}, "request not kept: JSONDecodeError"),
        (b"[" * 100_000, {}, {}, "request not kept: RecursionError"),
        (b"\x1f\x8b", {"content-encoding": "gzip"}, {}, "request not kept: gzip"),
        (b'{"a": 1}', {}, {"inputs": lambda body: body["b"]}, "request not kept: inputs= raised KeyError"),
        (b'{"a": 1}', {}, {"output": lambda body: body["b"]}, "response not kept: output= raised KeyError"),
    ],
)
def test_what_cannot_be_kept_says_so(
    captured: Captured, body: bytes, headers: dict[str, str], options: dict[str, Any], note: str
) -> None:
    """Too long, no JSON, packed, or not what a function expected: the event is there, and its message says why."""
    app = Starlette(
        routes=[Route("/", lambda request: JSONResponse({"score": 0.5}), methods=["POST"])],
        middleware=[Middleware(MllogMiddleware, log=captured.log, **options), Middleware(ReadAll)],
    )
    with servers.asgi(app) as place:
        answer = place.ask("/", body, {"content-type": "application/json", **headers})
    assert answer.json() == {"score": 0.5}
    (event,) = predictions(captured)
    assert event["message"].startswith(note)
    assert ("inputs" in event["ml"]) == note.startswith("response")
    assert event["ml"].get("truncated", []) == (["inputs"] if note.startswith("request") else [])
    assert ("outputs" in event["ml"]) == note.startswith("request")


class ReadAll:
    """Reads the body before the handler, which doesn't."""

    def __init__(self, app: Any) -> None:
        self.app = app

    async def __call__(self, scope: Any, receive: Any, send: Any) -> None:
        if scope["type"] == "http":
            await Request(scope, receive).body()
        await self.app(scope, receive, send)


def test_answers_that_are_not_json(captured: Captured) -> None:
    """A text, or one that an inner middleware has packed, is passed on and noted; NaN in a body is read as NaN."""

    async def text(request: Request) -> Any:
        await request.body()
        return StreamingResponse(iter(["late"]), media_type="text/plain")

    async def packed(request: Request) -> Any:
        await request.body()
        return JSONResponse({"score": 0.5, "text": "x" * 1000})

    app = Starlette(
        routes=[Route("/text", text, methods=["POST"]), Route("/packed", packed, methods=["POST"])],
        middleware=[Middleware(MllogMiddleware, log=captured.log), Middleware(GZipMiddleware)],
    )
    with servers.asgi(app) as place:
        assert place.ask("/text", {"a": float("nan")}).body == b"late"
        assert place.ask("/packed", {"a": 1.0}, {"accept-encoding": "gzip"}).headers["content-encoding"] == "gzip"
    first, second = predictions(captured)
    assert first["message"].startswith("response not kept: text/plain")
    assert first["ml"]["missing"] == {"nan": ["a"]}
    assert second["message"] == "response not kept: gzip"


def test_streams_pass_as_they_come(captured: Captured) -> None:
    """Neither body is gathered: the client has the first piece before the second is made, and the app likewise."""
    received = threading.Event()
    pieces: list[bytes] = []

    async def app(scope: Any, receive: Any, send: Any) -> None:
        if scope["type"] != "http":
            return
        first = await receive()
        pieces.append(first["body"])
        headers = [(b"content-type", b"application/json")]
        await send({"type": "http.response.start", "status": 200, "headers": headers})
        await send({"type": "http.response.body", "body": b'{"score"', "more_body": True})
        while first.get("more_body"):
            first = await receive()
            pieces.append(first["body"])
        assert await asyncio.to_thread(received.wait, 30)
        await send({"type": "http.response.body", "body": b": 0.5}"})

    with servers.asgi(MllogMiddleware(app, captured.log)) as place:
        connection = http.client.HTTPConnection("127.0.0.1", place.port, timeout=30)
        connection.putrequest("POST", "/")
        for name, value in (("content-type", "application/json"), ("transfer-encoding", "chunked")):
            connection.putheader(name, value)
        connection.endheaders()
        connection.send(b'6\r\n{"a": \r\n')
        response = connection.sock.makefile("rb")
        while response.readline().strip():
            pass
        assert (response.readline(), response.readline()) == (b"8\r\n", b'{"score"\r\n')
        connection.send(b"2\r\n1}\r\n0\r\n\r\n")
        received.set()
        assert response.readline() == b"6\r\n"
        response.close()
        connection.close()
    (event,) = predictions(captured)
    assert b"".join(pieces) == b'{"a": 1}'
    assert event["ml"]["inputs"] == {"number": {"a": 1}}
    assert event["ml"]["outputs"]["score"] == 0.5


def test_the_event_is_there_before_the_answer_ends(captured: Captured) -> None:
    """Whoever has the answer can label it: the event was accepted before; what happens afterwards changes nothing."""
    app = FastAPI()
    app.add_middleware(MllogMiddleware, log=captured.log)
    accepted: list[int] = []

    def later() -> None:
        accepted.append(captured.log.status().accepted)
        raise ZeroDivisionError("in the background")

    @app.post("/")
    async def predict(row: dict[str, Any], tasks: BackgroundTasks) -> dict[str, Any]:
        accepted.append(captured.log.status().accepted)
        tasks.add_task(later)
        return {"score": 0.5}

    with servers.asgi(app) as place:
        assert place.ask("/", {"a": 1.0}).status == 200
    (event,) = predictions(captured)
    assert accepted[1] == accepted[0] + 1
    assert event["event"]["outcome"] == "success"


def test_many_requests_at_once_are_kept_apart(captured: Captured) -> None:
    """Each event has the trace, id and inputs of its own request, whoever else is served meanwhile."""
    app = FastAPI()
    app.add_middleware(MllogMiddleware, log=captured.log)

    @app.post("/async")
    async def in_task(row: dict[str, Any]) -> dict[str, Any]:
        await asyncio.sleep(0)
        return {"value": row["k"]}

    @app.post("/sync")
    def in_thread(row: dict[str, Any]) -> dict[str, Any]:
        captured.log.prediction(row, {"value": row["k"]}, str(row["k"]))
        return {}

    def ask(k: int) -> None:
        headers = {"x-request-id": str(k), "traceparent": f"00-{k + 1:032x}-{PARENT}-00"}
        assert place.ask(("/async", "/sync")[k % 2], {"k": k}, headers).headers["x-request-id"] == str(k)

    with servers.asgi(app) as place, ThreadPoolExecutor(8) as threads:
        list(threads.map(ask, range(80)))
    events = predictions(captured)
    assert sorted(int(event["ml"]["prediction_id"]) for event in events) == list(range(80))
    for event in events:
        k = int(event["ml"]["prediction_id"])
        assert event["trace"]["id"] == f"{k + 1:032x}"
        assert event["http"]["request"]["id"] == str(k)
        assert event["ml"]["inputs"]["number"]["k"] == event["ml"]["outputs"]["value"] == k


def test_an_exception_goes_on_as_it_is(captured: Captured) -> None:
    """The very same object; a cancelled request is no failure of the model."""
    raised = ZeroDivisionError("bad")

    async def app(scope: Any, receive: Any, send: Any) -> None:
        await receive()
        if scope["path"] == "/wait":
            await asyncio.sleep(30)
        raise raised

    async def receive() -> dict[str, Any]:
        return {"type": "http.request", "body": b'{"a": 1}'}

    async def main() -> None:
        middleware = MllogMiddleware(app, captured.log)
        headers = [(b"content-type", b"application/json"), (b"content-length", b"8")]
        scope = {"type": "http", "method": "POST", "path": "/", "headers": headers}
        with pytest.raises(ZeroDivisionError) as caught:
            await middleware(scope, receive, None)  # type: ignore[arg-type]
        assert caught.value is raised
        task = asyncio.create_task(middleware({**scope, "path": "/wait"}, receive, None))  # type: ignore[arg-type]
        await asyncio.sleep(0)
        await asyncio.sleep(0)
        task.cancel()
        with pytest.raises(asyncio.CancelledError):
            await task
        assert mllog.context.current.get() is None

    asyncio.run(main())
    failed, cancelled = predictions(captured)
    assert failed["event"]["outcome"] == "failure"
    assert failed["error"]["message"] == "bad"
    assert failed["http"]["response"] == {"status_code": 500}
    assert cancelled["event"]["outcome"] == "unknown"
    assert "response" not in cancelled["http"]


@pytest.mark.parametrize("kind", ["websocket", "lifespan", "other"])
def test_what_is_not_http_is_left_alone(captured: Captured, kind: str) -> None:
    """The application gets the server's own scope, receive and send."""
    seen: list[Any] = []

    async def app(scope: Any, receive: Any, send: Any) -> None:
        seen.extend((scope, receive, send))

    scope, receive, send = {"type": kind}, object(), object()
    asyncio.run(MllogMiddleware(app, captured.log)(scope, receive, send))  # type: ignore[arg-type]
    assert [id(thing) for thing in seen] == [id(scope), id(receive), id(send)]


def test_the_lifespan_of_an_application(captured: Captured) -> None:
    """It starts and stops under a real server."""
    steps: list[str] = []

    @asynccontextmanager
    async def lifespan(app: Any) -> AsyncIterator[None]:
        steps.append("start")
        yield
        steps.append("stop")

    with servers.asgi(MllogMiddleware(FastAPI(lifespan=lifespan), captured.log)) as place:
        assert place.ask("/openapi.json").status == 200
    assert steps == ["start", "stop"]


def test_an_id_that_the_application_gives_stays(captured: Captured) -> None:
    """Its own x-request-id isn't doubled."""
    app = Starlette(
        routes=[Route("/", lambda request: JSONResponse({}, headers={"X-Request-ID": "own"}))],
        middleware=[Middleware(MllogMiddleware)],
    )
    with servers.asgi(app) as place:
        connection = http.client.HTTPConnection("127.0.0.1", place.port, timeout=30)
        connection.request("GET", "/")
        assert connection.getresponse().headers.get_all("x-request-id") == ["own"]
        connection.close()


def test_what_is_held_of_a_body_is_bounded() -> None:
    """Up to the limit all of it, from then on nothing, however much comes."""
    body = Body(100)
    body.add(b'"' + b"1" * 59)
    body.add(b"1" * 39 + b'"')
    assert body.json() == "1" * 98
    for _ in range(50):
        body.add(b"x" * 60)
        assert body.held == 0
    assert body.size == 3100
    with pytest.raises(ValueError, match="over 100 bytes"):
        body.json()


chunks = st.lists(st.binary(max_size=20), min_size=1, max_size=6)


@settings(max_examples=150, deadline=None)
@given(request=chunks, answer=chunks, limit=st.integers(1, 60), status=st.sampled_from([200, 204, 400, 500]))
def test_messages_pass_unchanged(request: list[bytes], answer: list[bytes], limit: int, status: int) -> None:
    """Whatever the pieces: the application and the server see the same messages as without us, one header aside."""
    from mllog.testing import capture_events

    def messages(kind: str, pieces: list[bytes]) -> list[dict[str, Any]]:
        last = len(pieces) - 1
        return [{"type": kind, "body": piece, "more_body": k < last} for k, piece in enumerate(pieces)]

    incoming = messages("http.request", request)
    start = {"type": "http.response.start", "status": status, "headers": [(b"content-type", b"application/json")]}
    outgoing = [start, {"type": "http.response.debug"}, *messages("http.response.body", answer)]
    got: list[Any] = []
    sent: list[Any] = []

    async def app(scope: Any, receive: Any, send: Any) -> None:
        got.extend([await receive() for _ in incoming])
        for message in outgoing:
            await send(message)

    async def receive(waiting: Any = iter(incoming)) -> Any:  # noqa: B008
        return next(waiting)

    async def send(message: Any) -> None:
        sent.append(message)

    scope = {"type": "http", "method": "POST", "path": "/", "headers": ()}
    before = json.dumps(outgoing, default=repr)
    with capture_events() as captured:
        middleware = MllogMiddleware(app, captured.log, paths="*", body_bytes=limit)
        asyncio.run(middleware(scope, receive, send))
        assert captured.log.status().rejected == 0
    assert got == incoming
    assert sent[0]["headers"][:-1] == start["headers"]
    assert sent[1:] == outgoing[1:]
    assert json.dumps(outgoing, default=repr) == before


@pytest.mark.parametrize(
    ("options", "field"), [({"paths": ["/x"]}, "log"), ({"inputs": len}, "log"), ({"body_bytes": 0}, "body_bytes")]
)
def test_impossible_options(options: dict[str, Any], field: str) -> None:
    """They are refused when the middleware is made."""

    async def app(*_: Any) -> None: ...

    with pytest.raises(mllog.SettingError) as caught:
        MllogMiddleware(app, **options)
    assert caught.value.field == field
