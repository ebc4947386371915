"""Sends one batch until each of its lines is taken or refused: what fails is sent again, what is too large is split.

An error of the server's own, a broken connection or no answer in time may be the doing of a single line. So a batch
that failed so four times in a row is halved, and halved again, until the lines stand alone. What has failed goes to the
back of the queue, so that a few lines that the server can't stand keep no others. Whether a line that goes on failing
alone is set aside as refused is up to :mod:`mllog.shipping.blame`: only where others are taken meanwhile and chance
doesn't explain it. While nothing is taken nothing is: then the server is down.
"""

from __future__ import annotations

from collections import deque
from dataclasses import dataclass, replace
from itertools import zip_longest
from typing import TYPE_CHECKING, Final

from mllog.shipping.checkpoint import Counts
from mllog.shipping.destinations.base import Refusal, TooLargeError, UnavailableError

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence

    from mllog.shipping.destinations.base import Answer, Destination
    from mllog.shipping.pace import Pace
    from mllog.shipping.segments import Batch

HALVE_AFTER: Final = 4
"""Failures of a whole batch after which it is halved; a half is halved at its first."""
TURN: Final = 4
"""Failures in a row after which it is somebody else's turn."""


@dataclass(slots=True)
class _Part:
    """Some lines of a batch that are sent together.

    Attributes:
        lines: Their indexes.
        doubtful: Whether they may have arrived.
        tries: Failures that may be a line's doing; a half goes on counting.
        own: Numbers of the failures of requests with these lines, as :class:`~mllog.shipping.blame.Blame` counts them.
        new: Whether these lines were never sent together, and alone, before.
    """

    lines: Sequence[int]
    doubtful: bool
    tries: int = 0
    own: tuple[int, ...] = ()
    new: bool = True

    def halves(self) -> list[_Part]:
        half = len(self.lines) // 2
        return [replace(self, lines=lines, new=True) for lines in (self.lines[:half], self.lines[half:])]


class Delivery:
    """Brings one batch to a destination, if need be in several turns.

    Args:
        batch: The lines; whether they may have arrived already.
        destination: Who gets them.
        pace: Says when to try again, and when to stop.
        note: Told of each failure before the wait, and with ``None`` that some lines were taken.
        tries: Failures in former turns that may be a line's doing.
        eager: Whether it is halved quickly where it fails as a whole; a batch that was halved in vain before isn't.

    Attributes:
        refused: By index, what was refused for good; when it is finished everything else was taken.
        counts: Duplicates are counted here.
        taken: Whether some lines were taken.
        suspected: Failures of all lines of a request that may be a line's doing.
        begun: Lines that it began with.
        asked: Whether the destination was asked of each line whether it was there already.
    """

    def __init__(
        self,
        batch: Batch,
        destination: Destination,
        pace: Pace,
        *,
        note: Callable[[UnavailableError | None], object] = lambda _: None,
        tries: int = 0,
        eager: bool = True,
    ) -> None:
        self.batch = batch
        self.refused: dict[int, Refusal] = {}
        self.counts = Counts()
        self.taken = False
        self.suspected = 0
        self.begun = len(batch.lines)
        self.asked = True
        self._destination = destination
        self._pace = pace
        self._note = note
        self._eager = eager
        # By line, the number of its first failure beside others that were taken.
        self._own: dict[int, int] = {}
        self._todo: deque[_Part] = deque()
        if batch.lines:
            self._todo.append(_Part(range(len(batch.lines)), batch.doubtful, tries))

    @property
    def left(self) -> list[int]:
        """Indexes of what was neither taken nor refused, ascending."""
        return sorted(k for part in self._todo for k in part.lines)

    @property
    def is_telling(self) -> bool:
        """Whether the destination took or refused some of it."""
        return self.taken or bool(self.refused)

    @property
    def is_lonely(self) -> bool:
        """Whether nothing is left but what has failed, so that it takes other lines to tell whose fault that is."""
        return bool(self._todo) and not any(part.new for part in self._todo)

    def extend(self, more: Batch) -> None:
        """Add the lines behind the batch, each to be sent alone, as company for those that failed."""
        begin = len(self.batch.lines)
        self.batch = replace(
            self.batch,
            end=more.end,
            lines=[*self.batch.lines, *more.lines],
            corrupt=[*self.batch.corrupt, *more.corrupt],
        )
        parts = [_Part([begin + k], more.doubtful) for k in range(len(more.lines))]
        # By turns with what failed: each success of theirs says more about it.
        old = list(self._todo)
        self._todo = deque(part for pair in zip_longest(parts, old) for part in pair if part is not None)

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
                self._todo.extend(part.halves())
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
        self.asked = self.asked and answer.asked
        blamed = set(answer.suspect)
        again = set(answer.retry)
        taken = len(part.lines) > len(again)
        first = self._is_first(part)
        if taken:
            self.taken = True
            self._pace.succeeded(self.batch.process, over=not again and not any(p.tries for p in self._todo))
            if first:
                self._pace.requests.first(taken=1)
            if part.tries:
                for k in set(range(len(part.lines))) - again:
                    self._forget(part.lines[k])
            self._note(None)
        if part.new:
            numbers = self._pace.items.first(taken=len(part.lines) - len(again), failed=len(blamed))
            self._own |= dict(zip((part.lines[k] for k in answer.suspect), numbers, strict=False))
        if not again:
            return None, False, taken
        problem = UnavailableError(
            answer.problem or "not everything was taken",
            doubtful=answer.doubtful,
            retry_after=answer.retry_after,
            suspect=bool(blamed) or answer.unclear,
        )
        # Whose fault that is can only be said beside others, as where the whole request failed.
        self.suspected += problem.suspect and not taken
        waiting = [part.lines[k] for k in answer.retry if k not in blamed]
        if waiting:
            self._todo.append(replace(part, lines=waiting, doubtful=answer.doubtful, new=False))
        # Others were taken beside these, and each was answered by itself.
        rest: list[int] = []
        for k in (part.lines[k] for k in answer.retry if k in blamed):
            tries = self._pace.items.failed(self._key(k), {self._own.get(k, -1)})
            if tries is None:
                rest.append(k)
            else:
                self._set_aside(k, problem, tries)
        if rest:
            self._todo.append(replace(part, lines=rest, doubtful=answer.doubtful, tries=part.tries + 1, new=False))
        return (problem if waiting or rest else None), False, taken

    def _failed(self, part: _Part, problem: UnavailableError) -> UnavailableError | None:
        """A part failed as a whole: it is sent again, in halves or later; ``None`` where it was set aside."""
        part.doubtful = part.doubtful or problem.doubtful
        if not problem.suspect:
            self._todo.appendleft(part)
            return problem
        first = self._is_first(part)
        self.suspected += 1
        part.tries += 1
        part.new = False
        if first:
            part.own += tuple(self._pace.requests.first(failed=1))
        if len(part.lines) > 1:
            self._todo.extend(part.halves() if part.tries >= HALVE_AFTER else [part])
            return problem
        tries = self._pace.requests.failed(self._key(part.lines[0]), part.own)
        if tries is None:
            self._todo.append(part)
            return problem
        self._set_aside(part.lines[0], problem, tries)
        return None

    def _is_first(self, part: _Part) -> bool:
        """Whether what comes of a part says something about the server, and not about what failed before."""
        if len(part.lines) > 1:
            return part.new and not part.tries
        return part.new and not self._pace.requests.knows(self._key(part.lines[0]))

    def _set_aside(self, k: int, problem: UnavailableError, tries: int) -> None:
        reason = f"{problem}; set aside after {tries} tries, while other events were taken"
        self.refused[k] = Refusal(reason, problem.status)
        self._forget(k)

    def _key(self, k: int) -> tuple[object, ...]:
        line = self.batch.lines[k]
        return self.batch.process, self.batch.segment, line.offset, line.id

    def _forget(self, k: int) -> None:
        self._pace.requests.forget(self._key(k))
        self._pace.items.forget(self._key(k))
