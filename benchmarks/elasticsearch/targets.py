"""The targets, and whether they are met."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import asdict, dataclass
from typing import Any

from benchmarks.elasticsearch import disk, watching


@dataclass(frozen=True)
class Target:
    """One target.

    Attributes:
        what: What is measured.
        limit: The worst value that meets it.
        value: The measured one; None where it wasn't measured.
        at_least: Whether more is better.
        why: Why it is missed, where that is known; said only where it is.
        met: Whether it is met; None where it wasn't measured.
    """

    what: str
    limit: float
    value: float | None
    at_least: bool = False
    why: str = ""
    met: bool | None = None


_HOURLY = (
    "24 hours are counted one by one, with names, answers, words and latency, which the others leave out; a day as one "
    "window would have a 24th of the buckets"
)
_SCAN = "the scan has two tests and no report, drift of texts or data quality, which Evidently has too"
_EACH = "such queries count by the index or one field each, and know no distribution, words, answers or names"
_SEGMENTS = "each hour has nearly as many buckets for each value as for all, and they are most of the work"
_TEXTLESS = "what the logger measured, bins above all, stands in `_source` too, and doesn't shrink with the texts"
_STORED = "a week is 168 documents to fetch and to parse, an hour each"
_RUN = "an hour is few events, and what four weeks of history, judging and writing cost doesn't depend on how many"


def targets(parts: dict[str, Any]) -> list[dict[str, Any]]:
    """Every target that the parts allow to judge."""
    found: list[Target] = []
    if "profile" in parts:
        found += _profile(parts["profile"], parts["events"])
    if "segments" in parts:
        part = parts["segments"]
        what = f"a profile with all {part['values']} values of one segment / without, wall"
        found.append(_target(what, 2.0, part["with"]["wall"] / part["without"]["wall"], why=_SEGMENTS))
    if "disk" in parts:
        found += _disk(parts["disk"])
    if "baseline" in parts:
        part = parts["baseline"]
        what = f"a week of {part['each']:,} events a day counted anew / from stored hours, wall"
        found.append(_target(what, 100.0, part["rescan"]["wall"] / part["stored"]["wall"], at_least=True, why=_STORED))
        found.append(_target("... with equal counts", 1.0, float(part["equal"]), at_least=True))
        if "profile" in parts:
            what = (
                f"seven times the day's profile above ({parts['events']:,} events) / the week from stored hours, wall"
            )
            week = watching.DAYS * parts["profile"]["costs"][watching.OURS]["wall"]
            found.append(_target(what, 100.0, week / part["stored"]["wall"], at_least=True, why=_STORED))
    if "hourly" in parts:
        found += _hourly(parts["hourly"], parts["events"])
    if "wire" in parts:
        small, large = parts["wire"][0], parts["wire"][-1]
        what = f"bytes of a profile's answers, {large['events']:,} events / {small['events']:,}"
        found.append(_target(what, 1.1, large["received"] / small["received"]))
    return [asdict(target) for target in found]


def _target(what: str, limit: float, value: float | None, *, at_least: bool = False, why: str = "") -> Target:
    met = None if value is None else value >= limit if at_least else value <= limit
    return Target(what, limit, value, at_least, why, met)


def _profile(part: dict[str, Any], events: int) -> Iterator[Target]:
    costs = part["costs"]
    ours = costs[watching.OURS]
    for other, limit, why in (
        (watching.DUCKDB, 2.5, _HOURLY),
        (watching.SCAN, 10.0, _SCAN),
        (watching.EXPORT, 100.0, _HOURLY),
    ):
        ratio = costs[other]["wall"] / ours["wall"]
        yield _target(f"a day's profile: {other} / mllog's, wall", limit, ratio, at_least=True, why=why)
    each = costs[watching.EACH]["node"]
    known = ours["node"] is not None and each is not None
    ratio = each / ours["node"] if known else None
    yield _target(f"... {watching.EACH} / mllog's, the node's CPU", 7.0, ratio, at_least=True, why=_EACH)
    rate = events * part["features"] / ours["node"] / 1e6 if known else None
    yield _target("... million document-features for a CPU second of the node", 60.0, rate, at_least=True, why=_HOURLY)


def _disk(found: dict[str, dict[str, float]]) -> Iterator[Target]:
    ratio = disk.ratios(found)
    yield _target("bytes of an event on disk / plain typed fields", 0.78, ratio[disk.OURS])
    yield _target(
        "... without texts / plain typed fields with them", 0.4, ratio[disk.OURS + disk.WITHOUT], why=_TEXTLESS
    )


def _hourly(run: dict[str, Any], events: int) -> Iterator[Target]:
    indexing = run["indexing"]
    whole = f"CPU of an hourly run ({run['events']:,} events) in % of what indexing them took, node and client"
    counting = "... of counting them alone"
    if run["node"] is None or indexing["node"] is None:
        yield _target(whole, 2.0, None)
        yield _target(counting, 2.0, None)
        return
    took = (indexing["node"] + indexing["cpu"]) / 100
    yield _target(whole, 2.0, (run["node"] + run["cpu"]) * events / run["events"] / took, why=_RUN)
    yield _target(counting, 2.0, (run["counting"]["node"] + run["counting"]["cpu"]) / took, why=_HOURLY)
