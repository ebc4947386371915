"""Quantiles of counts by bins."""

from __future__ import annotations

import numpy as np
import numpy.typing as npt

from mllog.ruler import LATENCY, Feature

Values = npt.NDArray[np.float64]


def quantiles(feature: Feature, bins: Values, q: float) -> Values:
    """Quantile ``q`` of each row of ``bins``, linear within a bin (latencies: in the logarithm).

    Args:
        feature: A number; its open bins reach to the ends of training, or as far as the others are wide.
        bins: shape ``(rows, len(feature.edges) + 1)``.
        q: In [0, 1].

    Returns:
        shape ``(rows,)``; NaN where a row has no counts.
    """
    edges = np.asarray(feature.edges, dtype=float)
    if not edges.size:
        return np.full(len(bins), np.nan)
    logarithmic = feature.name == LATENCY
    width = float(edges[-1] - edges[0]) / max(edges.size - 1, 1) or 1.0
    low = feature.low if feature.low is not None and feature.low < edges[0] else edges[0] - width
    high = feature.high if feature.high is not None and feature.high > edges[-1] else edges[-1] + width
    if logarithmic:
        low, high = edges[0] / 2, edges[-1] * 2
    bounds = np.concatenate([[low], edges, [high]])
    if logarithmic:
        bounds = np.log(bounds)
    totals = bins.sum(axis=1)
    below = np.cumsum(bins, axis=1)
    wanted = q * totals
    k = np.minimum((below < wanted[:, None]).sum(axis=1), bins.shape[1] - 1)
    rows = np.arange(len(bins))
    inside = bins[rows, k]
    rest = wanted - (below[rows, k] - inside)
    part = np.divide(rest, inside, out=np.full(len(bins), 0.5), where=inside > 0)
    result = bounds[k] + np.clip(part, 0, 1) * (bounds[k + 1] - bounds[k])
    result = np.exp(result) if logarithmic else result
    return np.where(totals > 0, result, np.nan)
