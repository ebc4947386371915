"""Sends one batch until each of its lines is taken or refused: what fails is sent again, what is too large is split.

An error of the server's own, a broken connection or no answer in time may be the doing of a single line. So a batch
that failed so four times in a row is halved, and halved again, until the line stands alone; it then goes after the
others. Only where others were taken between its failures, three times, and it failed five times in all, is it set
aside as refused. While nothing is taken nothing is: then the server is down.
"""

from __future__ import annotations

from collections import deque
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING, Final

from mllog.shipping.checkpoint import Counts
from mllog.shipping.destinations.base import Refusal, TooLargeError, UnavailableError

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence

    from mllog.shipping.destinations.base import Answer, Destination
    from mllog.shipping.pace import Pace
    from mllog.shipping.segments import Batch

HALVE_AFTER: Final = 4
"""Failures of the same lines after which they are halved."""
TRIES: Final = 5
"""Failures of a single line after which it may be set aside."""
STRIKES: Final = 3
"""Of these, those before which something else was taken since the one before."""
TURN: Final = 4
"""Failures in a row after which it is somebody else's turn."""


@dataclass(slots=True)
class _Part:
    """Some lines of a batch that are sent together.

    Attributes:
        lines: Their indexes.
        doubtful: Whether they may have arrived.
        tries: Failures that may be their own doing.
        strikes: Of these, those that others' success speaks for.
        seen: Successes of the destination when the last of them happened.
    """

    lines: Sequence[int]
    doubtful: bool
    tries: int = 0
    strikes: int = 0
    seen: int | None = None

    def halves(self) -> list[_Part]:
        half = len(self.lines) // 2
        return [replace(self, lines=self.lines[:half]), replace(self, lines=self.lines[half:])]


class Delivery:
    """Brings one batch to a destination, if need be in several turns.

    Args:
        batch: The lines; whether they may have arrived already.
        destination: Who gets them.
        pace: Says when to try again, and when to stop.
        note: Told of each failure before the wait, and with ``None`` that some lines were taken.
        eager: Whether it is halved quickly where it fails as a whole; a batch that was halved in vain before isn't.

    Attributes:
        refused: By index, what was refused for good; when it is finished everything else was taken.
        counts: Duplicates are counted here.
        taken: Whether some lines were taken.
    """

    def __init__(
        self,
        batch: Batch,
        destination: Destination,
        pace: Pace,
        *,
        note: Callable[[UnavailableError | None], object] = lambda _: None,
        eager: bool = True,
    ) -> None:
        self.batch = batch
        self.refused: dict[int, Refusal] = {}
        self.counts = Counts()
        self.taken = False
        self._destination = destination
        self._pace = pace
        self._note = note
        self._eager = eager
        self._todo: deque[_Part] = deque()
        if batch.lines:
            self._todo.append(_Part(range(len(batch.lines)), batch.doubtful))

    def run(self, *, turns: bool = True) -> None:
        """Send what is left.

        Args:
            turns: Stop after some failures in a row, so that others have their turn; going on is up to the caller.

        Raises:
            UnavailableError: Where the turn has ended, or the pace says to stop; some lines may have been taken.
            OSError: Where the destination is this machine's disk.
        """
        failures = 0
        while self._todo:
            problem, halved, taken = self._attempt()
            failures = 0 if halved or taken else failures + 1
            if problem is None:
                failures = 0
                continue
            self._note(problem)
            if halved and self._eager:
                self._pace.reset()
            if not self._pace.failed(problem, self.batch.process) or (turns and failures >= TURN):
                raise problem

    def _attempt(self) -> tuple[UnavailableError | None, bool, bool]:
        """Send one part: what went wrong, whether it was halved for that, whether something was taken."""
        part = self._todo.popleft()
        lines = [self.batch.lines[k] for k in part.lines]
        try:
            answer = self._destination.send(self.batch.part(lines, doubtful=part.doubtful))
        except TooLargeError as problem:
            if len(lines) > 1:
                self._todo.extendleft(reversed(part.halves()))
                return None, True, False
            if problem.status == 413:
                self.refused[part.lines[0]] = Refusal(str(problem), problem.status)
                return None, False, False
            # A server that refuses whole requests may do so whatever is in them.
            unclear = UnavailableError(str(problem), doubtful=False, suspect=True, status=problem.status)
            return self._failed(part, unclear), False, False
        except UnavailableError as problem:
            before = len(self._todo)
            return self._failed(part, problem), len(self._todo) > before + 1, False
        return self._answered(part, answer)

    def _answered(self, part: _Part, answer: Answer) -> tuple[UnavailableError | None, bool, bool]:
        self.refused |= {part.lines[k]: refusal for k, refusal in answer.refused.items()}
        self.counts.duplicates += answer.duplicates
        self.counts.unasked += answer.unasked
        taken = len(part.lines) > len(answer.retry)
        if taken:
            self.taken = True
            self._pace.succeeded(self.batch.process, over=not answer.retry and not any(p.tries for p in self._todo))
            self._note(None)
        if not answer.retry:
            return None, False, taken
        blamed = set(answer.suspect)
        problem = UnavailableError(
            answer.problem or "not everything was taken",
            doubtful=answer.doubtful,
            retry_after=answer.retry_after,
            suspect=bool(blamed) or answer.unclear,
        )
        waiting = [part.lines[k] for k in answer.retry if k not in blamed]
        if waiting:
            self._todo.append(replace(part, lines=waiting, doubtful=answer.doubtful))
        if not blamed:
            return problem, False, taken
        # The answer itself says that others were taken beside these, and each was answered by itself.
        again = replace(
            part,
            lines=[part.lines[k] for k in answer.retry if k in blamed],
            doubtful=answer.doubtful,
            tries=part.tries + 1,
            strikes=part.strikes + 1,
        )
        if self._is_spent(again):
            self._set_aside(again, problem)
            return (problem if waiting else None), False, taken
        self._todo.append(again)
        return problem, False, taken

    def _failed(self, part: _Part, problem: UnavailableError) -> UnavailableError | None:
        """A part failed as a whole: it is sent again, in halves or later; ``None`` where it was set aside."""
        part.doubtful = part.doubtful or problem.doubtful
        if not problem.suspect:
            self._todo.appendleft(part)
            return problem
        part.strikes += part.seen is not None and self._pace.successes > part.seen
        part.tries += 1
        part.seen = self._pace.successes
        if len(part.lines) > 1:
            halve = part.strikes or part.tries >= HALVE_AFTER
            self._todo.extendleft(reversed(part.halves()) if halve else [part])
        elif self._is_spent(part):
            self._set_aside(part, problem)
            return None
        else:
            self._todo.insert(1, part)
        return problem

    def _is_spent(self, part: _Part) -> bool:
        return part.tries >= TRIES and part.strikes >= STRIKES

    def _set_aside(self, part: _Part, problem: UnavailableError) -> None:
        reason = f"{problem}; set aside after {part.tries} tries, while other events were taken"
        self.refused |= dict.fromkeys(part.lines, Refusal(reason, problem.status))


def deliver(batch: Batch, destination: Destination, pace: Pace, counts: Counts) -> dict[int, Refusal]:
    """Send a batch in one turn.

    Args:
        batch: The lines; whether they may have arrived already.
        destination: Who gets them.
        pace: Says when to try again, and when to stop.
        counts: Duplicates are counted here.

    Returns:
        By index, what was refused for good; everything else was taken.

    Raises:
        UnavailableError: Where the pace says to stop; some lines may have been taken.
        OSError: Where the destination is this machine's disk.
    """
    delivery = Delivery(batch, destination, pace)
    try:
        delivery.run(turns=False)
    finally:
        counts.add(delivery.counts)
    return delivery.refused
