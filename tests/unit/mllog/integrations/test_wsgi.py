"""The WSGI middleware, in a real server under real frameworks."""

from __future__ import annotations

import io
import json
import socket
import sys
import types
from typing import TYPE_CHECKING, Any
from wsgiref.util import FileWrapper, setup_testing_defaults
from wsgiref.validate import validator

import pytest
from flask import Flask, Response, jsonify, request
from hypothesis import given, settings
from hypothesis import strategies as st
from support import servers
from werkzeug.serving import make_server

import mllog
from mllog import context
from mllog.integrations.wsgi import MllogMiddleware
from mllog.testing import Captured, assert_valid, capture_events

if TYPE_CHECKING:
    from collections.abc import Iterator

TRACE, PARENT = "4bf92f3577b34da6a3ce929d0e0e4736", "00f067aa0ba902b7"
HEADERS = {"x-request-id": "r-1", "traceparent": f"00-{TRACE}-{PARENT}-01"}


def predictions(captured: Captured) -> list[dict[str, Any]]:
    events = captured.predictions()
    if events:
        assert_valid(events)
    assert captured.log.status().rejected == 0
    return events


def flask_app(log: mllog.ModelLogger | None = None, **options: Any) -> Flask:
    """A model server of the usual kind."""
    app = Flask("model-server")
    app.wsgi_app = MllogMiddleware(app.wsgi_app, log, **options)  # type: ignore[method-assign]

    @app.post("/models/<name>/predict")
    def predict(name: str) -> Any:
        row = request.get_json()
        if row["carrier"] == "XX":
            raise ZeroDivisionError("no carrier")
        if row["carrier"] == "503":
            return Response("busy", 503)
        return {"label": "late", "score": row["distance"] / 1000}

    @app.get("/health")
    def health() -> str:
        return "fine"

    return app


def test_events_of_a_request_carry_what_is_known_of_it(captured: Captured) -> None:
    """Those of the handler, and those of an answer that is made while the server iterates it."""
    app = Flask("model-server")

    @app.post("/items/<item>")
    def handle(item: str) -> Any:
        captured.log.prediction({"a": 1.0})
        captured.log.label("p1", "late")

        def body() -> Iterator[str]:
            yield "a"
            captured.log.prediction({"a": 2.0})

        return Response(body())

    app.wsgi_app = MllogMiddleware(app.wsgi_app, user=lambda environ: environ["HTTP_X_USER"])  # type: ignore[method-assign]
    with servers.wsgi(app) as place:
        answer = place.ask("/items/é%20x?q=1".replace("é", "%C3%A9"), b"{}", {**HEADERS, "x-user": "ann"})
    assert (answer.status, answer.headers["x-request-id"], answer.body) == (200, "r-1", b"a")
    assert mllog.context.current.get() is None
    events = [*predictions(captured), *captured.events("label")]
    assert len(events) == 3
    for event in events:
        assert event["trace"] == {"id": TRACE}
        assert event["span"]["id"] == event["transaction"]["id"] != PARENT
        assert event["http"] == {"request": {"id": "r-1", "method": "POST"}, "route": "/items/<item>"}
        assert event["url"] == {"path": "/items/é x"}
        assert event["user"] == {"id": "ann"}


@pytest.mark.parametrize("kind", ["wsgiref", "werkzeug"])
def test_a_model_server_without_a_line_in_its_handlers(captured: Captured, kind: str) -> None:
    """The JSON body is the inputs, the JSON answer the output; the request's id is the prediction's."""
    app = flask_app(captured.log, paths=["/models/*/predict"])

    def use(place: servers.Place) -> servers.Answer:
        answer = place.ask("/models/a/predict", {"distance": 500, "carrier": "UA"}, HEADERS)
        assert captured.predictions(), "the event is there before the answer ends"
        assert place.ask("/health").status == 200
        return answer

    if kind == "wsgiref":
        with servers.wsgi(app) as place:
            answer = use(place)
    else:
        import threading

        server = make_server("127.0.0.1", 0, app, threaded=True)
        thread = threading.Thread(target=server.serve_forever)
        thread.start()
        try:
            answer = use(servers.Place(server.server_port))
        finally:
            server.shutdown()
            thread.join()
            server.server_close()
    assert answer.json() == {"label": "late", "score": 0.5}
    (event,) = predictions(captured)
    assert event["ml"]["inputs"] == {"number": {"distance": 500}, "keyword": {"carrier": "UA"}}
    assert event["ml"]["outputs"] == {"label": "late", "score": 0.5}
    assert event["ml"]["prediction_id"] == answer.headers["x-request-id"] == "r-1"
    assert event["http"] == {
        "request": {"id": "r-1", "method": "POST"},
        "response": {"status_code": 200},
        "route": "/models/<name>/predict",
    }
    assert event["event"]["duration"] > 0
    assert event["trace"] == {"id": TRACE}
    assert "message" not in event


@pytest.mark.parametrize(
    ("body", "status", "outcome"),
    [
        (b"{'a'}", 400, "unknown"),
        ({"carrier": "503"}, 503, "failure"),
        ({"carrier": "XX"}, 500, "failure"),
    ],
)
def test_answers_that_are_errors(captured: Captured, body: Any, status: int, outcome: str) -> None:
    """5xx are failures; a 4xx whose body says nothing is no prediction."""
    with servers.wsgi(flask_app(captured.log)) as place:
        assert place.ask("/models/a/predict", body, {"content-type": "application/json"}).status == status
    events = predictions(captured)
    if outcome == "unknown":
        assert events == []
        return
    (event,) = events
    assert event["event"]["outcome"] == outcome
    assert event["http"]["response"] == {"status_code": status}
    assert "outputs" not in event["ml"]
    # Flask answers exceptions itself; its signal tells of them.
    assert event.get("error", {}).get("type") == ("ZeroDivisionError" if status == 500 else None)


def test_an_exception_that_was_answered_otherwise(captured: Captured) -> None:
    """Each request has its own exception, and one that became another answer than 5xx is no failure."""
    app = flask_app(captured.log)
    app.register_error_handler(500, lambda problem: ({"label": "none"}, 200))
    with servers.wsgi(app) as place:
        assert place.ask("/models/a/predict", {"carrier": "XX"}).status == 200
        assert place.ask("/models/a/predict", {"carrier": "503"}).status == 503
    first, second = predictions(captured)
    assert (first["event"]["outcome"], first["ml"]["outputs"]["label"]) == ("success", "none")
    assert second["event"]["outcome"] == "failure"
    assert not [event for event in (first, second) if "error" in event]


def test_exceptions_within_a_block(captured: Captured) -> None:
    """A request hears of its exception through what was bound inside of it."""
    app = Flask("model-server")

    @app.post("/")
    def handle() -> Any:
        request.get_json()
        context.current.set(context.Bound({}, outer=context.current.get()))
        raise ZeroDivisionError("no carrier")

    app.wsgi_app = MllogMiddleware(app.wsgi_app, captured.log)  # type: ignore[method-assign]
    with servers.wsgi(app) as place:
        assert place.ask("/", {"a": 1}).status == 500
    (event,) = predictions(captured)
    assert event["error"]["message"] == "no carrier"
    assert "in handle" in event["error"]["stack_trace"]


def test_flasks_test_client(captured: Captured) -> None:
    """It iterates an answer only when somebody reads it: the event is there then."""
    client = flask_app(captured.log).test_client()
    answer = client.post("/models/a/predict", json={"carrier": "XX"})
    assert predictions(captured) == []
    answer.get_data()
    assert len(predictions(captured)) == 1


def test_a_handler_that_logs_is_not_logged_again(captured: Captured) -> None:
    """Its own event says more: it wins."""
    app = Flask("model-server")

    @app.post("/")
    def handle() -> Any:
        captured.log.prediction(request.get_json(), 0.5, "own")
        return jsonify({})

    app.wsgi_app = MllogMiddleware(app.wsgi_app, captured.log)  # type: ignore[method-assign]
    with servers.wsgi(app) as place:
        place.ask("/", {"a": 1.0})
    (event,) = predictions(captured)
    assert event["ml"]["prediction_id"] == "own"


@pytest.fixture
def django() -> Any:
    """Django's handler, with a handful of settings and URL patterns."""
    from django.conf import settings as django_settings
    from django.core.wsgi import get_wsgi_application

    if not django_settings.configured:
        django_settings.configure(ROOT_URLCONF="mllog_test_urls", ALLOWED_HOSTS=["*"], SECRET_KEY="x")
    sys.modules["mllog_test_urls"] = types.ModuleType("mllog_test_urls")
    yield get_wsgi_application()
    del sys.modules["mllog_test_urls"]


def test_django(captured: Captured, django: Any) -> None:
    """Routes are those of its URL patterns; the JSON body and answer are the event."""
    from django.http import JsonResponse
    from django.urls import clear_url_caches, path

    def predict(given: Any, model: str) -> Any:
        if model == "broken":
            raise ZeroDivisionError(given.body)
        return JsonResponse({"score": json.loads(given.body)["a"] / 10})

    sys.modules["mllog_test_urls"].urlpatterns = [path("models/<slug:model>/predict", predict)]  # type: ignore[attr-defined]
    clear_url_caches()
    with servers.wsgi(MllogMiddleware(django, captured.log, paths="/models/*")) as place:
        assert place.ask("/models/m/predict", {"a": 5.0}).json() == {"score": 0.5}
        assert place.ask("/models/none", {"a": 5.0}).status == 404
        assert place.ask("/models/broken/predict", {"a": 6.0}).status == 500
    event, failed = predictions(captured)
    assert (failed["event"]["outcome"], failed["error"]["type"]) == ("failure", "ZeroDivisionError")
    assert "in predict" in failed["error"]["stack_trace"]
    assert event["http"]["route"] == "/models/<slug:model>/predict"
    assert event["ml"]["outputs"]["score"] == 0.5
    assert event["ml"]["inputs"] == {"number": {"a": 5.0}}


def reading(how: str, environ: dict[str, Any]) -> bytes:
    stream, n = environ["wsgi.input"], int(environ["CONTENT_LENGTH"])
    if how == "read":
        return b"".join(iter(lambda: stream.read(3), b""))
    if how == "readline":
        return b"".join(iter(lambda: stream.readline(n), b""))
    if how == "readlines":
        return b"".join(stream.readlines(n))
    if how == "readinto":
        buffer = bytearray(n)
        assert stream.readinto(buffer) == n
        return bytes(buffer)
    return b"".join(stream)


@pytest.mark.parametrize("how", ["read", "readline", "readlines", "iterate", "readinto"])
def test_however_a_body_is_read(captured: Captured, how: str) -> None:
    """Piece by piece, by lines, in one go or into a buffer: the application and the event have all of it."""
    body = b'{"a": 1,\n"b": [2,\n3]}'

    def app(environ: Any, start_response: Any) -> list[bytes]:
        assert reading(how, environ) == body
        assert not environ["wsgi.input"].closed
        start_response("200 OK", [("Content-Type", "application/json")])
        return [b'{"score": 0.5}']

    environ: dict[str, Any] = {"CONTENT_TYPE": "application/json", "CONTENT_LENGTH": str(len(body))}
    setup_testing_defaults(environ)
    environ |= {"REQUEST_METHOD": "POST", "wsgi.input": io.BytesIO(body)}
    list(MllogMiddleware(app, captured.log)(environ, lambda *_: None))
    (event,) = predictions(captured)
    assert event["ml"]["inputs"] == {"number": {"a": 1}, "other": {"b": [2, 3]}}


def test_both_sides_keep_to_the_specification(captured: Captured) -> None:
    """wsgiref's validator finds no fault with us as the server of an application, nor as that of a server."""

    def app(environ: Any, start_response: Any) -> list[bytes]:
        environ["wsgi.input"].read(int(environ["CONTENT_LENGTH"] or 0))
        write = start_response("200 OK", [("Content-Type", "application/json")])
        write(b'{"score"')
        return [b": 0.5}"]

    with servers.wsgi(validator(MllogMiddleware(validator(app), captured.log))) as place:
        assert place.ask("/x", {"a": 1.0}).json() == {"score": 0.5}
    assert predictions(captured)[0]["ml"]["outputs"]["score"] == 0.5


class Closing:
    """An answer that knows whether it was closed."""

    def __init__(self, chunks: list[bytes], fail: bool = False) -> None:
        self.chunks, self.fail, self.closed = chunks, fail, 0

    def __iter__(self) -> Iterator[bytes]:
        yield from self.chunks
        if self.fail:
            raise ZeroDivisionError("bad")

    def close(self) -> None:
        self.closed += 1


def call(
    answer: Any, log: mllog.ModelLogger, headers: tuple[tuple[str, str], ...] = (("Content-Type", "application/json"),)
) -> Any:
    def app(environ: Any, start_response: Any) -> Any:
        environ["wsgi.input"].read()
        start_response("200 OK", list(headers))
        return answer

    environ: dict[str, Any] = {"CONTENT_TYPE": "application/json", "CONTENT_LENGTH": "8"}
    setup_testing_defaults(environ)
    environ |= {"REQUEST_METHOD": "POST", "wsgi.input": io.BytesIO(b'{"a": 1}'), "wsgi.file_wrapper": FileWrapper}
    return MllogMiddleware(app, log)(environ, lambda *_: None)


def test_what_is_whole_is_passed_on_as_it_is(captured: Captured) -> None:
    """A server sees how long a list is, and hands a file to the kernel."""
    whole = [b'{"score": 0.5}']
    wrapped = FileWrapper(io.BytesIO(b"file"))
    assert call(whole, captured.log) is whole
    assert call(wrapped, captured.log, (("Content-Type", "text/plain"),)) is wrapped
    first, second = predictions(captured)
    assert first["ml"]["outputs"]["score"] == 0.5
    assert second["message"] == "response not kept: text/plain"


@pytest.mark.parametrize("end", ["exhausted", "closed", "failed"])
def test_answers_that_are_iterated(captured: Captured, end: str) -> None:
    """Lazily, closed once, logged once; an exception midway is a failure and goes on."""
    answer = Closing([b'{"score"', b": 0.5}"], fail=end == "failed")
    given = call(answer, captured.log)
    assert captured.predictions() == []
    assert next(given) == b'{"score"'
    if end == "exhausted":
        assert list(given) == [b": 0.5}"]
    elif end == "failed":
        with pytest.raises(ZeroDivisionError):
            list(given)
    given.close()
    assert answer.closed == 1
    (event,) = predictions(captured)
    assert event["event"]["outcome"] == ("failure" if end == "failed" else "success")
    assert ("outputs" in event["ml"]) == (end == "exhausted")


def test_an_exception_goes_on_as_it_is(captured: Captured) -> None:
    """The very same object, and an event with what is known."""
    raised = ZeroDivisionError("bad")

    def app(environ: Any, start_response: Any) -> Any:
        environ["wsgi.input"].read()
        raise raised

    environ: dict[str, Any] = {"CONTENT_TYPE": "application/json", "CONTENT_LENGTH": "8"}
    setup_testing_defaults(environ)
    environ |= {"REQUEST_METHOD": "POST", "wsgi.input": io.BytesIO(b'{"a": 1}')}
    with pytest.raises(ZeroDivisionError) as caught:
        MllogMiddleware(app, captured.log)(environ, lambda *_: None)
    assert caught.value is raised
    (event,) = predictions(captured)
    assert event["error"]["type"] == "ZeroDivisionError"
    assert event["http"]["response"] == {"status_code": 500}
    assert event["ml"]["inputs"] == {"number": {"a": 1}}


def test_a_client_that_hangs_up(captured: Captured) -> None:
    """A server that can't deliver an answer closes it; the model did its work."""

    def app(environ: Any, start_response: Any) -> Iterator[bytes]:
        environ["wsgi.input"].read(8)
        start_response("200 OK", [("Content-Type", "application/json")])
        for _ in range(10_000):
            yield b" " * 100_000

    with (
        servers.wsgi(MllogMiddleware(app, captured.log)) as place,
        socket.create_connection(("127.0.0.1", place.port)) as client,
    ):
        client.sendall(b'POST / HTTP/1.0\r\nContent-Type: application/json\r\nContent-Length: 8\r\n\r\n{"a": 1}')
        client.recv(100)
    (event,) = predictions(captured)
    assert event["event"]["outcome"] == "success"
    assert event["message"].startswith("response not kept: ")


chunks = st.lists(st.binary(max_size=20), max_size=6)


@settings(max_examples=150, deadline=None)
@given(
    body=st.binary(max_size=60),
    answer=chunks,
    kind=st.sampled_from([list, tuple, iter, Closing]),
    limit=st.integers(1, 60),
)
def test_bytes_pass_unchanged(body: bytes, answer: list[bytes], kind: Any, limit: int) -> None:
    """Whatever the pieces: the application and the server see the same bytes in the same pieces as without us."""
    read: list[bytes] = []
    started: list[Any] = []

    def app(environ: Any, start_response: Any) -> Any:
        read.append(environ["wsgi.input"].read())
        start_response("200 OK", [("Content-Type", "application/json")])
        return kind(answer)

    environ: dict[str, Any] = {"CONTENT_LENGTH": str(len(body))}
    setup_testing_defaults(environ)
    environ |= {"REQUEST_METHOD": "POST", "wsgi.input": io.BytesIO(body)}
    with capture_events() as captured:
        middleware = MllogMiddleware(app, captured.log, paths="*", body_bytes=limit)
        assert list(middleware(environ, lambda *given: started.append(given))) == answer
        assert captured.log.status().rejected == 0
    assert read == [body]
    ((status, headers),) = started
    assert (status, headers[0]) == ("200 OK", ("Content-Type", "application/json"))
    assert [name for name, _ in headers[1:]] == ["x-request-id"]
