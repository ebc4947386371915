"""The bound of a shipping logger's spool, what makes room in it, and a spool that is removed under its logger."""

from __future__ import annotations

import fcntl
import os
import re
import shutil
import subprocess
import sys
import time
from typing import TYPE_CHECKING

import orjson
import pytest
from support import processes, receivers, spools
from support.receivers import logstash

from mllog.delivery import sinks
from mllog.delivery.locks import WRITER_LOCK
from mllog.delivery.room import needed_bytes
from mllog.delivery.sinks import SpoolSink
from mllog.environment import Manifest
from mllog.errors import PlaceError
from mllog.logger import ModelLogger
from mllog.places import parse
from mllog.shipping import inspect, ownership, shipper
from mllog.shipping.destinations import open_destination
from mllog.shipping.limits import Limits
from mllog.shipping.shipper import Shipper

if TYPE_CHECKING:
    import pathlib
    from collections.abc import Callable

BOUND = 200_000


@pytest.fixture(autouse=True)
def no_settings_from_outside(monkeypatch: pytest.MonkeyPatch) -> None:
    """Tests don't depend on MLLOG_* variables of whoever runs them."""
    for name in [name for name in os.environ if name.startswith("MLLOG_")]:
        monkeypatch.delenv(name)


def make(folder: pathlib.Path, receiver: receivers.Receiver, bound: int = BOUND) -> ModelLogger:
    """A logger that ships by itself."""
    sink = SpoolSink(parse(receiver.place()), folder, spool_bytes=bound)
    return ModelLogger("model", version="1", sink=sink, environment=Manifest(), flush_interval=0.01, resources=0)


def wait_until(condition: Callable[[], bool]) -> None:
    deadline = time.monotonic() + processes.SECONDS
    while not condition():
        assert time.monotonic() < deadline
        time.sleep(0.005)


def ship(folder: pathlib.Path, receiver: receivers.Receiver, *options: str) -> None:
    command = [sys.executable, "-m", "mllog.cli", "ship", str(folder), "--to", receiver.place(), *options]
    subprocess.run(command, check=False, capture_output=True, env=processes.environment())


def segments(folder: pathlib.Path) -> list[pathlib.Path]:
    return sorted(folder.glob("[!_]*/*.ndjson"))


def copies(receiver: receivers.Receiver) -> int:
    ids = receiver.ids()
    return len(ids) - len(set(ids))


def test_what_idle_siblings_have_delivered_keeps_nothing_out(
    tmp_path: pathlib.Path, fault_row: Callable[..., None]
) -> None:
    """Open segments of loggers that live and are silent are on the disk, but have arrived: the bound is for the others."""
    with logstash() as receiver:
        logs = [make(tmp_path / "spool", receiver) for _ in range(10)]
        for log in logs:
            for k in range(40):
                log.prediction({"k": k, "text": "x" * 800})
            assert log.flush()
            accepted = sum(log.status().accepted for log in logs if log.status().written)
            wait_until(lambda accepted=accepted: len(receiver.lines) >= accepted)
            # What arrived is noted a moment later; until then it counts as waiting.
            wait_until(lambda: needed_bytes(tmp_path / "spool") < BOUND / 4)
        assert sum(path.stat().st_size for path in segments(tmp_path / "spool")) > BOUND
        assert all(log.close() for log in logs)
        counts = [log.status() for log in logs]
        assert [count.sink_errors for count in counts] == [0] * 10
    fault_row(
        "a spool that holds no more than idle processes have delivered",
        accepted=sum(count.accepted for count in counts),
        delivered=len(set(receiver.ids())),
        dropped=sum(count.dropped for count in counts),
        duplicates=copies(receiver),
    )


def test_an_event_larger_than_the_bound_keeps_no_others(tmp_path: pathlib.Path) -> None:
    """It is taken where half of the bound is free."""
    with logstash() as receiver:
        log = make(tmp_path, receiver, bound=sinks.LEAST_SPOOL_BYTES)
        inputs = {f"text {k}": "word " * 40 for k in range(100)}
        ids = [log.prediction(inputs if k % 2 else {}, 1, str(k)) for k in range(9)]
        assert log.close(processes.SECONDS)
        assert log.status().dropped == 0
        assert set(ids) <= set(receiver.ids())
        assert max(map(len, receiver.lines)) > sinks.LEAST_SPOOL_BYTES


def test_what_any_destination_needs_counts(tmp_path: pathlib.Path) -> None:
    """Bytes count until the last registered destination has them; dead letters and odd files do too."""
    for process in ("a", "b"):
        spools.spool(tmp_path / "spool", process, spools.lines(process, 30), closed=False, segment_bytes=1500)
    size = sum(path.stat().st_size for path in tmp_path.rglob("*") if path.is_file())
    assert needed_bytes(tmp_path / "spool") == size
    with logstash() as first, logstash(always=503) as second:
        ship(tmp_path / "spool", first, "--give-up", "20")
        ship(tmp_path / "spool", second, "--give-up", "0")
        assert len(first.lines) == 60
        # The second one has nothing yet.
        assert needed_bytes(tmp_path / "spool") >= size
        ship(tmp_path / "spool", second, "--forget")
    rest = [path for path in tmp_path.rglob("*") if path.is_file() and path.suffix != ".ndjson"]
    assert needed_bytes(tmp_path / "spool") == sum(path.stat().st_size for path in rest)
    (tmp_path / "spool" / "_dead" / "x").mkdir(parents=True)
    (tmp_path / "spool" / "_dead" / "x" / "1.ndjson").write_bytes(bytes(1000))
    assert needed_bytes(tmp_path / "spool") == sum(path.stat().st_size for path in rest) + 1000
    assert needed_bytes(tmp_path / "absent") == 0


def test_what_is_delivered_and_idle_is_deleted(tmp_path: pathlib.Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """A logger that is silent leaves nothing on the disk, though it lives; what is not delivered stays open."""
    monkeypatch.setattr(sinks, "IDLE_SECONDS", 0.0)
    monkeypatch.setattr("mllog.delivery.writer.TEND_SECONDS", 0.0)
    with logstash(always="hang") as receiver:
        log = make(tmp_path / "spool", receiver)
        log.prediction({"k": 1})
        assert log.flush()
        wait_until(lambda: bool(receiver.requests))
        assert log.flush()
        assert not list(tmp_path.rglob("*.sha256"))
        receiver.always = "ok"
        receiver.released.set()
        wait_until(lambda: not segments(tmp_path / "spool"))
        log.prediction({"k": 2})
        assert log.flush()
        assert log.close()
        assert len(set(receiver.ids())) == len(receiver.ids()) == log.status().written == 3
    assert [found.delivered for found in inspect(tmp_path / "spool")] == [3]


def test_close_waits_for_room_that_comes(
    tmp_path: pathlib.Path, fault_row: Callable[..., None], monkeypatch: pytest.MonkeyPatch
) -> None:
    """A spool at its bound is tried again as long as something is being delivered: nothing is dropped."""
    monkeypatch.setattr(sinks, "STALL_SECONDS", 60.0)
    with logstash(always="hang") as receiver:
        log = make(tmp_path / "spool", receiver, bound=BOUND)
        k = 0
        while not log.status().sink_errors or log.status().queued < 500:
            log.prediction({"k": k})
            k += 1
        assert not log.flush()
        receiver.always = "ok"
        receiver.released.set()
        assert log.close(timeout=processes.SECONDS)
        counts = log.status()
        assert counts.dropped == 0
        assert "bound" in str(counts.last_error)
    fault_row(
        "a spool at its bound is closed when the server comes back",
        accepted=counts.accepted,
        delivered=len(set(receiver.ids())),
        dropped=counts.dropped,
        duplicates=copies(receiver),
    )


def test_close_gives_up_where_nothing_is_delivered(tmp_path: pathlib.Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """A bound that no server lowers is told as it is: what doesn't fit is counted as dropped, the rest is spooled."""
    monkeypatch.setattr(sinks, "STALL_SECONDS", 0.1)
    with logstash(always=503) as receiver:
        log = make(tmp_path / "spool", receiver, bound=BOUND)
        while not log.status().sink_errors or log.status().queued < 50:
            log.prediction({"k": 1})
        start = time.monotonic()
        assert not log.close(timeout=60)
        # Far from what it was given.
        assert time.monotonic() - start < 30
    counts = log.status()
    assert 0 < counts.dropped < counts.accepted
    assert counts.accepted == counts.written + counts.dropped
    assert len(spools.read(tmp_path / "spool")) == counts.written


def test_a_spool_that_others_filled_is_shipped(tmp_path: pathlib.Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """A logger that finds no room from its first event on ships what is there all the same, and then its own."""
    with logstash(always=503) as receiver:
        log = make(tmp_path / "spool", receiver)
        while not log.status().sink_errors:
            log.prediction({"k": 1, "text": "x" * 500})
            log.flush()
        with monkeypatch.context() as patched:
            patched.setattr(sinks, "STALL_SECONDS", 0.0)
            assert not log.close(timeout=processes.SECONDS)
        left = len(spools.read(tmp_path / "spool"))
        receiver.always = "ok"
        log = make(tmp_path / "spool", receiver)
        # Larger than what is left of the bound.
        log.prediction({f"text {k}": "word " * 40 for k in range(100)})
        assert not log.flush()
        assert log.close(timeout=processes.SECONDS)
        assert log.status().dropped == 0
        # The other one's last events may still be there, for the next turn.
        spooled = {orjson.loads(line)["event"]["id"] for line in spools.read(tmp_path / "spool")}
        assert len(spooled) < left / 2
        assert len(set(receiver.ids()) | spooled) == left + log.status().written


def test_close_passes_on_what_is_left_of_its_time(tmp_path: pathlib.Path) -> None:
    """A server that takes a request and never answers keeps close(timeout=1) within 3 s, and all stays spooled."""
    with logstash(always="silent") as receiver:
        log = make(tmp_path / "spool", receiver)
        log.prediction({"k": 1})
        assert log.flush()
        wait_until(lambda: bool(receiver.requests))
        start = time.monotonic()
        assert log.close(timeout=1)
        assert time.monotonic() - start < 3
    assert len(spools.read(tmp_path / "spool")) == log.status().written == 2


@pytest.mark.parametrize(
    ("answers", "seal", "lost"),
    [("ok", False, 0), ("hang", False, 0), (503, True, 21)],
    ids=["delivered", "sent", "sealed"],
)
def test_a_spool_that_is_removed(
    tmp_path: pathlib.Path, fault_row: Callable[..., None], answers: str | int, lost: int, *, seal: bool
) -> None:
    """The folder goes while its logger lives: what is on its way comes all the same, once; what can't is counted."""
    folder = tmp_path / "spool"
    with logstash(always=answers) as receiver:
        log = make(folder, receiver)
        for k in range(20):
            log.prediction({"k": k})
        assert log.flush()
        wait_until(lambda: bool(receiver.requests))
        if answers == "ok":
            wait_until(lambda: [found.delivered for found in inspect(folder)] == [21])
        if seal:
            writer = log._engine._writer
            assert isinstance(writer._sink, SpoolSink)
            assert writer._sink._spool is not None
            with writer._draining:
                writer._sink._spool.seal()
            for k in range(5):
                log.prediction({"k": k})
            assert log.flush()
        # Moved away first, or a shipper may write to it meanwhile.
        folder.rename(tmp_path / "gone")
        shutil.rmtree(tmp_path / "gone")
        for k in range(50):
            log.prediction({"k": k})
        assert log.flush()
        assert b"".join(path.read_bytes() for path in segments(folder)).count(b'"predict"') >= 50
        receiver.always = "ok"
        receiver.released.set()
        assert log.close(timeout=60)
        assert ownership.owner(folder) == receiver.place()
    counts = log.status()
    assert (counts.accepted - counts.written, counts.dropped) == (lost, lost)
    fault_row(
        f"a spool is removed under its logger{', a finished segment with it' if seal else ''}; the server: {answers}",
        accepted=counts.accepted,
        delivered=len(set(receiver.ids())),
        dropped=counts.dropped,
        duplicates=copies(receiver),
    )


@pytest.mark.parametrize(("before", "behind", "bound"), [(0, 30, 4 * 2**20), (20, 30, 4 * 2**20), (0, 300, BOUND)])
def test_a_removed_spool_that_can_not_be_made_again(
    tmp_path: pathlib.Path,
    monkeypatch: pytest.MonkeyPatch,
    caplog: pytest.LogCaptureFixture,
    before: int,
    behind: int,
    bound: int,
) -> None:
    """Where closing can't write it again, what hadn't arrived of its open and finished segments is dropped, and said."""
    monkeypatch.setattr("mllog.delivery.writer.TEND_SECONDS", 0.0)
    folder = tmp_path / "spool"
    with logstash(always="ok" if before else 503) as receiver:
        log = make(folder, receiver, bound=bound)
        sink = log._engine._writer._sink
        assert isinstance(sink, SpoolSink)
        arrived = 0
        if before:
            for k in range(before):
                log.prediction({"k": k})
            assert log.flush()
            arrived = log.status().written
            # What it knows of when the folder goes.
            size = segments(folder)[0].stat().st_size
            wait_until(lambda: sink._position == (1, size))
            receiver.always = 503
        for k in range(behind):
            log.prediction({"k": k, "text": "x" * 300})
            assert log.flush()
        assert (len(segments(folder)) > 1) == (bound == BOUND)
        with log._engine._writer._draining:  # or it would be made again in between
            folder.rename(tmp_path / "gone")
            shutil.rmtree(tmp_path / "gone")
            folder.write_text("in the way")
        assert not log.close(timeout=2)
    counts = log.status()
    assert counts.accepted == counts.written + counts.dropped
    assert counts.written == len(set(receiver.ids())) == arrived
    told = [int(n) for n in re.findall(r"(\d+) events (?:were lost, their|in it)", caplog.text)]
    # Where finished segments are gone too, an event or two that were to say so are dropped with the rest.
    ours = counts.dropped - sum(told)
    assert sum(told) >= behind
    assert ours <= 2 * caplog.text.count("and no event could say so") <= 2 * (bound == BOUND)
    assert re.search(r"can't be written again: .*(directory|exists)", caplog.text)
    assert log.close(timeout=2)
    assert log.status() == counts


def test_a_folder_that_had_only_begun_is_let_go(tmp_path: pathlib.Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """A sibling that looked before a new logger had its lock took its folder; the logger's own thread must get it."""
    spools.spool(tmp_path / "elsewhere", "new", spools.lines("new", 5), closed=False)
    spool = tmp_path / "spool"
    shutil.copytree(tmp_path / "elsewhere", spool)  # nobody holds the lock here
    with logstash() as receiver:
        sibling = Shipper(spool, open_destination(receiver.place()), delete=True, own="old", limits=Limits(lines=1))
        monkeypatch.setattr(shipper, "TURN", 2)
        sibling.round()
        assert len(receiver.lines) == 2
        with (spool / "new" / WRITER_LOCK).open("ab") as held:
            fcntl.flock(held, fcntl.LOCK_EX)
            monkeypatch.setattr(shipper, "OTHERS_SECONDS", 3600.0)
            sibling.round()
            own = Shipper(spool, open_destination(receiver.place()), delete=True, own="new")
            own.round()
            assert len(set(receiver.ids())) == 5
            own.close()
        sibling.close()


def test_siblings_may_begin_at_the_same_moment(tmp_path: pathlib.Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """One that begins while another looks whose the spool is keeps nobody out; events that nobody ships do."""
    spools.spool(tmp_path, "other", spools.lines("other", 1))
    place = "logstash+http://127.0.0.1:9"
    with pytest.raises(PlaceError, match="nobody ships"):
        ownership.check(tmp_path, place)
    look = ownership.processes

    def meanwhile(spool: pathlib.Path) -> list[str]:
        ownership.note(spool, place, None)
        return look(spool)

    monkeypatch.setattr(ownership, "processes", meanwhile)
    ownership.check(tmp_path, place)
