"""urllib3's connections, with an end for each exchange, and closed in forked children."""

from __future__ import annotations

import http.client
import io
from contextvars import ContextVar
from typing import TYPE_CHECKING, Any, Final

from urllib3.connection import HTTPConnection, HTTPSConnection

from mllog.shipping.destinations.deadlines import Deadline, send
from mllog.shipping.destinations.inherited import close_in_children

if TYPE_CHECKING:
    import socket

    from _typeshed import WriteableBuffer

exchange: Final[ContextVar[Deadline]] = ContextVar("exchange")
"""The end of the exchange that this thread is in the middle of."""


class _Bytes(io.RawIOBase):
    """What comes from a socket, until the exchange ends.

    Args:
        raw: The socket's own file, which keeps the socket open.
        sock: The socket.
        deadline: When the exchange ends.
    """

    def __init__(self, raw: io.RawIOBase, sock: socket.socket, deadline: Deadline) -> None:
        super().__init__()
        self._raw = raw
        self._sock = sock
        self._deadline = deadline

    def readable(self) -> bool:
        return True

    def readinto(self, buffer: WriteableBuffer) -> int:
        while True:
            self._deadline.allow(self._sock)
            try:
                return self._sock.recv_into(buffer)
            except TimeoutError:
                continue

    def close(self) -> None:
        self._raw.close()
        super().close()


class _Response(http.client.HTTPResponse):
    """An answer: its head too has to come before the exchange ends."""

    def __init__(self, sock: socket.socket, *args: Any, **options: Any) -> None:
        super().__init__(sock, *args, **options)
        self.fp = io.BufferedReader(_Bytes(self.fp.detach(), sock, exchange.get()))


class Plain(HTTPConnection):
    """Its exchanges have an end, and a forked child closes its copy."""

    response_class = _Response

    def connect(self) -> None:
        """Connect."""
        super().connect()
        close_in_children(self.sock)

    def send(self, data: Any) -> None:
        """Send a part of a request.

        Raises:
            TimeoutError: Where the exchange has ended.
            OSError: Where the connection breaks.
        """
        if self.sock is None:
            self.connect()
        if self.sock is not None:
            send(self.sock, data, exchange.get())


class Secure(Plain, HTTPSConnection):
    """The same over TLS."""
