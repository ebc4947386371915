"""What judging one window of 200,000 rows and 20 columns costs, and what of that is the decision."""

from __future__ import annotations

import datetime as dt
import tempfile
import time
from collections.abc import Sequence
from pathlib import Path
from typing import Any, Final

import numpy as np
import pandas as pd

import mllog
import watchers
from benchmarks.detection.datasets import TIME
from benchmarks.detection.judging import Judged
from benchmarks.detection.settings import SEED
from benchmarks.detection.windows import CLEAN, Label, Task
from mllog import ModelCard
from watchers.stores.files import FilesStore

ROWS: Final = 200_000
NUMBERS: Final = tuple(f"number_{k}" for k in range(10))
CATEGORIES: Final = tuple(f"category_{k}" for k in range(10))
HISTORY: Final = 28
REPEATS: Final = 7
MODEL: Final = "speed"
_HOUR: Final = dt.datetime(2013, 1, 8, 12, tzinfo=dt.UTC)


def frame(rows: int, seed: int) -> pd.DataFrame:
    """Ten numbers and ten categories of 3 to 48 values, 1 % of nulls in each."""
    rng = np.random.default_rng(seed)
    data: dict[str, Any] = {name: rng.normal(100.0 * k, 1.0 + k, rows) for k, name in enumerate(NUMBERS)}
    for k, name in enumerate(CATEGORIES):
        drawn = np.minimum(rng.zipf(1.3, rows) - 1, 2 + 5 * k)
        data[name] = np.array([f"v{v}" for v in range(3 + 5 * k)], dtype=object)[drawn]
    table = pd.DataFrame(data)
    for name in (*NUMBERS, *CATEGORIES):
        table[name] = table[name].mask(rng.random(rows) < 0.01, None)
    return table


def task(rows: int = ROWS, windows: int = 8) -> Task:
    """One window of all rows behind a reference of as many, in eight windows."""
    spec = {
        "numbers": list(NUMBERS), "categories": list(CATEGORIES), "texts": [], "segments": [], "time": None,
        "zone": "UTC",
    }  # fmt: skip
    past = frame(rows, SEED)
    size = rows // windows
    parts = [past.iloc[k * size : (k + 1) * size].reset_index(drop=True) for k in range(windows)]
    result = Task("speed", "speed", rows, spec, past.iloc[:20_000], parts)
    result.add(Label(CLEAN, 0), [frame(rows, SEED + 1)])
    return result


def of_peers(judged: Judged) -> dict[str, dict[str, float]]:
    """CPU seconds of each contender for the window, by part."""
    return {name: outcomes[0].verdicts[0]["cpu"] for name, outcomes in judged.outcomes.items() if outcomes}


def decision(rows: int = 20_000) -> dict[str, float]:
    """Median CPU milliseconds of ``watchers.compare`` with 28 profiles of history, 20 columns, no segments."""
    card = ModelCard.from_frame(frame(rows, SEED), MODEL, "1")
    small = max(rows // 10, 100)
    history = [watchers.profile(frame(small, SEED + k), card) for k in range(HISTORY)]
    current = watchers.profile(frame(rows, SEED + 99), card)
    took = []
    for _ in range(REPEATS):
        started = time.process_time()
        watchers.compare(card, current, history=history)
        took.append(time.process_time() - started)
    return {"first_ms": 1e3 * took[0], "median_ms": 1e3 * sorted(took)[len(took) // 2], "columns": 20.0}


def store(rows: int) -> dict[str, float]:
    """CPU seconds of a profile of logged events, counted by DuckDB, as ``watchers run`` gets them."""
    data = frame(rows, SEED + 1)
    card = ModelCard.from_frame(data.iloc[:20_000], MODEL, "1")
    data[TIME] = [_HOUR + dt.timedelta(seconds=3_600 * k / rows) for k in range(rows)]
    with tempfile.TemporaryDirectory(prefix="mllog-bench-") as folder:
        path = Path(folder) / "card.json"
        card.save(path)
        sink = Path(folder) / "events"
        with mllog.ModelLogger(
            MODEL, version="1", card=path, sink=str(sink), max_bytes=2**31, resources=0, overflow="block"
        ) as log:
            log.batch(data, time=TIME)
        started, cpu = time.perf_counter(), time.process_time()
        (profile,) = FilesStore(sink).profiles(MODEL, card.ruler, _HOUR, _HOUR + dt.timedelta(hours=1))
        took = time.process_time() - cpu
        wall = time.perf_counter() - started
    return {"rows": float(profile.n), "cpu": took, "wall": wall, "cpu_us_per_row": 1e6 * took / max(profile.n, 1)}


def ratios(figures: dict[str, dict[str, float]], count: Sequence[float]) -> dict[str, float]:
    """Peers' CPU for the window over mllog's: counting by the store and the decision."""
    ours = sum(count)
    return {name: sum(parts.values()) / ours for name, parts in figures.items() if not name.startswith("mllog")}
