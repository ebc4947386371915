"""How far two distributions over cells lie apart: Jensen-Shannon, Hellinger, total variation, PSI.

The order of cells doesn't matter, so what is missing is a cell like any other. None of them is a test: what is large
depends on the number of events, and the expected value of no change at all is above 0.
"""

from __future__ import annotations

import math
from typing import Final

import numpy as np
from scipy import special

from watchers.statistics._table import Array, Measure, Table, difference

_SERIES: Final = tuple((-1.0) ** k / (k * (k - 1)) for k in range(11, 1, -1))
"""Coefficients of ``(1 + d) ln(1 + d) - d`` from ``d**11`` down to ``d**2``."""

_SMALL: Final = 0.01
"""Up to it the series is exact in floats, and the formula cancels."""


def entropy_term(d: Array) -> Array:
    """``(1 + d) ln(1 + d) - d`` for ``d >= -1``, never negative and exact near 0 too.

    Sums of ``p ln(p / q)`` cancel to noise where both are alike; with ``d = (p - q) / q`` and the ``d`` taken off (they
    sum to 0) no term is negative, and no digit is lost.
    """
    near = np.where(np.abs(d) <= _SMALL, d, 0.0)
    series = np.polyval((*_SERIES, 0.0, 0.0), near)
    result: Array = np.where(np.abs(d) <= _SMALL, series, special.xlog1py(1 + d, d) - d)
    return result


def jensen_shannon(table: Table) -> Measure:
    """Distance (the root of the divergence) in base 2: ``sqrt((KL(p, m) + KL(q, m)) / 2)``, ``m = (p + q) / 2``.

    As ``scipy.spatial.distance.jensenshannon(p, q, base=2)``. From 0 to 1; a metric (Endres & Schindelin 2003, IEEE
    Transactions on Information Theory 49:1858; the divergence: Lin 1991, ibid. 37:145).
    """
    p, q = table.shares
    d = table.gap / (p + q)
    divergence = math.fsum((p + q) * (entropy_term(d) + entropy_term(-d))) / (4 * math.log(2))
    return Measure("jensen_shannon", min(math.sqrt(divergence), 1.0))


def hellinger(table: Table) -> Measure:
    """``sqrt(sum (sqrt p - sqrt q)^2 / 2)``, from 0 to 1.

    Hellinger 1909, Journal für die reine und angewandte Mathematik 136:210; as a distance of distributions: Le Cam &
    Yang 2000, Asymptotics in Statistics.
    """
    p, q = table.shares
    gap = table.gap / (np.sqrt(p) + np.sqrt(q))
    return Measure("hellinger", min(math.sqrt(math.fsum(gap * gap) / 2), 1.0))


def total_variation(table: Table) -> Measure:
    """``sum |p - q| / 2``: the share of events that would have to change cells, from 0 to 1.

    Levin, Peres & Wilmer 2009, Markov Chains and Mixing Times, ch. 4.
    """
    return Measure("total_variation", min(math.fsum(np.abs(table.gap)) / 2, 1.0))


def psi(table: Table) -> Measure:
    """Population stability index ``sum (q - p) ln(q / p)``, ``p`` the reference; from 0 upwards.

    Siddiqi 2006, Credit Risk Scorecards; it is Jeffreys' divergence (1946, Proceedings of the Royal Society A 186:453).
    A cell that is empty on one side only would make it infinite: it counts as half an event there (and the other cells
    stay as they are), so that the index is finite, the formula's own where no cell is empty, and a cell that filled
    weighs more the more events say so.
    """
    # Twice the counts: half an event is 1.
    first, second = np.maximum(2 * table.counts, 1)
    n, m = (2 * total for total in table.totals)
    p, q = first / n, second / m
    gap = difference(second, first, m, n)
    d = gap / p
    near = np.abs(d) <= 0.5
    logs = np.where(near, np.log1p(np.where(near, d, 0.0)), np.log(q / p))
    return Measure("psi", math.fsum(gap * logs))
