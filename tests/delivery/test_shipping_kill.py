"""kill -9 of `mllog ship` at random moments: nothing lost, each id one line, counts exact, and it goes on."""

from __future__ import annotations

import json
import random
import signal
import subprocess
import sys
import time
from typing import TYPE_CHECKING, Any

import pytest
from support import processes, spools
from support.receivers import logstash

from mllog.shipping import inspect

if TYPE_CHECKING:
    import pathlib
    from collections.abc import Callable, Iterator

REPETITIONS = 20


def start(folder: pathlib.Path, place: str, *options: str) -> subprocess.Popen[str]:
    command = [sys.executable, "-m", "mllog.cli", "ship", str(folder), "--to", place, "--json", *options]
    return subprocess.Popen(
        command, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True, env=processes.environment()
    )


def finish(folder: pathlib.Path, place: str, *options: str) -> dict[str, Any]:
    process = start(folder, place, *options)
    out, err = process.communicate(timeout=120)
    assert err == ""
    result: dict[str, Any] = json.loads(out)
    assert process.returncode == (1 if result["dead"] or result["corrupt"] else 0)
    return result


def later(condition: Callable[[], bool], seconds: float) -> Callable[[], bool]:
    """Whether ``condition`` came true so many seconds ago; in any case after 20."""
    since: list[float] = []
    end = time.monotonic() + 20

    def moment() -> bool:
        now = time.monotonic()
        if not since and condition():
            since.append(now)
        return now >= end or bool(since and now >= since[0] + seconds)

    return moment


def killed(folder: pathlib.Path, place: str, moments: Iterator[Callable[[], bool]], *options: str) -> int:
    """Start and kill; how often it was killed in the middle, and not after its end."""
    count = 0
    for moment in moments:
        process = start(folder, place, *options)
        while process.poll() is None and not moment():
            time.sleep(0.0005)
        process.kill()
        process.communicate(timeout=30)
        count += process.returncode == -signal.SIGKILL
    return count


@pytest.mark.slow
@pytest.mark.parametrize("delete", [False, True])
def test_killed_while_it_ships_over_http(
    tmp_path: pathlib.Path, fault_row: Callable[..., None], *, delete: bool
) -> None:
    """Every event arrives, a copy is the same bytes, what is refused is a dead letter once."""
    generator = random.Random(4)
    folder = tmp_path / "spool"
    events, refused = [], []
    for name in ("a", "b", "c"):
        lines = spools.lines(name, 600)
        for k in range(0, 600, 97):
            lines[k] = spools.line(f"{name}-huge-{k}", message="x" * 9000)
            refused.append(lines[k])
        events += lines
        # The last writer was killed too, in the middle of a line.
        writer = spools.spool(folder, name, lines, segment_bytes=12_000, closed=name != "c")
    (last,) = sorted((folder / "c").glob("*.ndjson"))[-1:]
    with last.open("ab") as file:
        file.write(b'{"event":{"id":"c-ha')
    writer.leave()
    options = ["--delete"] if delete else []
    with logstash(limit=8000) as receiver:

        def moments() -> Iterator[Callable[[], bool]]:
            for _ in range(REPETITIONS):
                # After some requests of this run, and a little later, in the middle of whatever comes then.
                requests = len(receiver.requests) + generator.randrange(1, 12)
                yield later(lambda requests=requests: len(receiver.requests) >= requests, generator.random() * 0.003)

        kills = killed(folder, receiver.place(), moments(), *options)
        last_run = finish(folder, receiver.place(), *options)
        copies = receiver.copies()
    assert kills >= REPETITIONS * 0.8
    assert all(len(lines) == 1 for lines in copies.values())
    wanted = sorted(event for event in events if event not in refused)
    assert sorted(next(iter(lines)) + b"\n" for lines in copies.values()) == wanted
    letters = [
        json.loads(raw) for path in (folder / "_dead").glob("*/*.ndjson") for raw in path.read_bytes().splitlines()
    ]
    assert sorted(letter["original"].encode() for letter in letters) == sorted(refused)
    (status,) = inspect(folder)
    assert (status.delivered, status.dead, status.corrupt, status.pending_lines) == (len(wanted), len(refused), 1, 0)
    assert last_run["pending"] == {"lines": 0, "bytes": 0}
    if delete:
        assert not list(folder.glob("[!_]*"))
    fault_row(
        f"kill -9 of mllog ship{' --delete' if delete else ''} over HTTP",
        repetitions=kills,
        accepted=len(events),
        delivered=len(copies),
        dropped=len(letters),
        duplicates=sum(len(lines) - 1 for lines in copies.values()),
    )


@pytest.mark.slow
def test_killed_while_it_ships_to_a_folder(tmp_path: pathlib.Path, fault_row: Callable[..., None]) -> None:
    """The second folder has every line once: not even the files hold a copy."""
    generator = random.Random(5)
    folder, to = tmp_path / "spool", tmp_path / "to"
    events = []
    for name in ("a", "b"):
        lines = spools.lines(name, 4000, message="x" * 400)
        events += lines
        spools.spool(folder, name, lines, segment_bytes=40_000)

    def size() -> int:
        return sum(path.stat().st_size for path in to.glob("*/*.ndjson"))

    total = sum(map(len, events))

    def moments() -> Iterator[Callable[[], bool]]:
        for k in range(REPETITIONS):
            # Somewhere in each twentieth of the way.
            wanted = total * (k + generator.random()) / REPETITIONS
            yield later(lambda wanted=wanted: size() >= wanted, 0.0)

    kills = killed(folder, f"file:{to}", moments())
    assert kills >= REPETITIONS * 0.6
    finish(folder, f"file:{to}")
    assert spools.read(to) == events
    (status,) = inspect(folder)
    assert (status.delivered, status.pending_lines) == (len(events), 0)
    fault_row(
        "kill -9 of mllog ship to a folder", repetitions=kills, accepted=len(events), delivered=len(spools.read(to))
    )


def test_sigterm_ends_after_the_batch_in_hand(tmp_path: pathlib.Path) -> None:
    """A follower that is asked to stop ends with what it did, and the next goes on from there."""
    events = spools.lines("a", 2000)
    spools.spool(tmp_path / "spool", "a", events, segment_bytes=10_000)
    with logstash() as receiver:
        process = start(tmp_path / "spool", receiver.place(), "--follow")
        while len(receiver.requests) < 5:
            time.sleep(0.001)
        process.terminate()
        out, err = process.communicate(timeout=60)
        assert (process.returncode, err) == (0, "")
        first = json.loads(out)
        assert 0 < first["delivered"] < 2000
        assert first["delivered"] == len(receiver.lines)
        second = finish(tmp_path / "spool", receiver.place())
        assert first["delivered"] + second["delivered"] == 2000 == len(receiver.lines)


def test_two_at_once_share_the_work(tmp_path: pathlib.Path) -> None:
    """A sidecar beside a sidecar sends nothing twice."""
    for name in "abcdefgh":
        spools.spool(tmp_path / "spool", name, spools.lines(name, 300), segment_bytes=3000)
    with logstash() as receiver:
        both = [start(tmp_path / "spool", receiver.place(), "--delete") for _ in range(2)]
        results = []
        for process in both:
            out, err = process.communicate(timeout=120)
            assert process.returncode == 0, err + out
            results.append(json.loads(out))
        assert len(receiver.lines) == 2400 == len(set(receiver.ids()))
        assert sum(result["delivered"] for result in results) == 2400
    (status,) = inspect(tmp_path / "spool")
    assert (status.delivered, status.pending_lines) == (2400, 0)
