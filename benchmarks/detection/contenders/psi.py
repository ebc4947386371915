"""The population stability index, sum (q - p) log(q / p), over 0.2: the rule of thumb of credit scoring.

Ten bins by the reference's deciles or the categories, null a bin of its own; empty bins count as 1e-4 (Siddiqi, Credit
Risk Scorecards, 2006).
"""

from __future__ import annotations

import time
from collections.abc import Sequence

import numpy as np
import pandas as pd

from benchmarks.detection.contenders import WINDOW, Given, Verdict

LIMIT = 0.2
LEAST = 1e-4


class Psi:
    """Alarms where the index exceeds 0.2."""

    def prepare(self, given: Given) -> None:
        """Bin the reference."""
        reference = given.reference.drop(columns=WINDOW)
        self.edges = {
            name: np.unique(np.nanquantile(reference[name].to_numpy(dtype=float), np.arange(1, 10) / 10))
            for name in given.numbers
        }
        self.shares = {name: self._shares(name, reference[name]) for name in given.tabular}

    def judge(self, sequence: Sequence[pd.DataFrame]) -> list[Verdict]:
        """Each window by itself."""
        return [self._judge(frame) for frame in sequence]

    def _judge(self, frame: pd.DataFrame) -> Verdict:
        started = time.process_time()
        found = {name: self._index(before, self._shares(name, frame[name])) for name, before in self.shares.items()}
        cpu = time.process_time() - started
        worst = sorted(found, key=lambda name: -found[name])
        return Verdict(
            alerts=[(name, None, "psi", "warning") for name in worst if found[name] > LIMIT],
            scores={name: value / LIMIT for name, value in found.items()},
            cpu={"judge": cpu},
        )

    def _shares(self, name: str, values: pd.Series) -> pd.Series[float]:
        if name in self.edges:
            numbers = values.to_numpy(dtype=float)
            bins = np.where(np.isnan(numbers), -1, np.digitize(numbers, self.edges[name]))
            values = pd.Series(bins)
        else:
            values = values.astype(object).where(values.notna(), "\0null")
        return values.value_counts(normalize=True)

    @staticmethod
    def _index(before: pd.Series[float], now: pd.Series[float]) -> float:
        both = np.maximum(pd.concat([before, now], axis=1).fillna(0).to_numpy(), LEAST)
        return float(((both[:, 1] - both[:, 0]) * np.log(both[:, 1] / both[:, 0])).sum())
