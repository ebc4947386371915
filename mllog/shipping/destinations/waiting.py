"""Which data streams take nothing while others do: one that stays so mustn't keep all the events of a process.

An index that is closed, or a role that may not write to it, can be mended, so events of such a stream wait, and with
them what is behind them in their process's folder. Where other streams are taken all the while, the server is well; so
after :data:`SECONDS` and as many failures as chance doesn't explain (:mod:`mllog.shipping.blame`) they become dead
letters, to be replayed when it is mended. Where no other stream is taken they wait for ever.
"""

from __future__ import annotations

import threading
from typing import TYPE_CHECKING, Final

from mllog.shipping.blame import Blame

if TYPE_CHECKING:
    from collections.abc import Sequence
    from collections.abc import Set as AbstractSet

SECONDS: Final = 60.0
"""So long a stream's events wait at least while other streams are taken."""
FORGET_SECONDS: Final = 600.0
"""A stream that hasn't failed for so long is given the whole time again."""


class Streams:
    """What became of each stream's events; two threads may tell at once."""

    def __init__(self, seconds: float | None = None) -> None:
        self._seconds = SECONDS if seconds is None else seconds
        self._lock = threading.Lock()
        self._blame = Blame()
        # By stream, when it first failed since it took anything, and when it last did.
        self._since: dict[str, float] = {}
        self._last: dict[str, float] = {}
        self._own: dict[str, Sequence[int]] = {}
        self._spent: set[str] = set()

    def answered(self, taken: AbstractSet[str], failed: AbstractSet[str], now: float) -> set[str]:
        """One request was answered.

        Args:
            taken: Streams of which some events were taken.
            failed: Streams of which others were not, though they may be as good as any.
            now: Seconds of a clock that only goes on.

        Returns:
            Those of ``failed`` whose events needn't wait any longer.
        """
        with self._lock:
            self._blame.first(taken=len(taken))
            if taken:
                self._blame.succeeded()
            for name in taken:
                self._forget(name)
            return {name for name in failed - taken if self._failed(name, now)}

    def _failed(self, name: str, now: float) -> bool:
        if now - self._last.get(name, now) > FORGET_SECONDS:
            self._forget(name)
        if name not in self._since:
            self._since[name] = now
            self._own[name] = self._blame.first(failed=1)
        self._last[name] = now
        if name not in self._spent:
            due = now - self._since[name] >= self._seconds
            if self._blame.failed(name, self._own[name], due=due) is not None:
                self._spent.add(name)
        return name in self._spent

    def _forget(self, name: str) -> None:
        self._since.pop(name, None)
        self._own.pop(name, None)
        self._last.pop(name, None)
        self._spent.discard(name)
        self._blame.forget(name)
