"""What checks of shifts (either way) share: a t test against history, an envelope, a floor."""

from __future__ import annotations

from collections.abc import Callable

import numpy as np

from watchers.checks._rates import FEW, SEGMENT_KAPPA, rare_counts
from watchers.finding import Effect, Finding
from watchers.history import Builder
from watchers.statistics import rate_low
from watchers.view import Tests, View

Describe = Callable[[Finding, str, str], str]
MakeEffect = Callable[[float, float, float], Effect]


def shift_tests(
    view: View,
    name: str,
    build: Builder,
    *,
    floor: float,
    larger: float,
    describe: Describe,
    effect: MakeEffect,
    segment_floor: float | None = None,
    sign: int = 0,
    shares: bool = False,
) -> list[Tests]:
    """Tests of "elsewhere than at these hours": of all events and, with ``segment_floor``, within each segment.

    Args:
        view: The window.
        name: The check's name, under which its contrasts are kept.
        build: Makes the contrasts.
        floor: The lower bound of ``|r|`` must exceed this.
        larger: The floor where natural variance is unknown.
        describe: Message from finding, the contrast's label and where it is; may set severity and evidence.
        effect: Effect from ``r`` and the bounds of its size.
        segment_floor: Floor within segments.
        sign: 1 or -1 where only one direction is a fault.
        shares: The contrasts are shares, whose small counts are judged as rare events.
    """
    if view.learning:
        return []
    contrasts, _ = view.contrast(name, build)
    results = []
    for segmented, bound in ((False, larger if view.larger_floors else floor), (True, segment_floor)):
        if bound is None or (segmented and not view.history.segments) or not len(contrasts):
            continue
        results.append(_tests(view, name, build, bound, describe, effect, segmented=segmented, sign=sign, shares=shares))
    return results


def _tests(
    view: View, name: str, build: Builder, floor: float, describe: Describe, effect: MakeEffect, *, segmented: bool, sign: int, shares: bool
) -> Tests:
    contrasts, c = view.contrast(name, build, segmented=segmented)
    width = len(contrasts)
    passes = c.beyond & (c.low > floor)
    p_value = c.p_value
    if shares:
        few = c.expected * c.n < FEW
        more = rare_counts(c)
        p_value = np.where(few, np.where(c.r > 0, more, 1.0), p_value)
        passes = np.where(few, (c.observed > 1.25 * c.worst_rate) & (rate_low(c.observed * c.n, c.n) - c.expected > floor), passes)
    if segmented:
        passes &= np.abs(c.t) > SEGMENT_KAPPA * c.extreme
    if sign:
        passes &= sign * c.r > 0
        p_value = np.where(sign * c.r > 0, p_value, 1.0)

    def make(i: int) -> Finding:
        column = i % width
        segment = view.history.segments[i // width] if segmented else None
        n, observed, expected = int(c.n[i]), float(c.observed[i]), float(c.expected[i])
        where = "" if segment is None else f" in {segment[0]}={segment[1]}"
        if not segmented and passes[i]:
            place = view.concentrated(name, build, column)
            if place is not None:
                segment, n, observed, expected = place
                where = f"; nearly all of it in {segment[0]}={segment[1]}"
        r = observed - expected if segment is not None else float(c.r[i])
        size = abs(r) / abs(float(c.r[i])) if c.r[i] else 1.0
        bounds = sorted((np.sign(r) * float(c.low[i]) * size, np.sign(r) * float(c.high[i]) * size))
        finding = view.finding(
            name, feature=contrasts.features[column], segment=segment, n=n, observed=observed, reference=expected, message="",
            p_value=float(p_value[i]), effect=effect(r, float(bounds[0]), float(bounds[1])),
            onset=view.onset(name, build, i, segmented=segmented) if passes[i] else None,
            evidence={"query": {"kind": "any", "feature": contrasts.features[column]}},
        )  # fmt: skip
        finding.message = describe(finding, contrasts.labels[column], view.since(finding.onset) + where)
        return finding

    features = list(contrasts.features) * (len(p_value) // width)
    return Tests(features, p_value, passes, np.abs(c.t), make, "segment" if segmented else "all")
