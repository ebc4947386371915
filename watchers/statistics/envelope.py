"""How far windows go with nothing broken: the greatest of history, the margin beyond it, tails that are skewed."""

from __future__ import annotations

from typing import Final

import numpy as np
import numpy.typing as npt
from scipy import special

Array = npt.NDArray[np.float64]

BY_NATURE: Final = 1e-4
"""Probability with which nature alone may take a window out of the envelope."""

MOST_MARGIN: Final = 4.0

WINDOWS_PER_OUTLIER: Final = 256
"""One window in so many may lie outside of the envelope."""


def skewed_tail(t: Array, skewness: Array) -> Array:
    """Probability of what lies beyond ``t`` where the statistic is skewed towards it; 0 where it is skewed away.

    Pearson's type III curve, which has that skewness: a gamma distribution (Johnson, Kotz & Balakrishnan 1994,
    Continuous Univariate Distributions 1, ch. 17). Of a number that is nearly always zero the normal tail says far
    too little.
    """
    towards = skewness * np.sign(t)
    shape = 4 / np.maximum(towards, 1e-3) ** 2
    result: Array = np.where(towards > 1e-3, special.gammaincc(shape, shape + np.abs(t) * np.sqrt(shape)), 0.0)
    return result


def margin(share: Array, effective: Array) -> Array:
    """By how much ``t`` must exceed the greatest of history's.

    Sampling noise has thin tails, so the greatest of many is a good bound. Nature's are as thick as an exponential's:
    of ``H`` independent windows the greatest is about ``log H`` scales, and a new one exceeds ``k`` times that with
    probability ``H^-k`` (Renyi 1953, Acta Mathematica Hungarica 4:191).

    Args:
        share: Of natural in all variance.
        effective: Number of independent windows.
    """
    natural = np.minimum(-np.log(BY_NATURE) / np.log(np.maximum(effective, 2.0)), MOST_MARGIN)
    result: Array = 1.25 + 0.5 * share + np.maximum(natural - 1.75, 0.0) * np.maximum(2 * share - 1, 0.0)
    return result


def envelope(by_window: Array) -> Array:
    """The greatest value of history's windows, where they are hundreds without the very greatest few.

    One broken hour that was over before anybody believed it must not blind a month of hours; two in three windows
    have to lie outside before anybody is told.
    """
    count = len(by_window)
    if count == 0:
        return np.zeros(by_window.shape[1])
    highest = by_window.max(axis=0)
    for _ in range(count // WINDOWS_PER_OUTLIER):
        by_window = np.where(by_window >= highest, -np.inf, by_window)
        lower = by_window.max(axis=0)
        highest = np.where(np.isfinite(lower), lower, highest)
    result: Array = highest
    return result
