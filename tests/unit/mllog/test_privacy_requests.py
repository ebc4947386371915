"""What a policy leaves of a request that a middleware serves: its id, its path, and what couldn't be read of it."""

from __future__ import annotations

import json
from typing import TYPE_CHECKING, Any
from urllib.parse import quote

import pytest
from fastapi import FastAPI, Request
from flask import Flask
from flask import request as flask_request
from support import servers

from mllog import context
from mllog.card import ModelCard
from mllog.integrations.asgi import MllogMiddleware
from mllog.integrations.wsgi import MllogMiddleware as WsgiMiddleware
from mllog.privacy import pseudonym
from mllog.testing import assert_valid, capture_events

if TYPE_CHECKING:
    from mllog.testing import Captured

SALT = "a secret of enough bytes"
ROWS = {"age": [20.5 + k for k in range(60)], "customer": [f"C-{k % 20:05}" for k in range(60)]}


def make(**policy: Any) -> ModelCard:
    return ModelCard.from_frame(ROWS, "m", "1", policy={"features": {"customer": "hash"}, **policy}, salt=SALT)


def serve(
    captured: Captured, path: str, body: Any, headers: dict[str, str], *, wsgi: bool = False, **options: Any
) -> None:
    """One request to a server with routes, whose handler logs besides where its body says so."""
    app: Any
    if wsgi:
        app = Flask("orders")

        @app.post("/orders/<order>")  # type: ignore[untyped-decorator]
        def handle(order: str) -> Any:
            return answer(captured, flask_request.get_json())

        app.wsgi_app = WsgiMiddleware(app.wsgi_app, captured.log, **options)
        with servers.wsgi(app) as place:
            assert place.ask(path, body, headers).status == 200
        return
    app = FastAPI()

    @app.post("/orders/{order}")
    async def predict(order: str, request: Request) -> Any:
        return answer(captured, await request.json())

    app.add_middleware(MllogMiddleware, log=captured.log, **options)
    with servers.asgi(app) as place:
        assert place.ask(path, body, headers).status == 200


def answer(captured: Captured, body: Any) -> Any:
    if isinstance(body, dict) and body.get("log"):
        captured.log.kpi("revenue", 5)
        captured.log.label("x1", "good")
        captured.log.prediction({"age": 30.0}, 0.5, id="x1")
    return {"score": 0.5}


@pytest.mark.parametrize("wsgi", [False, True], ids=["asgi", "wsgi"])
@pytest.mark.parametrize("given", ["order-4711", "A42", "7"])
@pytest.mark.parametrize(
    "body", [{"age": 33}, [{"age": 33}, {"age": 34}], {"age": 33, "log": True}], ids=["one", "list", "handler"]
)
@pytest.mark.parametrize("word", ["hash", "drop"])
def test_the_id_of_a_request(word: str, body: Any, given: str, *, wsgi: bool) -> None:
    """It goes by the word for ids on every event of the request, however short it is; so does the path that holds it."""
    with capture_events("m", card=make(ids=word, unexpected="drop"), salt=SALT) as captured:
        serve(captured, f"/orders/{given}", body, {"x-request-id": given}, wsgi=wsgi)
        events = captured.events()[1:]
    assert_valid(events)
    assert len(events) == (
        3 if isinstance(body, dict) and body.get("log") else len(body) if isinstance(body, list) else 1
    )
    for event in events:
        request = event["http"]["request"]
        assert request == (
            {"id": pseudonym(SALT, "@prediction_id", given), "method": "POST"} if word == "hash" else {"method": "POST"}
        )
        assert event["url"]["path"] == event["http"]["route"]
        for own in ("event", "@timestamp", "process", "trace", "span", "transaction", "ecs"):
            del event[own]
        assert len(given) < 4 or given not in json.dumps(event)
    if len(events) == 1:
        assert events[0]["ml"].get("prediction_id") == events[0]["http"]["request"].get("id")


def test_a_path_without_a_route() -> None:
    """Where nobody knows the route, segments that are an id or the user go, of any length."""
    with (
        capture_events("m", card=make(ids="hash", user="hash"), salt=SALT) as captured,
        context.bind(url={"path": "/models/7/users/ann/x7"}, http={"request": {"id": "r1"}}, user="ann"),
    ):
        captured.log.prediction({"age": 30.0}, 0.5, id="7")
        (event,) = captured.predictions()
    assert event["url"]["path"] == "/models/<prediction_id>/users/<user>/x7"
    with (
        capture_events("m", card=make(ids="keep"), salt=SALT) as captured,
        context.bind(url={"path": "/models/7"}, http={"request": {"id": "7"}, "route": "/models/{name}"}),
    ):
        captured.log.prediction({"age": 30.0}, 0.5, id="7")
        (event,) = captured.predictions()
    assert event["url"]["path"] == "/models/7"
    assert event["http"]["request"]["id"] == event["ml"]["prediction_id"] == "7"


def test_ids_that_a_pattern_finds_in_a_request() -> None:
    """The request's id and the prediction's are decided alike."""
    with capture_events("m", card=make(patterns=["email"]), salt=SALT) as captured:
        serve(captured, "/orders/jane@example.com", {"age": 33}, {"x-request-id": "jane@example.com"})
        (event,) = captured.predictions()
    hashed = pseudonym(SALT, "@prediction_id", "jane@example.com")
    assert event["http"]["request"]["id"] == event["ml"]["prediction_id"] == hashed
    assert event["url"]["path"] == "/orders/<email>"


@pytest.mark.parametrize("wsgi", [False, True], ids=["asgi", "wsgi"])
@pytest.mark.parametrize("secret", ["C-SECRET1", "Zoë & Co 7", "40000077"])
def test_a_protected_value_in_all_of_a_request(secret: str, *, wsgi: bool) -> None:
    """In the body, the path, the header of the request's id, the user and an exception of the model: none of them tells it."""
    header = secret if secret.isascii() else "r-1"
    with capture_events("m", card=make(user="keep"), salt=SALT) as captured:
        path = f"/orders/{quote(secret, safe='')}"
        body = {"age": 33, "customer": secret, "note": f"for {secret}", secret: 1}
        serve(captured, path, body, {"x-request-id": header}, wsgi=wsgi, user=lambda source: secret)
        (event,) = captured.predictions()
    assert event["ml"]["inputs"]["keyword"]["customer"] == pseudonym(SALT, "customer", secret)
    assert event["http"]["request"]["id"] == event["ml"]["prediction_id"]
    assert event["user"] == {"id": "<customer>"}
    assert event["url"]["path"] == "/orders/<customer>"
    assert secret not in json.dumps(event, ensure_ascii=False)
    assert quote(secret) not in json.dumps(event)


def fails(body: Any) -> Any:
    return float(body["customer"])


@pytest.mark.parametrize("wsgi", [False, True], ids=["asgi", "wsgi"])
def test_what_a_function_of_the_middleware_says(*, wsgi: bool) -> None:
    """The message of its exception may quote what no policy has seen: only its type is told."""
    with capture_events("m", card=make(), salt=SALT) as captured:
        serve(captured, "/orders/1", {"customer": "C-SECRET1"}, {}, wsgi=wsgi, inputs=fails)
        (event,) = captured.predictions()
        line = captured.lines[-1].decode()
    assert event["message"] == "request not kept: inputs= raised ValueError"
    assert "SECRET1" not in line
