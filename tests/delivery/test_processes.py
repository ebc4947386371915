"""Real processes that fork, end and are killed: nothing lost, nothing doubled."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
import textwrap
import time
from typing import TYPE_CHECKING, Any

import orjson
import pytest

if TYPE_CHECKING:
    from pathlib import Path

pytestmark = pytest.mark.skipif(not hasattr(os, "fork"), reason="needs a POSIX system")

PRELUDE = """
import os, signal, sys, time
import mllog
from mllog.environment import Manifest
def make(**options):
    options.setdefault("environment", Manifest())
    return mllog.ModelLogger("model", version="1", sink=sys.argv[1], **options)
"""


def start(folder: Path, code: str) -> subprocess.Popen[str]:
    return subprocess.Popen(
        [sys.executable, "-c", PRELUDE + textwrap.dedent(code), str(folder)],
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
        env={**os.environ, "PYTHONPATH": os.pathsep.join(sys.path)},
    )


def run(folder: Path, code: str, *, returncode: int = 0) -> str:
    process = start(folder, code)
    out, err = process.communicate(timeout=60)
    assert (process.returncode, err) == (returncode, "")
    return out


def read(folder: Path) -> list[dict[str, Any]]:
    lines = [line for path in folder.glob("*/*.ndjson") for line in path.read_bytes().splitlines()]
    return [orjson.loads(line) for line in lines]


def numbers(folder: Path) -> list[int]:
    """The caller's own numbers, of predictions."""
    return sorted(
        int(event["ml"]["inputs"]["number"]["k"]) for event in read(folder) if "inputs" in event["ml"]
    )


def test_the_end_of_a_process_flushes(tmp_path: Path) -> None:
    """Nobody has to call close()."""
    run(tmp_path, "log = make(flush_interval=60)\nfor k in range(100): log.prediction({'k': k})")
    assert numbers(tmp_path) == list(range(100))
    assert list(tmp_path.glob("*/*.sha256"))


def test_an_exception_at_the_end_flushes(tmp_path: Path) -> None:
    """A process that dies of an exception leaves its events behind."""
    process = start(tmp_path, "log = make(flush_interval=60)\nlog.prediction({'k': 1})\nraise SystemExit(3)")
    process.communicate(timeout=60)
    assert process.returncode == 3
    assert numbers(tmp_path) == [1]


@pytest.mark.parametrize("durable", ["each", "interval"])
def test_sigterm_flushes_and_kills(tmp_path: Path, durable: str) -> None:
    """SIGTERM writes what is queued, and the process still dies of it."""
    process = start(
        tmp_path,
        f"""
        log = make(flush_interval=60, durable={durable!r})
        for k in range(100): log.prediction({{'k': k}})
        print("ready", flush=True)
        while True:
            log.prediction({{'k': 100}}) if {durable!r} == "each" else time.sleep(0.01)
        """,
    )
    assert process.stdout is not None
    assert process.stdout.readline() == "ready\n"
    process.terminate()
    _, err = process.communicate(timeout=30)
    assert (process.returncode, err) == (-signal.SIGTERM, "")
    assert set(numbers(tmp_path)) >= set(range(100))
    ids = [event["event"]["id"] for event in read(tmp_path)]
    assert len(ids) == len(set(ids))


def test_sigterm_is_chained(tmp_path: Path) -> None:
    """The service's own handler runs after ours, and decides what happens."""
    out = run(
        tmp_path,
        """
        signal.signal(signal.SIGTERM, lambda *_: print("own handler"))
        log = make(flush_interval=60)
        log.prediction({"k": 1})
        os.kill(os.getpid(), signal.SIGTERM)
        print(log.status().written)
        log.prediction({"k": 2})
        log.close()
        print(signal.getsignal(signal.SIGTERM).__name__)
        """,
    )
    assert out.split("\n") == ["own handler", "2", "<lambda>", ""]
    assert numbers(tmp_path) == [1, 2]


def test_sigterm_that_is_ignored_stays_so(tmp_path: Path) -> None:
    """What the service ignores on purpose is none of our business."""
    run(
        tmp_path, "signal.signal(signal.SIGTERM, signal.SIG_IGN)\nmake()\nsignal.raise_signal(signal.SIGTERM)"
    )


def test_a_logger_made_in_a_thread(tmp_path: Path) -> None:
    """Only the main thread may set handlers; elsewhere the logger does without."""
    run(
        tmp_path,
        """
        import threading
        def work():
            make().prediction({"k": 1})
        thread = threading.Thread(target=work); thread.start(); thread.join()
        """,
    )
    assert numbers(tmp_path) == [1]


def test_kill_9_loses_at_most_the_flush_interval(tmp_path: Path) -> None:
    """What was accepted a flush interval before kill -9 is on disk, in whole lines."""
    process = start(
        tmp_path,
        """
        log = make()
        for k in range(500): log.prediction({"k": k})
        print("ready", flush=True)
        while True: time.sleep(1)
        """,
    )
    assert process.stdout is not None
    assert process.stdout.readline() == "ready\n"
    time.sleep(0.5)
    process.kill()
    process.communicate(timeout=30)
    assert numbers(tmp_path) == list(range(500))


def test_kill_9_under_load_leaves_whole_lines(tmp_path: Path) -> None:
    """Killed in the middle of everything, every line on disk is an event and none is there twice."""
    process = start(
        tmp_path,
        """
        import itertools
        log = make(overflow="block")
        for k in itertools.count(): log.prediction({"k": k})
        """,
    )
    deadline = time.monotonic() + 20
    while time.monotonic() < deadline:
        if sum(path.stat().st_size for path in tmp_path.glob("*/*.ndjson")) >= 2**20:
            break
        time.sleep(0.01)
    process.kill()
    process.communicate(timeout=30)
    assert numbers(tmp_path) == list(range(len(numbers(tmp_path))))


def test_durable_each_survives_kill_9(tmp_path: Path) -> None:
    """With durable="each" nothing that returned is lost."""
    run(
        tmp_path,
        """
        log = make(durable="each", flush_interval=60)
        for k in range(50): log.prediction({"k": k})
        os.kill(os.getpid(), signal.SIGKILL)
        """,
        returncode=-signal.SIGKILL,
    )
    assert numbers(tmp_path) == list(range(50))


def test_forks_lose_and_double_nothing(tmp_path: Path) -> None:
    """Parent and children each have a sequence without gaps; what was queued is written once."""
    run(
        tmp_path,
        """
        import warnings
        warnings.simplefilter("ignore", DeprecationWarning)
        log = make(flush_interval=60)
        for k in range(10): log.prediction({"k": k})
        children = []
        for child in range(3):
            pid = os.fork()
            if not pid:
                for k in range(10): log.prediction({"k": 100 * (child + 1) + k})
                sys.exit()
            children.append(pid)
        for k in range(10, 20): log.prediction({"k": k})
        for pid in children: assert os.waitpid(pid, 0)[1] == 0
        """,
    )
    expected = [*range(20), *(100 * child + k for child in (1, 2, 3) for k in range(10))]
    assert numbers(tmp_path) == expected
    sequences: dict[str, list[int]] = {}
    for event in read(tmp_path):
        sequences.setdefault(event["ml"]["sequence"]["process"], []).append(event["ml"]["sequence"]["number"])
    assert len(sequences) == 4
    for found in sequences.values():
        assert sorted(found) == list(range(1, len(found) + 1))
    assert len({event["event"]["id"] for event in read(tmp_path)}) == 30 + 20 + 4
    assert len({event["process"]["pid"] for event in read(tmp_path)}) == 4


def test_a_fork_while_threads_are_logging(tmp_path: Path) -> None:
    """A fork in the middle of other threads' calls leaves no lock behind that nobody holds."""
    run(
        tmp_path,
        """
        import threading, warnings
        warnings.simplefilter("ignore", DeprecationWarning)
        log = make(flush_interval=0.001, overflow="block")
        stop = threading.Event()
        def work():
            while not stop.is_set():
                log.prediction({"k": 1})
                log.flush(timeout=0.001)
        threads = [threading.Thread(target=work) for _ in range(4)]
        for thread in threads: thread.start()
        for _ in range(20):
            pid = os.fork()
            if not pid:
                signal.alarm(20)
                log.prediction({"k": 2})
                log.close()
                os._exit(0)
            assert os.waitpid(pid, 0)[1] == 0
        stop.set()
        """,
    )
    assert numbers(tmp_path).count(2) == 20


@pytest.mark.parametrize("method", ["fork", "spawn"])
def test_multiprocessing_children_flush(tmp_path: Path, method: str) -> None:
    """Children of multiprocessing end without atexit; their events are written all the same."""
    script = tmp_path / "script.py"
    script.write_text(
        PRELUDE
        + textwrap.dedent(
            f"""
            import multiprocessing, warnings
            warnings.simplefilter("ignore", DeprecationWarning)
            log = None
            def work(k):
                global log
                log = log or make(flush_interval=60)
                log.prediction({{"k": k}})
            if __name__ == "__main__":
                if {method!r} == "fork":
                    log = make(flush_interval=60)
                context = multiprocessing.get_context({method!r})
                children = [context.Process(target=work, args=(k,)) for k in range(3)]
                for child in children: child.start()
                for child in children: child.join()
                assert all(child.exitcode == 0 for child in children)
            """
        )
    )
    done = subprocess.run(
        [sys.executable, str(script), str(tmp_path / "events")],
        capture_output=True,
        text=True,
        timeout=60,
        check=False,
        env={**os.environ, "PYTHONPATH": os.pathsep.join(sys.path)},
    )
    assert (done.returncode, done.stderr) == (0, "")
    assert numbers(tmp_path / "events") == [0, 1, 2]


def test_a_full_disk_never_reaches_the_model(tmp_path: Path) -> None:
    """Files may not grow beyond a limit: calls go on, losses are counted, and what is on disk is whole."""
    process = start(
        tmp_path,
        """
        import resource
        resource.setrlimit(resource.RLIMIT_FSIZE, (20_000, 20_000))
        log = make(max_bytes=100_000)
        for k in range(1000): log.prediction({"k": k})
        log.close()
        status = log.status()
        print(status.accepted == status.written + status.dropped, status.dropped > 0, status.sink_errors > 0)
        """,
    )
    out, err = process.communicate(timeout=60)
    assert process.returncode == 0
    assert out == "True True True\n"
    assert err.count("events can't be written") == 1
    read(tmp_path)


def test_an_empty_process_leaves_one_event(tmp_path: Path) -> None:
    """A service that starts and stops says which manifest it had."""
    run(tmp_path, "make()")
    assert [event["event"]["action"] for event in read(tmp_path)] == ["deploy"]
