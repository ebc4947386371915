"""More requests than usual have inputs that are all equal to an earlier request's of the same hour.

Runbook: a batch that was replayed within the hour, a file that was sent twice, a storm of retries, a client that polls.
Look at the host and the caller of the repeated ones; where a retry storm is the cause, latency and failures rose before
it. Repeated predictions are counted, billed and averaged twice.
"""

from __future__ import annotations

from dataclasses import replace
from typing import Final

import numpy as np

from mllog.ruler import COMPARED, REPEATED, Feature
from watchers.check import FunctionCheck, Tests
from watchers.checks._rates import Rate, indicators, percent
from watchers.checks._said import said
from watchers.finding import Finding, Severity
from watchers.history import Contrasts
from watchers.statistics import MIN_EVENTS, rate_low
from watchers.view import LEARNING_WINDOWS, View

FLOOR: Final = 0.05

MOST: Final = 0.3
"""So many more than usual are critical."""

STUCK: Final = 0.5
"""A bin or category that gains so much of all requests is an input's own fault."""

NAME: Final = "@repeated"
"""What the counts are about, where a feature's name is asked for."""


def crowded(share: float, more: float) -> float:
    """The share that repeats by chance in ``more`` times as many requests, at most.

    Of requests drawn from equally frequent kinds, ``x`` of each on average, ``(1 - exp(-x)) / x`` are the first of
    their kind (classical occupancy; Feller, An Introduction to Probability Theory, 3rd ed. 1968, IV.2). What doesn't
    repeat falls fastest with the number of requests where all kinds are equally frequent: the share of those that would
    be new in as many requests again is a convex function of the share that is new, so any mixture loses less.

    Args:
        share: That repeats now, in [0, 1].
        more: A factor; 1 or less changes nothing.
    """
    if more <= 1 or share >= 1:
        return share
    if share < 1e-6:
        return min(share * more, 1.0)
    from scipy import optimize  # noqa: PLC0415 - few windows come so far, and loading it takes a while

    x = float(optimize.brentq(lambda x: -np.expm1(-x) / x - (1 - share), 1e-9, 2 / (1 - share)))
    return 1 + float(np.expm1(-x * more)) / (x * more)


def _by_chance(view: View, contrasts: Contrasts) -> float:
    """The share that would repeat in the window were it only busier than these hours usually are."""
    span = view.history.rows_of(*view.past)
    rows = view.history.rows("repeated", contrasts, span)
    now = view.history.rows("repeated", contrasts, view.history.rows_of(*view.now))
    taught = np.isin(view.history.row_profile(span), view.lessons(NAME)) & (rows.n[:, 0] > 0)
    expected = 0.0
    for hour, n in zip(now.stratum, now.n[:, 0], strict=True):
        usual = taught & (rows.stratum == hour)
        if not usual.any():
            usual = taught
        share = rows.x[usual, 0].sum() / rows.n[usual, 0].sum()
        expected += n * crowded(float(share), float(n / rows.n[usual, 0].mean()))
    return expected / float(now.n.sum())


def _says_less(view: View, feature: Feature) -> bool:
    """Whether an input tells requests apart less than it did: it is missing more often, or says the same in most."""
    n, past_n = max(view.n, 1), max(int(view.past_total[0]), 1)
    if view.missing(view.total, feature.name) / n - view.missing(view.past_total, feature.name) / past_n > FLOOR:
        return True
    if feature.kind not in {"number", "category", "boolean"}:
        return False
    cells = said(view.ruler, feature)
    return bool((view.total[cells] / n - view.past_total[cells] / past_n).max() > STUCK)


def _sentence(view: View, finding: Finding, where: str) -> str:
    return (
        f"{percent(finding.observed)} of requests repeat all inputs of an earlier one of the same hour "
        f"({percent(finding.reference)} {view.usually}){where}"
    )


def _severity(finding: Finding) -> Severity:
    return "critical" if (finding.observed or 0.0) - (finding.reference or 0.0) >= MOST else "warning"


def _run(view: View) -> list[Tests]:
    index = view.ruler.index
    if not view.ruler.repeated or view.learning:
        return []

    def build() -> Contrasts:
        return indicators([NAME], [[index[REPEATED]]], [[index[COMPARED]]])

    past = view.window_counts(NAME, [index[COMPARED]])
    n, x = (int(view.total[index[key]]) for key in (COMPARED, REPEATED))
    # Training has no hours of its own: only history says how often requests repeat.
    if n < MIN_EVENTS or (past[:, 0] > 0).sum() < LEARNING_WINDOWS:
        return []
    if any(_says_less(view, feature) for feature in view.ruler.inputs):
        return []  # requests look alike where an input is gone or stuck, of which other checks speak
    rate = Rate("repeated", build, floor=FLOOR, sentence=_sentence, query="any", severity=_severity, whole=True)
    (tests,) = rate.tests(view)
    busier = _by_chance(view, view.history.contrasts("repeated", build))
    low = float(rate_low(np.array([float(x)]), np.array([float(n)]))[0])
    made = tests.finding
    assert made is not None

    def make(i: int) -> Finding:
        finding = made(i)
        finding.evidence["by_chance"] = busier
        return finding

    return [replace(tests, passes=tests.passes & (low - busier > FLOOR), finding=make)]


check = FunctionCheck("repeated", _run)
