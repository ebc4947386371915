"""Counts of two or more samples over the same cells, and what a statistic says of them.

Differences of shares are formed in whole numbers before anything is divided: 10^9 events in each of 100 cells differ
from 10^9 + 1 of them by less than a float of a share can tell.
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Final

import numpy as np
import numpy.typing as npt

Array = npt.NDArray[np.float64]
Counts = npt.NDArray[np.int64]

MOST: Final = 2**53
"""Events of a sample, at most: beyond it floats don't tell neighbouring whole numbers apart."""


@dataclass(frozen=True, slots=True)
class Measure:
    """One statistic of samples: a value or a reason, never NaN and never infinite.

    Attributes:
        name: As in :data:`watchers.statistics.MEASURES`.
        value: The statistic; None where it isn't defined, and then ``reason`` says why.
        p_value: None where the statistic isn't a test, or has no value.
        df: Degrees of freedom of a test's reference distribution; of ``anova`` those between and within.
        reason: Why there is no value.
        missing: Of ordered statistics, which can't place what is missing: its share in the current sample less that in
            the reference (of more than two samples the greatest less the least). None where nothing was said of it, or
            where the statistic has it among its cells.
        missing_p_value: Pearson's chi-squared test of these shares; None where nothing is missing anywhere.
    """

    name: str
    value: float | None
    p_value: float | None = None
    df: float | tuple[float, float] | None = None
    reason: str | None = None
    missing: float | None = None
    missing_p_value: float | None = None

    @property
    def p_overall(self) -> float | None:
        """Of *values or their missing differ*: the smaller of both p values, times two as Šidák (1967) has it.

        How many are missing says nothing of how the others are distributed, so both are independent where nothing
        changed. None where the statistic isn't a test; where it has no value, what is missing decides alone.
        """
        if self.missing_p_value is None:
            return self.p_value
        if self.p_value is None:
            return None if self.reason is None else self.missing_p_value
        least = min(self.p_value, self.missing_p_value)
        return least * (2 - least)


@dataclass(frozen=True, slots=True)
class Table:
    """Samples beside each other.

    Attributes:
        counts: shape (samples, cells), without the cells that are empty in all of them.
        positions: Where each cell lies, not decreasing; shape (cells,).
    """

    counts: Counts
    positions: Array

    @property
    def totals(self) -> list[int]:
        """Events of each sample."""
        return [int(total) for total in self.counts.sum(axis=1)]

    @property
    def shares(self) -> Array:
        """Shares of each sample's events, shape (samples, cells)."""
        result: Array = self.counts / self.counts.sum(axis=1, keepdims=True)
        return result

    @property
    def gap(self) -> Array:
        """Shares of the first sample less those of the second, shape (cells,)."""
        return difference(self.counts[0], self.counts[1], *self.totals[:2])

    @property
    def rise(self) -> Array:
        """The same of shares up to and with each cell: the gap of the distribution functions."""
        return difference(*np.cumsum(self.counts[:2], axis=1), *self.totals[:2])

    def excess(self, sample: int) -> Array:
        """Shares of a sample less those of all samples together, shape (cells,)."""
        return difference(self.counts[sample], self.counts.sum(axis=0), self.totals[sample], sum(self.totals))

    def cut(self) -> Table:
        """Without the cells that nobody has."""
        held = self.counts.any(axis=0)
        return Table(self.counts[:, held], self.positions[held])


def difference(these: Counts, those: Counts, n: int, m: int) -> Array:
    """``these / n - those / m``, each rounded once; shape (cells,)."""
    whole = these.astype(object) * m - those.astype(object) * n
    result: Array = (whole / (n * m)).astype(np.float64)
    return result


def sample_name(k: int) -> str:
    """What the ``k``-th sample is called in a reason."""
    return ("the reference", "the current sample")[k] if k < 2 else f"sample {k + 1}"


def counts_of(values: npt.ArrayLike, name: str) -> Counts:
    """Counts as whole numbers.

    Raises:
        ValueError: they aren't; the message names the sample and the value.
    """
    try:
        given = np.asarray(values, dtype=np.float64)
    except (TypeError, ValueError, OverflowError) as error:
        raise ValueError(f"counts of {name} must be whole numbers, not {values!r}") from error
    if given.ndim != 1:
        raise ValueError(f"counts of {name} must be one vector, not of shape {given.shape}")
    wrong = given[~((given >= 0) & (given <= MOST) & (given == np.floor(given)))]
    if wrong.size:
        raise ValueError(f"counts of {name} must be whole numbers from 0 to 2**53, not {float(wrong[0])!r}")
    if math.fsum(given) > MOST:
        raise ValueError(f"{name} has more than 2**53 events")
    return np.asarray(values if np.asarray(values).dtype.kind in "iu" else given).astype(np.int64)


def table_of(samples: Sequence[npt.ArrayLike], positions: npt.ArrayLike | None) -> Table:
    """Samples and where their cells lie (by default 0, 1, 2, ...).

    Raises:
        ValueError: the vectors differ in length, or the positions aren't numbers in order.
    """
    vectors = [counts_of(values, sample_name(k)) for k, values in enumerate(samples)]
    sizes = [len(vector) for vector in vectors]
    if len(set(sizes)) > 1:
        raise ValueError(f"the samples must have the same cells, not {' and '.join(map(str, sizes))} of them")
    places = np.arange(sizes[0], dtype=np.float64) if positions is None else np.asarray(positions, dtype=np.float64)
    if places.shape != (sizes[0],):
        raise ValueError(f"positions must be one number a cell ({sizes[0]}), not of shape {places.shape}")
    if not np.isfinite(places).all() or (places[1:] < places[:-1]).any():
        raise ValueError("positions must be finite numbers in ascending order")
    return Table(np.stack(vectors), places)
