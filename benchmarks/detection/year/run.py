"""Years through ``watchers.schedule.run``: pages, findings, time."""

from __future__ import annotations

import argparse
import json
import sys
import time
import warnings
from collections import Counter
from typing import Any, Final

from benchmarks.detection.memory import HOUR, MemoryStore
from benchmarks.detection.scoring import Share
from benchmarks.detection.year.simulate import FEATURES, Year
from watchers.config import Config
from watchers.schedule import run

HOURS_A_MONTH: Final = 8_766 / 12
SHOWN: Final = 20
HOURS_A_WEEK: Final = 168
REAL: Final = "flights"
"""Not simulated: real hours."""


def year(noise: str, hours: int, seed: int) -> dict[str, Any]:
    """One year: what was paged and what was found."""
    simulated = Year(noise, hours, seed)
    span = simulated.span()
    store = MemoryStore(simulated.card, simulated, span)
    started = time.process_time()
    report = run(store, span[1] + HOUR + Config().lateness)
    seconds = time.process_time() - started
    pages = [event for event in report.events if event.kind in {"opened", "reopened"}]
    windows = {(finding.window.start, finding.window.end) for finding in report.findings}
    paging = [finding for finding in report.findings if finding.severity != "info"]
    return {
        "noise": noise,
        "seed": seed,
        "hours": hours,
        "months": hours / HOURS_A_MONTH,
        "features": FEATURES,
        "pages": len(pages),
        "pages_per_month": len(pages) / (hours / HOURS_A_MONTH),
        "alerts": Share(len({(f.window.start, f.window.end, f.feature) for f in report.findings}),
                        _judged(hours) * FEATURES).to_dict(),
        "windows": Share(len(windows), _judged(hours)).to_dict(),
        "paging_alerts": len(paging),
        "by_check": dict(Counter(f"{f.check}, {_length(f)} h" for f in report.findings).most_common()),
        "titles": [f"{event.at:%Y-%m-%d %H}h {event.data.get('title', '')}" for event in pages[:SHOWN]],
        "cpu": seconds,
    }  # fmt: skip


def _judged(hours: int) -> int:
    """Windows of all lengths."""
    return sum(hours // every for _, every in Config().lengths)


def _length(finding: Any) -> int:
    hours: int = round((finding.window.end - finding.window.start) / HOUR)
    return hours


def main() -> int:
    """One year in a process of its own; JSON on standard output."""
    parser = argparse.ArgumentParser()
    parser.add_argument("noise")
    parser.add_argument("--hours", type=int, required=True)
    parser.add_argument("--seed", type=int, required=True)
    args = parser.parse_args()
    warnings.simplefilter("ignore")
    if args.noise == REAL:
        from benchmarks.detection.year.real import real  # noqa: PLC0415 - simulated years need no flights

        print(json.dumps(real(args.hours // HOURS_A_WEEK)))
    else:
        print(json.dumps(year(args.noise, args.hours, args.seed)))
    return 0


if __name__ == "__main__":
    sys.exit(main())
