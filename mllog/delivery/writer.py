"""The writer: a thread that looks into the queue every 50 ms, encodes what is there, feeds the sink.

It polls because a thread that is woken for each event costs the caller five times its own work in hand-overs
of the interpreter's lock. Any other thread that wants to be sure may drain as well (:meth:`Writer.flush`); but
not the main thread, where a signal handler may raise (Ctrl-C, a worker's time limit) between a write and its
being counted: that one asks the writer's thread and waits. They talk through ``SimpleQueue``, the one hand-over
that a signal handler or a finalizer may use while the code they interrupted is using it.
"""

from __future__ import annotations

import atexit
import contextlib
import logging
import math
import os
import sys
import threading
import time
import weakref
from queue import Empty, SimpleQueue
from typing import TYPE_CHECKING, Final

from mllog.delivery import exits
from mllog.delivery.sinks import FileSink
from mllog.events import Record

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

    from mllog.delivery.ledger import Ledger
    from mllog.delivery.losses import Losses
    from mllog.delivery.queue import Queue
    from mllog.delivery.rows import Chunk, Rows
    from mllog.delivery.sinks import Sink

CHUNK_BYTES: Final = 2**18
YIELD_EVENTS: Final = 8
"""The writer offers the interpreter's lock after so many events: a caller must not wait for a whole batch."""

YIELD_SHARE: Final = 16
"""Where more are queued than so many times that, after this part of them: threads that never pause give the lock back
for 5 ms (``sys.getswitchinterval``) each time, and events must not come faster than they go."""

_ENDLESS: Final = 2**60

CLOSE_SECONDS: Final = 10.0
EXIT_SECONDS: Final = 10.0
"""For all writers of a process together, at its end."""
LEAST_SECONDS: Final = 1.0
"""For each of them, whatever the others took."""
COUNT_SECONDS: Final = 0.5
"""For counting what could not be written, however little time there was for writing it."""
TEND_SECONDS: Final = 1.0
"""How often a sink is given the time to do what isn't done by writing."""
AGAIN_SECONDS: Final = 0.05
"""Between two attempts to write at the end."""

_LOOK_SECONDS: Final = 1.0
"""Who waits for the writer's thread makes sure so often that it is still there."""

_log: Final = logging.getLogger("mllog")


class Writer:
    """Drains a queue into a sink.

    Args:
        queue: Where records come from.
        sink: Where lines go.
        ledger: What counts them.
        interval: Seconds between two looks into the queue.
    """

    def __init__(self, queue: Queue, sink: Sink, ledger: Ledger, *, interval: float) -> None:
        self._queue = queue
        self._sink = sink
        self._ledger = ledger
        self._interval = interval
        # Of what was warned of in this outage; the next one is told again.
        self._told: set[str] = set()
        self.closed = False
        self._finished = False
        self._waited = False
        # Whether the sink was given something since it was last closed.
        self._unclosed = True
        self.renew()
        atexit.register(_call, weakref.WeakMethod(self._end))

    def connect(
        self,
        encode: Callable[[Record], bytes],
        encode_rows: Callable[[Rows], Iterator[Chunk]],
        losses: Losses,
    ) -> None:
        """Name who makes lines of a record and of many rows, and who makes an event of losses where there are any."""
        self._encode = encode
        self._encode_rows = encode_rows
        self._losses = losses

    def renew(self) -> None:
        """Start afresh, in a forked child: new locks, no thread yet, nothing pending."""
        self.running = False
        # Re-entrant, since a signal handler may have to drain in a thread that has just taken it.
        self._draining = threading.RLock()
        self._busy = False
        # What the thread is asked for: an answer to give after the next round, or to end (None).
        self._asked: SimpleQueue[SimpleQueue[bool] | None] = SimpleQueue()
        # Not Thread.is_alive(): interrupted by Ctrl-C it takes a running thread for dead (python/cpython#90882).
        self._serving = False
        self._pending: list[bytes] = []
        self._pending_lines = 0
        self._pending_bytes = 0
        # Lines that were ever made.
        self._made = 0
        self._lost = 0
        self._tended = time.monotonic()
        self.writing_thread: int | None = None
        self._sink.start(self._ledger.process)

    @property
    def pending(self) -> int:
        """Lines that are made and not yet taken by the sink."""
        return self._pending_lines

    def start(self) -> None:
        """Start the thread, unless it runs or the writer is closed."""
        with self._draining:
            if self.running or self.closed:
                return
            self.running = True
        thread = threading.Thread(target=self._run, args=(self._asked,), name="mllog-writer", daemon=True)
        self._serving = True
        try:
            thread.start()
        except RuntimeError:  # the interpreter is going down: close() drains
            self._serving = False
        util = sys.modules.get("multiprocessing.util")
        if util is not None:
            # A child of multiprocessing ends without atexit, but with these.
            util.Finalize(None, _call, args=(weakref.WeakMethod(self._end),), exitpriority=0)

    def flush(self, timeout: float | None = None) -> bool:
        """Write all that was accepted before this call.

        Args:
            timeout: Seconds to wait for that; ``None``: as long as it takes.

        Returns:
            Whether everything was taken by the sink.
        """
        if timeout is None and self._waited and not self._finished:
            # A log call behind a close() that ran out of time: the thread writes it if it ever can.
            return not (self._pending_lines or len(self._queue))
        # Who writes can't be held to a time, since a sink may hang; who is in the middle of a write can't wait for it.
        waits = timeout is not None or threading.current_thread() is threading.main_thread()
        if waits and self._is_served() and self.writing_thread != threading.get_ident():
            return self._ask(_deadline(timeout))
        return self._drain_here(_deadline(timeout))

    def close(self, timeout: float | None = CLOSE_SECONDS) -> bool:
        """Flush, stop the thread and close the sink; what can't be written is counted as dropped, and an event says so.

        What is logged behind that is written at once, and finished by the next call of this, or by the end of the
        process.

        Args:
            timeout: Seconds for all of that, but for the counting, which may wait for a write in hand for another
                :data:`COUNT_SECONDS`; ``None``: as long as it takes. A sink that has no room is tried again as long as
                it makes some.

        Returns:
            Whether everything was taken by the sink, and is where it put it.
        """
        if self._finished and not (self._unclosed or self._pending_lines or len(self._queue)):
            return True
        # From now on other threads write their own events, and wait for that: so there is an end.
        self.closed = True
        deadline = _deadline(timeout)
        while deadline > time.monotonic() and not self.flush(_left(deadline)) and self._makes_room(deadline):
            time.sleep(min(AGAIN_SECONDS, _left(deadline)))
        # Whoever drains just now is done in a moment, unless the sink hangs: what is left must be counted.
        if not self._draining.acquire(timeout=max(_left(deadline), 0.0 if self._waited else COUNT_SECONDS)):
            self._waited = True
            return False
        if self._busy:  # asked for by a finalizer, in the middle of a drain
            self._draining.release()
            return False
        lost = 0
        try:
            self.writing_thread = threading.get_ident()
            self._finished, self._waited = True, False
            while (drained := self._drain(yielding=False)) and len(self._queue):
                pass
            # Where all was written, what others have logged since is theirs to write.
            lost = 0 if drained else self._drop_rest()
            if isinstance(self._sink, FileSink):
                self._sink.look()
                self._count_lost()
            self._say_last(warn=lost > 0)
            self._unclosed = False
            if isinstance(self._sink, FileSink):
                self._sink.close(_left(deadline) if timeout is not None else None, self._ledger.last_word())
                lost += self._count_lost()
            else:
                self._sink.close()
        except Exception as error:  # noqa: BLE001 - a sink may raise anything, model code must not see it
            self._failed(error, "close")
            return False
        finally:
            self._count_lost()
            self.writing_thread = None
            self._draining.release()
            self._asked.put(None)
            exits.run_deferred()
        return not lost

    def _end(self) -> bool:
        """Close at the end of the process; who has waited in vain already doesn't wait again."""
        global _ends  # noqa: PLW0603 - a process ends once
        if self._waited:
            return self.close(0.0)
        _ends = _ends or time.monotonic() + EXIT_SECONDS
        return self.close(max(_left(_ends), LEAST_SECONDS))

    def _drop_rest(self) -> int:
        """Count what is made or queued as dropped; how many there were."""
        lost = self._pending_lines
        self._pending.clear()
        self._pending_lines = self._pending_bytes = 0
        while (record := self._queue.pop()) is not None:
            lost += record.rows
        self._ledger.drop(lost)
        self._losses.take_back()
        return lost

    def _say_last(self, *, warn: bool) -> None:
        """Say by events what was lost and isn't said yet; where that fails, in a warning.

        Args:
            warn: Warn in any case.
        """
        lost, reason = self._losses.unsaid, self._ledger.last_error
        # Of ours and small: beyond a spool's bound.
        write = self._sink.write_last if isinstance(self._sink, FileSink) else self._sink.write
        self._made += self._losses.say(self._made, self._encode, write)
        unsaid = self._losses.unsaid
        if unsaid:
            _log.warning("mllog: %d events were lost, and no event could say so: %s", unsaid, self._ledger.last_error)
        elif warn:
            _log.warning("mllog: %d events were lost, as an event says, the sink failed: %s", lost, reason)

    def _makes_room(self, deadline: float) -> bool:
        # Not in the middle of a write, of which one part may have found room and the next one not.
        if not isinstance(self._sink, FileSink) or not self._draining.acquire(timeout=_left(deadline)):
            return False
        try:
            return self._sink.makes_room()
        finally:
            self._draining.release()

    def _tend(self) -> None:
        """Have the sink do what isn't done by writing: a segment may have become old, or have been removed."""
        now = time.monotonic()
        if now - self._tended < TEND_SECONDS or not isinstance(self._sink, FileSink):
            return
        self._tended = now
        try:
            self._sink.tend()
        except Exception as error:  # noqa: BLE001 - as in _hand_over()
            self._failed(error, "tend")
        else:
            self._told.discard("tend")
        self._count_lost()

    def _count_lost(self) -> int:
        """Lines that a sink had taken and can't bring where they were to go were dropped after all."""
        lost = self._sink.lost if isinstance(self._sink, FileSink) else 0
        more, self._lost = lost - self._lost, lost
        if more:
            self._ledger.written -= more
            self._ledger.drop(more)
        return more

    def _run(self, asked: SimpleQueue[SimpleQueue[bool] | None]) -> None:
        # A fork leaves this thread behind and renews everything it looks at.
        pid = os.getpid()
        try:
            while os.getpid() == pid:
                answer: SimpleQueue[bool] | None = None
                with contextlib.suppress(Empty):
                    answer = asked.get(timeout=self._interval)
                    if answer is None:
                        return
                with self._draining:
                    self.writing_thread = threading.get_ident()
                    written = self._finished or self._drain(yielding=answer is None)
                    if not self._finished:
                        self._tend()
                    self.writing_thread = None
                if answer is not None:
                    answer.put(written)
        finally:
            self._serving = False

    def _is_served(self) -> bool:
        """Whether the thread is there to be asked."""
        return self._serving and not self._finished and not sys.is_finalizing()

    def _ask(self, deadline: float) -> bool:
        """Have the thread drain, and wait for its answer."""
        answer: SimpleQueue[bool] = SimpleQueue()
        self._asked.put(answer)
        while True:
            with contextlib.suppress(Empty):
                return answer.get(timeout=min(_left(deadline), _LOOK_SECONDS))
            if time.monotonic() >= deadline:
                return False
            if not self._is_served():
                return self._drain_here(deadline)

    def _drain_here(self, deadline: float) -> bool:
        if not self._draining.acquire(timeout=_left(deadline)):
            return False
        before = self.writing_thread
        try:
            self.writing_thread = threading.get_ident()
            return self._drain(yielding=False)
        finally:
            self.writing_thread = before
            self._draining.release()
            exits.run_deferred()

    def _drain(self, *, yielding: bool) -> bool:
        """Write what is queued now; whether the sink took it."""
        if self._busy:
            # A finalizer that logs, in the middle of this very drain: its event waits for the next.
            return False
        self._busy = True
        try:
            written = (not self._pending or self._hand_over()) and self._encode_all(yielding=yielding)
            if written:
                self._told.discard("write")
            return written
        finally:
            self._busy = False

    def _encode_all(self, *, yielding: bool) -> bool:
        left = YIELD_EVENTS
        # Whoever waits for this must not wait for those too that others log in the meantime.
        for turn in range(_ENDLESS if yielding else len(self._queue), -_ENDLESS, -1):
            try:
                record = (self._queue.pop() if turn > 0 else None) or self._losses.next(self._made + 1)
                if record is None:
                    break
                if isinstance(record, Record):
                    line, lines = self._encode(record), 1
                else:
                    line, lines = self._encode_many(record, yielding=yielding)
            except Exception as error:  # noqa: BLE001 - counted; an event must not stop those behind it
                self._ledger.reject(error)
                continue
            self._pending.append(line)
            self._made += lines
            self._pending_lines += lines
            self._pending_bytes += len(line)
            if self._pending_bytes >= CHUNK_BYTES and not self._hand_over():
                return False
            left -= 1
            if yielding and (left <= 0 or lines > 1):
                time.sleep(0)
                if not self._asked.empty():
                    break
                left = max(YIELD_EVENTS, len(self._queue) // YIELD_SHARE)
        return not self._pending or self._hand_over()

    def _encode_many(self, rows: Rows, *, yielding: bool) -> tuple[bytes, int]:
        """Lines of an entry of many events, and how many; they come in the last chunk, behind pauses."""
        last = (b"", 0)
        for chunk in self._encode_rows(rows):
            last = chunk
            if yielding:
                time.sleep(0)
        return last

    def _hand_over(self) -> bool:
        data = b"".join(self._pending)
        limit = self._sink.part_bytes if isinstance(self._sink, FileSink) else None
        while data:
            part = data if limit is None or len(data) <= limit else _first_lines(data, limit)
            self._unclosed = True
            try:
                self._sink.write(part)
            except Exception as error:  # noqa: BLE001 - a sink may raise anything, model code must not see it
                self._failed(error)
                return False
            lines = self._pending_lines if len(part) == len(data) else part.count(b"\n")
            data = data[len(part) :]
            self._ledger.written += lines
            self._pending = [data] if data else []
            self._pending_lines -= lines
            self._pending_bytes = len(data)
            self._losses.taken(self._made - self._pending_lines)
        return True

    def _failed(self, error: Exception, doing: str = "write") -> None:
        self._ledger.fail(error)
        if doing not in self._told:
            self._told.add(doing)
            what = "the sink can't be closed"
            if doing != "close":
                what = "events can't be written, trying again; until then they wait in memory, with durable='each' too"
            _log.warning("mllog: %s: %s", what, self._ledger.last_error)


_ends: float | None = None
"""When all writers have to have ended, once the process does."""


def _deadline(timeout: float | None) -> float:
    """The moment until which to wait, by ``time.monotonic``; what is no number of seconds is none."""
    if timeout is None:
        return math.inf
    return time.monotonic() + timeout if timeout > 0 else 0.0


def _left(deadline: float) -> float:
    """Seconds until then, as locks and queues take them."""
    return min(max(deadline - time.monotonic(), 0.0), threading.TIMEOUT_MAX)


def _first_lines(data: bytes, limit: int) -> bytes:
    """As many whole lines as ``limit`` bytes hold, one at least."""
    return data[: data.rfind(b"\n", 0, limit) + 1 or data.find(b"\n") + 1 or len(data)]


def _call(method: weakref.WeakMethod[Callable[[], bool]]) -> None:
    bound = method()
    if bound is not None:
        bound()
