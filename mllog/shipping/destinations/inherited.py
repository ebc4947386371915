"""Closes in a forked child the connections that are its parent's."""

from __future__ import annotations

import os
import weakref
from typing import TYPE_CHECKING, Final

if TYPE_CHECKING:
    import socket

_open: Final[weakref.WeakSet[socket.socket]] = weakref.WeakSet()


def close_in_children(sock: socket.socket) -> None:
    """Remember a connected socket, as long as it lives."""
    _open.add(sock)


def _close() -> None:
    for sock in list(_open):
        # Closed as a file: a TLS farewell would end the parent's connection.
        try:
            os.close(sock.detach())
        except OSError:  # it was closed before
            continue
    _open.clear()


if hasattr(os, "register_at_fork"):
    os.register_at_fork(after_in_child=_close)
