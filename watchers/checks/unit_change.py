"""A number's unit changed: everything, or one segment's values, are multiplied by a factor that units differ by.

Runbook: the factor names the pair (1.609: miles and kilometres). Look at the source that feeds the segment.
"""

from __future__ import annotations

from bisect import bisect_right
from typing import Final

import numpy as np

from mllog.ruler import Feature
from watchers.check import FunctionCheck, Tests
from watchers.checks._scores import ordered_contrasts
from watchers.finding import Effect, Finding
from watchers.history import Builder, Contrasts
from watchers.profile import ALL, Segment
from watchers.statistics import MIN_EVENTS, Contrasted
from watchers.view import View, inputs_of

FACTORS: Final = {
    1.609344: "miles to kilometres",
    2.20462: "kilograms to pounds",
    2.54: "inches to centimetres",
    3.28084: "metres to feet",
    3.6: "m/s to km/h",
    1.94384: "m/s to knots",
    3.78541: "gallons to litres",
    60.0: "hours to minutes, or minutes to seconds",
    24.0: "days to hours",
    10.0: "a factor of 10",
    100.0: "a share to percent, or a currency to its cents",
    1000.0: "a factor of 1,000",
    1e6: "a factor of 1,000,000",
}
"""Ratios of units that are mixed up in practice; their inverses count too."""

GRID: Final = np.exp(np.linspace(-np.log(2e6), np.log(2e6), 1201))
TOLERANCE: Final = 0.1
"""How far, in logarithms, the best scale may lie from a factor."""
GAIN: Final = 15.0
"""By how many nats the scaled distribution must explain the window better than the usual one."""
EXPLAINED: Final = 0.7
"""The factor must explain this share of how far the window is from usual: a unit changes nothing else."""
SMALL: Final = 0.25
"""A change of location under this many sd is no change of a unit."""

ZEROS: Final = 0.5
"""Of what is mostly zero no factor can be told: most hours have no rain, in millimetres or inches."""

FAR: Final = 3.0
"""A unit changes what hardly varies: the shift must be so many times what history ever showed. Rain is no unit."""


def _rescaled(p: np.ndarray, lower: np.ndarray, upper: np.ndarray, scale: float) -> np.ndarray:
    """Shares of the bins after all values were multiplied by ``scale``; values are spread evenly within their bin."""
    low, high = scale * lower[:, None], scale * upper[:, None]
    overlap = np.minimum(high, upper[None, :]) - np.maximum(low, lower[None, :])
    width = np.where(high > low, high - low, np.inf)  # a bin below zero has no width, and a positive number isn't in it
    result: np.ndarray = p @ (np.clip(overlap, 0, None) / width)
    result[-1] += p @ np.clip((high - np.maximum(low, upper[-1])) / width, 0, 1)[:, 0]
    return result


def best_scale(feature: Feature, usual: np.ndarray, now: np.ndarray) -> tuple[float, float, float]:
    """The factor that best turns the ``usual`` counts of the bins into those of ``now``.

    Args:
        feature: Its edges are the bins' bounds; it must be positive.
        usual: Counts of history, shape (bins,).
        now: Counts of the window, shape (bins,).

    Returns:
        Factor, by how many nats it explains ``now`` better than a factor of 1 does, and which share that is of what
        ``now`` itself would explain.
    """
    edges = np.asarray(feature.edges)
    lower = np.concatenate([[0.0], np.maximum(edges, 0.0)])
    upper = np.concatenate([np.maximum(edges, 0.0), [max(edges[-1] * 4, 1.0)]])
    p = (usual + 0.02) / (usual + 0.02).sum()
    noise = 0.02  # some of the window may be anything: no bin is impossible

    def likelihood(scale: float) -> float:
        q = (1 - noise) * _rescaled(p, lower, upper, scale) + noise / len(p)
        return float((now * np.log(q)).sum())

    # A coarse walk, then a fine one: the whole grid only where the bins reach.
    scores = np.array([likelihood(scale) for scale in GRID[::6]])
    centre = int(np.argmax(scores)) * 6
    fine = GRID[max(centre - 6, 0) : centre + 7]
    values = np.array([likelihood(scale) for scale in fine])
    plain = likelihood(1.0)
    gain = float(values.max() - plain)
    most = float((now * np.log((1 - noise) * now / now.sum() + noise / len(p))).sum() - plain)
    return float(fine[int(np.argmax(values))]), gain, gain / max(most, 1e-12)


def _named(scale: float) -> tuple[float, str] | None:
    candidates = [
        (abs(float(np.log(scale / value))), value, sense)
        for factor, meaning in FACTORS.items()
        for value, sense in ((factor, meaning), (1 / factor, f"the reverse of {meaning}"))
    ]
    distance, value, sense = min(candidates)
    return (value, sense) if distance < TOLERANCE else None


def _run(view: View) -> list[Tests]:
    features = [f for f in inputs_of(view.ruler, "number") if f.low is not None and f.low >= 0 and f.high]
    if view.learning or not features or view.n < MIN_EVENTS:
        return []

    def build() -> Contrasts:
        return ordered_contrasts(view, inputs_of(view.ruler, "number"))

    positive = {feature.name: feature for feature in features}
    results = []
    for segmented in (False, True) if view.history.segments else (False,):
        contrasts, c = view.contrast("numeric_drift", build, segmented=segmented)
        width = len(contrasts)
        suspects = [
            i
            for i in np.flatnonzero(
                (np.abs(c.t) > FAR * np.maximum(c.kappa / 1.75, 1.0) * c.extreme) & (np.abs(c.r) > SMALL) & (c.low > 0)
            )
            if contrasts.labels[i % width] == "location" and contrasts.features[i % width] in positive
        ]
        found = {}
        for i in suspects:
            segment = view.history.segments[i // width] if segmented else ALL
            guess = _guess(view, positive[contrasts.features[i % width]], segment)
            if guess is not None:
                found[int(i)] = guess
        results.append(_tests(view, contrasts, c, found, build, segmented=segmented))
    return results


def _guess(view: View, feature: Feature, segment: Segment) -> tuple[float, str, float] | None:
    cells = [view.ruler.index[feature.name, "bin", str(k)] for k in range(len(feature.edges) + 1)]
    usual = np.zeros(len(cells))
    for k in view.lessons(feature.name):
        for (_, held), counts in view.history.profiles[k].cells.items():
            if held == segment:
                usual += counts[cells]
    now = view.profile.total(segment)[cells].astype(np.float64)
    zeros = usual[bisect_right(feature.edges, 0.0)]
    if usual.sum() < now.sum() or now.sum() == 0 or zeros > ZEROS * usual.sum():
        return None
    scale, gain, share = best_scale(feature, usual, now)
    named = _named(scale)
    return (named[0], named[1], gain) if named is not None and gain > GAIN and share > EXPLAINED else None


def _tests(
    view: View,
    contrasts: Contrasts,
    c: Contrasted,
    found: dict[int, tuple[float, str, float]],
    build: Builder,
    *,
    segmented: bool,
) -> Tests:
    width = len(contrasts)
    passes = np.zeros(len(c.p_value), dtype=bool)
    passes[list(found)] = True

    def make(i: int) -> Finding:
        factor, meaning, gain = found.get(i, (1.0, "no factor fits", 0.0))
        column = i % width
        segment = view.history.segments[i // width] if segmented else None
        since = view.onset("numeric_drift", build, i, segmented=segmented) if passes[i] else None
        where = "" if segment is None else f" in {segment[0]}={segment[1]}"
        return view.finding(
            "unit_change",
            feature=contrasts.features[column],
            segment=segment,
            n=int(c.n[i]),
            observed=factor,
            reference=1.0,
            p_value=float(c.p_value[i]),
            effect=Effect("factor", factor, factor * (1 - TOLERANCE), factor * (1 + TOLERANCE)),
            severity="critical",
            onset=since,
            message=f"`{contrasts.features[column]}` is multiplied by about {factor:.4g}"
            f"{where}{view.since(since)}: {meaning}",
            evidence={
                "gain": gain,
                "query": {
                    "kind": "number",
                    "feature": contrasts.features[column],
                    "side": "high" if factor > 1 else "low",
                },
            },
        )

    features = list(contrasts.features) * (len(c.p_value) // max(width, 1))
    return Tests(features, c.p_value, passes, np.abs(c.t), make, "segment" if segmented else "all", c.judged)


check = FunctionCheck("unit_change", _run)
