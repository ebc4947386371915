"""One library in a process of its own: ``python -m benchmarks.batch.child``, started by the benchmark."""

from __future__ import annotations

import argparse
import gc
import json
import tempfile
import time
from pathlib import Path
from typing import Any

from benchmarks.batch.ways import BATCH, WAYS, frame_of, frame_of_outputs, outputs_of
from benchmarks.logger import workload
from mllog import ModelLogger

WARM_UP = 300
ROOM = 2**31
"""Bytes of the queue: all rows have room, so that what is measured is the same work."""


def measure(library: str, card: Path | None, rows: int, turn: int) -> dict[str, dict[str, float]]:
    """Every way to log one frame.

    Args:
        library: Whose frame.
        card: The model's card, or none.
        rows: Of the frame.
        turn: Which way begins.

    Returns:
        Way -> microseconds a row of the caller's time and of CPU, rows a second, rows lost, bytes an event.
    """
    frame, outputs, parts = _given(library, rows)
    warm_up = _given(library, WARM_UP)
    ways: dict[str, Any] = {BATCH: lambda log, frame, _, parts: log.batch(frame, parts)}
    for name, way in WAYS[library].items():
        ways[name] = lambda log, frame, outputs, _, way=way: way(log, frame, outputs)
    names = list(ways)
    result = {}
    for name in names[turn % len(names) :] + names[: turn % len(names)]:
        with tempfile.TemporaryDirectory(prefix="mllog-bench-") as folder:
            log = ModelLogger(
                workload.MODEL, version=workload.VERSION, card=card, sink=folder, max_bytes=ROOM, resources=0
            )
            ways[name](log, *warm_up)  # threads start, files open, modules load
            log.flush()
            gc.collect()
            cpu, begun = time.process_time(), time.perf_counter()
            ways[name](log, frame, outputs, parts)
            returned = time.perf_counter()
            log.flush()
            cpu, written = time.process_time() - cpu, time.perf_counter()
            log.close()
            lines = [line for path in Path(folder).rglob("*.ndjson") for line in path.read_bytes().splitlines()]
        logged = [line for line in lines if b'"predict"' in line]
        result[name] = {
            "caller_us": (returned - begun) / rows * 1e6,
            "cpu_us": cpu / rows * 1e6,
            "rows_per_s": rows / (written - begun),
            "lost": rows + WARM_UP - len(logged),
            "bytes_per_event": sum(map(len, logged)) / max(len(logged), 1),
        }
    return result


def _given(library: str, rows: int) -> tuple[Any, Any, Any]:
    return frame_of(library, rows), outputs_of(rows), frame_of_outputs(library, rows)


def main() -> None:
    """Measure and write one JSON document."""
    parser = argparse.ArgumentParser()
    parser.add_argument("library", choices=list(WAYS))
    parser.add_argument("--card", type=Path)
    parser.add_argument("--rows", type=int, required=True)
    parser.add_argument("--turn", type=int, required=True)
    parser.add_argument("--out", type=Path, required=True)
    args = parser.parse_args()
    args.out.write_text(json.dumps(measure(args.library, args.card, args.rows, args.turn)), encoding="utf-8")


if __name__ == "__main__":
    main()
