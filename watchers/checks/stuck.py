"""A feature says the same in (nearly) every request, while it used to vary: a default, a cache, a sensor that hangs.

Runbook: the finding names the value. One that was always the most frequent is a default that somebody fills in; any
other one is the last that arrived before the source stopped. Outputs that are stuck are a model that answers without
looking: see what came before.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Final

import numpy as np
import numpy.typing as npt

from mllog.confidence import MARGIN, UNUSABLE
from mllog.ruler import LATENCY, Feature
from mllog.shapes import is_shape
from watchers.check import FunctionCheck, Tests
from watchers.checks._rates import percent
from watchers.checks._said import named, said
from watchers.finding import Effect, Finding
from watchers.statistics import MIN_EVENTS, at_least
from watchers.view import View

SAME: Final = 0.99
"""Share of the requests with a value that must say the same."""

_OTHERS: Final = frozenset({LATENCY, MARGIN, UNUSABLE})
"""What other checks watch: a margin that is always the same is a score that is."""

VARIES: Final = 0.95
"""A window of history in which any one value made up more than this is how things sometimes are: planes of one hour
share its weather."""

KAPPA: Final = 1.75
"""By how much the share must exceed its mean more than it ever did, either way."""

ENOUGH: Final = 64
"""Of so few windows none needs to have been as uniform as weather makes some."""


@dataclass(frozen=True, slots=True)
class _Stuck:
    """One feature that says the same."""

    feature: Feature
    cell: int
    n: int
    share: float
    usual: float
    p_value: float
    passes: bool


def _judge(view: View, feature: Feature) -> _Stuck | None:
    """Whether a feature says the same, and whether that is new."""
    # Values that are counted together may differ, so they say nothing but how many there are.
    cells, every = named(view.ruler, feature), said(view.ruler, feature)
    n = int(view.total[every].sum())
    if len(cells) < 2 or n < MIN_EVENTS:
        return None
    cell = int(np.argmax(view.total[cells]))
    x = int(view.total[cells[cell]])
    if x < SAME * n:
        return None
    past = view.window_counts(feature.name, every)
    past = past[past.sum(axis=1) >= MIN_EVENTS / 2]
    if len(past) < ENOUGH:
        return None
    # Of whichever value a window said most: what is the same in many windows, and another in each, isn't stuck.
    shares: npt.NDArray[np.float64] = past[:, : len(cells)].max(axis=1) / past.sum(axis=1)
    usual, share = float(shares.mean()), x / n
    apart = float(np.abs(shares - usual).max())
    return _Stuck(
        feature,
        cell,
        n,
        share,
        usual,
        # As often as in the window of history that varied least: how probable is it that all say the same?
        p_value=float(at_least(x, n, shares.max())),
        passes=bool(shares.max() <= VARIES and share - usual > KAPPA * apart),
    )


def _value(feature: Feature, cell: int) -> str:
    """The value, or the bin that it is in, in words."""
    if feature.kind != "number":
        return repr(feature.categories[cell])
    edges = feature.edges
    if 0 < cell < len(edges):
        return f"between {edges[cell - 1]:g} and {edges[cell]:g}"
    return f"below {edges[0]:g}" if cell == 0 else f"{edges[-1]:g} or more"


def _run(view: View) -> list[Tests]:
    if view.learning or view.n < MIN_EVENTS:
        return []
    kinds = {"number", "category", "boolean"}
    features = [f for f in view.ruler.features if f.kind in kinds and f.name not in _OTHERS and not is_shape(f.name)]
    judged = [_judge(view, feature) for feature in features]

    def make(i: int) -> Finding:
        found = judged[i]
        if found is None:
            return view.finding("stuck", feature=features[i].name, n=view.n, p_value=1.0, message="varies")
        return view.finding(
            "stuck",
            feature=found.feature.name,
            n=found.n,
            observed=found.share,
            reference=found.usual,
            p_value=found.p_value,
            effect=Effect("difference in share", found.share - found.usual, SAME - found.usual, 1 - found.usual),
            severity="warning" if found.feature.is_input else "critical",
            message=f"`{found.feature.name}` says the same in {percent(found.share)} of requests "
            f"({percent(found.usual)} expected){view.since(view.profile.window.start)}: "
            f"{_value(found.feature, found.cell)}",
            evidence={"query": {"kind": "any", "feature": found.feature.name}},
        )

    # All are tests of the window's family, so that those which vary aren't left out of its multiplicity.
    p_values = np.array([1.0 if found is None else found.p_value for found in judged])
    passes = np.array([found is not None and found.passes for found in judged], dtype=bool)
    size = np.array([0.0 if found is None else found.share - found.usual for found in judged])
    return [Tests([feature.name for feature in features], p_values, passes, size, make)]


check = FunctionCheck("stuck", _run)
