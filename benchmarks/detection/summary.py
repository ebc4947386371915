"""Verdicts beside labels, summed up: false alarms, power, delay, segments, events."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Sequence
from typing import Any

from benchmarks.detection.judging import Judged, Outcome
from benchmarks.detection.scoring import Share, share_of, threshold_for
from benchmarks.detection.windows import CLEAN

Key = tuple[str, str, int]
"""Data set, mode, rows."""


def by_kind(outcomes: Iterable[Outcome], *, delay: bool = False) -> dict[Key, list[Outcome]]:
    """Outcomes of single windows (or, with ``delay``, of runs of ten) by where they come from."""
    found: dict[Key, list[Outcome]] = {}
    for outcome in outcomes:
        if outcome.label.delay == delay:
            found.setdefault((outcome.data, outcome.mode, outcome.rows), []).append(outcome)
    return found


def false_alarms(judged: Judged, groups: dict[str, dict[str, tuple[str, ...]]]) -> list[dict[str, Any]]:
    """A row for each contender, data set, mode and size: alarms among feature checks of clean windows.

    Args:
        judged: What everybody said.
        groups: Data set -> its groups of features.
    """
    rows = []
    for name, outcomes in judged.outcomes.items():
        for (data, mode, size), members in by_kind(outcomes).items():
            clean = [one for one in members if one.label.kind == CLEAN]
            if not clean or mode == "event":
                continue
            rows.append(
                {
                    "contender": name,
                    "data": data,
                    "mode": mode,
                    "rows": size,
                    "checks": _checks(clean).to_dict(),
                    "paging": _checks(clean, paging=True).to_dict(),
                    "windows": share_of([bool(one.alerts()) for one in clean]).to_dict(),
                    "groups": {
                        group: _checks(clean, only=features).to_dict() for group, features in groups[data].items()
                    },
                    "worst": _most_frequent(clean),
                    "alerts": _alerts(clean),
                }
            )
    return rows


def _checks(outcomes: Sequence[Outcome], *, paging: bool = False, only: tuple[str, ...] | None = None) -> Share:
    hits = of = 0
    for one in outcomes:
        features = [name for name in one.features if only is None or name in only]
        alarmed = one.alerts(paging=paging)
        hits += sum(name in alarmed for name in features)
        of += len(features)
    return Share(hits, of)


def _most_frequent(outcomes: Sequence[Outcome], most: int = 4) -> dict[str, int]:
    counts: dict[str, int] = {}
    for one in outcomes:
        for name in one.alerts():
            counts[name] = counts.get(name, 0) + 1
    return dict(sorted(counts.items(), key=lambda item: (-item[1], item[0]))[:most])


def _alerts(outcomes: Sequence[Outcome], most: int = 40) -> list[list[str | None]]:
    """Which day, feature, check, severity: what somebody reads who wants to know why."""
    return [
        [one.label.day, alert[0], alert[1], alert[2], alert[3]]
        for one in outcomes
        for verdict in one.verdicts
        for alert in verdict["alerts"]
    ][:most]


def power(judged: Judged) -> list[dict[str, Any]]:
    """A row for each contender, place and fault: how often the broken feature alarms, and its segment is named."""
    rows = []
    for name, outcomes in judged.outcomes.items():
        for (data, mode, size), members in by_kind(outcomes).items():
            for kind, feature in _faults(members):
                hit = [one for one in members if (one.label.kind, one.label.feature) == (kind, feature)]
                if feature not in hit[0].features:
                    continue
                row: dict[str, Any] = {
                    "contender": name, "data": data, "mode": mode, "rows": size, "fault": kind, "feature": feature,
                    "found": share_of([feature in one.alerts() for one in hit]).to_dict(),
                }  # fmt: skip
                if hit[0].label.segment is not None:
                    row["named"] = share_of([_names(one) for one in hit]).to_dict()
                    row["named_first"] = share_of([_names(one, first=True) for one in hit]).to_dict()
                rows.append(row)
    return rows


def _faults(outcomes: Sequence[Outcome]) -> list[tuple[str, str]]:
    pairs = [(one.label.kind, one.label.feature) for one in outcomes if one.label.feature is not None]
    return list(dict.fromkeys(pairs))


def _names(outcome: Outcome, *, first: bool = False) -> bool:
    """Whether the broken segment is named by the feature's first alert; with ``first`` by the window's first."""
    segment = outcome.label.segment
    alerts = outcome.verdicts[0]["alerts"]
    about = alerts[:1] if first else [alert for alert in alerts if alert[0] == outcome.label.feature][:1]
    return segment is not None and any(a[0] == outcome.label.feature and a[1] == segment[1] for a in about)


def equal_power(judged: Judged, ours: str = "mllog") -> list[dict[str, Any]]:
    """Power where every contender's threshold is set so that it alarms on clean windows no more often than ours.

    The clean windows are those of the same data set, mode and size. Scores at or below the threshold are quiet, so
    ties never count for a peer more often than for us. Peers that were given fewer windows are matched by rate.
    """
    rows = []
    held = by_kind(judged.outcomes.get(ours, []))
    for name, outcomes in judged.outcomes.items():
        for key, members in by_kind(outcomes).items():
            clean = [one for one in members if one.label.kind == CLEAN]
            scores = [one.scores[f] for one in clean for f in one.features if f in one.scores]
            mine = held.get(key, [])
            if name.startswith(ours) or not scores or not mine:
                continue
            rate = _checks([one for one in mine if one.label.kind == CLEAN]).value or 0.0
            limit = threshold_for(scores, int(rate * len(scores) + 1e-9))
            for kind, feature in _faults(members):
                hit = [one for one in members if (one.label.kind, one.label.feature) == (kind, feature)]
                same = [one for one in mine if (one.label.kind, one.label.feature) == (kind, feature)]
                if feature not in hit[0].features:
                    continue
                own = [one.scores[feature] for one in clean if feature in one.scores]
                usual = sum(feature in one.alerts() for one in mine if one.label.kind == CLEAN)
                near = threshold_for(own, usual * len(own) // max(sum(one.label.kind == CLEAN for one in mine), 1))
                rows.append(
                    {
                        "contender": name, "data": key[0], "mode": key[1], "rows": key[2], "fault": kind,
                        "feature": feature, "threshold": limit, "clean_scores": len(scores),
                        "found": share_of([one.scores.get(feature, 0.0) > limit for one in hit]).to_dict(),
                        # The same with a threshold for this feature alone: of few clean windows a rough one.
                        "found_own": share_of([one.scores.get(feature, 0.0) > near for one in hit]).to_dict(),
                        "ours": share_of([feature in one.alerts() for one in same]).to_dict(),
                    }
                )  # fmt: skip
    return rows


def delays(judged: Judged) -> list[dict[str, Any]]:
    """A row for each contender and fault: rows of 200-row windows until the feature alarms, and until it pages."""
    rows = []
    for name, outcomes in judged.outcomes.items():
        for (data, mode, size), members in by_kind(outcomes, delay=True).items():
            for kind, feature in [(CLEAN, None), *_faults(members)]:
                hit = [one for one in members if (one.label.kind, one.label.feature) == (kind, feature)]
                if not hit or (feature is not None and feature not in hit[0].features):
                    continue
                first = [_first(one, _alarms, feature) for one in hit]
                paged = [_first(one, _pages, feature) for one in hit]
                rows.append(
                    {
                        "contender": name, "data": data, "mode": mode, "rows": size, "fault": kind,
                        "feature": feature,
                        "found": share_of([k is not None for k in first]).to_dict(),
                        "median_rows": _median([(k + 1) * size for k in first if k is not None]),
                        "paged": share_of([k is not None for k in paged]).to_dict(),
                        "median_page": _median([(k + 1) * size for k in paged if k is not None]),
                    }
                )  # fmt: skip
    return rows


def _alarms(verdict: dict[str, Any], feature: str | None) -> bool:
    return any(feature is None or alert[0] == feature for alert in verdict["alerts"])


def _pages(verdict: dict[str, Any], feature: str | None) -> bool:
    return any(feature is None or feature in features for features in verdict["pages"])


def _first(outcome: Outcome, says: Callable[[dict[str, Any], str | None], bool], feature: str | None) -> int | None:
    return next((k for k, verdict in enumerate(outcome.verdicts) if says(verdict, feature)), None)


def _median(values: list[int]) -> float | None:
    ordered = sorted(values)
    n = len(ordered)
    return (ordered[(n - 1) // 2] + ordered[n // 2]) / 2 if n else None


def events(judged: Judged, storms: Sequence[str], holiday: str) -> list[dict[str, Any]]:
    """A row for each contender: storm days found, the holiday found, calm days with an alarm."""
    rows = []
    for name, outcomes in judged.outcomes.items():
        days = {one.label.day: one for one in outcomes if one.mode == "event"}
        if not days:
            continue
        calm = [one for day, one in days.items() if one.label.kind == CLEAN and day != holiday]
        rows.append(
            {
                "contender": name,
                "storms": share_of([bool(days[day].alerts()) for day in storms if day in days]).to_dict(),
                "holiday": sorted(days[holiday].alerts()) if holiday in days else None,
                "calm": share_of([bool(one.alerts()) for one in calm]).to_dict(),
                "calm_paging": share_of([bool(one.alerts(paging=True)) for one in calm]).to_dict(),
                "checks": _checks(calm).to_dict(),
                "alerts": _alerts(calm),
            }
        )
    return rows


def cpu(judged: Judged) -> dict[str, dict[str, float]]:
    """Median CPU seconds of a window by contender and part, over resampled windows of 2,000 rows."""
    found = {}
    for name, outcomes in judged.outcomes.items():
        parts: dict[str, list[float]] = {}
        for one in outcomes:
            if one.rows == 2_000 and one.mode == "iid" and not one.label.delay:
                for part, seconds in one.verdicts[0]["cpu"].items():
                    parts.setdefault(part, []).append(seconds)
        found[name] = {part: sorted(values)[len(values) // 2] for part, values in parts.items()}
    return found
