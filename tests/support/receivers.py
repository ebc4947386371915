"""Receivers of shipped events on real sockets, which can be told to fail as real ones do."""

from __future__ import annotations

import gzip
import json
import socket
import ssl
import struct
import threading
from collections import deque
from contextlib import contextmanager, suppress
from dataclasses import dataclass, field
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from collections.abc import Iterator


@dataclass(frozen=True)
class Request:
    """One request as it came.

    Attributes:
        path: With its query.
        headers: Names in lower case.
        body: Decompressed.
        answer: What it was answered with.
    """

    method: str
    path: str
    headers: dict[str, str]
    body: bytes
    answer: str


@dataclass
class Receiver:
    """Logstash's http input: 200 once it has taken a request's lines; ``script`` says what to do instead, in order.

    ``ok``; a number (a status, takes nothing); ``hang`` (waits for ``released``, takes it, answers; the client may have
    gone); ``silent`` (takes it, never answers); ``reset`` (resets the connection before it takes anything);
    ``lost`` (takes it, resets the connection in the middle of the answer); ``garbage`` (an answer that isn't HTTP).

    Attributes:
        always: What is done when the script is over.
        limit: Bytes of a body, decompressed, above which it answers 413.
    """

    script: deque[str | int] = field(default_factory=deque)
    always: str | int = "ok"
    headers: dict[str, str] = field(default_factory=dict)
    limit: int = 100 * 2**20
    requests: list[Request] = field(default_factory=list)
    lines: list[bytes] = field(default_factory=list)
    released: threading.Event = field(default_factory=threading.Event)
    port: int = 0
    context: ssl.SSLContext | None = None
    _lock: threading.Lock = field(default_factory=threading.Lock)

    def place(self, user: str = "", host: str = "127.0.0.1") -> str:
        """Its place."""
        return f"logstash+http{'s' if self.context else ''}://{user}{host}:{self.port}"

    def next(self, method: str, path: str, headers: dict[str, str], body: bytes) -> str | int:
        """Note a request; what is to be done about it."""
        with self._lock:
            does = self.script.popleft() if self.script else self.always
            if does == "ok" and len(body) > self.limit:
                does = 413
            lower = {name.lower(): value for name, value in headers.items()}
            self.requests.append(Request(method, path, lower, body, str(does)))
            return does

    def take(self, body: bytes) -> None:
        with self._lock:
            self.lines += body.splitlines()

    def ids(self) -> list[str]:
        """Ids of all lines that were taken, copies too."""
        return [json.loads(line)["event"]["id"] for line in self.lines]

    def copies(self) -> dict[str, set[bytes]]:
        """By id, the different lines that came under it."""
        found: dict[str, set[bytes]] = {}
        for line in self.lines:
            found.setdefault(json.loads(line)["event"]["id"], set()).add(line)
        return found


@contextmanager
def logstash(
    *script: str | int, port: int = 0, context: ssl.SSLContext | None = None, **options: Any
) -> Iterator[Receiver]:
    """A receiver that listens."""
    receiver = Receiver(deque(script), context=context, **options)
    with _Server(receiver, port) as server:
        receiver.port = server.server_port
        thread = threading.Thread(target=server.serve_forever, kwargs={"poll_interval": 0.01})
        thread.start()
        try:
            yield receiver
        finally:
            receiver.released.set()
            server.shutdown()
            thread.join()
            # As a process that ends closes them: requests that are being read get no answer any more.
            for connection in server.connections:
                with suppress(OSError):
                    connection.shutdown(socket.SHUT_RDWR)


def reset(handler: BaseHTTPRequestHandler) -> None:
    """Close a connection so that the other side gets RST, not FIN."""
    handler.wfile.flush()
    handler.close_connection = True
    handler.connection.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, struct.pack("ii", 1, 0))
    handler.connection.close()


class _Server(ThreadingHTTPServer):
    daemon_threads = True
    block_on_close = False

    def __init__(self, receiver: Receiver, port: int) -> None:
        self.receiver = receiver
        self.connections: list[socket.socket] = []
        super().__init__(("127.0.0.1", port), _Handler)

    def get_request(self) -> tuple[Any, Any]:
        connection, address = super().get_request()
        if self.receiver.context is not None:
            connection = self.receiver.context.wrap_socket(connection, server_side=True, do_handshake_on_connect=False)
        self.connections.append(connection)
        return connection, address

    def handle_error(self, *_: Any) -> None:
        pass


class _Handler(BaseHTTPRequestHandler):
    protocol_version = "HTTP/1.1"
    disable_nagle_algorithm = True
    server: _Server

    def do_POST(self) -> None:
        receiver = self.server.receiver
        body = self.rfile.read(int(self.headers.get("Content-Length", 0)))
        if self.headers.get("Content-Encoding") == "gzip":
            body = gzip.decompress(body)
        does = receiver.next(self.command, self.path, dict(self.headers.items()), body)
        if isinstance(does, int):
            self.answer(does, b"busy", **receiver.headers)
            self.close_connection = does == 429
        elif does == "reset":
            reset(self)
        elif does == "garbage":
            self.wfile.write(b"\x15\x03\x03\x00\x02\x02\x50")
            self.close_connection = True
        else:
            self.take(does, receiver, body)

    def do_GET(self) -> None:
        self.do_POST()

    def take(self, does: str, receiver: Receiver, body: bytes) -> None:
        if does == "hang":
            receiver.released.wait(60)
        receiver.take(body)
        if does == "silent":
            receiver.released.wait(60)
            self.close_connection = True
        elif does == "lost":
            self.wfile.write(b"HTTP/1.1 200 O")
            reset(self)
        else:
            self.answer(200, b"ok")

    def answer(self, status: int, body: bytes, **headers: str) -> None:
        self.send_response(status)
        self.send_header("Content-Length", str(len(body)))
        for name, value in headers.items():
            self.send_header(name, value)
        self.end_headers()
        self.wfile.write(body)

    def finish(self) -> None:
        with suppress(OSError, ValueError):
            super().finish()

    def log_message(self, *_: Any) -> None:
        pass


@contextmanager
def tcp(*, hang_up_after: int | None = None) -> Iterator[Receiver]:
    """Logstash's tcp input: takes lines and says nothing; hangs up after so many connections' first bytes."""
    receiver = Receiver()
    stop = threading.Event()
    hang_ups = [0 if hang_up_after is None else hang_up_after]

    def serve(connection: socket.socket) -> None:
        rest = b""
        with connection:
            connection.settimeout(0.05)
            while not stop.is_set():
                try:
                    block = connection.recv(2**16)
                except TimeoutError:
                    continue
                except OSError:
                    return
                if not block:
                    return
                if hang_ups[0]:
                    hang_ups[0] -= 1
                    return
                lines, _, rest = (rest + block).rpartition(b"\n")
                receiver.take(lines)

    with socket.create_server(("127.0.0.1", 0)) as listener:
        listener.settimeout(0.05)
        receiver.port = listener.getsockname()[1]
        threads: list[threading.Thread] = []

        def accept() -> None:
            while not stop.is_set():
                try:
                    connection, _ = listener.accept()
                except TimeoutError:
                    continue
                threads.append(threading.Thread(target=serve, args=(connection,)))
                threads[-1].start()

        acceptor = threading.Thread(target=accept)
        acceptor.start()
        try:
            yield receiver
        finally:
            stop.set()
            acceptor.join()
            for thread in threads:
                thread.join()
