from __future__ import annotations

import hashlib
import logging
import os
import re
import threading
import time
from typing import TYPE_CHECKING

import orjson
import pytest

from mllog.delivery.ledger import identity
from mllog.delivery.loops.plain import RECORD_SIZE
from mllog.delivery.queue import Queue
from mllog.delivery.sinks import FileSink, MemorySink, SpoolSink, StdoutSink, open_sink
from mllog.delivery.spool import Spool
from mllog.errors import SettingError
from mllog.events import Record
from mllog.logger import ModelLogger

if TYPE_CHECKING:
    from pathlib import Path

ROW = {"a": 1.5}


def record(size: int = 10) -> Record:
    record = Record("metric", "kpi", 0, "id", 0)
    record.size = size
    return record


class Drops:
    def __init__(self) -> None:
        self.n = 0

    def __call__(self, events: int) -> None:
        self.n += events


class FailingSink(MemorySink):
    """Fails while it is told to."""

    broken = True

    def write(self, lines: bytes) -> None:
        if self.broken:
            raise OSError("disk full")
        super().write(lines)


def test_queue_drops_new() -> None:
    """At the bound the newest are refused; their numbers stay as a hole."""
    drops = Drops()
    queue = Queue(30, "drop_new", drops)
    assert [queue.put(record()) for _ in range(5)] == [True, True, True, False, False]
    assert (queue.bytes, len(queue), drops.n, queue.accepted) == (30, 3, 2, 5)
    assert [queue.pop().number for _ in range(3)] == [1, 2, 3]  # type: ignore[union-attr]
    assert queue.pop() is None
    assert queue.put(record())
    assert queue.pop().number == 6  # type: ignore[union-attr]


def test_queue_drops_old() -> None:
    """At the bound the oldest make room."""
    drops = Drops()
    queue = Queue(30, "drop_old", drops)
    assert all(queue.put(record()) for _ in range(5))
    assert (queue.bytes, drops.n) == (30, 2)
    assert [queue.pop().number for _ in range(3)] == [3, 4, 5]  # type: ignore[union-attr]
    assert not queue.put(record(31))
    assert drops.n == 3


def test_queue_blocks_until_there_is_room() -> None:
    """A blocked caller goes on as soon as somebody drains; one that can never fit isn't kept waiting."""
    drops = Drops()
    queue = Queue(10, "block", drops)
    assert queue.put(record())
    threading.Timer(0.05, queue.pop).start()
    start = time.monotonic()
    assert queue.put(record())
    assert time.monotonic() - start >= 0.04
    assert not queue.put(record(11))


def test_queue_blocks_no_longer_than_stated(monkeypatch: pytest.MonkeyPatch) -> None:
    """The bound of a wait holds, and what it costs is counted."""
    monkeypatch.setattr("mllog.delivery.queue.BLOCK_SECONDS", 0.02)
    drops = Drops()
    queue = Queue(10, "block", drops)
    queue.put(record())
    assert not queue.put(record())
    assert drops.n == 1


def test_identities_differ() -> None:
    """Two sequences never have one name, though the clock may be coarse."""
    assert len({identity() for _ in range(1000)}) == 1000


def test_spool_rotates_and_seals(tmp_path: Path) -> None:
    """Segments are numbered, hold whole lines, and a sealed one has a checksum beside it."""
    spool = Spool(tmp_path, "p", segment_bytes=25)
    for k in range(5):
        spool.write(b'{"n": %d}\n' % k)
    folder = tmp_path / "p"
    assert [path.name for path in sorted(folder.glob("*.ndjson"))] == [
        f"0000000{k}.ndjson" for k in (1, 2, 3)
    ]
    assert sorted(path.name for path in folder.glob("*.sha256")) == [
        f"0000000{k}.ndjson.sha256" for k in (1, 2)
    ]
    spool.seal()
    spool.seal()
    lines = b""
    for path in sorted(folder.glob("*.ndjson")):
        lines += path.read_bytes()
        expected = f"{hashlib.sha256(path.read_bytes()).hexdigest()}  {path.name}\n"
        assert (folder / f"{path.name}.sha256").read_text() == expected
    assert [orjson.loads(line)["n"] for line in lines.splitlines()] == list(range(5))


def test_spool_rotates_by_age(tmp_path: Path) -> None:
    """A segment doesn't stay open for ever on a quiet service."""
    spool = Spool(tmp_path, "p", segment_seconds=0.0)
    spool.write(b"{}\n")
    spool.write(b"{}\n")
    spool.seal()
    assert len(list(tmp_path.glob("p/*.ndjson"))) == 2


def test_spool_takes_back_half_a_write(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """A disk that fills in the middle of a line leaves no half line, and what comes next is in another file."""
    spool = Spool(tmp_path, "p")
    spool.write(b'{"n": 1}\n')
    real = os.write
    calls: list[int] = []

    def half(fd: int, data: bytes) -> int:
        calls.append(fd)
        if len(calls) > 1:
            raise OSError("disk full")
        return real(fd, bytes(data)[:4])

    monkeypatch.setattr(os, "write", half)
    with pytest.raises(OSError, match="disk full"):
        spool.write(b'{"n": 2}\n')
    monkeypatch.undo()
    spool.write(b'{"n": 2}\n')
    spool.seal()
    contents = [path.read_bytes() for path in sorted(tmp_path.glob("p/*.ndjson"))]
    assert contents == [b'{"n": 1}\n', b'{"n": 2}\n']
    assert len(list(tmp_path.glob("p/*.sha256"))) == 2


def test_sinks_by_place(
    tmp_path: Path, capsysbinary: pytest.CaptureFixture[bytes], monkeypatch: pytest.MonkeyPatch
) -> None:
    """A folder, standard output, or an object of one's own."""
    assert isinstance(open_sink("events/"), FileSink)
    assert isinstance(open_sink(tmp_path / "a:b"), FileSink)
    own = MemorySink()
    assert open_sink(own) is own
    sink = open_sink("stdout:")
    assert isinstance(sink, StdoutSink)
    sink.start("p")
    sink.write(b"{}\n")
    sink.close()
    assert capsysbinary.readouterr().out == b"{}\n"
    monkeypatch.chdir(tmp_path)
    remote = open_sink("logstash+http://user:secret@Host:8080")
    assert isinstance(remote, SpoolSink)
    assert remote.folder.parent == tmp_path / "mllog-spool"
    assert re.fullmatch("logstash-host-[0-9a-f]{8}", remote.folder.name)
    monkeypatch.setenv("MLLOG_SPOOL_BYTES", "12345")
    for given, expected in ((None, 12345), (54321, 54321)):
        bounded = open_sink("logstash+http://host:8080", spool_bytes=given)
        assert isinstance(bounded, SpoolSink)
        assert bounded._spool_bytes == expected
    with pytest.raises(SettingError, match=r"spool_bytes 4: write a number of bytes, at least 10000"):
        open_sink("logstash+http://host:8080", spool_bytes=4)
    assert isinstance(open_sink("events/"), FileSink)
    with pytest.raises(SettingError, match="isn't a server"):
        open_sink("events/", spool=tmp_path)
    with pytest.raises(SettingError, match="isn't a server"):
        open_sink(own, spool_bytes=10)


def test_a_folder_stays_where_it_was(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """A service that changes its working directory goes on writing where it began."""
    monkeypatch.chdir(tmp_path)
    log = ModelLogger("model", version="1", sink="events/")
    (tmp_path / "elsewhere").mkdir()
    monkeypatch.chdir(tmp_path / "elsewhere")
    log.close()
    assert list(tmp_path.glob("events/*/*.ndjson"))


def test_a_sink_that_fails_for_a_while(caplog: pytest.LogCaptureFixture) -> None:
    """Nothing is lost while there is room; the trouble is counted and told once."""
    sink = FailingSink()
    with caplog.at_level(logging.WARNING, logger="mllog"):
        log = ModelLogger("model", version="1", sink=sink, flush_interval=60)
        log.prediction(ROW)
        assert not log.flush()
        log.prediction(ROW)
        assert not log.flush()
    assert len(caplog.records) == 1
    assert log.status().sink_errors == 2
    assert log.status().last_error == "OSError: disk full"
    sink.broken = False
    assert log.flush()
    status = log.status()
    assert (status.written, status.dropped, status.queued) == (3, 0, 0)
    assert [orjson.loads(line)["ml"]["sequence"]["number"] for line in sink.lines] == [1, 2, 3]
    log.close()


def test_a_sink_that_fails_for_good(caplog: pytest.LogCaptureFixture) -> None:
    """Memory stays bounded, and at the end everything that was lost is counted."""
    log = ModelLogger("model", version="1", sink=FailingSink(), flush_interval=60, max_bytes=RECORD_SIZE * 20)
    log.flush()
    for _ in range(100):
        log.prediction(ROW)
    assert log.status().queue_bytes <= RECORD_SIZE * 20
    assert not log.close()
    status = log.status()
    # The last one is the event that was to say so.
    assert (status.accepted, status.written, status.dropped, status.queued) == (102, 0, 102, 0)
    assert "102 events were lost, and no event could say so: OSError: disk full" in caplog.text


def test_the_number_of_drops_is_delivered() -> None:
    """An overflow shows in the store too: as an event, and as a hole in the numbers."""
    sink = MemorySink()
    log = ModelLogger("model", version="1", sink=sink, flush_interval=60, max_bytes=RECORD_SIZE * 10)
    log.flush()
    for _ in range(30):
        log.prediction(ROW)
    log.close()
    events = [orjson.loads(line) for line in sink.lines]
    (loss,) = [event for event in events if event["event"]["action"] == "ledger"]
    dropped = log.status().dropped
    assert dropped >= 20
    assert loss["ml"]["metric"] == {"name": "mllog.dropped", "value": float(dropped), "unit": "events"}
    numbers = {event["ml"]["sequence"]["number"] for event in events}
    assert log.status().accepted - len(numbers) == dropped


def test_a_file_in_place_of_the_folder(tmp_path: Path, caplog: pytest.LogCaptureFixture) -> None:
    """A place that can't be written to stops no model: counted, told once."""
    (tmp_path / "events").write_text("")
    log = ModelLogger("model", version="1", sink=tmp_path / "events")
    log.prediction(ROW)
    assert not log.flush()
    assert log.status().sink_errors >= 1
    assert not log.close()
    assert log.status().dropped == log.status().accepted == 3
    assert "events can't be written" in caplog.text


def test_a_record_that_cannot_be_encoded_stops_no_other(monkeypatch: pytest.MonkeyPatch) -> None:
    """A bug in the encoder costs one event, which is counted; the count is delivered."""
    sink = MemorySink()
    log = ModelLogger("model", version="1", sink=sink, flush_interval=60)
    log.flush()
    log.prediction(ROW)
    record = log._engine._queue._records[0]
    record.time = "never"  # type: ignore[assignment]
    log.prediction(ROW)
    log.close()
    status = log.status()
    assert (status.accepted, status.written, status.rejected) == (4, 3, 1)
