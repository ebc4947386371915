"""Sends the two halves of a batch at the same time: a server with more than one core takes them faster."""

from __future__ import annotations

from concurrent.futures import ThreadPoolExecutor
from typing import TYPE_CHECKING, Final

from mllog.shipping.destinations.base import Answer, TooLargeError, UnavailableError

if TYPE_CHECKING:
    from collections.abc import Callable

    from mllog.shipping.segments import Batch

LEAST_LINES: Final = 200
"""Shorter batches go in one request."""


class Halves:
    """Sends batches by a function that two threads may call at once.

    Args:
        send: As :meth:`mllog.shipping.destinations.base.Destination.send`.
    """

    def __init__(self, send: Callable[[Batch], Answer]) -> None:
        self._send = send
        self._other = ThreadPoolExecutor(1, "mllog-second-half")

    def send(self, batch: Batch) -> Answer:
        """Send a batch.

        Raises:
            UnavailableError: Where neither half was taken.
            TooLargeError: Where neither half was taken, since the first was too large.
        """
        lines = batch.lines
        if len(lines) < LEAST_LINES:
            return self._send(batch)
        half = len(lines) // 2
        second = self._other.submit(self._outcome, batch.part(lines[half:], doubtful=batch.doubtful))
        outcomes = [self._outcome(batch.part(lines[:half], doubtful=batch.doubtful)), second.result()]
        failures = [outcome for outcome in outcomes if not isinstance(outcome, Answer)]
        if len(failures) == len(outcomes):
            if isinstance(failures[0], UnavailableError):
                failures[0].doubtful = any(isinstance(f, UnavailableError) and f.doubtful for f in failures)
                failures[0].suspect = all(isinstance(f, UnavailableError) and f.suspect for f in failures)
            raise failures[0]
        first, other = (_answer(outcome, n) for outcome, n in zip(outcomes, (half, len(lines) - half), strict=True))
        return Answer(
            {**first.refused, **{half + k: refusal for k, refusal in other.refused.items()}},
            [*first.retry, *(half + k for k in other.retry)],
            first.doubtful or other.doubtful,
            first.duplicates + other.duplicates,
            first.unasked or other.unasked,
            first.retry_after or other.retry_after,
            first.problem or other.problem,
            [*first.suspect, *(half + k for k in other.suspect)],
            first.unclear or other.unclear,
            first.asked and other.asked,
        )

    def _outcome(self, batch: Batch) -> Answer | UnavailableError | TooLargeError:
        try:
            return self._send(batch)
        except (UnavailableError, TooLargeError) as problem:
            return problem


def _answer(outcome: Answer | UnavailableError | TooLargeError, lines: int) -> Answer:
    """A failure of one half, where the other was taken: all of it is to be sent again."""
    if isinstance(outcome, Answer):
        return outcome
    again = range(lines)
    if isinstance(outcome, UnavailableError):
        return Answer(retry=again, doubtful=outcome.doubtful, retry_after=outcome.retry_after, problem=str(outcome))
    return Answer(retry=again, problem=str(outcome))
