"""One contender in a process of its own: ``python -m benchmarks.detection.child``, started by the benchmark.

It imports nothing of the project but this package's contenders: peers run it in environments without mllog.
"""

from __future__ import annotations

import argparse
import json
import sys
import time
import warnings
from dataclasses import asdict
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd

from benchmarks.detection.contenders import CONTENDERS, WINDOW, Contender, Given, make


def judge(name: str, folder: Path, most: int | None, contender: Contender | None = None) -> dict[str, Any]:
    """Everything that a contender says of one task: index of each sequence -> its verdicts."""
    spec = json.loads((folder / "spec.json").read_text(encoding="utf-8"))
    training, reference, current = (
        pd.read_parquet(folder / f"{part}.parquet") for part in ("training", "reference", "current")
    )
    for frame in (training, reference, current):
        for column in (*spec["categories"], *spec["texts"]):
            frame[column] = frame[column].astype(object).where(frame[column].notna(), None)
    contender = contender or make(name)
    given = Given(
        **{key: spec[key] for key in ("numbers", "categories", "texts", "segments", "time", "zone")},
        training=training,
        reference=reference,
        rows=round(len(reference) / (int(reference[WINDOW].max()) + 1)),
    )
    started = time.process_time()
    contender.prepare(given)
    prepared = time.process_time() - started
    numbers = current.pop(WINDOW).to_numpy()
    edges = np.searchsorted(numbers, np.arange(sum(spec["lengths"]) + 1))
    delays_only = name in CONTENDERS and CONTENDERS[name].delays_only
    verdicts: dict[int, Any] = {}
    wanted = chosen(spec, most, delays_only=delays_only)
    first = 0
    for index, length in enumerate(spec["lengths"]):
        if index in wanted:
            windows = [
                current.iloc[edges[k] : edges[k + 1]].reset_index(drop=True) for k in range(first, first + length)
            ]
            verdicts[index] = [asdict(verdict) for verdict in contender.judge(windows)]
        first += length
    return {"prepared": prepared, "verdicts": verdicts}


def chosen(spec: dict[str, Any], most: int | None, *, delays_only: bool) -> set[int]:
    """The sequences that a contender is given: all, or so many single windows, taken evenly from all kinds."""
    delays = spec["delays"]
    if most is None:
        return {index for index, delay in enumerate(delays) if delay or not delays_only}
    kinds: dict[str, list[int]] = {}
    for index, kind in enumerate(spec["kinds"]):
        if not delays[index]:
            kinds.setdefault("clean" if kind == "clean" else "other", []).append(index)
    found: set[int] = set()
    for members in kinds.values():
        count = min(most // len(kinds), len(members))
        found |= {members[k * len(members) // count] for k in range(count)}
    return found


def main() -> int:
    """Judge a task and write the verdicts; whatever a peer raises ends the process, with the reason on stderr."""
    parser = argparse.ArgumentParser()
    parser.add_argument("name")
    parser.add_argument("folder", type=Path)
    parser.add_argument("answer", type=Path)
    parser.add_argument("--most", type=int)
    args = parser.parse_args()
    warnings.simplefilter("ignore")
    args.answer.write_text(json.dumps(judge(args.name, args.folder, args.most)), encoding="utf-8")
    return 0


if __name__ == "__main__":
    sys.exit(main())
