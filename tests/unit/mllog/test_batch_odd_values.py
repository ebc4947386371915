"""Values that few frames have: each is logged as a single call would log it, and costs no other row."""

from __future__ import annotations

from typing import Any

import numpy as np
import pandas as pd
import pytest
from sklearn.gaussian_process import GaussianProcessRegressor

import mllog
from mllog.testing import Captured

N = 5_000


class Unhashable(type):
    """A class that can't be hashed."""

    __hash__ = None  # type: ignore[assignment]

    def __eq__(cls, other: object) -> bool:
        return cls is other


class Strange(metaclass=Unhashable):
    """A value of such a class."""


def replaced_in(captured: Captured, mark: str) -> list[int]:
    events = captured.predictions()
    assert len(events) == N
    assert captured.log.status().rejected == 0
    return [row for row, event in enumerate(events) if mark in event["ml"].get("replaced", ())]


@pytest.mark.parametrize("place", [0, N - 1])
def test_a_value_of_a_class_that_cannot_be_hashed(captured: Captured, place: int) -> None:
    """It is marked on its row, as by a single call, and every other row is logged."""
    column: list[Any] = ["x"] * N
    column[place] = Strange()
    captured.log.batch(pd.DataFrame({"a": range(N), "o": column}))
    assert replaced_in(captured, "o") == [place]


def test_an_output_of_a_class_that_cannot_be_hashed(captured: Captured) -> None:
    """It is marked on its row, and every other row keeps its output."""
    outputs = [Strange(), *["x"] * (N - 1)]
    captured.log.batch(pd.DataFrame({"a": range(N)}), outputs=outputs)
    assert replaced_in(captured, "@output") == [0]
    assert all(event["ml"]["outputs"]["label"] == "x" for event in captured.predictions()[1:])


def test_an_answer_of_a_class_that_cannot_be_hashed(captured: Captured) -> None:
    """A wrapped model's other answers are logged."""

    class Model:
        def predict(self, matrix: Any) -> list[Any]:
            return [Strange(), *["x"] * (len(matrix) - 1)]

    mllog.wrap(Model(), captured.log).predict(np.zeros((N, 1)))
    assert replaced_in(captured, "@output") == [0]
    assert all("x" in event["ml"]["outputs"].values() for event in captured.predictions()[1:])


def test_ids_meet_where_a_frame_has_gaps(captured: Captured) -> None:
    """An id is one text, whether it came as an integer, as its text or as the float that pandas makes of it."""
    captured.log.batch(pd.DataFrame({"a": [1, 2, 3], "i": [101, None, 103]}), id="i")
    captured.log.batch([{"a": 1, "i": 101.0}], id="i")
    for key in (101, 101.0, "101", np.float64(101), np.int64(101)):
        captured.log.prediction({"a": 1}, id=key)  # type: ignore[arg-type]
        captured.log.label(key, "x")  # type: ignore[arg-type]
    captured.log.prediction({"a": 1}, id=1.5)  # type: ignore[arg-type]
    ids = [event["ml"].get("prediction_id") for event in captured.predictions()]
    assert ids == ["101", None, "103", "101", *["101"] * 5, "1.5"]
    assert [event["ml"]["prediction_id"] for event in captured.events("label")] == ["101"] * 5


@pytest.mark.parametrize("value", [np.uint64(2**64 - 1), 2**64 - 1, np.float32(0.1)])
def test_a_wide_integer_is_the_same_by_each_door(captured: Captured, value: Any) -> None:
    """An object column, an array and a single call write the same of a number."""
    captured.log.prediction({"a": value})
    captured.log.batch(pd.DataFrame({"a": pd.Series([value, "x"], dtype=object)}))
    captured.log.batch({"a": np.array([value])})
    single, column, _, array = [(e["ml"]["inputs"], e["ml"].get("replaced")) for e in captured.predictions()]
    assert single == column == array


@pytest.mark.parametrize("rows", [3, 40])
def test_variances_of_several_targets(captured: Captured, rows: int) -> None:
    """``return_cov`` of several targets gives a row its own variances, one a target."""
    matrix = np.arange(rows, dtype=float).reshape(-1, 1)
    model = GaussianProcessRegressor(optimizer=None).fit(matrix[:3], np.column_stack([matrix[:3], -matrix[:3]]))
    _, cov = model.predict(matrix, return_cov=True)
    assert cov.shape == (rows, rows, 2)
    mllog.wrap(model, captured.log).predict(matrix, return_cov=True)
    others = [event["ml"]["outputs"]["other"] for event in captured.predictions()]
    assert [one["variance"] for one in others] == [cov[row, row].tolist() for row in range(rows)]
    assert all("cov" not in one for one in others)


def test_what_is_larger_than_a_row_is_left_out(captured: Captured) -> None:
    """What comes with the estimates and is as large as the call for each row isn't logged, but marked."""

    class Model:
        def predict(self, matrix: Any, return_all: bool = False) -> Any:
            n = len(matrix)
            return np.zeros(n), np.zeros((n, n, 2))

    mllog.wrap(Model(), captured.log).predict(np.zeros((100, 1)), return_all=True)
    events = captured.predictions()
    assert len(events) == 100
    assert all(event["ml"]["replaced"] == ["@output"] for event in events)
    assert all(event["ml"]["outputs"]["other"]["all"] == "<array (100, 100, 2) left out>" for event in events)
