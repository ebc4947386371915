"""Frames of each library, and the ways to log one."""

from __future__ import annotations

from collections.abc import Callable, Iterable
from itertools import cycle, islice
from typing import Any, Final

from benchmarks.logger import workload

BATCH: Final = "log.batch(frame)"

Way = Callable[[Any, Any, Any], object]
"""Takes a logger, a frame and the outputs."""


def frame_of(library: str, rows: int) -> Any:
    """A frame of the benchmark's 30 features; a key that a prediction lacks is null."""
    given = [prediction.inputs for prediction in islice(cycle(workload.predictions()), rows)]
    return _make(library, {name: [row.get(name) for row in given] for name in workload.FEATURES})


def outputs_of(rows: int) -> list[dict[str, Any]]:
    """One output a row, as model code has it."""
    return [prediction.output for prediction in islice(cycle(workload.predictions()), rows)]


def frame_of_outputs(library: str, rows: int) -> Any:
    """The same outputs as a frame of label and score."""
    given = outputs_of(rows)
    return _make(library, {name: [output[name] for output in given] for name in ("label", "score")})


def _make(library: str, columns: dict[str, list[Any]]) -> Any:
    if library == "pandas":
        import pandas as pd  # noqa: PLC0415 - each library in a process of its own

        return pd.DataFrame(columns)
    if library == "polars":
        import polars as pl  # noqa: PLC0415

        return pl.DataFrame(columns)
    import pyarrow as pa  # noqa: PLC0415

    return pa.table(columns)


def _each(rows: Callable[[Any], Iterable[Any]]) -> Way:
    def log_each(log: Any, frame: Any, outputs: Iterable[Any]) -> None:
        for row, output in zip(rows(frame), outputs, strict=True):
            log.prediction(row, output)

    return log_each


WAYS: Final[dict[str, dict[str, Way]]] = {
    "pandas": {
        'frame.to_dict("records")': _each(lambda frame: frame.to_dict("records")),
        "frame.iterrows()": _each(lambda frame: (row for _, row in frame.iterrows())),
    },
    "polars": {
        "frame.to_dicts()": _each(lambda frame: frame.to_dicts()),
        "frame.iter_rows(named=True)": _each(lambda frame: frame.iter_rows(named=True)),
    },
    "pyarrow": {"table.to_pylist()": _each(lambda table: table.to_pylist())},
}
"""By library the ways to log each row by a call of its own, as they stand in user code; ratios are to the first."""
