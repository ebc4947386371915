"""The parts of the benchmark, each with its own tasks and its own figures."""

from __future__ import annotations

import json
import os
import subprocess
import sys
import tempfile
from collections.abc import Callable, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Final

from benchmarks.detection import datasets, speed, summary, windows
from benchmarks.detection.contenders import CONTENDERS
from benchmarks.detection.datasets import DataSet, MissingDataError
from benchmarks.detection.datasets.flights import storms
from benchmarks.detection.faults import faults_of
from benchmarks.detection.judging import Judged, judge
from benchmarks.detection.settings import ROOT, SEED, Settings
from benchmarks.detection.windows import Task
from benchmarks.detection.year.run import REAL

HOLIDAY: Final = "2013-07-04"
YEAR_SECONDS: Final = 3_600
OTHERS_ROWS: Final = (200, 2_000)
Tell = Callable[[str], None]


@dataclass
class Run:
    """What is to be run, and how.

    Attributes:
        settings: Sizes.
        contenders: Whose figures are wanted.
        tell: Told how far it is.
        jobs: Processes at once.
        folder: Room for tasks.
        kept: Where answers are kept between runs; None: nowhere.
    """

    settings: Settings
    contenders: Sequence[str]
    tell: Tell
    jobs: int
    folder: Path
    kept: Path | None = None

    def judge(self, name: str, tasks: Sequence[Task]) -> Judged:
        """Have the contenders judge a part's tasks."""
        count = sum(len(task.sequences) for task in tasks)
        self.tell(f"{name}: {len(tasks)} tasks, {count} sequences of windows")
        found = Judged()
        if tasks:
            place = Path(tempfile.mkdtemp(prefix=f"{name}-", dir=self.folder))
            found = judge(
                tasks, self.contenders, self.settings, place, lambda text: self.tell(f"{name}: {text}"), self.jobs,
                self.kept,
            )  # fmt: skip
        return found

    def flights(self) -> DataSet:
        """The main data set."""
        return datasets.load("flights")


def windows_part(run: Run) -> dict[str, Any]:
    """False alarms, power, delay, segments: on flights, resampled, real and by day."""
    data, settings = run.flights(), run.settings
    faults = faults_of(data, one_feature=settings.one_feature)
    tasks: list[Task] = []
    for rows, clean in settings.clean.items():
        repeats = settings.repeats.get(rows, 0)
        sequences = settings.sequences if rows == 200 else 0
        tasks.append(windows.iid(data, rows, clean, faults, repeats, sequences, SEED))
    for rows, blocks in settings.blocks.items():
        repeats = settings.repeats.get(rows, 0)
        tasks += windows.real(data, rows, blocks, settings.block_windows[rows], faults, repeats, SEED)
    for rows in settings.day_rows:
        repeats = settings.repeats.get(rows, 0)
        tasks += windows.days(data, rows, settings.day_blocks, faults, repeats, SEED)
    return _figures(run.judge("flights", tasks), {data.name: data.groups})


def others_part(run: Run) -> dict[str, Any]:
    """The same on other real streams, so that nothing is tuned to flights."""
    tasks: list[Task] = []
    missing: dict[str, str] = {}
    for name in datasets.names(others=True):
        if name == "flights":
            continue
        try:
            data = datasets.load(name)
        except MissingDataError as error:
            missing[name] = str(error)
            continue
        settings = run.settings
        faults = faults_of(data, one_feature=settings.one_feature)
        for rows in OTHERS_ROWS:
            repeats = max(settings.repeats[rows] // 2, 1)
            clean = settings.clean[rows] // 2
            tasks.append(windows.iid(data, rows, clean, faults, repeats, 0, SEED))
            tasks += windows.real(
                data, rows, max(settings.blocks[rows] // 2, 1), settings.block_windows[rows], faults, repeats, SEED
            )
    figures = _figures(run.judge("others", tasks), {task.data: {} for task in tasks})
    return figures | {"missing": missing}


def _figures(judged: Judged, groups: dict[str, dict[str, tuple[str, ...]]]) -> dict[str, Any]:
    return {
        "false_alarms": summary.false_alarms(judged, groups),
        "power": summary.power(judged),
        "equal": summary.equal_power(judged),
        "delays": summary.delays(judged),
        "cpu": summary.cpu(judged),
        "errors": judged.errors,
    }


def events_part(run: Run) -> dict[str, Any]:
    """Storm days, July 4, and calm days, each as it was."""
    data = run.flights()
    judged = run.judge("events", list(windows.events(data, run.settings.event_weeks)))
    return {"events": summary.events(judged, storms(data), HOLIDAY), "errors": judged.errors}


def year_part(run: Run) -> dict[str, Any]:
    """Real months and simulated years, each in a process of its own."""
    hours = round(run.settings.months * 8_766 / 12)
    wanted = [(REAL, 0), *((noise, SEED + k) for noise in run.settings.noises for k in range(run.settings.seeds))]

    def one(which: tuple[str, int]) -> dict[str, Any]:
        noise, seed = which
        command = [
            sys.executable, "-m", "benchmarks.detection.year.run", noise, "--hours", str(hours), "--seed", str(seed),
        ]  # fmt: skip
        done = subprocess.run(
            command, check=False, capture_output=True, text=True, timeout=YEAR_SECONDS, cwd=ROOT, env=os.environ
        )
        if done.returncode:
            return {"noise": noise, "seed": seed, "error": done.stderr.strip().rpartition("\n")[2][:300]}
        result: dict[str, Any] = json.loads(done.stdout)
        run.tell(f"year: {noise}, seed {seed}: {result['pages']} pages in {hours} hours, {result['cpu']:.0f} s of CPU")
        return result

    with ThreadPoolExecutor(run.jobs) as pool:
        found = list(pool.map(one, wanted))
    errors = {f"{row['noise']}, seed {row['seed']}": row["error"] for row in found if "error" in row}
    return {"real": found[0], "years": found[1:], "errors": errors}


def speed_part(run: Run) -> dict[str, Any]:
    """CPU of one large window, of the decision, and of counting by the store."""
    names = [name for name in run.contenders if not CONTENDERS[name].delays_only]
    alone = Run(run.settings, names, run.tell, 1, run.folder)
    # One after the other: CPU times suffer from neighbours.
    judged = alone.judge("speed", [speed.task(run.settings.speed_rows)])
    decision = speed.decision()
    store = speed.store(run.settings.store_rows)
    figures = speed.of_peers(judged)
    count = store["cpu_us_per_row"] * run.settings.speed_rows / 1e6
    decide = figures.get("mllog", {}).get("decide", decision["median_ms"] / 1e3)
    return {
        "contenders": figures,
        "decision": decision,
        "store": store,
        "ours": {"count": count, "decide": decide},
        "ratios": speed.ratios(figures, (count, decide)),
        "errors": judged.errors,
    }


PARTS: Final[dict[str, Callable[[Run], dict[str, Any]]]] = {
    "flights": windows_part,
    "others": others_part,
    "events": events_part,
    "year": year_part,
    "speed": speed_part,
}
