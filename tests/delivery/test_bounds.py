"""How long a process waits at its end for sinks that hang: as stated, however many loggers there are."""

from __future__ import annotations

import signal
import time
from typing import TYPE_CHECKING

import pytest
from support import processes

from mllog.delivery import exits, writer

if TYPE_CHECKING:
    import pathlib

CODE = """
from mllog.delivery import exits, writer
class Hung:
    def start(self, process): pass
    def write(self, lines): time.sleep(10_000)
    def close(self): pass
logs = [make(sink=Hung(), flush_interval=0.01, resources=0) for _ in range(3)]
for log in logs: log.prediction({"k": 1})
time.sleep(0.2)
exits.TERM_SECONDS = writer.EXIT_SECONDS = 2.0
print("ready", flush=True)
"""


@pytest.mark.parametrize(
    ("end", "returncode", "stated"),
    [
        # Where one took all the time there was, each of the others still has a second.
        ("", 0, 2.0 + 2 * writer.LEAST_SECONDS),
        ("print([log.close(timeout=0.5) for log in logs])", 0, 3 * 0.5),
        ("signal.raise_signal(signal.SIGTERM)", -signal.SIGTERM, 2.0),
    ],
    ids=["exit", "close", "sigterm"],
)
def test_sinks_that_hang_keep_no_process(tmp_path: pathlib.Path, end: str, returncode: int, stated: float) -> None:
    """Three loggers whose sinks hang: the process is gone within the stated time and a start's worth of slack."""
    process = processes.start(tmp_path, CODE + end)
    try:
        assert process.stdout is not None
        assert process.stdout.readline() == "ready\n"
        start = time.monotonic()
        out, err = process.communicate(timeout=processes.SECONDS)
        took = time.monotonic() - start
    finally:
        process.kill()
    assert (process.returncode, err) == (returncode, "")
    assert out in {"", "[False, False, False]\n"}
    assert took < stated + 3


def test_the_stated_bounds() -> None:
    """What docs/reference/guarantees.md says: change both."""
    assert (writer.CLOSE_SECONDS, writer.EXIT_SECONDS, writer.LEAST_SECONDS, exits.TERM_SECONDS) == (10, 10, 1, 5)
