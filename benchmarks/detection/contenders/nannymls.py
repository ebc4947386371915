"""NannyML: univariate drift, missing values and unseen values with their defaults.

Jensen-Shannon distance for numbers and categories; a window alarms outside of the mean ± 3 standard deviations over
the reference's windows.
"""

from __future__ import annotations

import time
from collections.abc import Sequence
from typing import Any

import nannyml
import pandas as pd
from nannyml.chunk import Chunk, Chunker

from benchmarks.detection.contenders import WINDOW, Given, Verdict


class _Windows(Chunker):  # type: ignore[misc]
    """Chunks of the given sizes: days have different numbers of rows, and a day is a window."""

    def __init__(self, sizes: list[int]) -> None:
        super().__init__()
        self.sizes = sizes

    def _split(self, data: pd.DataFrame) -> list[Chunk]:
        sizes = self.sizes if sum(self.sizes) == len(data) else [len(data)]
        chunks, start = [], 0
        for number, size in enumerate(sizes):
            end = start + size
            part = data.iloc[start:end]
            chunks.append(Chunk(key=f"{number:05d}", data=part, start_index=start, end_index=end - 1))
            start = end
        return chunks


class Nannyml:
    """Alarms where any of the three calculators does."""

    def prepare(self, given: Given) -> None:
        """Fit all three on the reference."""
        self.names = given.tabular
        self.categories = given.categories
        reference = self._typed(given.reference)
        chunker = _Windows(given.reference.groupby(WINDOW, sort=True).size().tolist())
        self.calculators: list[Any] = [
            nannyml.UnivariateDriftCalculator(
                column_names=self.names, treat_as_categorical=given.categories, chunker=chunker
            ),
            nannyml.MissingValuesCalculator(column_names=self.names, chunker=chunker),
            nannyml.UnseenValuesCalculator(column_names=given.categories, chunker=chunker),
        ]
        for calculator in self.calculators:
            calculator.fit(reference)

    def judge(self, sequence: Sequence[pd.DataFrame]) -> list[Verdict]:
        """Each window by itself."""
        return [self._judge(frame) for frame in sequence]

    def _judge(self, frame: pd.DataFrame) -> Verdict:
        started = time.process_time()
        data = self._typed(frame)
        found = [calculator.calculate(data) for calculator in self.calculators]
        cpu = time.process_time() - started
        verdict = Verdict(cpu={"judge": cpu})
        alarmed: dict[str, str] = {}
        for result in found:
            # One row a window: columns (feature, method, value | upper_threshold | lower_threshold | alert).
            table = result.filter(period="analysis").to_df(multilevel=True)
            row = table.iloc[-1]
            for key in table.columns:
                if key[-1] != "alert":
                    continue
                name, method = key[0], str(key[1]) if len(key) > 2 else "data quality"
                part = {entry[-1]: row[entry] for entry in table.columns if entry[:-1] == key[:-1]}
                verdict.scores[name] = max(verdict.scores.get(name, 0.0), _score(part))
                if bool(part["alert"]):
                    alarmed.setdefault(name, method)
        for name in sorted(alarmed, key=lambda name: -verdict.scores[name]):
            verdict.alerts.append((name, None, alarmed[name], "warning"))
        return verdict

    def _typed(self, frame: pd.DataFrame) -> pd.DataFrame:
        frame = frame[self.names].reset_index(drop=True)
        for name in self.categories:
            frame[name] = frame[name].astype("category")
        return frame


def _score(part: dict[str, Any]) -> float:
    """How far a value is outside: 1 at the threshold, 0 in the middle of the two (0 where one is missing)."""
    value = float(part["value"])
    upper, lower = part.get("upper_threshold"), part.get("lower_threshold")
    high = float(upper) if upper is not None and pd.notna(upper) else None
    low = float(lower) if lower is not None and pd.notna(lower) else None
    if pd.isna(value) or (high is None and low is None):
        return 0.0
    middle = 0.0 if high is None or low is None else (high + low) / 2
    reach = max(abs((high if high is not None else low or 0.0) - middle), 1e-9)
    return abs(value - middle) / reach
