"""Code that runs in the middle of the logger's own: signal handlers, finalizers, and exceptions that they raise."""

from __future__ import annotations

import json
from typing import TYPE_CHECKING

import pytest
from support import processes

if TYPE_CHECKING:
    import pathlib
    from collections.abc import Callable

COUNTS = """
import faulthandler, json
faulthandler.dump_traceback_later(60, exit=True)
def report(**more):
    status = log.status()
    counts = {name: getattr(status, name) for name in ("accepted", "written", "dropped", "rejected", "queued")}
    print(json.dumps({**counts, **more}))
"""


def row_of(
    folder: pathlib.Path, fault_row: Callable[..., None], fault: str, counts: dict[str, int], **more: int
) -> None:
    """A row, where what the process counted is what is on disk."""
    events = processes.read(folder)
    assert (counts["written"], counts["queued"], counts["rejected"]) == (len(events), 0, 0)
    fault_row(
        fault,
        accepted=counts["accepted"],
        delivered=len({event["event"]["id"] for event in events}),
        dropped=counts["dropped"],
        duplicates=processes.duplicates(events),
        **more,
    )


@pytest.mark.parametrize("options", ["", "durable='each'", "max_bytes=20_000", "max_bytes=20_000, overflow='drop_old'"])
def test_a_signal_handler_that_logs(tmp_path: pathlib.Path, fault_row: Callable[..., None], options: str) -> None:
    """A handler may log in the middle of a log call: no deadlock, no number given twice, each event once."""
    out = processes.run(
        tmp_path,
        COUNTS
        + f"""
log = make({options})
signals = 0
armed = True  # a signal that waits for its handler while the timer is stopped would start it again
def handler(*_):
    global signals
    signals += 1
    log.prediction({{"k": -signals}})
    if armed: signal.setitimer(signal.ITIMER_REAL, 0.001)
signal.signal(signal.SIGALRM, handler)
signal.setitimer(signal.ITIMER_REAL, 0.001)
for k in range(1_000 if {options!r} == "durable='each'" else 20_000): log.prediction({{"k": k}})
armed = False
signal.setitimer(signal.ITIMER_REAL, 0)
log.close()
report(signals=signals)
""",
    )
    counts = json.loads(out)
    events = processes.read(tmp_path)
    given = [number for numbers in processes.sequences(events).values() for number in numbers]
    assert len(given) == len(set(given))
    assert counts.pop("signals") > 20
    row_of(tmp_path, fault_row, f"a signal handler that logs{f', `{options}`' if options else ''}", counts)


def test_a_finalizer_that_logs(tmp_path: pathlib.Path, fault_row: Callable[..., None]) -> None:
    """The collector may run a __del__ that logs anywhere, the writer's thread included."""
    out = processes.run(
        tmp_path,
        COUNTS
        + """
import gc
log = make(durable="each")
class Cycle:
    def __init__(self): self.me = self
    def __del__(self): log.prediction({"k": -1})
gc.set_threshold(5)
for k in range(300):
    Cycle()
    log.prediction({"k": k, "nested": [[k], {"a": (k, k)}]})
gc.collect()
log.close()
report()
""",
    )
    assert processes.numbers(tmp_path) == [-1] * 300 + list(range(300))
    row_of(tmp_path, fault_row, "a finalizer that logs, run by the collector", json.loads(out))


@pytest.mark.parametrize("options", ["durable='each'", "max_bytes=5_000, overflow='block'"])
def test_an_exception_out_of_a_signal_handler(
    tmp_path: pathlib.Path, fault_row: Callable[..., None], options: str
) -> None:
    """Ctrl-C in the middle of a call (or a worker's time-out) reaches the caller, and costs no event and doubles none."""
    out = processes.run(
        tmp_path,
        COUNTS
        + f"""
log = make({options})
interrupted = 0
def handler(*_):
    raise KeyboardInterrupt
signal.signal(signal.SIGALRM, handler)
for k in range(1_000):
    try:
        signal.setitimer(signal.ITIMER_REAL, 0.0001 + k % 50 * 0.00002)
        for _ in range(200): log.prediction({{"k": k}})
        signal.setitimer(signal.ITIMER_REAL, 0)
    except KeyboardInterrupt:
        interrupted += 1
signal.setitimer(signal.ITIMER_REAL, 0)
log.close()
report(interrupted=interrupted)
""",
    )
    counts = json.loads(out)
    assert counts.pop("interrupted") > 100
    row_of(tmp_path, fault_row, f"KeyboardInterrupt in the middle of calls, `{options}`", counts)
