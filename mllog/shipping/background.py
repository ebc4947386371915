"""Ships a logger's own spool from a thread beside the model."""

from __future__ import annotations

import logging
import threading
import time
from pathlib import Path
from typing import TYPE_CHECKING, Final

from mllog.notices import once
from mllog.shipping.limits import Limits
from mllog.shipping.shipper import Shipper

if TYPE_CHECKING:
    from mllog.shipping.destinations.base import Destination

POLL_SECONDS: Final = 0.2
LIMITS: Final = Limits(bytes=2**20, lines=500)
"""Smaller than those of ``mllog ship``: the model has this memory too."""

_log: Final = logging.getLogger("mllog")


class Background:
    """A daemon thread that ships one process's folder, and those of others that have ended.

    Args:
        spool: Folder of all processes.
        process: Name of this one.
        destination: Who gets the events; this thread's alone.
        dead_bytes: Bound of the dead letters.
    """

    def __init__(self, spool: Path, process: str, destination: Destination, *, dead_bytes: int) -> None:
        self._spool = spool
        self._stop = threading.Event()
        self._deadline = float("inf")
        self._destination = destination
        self._shipper = Shipper(
            spool,
            destination,
            delete=True,
            stop=self._stop,
            told=self._tell,
            own=process,
            limits=LIMITS,
            dead_bytes=dead_bytes,
            # The interpreter's lock is offered: a caller must not wait for a whole batch.
            breathe=lambda: time.sleep(0),
        )
        self._thread: threading.Thread | None = None
        self._delivered = False
        self._warned = False

    def start(self) -> bool:
        """Start the thread; whether that can still be done."""
        thread = threading.Thread(target=self._run, name="mllog-shipper", daemon=True)
        try:
            thread.start()
        except RuntimeError:
            return False  # the interpreter is going down
        self._thread = thread
        return True

    def finish(self, seconds: float) -> bool:
        """Deliver what is left and end, within ``seconds``; whether all was delivered.

        A destination that fails isn't tried again: what is left stays in the spool for the next process.
        """
        self._deadline = time.monotonic() + seconds
        self._stop.set()
        if self._thread is None:
            self._destination.hurry(seconds)
            self._run()
        else:
            self._thread.join(seconds)
        return self._delivered

    def _run(self) -> None:
        shipper = self._shipper
        while not self._stop.is_set():
            moved = False
            try:
                moved = shipper.round()
                if shipper.problem is not None:
                    self._tell(shipper.problem)
                elif shipper.unkept is not None:
                    once(f"{shipper.reason}")
                for warning in shipper.warnings:
                    once(warning)
            except Exception as error:  # noqa: BLE001 - a bug must not end delivery, nor reach the model
                self._tell(error)
            if moved and shipper.problem is None:
                self._warned = False
            if not moved:
                self._stop.wait(POLL_SECONDS)
        try:
            self._finish()
        except Exception as error:  # noqa: BLE001 - the same
            _log.warning("mllog: events stay in %s: %s: %s", self._spool, type(error).__name__, error)

    def _tell(self, problem: Exception | None) -> None:
        """Warn once in an outage."""
        if problem is not None and not self._warned:
            name = "" if isinstance(problem, OSError) else f"{type(problem).__name__}: "
            _log.warning("mllog: events can't be shipped, they stay in %s: %s%s", self._spool, name, problem)
        self._warned = problem is not None

    def _finish(self) -> None:
        shipper = self._shipper
        shipper.pace.reset()
        while time.monotonic() < self._deadline and shipper.round() and shipper.problem is None:
            pass
        self._delivered = shipper.problem is None and shipper.is_idle(shipper.own or "")
        shipper.close()
