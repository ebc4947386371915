"""Whose fault a line's failures are: its own, or those of a server that fails now and then whatever it is sent.

Only failures of a line that was sent alone count against it; that a group failed says nothing about each of its lines.
How often the server fails by chance is estimated from what else it was sent: from the first sending of each batch and
of each single line, since the halves of what failed are no fair sample, and a few lines that never pass would make the
server look worse each time they are tried. What a line was blamed for isn't chance, and is taken out again. With
``f = (failed + 1) / (failed + taken + 2)`` (the rule of succession) a line is to blame where its ``n`` failures would
come about by chance less often than once in a million, ``f ** n < 1e-6``, there are five of them, and something else
was taken after the first. Between two successes of others no more than four of them count: an outage says little,
however long it lasts.
"""

from __future__ import annotations

from dataclasses import dataclass, field
from itertools import count, islice
from typing import TYPE_CHECKING, Final

if TYPE_CHECKING:
    from collections.abc import Collection, Hashable, Sequence

TRIES: Final = 5
"""Failures alone before which nothing is set aside."""
CHANCE: Final = 1e-6
"""What is less probable isn't chance."""
GAP: Final = 4
"""Failures of a line that count between two successes of others."""
RUN: Final = 32
"""Failures of others that count between two successes: an outage isn't how often it fails when it is up."""
_MOST: Final = 4096
_REMEMBERED: Final = 10_000


@dataclass(slots=True)
class _Record:
    """Failures of one line alone: all of them, those that count, and the successes of others meanwhile."""

    first: int
    seen: int
    tries: int = 0
    counted: int = 0
    in_gap: int = 0
    own: set[int] = field(default_factory=set)


class Blame:
    """What a destination took and didn't take, for as long as somebody ships to it; all processes share it."""

    def __init__(self) -> None:
        self._taken = 0
        # Of other lines, by number; in the order in which they came.
        self._failures: dict[int, None] = {}
        self._numbers = count()
        self._run = 0
        self._successes = 0
        self._records: dict[Hashable, _Record] = {}

    def succeeded(self) -> None:
        """Something was taken, be it at the first time or later."""
        self._successes += 1
        self._run = 0

    def first(self, *, taken: int = 0, failed: int = 0) -> Sequence[int]:
        """What came of lines that were sent together for the first time; numbers of the failures that count."""
        numbers = list(islice(self._numbers, min(failed, max(RUN - self._run, 0))))
        self._run += len(numbers)
        self._taken += taken
        self._failures |= dict.fromkeys(numbers)
        if self._taken + len(self._failures) > _MOST:  # what was long ago counts less
            self._taken //= 2
            self._failures = dict.fromkeys(islice(self._failures, len(self._failures) // 2, None))
        return numbers

    def failed(self, line: Hashable, own: Collection[int], *, due: bool = True) -> int | None:
        """A line failed alone.

        Args:
            line: Names it.
            own: Numbers of first failures of groups that it was in, and of itself: they say nothing about others.
            due: Whether it may be blamed already.

        Returns:
            How often it failed alone, where that is its own fault; ``None`` where it may be chance.
        """
        if len(self._records) >= _REMEMBERED:
            self._records.clear()
        record = self._records.setdefault(line, _Record(self._successes, self._successes))
        if self._successes > record.seen:
            record.seen, record.in_gap = self._successes, 0
        record.own |= set(own)
        record.tries += 1
        if record.in_gap < GAP:
            record.in_gap += 1
            record.counted += 1
        others = len(self._failures) - len(self._failures.keys() & record.own)
        by_chance = (others + 1) / (others + self._taken + 2)
        if not due or self._successes == record.first or record.counted < TRIES or by_chance**record.counted >= CHANCE:
            return None
        for number in record.own:
            self._failures.pop(number, None)
        del self._records[line]
        return record.tries

    def knows(self, line: Hashable) -> bool:
        """Whether a line failed alone before."""
        return line in self._records

    def forget(self, line: Hashable) -> None:
        """A line was dealt with."""
        self._records.pop(line, None)
