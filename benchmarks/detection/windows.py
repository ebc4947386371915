"""What contenders are given: tasks of windows, drawn from a data set in three ways.

- ``iid``: rows drawn with replacement from all calm rows, without times; the only true null.
- ``real``: consecutive rows of calm days. The training rows come first, then the reference, then the windows.
- ``day``: rows drawn with replacement from one calm day each, so that large windows can be made of single days.

Everybody gets the same reference, cut into windows of the judged one's length. The training rows, older than the
reference, are for contenders that learn of a model's training: ours makes its card of them.
"""

from __future__ import annotations

import json
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, Final

import numpy as np
import pandas as pd

from benchmarks.detection.datasets import DAY, TIME, DataSet
from benchmarks.detection.faults import Fault
from benchmarks.detection.settings import REFERENCE_WINDOWS

WINDOW: Final = "@window"
DAYS: Final = 28
"""Days of reference, and of training before it."""

LEAST_WINDOWS: Final = 8
TRAINING_ROWS: Final = 20_000
DELAY_WINDOWS: Final = 10
CLEAN: Final = "clean"

Sequence_ = list[pd.DataFrame]


@dataclass(frozen=True)
class Label:
    """What a sequence of windows is.

    Attributes:
        kind: :data:`CLEAN`, or the fault's.
        repeat: Its number among those of its kind.
        feature: The broken feature.
        segment: The broken rows.
        day: The day that it is of, where it is of one.
        delay: Whether it is ten windows with the same fault in each.
    """

    kind: str
    repeat: int
    feature: str | None = None
    segment: tuple[str, str] | None = None
    day: str | None = None
    delay: bool = False


@dataclass
class Task:
    """A reference and what is judged by it.

    Attributes:
        data: The data set's name.
        mode: ``iid``, ``real``, ``day`` or ``event``.
        rows: Of a window.
        spec: What the columns are, as JSON types.
        training: Rows of the model's training.
        reference: Windows of reference, oldest first.
        labels: One for each sequence.
        sequences: The windows to judge.
    """

    data: str
    mode: str
    rows: int
    spec: dict[str, Any]
    training: pd.DataFrame
    reference: list[pd.DataFrame]
    labels: list[Label] = field(default_factory=list)
    sequences: list[Sequence_] = field(default_factory=list)

    def add(self, label: Label, sequence: Sequence_) -> None:
        """Add a sequence to judge."""
        self.labels.append(label)
        self.sequences.append(sequence)

    def write(self, folder: Path) -> None:
        """As files that a contender's process reads."""
        folder.mkdir(parents=True)
        columns = [*self.spec["numbers"], *self.spec["categories"], *self.spec["texts"]]
        columns += [TIME] if self.spec["time"] else []
        self.training[columns].to_parquet(folder / "training.parquet")
        _stack(self.reference, columns).to_parquet(folder / "reference.parquet")
        flat = [window for sequence in self.sequences for window in sequence]
        _stack(flat, columns).to_parquet(folder / "current.parquet")
        lengths = [len(sequence) for sequence in self.sequences]
        kinds = [label.kind for label in self.labels]
        delays = [label.delay for label in self.labels]
        text = json.dumps({**self.spec, "lengths": lengths, "kinds": kinds, "delays": delays})
        (folder / "spec.json").write_text(text, encoding="utf-8")


def _stack(windows: Sequence[pd.DataFrame], columns: list[str]) -> pd.DataFrame:
    numbers = np.repeat(np.arange(len(windows)), [len(window) for window in windows])
    return pd.concat([window[columns] for window in windows], ignore_index=True).assign(**{WINDOW: numbers})


def spec_of(data: DataSet, *, timed: bool) -> dict[str, Any]:
    """What a contender must know of the columns."""
    return {
        "numbers": list(data.numbers),
        "categories": list(data.categories),
        "texts": list(data.texts),
        "segments": list(data.segments),
        "time": TIME if timed else None,
        "zone": data.zone,
    }


def iid(data: DataSet, rows: int, clean: int, faults: Sequence[Fault], repeats: int, sequences: int, seed: int) -> Task:
    """Resampled windows: clean ones, ones with each fault, and runs of ten with each."""
    pool = data.frame[data.calm]
    rng = np.random.default_rng([seed, rows, 1])

    def draw(n: int = rows) -> pd.DataFrame:
        return pool.iloc[rng.integers(0, len(pool), n)].reset_index(drop=True)

    count = REFERENCE_WINDOWS[rows]
    task = Task(data.name, "iid", rows, spec_of(data, timed=False), draw(TRAINING_ROWS), [draw() for _ in range(count)])
    for repeat in range(clean):
        task.add(Label(CLEAN, repeat), [draw()])
    for repeat in range(2 * sequences):
        task.add(Label(CLEAN, repeat, delay=True), [draw() for _ in range(DELAY_WINDOWS)])
    for number, fault in enumerate(faults):
        for repeat in range(repeats):
            task.add(_label(fault, repeat), [fault(draw(), seed + 1_000 * number + repeat)])
        for repeat in range(sequences):
            broken = [fault(draw(), seed + 1_000_000 + 1_000 * number + 20 * repeat + k) for k in range(DELAY_WINDOWS)]
            task.add(_label(fault, repeat, delay=True), broken)
    return task


def real(
    data: DataSet, rows: int, blocks: int, most: int, faults: Sequence[Fault], repeats: int, seed: int
) -> Iterator[Task]:
    """Blocks of consecutive windows of calm rows; faults go into the block's clean windows, turn by turn."""
    calm = data.frame[data.calm]
    days = calm[DAY]
    a_day = len(calm) / max(days.nunique(), 1)
    reference = max(round(DAYS * a_day), LEAST_WINDOWS * rows) // rows * rows
    training = min(round(DAYS * a_day), TRAINING_ROWS)
    room = len(calm) - training - reference
    judged = min(most, max(room, 0) // rows)
    if judged < 2:
        return
    spare = room - judged * rows
    blocks = min(blocks, 1 + spare // (judged * rows))
    for block in range(blocks):
        start = round((block + 0.5) * spare / blocks)
        middle = start + training
        end = middle + reference
        past = [calm.iloc[k : k + rows].reset_index(drop=True) for k in range(middle, end, rows)]
        task = Task(data.name, "real", rows, spec_of(data, timed=True), calm.iloc[start:middle], past)
        clean = [calm.iloc[k : k + rows].reset_index(drop=True) for k in range(end, end + judged * rows, rows)]
        for repeat, window in enumerate(clean):
            task.add(Label(CLEAN, repeat, day=str(window[DAY].iloc[0])), [window])
        _plant(task, clean, faults, repeats, blocks, block, seed)
        yield task


def _plant(
    task: Task, clean: list[pd.DataFrame], faults: Sequence[Fault], repeats: int, blocks: int, block: int, seed: int
) -> None:
    """This block's share of the repeats of each fault, each in another of its clean windows."""
    for number, fault in enumerate(faults):
        for repeat in range(block, repeats, blocks):
            window = clean[(repeat // blocks * 5 + number) % len(clean)]
            if fault.segment is None or (window[fault.segment[0]] == fault.segment[1]).any():
                task.add(_label(fault, repeat), [fault(window, seed + 1_000 * number + repeat)])


def days(data: DataSet, rows: int, blocks: int, faults: Sequence[Fault], repeats: int, seed: int) -> Iterator[Task]:
    """Windows resampled from one calm day each, behind windows resampled from the 28 calm days before."""
    calm = data.frame[data.calm]
    groups = {str(day): part for day, part in calm.groupby(DAY, sort=True)}
    order = list(groups)
    width = 14
    room = len(order) - 2 * DAYS - width
    for block in range(blocks if room >= 0 else 0):
        start = round((block + 0.5) * room / blocks)
        rng = np.random.default_rng([seed, rows, 2, block])
        chosen = [groups[day] for day in order[start : start + 2 * DAYS + width]]
        drawn = [part.iloc[np.sort(rng.integers(0, len(part), rows))].reset_index(drop=True) for part in chosen[DAYS:]]
        training = pd.concat(chosen[:DAYS])
        task = Task(data.name, "day", rows, spec_of(data, timed=True), training, drawn[:DAYS])
        for repeat, window in enumerate(drawn[DAYS:]):
            task.add(Label(CLEAN, repeat, day=str(window[DAY].iloc[0])), [window])
        _plant(task, drawn[DAYS:], faults, repeats, blocks, block, seed)
        yield task


def events(data: DataSet, fortnights: Sequence[int] | None) -> Iterator[Task]:
    """Each day as it was, a fortnight a task, behind the 28 calm days before the fortnight (8 at least)."""
    calm_days = set(data.frame[DAY][data.calm])
    groups = {str(day): part.reset_index(drop=True) for day, part in data.frame.groupby(DAY, sort=True)}
    order = list(groups)
    for number, first in enumerate(range(DAYS, len(order), 14)):
        if fortnights is not None and number not in fortnights:
            continue
        before = [day for day in order[:first] if day in calm_days]
        past, older = before[-DAYS:], before[:-DAYS]
        if len(past) < LEAST_WINDOWS:
            continue
        # At the year's beginning there is nothing older: the card is made of the same days.
        training = pd.concat([groups[day] for day in (older[-DAYS:] or past)])
        task = Task(data.name, "event", 0, spec_of(data, timed=True), training, [groups[day] for day in past])
        for repeat, day in enumerate(order[first : first + 14]):
            task.add(Label(CLEAN if day in calm_days else "eventful", repeat, day=day), [groups[day]])
        yield task


def _label(fault: Fault, repeat: int, *, delay: bool = False) -> Label:
    return Label(fault.kind, repeat, fault.feature, fault.segment, delay=delay)
