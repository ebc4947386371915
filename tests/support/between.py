"""A proxy between a shipper and a real server: forwards requests, and fails where it is told to."""

from __future__ import annotations

import gzip
import http.client
import json
import threading
import time
from collections import deque
from contextlib import contextmanager, suppress
from dataclasses import dataclass, field
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import TYPE_CHECKING, Any
from urllib.parse import urlsplit

from support.receivers import reset

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator


@dataclass
class Between:
    """What the proxy does and has seen.

    Attributes:
        script: For the next ``_bulk`` requests: ``ok``; a number (answers with that status, forwards nothing); ``lost``
            (forwards, then resets the connection); ``half`` (forwards the first half of the items, answers 429 for the
            others).
        rules: Status by the end of a path, for other requests.
        bulks: Bodies of ``_bulk`` requests, decompressed.
        paths: Of all requests, without their queries.
        before: Called before a request is forwarded.
        requests: Method, path with its query, and body of all requests.
        delays: Seconds by the end of a path, before a request is forwarded.
    """

    script: deque[str | int] = field(default_factory=deque)
    rules: dict[str, int] = field(default_factory=dict)
    bulks: list[bytes] = field(default_factory=list)
    paths: list[str] = field(default_factory=list)
    before: Callable[[str], object] = lambda _: None
    limit: int = 2**30
    port: int = 0
    requests: list[tuple[str, str, bytes]] = field(default_factory=list)
    delays: dict[str, float] = field(default_factory=dict)

    @property
    def place(self) -> str:
        return f"elasticsearch+http://127.0.0.1:{self.port}"

    def next(self, path: str, body: bytes) -> str | int:
        """Note a request; what is to be done about it."""
        self.paths.append(path)
        for ending, status in self.rules.items():
            if path.endswith(ending):
                return status
        if path != "/_bulk":
            return "ok"
        self.bulks.append(body)
        does = self.script.popleft() if self.script else "ok"
        return 413 if len(body) > self.limit else does


@contextmanager
def between(url: str, *script: str | int) -> Iterator[Between]:
    """A proxy in front of ``url``."""
    state = Between(deque(script))
    with _Server(state, url) as server:
        state.port = server.server_port
        thread = threading.Thread(target=server.serve_forever, kwargs={"poll_interval": 0.01})
        thread.start()
        try:
            yield state
        finally:
            server.shutdown()
            thread.join()


class _Server(ThreadingHTTPServer):
    daemon_threads = True
    block_on_close = False

    def __init__(self, state: Between, url: str) -> None:
        self.state = state
        self.url = urlsplit(url)
        super().__init__(("127.0.0.1", 0), _Handler)

    def handle_error(self, *_: Any) -> None:
        pass


class _Handler(BaseHTTPRequestHandler):
    protocol_version = "HTTP/1.1"
    disable_nagle_algorithm = True
    server: _Server

    def do_POST(self) -> None:
        raw = self.rfile.read(int(self.headers.get("Content-Length", 0)))
        packed = self.headers.get("Content-Encoding") == "gzip"
        body = gzip.decompress(raw) if packed else raw
        path = self.path.partition("?")[0]
        self.server.state.requests.append((self.command, self.path, body))
        does = self.server.state.next(path, body)
        self.server.state.before(path)
        time.sleep(max((seconds for end, seconds in self.server.state.delays.items() if path.endswith(end)), default=0))
        if does == 413:
            self.answer(413, b"too large")
        elif isinstance(does, int):
            self.answer(does, b'{"error":{"type":"told_to","reason":"fail"}}')
        elif does == "half":
            self.half(body)
        else:
            status, data = self.forward(raw, packed=packed)
            if does == "lost":
                reset(self)
            else:
                self.answer(status, data)

    def do_GET(self) -> None:
        self.do_POST()

    do_PUT = do_DELETE = do_HEAD = do_GET  # noqa: N815

    def half(self, body: bytes) -> None:
        lines = body.splitlines(keepends=True)
        middle = len(lines) // 4 * 2
        _, data = self.forward(b"".join(lines[:middle]), packed=False)
        items = json.loads(data).get("items") or [{"create": {"status": 201}}] * (middle // 2)
        busy = {"create": {"status": 429, "error": {"type": "es_rejected_execution_exception", "reason": "busy"}}}
        answer = {"errors": True, "items": [*items, *[busy] * ((len(lines) - middle) // 2)]}
        self.answer(200, json.dumps(answer).encode())

    def forward(self, body: bytes, *, packed: bool) -> tuple[int, bytes]:
        headers = {name: value for name in ("Content-Type", "Accept", "Authorization") if (value := self.headers.get(name))}
        if packed:
            headers["Content-Encoding"] = "gzip"
        connection = http.client.HTTPConnection(self.server.url.hostname or "", self.server.url.port, timeout=60)
        connection.request(self.command, self.path, body or None, headers)
        answer = connection.getresponse()
        data = answer.read()
        connection.close()
        return answer.status, data

    def answer(self, status: int, data: bytes) -> None:
        self.send_response(status)
        # A client of version 8 expects the content type that it asked for.
        asked = self.headers.get("Accept", "")
        self.send_header("Content-Type", asked if "elasticsearch+json" in asked else "application/json")
        self.send_header("X-Elastic-Product", "Elasticsearch")
        self.send_header("Content-Length", str(len(data)))
        self.end_headers()
        if self.command != "HEAD":
            self.wfile.write(data)

    def finish(self) -> None:
        with suppress(OSError, ValueError):
            super().finish()

    def log_message(self, *_: Any) -> None:
        pass
