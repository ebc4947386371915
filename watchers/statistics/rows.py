"""Sums of contrasts by row, and what is made of such tables: some columns, rows below each other, totals by stratum."""

from __future__ import annotations

import functools
from collections.abc import Callable
from dataclasses import dataclass

import numpy as np
import numpy.typing as npt
from scipy import sparse

Array = npt.NDArray[np.float64]
Index = npt.NDArray[np.intp]


@dataclass(frozen=True, slots=True)
class Rows:
    """Contrast sums by row; a row is one (window, stratum) cell, for hourly profiles one hour.

    Attributes:
        x: Weighted counts ``sum_k a_k x_k``, shape (rows, contrasts).
        x2: ``sum_k a_k^2 x_k``, same shape; for indicators ``x`` itself, which saves a third of the work.
        n: Denominators, same shape. A row with ``n == 0`` says nothing.
        stratum: Stratum of each row, shape (rows,), small non-negative integers.
    """

    x: Array
    x2: Array
    n: Array
    stratum: Index


def strata_totals(rows: Rows, size: int) -> tuple[Array, Array, Array]:
    """``x``, ``x2`` and ``n`` summed by stratum, each of shape (size, contrasts)."""
    member = _members(rows.stratum.tobytes(), size)
    x = member @ rows.x
    return x, x if rows.x2 is rows.x else member @ rows.x2, member @ rows.n


@functools.lru_cache(maxsize=16)
def _members(stratum: bytes, size: int) -> sparse.csr_array:
    """Which rows are of each stratum, shape (size, rows): the same for all contrasts of a window."""
    strata = np.frombuffer(stratum, dtype=np.intp)
    # Made in the format that it is used in: converting it would take longer than all else.
    ends = np.concatenate([[0], np.cumsum(np.bincount(strata, minlength=size))])
    return sparse.csr_array((np.ones(len(strata)), np.argsort(strata, kind="stable"), ends), shape=(size, len(strata)))


def take(rows: Rows, columns: Index) -> Rows:
    """The same rows with some of their contrasts."""
    if len(columns) == rows.n.shape[1]:
        return rows  # columns are in order, and none stands twice
    return changed(rows, lambda part: part[:, columns])


def changed(rows: Rows, change: Callable[[Array], Array]) -> Rows:
    """The same rows, their tables changed; of indicators ``x2`` stays ``x``."""
    x = change(rows.x)
    return Rows(x, x if rows.x2 is rows.x else change(rows.x2), change(rows.n), rows.stratum)


def joined(first: Rows, second: Rows) -> Rows:
    """Rows below each other."""
    x, n = np.concatenate([first.x, second.x]), np.concatenate([first.n, second.n])
    indicators = first.x2 is first.x and second.x2 is second.x
    x2 = x if indicators else np.concatenate([first.x2, second.x2])
    return Rows(x, x2, n, np.concatenate([first.stratum, second.stratum]))
