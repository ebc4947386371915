"""Exceptions that an ASGI framework answers itself reach the request's event."""

from __future__ import annotations

import json
import subprocess
import sys
import types
from typing import TYPE_CHECKING, Any

import pytest
from fastapi import FastAPI
from support import servers

from mllog.integrations.asgi import MllogMiddleware

if TYPE_CHECKING:
    from collections.abc import Iterator

    from mllog.testing import Captured


def test_an_exception_behind_its_own_answer(captured: Captured) -> None:
    """Around the whole application the answer comes first and the exception after it: the event has both."""
    app = FastAPI()

    @app.post("/")
    async def fail(row: dict[str, Any]) -> None:
        raise ZeroDivisionError(row["a"])

    with servers.asgi(MllogMiddleware(app, captured.log)) as place:
        assert place.ask("/", {"a": 1.0}).status == 500
    (event,) = captured.predictions()
    assert event["error"]["type"] == "ZeroDivisionError"
    assert event["event"]["outcome"] == "failure"
    assert event["http"]["response"] == {"status_code": 500}
    assert event["ml"]["inputs"] == {"number": {"a": 1.0}}


@pytest.fixture
def urls() -> Iterator[Any]:
    """A module of Django's URL patterns."""
    from django.conf import settings
    from django.urls import clear_url_caches

    if not settings.configured:
        settings.configure(ROOT_URLCONF="mllog_test_urls", ALLOWED_HOSTS=["*"], SECRET_KEY="x")
    clear_url_caches()
    module = sys.modules["mllog_test_urls"] = types.ModuleType("mllog_test_urls")
    yield module
    del sys.modules["mllog_test_urls"]


@pytest.mark.parametrize("kind", ["sync", "async"])
def test_django(captured: Captured, urls: Any, kind: str) -> None:
    """Its signal is sent from another thread, with the request's context."""
    from django.core.asgi import get_asgi_application
    from django.urls import path

    def predict(given: Any, model: str) -> Any:
        raise ZeroDivisionError(json.loads(given.body)["a"])

    async def later(given: Any, model: str) -> Any:
        return predict(given, model)

    urls.urlpatterns = [path("models/<slug:model>", predict if kind == "sync" else later)]
    app = MllogMiddleware(get_asgi_application(), captured.log)

    async def only_http(scope: Any, receive: Any, send: Any) -> None:
        if scope["type"] == "http":  # Django knows no lifespan
            await app(scope, receive, send)

    with servers.asgi(only_http) as place:
        assert place.ask("/models/m", {"a": 5.0}).status == 500
    (event,) = captured.predictions()
    assert event["error"]["type"] == "ZeroDivisionError"
    assert "in predict" in event["error"]["stack_trace"]
    assert event["http"]["route"] == "/models/<slug:model>"


def test_no_framework_is_imported() -> None:
    """Whoever doesn't serve with them doesn't pay for them."""
    code = (
        "import sys, mllog.testing as t, mllog.integrations.asgi as a, mllog.integrations.wsgi as w\n"
        "with t.capture_events() as c: a.MllogMiddleware(print, c.log); w.MllogMiddleware(print, c.log)\n"
        "assert not {'flask', 'django', 'blinker', 'starlette'} & sys.modules.keys()"
    )
    subprocess.run([sys.executable, "-c", code], check=True)
