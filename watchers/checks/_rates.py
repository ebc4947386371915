"""What checks of rates share: one test for common events, one for rare ones, a floor under both."""

from __future__ import annotations

from collections.abc import Callable
from typing import Final

import numpy as np
import numpy.typing as npt

from watchers.finding import Effect, Finding, Severity
from watchers.history import Builder, Contrasts
from watchers.profile import Segment
from watchers.statistics import Contrasted, rare_events, rate_low
from watchers.view import Tests, View

RARE: Final = 0.005
"""Below this expected rate the t approximation fails, and counts are judged as rare events."""

SEGMENT_KAPPA: Final = 1.5
"""Within segments the window must exceed the largest ``|t|`` of history by this factor."""

FEW: Final = 10
"""With fewer expected events the normal approximation fails in the tail, whatever the rate."""

Sentence = Callable[[View, Finding, str], str]


def indicators(features: list[str], tops: list[list[int]], bottoms: list[list[int]], *, inflation: float = 1.0) -> Contrasts:
    """Contrasts that are plain rates: positions that count over positions that could."""
    return Contrasts(
        tuple(features),
        tuple("rate" for _ in features),
        tuple(tuple((i, 1.0) for i in top) for top in tops),
        tuple(tuple(bottom) for bottom in bottoms),
        inflation,
    )


def rate_tests(
    view: View,
    name: str,
    build: Builder,
    *,
    floor: float,
    sentence: Sentence,
    query: str,
    severity: Callable[[Finding], Severity],
    segmented: bool = False,
) -> list[Tests]:
    """Tests of "more often than at these hours": of all events, and with ``segmented`` within each segment.

    Args:
        view: The window.
        name: The check's name, under which its contrasts are kept.
        build: Makes the contrasts of :func:`indicators`.
        floor: The lower bound of the increase must exceed this share.
        sentence: The finding's message.
        query: Which documents show it (see ``Finding.evidence``).
        severity: How bad a finding is.
        segmented: Whether segments are tested too.
    """
    contrasts, whole = view.contrast(name, build)
    results = [_tests(view, name, build, contrasts, whole, floor, sentence, query, severity, segmented=False)]
    if segmented and view.history.segments and not view.learning:
        _, parts = view.contrast(name, build, segmented=True)
        # A segment must show much more than the whole would have to: there are many of them.
        results.append(_tests(view, name, build, contrasts, parts, 20 * floor, sentence, query, severity, segmented=True))
    return results


def _tests(
    view: View,
    name: str,
    build: Builder,
    contrasts: Contrasts,
    c: Contrasted,
    floor: float,
    sentence: Sentence,
    query: str,
    severity: Callable[[Finding], Severity],
    *,
    segmented: bool,
) -> Tests:
    width = len(contrasts)
    x = c.observed * c.n
    history = c.history_x / np.maximum(c.history_n, 1)
    rare = (history < RARE) | (c.expected * c.n < FEW)
    if view.larger_floors:
        floor = max(10 * floor, 0.05) if not segmented else floor
    p_rare = rare_counts(c)
    low_rare = rate_low(x, c.n) - history
    # Where training is all there is, only "never there, now there" needs no variance.
    if view.learning:
        rare &= history < RARE / 5
        c_p = np.ones_like(c.p_value)
    else:
        c_p = np.where(c.t > 0, c.p_value, 1.0)
    p_value = np.where(rare, p_rare, c_p)
    low = np.where(rare, low_rare, c.low)
    outside = np.where(rare, c.observed > 1.25 * c.worst_rate, c.beyond)
    if segmented:
        outside &= rare | (np.abs(c.t) > SEGMENT_KAPPA * c.extreme)
    passes = outside & (low > floor) & (c.observed > c.expected) & (x >= 3)

    def make(i: int) -> Finding:
        column = i % width
        feature = contrasts.features[column]
        segment: Segment | None = view.history.segments[i // width] if segmented else None
        n, observed, expected = int(c.n[i]), float(c.observed[i]), float(c.expected[i])
        place = None if segmented else view.concentrated(name, build, column)
        if place is not None:
            segment, n, observed, expected = place
        finding = view.finding(
            name, feature=feature, segment=segment, n=n, observed=observed, reference=expected, p_value=float(p_value[i]),
            effect=Effect("difference in share", float(c.r[i]), float(low[i]), float(max(c.high[i], c.r[i]))), message="",
            onset=view.onset(name, build, i, segmented=segmented) if passes[i] else None,
            evidence={"query": {"kind": query, "feature": feature}},
        )  # fmt: skip
        where = "" if segment is None else (
            f" in {segment[0]}={segment[1]}" if segmented else f"; nearly all of them have {segment[0]}={segment[1]}"
        )
        finding.severity = severity(finding)
        finding.message = sentence(view, finding, view.since(finding.onset) + where)
        return finding

    features = list(contrasts.features) * (len(p_value) // max(width, 1))
    return Tests(features, p_value, passes, np.abs(c.r), make, "segment" if segmented else "all")


def rare_counts(c: Contrasted) -> npt.NDArray[np.float64]:
    """p values of "more than expected at these hours" for counts too small for a t test."""
    hours = np.maximum(c.expected, c.history_x / np.maximum(c.history_n, 1))
    return rare_events(c.observed * c.n, c.n, hours * c.history_n, c.history_n, c.phi)


def percent(share: float | None) -> str:
    """``"31%"``, ``"1.2%"``, ``"0.04%"``."""
    if share is None:
        return "?"
    value = 100 * share
    return f"{value:.0f}%" if value >= 10 or value == 0 else f"{value:.2g}%"
