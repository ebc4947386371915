"""Which numbers go together in training: the pairs that a ruler counts."""

from __future__ import annotations

import math
from collections.abc import Collection, Mapping, Sequence
from itertools import combinations
from typing import Any, Final

import numpy as np
import numpy.typing as npt

from mllog.ruler import Feature, Pair, missing_kind

PAIRS: Final = 32
"""A ruler holds so many at most: the strongest."""

CANDIDATES: Final = 40
"""So many numbers are tried, in the frame's order."""

ROWS: Final = 20_000
"""So many rows are looked at, spread evenly."""

ASSOCIATED: Final = 0.2
"""Least quadrant correlation, either way, beyond what the sides' own shares explain."""

MANY: Final = 16
"""A number that says fewer different values has no side of its own to be on: it is a category in disguise."""

SIDE: Final = 0.25
"""Each side must hold so much of what a number says: most of the rain is none."""

_STEP: Final = (math.sqrt(5) - 1) / 2

Sides = npt.NDArray[np.int8]


def find_pairs(
    features: Sequence[Feature], data: Mapping[str, Sequence[Any]], kept: Collection[Pair] = ()
) -> list[Pair]:
    """The pairs of numbers that are associated most, by the quadrant count (see :class:`mllog.ruler.Pair`).

    Args:
        features: Rulers of all inputs.
        data: Column name -> values of training.
        kept: Pairs that stay whatever the data says.

    Returns:
        At most :data:`PAIRS` pairs, with ``kept`` among them, in the order of their names; the same for the same data.
    """
    numbers: list[tuple[str, int, Sides]] = []
    for feature in features:
        if feature.kind == "number" and feature.is_input and len(numbers) < CANDIDATES:
            found = _sides(feature, data.get(feature.name, ()))
            if found is not None:
                numbers.append((feature.name, *found))
    strength: dict[Pair, float] = {}
    for one, other in combinations(sorted(numbers, key=lambda number: number[0]), 2):
        beyond = _association(one[2], other[2])
        if beyond >= ASSOCIATED:
            strength[Pair(one[0], other[0], one[1], other[1])] = beyond
    result = list(kept)
    taken = {frozenset((pair.first, pair.second)) for pair in kept}
    for pair in sorted(strength, key=lambda pair: (-strength[pair], pair)):
        if len(result) < PAIRS and frozenset((pair.first, pair.second)) not in taken:
            result.append(pair)
    return sorted(result)


def _sample(values: Sequence[Any]) -> Sequence[Any]:
    """Some of the rows; no period that the rows' order may have meets that of the golden ratio's multiples."""
    n = len(values)
    if n <= ROWS:
        return values
    return [values[k] for k in np.unique((np.arange(ROWS) * _STEP % 1.0 * n).astype(np.intp))]


def _sides(feature: Feature, values: Sequence[Any]) -> tuple[int, Sides] | None:
    """The last bin of the low side, and per sampled row 1 (high), -1 (low) or 0 (no number); None where it has none."""
    x = np.array(
        [
            float(value)
            if isinstance(value, int | float) and not isinstance(value, bool) and missing_kind(feature, value) is None
            else np.nan
            for value in _sample(values)
        ],
        dtype=np.float64,
    )
    there = np.isfinite(x)
    if len(np.unique(x[there])) < MANY:
        return None
    bins = np.searchsorted(feature.edges, x, side="right")
    above = np.array([(bins[there] > k).mean() for k in range(len(feature.edges))])
    low = int(np.argmin(np.abs(above - 0.5)))
    if not SIDE <= above[low] <= 1 - SIDE:
        return None
    return low, np.where(there, np.where(bins > low, 1, -1), 0).astype(np.int8)


def _association(one: Sides, other: Sides) -> float:
    """Quadrant correlation of two numbers beyond that of independent ones with the same sides; its size."""
    both = (one != 0) & (other != 0)
    if both.sum() < MANY:
        return 0.0
    a, b = one[both].astype(np.float64), other[both].astype(np.float64)
    return abs(float((a * b).mean() - a.mean() * b.mean()))
