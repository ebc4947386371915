"""Samples over cells that lie on a line: Kolmogorov-Smirnov, Wasserstein, Welch's t, ANOVA, Kruskal-Wallis.

Each is what scipy says of the values with every value replaced by its cell's position. Only the order of positions
counts for the first and the last, their distances for the others.

What is missing has no place on a line, and any that it was given (below all, above all, the mean) would decide the
answer. So these look at the values that are there, and :func:`watchers.statistics.measure` reports the share of
missing ones beside them, with a test of its own and a p value of both.
"""

from __future__ import annotations

import math
from typing import Final

import numpy as np
from scipy import special

from watchers.statistics._table import Array, Measure, Table, sample_name

_EXACT: Final = 2**31
"""From so many events on scipy's distribution of D for n events overflows (NaN), and its limit is used."""


def ks(table: Table) -> Measure:
    """``max |F - G|``, from 0 to 1 (Smirnov 1939; the distribution: Simard & L'Ecuyer 2011, J. Stat. Software 39:11).

    As ``scipy.stats.ks_2samp(method="asymp")``. Within cells nothing is seen, so with few cells the p value is larger
    than that of the raw values (Noether 1963, Metrika 7:115). From 2^31 events on it is the limit's, with the
    correction of Vrbik (2018, Pioneer Journal of Theoretical and Applied Statistics 15:15); they differ by 10^-7 there.
    """
    n, m = table.totals
    d = float(np.abs(table.rise).max())
    size = round(n * m / (n + m))
    if size == 0:  # one event against one: D is 0 or 1, and neither says anything
        return Measure("ks", d, 1.0)
    if size < _EXACT:
        from scipy import stats  # noqa: PLC0415 - takes longer to load than most commands take, and few ask for this

        p_value = float(stats.kstwo.sf(d, size))
    else:
        z = math.sqrt(size) * d
        p_value = float(special.kolmogorov(z + 1 / (6 * math.sqrt(size)) + (z - 1) / (4 * size)))
    return Measure("ks", d, min(max(p_value, 0.0), 1.0))


def wasserstein(table: Table) -> Measure:
    """``integral |F - G|``: how far events would have to move on average, in the unit of the positions.

    As ``scipy.stats.wasserstein_distance`` with counts as weights (Vaserstein 1969, Problems of Information
    Transmission 5:64; Ramdas, García Trillos & Cuturi 2017, Entropy 19:47).
    """
    x, exponent = _scaled(table.positions)
    try:
        value = math.ldexp(math.fsum(np.abs(table.rise)[:-1] * np.diff(x)), exponent)
    except OverflowError:
        return Measure("wasserstein", None, reason="the distance is beyond the largest float")
    return Measure("wasserstein", value)


def t(table: Table) -> Measure:
    """Welch's t of the means (1947, Biometrika 34:28), positive where the reference's is greater.

    As ``scipy.stats.ttest_ind(reference, current, equal_var=False)``; ``df`` is Satterthwaite's.
    """
    totals = table.totals
    for k, total in enumerate(totals):
        if total < 2:
            return Measure("t", None, reason=f"{sample_name(k)} has one value, and so no variance")
    x = _unit(table.positions)
    shift = math.fsum(x * table.gap)
    parts = [_squares(table, x, k) / (total - 1) / total for k, total in enumerate(totals)]
    variance = sum(parts)
    if variance <= 0:
        return Measure("t", None, reason=_constant(table))
    value = shift / math.sqrt(variance)
    first = parts[0] / variance
    df = 1 / (first**2 / (totals[0] - 1) + (1 - first) ** 2 / (totals[1] - 1))
    return Measure("t", value, min(2 * float(special.stdtr(df, -abs(value))), 1.0), df)


def anova(table: Table) -> Measure:
    """F of one-way analysis of variance (Fisher 1925, Statistical Methods for Research Workers): between over within.

    As ``scipy.stats.f_oneway``; variances are taken to be equal.
    """
    totals = table.totals
    between, within = len(totals) - 1, sum(totals) - len(totals)
    if within == 0:
        return Measure("anova", None, reason="each sample has one value, and so no variance")
    x = _unit(table.positions)
    explained = sum(total * math.fsum(x * table.excess(k)) ** 2 for k, total in enumerate(totals))
    rest = sum(_squares(table, x, k) for k in range(len(totals)))
    value = explained / between * within / rest if rest > 0 else math.inf
    if not math.isfinite(value):
        return Measure("anova", None, reason=_constant(table))
    return Measure("anova", value, float(special.fdtrc(between, within, value)), (float(between), float(within)))


def kruskal_wallis(table: Table) -> Measure:
    """H of mean ranks with the correction for ties (Kruskal & Wallis 1952, J. Am. Statistical Association 47:583).

    As ``scipy.stats.kruskal``, in whole numbers up to the last division.
    """
    together = [int(count) for count in table.counts.sum(axis=0)]
    total = sum(together)
    ties = total**3 - sum(count**3 for count in together)
    if ties == 0:
        return Measure("kruskal_wallis", None, reason=_constant(table))
    # Twice a cell's mean rank, from the middle: the events below it less those above.
    below = np.cumsum([0, *together[:-1]]).astype(object)
    centred = 2 * below + np.array(together, dtype=object) - total
    sums = [int((row.astype(object) * centred).sum()) for row in table.counts]
    # H = (N - 1) sum n (r - mean)^2 / sum (ranks - mean)^2, whose denominator is (N^3 - sum t^3) / 12.
    h = sum(3 * (total - 1) * s * s / (ties * n) for s, n in zip(sums, table.totals, strict=True))
    df = len(sums) - 1
    return Measure("kruskal_wallis", h, float(special.chdtrc(df, h)), float(df))


def _constant(table: Table) -> str:
    """Why variances are 0: the same value everywhere, or one for each sample."""
    if table.positions[0] == table.positions[-1]:
        return "all values are the same, in all samples"
    return "no sample varies by itself, and they differ from each other"


def _scaled(positions: Array) -> tuple[Array, int]:
    """Positions over a power of two, between -1 and 1, and its exponent: nothing is rounded, nothing overflows."""
    exponent = int(np.frexp(np.abs(positions).max(initial=0.0))[1])
    return np.ldexp(positions, -exponent), exponent


def _unit(positions: Array) -> Array:
    """Positions moved and stretched to reach from 0 to 1: t and F don't change by it."""
    x, _ = _scaled(positions)
    reach = float(x[-1] - x[0])
    result: Array = (x - x[0]) / reach if reach > 0 else np.zeros_like(x)
    return result


def _squares(table: Table, x: Array, sample: int) -> float:
    """Sum of squared distances of a sample's values from their mean."""
    counts = table.counts[sample]
    # From one of its own values, so that a constant one's mean is that value and not a rounding beside it.
    x = x - x[np.flatnonzero(counts)[0]]
    mean = math.fsum(counts * x) / table.totals[sample]
    return math.fsum(counts * (x - mean) ** 2)
