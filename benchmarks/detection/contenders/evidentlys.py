"""Evidently: ``DataDriftPreset`` as its documentation shows it; the method of each column is its own choice.

Up to 1,000 rows of reference a test (Kolmogorov-Smirnov, chi-squared, z; drift where p < 0.05), else a distance
(Wasserstein normed by sd, Jensen-Shannon; drift where >= 0.1).
"""

from __future__ import annotations

import math
import time
from collections.abc import Sequence

import pandas as pd
from evidently import DataDefinition, Dataset, Report
from evidently.presets import DataDriftPreset

from benchmarks.detection.contenders import WINDOW, Given, Verdict


class Evidently:
    """Alarms where the preset says that a column drifted."""

    def prepare(self, given: Given) -> None:
        """Keep the reference."""
        self.given = given
        self.frame = given.reference.drop(columns=WINDOW)
        # Of a column without a value it makes no drift but an exception: then it is asked about the others.
        self.names = [name for name in given.tabular if self.frame[name].notna().any()]
        self.reference = self._data(self.frame, self.names)

    def _data(self, frame: pd.DataFrame, names: list[str]) -> Dataset:
        definition = DataDefinition(
            numerical_columns=[name for name in self.given.numbers if name in names],
            categorical_columns=[name for name in self.given.categories if name in names],
        )
        return Dataset.from_pandas(frame[names].reset_index(drop=True), data_definition=definition)

    def judge(self, sequence: Sequence[pd.DataFrame]) -> list[Verdict]:
        """Each window by itself."""
        return [self._judge(frame) for frame in sequence]

    def _judge(self, frame: pd.DataFrame) -> Verdict:
        started = time.process_time()
        names = [name for name in self.names if frame[name].notna().any()]
        reference = self.reference if len(names) == len(self.names) else self._data(self.frame, names)
        found = Report([DataDriftPreset()]).run(self._data(frame, names), reference).dict()
        cpu = time.process_time() - started
        verdict = Verdict(cpu={"judge": cpu})
        for metric in found["metrics"]:
            config = metric.get("config", {})
            name, limit, method = config.get("column"), config.get("threshold"), str(config.get("method", ""))
            if name is None or limit is None:
                continue
            value = float(metric["value"])
            if "p_value" in method:
                score = math.log(max(value, 1e-300)) / math.log(limit)
                alarm = value < limit
            else:
                score, alarm = value / limit, value >= limit
            verdict.scores[name] = score if math.isfinite(score) else 0.0
            if alarm:
                verdict.alerts.append((name, None, method, "warning"))
        verdict.alerts.sort(key=lambda alert: -verdict.scores.get(alert[0] or "", 0.0))
        return verdict
