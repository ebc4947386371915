"""What checks of shifts (either way) share: a t test against history, an envelope, a floor."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import Any, Final

import numpy as np

from watchers.check import Tests
from watchers.checks._rates import FEW, SEGMENT_KAPPA, rare_counts
from watchers.finding import Effect, Finding
from watchers.history import Builder
from watchers.statistics import MIN_EVENTS, Contrasted, omnibus, rate_low
from watchers.view import View

SMALL_EFFECT: Final = 0.05
"""Cohen's w that shares must have moved by together: of two shares of a third each, a point."""


@dataclass(frozen=True)
class Shift:
    """Tests of "elsewhere than at these hours".

    Attributes:
        check: The check's name.
        key: What the contrasts are kept under.
        build: Makes the contrasts.
        floor: The lower bound of ``|r|`` must exceed this.
        larger: The floor where natural variance is unknown.
        describe: Message from finding, the contrast's label and where it is; may set severity and evidence.
        effect: Effect from ``r`` and the bounds of its size.
        segment_floor: Floor within segments; None leaves segments out.
        sign: 1 or -1 where only one direction is a fault.
        shares: The contrasts are shares, whose small counts are judged as rare events.
        each: Whether each contrast is tested; else only ``together``.
        together: Whether the shares of each feature are tested together as well, where there is history: without it
            any two samples differ in something.
    """

    check: str
    key: str
    build: Builder
    floor: float
    larger: float
    describe: Callable[[Finding, str, str], str]
    effect: Callable[[float, float, float], Effect]
    segment_floor: float | None = None
    sign: int = 0
    shares: bool = False
    each: bool = True
    together: bool = False

    def tests(self, view: View) -> list[Tests]:
        """Test all events, and the segments where there is a floor for them."""
        if view.learning or view.n < MIN_EVENTS:
            return []
        if not len(view.history.contrasts(self.key, self.build)):
            return []
        results = []
        floor = self.larger if view.larger_floors else self.floor
        if self.each:
            results.append(self._tests(view, floor, segmented=False))
        if self.together and not view.larger_floors:
            results.append(self._together(view, floor))
        if self.segment_floor is not None and view.history.segments:
            results.append(self._tests(view, self.segment_floor, segmented=True))
        return results

    def _tests(self, view: View, floor: float, *, segmented: bool) -> Tests:
        contrasts, c = view.contrast(self.key, self.build, segmented=segmented)
        passes = c.beyond & (c.low > floor)
        p_value = c.p_value
        if self.shares:
            few = c.expected * c.n < FEW
            p_value = np.where(few, np.where(c.r > 0, rare_counts(c), 1.0), p_value)
            low = rate_low(c.observed * c.n, c.n) - c.expected
            passes = np.where(few, (c.observed > 1.25 * c.worst_rate) & (low > floor), passes)
        passes &= view.lasting(c)
        if segmented:
            passes &= np.abs(c.t) > SEGMENT_KAPPA * c.extreme
        if self.sign:
            passes &= self.sign * c.r > 0
            p_value = np.where(self.sign * c.r > 0, p_value, 1.0)

        def make(i: int) -> Finding:
            return self._finding(view, c, i, float(p_value[i]), alert=bool(passes[i]), segmented=segmented)

        features = list(contrasts.features) * (len(p_value) // len(contrasts))
        # A change of location explains one of spread more often than the other way round.
        handicap = np.array([0.5 if label == "spread" else 1.0 for label in contrasts.labels])
        size = np.abs(c.t) * np.tile(handicap, len(p_value) // len(contrasts))
        return Tests(features, p_value, passes, size, make, "segment" if segmented else "all", c.judged)

    def _together(self, view: View, floor: float) -> Tests:
        """All shares of a feature in one test; the finding tells of the one that moved most."""
        contrasts, c = view.contrast(self.key, self.build)
        names = list(dict.fromkeys(contrasts.features))
        number = {name: k for k, name in enumerate(names)}
        groups = np.array([number[name] for name in contrasts.features])
        found = omnibus(c, groups, len(names))
        most = found.most
        passes = found.beyond & (found.low > SMALL_EFFECT) & (np.abs(c.r[most]) > floor) & view.lasting(c)[most]

        def make(g: int) -> Finding:
            p_value, alert = float(found.p_value[g]), bool(passes[g])
            together = {"name": "Cohen's w", "value": float(found.w[g]), "low": float(found.low[g])}
            return self._finding(view, c, int(most[g]), p_value, alert=alert, segmented=False, together=together)

        judged = np.array([c.judged[groups == g].any() for g in range(len(names))])
        return Tests(names, found.p_value, passes, np.zeros(len(names)), make, judged=judged)

    def _finding(
        self,
        view: View,
        c: Contrasted,
        i: int,
        p_value: float,
        *,
        alert: bool,
        segmented: bool,
        together: dict[str, Any] | None = None,
    ) -> Finding:
        contrasts = view.history.contrasts(self.key, self.build)
        column = i % len(contrasts)
        n, observed, expected = int(c.n[i]), float(c.observed[i]), float(c.expected[i])
        segment = view.history.segments[i // len(contrasts)] if segmented else None
        where = "" if segment is None else f" in {segment[0]}={segment[1]}"
        place = view.concentrated(self.key, self.build, column) if alert and not segmented else None
        if place is not None:
            segment, n, observed, expected = place
            where = f"; nearly all of it in {segment[0]}={segment[1]}"
        # The interval is that of all events, widened as the segment's effect is larger.
        r = observed - expected
        scale = r / float(c.r[i]) if c.r[i] else 1.0
        sign = float(np.sign(c.r[i]))
        low, high = sorted((sign * float(c.low[i]) * scale, sign * float(c.high[i]) * scale))
        since = view.onset(self.key, self.build, i, segmented=segmented) if alert else None
        finding = view.finding(
            self.check,
            feature=contrasts.features[column],
            segment=segment,
            n=n,
            observed=observed,
            reference=expected,
            message="",
            p_value=p_value,
            effect=self.effect(r, low, high),
            onset=since,
            evidence={
                "query": {"kind": "any", "feature": contrasts.features[column]},
                "concentrated": place is not None,
            }
            | ({"together": together} if together else {}),
        )
        finding.message = self.describe(finding, contrasts.labels[column], view.since(since) + where)
        return finding
