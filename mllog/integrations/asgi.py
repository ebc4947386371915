"""ASGI (https://asgi.readthedocs.io/en/latest/specs/www.html): FastAPI, Starlette, Django, Litestar, Quart, ...

::

    app.add_middleware(MllogMiddleware, log=log, paths=["/predict"])
"""

from __future__ import annotations

from collections.abc import Awaitable, Callable, MutableMapping
from typing import TYPE_CHECKING, Any

from mllog.context import current
from mllog.integrations.options import HttpMiddleware
from mllog.integrations.routes import django_route
from mllog.integrations.serving import REQUEST_ID, Serving

if TYPE_CHECKING:
    from collections.abc import Iterable

Message = MutableMapping[str, Any]
Receive = Callable[[], Awaitable[Message]]
Send = Callable[[Message], Awaitable[None]]
Application = Callable[[Message, Receive, Send], Awaitable[None]]


class MllogMiddleware(HttpMiddleware[Application, Message]):
    """The middleware for an ASGI application: see :class:`mllog.integrations.options.HttpMiddleware`.

    Routes of Starlette, FastAPI and Django are known. Websockets and the lifespan are left alone.
    """

    @staticmethod
    def find_route(app: Any) -> Callable[[Message], str | None]:
        """Django's own resolver, or what Starlette and FastAPI leave in the scope."""
        return django_route(app, lambda scope: scope["path"]) or _route

    async def __call__(self, scope: Message, receive: Receive, send: Send) -> None:
        """Serve one connection."""
        if scope["type"] != "http":
            await self.app(scope, receive, send)
            return
        serving = Serving(
            self,
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
                serving.end()
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
