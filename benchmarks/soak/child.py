"""``python -m benchmarks.soak.child PLACE SPOOL RATE SECONDS``: a service that logs, and what it saw of it."""

from __future__ import annotations

import json
import signal
import sys
import time
from pathlib import Path
from typing import Any

import numpy as np

import mllog
from benchmarks.memory import peak_mb

CARRIERS = ("UA", "B6", "EV", "DL", "AA", "MQ")


def main() -> int:
    """Log ``RATE`` predictions a second until the time is over or SIGTERM.

    Returns:
        0.
    """
    place, spool, rate, seconds = sys.argv[1], Path(sys.argv[2]), float(sys.argv[3]), float(sys.argv[4])
    stopped: list[int] = []
    signal.signal(signal.SIGTERM, lambda number, _: stopped.append(number))
    draw = np.random.default_rng(7)
    log = mllog.ModelLogger("soak", version="1", sink=place, spool=spool)
    took = []
    began = time.monotonic()
    number = 0
    while not stopped and (now := time.monotonic() - began) < seconds:
        if number / rate > now:
            time.sleep(min(0.05, number / rate - now))
            continue
        inputs: dict[str, Any] = {
            "carrier": CARRIERS[number % len(CARRIERS)],
            "distance": float(draw.lognormal(6, 1)),
            "passenger": f"P{number:08d}",
            "remarks": "gate held, late inbound" if number % 3 else None,
        }
        start = time.perf_counter_ns()
        log.prediction(inputs, {"label": "late", "score": float(draw.random())}, id=f"{spool.name}-{number}")
        took.append(time.perf_counter_ns() - start)
        number += 1
    log.close(timeout=60.0)
    status = log.status()
    print(
        json.dumps(
            {
                "calls": number,
                "accepted": status.accepted,
                "dropped": status.dropped,
                "rejected": status.rejected,
                "queued": status.queued,
                "p50_us": float(np.percentile(took, 50)) / 1000,
                "p99_us": float(np.percentile(took, 99)) / 1000,
                "worst_ms": max(took) / 1e6,
                "peak_mb": peak_mb(),
            }
        )
    )
    return 0


if __name__ == "__main__":
    sys.exit(main())
