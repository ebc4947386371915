"""WSGI (https://peps.python.org/pep-3333/): Flask, Django, Bottle, Pyramid, ...

::

    app.wsgi_app = MllogMiddleware(app.wsgi_app, log, paths=["/predict"])
"""

from __future__ import annotations

from collections.abc import Callable, Iterable
from typing import TYPE_CHECKING, Any

from mllog.context import current
from mllog.integrations.options import HttpMiddleware
from mllog.integrations.routes import django_route
from mllog.integrations.serving import REQUEST_ID, Serving

if TYPE_CHECKING:
    from collections.abc import Iterator

Environ = dict[str, Any]
Application = Callable[[Environ, Callable[..., Any]], Iterable[bytes]]

_NOT_HTTP: frozenset[str] = frozenset({"content-type", "content-length"})
"""Headers that CGI, and so WSGI, gives without the prefix HTTP_."""


class MllogMiddleware(HttpMiddleware[Application, Environ]):
    """The middleware for a WSGI application: see :class:`mllog.integrations.options.HttpMiddleware`.

    Routes of Flask and Django are known.
    """

    @staticmethod
    def find_route(app: Any) -> Callable[[Environ], str | None]:
        """Django's own resolver, or what Flask leaves in the environ."""
        return django_route(app, lambda environ: _text(environ.get("PATH_INFO", ""))) or _route

    def __call__(self, environ: Environ, start_response: Callable[..., Any]) -> Iterable[bytes]:
        """Serve one request."""

        def header(name: str) -> str | None:
            key = name.upper().replace("-", "_")
            value = environ.get(key if name in _NOT_HTTP else f"HTTP_{key}")
            return value or None

        serving = Serving(
            self,
            environ,
            method=environ.get("REQUEST_METHOD", ""),
            path=_text(environ.get("SCRIPT_NAME", "") + environ.get("PATH_INFO", "")),
            header=header,
        )
        if serving.body is not None and "wsgi.input" in environ:
            environ["wsgi.input"] = _Tee(environ["wsgi.input"], serving.body.add)
        token = current.set(serving)
        try:
            answer = self.app(environ, _starting(start_response, serving))
            # What is whole already is passed on as it is: servers take its length, or hand a file to the kernel.
            if type(answer) in {list, tuple}:
                for chunk in answer:
                    serving.take(chunk)
                serving.finish()
                return answer
            if serving.answer is None and _is_file(answer, environ):
                serving.finish()
                return answer
        except BaseException as error:
            serving.finish(error)
            raise
        finally:
            current.reset(token)
        return _Answer(answer, serving)


class _Answer:
    """The application's answer while the server iterates it, which happens outside of the call."""

    def __init__(self, answer: Iterable[bytes], serving: Serving) -> None:
        self._answer = answer
        self._chunks: Iterator[bytes] | None = None
        self._serving = serving

    def __iter__(self) -> Iterator[bytes]:
        return self

    def __next__(self) -> bytes:
        token = current.set(self._serving)
        try:
            if self._chunks is None:
                self._chunks = iter(self._answer)
            chunk = next(self._chunks)
            if self._serving.take(chunk):
                self._serving.end()
        except StopIteration:
            self._serving.finish()
            raise
        except BaseException as error:
            self._serving.finish(error)
            raise
        finally:
            current.reset(token)
        return chunk

    def close(self) -> None:
        """The server is done, or the client is gone."""
        token = current.set(self._serving)
        try:
            close = getattr(self._answer, "close", None)
            if close is not None:
                close()
        finally:
            self._serving.finish()
            current.reset(token)


class _Tee:
    """``wsgi.input``, with what is read from it handed on."""

    def __init__(self, stream: Any, take: Callable[[bytes], None]) -> None:
        self._stream = stream
        self._take = take

    def read(self, *size: int) -> bytes:
        data: bytes = self._stream.read(*size)
        self._take(data)
        return data

    def readline(self, *size: int) -> bytes:
        data: bytes = self._stream.readline(*size)
        self._take(data)
        return data

    def readlines(self, *hint: int) -> list[bytes]:
        lines: list[bytes] = self._stream.readlines(*hint)
        self._take(b"".join(lines))
        return lines

    def __iter__(self) -> Iterator[bytes]:
        for line in self._stream:
            self._take(line)
            yield line

    def __getattr__(self, name: str) -> Any:
        given = getattr(self._stream, name)
        if name != "readinto":
            return given

        def readinto(buffer: Any) -> int | None:
            n: int | None = given(buffer)
            self._take(bytes(memoryview(buffer)[: n or 0]))
            return n

        return readinto


def _starting(start_response: Callable[..., Any], serving: Serving) -> Callable[..., Any]:
    def starting(status: str, headers: list[tuple[str, str]], *exc_info: Any) -> Callable[[bytes], Any]:
        found = {name.lower(): value for name, value in headers}
        serving.answered(int(status.split(maxsplit=1)[0]), found.get)
        if REQUEST_ID not in found:
            headers = [*headers, (REQUEST_ID, serving.request_id)]
        write: Callable[[bytes], Any] = start_response(status, headers, *exc_info)
        if serving.answer is None:
            return write

        def writing(data: bytes) -> Any:
            serving.take(data)
            return write(data)

        return writing

    return starting


def _text(path: str) -> str:
    """A path as WSGI gives it: bytes that stand for themselves as latin-1."""
    return path.encode("latin-1", "replace").decode("utf-8", "replace")


def _is_file(answer: Any, environ: Environ) -> bool:
    wrapper = environ.get("wsgi.file_wrapper")
    return isinstance(wrapper, type) and isinstance(answer, wrapper)


def _route(environ: Environ) -> str | None:
    """The pattern of the route that Flask has chosen (Werkzeug leaves its request with the environ)."""
    rule = getattr(environ.get("werkzeug.request"), "url_rule", None)
    pattern = getattr(rule, "rule", None)
    return pattern if isinstance(pattern, str) else None
