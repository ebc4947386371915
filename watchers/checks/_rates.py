"""What checks of rates share: one test for common events, one for rare ones, a floor under both."""

from __future__ import annotations

import datetime as dt
from collections.abc import Callable
from dataclasses import dataclass, replace
from typing import Final

import numpy as np
import numpy.typing as npt

from watchers.check import Tests
from watchers.finding import Effect, Finding, Severity
from watchers.history import Builder, Contrasts
from watchers.statistics import MIN_EVENTS, Contrasted, rare_events, rate_low
from watchers.statistics.onset import RARE
from watchers.statistics.rows import Array
from watchers.view import View

SEGMENT_KAPPA: Final = 1.5
"""Within segments the window must exceed the largest ``|t|`` of history by this factor."""

SEGMENT_FLOOR: Final = 20
"""A segment must show so many times what all events must: there are many segments."""

FEW: Final = 10
"""With fewer expected events the normal approximation fails in the tail, whatever the rate."""

LEAST: Final = 3
"""Fewer events than this are an anecdote."""


def indicators(
    features: list[str], tops: list[list[int]], bottoms: list[list[int]], *, inflation: float = 1.0
) -> Contrasts:
    """Contrasts that are plain rates: positions that count over positions that could."""
    return Contrasts(
        tuple(features),
        tuple("rate" for _ in features),
        tuple(tuple((i, 1.0) for i in top) for top in tops),
        tuple(tuple(bottom) for bottom in bottoms),
        inflation,
    )


@dataclass(frozen=True, slots=True)
class _Judged:
    """Rates of a window, common and rare ones judged each in its way."""

    c: Contrasted
    p_value: Array
    low: Array
    passes: npt.NDArray[np.bool_]
    judged: npt.NDArray[np.bool_]


@dataclass(frozen=True)
class Rate:
    """Tests of "more often than at these hours".

    Attributes:
        check: The check's name, under which its contrasts are kept.
        build: Makes the contrasts of :func:`indicators`.
        floor: The lower bound of the increase must exceed this share.
        sentence: The finding's message, from the view, the finding, and the words that say since when and where.
        query: Which documents show it (see ``Finding.evidence``).
        severity: How bad a finding is.
        segmented: Whether each segment is tested too.
        whole: Whether it is about the model; its contrast is then named ``@`` and the check, for the quarantine.
        first_seen: A better onset than the step that fits best, where the check knows one.
    """

    check: str
    build: Builder
    floor: float
    sentence: Callable[[View, Finding, str], str]
    query: str
    severity: Callable[[Finding], Severity]
    segmented: bool = False
    whole: bool = False
    first_seen: Callable[[View, str], dt.datetime | None] | None = None

    def tests(self, view: View) -> list[Tests]:
        """Test all events, and the segments where that is wanted and there is history enough."""
        if view.n < MIN_EVENTS:
            return []
        results = [self._tests(view, segmented=False)]
        if self.segmented and view.history.segments and not view.learning:
            results.append(self._tests(view, segmented=True))
        return results

    def _judge(self, view: View, c: Contrasted, *, segmented: bool) -> _Judged:
        x = c.observed * c.n
        history = c.history_x / np.maximum(c.history_n, 1)
        rare = (history < RARE) | (c.expected * c.n < FEW)
        floor = self.floor * SEGMENT_FLOOR if segmented else self.floor
        if view.larger_floors:
            floor = max(10 * floor, 0.05)
        common = np.where(c.t > 0, c.p_value, 1.0)
        if view.learning:
            # Where training is all there is, only "never there, now there" needs no variance.
            rare &= history < RARE / 5
            common = np.ones_like(common)
        low = np.where(rare, rate_low(x, c.n) - history, c.low)
        outside = np.where(rare, c.observed > 1.25 * c.worst_rate, c.beyond)
        if segmented:
            outside &= rare | (np.abs(c.t) > SEGMENT_KAPPA * c.extreme)
        passes = outside & (low > floor) & (c.observed > c.expected) & (x >= LEAST) & view.lasting(c)
        judged = np.where(rare, (c.n >= MIN_EVENTS) & (c.history_n > 0) | c.judged, c.judged & (not view.learning))
        return _Judged(c, np.where(rare, rare_counts(c), common), low, passes, judged)

    def _tests(self, view: View, *, segmented: bool) -> Tests:
        contrasts, c = view.contrast(self.check, self.build, segmented=segmented)
        none = c.history_n == 0
        if contrasts.trained and not segmented and none.any():
            # All of history lies in incidents: what training never had is told all the same.
            x, _, n = contrasts.sums(view.training[contrasts.cells])
            usual = np.where(none, x / np.maximum(n, 1), c.expected)
            past_x, past_n = np.where(none, x, c.history_x), np.where(none, n, c.history_n)
            c = replace(c, history_x=past_x, history_n=past_n, expected=usual)
        judged = self._judge(view, c, segmented=segmented)

        def make(i: int) -> Finding:
            return self._finding(view, judged, i, segmented=segmented)

        features = [self._about(name) for name in contrasts.features] * (len(c.n) // max(len(contrasts), 1))
        family = "segment" if segmented else "all"
        return Tests(features, judged.p_value, judged.passes, np.abs(c.r), make, family, judged.judged)

    def _about(self, name: str) -> str | None:
        return None if self.whole else name

    def _finding(self, view: View, judged: _Judged, i: int, *, segmented: bool) -> Finding:
        contrasts, c = view.history.contrasts(self.check, self.build), judged.c
        column = i % len(contrasts)
        n, observed, expected = int(c.n[i]), float(c.observed[i]), float(c.expected[i])
        effect = Effect("difference in share", float(c.r[i]), float(judged.low[i]), float(max(c.high[i], c.r[i])))
        segment = view.history.segments[i // len(contrasts)] if segmented else None
        where = "" if segment is None else f" in {segment[0]}={segment[1]}"
        place = view.concentrated(self.check, self.build, column) if judged.passes[i] and not segmented else None
        if place is not None:
            segment, n, observed, expected = place
            bound = float(rate_low(np.array([observed * n]), np.array([float(n)]))[0])
            effect = Effect(effect.name, observed - expected, bound - expected, 1 - expected)
            where = f"; nearly all of them have {segment[0]}={segment[1]}"
        since = view.onset(self.check, self.build, i, segmented=segmented) if judged.passes[i] else None
        if since is not None and self.first_seen is not None:
            since = min(since, self.first_seen(view, contrasts.features[column]) or since)
        about = self._about(contrasts.features[column])
        finding = view.finding(
            self.check,
            feature=about,
            segment=segment,
            n=n,
            observed=observed,
            reference=expected,
            p_value=float(judged.p_value[i]),
            effect=effect,
            message="",
            onset=since,
            evidence={
                "query": {"kind": self.query, "feature": about},
                "concentrated": place is not None,
            },
        )
        finding.severity = self.severity(finding)
        if view.learning and finding.severity != "critical":
            # A stream that differs from training from its first hour on is its own history.
            finding.severity = "info"
        finding.message = self.sentence(view, finding, view.since(since) + where)
        return finding


def rare_counts(c: Contrasted) -> Array:
    """P values of "more than expected at these hours" for counts too small for a t test."""
    hours = np.maximum(c.expected, c.history_x / np.maximum(c.history_n, 1))
    return rare_events(c.observed * c.n, c.n, hours * c.history_n, c.history_n, c.phi)


def percent(share: float | None) -> str:
    """``"31%"``, ``"1.2%"``, ``"0.04%"``."""
    if share is None:
        return "?"
    value = 100 * share
    return f"{value:.0f}%" if value >= 10 or value == 0 else f"{value:.2g}%"
