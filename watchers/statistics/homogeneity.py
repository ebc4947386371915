"""Do samples share one distribution over cells? Pearson's chi-squared test and the likelihood ratio's (G).

The order of cells doesn't matter, so what is missing is a cell like any other. Cells that are empty in all samples are
no cells. Where one cell is left there is nothing to test: value 0, p value 1, no degrees of freedom, as scipy has it.
"""

from __future__ import annotations

import math
from collections.abc import Callable

import numpy as np
from scipy import special

from watchers.statistics._table import Array, Measure, Table
from watchers.statistics.divergences import entropy_term


def chi_squared(table: Table) -> Measure:
    """``sum (O - E)^2 / E`` (Pearson 1900, Philosophical Magazine 50:157), without a correction for continuity.

    As ``scipy.stats.chi2_contingency(counts, correction=False)``.
    """
    return _test("chi_squared", table, np.square)


def g(table: Table) -> Measure:
    """``2 sum O ln(O / E)`` (Wilks 1935, Annals of Mathematical Statistics 6:190).

    As ``scipy.stats.chi2_contingency(counts, correction=False, lambda_="log-likelihood")``, which is
    ``scipy.stats.power_divergence`` with the same ``lambda_`` on the expected counts.
    """
    return _test("g", table, lambda d: 2 * entropy_term(d))


def _test(name: str, table: Table, term: Callable[[Array], Array]) -> Measure:
    """Both are sums over all cells of ``E`` times a function of ``(O - E) / E``."""
    samples, cells = table.counts.shape
    together = table.counts.sum(axis=0)
    pooled = together / int(together.sum())
    value = math.fsum(
        part for k, total in enumerate(table.totals) for part in total * pooled * term(table.excess(k) / pooled)
    )
    df = (samples - 1) * (cells - 1)
    return Measure(name, value, float(special.chdtrc(df, value)) if df else 1.0, float(df))
