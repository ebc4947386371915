"""How far windows differ from each other beyond chance, and how many independent ones have shown it."""

from __future__ import annotations

from typing import Final

import numpy as np
import numpy.typing as npt
from scipy import special

Array = npt.NDArray[np.float64]

LEAST_CONTRASTS: Final = 4
"""Among fewer, nothing is said of what is usual,"""

LEAST_FREEDOM: Final = 4.0
"""nor by contrasts with fewer degrees of freedom."""

MOST_FREEDOM: Final = 1_000.0
"""What the other contrasts say is worth no more windows than this."""

STEADIEST: Final = 0.98
"""Autocorrelation is not believed beyond this."""


def natural_variance(
    r: Array, v: Array, weight: Array, usable: npt.NDArray[np.bool_], sampling: Array, common: npt.NDArray[np.bool_]
) -> tuple[Array, Array]:
    """Natural variance of a window's contrast, by moments, and the number of independent windows behind it.

    The variance is the mean of ``r^2 - v`` (DerSimonian & Laird 1986), drawn towards what is usual among the contrasts
    as far as these resemble each other (:func:`moderated`), made larger by what history's newer half moved away from
    its older half, where that is beyond chance, and by the error of the expectation; at least what chance would hide
    among so many windows.

    Args:
        r: Residuals of history's windows in their order, each judged without itself, shape (windows, contrasts).
        v: Their sampling variances.
        weight: How much each says of the judged window, 0 where it isn't usable.
        usable: Which may be compared.
        sampling: Sampling variance of the judged window, shape (contrasts,).
        common: Which contrasts have events enough for their variances to tell of others', shape (contrasts,).

    Returns:
        Variance, shape (contrasts,); effective number of windows for estimating a variance (at least 1), for which
        successive windows count ``(1 - rho^2) / (1 + rho^2)`` each, rho being their autocorrelation.
    """
    many = usable.sum(axis=0).astype(np.float64)
    chance, square = _mean(v, weight), _mean(r * r, weight)
    moments = np.maximum(square - chance, 0.0)
    rho = _autocorrelation(r, usable, moments, moments + chance, many)
    # For a mean each window counts (1 - rho) / (1 + rho).
    independent = np.maximum(many * (1 - rho) / (1 + rho), 1.0)
    effective = np.maximum(many * (1 - rho * rho) / (1 + rho * rho), 1.0)
    ratio = square / np.maximum(chance, 1e-300)
    ratio, borrowed = moderated(ratio, effective - 1, common & (chance > 0))
    found = np.maximum(ratio - 1, 0.0) * chance
    half = len(r) // 2
    moved = _mean(r[half:], weight[half:]) - _mean(r[:half], weight[:half])
    error = 4 * (found + chance) / independent
    trend = np.where(many >= 4, np.maximum(moved * moved - 4 * error, 0.0), 0.0)
    hidden = 0.5 * sampling * np.sqrt(2 / np.maximum(many + borrowed, 2))
    # A trend is a quarter in the moments already: each half lies half of the way from the middle.
    return np.maximum(found * (1 + 1 / independent) + 0.75 * trend, hidden), effective + borrowed


def moderated(ratio: Array, freedom: Array, common: npt.NDArray[np.bool_]) -> tuple[Array, float]:
    """Ratios of a variance to chance, drawn towards their prior, and the degrees of freedom that the prior is worth.

    The prior is a scaled inverse chi-squared whose scale and degrees of freedom are estimated from the ratios
    themselves (Smyth 2004, Statistical Applications in Genetics and Molecular Biology 3:3, section 6.2): where they
    differ by no more than chance, all have the same; where they differ a lot, each keeps its own.

    Args:
        ratio: Mean square of residuals over their sampling variance, shape (contrasts,).
        freedom: Degrees of freedom of each.
        common: Which take part.
    """
    part = common & (freedom >= LEAST_FREEDOM) & (ratio > 0)
    if part.sum() < LEAST_CONTRASTS:
        return ratio, 0.0
    half = freedom[part] / 2
    e = np.log(ratio[part]) - special.digamma(half) + np.log(half)
    beyond = float(e.var(ddof=1) - special.polygamma(1, half).mean())
    worth = min(2 * _trigamma_inverse(beyond), MOST_FREEDOM) if beyond > 0 else MOST_FREEDOM
    scale = np.exp(e.mean() + special.digamma(worth / 2) - np.log(worth / 2))
    drawn = (worth * scale + freedom * ratio) / (worth + freedom)
    return np.where(part, drawn, ratio), worth


def _trigamma_inverse(x: float) -> float:
    """``y`` with ``polygamma(1, y) = x``, by Newton's method on ``1 / trigamma``, which is nearly linear."""
    y = 0.5 + 1 / x
    for _ in range(20):
        trigamma = float(special.polygamma(1, y))
        step = trigamma * (1 - trigamma / x) / float(special.polygamma(2, y))
        y += step
        if -step / y < 1e-8:
            break
    return y


def _autocorrelation(r: Array, usable: npt.NDArray[np.bool_], variance: Array, total: Array, many: Array) -> Array:
    """Correlation of what successive windows show beyond chance, in [0, :data:`STEADIEST`]; 0 where it may be chance.

    Args:
        r: Residuals, shape (windows, contrasts).
        usable: Which may be compared.
        variance: Natural variance by moments.
        total: Natural and sampling variance together.
        many: Usable windows.
    """
    pairs = usable[1:] & usable[:-1]
    count = np.maximum(pairs.sum(axis=0), 1)
    together = (pairs * r[1:] * r[:-1]).sum(axis=0) / count
    certain = together > 2 * total / np.sqrt(count)
    rho = together / np.maximum(np.maximum(variance, together), 1e-300)
    # Short series underestimate it by about (1 + 3 rho) / n (Kendall 1954, Biometrika 41:403).
    rho = (rho * many + 1) / np.maximum(many - 3, 1)
    result: Array = np.where(certain, np.clip(rho, 0.0, STEADIEST), 0.0)
    return result


def _mean(part: Array, weight: Array) -> Array:
    result: Array = (weight * part).sum(axis=0) / np.maximum(weight.sum(axis=0), 1e-12)
    return result
