"""What is measured of one contender, in a process of its own.

Times are nanoseconds of :func:`time.perf_counter_ns` around each call, into arrays that were made before; what two
readings of that clock cost by themselves is subtracted. CPU is :func:`time.process_time_ns`, which counts all threads,
from the first call until everything has been handed to the operating system (nobody syncs to the disk), minus the same
loop with a call that does nothing.
"""

from __future__ import annotations

import gc
import threading
import time
from array import array
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Final

from benchmarks.logger.workload import ROWS, Prediction

WARM_UP: Final = 4 * ROWS
"""Every row a few times: a service has seen them, so what is remembered of names and words is there."""
THREADS: Final = 4

Call = Callable[[dict[str, Any], dict[str, Any], str], object]


@dataclass(frozen=True, slots=True)
class Phase:
    """What one phase took.

    Attributes:
        p50: Median of a call, nanoseconds.
        p99: 99th percentile.
        longest: The slowest call.
        tax: CPU an event, all threads, nanoseconds; the empty loop subtracted.
        seconds: From the first call until everything was handed over.
    """

    p50: float
    p99: float
    longest: float
    tax: float
    seconds: float


def ids(phase: str, count: int) -> list[str]:
    """Ids of a phase's events."""
    return [f"{phase}-{k:08d}" for k in range(count)]


def run(
    phase: str, call: Call, flush: Callable[[], None], rows: Sequence[Prediction], names: Sequence[str], *, rate: float
) -> Phase:
    """One phase: ``threads``, ``paced``, or else a burst."""
    if phase == "threads":
        return threaded(call, flush, rows, names)
    return paced(call, flush, rows, names, rate) if phase == "paced" else burst(call, flush, rows, names)


def burst(call: Call, flush: Callable[[], None], rows: Sequence[Prediction], names: Sequence[str]) -> Phase:
    """Call after call without a pause, in one thread."""
    return _measure(lambda c: _loop(c, rows, names), call, flush, len(names))


def paced(
    call: Call, flush: Callable[[], None], rows: Sequence[Prediction], names: Sequence[str], rate: float
) -> Phase:
    """``rate`` calls a second with sleep between them, in one thread: a service that has other things to do."""
    return _measure(lambda c: _loop(c, rows, names, pause=1 / rate), call, flush, len(names))


def threaded(call: Call, flush: Callable[[], None], rows: Sequence[Prediction], names: Sequence[str]) -> Phase:
    """Call after call without a pause, in four threads at once; ``names`` are shared out among them."""

    def run(c: Call) -> array[int]:
        barrier = threading.Barrier(THREADS)
        spent: list[array[int]] = []

        def work(own: Sequence[str]) -> None:
            barrier.wait()
            spent.append(_loop(c, rows, own))

        threads = [threading.Thread(target=work, args=(names[k::THREADS],)) for k in range(THREADS)]
        for thread in threads:
            thread.start()
        for thread in threads:
            thread.join()
        return array("q", [value for one in spent for value in one])

    return _measure(run, call, flush, len(names))


def warm_up(call: Call, flush: Callable[[], None], rows: Sequence[Prediction], events: int) -> None:
    """Let threads start, files open and the interpreter specialise."""
    _loop(call, rows, ids("warm", min(events, WARM_UP)))
    flush()


def written(folder: Path) -> list[bytes]:
    """Every line below a folder."""
    return [line for path in sorted(folder.rglob("*.ndjson")) for line in path.read_bytes().splitlines()]


def _nothing(inputs: dict[str, Any], output: dict[str, Any], prediction_id: str) -> None:
    pass


def _loop(call: Call, rows: Sequence[Prediction], names: Sequence[str], pause: float = 0.0) -> array[int]:
    clock, sleep = time.perf_counter_ns, time.sleep
    spent = array("q", bytes(8 * len(names)))
    count, due = len(rows), time.perf_counter()
    for k, name in enumerate(names):
        row = rows[k % count]
        inputs, output = row.inputs, row.output
        if pause:
            due += pause
            sleep(max(due - time.perf_counter(), 0))
        begin = clock()
        call(inputs, output, name)
        spent[k] = clock() - begin
    return spent


def _measure(run: Callable[[Call], array[int]], call: Call, flush: Callable[[], None], count: int) -> Phase:
    gc.collect()
    start = time.process_time_ns()
    idle = sorted(run(_nothing))[count // 2]
    empty = time.process_time_ns() - start
    gc.collect()
    begin, start = time.perf_counter(), time.process_time_ns()
    spent = run(call)
    flush()
    cpu, seconds = time.process_time_ns() - start, time.perf_counter() - begin
    ordered = sorted(spent)
    return Phase(
        p50=ordered[count // 2] - idle,
        p99=ordered[min(count * 99 // 100, count - 1)] - idle,
        longest=ordered[-1] - idle,
        tax=(cpu - empty) / count,
        seconds=seconds,
    )
