"""Scores for ordered bins: van der Waerden's for location, Klotz's for spread."""

from __future__ import annotations

import numpy as np
from scipy import special

from mllog.ruler import Feature
from watchers.history import Contrasts
from watchers.view import View

CLIP = float(-special.ndtri(1 / 32))


def ordered_contrasts(view: View, features: list[Feature], *, spread: bool = True) -> Contrasts:
    """Location (and spread) of numeric features as standardised scores of their bins under the training shares.

    Location scores are normal quantiles of mid-ranks (van der Waerden 1952), spread scores their squares made
    orthogonal to the constant and to location (Klotz 1962). Both have mean 0 and variance 1 under training, so a shift
    is read in standard deviations. Without training counts, history's are used.
    """
    index = view.ruler.index
    names, labels, weights, base, skewness = [], [], [], [], []
    card_only = True
    for feature in features:
        cells = [index[feature.name, "bin", str(k)] for k in range(len(feature.edges) + 1)]
        counts = view.training[cells].astype(np.float64)
        if counts.sum() == 0:
            counts, card_only = view.past_total[cells].astype(np.float64), False
        if (counts > 0).sum() < 2:
            continue
        p = counts / counts.sum()
        rank = np.cumsum(p) - p / 2
        z = np.clip(special.ndtri(np.clip(rank, 1e-9, 1 - 1e-9)), -CLIP, CLIP)
        z = _standardise(z, p)
        scores = [("location", z)]
        square = z * z
        square = square - (p * square).sum() - (p * square * z).sum() * z
        if spread and (p * square * square).sum() > 1e-6:
            scores.append(("spread", _standardise(square, p)))
        for label, score in scores:
            names.append(feature.name)
            labels.append(label)
            weights.append(tuple((cell, float(a)) for cell, a in zip(cells, score, strict=True)))
            base.append(tuple(cells))
            skewness.append(float((p * score**3).sum()))
    return Contrasts(
        tuple(names), tuple(labels), tuple(weights), tuple(base), skewness=tuple(skewness), card_only=card_only
    )


def _standardise(z: np.ndarray, p: np.ndarray) -> np.ndarray:
    centred = z - (p * z).sum()
    result: np.ndarray = centred / np.sqrt((p * centred * centred).sum())
    return result
