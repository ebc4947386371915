"""ASGI (https://asgi.readthedocs.io/en/latest/specs/www.html): FastAPI, Starlette, Django, Litestar, Quart, ...

::

    app.add_middleware(MllogMiddleware, log=log, paths=["/predict"])
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from mllog.context import current
from mllog.integrations.routes import django_route
from mllog.integrations.serving import BODY_BYTES, REQUEST_ID, Options, Serving

if TYPE_CHECKING:
    from collections.abc import Awaitable, Callable, Iterable, MutableMapping, Sequence

    from mllog.logger import ModelLogger

    Message = MutableMapping[str, Any]
    Receive = Callable[[], Awaitable[Message]]
    Send = Callable[[Message], Awaitable[None]]
    Application = Callable[[Message, Receive, Send], Awaitable[None]]


class MllogMiddleware:
    """Binds request id, W3C trace context, method, path, route and user to every event logged during a request.

    The request id is that of ``x-request-id`` where it is sane (up to 128 visible ASCII characters), else a new
    one; the answer carries it. With ``log`` a request is an event too, unless its handler logged a prediction
    itself: the JSON body is the inputs, the JSON answer the output, the request id the prediction's, and it carries
    the status. 5xx and exceptions are failures; of 4xx the model is taken to know nothing. A body that is a list of
    objects gives one event for each.

    Bodies pass through as they come, websockets and the lifespan untouched. What is logged inside of a handler
    carries the route, but not the status, which nobody knows yet.

    Args:
        app: The application.
        log: Takes an event for each request; ``None``: requests are only bound.
        paths: Patterns of the paths whose requests are predictions (``/models/*/predict``); all with a JSON body
            where they aren't given.
        user: Who asks, from the scope; asked when an event is logged.
        route: The route's pattern, from the scope; known of Starlette, FastAPI and Django.
        inputs: The inputs in the JSON of a body, where they aren't all of it.
        output: The output in the JSON of an answer, where it isn't all of it.
        body_bytes: Bytes of a body, and of an answer, that are held at most; longer ones aren't kept.

    Raises:
        SettingError: Where an argument is impossible.
    """

    def __init__(
        self,
        app: Application,
        log: ModelLogger | None = None,
        *,
        paths: Sequence[str] | None = None,
        user: Callable[[Message], Any] | None = None,
        route: Callable[[Message], Any] | None = None,
        inputs: Callable[[Any], Any] | None = None,
        output: Callable[[Any], Any] | None = None,
        body_bytes: int = BODY_BYTES,
    ) -> None:
        self.app = app
        found = route or django_route(app, lambda scope: scope["path"]) or _route
        self._options = Options(log, paths, user, found, inputs, output, body_bytes)

    async def __call__(self, scope: Message, receive: Receive, send: Send) -> None:
        """Serve one connection."""
        if scope["type"] != "http":
            await self.app(scope, receive, send)
            return
        serving = Serving(
            self._options,
            scope,
            method=scope["method"],
            path=scope["path"],
            header=_headers(scope.get("headers") or ()),
        )
        token = current.set(serving)
        try:
            body = serving.body
            await self.app(scope, receive if body is None else _receiving(receive, serving), _sending(send, serving))
        except BaseException as error:
            serving.finish(error)
            raise
        else:
            serving.finish()
        finally:
            current.reset(token)


def _receiving(receive: Receive, serving: Serving) -> Receive:
    async def receiving() -> Message:
        message = await receive()
        if message["type"] == "http.request" and serving.body is not None:
            serving.body.add(message.get("body") or b"")
        return message

    return receiving


def _sending(send: Send, serving: Serving) -> Send:
    async def sending(message: Message) -> None:
        kind = message["type"]
        if kind == "http.response.start":
            headers = list(message.get("headers") or ())
            header = _headers(headers)
            serving.answered(message["status"], header)
            if header(REQUEST_ID) is None:
                message = {**message, "headers": [*headers, (REQUEST_ID.encode(), serving.request_id.encode())]}
        elif kind == "http.response.body":
            serving.take(message.get("body") or b"")
            if not message.get("more_body", False):
                # Before the last piece goes out: whoever has the answer finds the event.
                serving.finish()
        await send(message)

    return sending


def _headers(headers: Iterable[tuple[bytes, bytes]]) -> Callable[[str], str | None]:
    """Looks a header up; the values of one that came several times are joined, as RFC 9110 5.3 has it."""

    def header(name: str) -> str | None:
        key = name.encode()
        found = [value for given, value in headers if given.lower() == key]
        return b", ".join(found).decode("latin-1") if found else None

    return header


def _route(scope: Message) -> str | None:
    """The pattern of the route that Starlette or FastAPI has chosen, with the prefixes that it stands under."""
    route = scope.get("route")
    inner = scope.get("fastapi")
    if isinstance(inner, dict):  # FastAPI from 0.160 on keeps there what an included router's prefix makes of it
        route = inner.get("effective_route_context") or route
    path = getattr(route, "path_format", None) or getattr(route, "path", None)
    return f"{scope.get('root_path') or ''}{path}" if isinstance(path, str) else None
