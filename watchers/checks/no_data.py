"""A stream that should have data has none.

Runbook: is the service up, does the logger write (``mllog doctor``), does the shipper reach the store? Until then the
model's state is unknown, not ok.
"""

from __future__ import annotations

import numpy as np

from watchers.check import FunctionCheck, Tests
from watchers.finding import Finding
from watchers.history import STRATA, Contrasts
from watchers.statistics import rare_events
from watchers.view import View

P_VALUE = 1e-4
MIN_LIKE = 3
"""Windows of the same hour that must be known."""


def _run(view: View) -> list[Tests]:
    if view.n or view.profile.window.start is None or not view.profile.complete:
        return []

    def build() -> Contrasts:
        return Contrasts(("",), ("events",), (((0, 1.0),),), ((0,),))

    past, now = view.history.rows_of(*view.past), view.history.rows_of(*view.now)
    _, _, n = view.history.sums("no_data", build())
    strata, events = view.history.strata(past), n[past, 0]
    expected, probability = 0.0, 1.0
    for stratum in view.history.strata(now):
        like = events[strata == stratum]
        if len(like) < MIN_LIKE:
            # Weekends are few: hours of any day stand in until there are enough of them.
            hours = [s for s in STRATA.values() if s and (s - 1) % 24 == (stratum - 1) % 24]
            like = events[np.isin(strata, hours)]
        if len(like) < MIN_LIKE or like.mean() <= 0:
            return []
        phi = max(float(like.var(ddof=1) / like.mean()), 1.0)
        # P(no event) under the gamma-Poisson predictive is one less P(at least one).
        some = rare_events(*(np.array([v]) for v in (1.0, 1.0, like.sum(), float(len(like)), phi)))[0]
        expected += float(like.mean())
        probability *= 1 - min(float(some), 1.0)
    if probability > P_VALUE:
        return []
    return [Tests(facts=[_finding(view, expected, max(probability, 0.0))])]


def _finding(view: View, expected: float, probability: float) -> Finding:
    start = view.profile.window.start
    return view.finding(
        "no_data",
        feature=None,
        n=0,
        observed=0.0,
        reference=expected,
        p_value=probability,
        severity="critical",
        onset=start,
        message=f"no prediction arrived{view.since(start)}, where about {expected:.0f} were expected",
    )


check = FunctionCheck("no_data", _run, immediate=True)
