"""The hand-over from callers to the writer: a deque with a bound in bytes and a rule for when it is full."""

from __future__ import annotations

import threading
import time
from collections import deque
from typing import TYPE_CHECKING, Final, Literal

if TYPE_CHECKING:
    from collections.abc import Callable

    from mllog.events import Record

Overflow = Literal["drop_new", "drop_old", "block"]
OVERFLOWS: Final[tuple[Overflow, ...]] = ("drop_new", "drop_old", "block")

BLOCK_SECONDS: Final = 5.0
"""The stated bound of ``block``: a caller that has waited so long drops its event after all."""


class Queue:
    """Records in the order they came.

    The two sides share no lock: callers count what goes in, the one who drains counts what goes out. So a
    signal handler can drain while the thread it interrupted stands inside of :meth:`put`.
    """

    def __init__(self, max_bytes: int, overflow: Overflow, on_drop: Callable[[], None]) -> None:
        self.max_bytes = max_bytes
        self.overflow = overflow
        self._on_drop = on_drop
        self.renew()

    def renew(self) -> None:
        """Forget everything, in a forked child: what is queued belongs to the parent, who will write it."""
        self._records: deque[Record] = deque()
        self._lock = threading.Lock()
        self._in = 0
        self._out = 0
        self.accepted = 0

    def number(self, *, wait: bool = False) -> int | None:
        """The next number, for an event that doesn't pass the queue; ``None`` where it had to wait."""
        if not self._lock.acquire(blocking=wait):
            return None
        self.accepted += 1
        number = self.accepted
        self._lock.release()
        return number

    @property
    def bytes(self) -> int:
        """Bytes that the waiting records are taken to need."""
        return max(self._in - self._out, 0)

    def __len__(self) -> int:
        return len(self._records)

    def put(self, record: Record) -> bool:
        """Number ``record`` and append it, by the rule where there is no room.

        A record that is dropped keeps its number, so that a hole in the sequence shows it.

        Returns:
            Whether it was taken; if not, it has been counted as dropped.
        """
        deadline: float | None = None
        while True:
            with self._lock:
                if not record.number:
                    record.number = self.accepted = self.accepted + 1
                if self._in - self._out + record.size <= self.max_bytes or self._make_room(record.size):
                    self._in += record.size
                    self._records.append(record)
                    return True
            if self.overflow != "block" or record.size > self.max_bytes:
                break
            now = time.monotonic()
            deadline = deadline or now + BLOCK_SECONDS
            if now >= deadline:
                break
            time.sleep(0.001)
        self._on_drop()
        return False

    def pop(self) -> Record | None:
        """The oldest record, or ``None``."""
        try:
            record = self._records.popleft()
        except IndexError:
            return None
        self._out += record.size
        return record

    def _make_room(self, size: int) -> bool:
        if self.overflow != "drop_old" or size > self.max_bytes:
            return False
        while self._in - self._out + size > self.max_bytes:
            try:
                old = self._records.popleft()
            except IndexError:
                break
            self._in -= old.size
            self._on_drop()
        return True
