"""What the front doors are told: refused at once where it is impossible."""

from __future__ import annotations

import io
import logging
from typing import Any
from wsgiref.util import setup_testing_defaults

import pytest
from sklearn.linear_model import LinearRegression

import mllog
from mllog.errors import SettingError
from mllog.integrations import asgi, wsgi
from mllog.integrations.stdlib import EventFormatter, EventHandler
from mllog.testing import Captured


def app(environ: Any, start_response: Any) -> list[bytes]:
    environ["wsgi.input"].read()
    start_response("200 OK", [("Content-Type", "application/json")])
    return [b"0.5"]


def serve(middleware: Any, body: bytes) -> None:
    environ: dict[str, Any] = {"REQUEST_METHOD": "POST", "PATH_INFO": "/predict", "CONTENT_LENGTH": str(len(body))}
    environ |= {"CONTENT_TYPE": "application/json", "wsgi.input": io.BytesIO(body)}
    setup_testing_defaults(environ)
    for _ in middleware(environ, lambda status, headers, exc_info=None: lambda data: None):
        pass


@pytest.mark.parametrize(
    "make",
    [
        lambda log: mllog.wrap(LinearRegression(), log),
        EventHandler,
        EventFormatter,
        mllog.configure_structlog,
        lambda log: asgi.MllogMiddleware(app, log),  # type: ignore[arg-type]
        lambda log: wsgi.MllogMiddleware(app, log),
    ],
    ids=["wrap", "handler", "formatter", "structlog", "asgi", "wsgi"],
)
def test_what_is_no_logger_is_refused(make: Any) -> None:
    """A place instead of a logger is an error where it is given, which names field, value and remedy."""
    with pytest.raises(SettingError, match=r"log 'events/' is no logger: pass mllog\.ModelLogger") as caught:
        make("events/")
    assert (caught.value.field, caught.value.value) == ("log", "events/")


@pytest.mark.parametrize("door", [asgi.MllogMiddleware, wsgi.MllogMiddleware], ids=["asgi", "wsgi"])
@pytest.mark.parametrize(
    ("field", "value"),
    [("paths", [5]), ("paths", 5), ("inputs", 5), ("output", 5), ("user", 5), ("route", 5), ("body_bytes", "x"),
     ("body_bytes", 0), ("body_bytes", True)],
)  # fmt: skip
def test_impossible_options_are_refused(captured: Captured, door: Any, field: str, value: Any) -> None:
    """They are errors where they are given, not when the first request comes."""
    with pytest.raises(SettingError, match=field) as caught:
        door(app, captured.log, **{field: value})
    assert (caught.value.field, caught.value.value) == (field, value)


def test_a_user_function_that_raises_tells_its_type_only(captured: Captured, caplog: pytest.LogCaptureFixture) -> None:
    """The message of its exception may be the very value that a policy hides."""

    def user(environ: Any) -> Any:
        raise KeyError("jane.doe")

    with caplog.at_level(logging.WARNING, "mllog"):
        serve(wsgi.MllogMiddleware(app, captured.log, user=user), b'{"a": 1}')
    assert "user= of the middleware raised KeyError" in caplog.text
    assert "jane.doe" not in caplog.text
    assert len(captured.predictions()) == 1


def test_a_tuple_of_mappings_is_a_list_of_them(captured: Captured) -> None:
    """``inputs=`` may give either."""
    middleware = wsgi.MllogMiddleware(app, captured.log, inputs=lambda body: tuple(body["rows"]))
    serve(middleware, b'{"rows": [{"a": 1}, {"a": 2}]}')
    assert [event["ml"]["inputs"]["number"]["a"] for event in captured.predictions()] == [1, 2]
