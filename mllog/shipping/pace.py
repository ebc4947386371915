"""When to try again: exponential back-off with jitter, the destination's own wish, and an end to patience."""

from __future__ import annotations

import threading
import time
from typing import TYPE_CHECKING, Final

from mllog import draws

if TYPE_CHECKING:
    from collections.abc import Callable

    from mllog.shipping.destinations.base import UnavailableError

FIRST_SECONDS: Final = 0.5
LONGEST_SECONDS: Final = 60.0
LONGEST_WISH_SECONDS: Final = 300.0
"""A ``Retry-After`` of more is taken for this."""


class Pace:
    """Waits between attempts, longer each time: between half of and the full ``first * 2**n`` seconds.

    Args:
        stop: Ends every wait.
        first: Seconds of the first wait.
        longest: Seconds of the longest.
        give_up: Seconds without any success after which it isn't tried again; ``None``: never.
        told: Called with the first failure of an outage before the wait, and with ``None`` when it is over.
    """

    def __init__(
        self,
        stop: threading.Event,
        *,
        first: float = FIRST_SECONDS,
        longest: float = LONGEST_SECONDS,
        give_up: float | None = None,
        told: Callable[[UnavailableError | None], object] = lambda _: None,
    ) -> None:
        self._stop = stop
        self._first = first
        self._longest = longest
        self._give_up = give_up
        self.told = told
        self._failures = 0
        self._outage = False
        self._since = time.monotonic()

    @property
    def failing(self) -> bool:
        """Whether the last attempt failed."""
        return self._failures > 0

    def succeeded(self) -> None:
        """Something was acknowledged."""
        if self._outage:
            self._outage = False
            self.told(None)
        self._failures = 0
        self._since = time.monotonic()

    def reset(self) -> None:
        """Forget former failures: the next attempt is the first."""
        self._failures = 0

    def failed(self, problem: UnavailableError) -> bool:
        """Wait after a failure; whether to try again at once afterwards."""
        self._failures += 1
        if self._stop.is_set():
            return False
        delay = min(self._first * 2.0 ** min(self._failures - 1, 30), self._longest)
        delay *= draws.generator.uniform(0.5, 1.0)  # so that not all come back at once
        if problem.retry_after is not None:
            delay = max(delay, min(problem.retry_after, LONGEST_WISH_SECONDS))
        if self._give_up is not None:
            left = self._since + self._give_up - time.monotonic()
            if left <= 0 or problem.hopeless:
                return False
            delay = min(delay, left)
        if not self._outage:
            self._outage = True
            self.told(problem)
        return not self._stop.wait(delay)
