"""The hand-over from callers to the writer: a deque with a bound in bytes and a rule for when it is full."""

from __future__ import annotations

import threading
import time
from collections import deque
from typing import TYPE_CHECKING, Final, Literal

if TYPE_CHECKING:
    from collections.abc import Callable

    from mllog.delivery.rows import Rows
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

    def __init__(self, max_bytes: int, overflow: Overflow, on_drop: Callable[[int], None]) -> None:
        self.max_bytes = max_bytes
        self.overflow = overflow
        self._on_drop = on_drop
        self.renew()

    def renew(self) -> None:
        """Forget everything, in a forked child: what is queued belongs to the parent, who will write it."""
        self._records: deque[Record | Rows] = deque()
        # Events beyond one of each entry: callers count what goes in, the one who drains what goes out.
        self._surplus_in = 0
        self._surplus_out = 0
        # Re-entrant: a signal handler, or a finalizer that the collector runs here, may log as well.
        self._lock = threading.RLock()
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
        return len(self._records) + max(self._surplus_in - self._surplus_out, 0)

    def put(self, record: Record | Rows) -> bool:
        """Number ``record`` and append it, by the rule where there is no room.

        A record that is dropped keeps its number, so that a hole in the sequence shows it. Many rows in one entry
        are numbered one by one, and taken or dropped together.

        Returns:
            Whether it was taken; if not, it has been counted as dropped.
        """
        taken = False
        rows = record.rows
        deadline: float | None = None
        try:
            while True:
                with self._lock:
                    if not record.number:
                        record.number = self.accepted + 1
                        self.accepted += rows
                    if self._in - self._out + record.size <= self.max_bytes or self._make_room(record.size):
                        self._in += record.size
                        self._surplus_in += rows - 1
                        taken = True
                        self._records.append(record)
                        return True
                if self.overflow != "block" or record.size > self.max_bytes:
                    break
                now = time.monotonic()
                deadline = deadline or now + BLOCK_SECONDS
                if now >= deadline:
                    break
                time.sleep(0.001)
        except BaseException:
            # Out of a signal handler (Ctrl-C, a worker's time limit): what has its number must be found somewhere.
            if record.number and not taken:
                self._on_drop(rows)
            raise
        self._on_drop(rows)
        return False

    def pop(self) -> Record | Rows | None:
        """The oldest entry, or ``None``."""
        try:
            record = self._records.popleft()
        except IndexError:
            return None
        self._out += record.size
        self._surplus_out += record.rows - 1
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
            self._surplus_in -= old.rows - 1
            self._on_drop(old.rows)
        return True
