"""One contender in a process of its own: ``python -m benchmarks.logger.child``, started by the benchmark."""

from __future__ import annotations

import argparse
import json
from collections import Counter
from pathlib import Path
from typing import Any

import orjson

from benchmarks.logger import fidelity, measuring, workload
from benchmarks.logger.contenders import FLOOR, Contender, make
from benchmarks.logger.measuring import Phase

PHASES = ("burst", "threads", "paced", "numpy")


def measure(name: str, folder: Path, card: Path, *, events: int, paced: int, rate: float) -> dict[str, Any]:
    """Everything about one contender; times in microseconds, ratios to the floor a moment before and after."""
    result: dict[str, Any] = {}
    for phase in PHASES:
        rows = workload.with_numpy_scalars() if phase == "numpy" else workload.predictions()
        ids = measuring.ids(phase, paced if phase == "paced" else events)

        def run(who: str, part: str, *, phase: str = phase, rows: Any = rows, ids: list[str] = ids) -> Phase:
            place = folder / f"{phase}-{part}"
            place.mkdir()
            contender = make(who, place, card)
            measuring.warm_up(contender.call, contender.flush, rows, len(ids))
            took = measuring.run(phase, contender.call, contender.flush, rows, ids, rate=rate)
            if part == "own":
                result.update(_account(contender, place, phase, ids, took))
            contender.close()
            return took

        before = run(FLOOR, "before")
        took = run(name, "own")
        after = run(FLOOR, "after")
        for column in ("p50", "p99", "tax"):
            floor = (getattr(before, column) + getattr(after, column)) / 2
            result[f"{phase}_{column}_us"] = getattr(took, column) / 1e3
            result[f"{phase}_{column}_ratio"] = getattr(took, column) / floor
        result[f"{phase}_longest_us"] = took.longest / 1e3

    place = folder / "fidelity"
    place.mkdir()
    wrong, asked = fidelity.judge(make(name, place, card), lambda: measuring.written(place))
    totals = {kind: sum(result[f"{phase}_{kind}"] for phase in PHASES) for kind in ("events", "lost", "doubled")}
    return result | totals | {"fidelity": asked - len(wrong), "fidelity_of": asked, "wrong": wrong}


def _account(contender: Contender, place: Path, phase: str, ids: list[str], took: Phase) -> dict[str, Any]:
    """What came out of one phase."""
    came, invalid, size = _came_out(contender, place, phase)
    delivered = sum(1 for one in ids if came[one])
    result: dict[str, Any] = {
        f"{phase}_events": len(ids),
        f"{phase}_lost": len(ids) - delivered,
        f"{phase}_doubled": came.total() - delivered,
    }
    if phase == "burst":
        result["delivered_per_s"] = delivered / took.seconds
        result["bytes_per_event"] = size / max(came.total(), 1)
        result["invalid"] = invalid
    return result


def _came_out(contender: Contender, place: Path, phase: str) -> tuple[Counter[str], int, int]:
    """How often each id came out, lines that a strict parser refuses, and bytes."""
    came: Counter[str] = Counter()
    invalid = size = 0
    for line in measuring.written(place):
        try:
            event = orjson.loads(line)
        except orjson.JSONDecodeError:
            # A bare NaN: not JSON, but it came out.
            event = json.loads(line)
            refused = 1
        else:
            refused = 0
        read = contender.read(event)
        if read is not None and read[0].startswith(f"{phase}-"):
            came[read[0]] += 1
            size += len(line) + 1
            invalid += refused
    return came, invalid, size


def main() -> None:
    """Measure and print one JSON document."""
    parser = argparse.ArgumentParser()
    parser.add_argument("name")
    parser.add_argument("--folder", type=Path, required=True)
    parser.add_argument("--card", type=Path, required=True)
    parser.add_argument("--out", type=Path, required=True)
    parser.add_argument("--events", type=int, required=True)
    parser.add_argument("--paced", type=int, required=True)
    parser.add_argument("--rate", type=float, required=True)
    args = parser.parse_args()
    result = measure(args.name, args.folder, args.card, events=args.events, paced=args.paced, rate=args.rate)
    args.out.write_text(json.dumps(result), encoding="utf-8")


if __name__ == "__main__":
    main()
