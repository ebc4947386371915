"""A frame where one prediction's inputs are meant."""

from __future__ import annotations

from typing import Any

import pandas as pd
import polars as pl
import pyarrow as pa
import pytest

from mllog import notices
from mllog.testing import Captured, assert_valid
from mllog.values import typed

MAKERS: dict[str, Any] = {
    "pandas": pd.DataFrame,
    "index": lambda columns: pd.DataFrame(columns, index=range(7, 7 + len(columns["distance"]))),
    "polars": pl.DataFrame,
    "pyarrow": pa.table,
    "record batch": pa.RecordBatch.from_pydict,
}
makers = pytest.mark.parametrize("make", MAKERS.values(), ids=MAKERS)


@makers
def test_a_frame_of_one_row_is_that_row(carded: Captured, make: Any) -> None:
    """As it would be as a mapping: every value in its type's map, and no violation."""
    row = {"distance": 50.0, "carrier": "UA"}
    carded.log.prediction(make({name: [value] for name, value in row.items()}), 0.5)
    carded.log.prediction(row, 0.5)
    first, second = carded.predictions()
    assert_valid([first])
    assert first["ml"]["inputs"] == second["ml"]["inputs"]
    assert first["ml"].get("violations") == second["ml"].get("violations")
    assert "replaced" not in first["ml"]


@makers
def test_a_monitored_function_of_a_frame(captured: Captured, make: Any) -> None:
    """The frame's only row is the inputs, beside the plain values of other arguments."""

    @captured.log.monitor
    def predict(df: Any) -> float:
        return 0.5

    @captured.log.monitor
    def decide(df: Any, threshold: float) -> float:
        return threshold

    frame = make({"distance": [50.0], "carrier": ["UA"]})
    predict(frame)
    decide(frame, 0.25)
    first, second = captured.predictions()
    assert first["ml"]["inputs"] == {"number": {"distance": 50.0}, "keyword": {"carrier": "UA"}}
    assert second["ml"]["inputs"] == {"number": {"distance": 50.0, "threshold": 0.25}, "keyword": {"carrier": "UA"}}


@pytest.mark.parametrize("rows", [0, 2])
@makers
def test_a_frame_of_more_rows_is_marked(
    captured: Captured, make: Any, rows: int, monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    """One event, whose inputs are marked as a whole; the log says once what to use."""
    monkeypatch.setattr(notices, "_said", set())
    for _ in range(2):
        captured.log.prediction(make({"distance": [50.0] * rows, "carrier": ["UA"] * rows}))
    for event in captured.predictions():
        assert event["ml"]["replaced"] == ["@inputs"]
    assert caplog.text.count("log.batch logs one for each row") == 1


def test_a_name_that_two_columns_have(captured: Captured) -> None:
    """The last is logged, and the inputs are marked."""
    captured.log.prediction(pd.DataFrame([[1, 2]], columns=["a", "a"]))
    (event,) = captured.predictions()
    assert event["ml"]["inputs"] == {"number": {"a": 2}}
    assert event["ml"]["replaced"] == ["@inputs"]


@makers
def test_a_frame_of_one_row_inside_of_inputs(make: Any) -> None:
    """It is a mapping there, too."""
    assert typed({"row": make({"distance": [50.0]})}) == {"row": {"distance": 50.0}}
