"""A feature says the same in (nearly) every request, while it used to vary: a default, a cache, a sensor that hangs.

Runbook: the finding names the value. One that was always the most frequent is a default that somebody fills in; any
other one is the last that arrived before the source stopped. Outputs that are stuck are a model that answers without
looking: see what came before.
"""

from __future__ import annotations

from typing import Final

import numpy as np
from scipy import stats

from mllog.ruler import LATENCY, Feature
from watchers.checks._rates import percent
from watchers.checks._said import named, said
from watchers.finding import Effect, Finding
from watchers.statistics import MIN_EVENTS
from watchers.view import FunctionCheck, Tests, View

SAME: Final = 0.99
"""Share of the requests with a value that must say the same."""

VARIES: Final = 0.95
"""A window of history in which one value made up more than this is how things sometimes are."""


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
    features = [f for f in view.ruler.features if f.kind in {"number", "category", "boolean"} and f.name != LATENCY]
    names, p_values, found = [], [], []
    for feature in features:
        # Values that are counted together may differ, so they say nothing but how many there are.
        cells, every = named(view.ruler, feature), said(view.ruler, feature)
        if len(cells) < 2:
            continue
        n = int(view.total[every].sum())
        cell = int(np.argmax(view.total[cells]))
        x = int(view.total[cells[cell]])
        if n < MIN_EVENTS or x < SAME * n:
            continue
        past = view.window_counts(feature.name, every)
        whole = past.sum(axis=1)
        past, whole = past[whole >= min(n, MIN_EVENTS)], whole[whole >= min(n, MIN_EVENTS)]
        if not len(whole):
            continue
        usual = float(past[:, cell].sum() / whole.sum())
        worst = float((past[:, cell] / whole).max())
        # As often as in the very worst window of history: how probable is it that all say the same?
        names.append(feature.name)
        p_values.append(float(stats.binom.sf(x - 1, n, worst)))
        found.append((feature, cell, n, x, usual, worst))
    if not names:
        return []

    def make(i: int) -> Finding:
        feature, cell, n, x, usual, _ = found[i]
        share = x / n
        return view.finding(
            "stuck",
            feature=feature.name,
            n=n,
            observed=share,
            reference=usual,
            p_value=p_values[i],
            effect=Effect("difference in share", share - usual, SAME - usual, 1 - usual),
            severity="critical" if not feature.is_input else "warning",
            message=f"`{feature.name}` says the same in {percent(share)} of requests ({percent(usual)} expected)"
            f"{view.since(view.profile.window.start)}: {_value(feature, cell)}",
            evidence={"query": {"kind": "any", "feature": feature.name}},
        )

    passes = np.array([worst <= VARIES for *_, worst in found])
    return [Tests(names, np.array(p_values), passes, np.array([x / n - usual for _, _, n, x, usual, _ in found]), make)]


check = FunctionCheck("stuck", _run)
