"""The ledger: the name of a sequence of events, and what became of all that were numbered in it."""

from __future__ import annotations

import os
import platform
import re
import threading
import time
from dataclasses import dataclass
from itertools import count
from typing import Final

from mllog.delivery.lastword import LastWord

_next_start: Final = count().__next__


def host_name() -> str:
    """Name of this host or pod."""
    return platform.node() or "localhost"


def identity() -> str:
    """A name for one sequence of numbers, ``<host>-<pid>-<start in hex nanoseconds>``; never given twice."""
    # Two loggers made within one tick of the clock must differ; no lock, since a fork could leave it held.
    start = time.time_ns() + _next_start()
    return f"{re.sub(r'[^A-Za-z0-9_.-]', '_', host_name())}-{os.getpid()}-{start:x}"


@dataclass(frozen=True, slots=True)
class Status:
    """What became of the events of one process.

    ``accepted == written + dropped + rejected + queued`` at rest.

    Attributes:
        process: Name of the sequence, ``ml.sequence.process``.
        accepted: Events that were numbered.
        written: Events that the sink took.
        dropped: Events lost because the bound was reached or the sink failed for good.
        rejected: Events that could not be made at all; a bug in mllog, please report it.
        sampled_out: Events that sampling left out; they have no number.
        queued: Events that wait.
        queue_bytes: Bytes they are taken to need.
        sink_errors: How often the sink failed (and was tried again).
        clock_steps: Durations that came out negative because the clock went back.
        last_error: The latest failure, in words.
    """

    process: str
    accepted: int = 0
    written: int = 0
    dropped: int = 0
    rejected: int = 0
    sampled_out: int = 0
    queued: int = 0
    queue_bytes: int = 0
    sink_errors: int = 0
    clock_steps: int = 0
    last_error: str | None = None


class Ledger:
    """Counters of one process: what became of its events.

    What was accepted is counted by the queue, under its lock, together with the number it gives to each
    event.
    """

    def __init__(self) -> None:
        self.renew()

    def renew(self) -> None:
        """Start afresh, in a forked child."""
        self.process = identity()
        self.written = 0
        self.sink_errors = 0
        self.last_error: str | None = None
        self._dropped = Tally()
        self._rejected = Tally()
        self._clock_steps = Tally()
        self._rendered = Tally()
        self._sampled_out = Tally()

    def sample_out(self) -> None:
        """Count an event that sampling left out."""
        self._sampled_out.add(1)

    def render(self) -> None:
        """Count an event that somebody else delivers."""
        self._rendered.add(1)

    def drop(self, events: int = 1) -> None:
        """Count events that are lost."""
        self._dropped.add(events)

    def reject(self, error: BaseException) -> None:
        """Count an event that could not be made."""
        self.last_error = f"{type(error).__name__}: {error}"[:500]
        self._rejected.add(1)

    def step_back(self) -> None:
        """Count a clock that went back."""
        self._clock_steps.add(1)

    def fail(self, error: BaseException) -> None:
        """Count a failure of the sink."""
        self.sink_errors += 1
        self.last_error = f"{type(error).__name__}: {error}"[:500]

    def last_word(self) -> LastWord:
        """What to leave when the logger is closed; the sum, since others may be about to log."""
        return LastWord(True, self.written, self.rendered, self.dropped, self.rejected, self.sampled_out)

    @property
    def rendered(self) -> int:
        """Events given to somebody else so far."""
        return self._rendered.total

    @property
    def dropped(self) -> int:
        """Events lost so far."""
        return self._dropped.total

    @property
    def rejected(self) -> int:
        """Events that could not be made, so far."""
        return self._rejected.total

    @property
    def sampled_out(self) -> int:
        """Events that sampling left out so far."""
        return self._sampled_out.total

    @property
    def clock_steps(self) -> int:
        """Negative durations so far."""
        return self._clock_steps.total


class Tally:
    """A counter for rare things, safe for many threads."""

    def __init__(self) -> None:
        self.total = 0
        # Re-entrant, since a signal handler may count in the middle of a count.
        self._lock = threading.RLock()

    def add(self, number: int) -> None:
        """Count ``number`` more."""
        with self._lock:
            self.total += number
