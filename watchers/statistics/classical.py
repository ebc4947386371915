"""Classical statistics by their names: one table of them, one function that asks.

They answer *do these samples differ*, which at 200,000 events every two days do; no alert is decided by them (see
``docs/reference/statistics.md``).
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, replace
from typing import Final

import numpy as np
import numpy.typing as npt

from watchers.statistics import divergences, homogeneity, ordered
from watchers.statistics._table import Measure, Table, counts_of, sample_name, table_of


@dataclass(frozen=True, slots=True)
class Statistic:
    """One statistic.

    Attributes:
        name: What it is asked for by.
        scipy: The function of scipy that says the same of the raw values, by which it can be asked for as well;
            empty where there is none.
        run: Judges a table whose samples all have events.
        ordered: Whether cells must lie on a line; what is missing is then reported beside the value.
        several: Whether it takes more than two samples.
    """

    name: str
    scipy: str
    run: Callable[[Table], Measure]
    ordered: bool = False
    several: bool = False


MEASURES: Final[Mapping[str, Statistic]] = {
    statistic.name: statistic
    for statistic in (
        Statistic("ks", "ks_2samp", ordered.ks, ordered=True),
        Statistic("chi_squared", "chi2_contingency", homogeneity.chi_squared, several=True),
        Statistic("g", "power_divergence", homogeneity.g, several=True),
        Statistic("psi", "", divergences.psi),
        Statistic("jensen_shannon", "jensenshannon", divergences.jensen_shannon),
        Statistic("wasserstein", "wasserstein_distance", ordered.wasserstein, ordered=True),
        Statistic("hellinger", "", divergences.hellinger),
        Statistic("total_variation", "", divergences.total_variation),
        Statistic("t", "ttest_ind", ordered.t, ordered=True),
        Statistic("anova", "f_oneway", ordered.anova, ordered=True, several=True),
        Statistic("kruskal_wallis", "kruskal", ordered.kruskal_wallis, ordered=True, several=True),
    )
}
"""Every statistic by its name."""


def statistic_named(name: str) -> Statistic:
    """The statistic of that name, or of that name in scipy.

    Raises:
        ValueError: there is none; the message names those that there are.
    """
    for statistic in MEASURES.values():
        if name and name in (statistic.name, statistic.scipy):
            return statistic
    raise ValueError(f"unknown statistic {name!r}; known are {', '.join(sorted(MEASURES))}")


def measure(
    name: str,
    reference: npt.ArrayLike,
    current: npt.ArrayLike,
    *others: npt.ArrayLike,
    positions: npt.ArrayLike | None = None,
    missing: Sequence[int] | None = None,
) -> Measure:
    """A classical statistic of samples that were counted over the same cells.

    Args:
        name: One of :data:`MEASURES`, or scipy's name of it.
        reference: Counts by cell (bins from low to high, or categories), without what is missing.
        current: The same of the sample to judge.
        *others: More samples, where the statistic takes them.
        positions: Where each cell lies, e.g. the middles of bins, ascending; 0, 1, 2, ... by default. Statistics that
            need no order don't look at them.
        missing: How many values each sample lacks: one more cell where no order is needed; else reported beside.

    Returns:
        A value or a reason, never NaN, for counts up to 2**53 a sample.

    Raises:
        ValueError: the name is unknown, too many samples for it, or vectors that aren't counts over the same cells.
    """
    statistic = statistic_named(name)
    samples = (reference, current, *others)
    if others and not statistic.several:
        raise ValueError(f"{statistic.name} compares two samples, not {len(samples)}")
    table = table_of(samples, positions)
    absent = None if missing is None else counts_of(missing, "missing values")
    if absent is not None and len(absent) != len(samples):
        raise ValueError(f"missing must be one number a sample ({len(samples)}), not {len(absent)}")
    if absent is not None and not statistic.ordered:
        # Its place doesn't matter, only that it has one.
        table = Table(np.column_stack([table.counts, absent]), np.append(table.positions, np.inf))
    empty = [k for k, total in enumerate(table.totals) if total == 0]
    if empty:
        lacking = absent is not None and absent[empty[0]] > 0
        what = f"all of {sample_name(empty[0])} is missing" if lacking else f"{sample_name(empty[0])} has no events"
        found = Measure(statistic.name, None, reason=what)
    else:
        found = statistic.run(table.cut())
    return found if absent is None or not statistic.ordered else beside(found, table.counts.sum(axis=1), absent)


def beside(found: Measure, present: npt.ArrayLike, missing: npt.ArrayLike) -> Measure:
    """``found`` with the shares of missing values of its samples, which it couldn't place among its cells.

    Args:
        found: What was measured of the values that are there.
        present: How many those are, for each sample.
        missing: How many are missing.
    """
    table = Table(np.column_stack([np.asarray(missing, np.int64), np.asarray(present, np.int64)]), np.arange(2.0))
    if 0 in table.totals:
        return found
    change = 0.0 - float(table.gap[0]) if len(table.counts) == 2 else float(np.ptp(table.shares[:, 0]))
    p_value = homogeneity.chi_squared(table.cut()).p_value if table.counts[:, 0].any() else None
    return replace(found, missing=change, missing_p_value=p_value)
