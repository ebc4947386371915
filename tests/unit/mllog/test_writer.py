"""How the writer shares the interpreter with those who log."""

from __future__ import annotations

import time
from types import SimpleNamespace

import pytest

from mllog.delivery.sinks import MemorySink
from mllog.delivery.writer import YIELD_EVENTS
from mllog.logger import ModelLogger


@pytest.fixture
def pauses(monkeypatch: pytest.MonkeyPatch) -> list[float]:
    """Every pause that the writer makes."""
    found: list[float] = []
    clock = SimpleNamespace(sleep=found.append, monotonic=time.monotonic)
    monkeypatch.setattr("mllog.delivery.writer.time", clock)
    return found


def drained(events: int) -> ModelLogger:
    """A logger whose writer has just written so many events in one go, as its thread does."""
    log = ModelLogger("model", version="1", sink=MemorySink(), flush_interval=3600)
    log.flush()
    for k in range(events):
        log.prediction({"k": k})
    log._engine._writer._drain(yielding=True)
    return log


def test_the_writer_makes_pauses(pauses: list[float]) -> None:
    """A caller that wants the interpreter's lock gets it after a few events."""
    with drained(10 * YIELD_EVENTS) as log:
        assert log.status().queued == 0
        assert len(pauses) == 10
        assert set(pauses) == {0}


def test_a_backlog_is_worked_off_in_few_pauses(pauses: list[float]) -> None:
    """Each pause may cost as long as busy threads keep the lock, so the longer the queue the fewer there are."""
    events = 4_000
    with drained(events) as log:
        assert log.status().queued == 0
        assert len(pauses) < events / YIELD_EVENTS / 4
