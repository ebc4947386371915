"""A process that imports mllog once and forks children that log until they are killed, each at a random moment.

``python forge.py FOLDER REPETITIONS SEED MODE``. Each child leaves its events in ``FOLDER/<n>/events`` and what it knew
of them in ``FOLDER/<n>/confirmed``: a file that is mapped into its memory, so that it holds every word written before
kill -9. MODE is

- ``full``: log as fast as possible, in a queue of 256 kB that blocks;
- ``paced``: log ten events, sleep a millisecond, and so on;
- ``each``: ``durable="each"``, as fast as possible;
- ``exit``: as ``full``, but the child ends itself by ``os._exit``.
"""

from __future__ import annotations

import gc
import itertools
import mmap
import os
import pathlib
import random
import signal
import sys
import threading
import time

from mllog.delivery.sinks import FileSink
from mllog.environment import Manifest
from mllog.logger import ModelLogger

ACCEPTED, WRITTEN, STALL, KILLED, FLUSHED, FIRST = range(6)
"""Words of the file: calls that returned, lines that the disk took, longest stall (ns), moment of the kill, calls that
had returned before the last flush() that did; then the moment at which each call returned."""

CALLS = 200_000
LONGEST = 0.2
"""Seconds that a child lives at most."""

QUEUE_BYTES = 2**18


class ConfirmingSink(FileSink):
    """The real sink, which also says how many lines it has written."""

    def __init__(self, folder: pathlib.Path, confirmed: memoryview) -> None:
        super().__init__(folder)
        self._confirmed = confirmed

    def write(self, lines: bytes) -> None:
        """Write, then say so."""
        super().write(lines)
        self._confirmed[WRITTEN] += lines.count(b"\n")


def words(path: pathlib.Path) -> memoryview:
    """The words of a file that is mapped into memory, made where it isn't there."""
    with path.open("a+b") as file:
        file.truncate(8 * (FIRST + CALLS))
        return memoryview(mmap.mmap(file.fileno(), 0)).cast("q")


def measure_stalls(confirmed: memoryview) -> None:
    """Note how long a thread of this process was kept from running, at worst."""
    last = time.monotonic_ns()
    while True:
        time.sleep(0.001)
        now = time.monotonic_ns()
        confirmed[STALL] = max(confirmed[STALL], now - last)
        last = now


def child(folder: pathlib.Path, mode: str, seconds: float) -> None:
    """Log for ever, and confirm each call that returned."""
    confirmed = words(folder / "confirmed")
    threading.Thread(target=measure_stalls, args=(confirmed,), daemon=True).start()
    log = ModelLogger(
        "model",
        version="1",
        sink=ConfirmingSink(folder / "events", confirmed),
        environment=Manifest(),
        durable="each" if mode == "each" else "interval",
        overflow="block",
        max_bytes=QUEUE_BYTES,
    )
    end = time.monotonic() + seconds
    for k in itertools.count():
        log.prediction({"k": k, "carrier": "UA", "distance": 1.5 * k}, 0.5, str(k))
        confirmed[FIRST + k] = time.monotonic_ns()
        confirmed[ACCEPTED] = k + 1
        if mode == "paced" and k % 10 == 9:
            time.sleep(0.001)
        elif mode == "full" and k % 1000 == 999 and log.flush():
            confirmed[FLUSHED] = k + 1
        elif mode == "exit" and time.monotonic() > end:
            confirmed[KILLED] = time.monotonic_ns()
            os._exit(0)


def main(folder: pathlib.Path, repetitions: int, seed: int, mode: str) -> None:
    """Fork, wait, kill, and so on."""
    moments = random.Random(seed)
    gc.freeze()
    for n in range(repetitions):
        place = folder / str(n)
        place.mkdir(parents=True)
        confirmed = words(place / "confirmed")
        seconds = moments.uniform(0.001, LONGEST)
        pid = os.fork()
        if not pid:
            child(place, mode, seconds)
        if mode != "exit":
            time.sleep(seconds)
            confirmed[KILLED] = time.monotonic_ns()
            os.kill(pid, signal.SIGKILL)
        _, status = os.waitpid(pid, 0)
        expected = 0 if mode == "exit" else signal.SIGKILL
        if status != expected:
            sys.exit(f"child {n} ended by itself: {status}")


if __name__ == "__main__":
    main(pathlib.Path(sys.argv[1]), int(sys.argv[2]), int(sys.argv[3]), sys.argv[4])
