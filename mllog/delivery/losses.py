"""Losses: a process says itself, by events, what became of those that aren't there.

Such an event may be lost like any other. So each is remembered until it was taken; what it said is said again where it
wasn't.
"""

from __future__ import annotations

import time
from collections import deque
from typing import TYPE_CHECKING, Final

from mllog import events

if TYPE_CHECKING:
    from collections.abc import Callable

    from mllog.delivery.ledger import Ledger
    from mllog.delivery.queue import Queue
    from mllog.events import Record

_NAMES: Final = ("mllog.dropped", "mllog.rejected", "mllog.sampled_out")
_DROPPED, _REJECTED, _ = range(len(_NAMES))

_NUMBER_SECONDS: Final = 0.05
"""For the number of the very last event, which another thread's call may keep for a moment."""


class Losses:
    """Makes the events that say how many were dropped, rejected or sampled out.

    Args:
        ledger: What counts them.
        queue: What gives numbers.
        stamped: Makes an event without a body.
    """

    def __init__(self, ledger: Ledger, queue: Queue, stamped: Callable[[], Record]) -> None:
        self._ledger = ledger
        self._queue = queue
        self._stamped = stamped
        self.renew()

    def renew(self) -> None:
        """Start afresh, in a forked child."""
        self._said = [0] * len(_NAMES)
        self._last = 0
        # Of each event that nobody has taken yet: the number of its line, which figure it tells, and how many.
        self._untaken: deque[tuple[int, int, int]] = deque()

    @property
    def unsaid(self) -> int:
        """Dropped events of which no event says so that was taken."""
        untaken = sum(more for _, which, more in self._untaken if which == _DROPPED)
        return self._ledger.dropped - self._said[_DROPPED] + untaken

    def next(self, line: int) -> Record | None:
        """An event that says how many were lost since the last one that did; ``None`` where there is nothing to say.

        Args:
            line: Which one it becomes of all lines that were ever made.
        """
        ledger = self._ledger
        counted = (ledger.dropped, ledger.rejected, ledger.sampled_out)
        # Where the last such event could not be made, the reject that it became must not be worth another.
        skipped = _REJECTED if self._queue.accepted == self._last else None
        # One figure an event; the others' turn comes with the next look.
        which = next((k for k, n in enumerate(counted) if n != self._said[k] and k != skipped), None)
        number = None if which is None else self._queue.number()
        if which is None or number is None:
            return None
        more = counted[which] - self._said[which]
        # Before anything can fail: the writer asks until there is nothing more to say.
        self._last, self._said[which] = number, counted[which]
        self._untaken.append((line, which, more))
        record = self._stamped()
        record.number = number
        record.body = events.metric_body(_NAMES[which], more, "events")
        return record

    def taken(self, line: int) -> None:
        """All lines up to this one were taken."""
        while self._untaken and self._untaken[0][0] <= line:
            self._untaken.popleft()

    def take_back(self) -> None:
        """What wasn't taken won't be: it has to be said again."""
        while self._untaken:
            _, which, more = self._untaken.pop()
            self._said[which] -= more

    def say(self, lines: int, encode: Callable[[Record], bytes], write: Callable[[bytes], None]) -> int:
        """Write events that say all there is to say; how many lines were made.

        Args:
            lines: Lines that were made before.
            encode: Makes a line.
            write: Takes it, or raises.
        """
        made = 0
        deadline = time.monotonic() + _NUMBER_SECONDS
        while True:
            try:
                record = self.next(lines + made + 1)
                if record is None:
                    if not self.unsaid or time.monotonic() >= deadline:
                        return made
                    time.sleep(0.001)
                    continue
                line = encode(record)
            except Exception as error:  # noqa: BLE001 - a clock may raise; counted
                self._ledger.reject(error)
                return made
            made += 1
            try:
                write(line)
            except Exception as error:  # noqa: BLE001 - a sink may raise anything, model code must not see it
                self._ledger.fail(error)
                self._ledger.drop()
                self.take_back()
                return made
            self._ledger.written += 1
            self.taken(lines + made)
