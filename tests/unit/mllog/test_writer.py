"""How the writer shares the interpreter with those who log."""

from __future__ import annotations

import shutil
import threading
import time
from types import SimpleNamespace
from typing import TYPE_CHECKING, Any

import orjson
import pytest

from mllog.delivery.queue import Queue
from mllog.delivery.sinks import FileSink, MemorySink
from mllog.delivery.writer import YIELD_EVENTS
from mllog.errors import SettingError
from mllog.logger import ModelLogger

if TYPE_CHECKING:
    from pathlib import Path


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


class HangingSink(MemorySink):
    """Takes nothing and gives nobody back until it is released."""

    def __init__(self) -> None:
        super().__init__()
        self.released = threading.Event()
        self.entered = threading.Event()

    def write(self, lines: bytes) -> None:
        self.entered.set()
        self.released.wait(60)
        super().write(lines)


@pytest.mark.parametrize("main", [True, False])
def test_a_hung_sink_keeps_close_no_longer_than_stated(*, main: bool) -> None:
    """One deadline for all that close() does, in whatever thread: 1 s stays within 3, flush() too."""
    sink = HangingSink()
    log = ModelLogger("model", version="1", sink=sink, flush_interval=0.01, resources=0)
    took: list[float] = []

    def end() -> None:
        for call, seconds in ((log.flush, 0.1), (log.close, 1)):
            start = time.monotonic()
            assert not call(timeout=seconds)
            took.append(time.monotonic() - start)

    assert sink.entered.wait(60)
    if main:
        end()
    else:
        thread = threading.Thread(target=end)
        thread.start()
        thread.join(60)
    assert len(took) == 2
    assert max(took) < 3
    status = log.status()
    assert (status.accepted, status.written, status.dropped, status.queued) == (1, 0, 0, 1)
    sink.released.set()
    assert log.close()
    assert log.status().written == len(sink.lines) == 1


def test_who_has_waited_in_vain_does_not_wait_again(monkeypatch: pytest.MonkeyPatch) -> None:
    """At the end of the process a close() that ran out of time is tried once more, without a wait."""
    sink = HangingSink()
    log = ModelLogger("model", version="1", sink=sink, flush_interval=0.01, resources=0)
    assert sink.entered.wait(60)
    waits: list[float] = []
    close = log._engine._writer.close
    monkeypatch.setattr(log._engine._writer, "close", lambda timeout: (waits.append(timeout), close(timeout))[1])
    assert not log._engine.close(timeout=0.01)
    assert not log._engine._writer._end()
    assert waits == [0.01, 0.0]
    # Nor does a model that logs on.
    caller = threading.Thread(target=log.prediction, args=({"k": 1},), daemon=True)
    caller.start()
    caller.join(30)
    assert not caller.is_alive()
    assert not log.flush()
    sink.released.set()
    assert log.close()
    assert log.status().written == len(sink.lines) == 2


def test_all_writers_end_within_one_time(monkeypatch: pytest.MonkeyPatch) -> None:
    """The end of a process has one bound, however many loggers there are; each has a second whatever the others took."""
    monkeypatch.setattr("mllog.delivery.writer._ends", time.monotonic() - 5)
    waits: list[float] = []
    log = ModelLogger("model", version="1", sink=MemorySink(), resources=0)
    close = log._engine._writer.close
    monkeypatch.setattr(log._engine._writer, "close", lambda timeout: (waits.append(timeout), close(timeout))[1])
    assert log._engine._writer._end()
    assert waits == [1.0]


@pytest.mark.parametrize("timeout", [0, -1, float("nan"), float("inf"), 1e300])
def test_odd_times_raise_nothing(timeout: float) -> None:
    """Any number of seconds will do; what is none is no time."""
    log = ModelLogger("model", version="1", sink=MemorySink(), resources=0)
    log.prediction({"k": 1})
    log.flush(timeout)
    log.close(timeout)
    assert log.close()
    assert log.status().written == 2


def test_a_finalizer_that_flushes_in_the_middle_of_a_write_waits_for_nobody() -> None:
    """The thread that writes can't wait for itself: such a flush says no at once, and the write goes on."""
    answers: list[bool] = []

    class Flushing(MemorySink):
        def write(self, lines: bytes) -> None:
            super().write(lines)
            answers.append(log.flush(timeout=3600))

    log = ModelLogger("model", version="1", sink=Flushing(), flush_interval=3600, resources=0)
    log.prediction({"k": 1})
    assert log.flush()
    assert answers == [False]
    log.close()


class FlakySink(MemorySink):
    """Fails while it is told to."""

    broken = False

    def write(self, lines: bytes) -> None:
        if self.broken:
            raise OSError("disk gone")
        super().write(lines)


def test_each_outage_is_told_once(caplog: pytest.LogCaptureFixture) -> None:
    """Three outages are three warnings, however many attempts fail in each."""
    sink = FlakySink()
    with ModelLogger("model", version="1", sink=sink, flush_interval=3600, resources=0) as log:
        for outage in range(1, 4):
            sink.broken = True
            log.prediction({"k": outage})
            assert [log.flush() for _ in range(3)] == [False] * 3
            assert caplog.text.count("events can't be written") == outage
            sink.broken = False
            assert log.flush()
    assert log.status().sink_errors == 9


def test_a_sink_that_can_not_be_tended_is_told_once(tmp_path: Path, caplog: pytest.LogCaptureFixture) -> None:
    """What isn't done by writing may fail as well: counted, told once an outage, and no event is harmed."""

    class Untended(FileSink):
        broken = True

        def tend(self) -> None:
            if self.broken:
                raise OSError("disk gone")

    sink = Untended(tmp_path)
    log = ModelLogger("model", version="1", sink=sink, flush_interval=3600, resources=0)
    writer = log._engine._writer
    for broken in (True, True, False, True):
        sink.broken = broken
        writer._tended = float("-inf")
        assert log.flush()
    assert caplog.text.count("disk gone") == 2
    assert log.status().sink_errors == 3
    log.close()


def test_what_a_sink_has_lost_was_dropped(tmp_path: Path) -> None:
    """Lines that it had taken and that somebody removed on their way change from one count to the other; an event says so."""
    sink = FileSink(tmp_path)
    log = ModelLogger("model", version="1", sink=sink, flush_interval=3600, resources=0)
    for k in range(9):
        log.prediction({"k": k})
    assert log.flush()
    sink.lost = 4
    log.close()
    status = log.status()
    assert (status.accepted, status.written, status.dropped, status.queued) == (11, 7, 4, 0)
    (path,) = tmp_path.glob("*/*.ndjson")
    assert orjson.loads(path.read_bytes().splitlines()[-1])["ml"]["metric"]["value"] == 4


def test_a_segment_is_sealed_by_its_age_while_nobody_logs(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """The writer's thread looks at it, written to or not."""
    monkeypatch.setattr("mllog.delivery.writer.TEND_SECONDS", 0.0)
    log = ModelLogger("model", version="1", sink=tmp_path, flush_interval=0.01, resources=0)
    assert log.flush()
    sink = log._engine._writer._sink
    assert isinstance(sink, FileSink)
    assert sink._spool is not None
    assert not list(tmp_path.glob("*/*.sha256"))
    sink._spool._segment_seconds = 0.0
    while not list(tmp_path.glob("*/*.sha256")):
        time.sleep(0.001)
    log.close()


def test_a_removed_folder_costs_no_event(tmp_path: Path) -> None:
    """What is logged behind a removal is on disk when flush() says so, and what was removed stays so."""
    log = ModelLogger("model", version="1", sink=tmp_path / "events", flush_interval=0.01, resources=0)
    log.prediction({"k": 0})
    assert log.flush()
    shutil.rmtree(tmp_path / "events")
    for k in range(50):
        log.prediction({"k": k})
    assert log.flush()
    lines = [line for path in tmp_path.glob("events/*/*.ndjson") for line in path.read_bytes().splitlines()]
    assert [orjson.loads(line)["ml"]["sequence"]["number"] for line in lines] == list(range(3, 53))
    log.close()
    status = log.status()
    assert (status.accepted, status.written, status.dropped, status.sink_errors) == (52, 52, 0, 0)


def test_what_is_logged_behind_a_close_is_sealed_by_the_next(tmp_path: Path) -> None:
    """Every close leaves whole segments with their checksums, so that nobody takes the process for killed."""
    log = ModelLogger("model", version="1", sink=tmp_path, flush_interval=0.01, resources=0)
    for k in range(1, 4):
        log.prediction({"k": k})
        # The last one as the end of the process does.
        assert log.close() if k < 3 else log._engine._writer._end()
        assert log.close()
        assert len(list(tmp_path.glob("*/*.sha256"))) == len(list(tmp_path.glob("*/*.ndjson"))) == k
    status = log.status()
    assert (status.accepted, status.written, status.dropped) == (4, 4, 0)


def test_what_others_log_at_any_moment_of_a_close_is_theirs_to_write() -> None:
    """A close whose sink takes everything drops nothing, not even what comes between two of its looks."""
    look = looks = 0

    class Watched(Queue):
        def __len__(self) -> int:
            nonlocal looks
            length = super().__len__()
            looks += 1
            if looks == look:
                # As another thread's call, which then waits to write it.
                log._engine._queue.put(log._engine.record("metric", "kpi"))
            return length

    while look <= looks:
        look, looks = look + 1, 0
        log = ModelLogger("model", version="1", sink=MemorySink(), flush_interval=3600, resources=0)
        log.prediction({"k": 1})
        log._engine._queue.__class__ = Watched
        assert log.close()
        log._engine._queue.__class__ = Queue
        assert log.flush()
        status = log.status()
        assert (status.accepted, status.written, status.dropped) == (2 + (look <= looks), status.accepted, 0)
        log.close()
    assert look > 2


def test_a_sink_is_asked_for_room_while_nobody_writes(tmp_path: Path) -> None:
    """In the middle of a write it can't know: a part may have found room, and the next one not."""
    asked: list[bool] = []

    class Full(FileSink):
        inside = False

        def write(self, lines: bytes) -> None:
            self.inside = True
            time.sleep(0.005)
            self.inside = False
            raise OSError("no room")

        def makes_room(self) -> bool:
            time.sleep(0.02)
            asked.append(self.inside)
            return len(asked) < 10

    log = ModelLogger("model", version="1", sink=Full(tmp_path), flush_interval=1e-4, resources=0)
    assert not log.close(timeout=60)
    assert asked == [False] * 10


def test_a_sink_is_closed_once_for_what_it_was_given() -> None:
    """A close behind which nothing was logged isn't done again; what its sink then refuses is counted by the next."""
    closed: list[int] = []

    class Closing(FlakySink):
        def close(self) -> None:
            closed.append(len(self.lines))

    sink = Closing()
    log = ModelLogger("model", version="1", sink=sink, flush_interval=3600, resources=0)
    assert log.close()
    assert log.close()
    assert closed == [1]
    log.prediction({"k": 1})
    assert log.close()
    sink.broken = True
    log.prediction({"k": 2})
    assert not log.close(timeout=0.1)
    lines = len(sink.lines)
    assert closed[1:] == [lines, lines]
    status = log.status()
    # The event that was to say so is the second one.
    assert (status.accepted, status.dropped) == (status.written + status.dropped, 2)


@pytest.mark.parametrize("interval", [threading.TIMEOUT_MAX, 1e300])
def test_an_interval_of_centuries(interval: float) -> None:
    """As long as a thread can wait, and no longer; a flush doesn't wait for it."""
    sink = MemorySink()
    log = ModelLogger("model", version="1", sink=sink, flush_interval=interval, resources=0)
    log.prediction({"k": 1})
    assert log.flush()
    assert len(sink.lines) == 2
    log.close()


@pytest.mark.parametrize("interval", [float("nan"), float("inf"), float("-inf"), -1, True, "soon", [], 10**400])
def test_an_interval_that_is_none(interval: Any) -> None:
    """Said when the logger is made: the field, the value and what to write."""
    with pytest.raises(SettingError, match=r"flush_interval .*: write a number above 0") as caught:
        ModelLogger("model", version="1", sink=MemorySink(), flush_interval=interval)
    assert caught.value.field == "flush_interval"


def test_a_clock_that_can_not_be_asked() -> None:
    """Said when the logger is made, or every event would be rejected."""
    with pytest.raises(SettingError, match="clock 5: give a function") as caught:
        ModelLogger("model", version="1", sink=MemorySink(), clock=5)  # type: ignore[arg-type]
    assert (caught.value.field, caught.value.value) == ("clock", 5)


def test_what_a_write_in_hand_keeps_is_counted() -> None:
    """A close() that runs out of time while a write is on its way waits for it a moment more, and counts the rest."""
    entered = threading.Event()

    class Slow(MemorySink):
        def write(self, lines: bytes) -> None:
            entered.set()
            time.sleep(0.1)
            raise OSError("no room")

    log = ModelLogger("model", version="1", sink=Slow(), flush_interval=1e-4, resources=0)
    log.prediction({"k": 1})
    assert entered.wait(60)
    assert not log.close(timeout=0.001)
    status = log.status()
    assert (status.queued, status.accepted) == (0, status.written + status.dropped)
