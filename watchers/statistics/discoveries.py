"""Many tests at once: which of them may be believed."""

from __future__ import annotations

import numpy as np
import numpy.typing as npt

Array = npt.NDArray[np.float64]


def q_values(p_values: Array) -> Array:
    """The least share of false discoveries at which each test is one (Benjamini & Hochberg 1995, JRSS B 57:289).

    As ``scipy.stats.false_discovery_control(p_values, method="bh")``.

    Raises:
        ValueError: Something isn't between 0 and 1, and so no p value.
    """
    if not ((p_values >= 0) & (p_values <= 1)).all():
        raise ValueError("p values lie between 0 and 1")
    order = np.argsort(p_values)
    count = len(p_values)
    found = p_values[order] * (count / np.arange(1, count + 1))
    result = np.empty(count)
    result[order] = np.clip(np.minimum.accumulate(found[::-1])[::-1], 0.0, 1.0)
    return result
