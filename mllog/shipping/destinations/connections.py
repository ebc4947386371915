"""urllib3's connections, with an end for each exchange, and closed in forked children."""

from __future__ import annotations

import http.client
import io
import os
import weakref
from contextvars import ContextVar
from typing import TYPE_CHECKING, Any, Final

from urllib3.connection import HTTPConnection, HTTPSConnection

from mllog.shipping.destinations.deadlines import Deadline, send

if TYPE_CHECKING:
    import socket

    from _typeshed import WriteableBuffer

exchange: Final[ContextVar[Deadline]] = ContextVar("exchange")
"""The end of the exchange that this thread is in the middle of."""

_open: Final[weakref.WeakSet[HTTPConnection]] = weakref.WeakSet()


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
    """Known to this module once it is connected, so that a forked child can close its copy."""

    response_class = _Response

    def connect(self) -> None:
        """Connect."""
        super().connect()
        _open.add(self)

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


def _after_fork() -> None:
    # Closed as files: a TLS farewell on a socket that is the parent's would end the parent's connection.
    for connection in list(_open):
        sock = connection.sock
        if sock is not None:
            try:
                os.close(sock.detach())
            except OSError:
                continue
    _open.clear()


if hasattr(os, "register_at_fork"):
    os.register_at_fork(after_in_child=_after_fork)
