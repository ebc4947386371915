"""Tasks handed to contenders, two processes at a time, and their verdicts beside the labels."""

from __future__ import annotations

import json
import os
import subprocess
import time
from collections.abc import Callable, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, Final

from benchmarks.detection.contenders import CONTENDERS
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


def judge(
    tasks: Sequence[Task], contenders: Sequence[str], settings: Settings, folder: Path, tell: Progress, jobs: int = 2
) -> Judged:
    """Have every contender judge every task that it is given.

    A contender that can't be installed or that fails is in ``errors``; it is never left out without a word.
    """
    folders = []
    for number, task in enumerate(tasks):
        place = folder / f"task-{number:03d}-{task.data}-{task.mode}-{task.rows}"
        task.write(place)
        folders.append(place)
    result = Judged()

    def one(name: str) -> None:
        started = time.perf_counter()
        outcomes, error = _judge(name, tasks, folders, settings)
        if outcomes:
            result.outcomes[name] = outcomes
        if error:
            result.errors[name] = error
        tell(f"{name}: {error or f'{len(outcomes)} sequences'}, {time.perf_counter() - started:.0f} s")

    with ThreadPoolExecutor(jobs) as pool:
        list(pool.map(one, contenders))
    # In the order of the registry, whoever was ready first.
    result.outcomes = {name: result.outcomes[name] for name in contenders if name in result.outcomes}
    return result


def _judge(name: str, tasks: Sequence[Task], folders: Sequence[Path], settings: Settings) -> tuple[list[Outcome], str]:
    try:
        python = python_of(name)
    except (RuntimeError, OSError, subprocess.SubprocessError) as error:
        return [], f"not installed: {error}"
    most, groups = settings.most.get(name, (None, None))
    given: list[int] = []
    held: dict[tuple[str, str, int], int] = {}
    for number, task in enumerate(tasks):
        key = task.data, task.mode, task.rows
        held[key] = held.get(key, 0) + 1
        useful = not CONTENDERS[name].delays_only or any(label.delay for label in task.labels)
        if useful and (groups is None or held[key] <= groups):
            given.append(number)
    if not given:
        return [], ""
    command = [str(python), "-m", "benchmarks.detection.child", name, *(str(folders[k]) for k in given)]
    command += ["--most", str(most)] if most is not None else []
    environment = os.environ | THREADS | CONTENDERS[name].environment
    log = folders[0].parent / f"{name}.log"
    with log.open("w", encoding="utf-8", errors="replace") as told:
        try:
            subprocess.run(
                command, check=False, stdout=told, stderr=told, timeout=CHILD_SECONDS, env=environment, cwd=ROOT
            )
        except subprocess.TimeoutExpired:
            return [], f"took more than {CHILD_SECONDS} s"
    outcomes, errors = [], []
    texts = set() if CONTENDERS[name].module in {"ours", "runs"} else {"texts"}
    for number in given:
        path = folders[number] / f"{name}.json"
        answer: dict[str, Any] = {"error": _last_line(log)}
        if path.exists():
            answer = json.loads(path.read_text(encoding="utf-8"))
        if "error" in answer:
            errors.append(f"{folders[number].name}: {answer['error']}")
            continue
        task = tasks[number]
        features = tuple(
            feature for kind in ("numbers", "categories", "texts") if kind not in texts for feature in task.spec[kind]
        )
        outcomes += [
            Outcome(task.data, task.mode, task.rows, task.labels[int(index)], verdicts, features)
            for index, verdicts in answer["verdicts"].items()
        ]
    return outcomes, "; ".join(errors)


def _last_line(log: Path) -> str:
    return log.read_text(encoding="utf-8", errors="replace").strip().rpartition("\n")[2][:300] or "it wrote nothing"
