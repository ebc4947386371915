"""Real processes that log: started, ended, killed; and what they left on disk."""

from __future__ import annotations

import os
import pathlib
import subprocess
import sys
import textwrap
from collections import Counter
from typing import TYPE_CHECKING, Any

import orjson

if TYPE_CHECKING:
    from collections.abc import Iterable

PRELUDE = """
import os, signal, sys, time
import mllog
from mllog.environment import Manifest
def make(**options):
    options.setdefault("environment", Manifest())
    options.setdefault("sink", sys.argv[1])
    return mllog.ModelLogger("model", version="1", **options)
"""
"""Every script begins so: ``make()`` gives a logger that writes to the folder named on the command line."""

SECONDS = 120
"""After so long a process that hangs is given up."""


def environment() -> dict[str, str]:
    """The environment of a child that finds what this process finds, without settings from outside."""
    kept = {name: value for name, value in os.environ.items() if not name.startswith("MLLOG_")}
    return {**kept, "PYTHONPATH": os.pathsep.join(path for path in sys.path if path)}


def start(folder: pathlib.Path, code: str, *arguments: object) -> subprocess.Popen[str]:
    """A process that runs ``code`` behind :data:`PRELUDE`; its events go to ``folder``."""
    return subprocess.Popen(
        [sys.executable, "-c", PRELUDE + textwrap.dedent(code), str(folder), *map(str, arguments)],
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
        env=environment(),
    )


def run(folder: pathlib.Path, code: str, *arguments: object, returncode: int = 0) -> str:
    """What such a process printed; it must end with ``returncode`` and complain of nothing."""
    process = start(folder, code, *arguments)
    try:
        out, err = process.communicate(timeout=SECONDS)
    finally:
        process.kill()
    assert (process.returncode, err) == (returncode, "")
    return out


def run_file(script: pathlib.Path, code: str, *arguments: object) -> str:
    """The same as a file of its own, which multiprocessing's children can import."""
    script.write_text(PRELUDE + textwrap.dedent(code), encoding="utf-8")
    done = subprocess.run(
        [sys.executable, str(script), *map(str, arguments)],
        capture_output=True,
        text=True,
        timeout=SECONDS,
        check=False,
        env=environment(),
    )
    assert (done.returncode, done.stderr) == (0, "")
    return done.stdout


def read(folder: pathlib.Path, *, killed: bool = False) -> list[dict[str, Any]]:
    """The events in a folder of segments; every line has to be whole.

    A kernel may cut the write of a process that is ``killed``: then a segment ends in the middle of a line, which is no
    event (readers go up to the last line feed).
    """
    events = []
    for path in folder.glob("*/*.ndjson"):
        whole, _, rest = path.read_bytes().rpartition(b"\n")
        assert killed or not rest, rest
        events += [orjson.loads(line) for line in whole.splitlines()]
    return events


def predictions(events: Iterable[dict[str, Any]]) -> list[int]:
    """The caller's own number ``k`` of each prediction, in order."""
    return sorted(int(event["ml"]["inputs"]["number"]["k"]) for event in events if "inputs" in event["ml"])


def numbers(folder: pathlib.Path) -> list[int]:
    """The caller's own numbers of the predictions in a folder."""
    return predictions(read(folder))


def duplicates(events: Iterable[dict[str, Any]]) -> int:
    """How many events are there once more than they should be."""
    return sum(Counter(event["event"]["id"] for event in events).values()) - len({e["event"]["id"] for e in events})


def sequences(events: Iterable[dict[str, Any]]) -> dict[str, list[int]]:
    """The numbers that each process gave, sorted."""
    found: dict[str, list[int]] = {}
    for event in events:
        sequence = event["ml"]["sequence"]
        found.setdefault(sequence["process"], []).append(sequence["number"])
    return {process: sorted(given) for process, given in found.items()}


def holes(events: Iterable[dict[str, Any]]) -> int:
    """Numbers that are missing up to the last one of each process."""
    return sum(given[-1] - len(set(given)) for given in sequences(events).values())
