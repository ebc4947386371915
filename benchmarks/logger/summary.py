"""Rounds summed up: medians, ratios to the floor of the same round, and the targets."""

from __future__ import annotations

import statistics
from dataclasses import asdict, dataclass
from typing import Any, Final

from benchmarks.logger.contenders import BASELINE, CONTENDERS

CALL_TARGET, CALL_STRETCH, STDLIB_TARGET = 1.0, 0.5, 1.7
TAX_TARGETS: Final = {"mllog": 1.3, "mllog, card": 2.5}
TAIL_TARGET, DELIVERED_TARGET, IMPORT_TARGET = 5.0, 2.0, 60.0

Rounds = list[dict[str, dict[str, Any]]]
"""A round: contender -> what its child measured."""


@dataclass(frozen=True, slots=True)
class Target:
    """A target and what became of it.

    Attributes:
        what: In words.
        contender: Whose.
        limit: What it must not pass (or reach, where ``at_least``).
        value: What was measured; None where it could not be.
        met: Whether it was met.
        at_least: Whether more is better.
        stretch: Whether a stretch target was met too, where there is one.
    """

    what: str
    contender: str
    limit: float
    value: float | None
    met: bool
    at_least: bool = False
    stretch: bool | None = None


def summarise(rounds: Rounds) -> dict[str, dict[str, Any]]:
    """Contender -> medians over rounds (totals of what was lost), and medians of ratios."""
    rows: dict[str, dict[str, Any]] = {}
    for name in [name for name in CONTENDERS if any(name in one for one in rounds)]:
        results = [one[name] for one in rounds if name in one]
        errors = [result["error"] for result in results if "error" in result]
        if errors:
            rows[name] = {"error": errors[0]}
            continue
        row: dict[str, Any] = {}
        for key, first in results[0].items():
            values = [result[key] for result in results]
            if key in {"lost", "doubled", "invalid", "events"} or key.endswith(("_lost", "_doubled")):
                row[key] = sum(values)
            elif isinstance(first, float):
                row[key] = statistics.median(values)
            else:
                row[key] = first
        row["fidelity"] = min(result["fidelity"] for result in results)
        row["wrong"] = sorted({name for result in results for name in result["wrong"]})
        row["tail"] = _median(result["threads_p99_us"] / result["threads_p50_us"] for result in results)
        for other in (BASELINE, "python-json-logger, orjson"):
            gains = [
                one[name]["delivered_per_s"] / one[other]["delivered_per_s"]
                for one in rounds
                if {name, other} <= one.keys() and "error" not in one[other]
            ]
            row[f"delivered_to_{other.rpartition(' ')[2]}"] = statistics.median(gains) if gains else None
        rows[name] = row
    return rows


def targets(rows: dict[str, dict[str, Any]], imports: dict[str, dict[str, Any]]) -> list[dict[str, Any]]:
    """Every target for which there is a measurement."""
    found: list[Target] = []

    def add(what: str, contender: str, key: str, limit: float, *, at_least: bool = False, stretch: float = 0) -> None:
        value = rows.get(contender, {}).get(key)
        if contender in rows:
            met = value is not None and (value >= limit if at_least else value <= limit)
            also = value is not None and value <= stretch if stretch else None
            found.append(Target(what, contender, limit, value, met, at_least, also))

    for name in ("mllog", "mllog, card"):
        for mode in ("burst", "paced"):
            add(f"call p50 / floor, {mode}", name, f"{mode}_p50_ratio", CALL_TARGET, stretch=CALL_STRETCH)
            add(f"CPU tax / floor, {mode}", name, f"{mode}_tax_ratio", TAX_TARGETS[name])
        add("p99 / own p50, 4 threads", name, "tail", TAIL_TARGET)
        for encoder in ("json", "orjson"):
            what = f"delivered / python-json-logger with {encoder}"
            add(what, name, f"delivered_to_{encoder}", DELIVERED_TARGET, at_least=True)
    for name in ("mllog, stdlib", "mllog, card, stdlib"):
        add("call p50 / floor, burst", name, "burst_p50_ratio", STDLIB_TARGET)
    for name in [name for name in rows if name.startswith("mllog")]:
        add("events lost", name, "lost", 0)
        add("odd values right", name, "fidelity", rows[name].get("fidelity_of", 1), at_least=True)
    for name, took in imports.items():
        if "mllog" in name:
            met = took["ms"] <= IMPORT_TARGET and not took["numpy"]
            found.append(Target("ms to import, without numpy", name, IMPORT_TARGET, took["ms"], met))
    return [asdict(target) for target in found]


def _median(values: Any) -> float:
    return float(statistics.median(values))
