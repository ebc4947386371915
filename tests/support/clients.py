"""Clients of a server under load: real connections, and what each request came to."""

from __future__ import annotations

import http.client
import itertools
import threading
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Callable


class Clients:
    """Threads that send request after request until the server is gone.

    Args:
        port: Of the server.
        threads: How many at once.

    Attributes:
        answered: Event ids by number of the request, of those that were answered with 200.
        unknown: Numbers of requests that were sent and not answered.
    """

    def __init__(self, port: int, threads: int) -> None:
        self.answered: dict[int, str] = {}
        self.unknown: set[int] = set()
        self._port = port
        self._numbers = itertools.count()
        self._stop = threading.Event()
        self._threads = [threading.Thread(target=self._work) for _ in range(threads)]

    def start(self) -> None:
        """Begin."""
        for thread in self._threads:
            thread.start()

    def wait_for(self, answers: int, alive: Callable[[], bool]) -> None:
        """Wait until so many requests were answered."""
        while len(self.answered) < answers:
            assert alive()
            self._stop.wait(0.01)

    def stop(self) -> None:
        """Send no more, and wait for those under way."""
        self._stop.set()
        for thread in self._threads:
            thread.join()

    def _work(self) -> None:
        connection = http.client.HTTPConnection("127.0.0.1", self._port, timeout=60)
        while not self._stop.is_set():
            k = next(self._numbers)
            try:
                connection.connect()
            except OSError:
                self._stop.wait(0.01)  # it isn't up yet, or not any more
                continue
            try:
                connection.request("GET", f"/?{k}")
                answer = connection.getresponse()
                body = answer.read()
            except (OSError, http.client.HTTPException):
                self.unknown.add(k)
            else:
                if answer.status == 200:
                    self.answered[k] = body.decode()
                else:
                    self.unknown.add(k)
            connection.close()
