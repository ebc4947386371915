"""No room: a full disk, a reader that stops, a place that can't be written to; memory stays bounded, drops are counted."""

from __future__ import annotations

import json
import subprocess
import sys
import textwrap
from typing import TYPE_CHECKING, Any

import orjson
import pytest
from support import processes
from support.mounts import own_mounts

if TYPE_CHECKING:
    import pathlib
    from collections.abc import Callable

REPORT = """
import json
def report(**more):
    status = log.status()
    counts = {name: getattr(status, name) for name in ("accepted", "written", "dropped", "rejected", "queued", "sink_errors")}
    print(json.dumps({**counts, **more}), file=sys.stderr, flush=True)
"""


def reported_drops(events: list[dict[str, Any]]) -> int:
    """What the events say of how many were dropped."""
    metrics = [event["ml"]["metric"] for event in events if "metric" in event["ml"]]
    return sum(int(metric["value"]) for metric in metrics if metric["name"] == "mllog.dropped")


def in_own_mounts(code: str, *arguments: object) -> list[str]:
    """A command that runs ``code`` where it may mount what nobody else sees, and what goes with it."""
    script = processes.PRELUDE + REPORT + textwrap.dedent(code)
    return [*own_mounts(), sys.executable, "-c", script, *map(str, arguments)]


def test_a_full_disk_that_is_emptied_again(tmp_path: pathlib.Path, fault_row: Callable[..., None]) -> None:
    """A disk of 2 MB runs full: calls go on, drops are counted; there is room again: the rest is written, and the count."""
    code = """
        import pathlib, subprocess
        subprocess.run(["mount", "-t", "tmpfs", "-o", "size=2m", "tmpfs", sys.argv[1]], check=True)
        ballast = pathlib.Path(sys.argv[1], "ballast")
        ballast.write_bytes(bytes(1_000_000))
        log = make(sink=sys.argv[1] + "/events", max_bytes=300_000, flush_interval=0.001)
        k = 0
        while not (log.status().dropped > 500 and log.status().sink_errors > 2):
            log.prediction({"k": k}); k += 1
        ballast.unlink()
        for k in range(k, k + 100): log.prediction({"k": k})
        log.flush()
        for k in range(k, k + 100): log.prediction({"k": k})
        closed = log.close()
        for path in pathlib.Path(sys.argv[1]).glob("events/*/*.ndjson"):
            sys.stdout.write(path.read_text(encoding="utf-8"))
        report(closed=closed, next=k)
        """
    command = in_own_mounts(code, tmp_path)
    done = subprocess.run(
        command, capture_output=True, text=True, timeout=processes.SECONDS, check=False, env=processes.environment()
    )
    assert done.returncode == 0, done.stderr
    warning, text = done.stderr.splitlines()
    assert "No space left on device" in warning
    counts = json.loads(text)
    lines = done.stdout.splitlines(keepends=True)
    assert all(line.endswith("\n") for line in lines)
    events = [orjson.loads(line) for line in lines]
    assert counts["closed"]
    assert counts["written"] == len(events)
    assert processes.predictions(events)[-1] == counts["next"]
    assert reported_drops(events) == counts["dropped"] > 500
    fault_row(
        "disk full (a file system of 2 MB), emptied again",
        accepted=counts["accepted"],
        delivered=len(events),
        dropped=counts["dropped"],
        duplicates=processes.duplicates(events),
    )


def test_files_that_may_not_grow(tmp_path: pathlib.Path, fault_row: Callable[..., None]) -> None:
    """Files may not grow beyond a limit: calls go on, losses are counted, and what is on disk is whole."""
    process = processes.start(
        tmp_path,
        REPORT
        + textwrap.dedent(
            """
            import resource
            resource.setrlimit(resource.RLIMIT_FSIZE, (20_000, 20_000))
            log = make(max_bytes=100_000)
            for k in range(1000): log.prediction({'k': k})
            log.close()
            report()
            """
        ),
    )
    _, err = process.communicate(timeout=processes.SECONDS)
    assert process.returncode == 0
    assert err.count("events can't be written") == 1
    counts = json.loads(err.splitlines()[-1])
    events = processes.read(tmp_path)
    assert counts["sink_errors"] > 0
    assert reported_drops(events) == counts["dropped"] > 0
    assert counts["written"] == len(events)
    fault_row(
        "files may not grow (`RLIMIT_FSIZE`), to the end",
        accepted=counts["accepted"],
        delivered=len(events),
        dropped=counts["dropped"],
        duplicates=processes.duplicates(events),
    )


@pytest.mark.parametrize("overflow", ["drop_new", "drop_old"])
def test_a_reader_that_stops(overflow: str, tmp_path: pathlib.Path, fault_row: Callable[..., None]) -> None:
    """Standard output is a pipe that nobody reads: the queue keeps its bound, the caller goes on, drops are counted.

    When it is read again everything that was kept comes, and the number of drops with it.
    """
    process = processes.start(
        tmp_path,
        REPORT
        + textwrap.dedent(
            """
            import resource
            log = make(sink="stdout:", max_bytes=1_000_000, overflow=sys.argv[2])
            log.prediction({"k": 0}); log.flush()
            before, most = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss, 0
            for k in range(1, 100_000):
                log.prediction({"k": k, "text": "x" * 300 + str(k)})
                most = max(most, log.status().queue_bytes)
            grown = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss - before
            print("now", file=sys.stderr, flush=True)
            log.close(timeout=60)
            report(most=most, grown=grown)
            """
        ),
        overflow,
    )
    assert process.stdout is not None
    assert process.stderr is not None
    assert process.stderr.readline() == "now\n"
    out, err = process.communicate(timeout=processes.SECONDS)
    assert process.returncode == 0
    counts = json.loads(err)
    events = [orjson.loads(line) for line in out.splitlines()]
    assert counts["most"] <= 1_000_000
    # 100,000 records of 1 kB would be 100 MB; ru_maxrss counts kB.
    assert counts["grown"] < 30_000
    assert counts["written"] == len(events)
    assert reported_drops(events) == counts["dropped"] > 50_000
    assert (processes.predictions(events)[-1] == 99_999) == (overflow == "drop_old")
    fault_row(
        f"a reader that stops, `overflow={overflow}`",
        accepted=counts["accepted"],
        delivered=len(events),
        dropped=counts["dropped"],
        duplicates=processes.duplicates(events),
    )


def test_block_waits_for_a_slow_reader(tmp_path: pathlib.Path, fault_row: Callable[..., None]) -> None:
    """overflow="block" under a writer that can't keep up: the caller waits, nothing is dropped, the bound holds."""
    process = processes.start(
        tmp_path,
        REPORT
        + textwrap.dedent(
            """
            log = make(sink="stdout:", max_bytes=100_000, overflow="block")
            most = 0
            for k in range(20_000):
                log.prediction({"k": k})
                most = max(most, log.status().queue_bytes)
            log.close(timeout=60)
            report(most=most)
            """
        ),
    )
    out, err = process.communicate(timeout=processes.SECONDS)
    counts = json.loads(err)
    events = [orjson.loads(line) for line in out.splitlines()]
    assert counts["most"] <= 100_000
    assert counts["dropped"] == 0
    assert processes.predictions(events) == list(range(20_000))
    fault_row(
        "a caller faster than the writer, `overflow=block`",
        accepted=counts["accepted"],
        delivered=len(events),
        duplicates=processes.duplicates(events),
    )


@pytest.mark.parametrize("overflow", ["drop_new", "drop_old", "block"])
def test_a_place_that_can_not_be_written(
    overflow: str, tmp_path: pathlib.Path, fault_row: Callable[..., None]
) -> None:
    """A file stands where the folder should be: nothing is raised, every event is counted as dropped at the end."""
    (tmp_path / "events").write_text("a file")
    process = processes.start(
        tmp_path / "events",
        REPORT
        + textwrap.dedent(
            """
            from mllog.delivery import queue
            queue.BLOCK_SECONDS = 0.05
            log = make(max_bytes=20_000, overflow=sys.argv[2], flush_interval=0.001)
            for k in range(100): assert log.prediction({"k": k})
            closed = log.close()
            report(closed=closed)
            """
        ),
        overflow,
    )
    _, err = process.communicate(timeout=processes.SECONDS)
    assert process.returncode == 0, err
    counts = json.loads(err.splitlines()[-1])
    assert not counts["closed"]
    assert counts["dropped"] == counts["accepted"] >= 101
    assert counts["written"] == counts["queued"] == 0
    fault_row(
        f"a place that can't be written, `overflow={overflow}`",
        accepted=counts["accepted"],
        dropped=counts["dropped"],
    )
