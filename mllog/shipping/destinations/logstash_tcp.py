"""Logstash's tcp input (codec ``json_lines``): best effort, since it never acknowledges.

Lines count as delivered when the operating system has taken them. What it had taken and Logstash had not is lost with
the connection, uncounted: kill -9 of a real Logstash under load lost 12% of what had been written to it. Use
``logstash+http`` for events that matter.
See https://www.elastic.co/docs/reference/logstash/plugins/plugins-inputs-tcp.
"""

from __future__ import annotations

import socket
from typing import TYPE_CHECKING, Final
from urllib.parse import urlsplit

from mllog.shipping.destinations.base import CHECK_SECONDS, Answer, Check, UnavailableError, canonical, key
from mllog.shipping.destinations.deadlines import Deadlines, send
from mllog.shipping.destinations.inherited import close_in_children

if TYPE_CHECKING:
    from collections.abc import Mapping

    from mllog.places import Place
    from mllog.shipping.destinations.base import Refusal
    from mllog.shipping.segments import Batch

SECONDS: Final = 15.0
"""For writing a batch as a whole."""
CONNECT_SECONDS: Final = 5.0


class LogstashTcpDestination:
    """Logstash's tcp input."""

    acknowledges = False
    holds = True

    def __init__(self, place: Place) -> None:
        self.name = canonical(place)
        self.key = key(place)
        parts = urlsplit(place.location)
        self._address = (parts.hostname or "", parts.port or 0)
        self._socket: socket.socket | None = None
        self._seconds = SECONDS
        self._deadlines = Deadlines()

    def send(self, batch: Batch) -> Answer:
        """Write the lines to the connection.

        Raises:
            UnavailableError: Where there is none, or it broke.
        """
        with self._deadlines.exchange(self._seconds) as deadline:
            sock = self._connected(deadline.left)
            try:
                send(sock, b"".join(line.data for line in batch.lines), deadline)
                if _is_closed(sock):
                    raise ConnectionResetError("it closed the connection")
            except OSError as error:
                self.close()
                late = isinstance(error, TimeoutError)
                raise UnavailableError(
                    f"{self._where}: the connection broke: {error.strerror or error}", suspect=late
                ) from None
        return Answer()

    def bury(self, batch: Batch, refused: Mapping[int, Refusal]) -> None:
        """Nobody to tell."""

    def passed(self, process: str, segment: int) -> None:
        """Nothing to do."""

    def check(self, timeout: float = CHECK_SECONDS) -> Check:
        """Connect."""
        try:
            self._connected(timeout)
        except UnavailableError as problem:
            return Check(False, str(problem))
        return Check(True, f"{self.name} accepts connections; it acknowledges nothing")

    def hurry(self, seconds: float, *, altogether: bool = False) -> None:
        """Wait no longer than that for the connection to take lines."""
        self._seconds = min(self._seconds, seconds) if altogether else seconds
        self._deadlines.hurry(seconds, altogether=altogether)

    def renew(self) -> None:
        """Begin anew in a forked child: the connection is the parent's."""
        self._socket = None

    def close(self) -> None:
        """Close the connection."""
        sock, self._socket = self._socket, None
        if sock is not None:
            sock.close()

    @property
    def _where(self) -> str:
        return "{}:{}".format(*self._address)

    def _connected(self, seconds: float) -> socket.socket:
        if self._socket is not None and not _is_closed(self._socket):
            return self._socket
        self.close()
        try:
            sock = socket.create_connection(self._address, timeout=max(min(seconds, CONNECT_SECONDS), 0.001))
        except OSError as error:
            raise UnavailableError(
                f"{self._where} can't be reached: {error.strerror or error}", doubtful=False
            ) from None
        close_in_children(sock)
        self._socket = sock
        return sock


def _is_closed(sock: socket.socket) -> bool:
    """Whether the other side hung up: it never sends anything else."""
    seconds = sock.gettimeout()
    sock.settimeout(0.0)
    try:
        return sock.recv(1, socket.MSG_PEEK) == b""
    except (BlockingIOError, InterruptedError):
        return False
    except OSError:
        return True
    finally:
        sock.settimeout(seconds)
