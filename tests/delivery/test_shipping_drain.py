"""``mllog ship --drain``: a spool that goes away with its host is empty by then, and nobody waits for ever."""

from __future__ import annotations

import json
import pathlib
import signal
import subprocess
import sys
import time
from collections.abc import Callable, Iterator

import pytest
from support import processes, spools
from support.receivers import logstash

Start = Callable[..., subprocess.Popen[str]]


@pytest.fixture
def start() -> Iterator[Start]:
    """Start it on a spool, to a place; whatever still runs at the end is killed."""
    running: list[subprocess.Popen[str]] = []

    def started(spool: pathlib.Path, place: str, *options: str) -> subprocess.Popen[str]:
        running.append(
            subprocess.Popen(
                [sys.executable, "-m", "mllog.cli", "ship", str(spool), "--to", place, "--drain", *options],
                stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True, env=processes.environment(),
            )
        )  # fmt: skip
        return running[-1]

    yield started
    for process in running:
        if process.poll() is None:
            process.kill()
            process.communicate()


def wait_for(what: Callable[[], object]) -> None:
    deadline = time.monotonic() + 60
    while not what():
        assert time.monotonic() < deadline
        time.sleep(0.01)


def catches(process: subprocess.Popen[str]) -> bool:
    """Whether it has a handler for SIGTERM by now."""
    status = pathlib.Path(f"/proc/{process.pid}/status").read_text()
    (caught,) = (line.split()[1] for line in status.splitlines() if line.startswith("SigCgt:"))
    return bool(int(caught, 16) >> (signal.SIGTERM - 1) & 1)


def test_what_was_written_last_is_shipped(tmp_path: pathlib.Path, start: Start) -> None:
    """All that a model wrote up to its own end arrives, through two failures, and one summary counts all of it."""
    with logstash() as receiver:
        process = start(tmp_path, receiver.place(), "--delete", "--json")
        spools.spool(tmp_path, "a", spools.lines("a", 20))
        wait_for(lambda: len(receiver.lines) == 20)
        receiver.script.extend([503, 503])
        spools.spool(tmp_path, "b", spools.lines("b", 5000))
        process.terminate()
        out, err = process.communicate(timeout=90)
        assert process.returncode == 0, err
        assert len(set(receiver.lines)) == 5020
    document = json.loads(out)
    assert (document["delivered"], document["pending"]["lines"], document["deleted"] >= 2) == (5020, 0, True)
    assert list(tmp_path.glob("*/*.ndjson")) == []


def test_a_place_that_is_gone_holds_nobody_up(tmp_path: pathlib.Path, start: Start) -> None:
    """After so long without success it ends with 3, and the events are still there."""
    spools.spool(tmp_path, "a", spools.lines("a", 5))
    with logstash(always=503) as receiver:
        process = start(tmp_path, receiver.place(), "--give-up", "4")
        wait_for(lambda: receiver.requests)
        asked = len(receiver.requests)
        before = time.monotonic()
        process.terminate()
        out, _ = process.communicate(timeout=90)
        assert process.returncode == 3
        assert 4 <= time.monotonic() - before < 30
        assert len(receiver.requests) > asked
    assert "5 events still wait" in out
    assert list(tmp_path.glob("a/*.ndjson"))


def test_a_second_signal_ends_it_at_once(tmp_path: pathlib.Path, start: Start) -> None:
    """Whoever can't wait for what is left needn't, and what was delivered before is counted."""
    spools.spool(tmp_path, "a", spools.lines("a", 5))
    with logstash() as receiver:
        process = start(tmp_path, receiver.place(), "--give-up", "600")
        wait_for(lambda: len(receiver.lines) == 5)
        receiver.always = 503
        spools.spool(tmp_path, "b", spools.lines("b", 3))
        wait_for(lambda: len(receiver.requests) > 1)
        process.terminate()
        asked = len(receiver.requests)
        wait_for(lambda: len(receiver.requests) > asked)
        process.terminate()
        out, _ = process.communicate(timeout=30)
    assert process.returncode == 3
    assert "delivered 5 events" in out
    assert "3 events still wait" in out


@pytest.mark.parametrize("there", [True, False])
def test_an_end_at_once_is_an_end(tmp_path: pathlib.Path, start: Start, there: bool) -> None:
    """Told to end as soon as it can be told anything, it ships what is there; no spool at all is fine."""
    if there:
        spools.spool(tmp_path / "spool", "a", spools.lines("a", 5))
    with logstash() as receiver:
        process = start(tmp_path / "spool", receiver.place())
        wait_for(lambda: catches(process))
        process.terminate()
        _, err = process.communicate(timeout=60)
        assert (process.returncode, len(set(receiver.lines))) == (0, 5 if there else 0), err


def test_what_went_wrong_before_the_end_is_its_code(tmp_path: pathlib.Path, start: Start) -> None:
    """Something was refused while it followed: that there is nothing left to ship doesn't make that good."""
    spools.spool(tmp_path, "a", [*spools.lines("a", 2, message="x" * 50), *spools.lines("b", 2)])
    with logstash(limit=10) as receiver:
        process = start(tmp_path, receiver.place(), "--json")
        wait_for(lambda: sum(len(path.read_bytes().splitlines()) for path in tmp_path.glob("_dead/*/*.ndjson")) == 4)
        process.terminate()
        out, _ = process.communicate(timeout=60)
    assert (process.returncode, json.loads(out)["dead"]) == (1, 4)


def test_wrong_usage_is_said_at_once(tmp_path: pathlib.Path, start: Start) -> None:
    """As without it."""
    _, err = start(tmp_path, "nowhere+http://host").communicate(timeout=60)
    assert "isn't known" in err
    process = start(tmp_path, "stdout:", "--follow")
    process.communicate(timeout=60)
    assert process.returncode == 2
