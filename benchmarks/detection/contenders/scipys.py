"""scipy's tests on raw rows: the two-sample test by the feature's kind, nulls by a test of their own, Bonferroni.

What a data scientist writes in an afternoon: Kolmogorov & Smirnov for numbers (the asymptotic p value), chi-squared on
the table of categories (null is one), Fisher's exact test of nulls in numbers.
"""

from __future__ import annotations

import math
import time
from collections.abc import Sequence

import numpy as np
import pandas as pd
from scipy import stats

from benchmarks.detection.contenders import WINDOW, Given, Verdict

ALPHA = 0.05


class Tests:
    """Alarms where p < 0.05 / number of features."""

    def prepare(self, given: Given) -> None:
        """Keep the reference."""
        self.given = given
        reference = given.reference.drop(columns=WINDOW)
        self.numbers = {name: reference[name].to_numpy(dtype=float) for name in given.numbers}
        self.categories = {name: _counts(reference[name]) for name in given.categories}
        self.level = ALPHA / len(given.tabular)

    def judge(self, sequence: Sequence[pd.DataFrame]) -> list[Verdict]:
        """Each window by itself."""
        return [self._judge(frame) for frame in sequence]

    def _judge(self, frame: pd.DataFrame) -> Verdict:
        started = time.process_time()
        p_values = {name: self._number(name, frame[name].to_numpy(dtype=float)) for name in self.numbers}
        p_values |= {name: self._category(name, _counts(frame[name])) for name in self.categories}
        cpu = time.process_time() - started
        worst = sorted(p_values, key=lambda name: p_values[name])
        return Verdict(
            alerts=[(name, None, "scipy", "warning") for name in worst if p_values[name] < self.level],
            scores={name: math.log(max(p, 1e-300)) / math.log(self.level) for name, p in p_values.items()},
            cpu={"judge": cpu},
        )

    def _number(self, name: str, values: np.ndarray) -> float:
        before = self.numbers[name]
        gone, was_gone = int(np.isnan(values).sum()), int(np.isnan(before).sum())
        table = np.array([[gone, len(values) - gone], [was_gone, len(before) - was_gone]])
        p_value = float(stats.fisher_exact(table).pvalue) if gone or was_gone else 1.0
        if gone < len(values) and was_gone < len(before):
            there = stats.ks_2samp(values[~np.isnan(values)], before[~np.isnan(before)], method="asymp")
            p_value = min(p_value, float(there.pvalue))
        return min(2 * p_value, 1.0)

    def _category(self, name: str, counts: pd.Series[int]) -> float:
        both = pd.concat([self.categories[name], counts], axis=1).fillna(0).to_numpy()
        if len(both) < 2 or both.sum(axis=0).min() == 0:
            return 1.0
        return float(stats.chi2_contingency(both.T, correction=False).pvalue)


def _counts(values: pd.Series) -> pd.Series[int]:
    return values.astype(object).where(values.notna(), "\0null").value_counts()
