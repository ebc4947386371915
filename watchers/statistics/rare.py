"""Rare things: first nulls, a category that never was, values far outside; and how often something is by chance."""

from __future__ import annotations

import numpy as np
import numpy.typing as npt
from scipy import special

Array = npt.NDArray[np.float64]


def rare_events(x: Array, n: Array, history_x: Array, history_n: Array, phi: Array) -> Array:
    """How surprising ``x`` events among ``n`` are after ``history_x`` among ``history_n``.

    Gamma-Poisson predictive with Jeffreys' prior, counts divided by the overdispersion ``phi`` (quasi-Poisson):
    ``P(NB(S/phi + 1/2, N/(N+n)) >= x/phi)``.

    Args:
        x: Events in the window, shape (contrasts,).
        n: Events that could have been.
        history_x: The same of history.
        history_n: The same of history.
        phi: Variance over mean of counts of like windows, at least 1.

    Returns:
        p values, one-sided (more than expected); 1 where the window has no such event or history no data.
    """
    # P(NB(r, p) >= k) = I(1 - p; k, r), the regularised incomplete beta function (DLMF 8.17).
    failure = np.clip(n / np.maximum(history_n + n, 1.0), 0.0, 1.0)
    p = special.betainc(np.maximum(np.ceil(x / phi), 1.0), history_x / phi + 0.5, failure)
    usable = (x > 0) & (history_n > 0) & (n > 0)
    result: Array = np.where(usable, np.clip(p, 0.0, 1.0), 1.0)
    return result


def at_least(x: npt.ArrayLike, n: npt.ArrayLike, rate: npt.ArrayLike) -> Array:
    """How probable ``x`` or more of ``n`` are where each is one with probability ``rate``: a binomial's upper tail.

    As ``scipy.stats.binom.sf(x - 1, n, rate)``: the regularised incomplete beta function (DLMF 8.17.5), without loading
    ``scipy.stats``, which takes longer than most commands do.

    Args:
        x: Whole numbers from 0 to ``n``.
        n: Whole numbers.
        rate: From 0 to 1.
    """
    x, n, rate = (np.asarray(part, np.float64) for part in (x, n, rate))
    result: Array = np.where(x > 0, special.betainc(np.maximum(x, 1.0), n - x + 1, rate), 1.0)
    return result


def rate_low(x: Array, n: Array, confidence: float = 0.95) -> Array:
    """Lower one-sided bound of a rate (Jeffreys interval: Brown, Cai & DasGupta 2001, Statistical Science 16:101)."""
    bound = special.betaincinv(x + 0.5, np.maximum(n - x, 0) + 0.5, 1 - confidence)
    result: Array = np.where(x > 0, bound, 0.0)
    return result
