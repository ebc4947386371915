"""An HTTP server on a real socket that answers as a function says: statuses, bodies, or bytes a few at a time."""

from __future__ import annotations

import gzip
import json
import socket
import threading
import time
from contextlib import contextmanager, suppress
from dataclasses import dataclass, field
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    import ssl
    from collections.abc import Callable, Iterator

    Answering = Callable[["Asked"], Any]


@dataclass(frozen=True)
class Asked:
    """One request.

    Attributes:
        path: Without its query.
        headers: Names in lower case.
        body: Decompressed.
    """

    path: str
    headers: dict[str, str]
    body: bytes

    @property
    def ids(self) -> list[str]:
        """Ids of the events in it, as NDJSON or as a bulk of creates."""
        documents = [json.loads(line) for line in self.body.splitlines()]
        if self.path.endswith("/_bulk"):
            return [document["create"]["_id"] for document in documents[::2]]
        return [document["event"]["id"] for document in documents]


@dataclass
class Scripted:
    """A server that answers by a function.

    Attributes:
        answering: Gives, for a request, a status; a status and a body (bytes, or what becomes JSON); or pieces of raw
            bytes, written one after the other.
        asked: All requests, in order.
        ended: Set when the server ends; whoever waits in ``answering`` waits for it.
    """

    answering: Answering
    port: int = 0
    asked: list[Asked] = field(default_factory=list)
    ended: threading.Event = field(default_factory=threading.Event)

    def place(self, kind: str = "logstash+http", user: str = "") -> str:
        return f"{kind}://{user}127.0.0.1:{self.port}"


@contextmanager
def scripted(answering: Answering, *, context: ssl.SSLContext | None = None) -> Iterator[Scripted]:
    """A server that listens."""
    state = Scripted(answering)
    with _Server(state, context) as server:
        state.port = server.server_port
        thread = threading.Thread(target=server.serve_forever, kwargs={"poll_interval": 0.01})
        thread.start()
        try:
            yield state
        finally:
            state.ended.set()
            server.shutdown()
            thread.join()


def slowly(data: bytes, seconds: float) -> Iterator[bytes]:
    """Byte by byte, with a pause before each."""
    for k in range(len(data)):
        time.sleep(seconds)
        yield data[k : k + 1]


def bulk(items: list[dict[str, Any]]) -> tuple[int, dict[str, Any]]:
    """An answer to ``_bulk``."""
    return 200, {"errors": any(item["status"] >= 300 for item in items), "items": [{"create": item} for item in items]}


def failure(status: int, kind: str, reason: str = "told to") -> dict[str, Any]:
    """An item of such an answer that isn't done."""
    return {"status": status, "error": {"type": kind, "reason": reason}}


class _Server(ThreadingHTTPServer):
    daemon_threads = True
    block_on_close = False

    def __init__(self, state: Scripted, context: ssl.SSLContext | None) -> None:
        self.state = state
        self.context = context
        super().__init__(("127.0.0.1", 0), _Handler)

    def get_request(self) -> tuple[Any, Any]:
        connection, address = super().get_request()
        if self.context is not None:
            connection = self.context.wrap_socket(connection, server_side=True, do_handshake_on_connect=False)
        return connection, address

    def handle_error(self, *_: Any) -> None:
        if self.context is not None:
            time.sleep(0.3)  # what TLS says of the failure is read before the connection ends


class _Handler(BaseHTTPRequestHandler):
    protocol_version = "HTTP/1.1"
    disable_nagle_algorithm = True
    server: _Server

    def do_POST(self) -> None:
        body = self.rfile.read(int(self.headers.get("Content-Length", 0)))
        if self.headers.get("Content-Encoding") == "gzip":
            body = gzip.decompress(body)
        headers = {name.lower(): value for name, value in self.headers.items()}
        asked = Asked(self.path.partition("?")[0], headers, body)
        self.server.state.asked.append(asked)
        answer = self.server.state.answering(asked)
        if not isinstance(answer, int | tuple):
            self.close_connection = True
            with suppress(OSError):
                for piece in answer:
                    self.connection.sendall(piece)
            return
        status, data = (answer, b"") if isinstance(answer, int) else answer
        if not isinstance(data, bytes):
            data = json.dumps(data).encode()
        self.send_response(status)
        self.send_header("Content-Length", str(len(data)))
        self.end_headers()
        if self.command != "HEAD":
            self.wfile.write(data)

    def do_GET(self) -> None:
        self.do_POST()

    do_PUT = do_HEAD = do_GET  # noqa: N815

    def finish(self) -> None:
        with suppress(OSError, ValueError):
            super().finish()

    def log_message(self, *_: Any) -> None:
        pass


@contextmanager
def deaf() -> Iterator[int]:
    """Port of a server that accepts connections and never reads from them."""
    with socket.create_server(("127.0.0.1", 0)) as listener:
        yield listener.getsockname()[1]
