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
        wait_for(lambda: len(receiver.lines) == 20 and not list(tmp_path.glob("a/*.ndjson")))
        receiver.script.extend([503, 503])
        spools.spool(tmp_path, "b", spools.lines("b", 5000))
        segments = 1 + len(list(tmp_path.glob("b/*.ndjson")))
        process.terminate()
        out, err = process.communicate(timeout=90)
        assert process.returncode == 0, err
        assert len(set(receiver.lines)) == 5020
    document = json.loads(out)
    assert (document["delivered"], document["pending"]["lines"], document["deleted"]) == (5020, 0, segments)
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
    process = start(tmp_path, "nowhere+http://host")
    _, err = process.communicate(timeout=60)
    assert (process.returncode, "isn't known" in err) == (2, True)
    process = start(tmp_path, "stdout:", "--follow")
    process.communicate(timeout=60)
    assert process.returncode == 2


@pytest.mark.parametrize("apart", [0.0, 0.7])
def test_two_signals_are_an_end_without_a_drain(tmp_path: pathlib.Path, start: Start, apart: float) -> None:
    """Also where the second comes while the request in hand still has its time, from a place that doesn't answer."""
    spools.spool(tmp_path, "a", spools.lines("a", 5))
    with logstash(always="hang") as receiver:
        process = start(tmp_path, receiver.place(), "--give-up", "600")
        wait_for(lambda: receiver.requests)
        process.send_signal(signal.SIGTERM)
        time.sleep(apart)
        process.send_signal(signal.SIGINT)
        before = time.monotonic()
        out, _ = process.communicate(timeout=60)
        assert time.monotonic() - before < 3
        assert (process.returncode, len(receiver.requests)) == (3, 1)
    assert "5 events still wait" in out


def test_a_signal_during_the_drain_ends_it(tmp_path: pathlib.Path, start: Start) -> None:
    """At once, whatever the place does with the request."""
    spools.spool(tmp_path, "a", spools.lines("a", 5))
    with logstash(always=503) as receiver:
        process = start(tmp_path, receiver.place(), "--give-up", "600")
        wait_for(lambda: receiver.requests)
        receiver.always = "hang"
        asked = len(receiver.requests)
        process.terminate()
        wait_for(lambda: len(receiver.requests) > asked)
        process.terminate()
        before = time.monotonic()
        process.communicate(timeout=60)
        assert time.monotonic() - before < 3
        assert process.returncode == 3


def test_a_forgotten_place_gets_nothing_more(tmp_path: pathlib.Path, start: Start) -> None:
    """It isn't put on the list again by what is shipped at the end."""
    spools.spool(tmp_path, "a", spools.lines("a", 5))
    with logstash() as receiver:
        process = start(tmp_path, receiver.place())
        wait_for(lambda: len(receiver.lines) == 5)
        (entry,) = (tmp_path / "_destinations").glob("*.json")
        process.send_signal(signal.SIGSTOP)
        entry.unlink()
        process.terminate()
        process.send_signal(signal.SIGCONT)
        _, err = process.communicate(timeout=60)
        assert (process.returncode, len(receiver.lines)) == (3, 5)
    assert "forgotten" in err
    assert not entry.exists()


def test_what_forbids_the_drain_is_said_beside_what_was_delivered(tmp_path: pathlib.Path, start: Start) -> None:
    """Nothing else has what would be deleted by then: events stay, with a summary."""
    spools.spool(tmp_path / "spool", "a", spools.lines("a", 5))
    with logstash() as receiver, logstash() as other:
        command = [sys.executable, "-m", "mllog.cli", "ship", str(tmp_path / "spool"), "--to", other.place()]
        subprocess.run(command, check=True, env=processes.environment(), capture_output=True, timeout=60)
        (entry,) = (tmp_path / "spool" / "_destinations").glob("*.json")
        process = start(tmp_path / "spool", receiver.place(), "--copy", "--delete", "--json")
        wait_for(lambda: len(receiver.lines) == 5)
        # What is counted of a folder as it goes is noted in that file, by whoever clears it away.
        wait_for(lambda: entry.unlink(missing_ok=True) or time.sleep(1.5) or not entry.exists())
        process.terminate()
        out, _ = process.communicate(timeout=60)
    assert process.returncode == 3
    document = json.loads(out)
    assert document["delivered"] == 5
    assert "no copy" in document["problem"]


def test_an_outage_and_a_warning_are_told_once(tmp_path: pathlib.Path, start: Start) -> None:
    """What began before the signal is over after it; what was damaged is said by the first that saw it."""
    spools.spool(tmp_path, "a", spools.lines("a", 5))
    (tmp_path / "_destinations").mkdir()
    (tmp_path / "_destinations" / "x.json").write_text("{")
    with logstash(always=503) as receiver:
        process = start(tmp_path, receiver.place())
        wait_for(lambda: len(receiver.requests) > 1)
        receiver.always = "ok"
        process.terminate()
        out, err = process.communicate(timeout=60)
    assert "delivered 5 events" in out
    assert (err.count("trying again"), err.count("delivered again"), err.count("is damaged")) == (1, 1, 1)
