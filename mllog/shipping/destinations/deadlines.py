"""How long an exchange may take as a whole, however its bytes come.

A socket's own time-out begins anew with every byte, so that a server that sends one now and then would keep a client
for ever. Here sockets wait for half a second at a time, and between two of these an exchange looks at its end; a caller
who has to end soon (SIGTERM, the end of a process) moves that end nearer while the exchange runs.
"""

from __future__ import annotations

import contextlib
import time
from typing import TYPE_CHECKING, Final

if TYPE_CHECKING:
    import socket
    from collections.abc import Iterator

SLICE_SECONDS: Final = 0.5


class Deadline:
    """The end of one exchange.

    Args:
        seconds: From now on.
    """

    def __init__(self, seconds: float) -> None:
        self._end = time.monotonic() + seconds

    @property
    def left(self) -> float:
        """Seconds that are left; below 0 where it has passed."""
        return self._end - time.monotonic()

    def nearer(self, seconds: float) -> None:
        """Let it be no later than so many seconds from now."""
        self._end = min(self._end, time.monotonic() + seconds)

    def allow(self, sock: socket.socket) -> None:
        """Let a socket wait a little, and never beyond the end.

        Raises:
            TimeoutError: Where it has passed.
        """
        left = self.left
        if left <= 0:
            raise TimeoutError("it took too long")
        sock.settimeout(min(left, SLICE_SECONDS))


class Deadlines:
    """The exchanges of one destination, which may run in several threads."""

    def __init__(self) -> None:
        self._running: set[Deadline] = set()
        self._last: Deadline | None = None

    @contextlib.contextmanager
    def exchange(self, seconds: float) -> Iterator[Deadline]:
        """An exchange that may take so long."""
        deadline = Deadline(seconds if self._last is None else min(seconds, self._last.left))
        self._running.add(deadline)
        try:
            yield deadline
        finally:
            self._running.discard(deadline)

    def hurry(self, seconds: float, *, altogether: bool) -> None:
        """What runs now ends within so long; with ``altogether`` whatever begins later too.

        Safe in a signal handler.
        """
        if altogether:
            self._last = Deadline(seconds)
        for deadline in list(self._running):
            deadline.nearer(seconds)


def send(sock: socket.socket, data: bytes, deadline: Deadline) -> None:
    """Send all of it.

    Raises:
        TimeoutError: Where it takes too long.
        OSError: Where the connection breaks.
    """
    view = memoryview(data)
    while view:
        deadline.allow(sock)
        with contextlib.suppress(TimeoutError):
            view = view[sock.send(view) :]
