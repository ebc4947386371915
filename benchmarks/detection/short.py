"""The benchmark in one table: a row a contender, what a reader asks first."""

from __future__ import annotations

from collections.abc import Iterable
from typing import Any

from benchmarks.detection.scoring import Share
from benchmarks.detection.tables import NOT_MEASURED, Table, share

ROWS = 2_000
"""Windows of this size are compared."""


def in_short(document: dict[str, Any]) -> Table:
    """False alarms, power at each contender's own threshold and at ours, calm days, CPU."""
    parts = document["parts"]
    windows = [parts[name] for name in ("flights", "others") if name in parts]
    events = {row["contender"]: row for row in parts.get("events", {}).get("events", ())}
    ratios = parts.get("speed", {}).get("ratios", {})
    alarms = [row for part in windows for row in part["false_alarms"]]
    power = [row for part in windows for row in part["power"] if row["rows"] == ROWS]
    equal = [row for part in windows for row in part["equal"] if row["rows"] == ROWS]
    lines = []
    for name in dict.fromkeys(row["contender"] for row in alarms):
        own = [row for row in alarms if row["contender"] == name]
        found = [row for row in power if row["contender"] == name]
        level = [row for row in equal if row["contender"] == name]
        ratio = ratios.get(name)
        lines.append(
            [
                name,
                share(_sum(row["checks"] for row in own if row["mode"] == "iid"), scale=1_000.0, digits=1),
                share(_sum(row["checks"] for row in own if row["mode"] == "real"), scale=1_000.0, digits=1),
                share(_sum(row["windows"] for row in own if row["mode"] == "real")),
                share(_sum(row["found"] for row in found if row["mode"] == "iid")),
                share(_sum(row["found"] for row in found if row["mode"] == "real")),
                f"{share(_sum(row['found'] for row in level))} / {share(_sum(row['ours'] for row in level))}"
                if level
                else NOT_MEASURED,
                share(events[name]["calm"]) if name in events else NOT_MEASURED,
                NOT_MEASURED if ratio is None else f"x{ratio:.1f}",
            ]
        )
    return Table(
        "In short",
        (
            "contender",
            "alerts per 1,000 checks, resampled",
            "consecutive",
            "consecutive windows with any",
            f"faults found, {ROWS:,} rows, resampled",
            "consecutive",
            "faults found where it alarms as rarely as mllog / mllog",
            "calm days with any",
            "CPU of a window of 200,000 rows, to ours with counting",
        ),
        lines,
        "All data sets and sizes together. Power without false alarms beside it says nothing: who always alarms finds "
        "everything; the last column but two lays each threshold where both alarm equally rarely.",
        first=True,
    )


def _sum(shares: Iterable[dict[str, Any]]) -> dict[str, Any]:
    held = list(shares)
    return Share(sum(one["hits"] for one in held), sum(one["of"] for one in held)).to_dict()
