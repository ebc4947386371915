"""Answers of contenders kept between runs: a run that was interrupted goes on, and only what changed is asked again.

A verdict depends on the task, on the contender and on nothing else (no contender draws at random without a seed); so an
answer is kept under a digest of both. CPU is never taken from here: the part that compares it asks everybody anew.
"""

from __future__ import annotations

import hashlib
from collections.abc import Iterator
from functools import cache
from pathlib import Path
from typing import Final

from benchmarks.detection.contenders import CONTENDERS
from benchmarks.detection.peers import PINS, version_of
from benchmarks.detection.settings import ROOT
from benchmarks.saying import version

OURS: Final = frozenset({"ours", "runs"})
PACKAGES: Final = ("mllog", "watchers")
ASIDE: Final = frozenset({"delivery", "shipping", "doctor", "integrations", "environment", "report", "demo", "notify"})
"""Their folders that no verdict depends on."""

SHARED: Final = ("numpy", "scipy", "pandas")
"""What contenders of the project's own environment compute with."""


def place(root: Path, name: str, task: Path, most: int | None) -> Path:
    """Where a contender's answer to a task is kept.

    Args:
        root: The folder of all answers.
        name: The contender.
        task: The folder that holds the task's files.
        most: At most so many windows of it are judged.
    """
    digest = hashlib.sha256(f"{_contender(name)}\0{most}".encode())
    for path in sorted(task.iterdir()):
        if path.suffix == ".parquet" or path.name == "spec.json":
            digest.update(path.read_bytes())
    return root / f"{name.replace(' ', '-').replace(',', '')}-{digest.hexdigest()[:32]}.json"


@cache
def _contender(name: str) -> str:
    """A digest of everything that a verdict can depend on besides the task."""
    entry = CONTENDERS[name]
    digest = hashlib.sha256(repr(entry).encode())
    for path in _sources(name):
        digest.update(path.read_bytes())
    if entry.peer is None:
        digest.update(" ".join(f"{package} {version(package)}" for package in SHARED).encode())
    return f"{digest.hexdigest()} {version_of(name)}"


def _sources(name: str) -> Iterator[Path]:
    entry, folder = CONTENDERS[name], Path(__file__).parent
    yield folder / "child.py"
    yield folder / "contenders" / f"{entry.module}.py"
    if entry.peer is not None:
        yield PINS / f"{entry.peer}.txt"
    if entry.module in OURS:
        yield folder / "memory.py"
        yield folder / "contenders" / "ours.py"
        for package in PACKAGES:
            sources = sorted((ROOT / package).rglob("*.py"))
            yield from (path for path in sources if not ASIDE.intersection(path.relative_to(ROOT).parts))
