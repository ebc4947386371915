"""When to try again: exponential back-off with jitter, the destination's own wish, and an end to patience."""

from __future__ import annotations

import threading
import time
from typing import TYPE_CHECKING, Final

from mllog import draws
from mllog.shipping.blame import Blame

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

    Attributes:
        requests: Whose fault it is that whole requests failed.
        items: Whose fault it is that events failed beside others that were taken.
        successes: How often something was acknowledged.
        spent: Whether patience has ended.
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
        self._troubled: set[str] = set()
        self._since = time.monotonic()
        self.requests = Blame()
        self.items = Blame()
        self.successes = 0
        self.spent = False

    @property
    def failing(self) -> bool:
        """Whether the last attempt failed."""
        return self._failures > 0

    def succeeded(self, who: str = "", *, over: bool = True) -> None:
        """Something was acknowledged.

        Args:
            who: Whose it was.
            over: Whether nothing else of theirs is in trouble.
        """
        self.successes += 1
        self.requests.succeeded()
        self.items.succeeded()
        if over and who in self._troubled:
            self._troubled.discard(who)
            if not self._troubled:
                self.told(None)
        self._failures = 0
        self._since = time.monotonic()
        self.spent = False

    def take_over(self, other: Pace) -> None:
        """Go on from one that has ended: an outage that it told of is told to be over here."""
        self._troubled |= other._troubled

    def reset(self) -> None:
        """Forget former failures: the next attempt is the first."""
        self._failures = 0

    def failed(self, problem: UnavailableError, who: str = "") -> bool:
        """Wait after a failure; whether to try again at once afterwards.

        Args:
            problem: What went wrong.
            who: Whose it was; an outage is over when nobody is in trouble any more.
        """
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
                self.spent = True
                return False
            delay = min(delay, left)
        begins = not self._troubled
        self._troubled.add(who)
        if begins:
            self.told(problem)
        return not self._stop.wait(delay)
