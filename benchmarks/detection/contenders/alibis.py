"""alibi-detect: ``TabularDrift`` as its documentation shows it, p 0.05 with Bonferroni's correction.

It takes one array of floats: categories as codes (null is a code of its own), and of numbers it knows no missing ones,
so the reference's median stands for them.
"""

from __future__ import annotations

import math
import time
from collections.abc import Sequence

import numpy as np
import pandas as pd
from alibi_detect.cd import TabularDrift

from benchmarks.detection.contenders import WINDOW, Given, Verdict

LEVEL = 0.05


class Alibi:
    """Alarms where a feature's p value is below 0.05 / number of features."""

    def prepare(self, given: Given) -> None:
        """Set the detector up with the reference."""
        self.given = given
        reference = given.reference.drop(columns=WINDOW)
        self.medians = {name: float(reference[name].median()) for name in given.numbers}
        self.codes = {
            name: {value: code for code, value in enumerate(reference[name].dropna().unique(), 1)}
            for name in given.categories
        }
        offset = len(given.numbers)
        self.detector = TabularDrift(
            self._array(reference),
            p_val=LEVEL,
            categories_per_feature=dict.fromkeys(range(offset, offset + len(given.categories))),
        )

    def judge(self, sequence: Sequence[pd.DataFrame]) -> list[Verdict]:
        """Each window by itself."""
        return [self._judge(frame) for frame in sequence]

    def _judge(self, frame: pd.DataFrame) -> Verdict:
        started = time.process_time()
        found = self.detector.predict(self._array(frame), return_p_val=True, return_distance=False)["data"]
        cpu = time.process_time() - started
        names, level = self.given.tabular, float(found["threshold"])
        p_values = {name: float(p) for name, p in zip(names, found["p_val"], strict=True)}
        scores = {name: math.log(max(p, 1e-300)) / math.log(level) for name, p in p_values.items()}
        return Verdict(
            alerts=[
                (name, None, "alibi", "warning")
                for name in sorted(names, key=lambda name: p_values[name])
                if p_values[name] < level
            ],
            scores=scores,
            cpu={"judge": cpu},
        )

    def _array(self, frame: pd.DataFrame) -> np.ndarray:
        columns = [frame[name].to_numpy(dtype=float) for name in self.given.numbers]
        columns = [
            np.where(np.isnan(values), self.medians[name], values)
            for name, values in zip(self.given.numbers, columns, strict=True)
        ]
        for name in self.given.categories:
            codes = self.codes[name]
            new = len(codes) + 1
            columns.append(np.array([0 if pd.isna(v) else codes.get(v, new) for v in frame[name]], dtype=float))
        return np.column_stack(columns).astype(np.float32)
