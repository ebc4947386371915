"""Since when: the step that best explains a run of residuals."""

from __future__ import annotations

from typing import Final

import numpy as np

from watchers.statistics.contrast import residuals
from watchers.statistics.rows import Array, Rows, strata_totals

RARE: Final = 0.005
"""Below this expected rate the t approximation fails, and counts are judged as rare events."""


def onset(past: Rows, recent: Rows, *, inflation: float = 1.0, plain: bool = True) -> int:
    """Index of the row of ``recent`` since which a contrast is shifted.

    Args:
        past: History's rows of one contrast.
        recent: Consecutive rows up to now, some of history's among them.
        inflation: Design effect, as in :func:`watchers.statistics.contrast.contrast`.
        plain: Whether its weights are 1, so that it counts events.
    """
    totals = strata_totals(past, int(max(past.stratum.max(initial=0), recent.stratum.max(initial=0))) + 1)
    before = residuals(past, totals, leave_out=True, inflation=inflation)
    n = np.maximum(past.n, 1)
    spread = np.where(past.n > 0, (before.e**2 - before.variance) / n**2, 0.0)
    natural = max(float(spread.sum()) / max(int((past.n > 0).sum()), 1), 0.0)
    now = residuals(recent, totals, leave_out=False, inflation=inflation)
    rate = totals[0].sum() / max(float(totals[2].sum()), 1.0)
    x, held, e, variance = (part[:, 0] for part in (recent.x, recent.n, now.e, now.variance))
    return onset_of_events(x, x - e, held) if plain and rate < RARE else onset_of_shift(e, variance, held, natural)


def onset_of_events(x: Array, expected: Array, n: Array) -> int:
    """Index of the first row of the step that best explains events which hardly ever happened.

    Poisson likelihood ratio of *the usual rate, then another constant rate*: where next to none is expected, the first
    few events say more than any normal approximation of them.

    Args:
        x: Events in consecutive rows, shape (rows,); the last row is the newest.
        expected: How many are usual.
        n: How many could have been.
    """
    events, usual, base = (np.cumsum(part[::-1])[::-1] for part in (x, np.maximum(expected, 1e-6 * n), n))
    rate = events / np.maximum(base, 1e-12)
    # Rows k.. at their own rate against rows k.. as usual: sum x log(rate n / usual) - (rate n - usual).
    logs = np.cumsum((x * np.log(np.maximum(n, 1e-12) / np.maximum(expected, 1e-6 * np.maximum(n, 1e-12))))[::-1])[::-1]
    gain = logs + events * np.log(np.maximum(rate, 1e-12)) - (rate * base - usual)
    return int(np.argmax(np.where(n > 0, gain, -1.0)))


def onset_of_shift(e: Array, variance: Array, n: Array, natural: float) -> int:
    """Index of the first row of the step that maximises the likelihood ratio of *no change, then a constant shift*.

    Args:
        e: Residual sums of consecutive rows, shape (rows,); the last row is the newest.
        variance: Their sampling variances.
        n: Their denominators.
        natural: Natural variance of a row's contrast (per unit of ``n`` squared).

    Returns:
        ``k`` such that rows ``k..`` are shifted (Page 1954, Biometrika 41:100, with the size of the shift estimated).
        Rows without events can't begin a shift.
    """
    # With shift d, e_j ~ N(d n_j, w_j): the log likelihood ratio of rows k.. is (sum e n/w)^2 / (2 sum n^2/w).
    w = np.maximum(variance + natural * n * n, 1e-12)
    score = np.cumsum((e * n / w)[::-1])[::-1]
    information = np.cumsum((n * n / w)[::-1])[::-1]
    gain = np.where(n > 0, score**2 / np.maximum(information, 1e-12), -1.0)
    return int(np.argmax(gain))
