"""Counts that follow from others."""

from __future__ import annotations

import numpy as np
import numpy.typing as npt

from mllog.ruler import Ruler


def derive(ruler: Ruler, counts: npt.NDArray[np.int64]) -> None:
    """Fill in what needn't be counted: every event has a feature in exactly one way, so one way is what is left.

    Args:
        ruler: Lays out the counts.
        counts: Of events that this ruler measured, shape ``(len(ruler.cells),)``; changed in place.
    """
    index = ruler.index
    for feature in ruler.inputs:
        if feature.kind in {"category", "boolean", "other"}:
            rest = index[feature.name, "present" if feature.kind == "other" else "other", ""]
            ways = [index[key] for key in feature.cells()]
            counts[rest] = 0
            counts[rest] = max(counts[0] - counts[ways].sum(), 0)
