"""The writer: a thread that looks into the queue every 50 ms, encodes what is there, feeds the sink.

It polls because a thread that is woken for each event costs the caller five times its own work in hand-overs
of the interpreter's lock. Any other thread that wants to be sure may drain as well (:meth:`Writer.flush`).
"""

from __future__ import annotations

import atexit
import contextlib
import logging
import os
import sys
import threading
import time
import weakref
from typing import TYPE_CHECKING, Final

from mllog.delivery import exits

if TYPE_CHECKING:
    from collections.abc import Callable

    from mllog.delivery.ledger import Ledger
    from mllog.delivery.queue import Queue
    from mllog.delivery.sinks import Sink
    from mllog.events import Record

CHUNK_BYTES: Final = 2**18
YIELD_EVENTS: Final = 8
"""The writer offers the interpreter's lock after so many events: a caller must not wait for a whole batch."""

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
        self._warned = False
        self.closed = False
        self.renew()
        atexit.register(_call, weakref.WeakMethod(self.close))

    def connect(self, encode: Callable[[Record], bytes], account: Callable[[], Record | None]) -> None:
        """Name who makes a record's line, and who makes an event of losses where there are any."""
        self._encode = encode
        self._account = account

    def renew(self) -> None:
        """Start afresh, in a forked child: new locks, no thread yet, nothing pending."""
        self.running = False
        # Re-entrant, since a signal handler may have to drain in a thread that has just taken it.
        self._draining = threading.RLock()
        self._stop = threading.Event()
        self._pending: list[bytes] = []
        self._pending_bytes = 0
        self.writing_thread: int | None = None
        self._sink.start(self._ledger.process)

    @property
    def pending(self) -> int:
        """Lines that are made and not yet taken by the sink."""
        return len(self._pending)

    def start(self) -> None:
        """Start the thread, unless it runs or the writer is closed."""
        with self._draining:
            if self.running or self.closed:
                return
            self.running = True
        thread = threading.Thread(target=self._run, name="mllog-writer", daemon=True)
        with contextlib.suppress(RuntimeError):  # the interpreter is going down: close() drains
            thread.start()
        util = sys.modules.get("multiprocessing.util")
        if util is not None:
            # A child of multiprocessing ends without atexit, but with these.
            util.Finalize(None, _call, args=(weakref.WeakMethod(self.close),), exitpriority=0)

    def flush(self, timeout: float | None = None) -> bool:
        """Write all that was accepted before this call.

        Args:
            timeout: Seconds to wait for another thread that is writing; ``None``: as long as it takes.

        Returns:
            Whether everything was taken by the sink.
        """
        if not self._draining.acquire(timeout=-1 if timeout is None else max(timeout, 0)):
            return False
        try:
            self.writing_thread = threading.get_ident()
            self._drain(yielding=False)
            return not self._pending and not len(self._queue)
        finally:
            self.writing_thread = None
            self._draining.release()
            exits.run_deferred()

    def close(self, timeout: float | None = 10.0) -> bool:
        """Flush, stop the thread and close the sink; what can't be written is counted as dropped."""
        if self.closed:
            return True
        self._stop.set()
        written = self.flush(timeout)
        if not self._draining.acquire(timeout=timeout if timeout is not None else -1):
            return False
        try:
            self.writing_thread = threading.get_ident()
            self.closed = True
            lost = len(self._pending) + len(self._queue)
            if lost:
                self._ledger.drop(lost)
                self._pending.clear()
                while self._queue.pop() is not None:
                    pass
                _log.warning("mllog: %d events were lost, the sink failed: %s", lost, self._ledger.last_error)
            self._sink.close()
        except Exception as error:  # noqa: BLE001 - a sink may raise anything, model code must not see it
            self._failed(error)
        finally:
            self.writing_thread = None
            self._draining.release()
            exits.run_deferred()
        return written

    def _run(self) -> None:
        # A fork leaves this thread behind and renews everything it looks at.
        stop, pid = self._stop, os.getpid()
        while not stop.wait(self._interval) and os.getpid() == pid:
            with self._draining:
                if not self.closed:
                    self._drain(yielding=True)

    def _drain(self, *, yielding: bool) -> None:
        if self._pending and not self._hand_over():
            return
        for turn in range(1, sys.maxsize):
            try:
                record = self._queue.pop() or self._account()
                if record is None:
                    break
                line = self._encode(record)
            except Exception as error:  # noqa: BLE001 - counted; an event must not stop those behind it
                self._ledger.reject(error)
                continue
            self._pending.append(line)
            self._pending_bytes += len(line)
            if self._pending_bytes >= CHUNK_BYTES and not self._hand_over():
                return
            if yielding and turn % YIELD_EVENTS == 0:
                time.sleep(0)
        if self._pending:
            self._hand_over()

    def _hand_over(self) -> bool:
        try:
            self._sink.write(b"".join(self._pending))
        except Exception as error:  # noqa: BLE001 - a sink may raise anything, model code must not see it
            self._failed(error)
            return False
        self._ledger.written += len(self._pending)
        self._pending.clear()
        self._pending_bytes = 0
        return True

    def _failed(self, error: Exception) -> None:
        self._ledger.sink_errors += 1
        self._ledger.last_error = f"{type(error).__name__}: {error}"[:500]
        if not self._warned:
            self._warned = True
            _log.warning("mllog: events can't be written, trying again: %s", self._ledger.last_error)


def _call(method: weakref.WeakMethod[Callable[[], bool]]) -> None:
    bound = method()
    if bound is not None:
        bound()
