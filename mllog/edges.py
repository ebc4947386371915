"""The ruler of a number: where its bins end."""

from __future__ import annotations

import math
from collections.abc import Sequence
from typing import Final

import numpy as np
import numpy.typing as npt

from mllog.ruler import Feature

_QUANTILES: Final = (*(k / 16 for k in range(1, 16)), 0.002, 0.005, 0.01, 0.02, 0.98, 0.99, 0.995, 0.998)


def number_ruler(name: str, x: npt.NDArray[np.float64], sentinels: Sequence[str], *, coarse: bool = False) -> Feature:
    """Edges at quantiles of training, finer in the tails, and one far cell beyond either end of the range.

    Args:
        name: The feature's.
        x: Its values in training, finite, shape (n,) with n > 0.
        sentinels: What may stand for missing, where it is outside of the range.
        coarse: Round everything to a hundredth of the range, so that the extremes aren't somebody's values.
    """
    low, high = float(x.min()) + 0.0, float(x.max()) + 0.0  # no -0.0, whose bin is that of 0.0
    if coarse:
        unit = _unit((high - low) or abs(high))
        x = np.round(x / unit) * unit
        low, high = math.floor(low / unit) * unit, math.ceil(high / unit) * unit
    reach = max(high - low, abs(low), abs(high))
    cuts = np.quantile(x, sorted(_QUANTILES), method="inverted_cdf")
    # An edge just above the greatest value keeps "greater than ever" apart from the last ordinary bin.
    edges = {float(cut) for cut in cuts if cut > low} | {math.nextafter(high, math.inf), low}
    edges |= {low - reach, high + reach} if reach > 0 else set()
    if low > 0:
        # Decades beyond either end tell a factor of 1,000 from one of 60.
        edges |= {high * 10**k for k in (1, 2, 3, 4)} | {low / 10**k for k in (1, 2, 3)}
    outside = frozenset(s for s in sentinels if not low <= float(s) <= high)
    finite = tuple(sorted(edge for edge in edges if math.isfinite(edge)))
    return Feature(name, "number", edges=finite, low=low, high=high, sentinels=outside)


def _unit(size: float) -> float:
    """A hundredth of ``size``, rounded down to a power of ten."""
    return float(10.0 ** (math.floor(math.log10(size)) - 2)) if size > 0 else 1.0
