"""Tasks handed to contenders, two processes at a time, and their verdicts beside the labels."""

from __future__ import annotations

import json
import os
import shutil
import subprocess
import time
from collections.abc import Callable, Iterator, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, Final

from benchmarks.detection.contenders import CONTENDERS
from benchmarks.detection.kept import OURS, place
from benchmarks.detection.peers import python_of
from benchmarks.detection.settings import ROOT, Settings
from benchmarks.detection.windows import Label, Task

CHILD_SECONDS: Final = 1_800
THREADS: Final = {f"{name}_NUM_THREADS": "1" for name in ("OMP", "OPENBLAS", "MKL", "NUMEXPR", "NUMBA")}
"""CPU is compared: nobody may hide it in other threads, or pay for spinning ones."""

NOT_GIVEN: Final = "not given"
Progress = Callable[[str], None]


@dataclass
class Outcome:
    """What one contender said of one sequence.

    Attributes:
        data: The data set's name.
        mode: How the windows were drawn.
        rows: Of a window.
        label: What the sequence is.
        verdicts: One for each window, as :class:`benchmarks.detection.contenders.Verdict` in JSON types.
        features: The features that the contender was given.
    """

    data: str
    mode: str
    rows: int
    label: Label
    verdicts: list[dict[str, Any]]
    features: tuple[str, ...]

    def alerts(self, *, paging: bool = False) -> set[str]:
        """Features that alarm in any of the windows; with ``paging`` those of ``info`` severity aren't counted."""
        return {
            str(alert[0] or "(whole model)")
            for verdict in self.verdicts
            for alert in verdict["alerts"]
            if not paging or alert[3] != "info"
        }

    @property
    def scores(self) -> dict[str, float]:
        """Greatest score by feature."""
        found: dict[str, float] = {}
        for verdict in self.verdicts:
            for name, score in verdict["scores"].items():
                found[name] = max(score, found.get(name, score))
        return found


@dataclass
class Judged:
    """Everything that the contenders said.

    Attributes:
        outcomes: By contender.
        errors: By contender: why it has no figures, or not all.
    """

    outcomes: dict[str, list[Outcome]] = field(default_factory=dict)
    errors: dict[str, str] = field(default_factory=dict)


@dataclass(frozen=True, slots=True)
class Asked:
    """One contender's work on one task.

    Attributes:
        name: The contender.
        task: The task.
        folder: Where its files are.
        most: At most so many windows of it are judged.
    """

    name: str
    task: Task
    folder: Path
    most: int | None


def judge(
    tasks: Sequence[Task],
    contenders: Sequence[str],
    settings: Settings,
    folder: Path,
    tell: Progress,
    jobs: int = 2,
    kept: Path | None = None,
) -> Judged:
    """Have every contender judge every task that it is given.

    A contender that can't be installed or that fails is in ``errors``; it is never left out without a word.

    Args:
        tasks: What is to be judged.
        contenders: By whom.
        settings: How much of it slow contenders are given.
        folder: Room for the tasks' files.
        tell: Told what is done.
        jobs: Processes at once.
        kept: Answers that were given before are taken from here, new ones put here.
    """
    folders = []
    for number, task in enumerate(tasks):
        place_of = folder / f"task-{number:03d}-{task.data}-{task.mode}-{task.rows}"
        task.write(place_of)
        folders.append(place_of)
    result = Judged()
    asked: list[Asked] = []
    for name in contenders:
        try:
            python_of(name)
        except (RuntimeError, OSError, subprocess.SubprocessError) as error:
            result.errors[name] = f"not installed: {error}"
            tell(f"{name}: {result.errors[name]}")
            continue
        asked += _given(name, tasks, folders, settings)
    with ThreadPoolExecutor(jobs) as pool:
        for one, outcomes, error, seconds in pool.map(lambda one: _answer(one, kept), asked):
            result.outcomes.setdefault(one.name, []).extend(outcomes)
            if error:
                told = f"{one.folder.name}: {error}"
                result.errors[one.name] = "; ".join(filter(None, (result.errors.get(one.name), told)))
            tell(f"{one.name}, {one.folder.name}: {error or f'{len(outcomes)} sequences'}, {seconds:.0f} s")
    result.outcomes = {name: outcomes for name, outcomes in result.outcomes.items() if outcomes}
    return result


def _given(name: str, tasks: Sequence[Task], folders: Sequence[Path], settings: Settings) -> Iterator[Asked]:
    """The tasks that a contender is given: all that tell something of it, of slow ones so many of each kind."""
    most, groups = settings.most.get(name, (None, None))
    held: dict[tuple[str, str, int], int] = {}
    for task, folder in zip(tasks, folders, strict=True):
        key = task.data, task.mode, task.rows
        held[key] = held.get(key, 0) + 1
        useful = not CONTENDERS[name].delays_only or any(label.delay for label in task.labels)
        if useful and (groups is None or held[key] <= groups):
            yield Asked(name, task, folder, most)


def _answer(one: Asked, kept: Path | None) -> tuple[Asked, list[Outcome], str, float]:
    """A contender's outcomes on a task, why there are none, and the seconds that it took."""
    started = time.perf_counter()
    path = place(kept, one.name, one.folder, one.most) if kept else one.folder / f"{one.name}.json"
    if not path.exists():
        path.parent.mkdir(parents=True, exist_ok=True)
        error = _ask(one, path)
        if error:
            return one, [], error, time.perf_counter() - started
    answer = json.loads(path.read_text(encoding="utf-8"))
    spec, task = one.task.spec, one.task
    kinds = ("numbers", "categories", "texts") if CONTENDERS[one.name].module in OURS else ("numbers", "categories")
    features = tuple(feature for kind in kinds for feature in spec[kind])
    outcomes = [
        Outcome(task.data, task.mode, task.rows, task.labels[int(index)], verdicts, features)
        for index, verdicts in answer["verdicts"].items()
    ]
    return one, outcomes, "", time.perf_counter() - started


def _ask(one: Asked, path: Path) -> str:
    """Have the contender's process write its answer; why it didn't, empty where it did."""
    written = one.folder / f"{one.name}.answer"
    command = [str(python_of(one.name)), "-m", "benchmarks.detection.child", one.name, str(one.folder), str(written)]
    command += ["--most", str(one.most)] if one.most is not None else []
    environment = os.environ | THREADS | CONTENDERS[one.name].environment
    log = one.folder / f"{one.name}.log"
    with log.open("w", encoding="utf-8", errors="replace") as told:
        try:
            done = subprocess.run(
                command, check=False, stdout=told, stderr=told, timeout=CHILD_SECONDS, env=environment, cwd=ROOT
            )
        except subprocess.TimeoutExpired:
            return f"took more than {CHILD_SECONDS} s"
    if done.returncode or not written.exists():
        return log.read_text(encoding="utf-8", errors="replace").strip().rpartition("\n")[2][:300] or "it wrote nothing"
    # Never half an answer among the kept ones.
    partly = path.with_suffix(".part")
    shutil.copyfile(written, partly)
    partly.replace(path)
    return ""
