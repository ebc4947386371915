"""What can't be logged of a batch, or not as it is: said once, marked, counted; and no iterator is used up."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import numpy as np
import pandas as pd
import pyarrow as pa
import pytest

import mllog
from mllog import notices
from mllog.testing import Captured, capture_events

if TYPE_CHECKING:
    from collections.abc import Iterator


@pytest.fixture(autouse=True)
def nothing_said(monkeypatch: pytest.MonkeyPatch) -> None:
    """Every test begins as a process does."""
    monkeypatch.setattr(notices, "_said", set())


def letters() -> Iterator[str]:
    yield from "ab"


TWICE = {
    "pandas": pd.DataFrame([[1, 2, 3], [4, 5, 6]], columns=["a", "a", "b"]),
    "pyarrow": pa.table([pa.array([1, 4]), pa.array([2, 5]), pa.array([3, 6])], names=["a", "a", "b"]),
}


@pytest.mark.parametrize("sampling", [None, mllog.Sampling(1.0, seed=1)], ids=["columns", "rows"])
@pytest.mark.parametrize("library", TWICE)
def test_a_name_that_two_columns_have(library: str, sampling: Any, caplog: pytest.LogCaptureFixture) -> None:
    """The last of them is logged, every event marks the name, and the log says so once."""
    with capture_events(sampling=sampling) as captured:
        captured.log.batch(TWICE[library])
        captured.log.batch(TWICE[library])
        events = captured.events("prediction")[:2]
    assert [event["ml"]["inputs"] for event in events] == [{"number": {"a": 2, "b": 3}}, {"number": {"a": 5, "b": 6}}]
    assert [event["ml"]["replaced"] for event in events] == [["a"], ["a"]]
    assert caplog.text.count("two columns are called 'a'") == 1


def test_an_iterator_among_the_columns(captured: Captured, caplog: pytest.LogCaptureFixture) -> None:
    """Whoever reads it later finds everything; the other columns are logged, and its name is marked."""
    once = letters()
    captured.log.batch({"x": [1, 2], "once": once})
    assert list(once) == ["a", "b"]
    events = captured.events("prediction")
    assert [event["ml"]["inputs"] for event in events] == [{"number": {"x": 1}}, {"number": {"x": 2}}]
    assert [event["ml"]["replaced"] for event in events] == [["once"], ["once"]]
    assert "column 'once' is of type generator, which could be read only once: give list(…) of it" in caplog.text


def test_an_iterator_for_the_outputs(captured: Captured, caplog: pytest.LogCaptureFixture) -> None:
    """It is left as it is; the rows are logged without outputs, and the remedy is said."""
    outputs = map(float, [1, 2])
    captured.log.batch({"x": [1, 2]}, outputs)
    assert list(outputs) == [1.0, 2.0]
    assert ["outputs" in event["ml"] for event in captured.events("prediction")] == [False, False]
    assert "outputs is of type map, which could be read only once: give list(…) of it" in caplog.text


@pytest.mark.parametrize(
    ("frame", "rows", "message"),
    [
        (np.zeros((3, 2)), 3, "ndarray is not a frame: give one of pandas"),
        ([[1, 2], [3, 4]], 2, "list is not a frame: give one of pandas"),
        ("abc", None, "str is not a frame: give one of pandas"),
        (letters(), None, "generator is not a frame"),
        (None, None, "NoneType is not a frame"),
        ({"a": 5}, None, "column 'a' is 5 of type int, not a column: give a list or an array"),
        ({"a": "abc"}, None, "column 'a' is of type str, not a column"),
        ({"x": [1, 2], "y": [1]}, None, "the columns of a frame have one length, not [1, 2]"),
    ],
    ids=["array", "lists", "text", "generator", "none", "number", "letters", "lengths"],
)
def test_what_is_no_frame(
    captured: Captured, frame: Any, rows: int | None, message: str, caplog: pytest.LogCaptureFixture
) -> None:
    """Its rows are counted where it has some, else it counts as one; type and remedy are said once."""
    for _ in range(2):
        assert captured.log.batch(frame) == [""] * (rows or 0)
    assert captured.log.status().rejected == 2 * (rows or 1)
    assert caplog.text.count(message) == 1


def test_a_masked_array(captured: Captured) -> None:
    """What is masked isn't there."""
    captured.log.batch({"x": np.ma.array([1.5, 2.5], mask=[False, True])})
    first, second = captured.events("prediction")
    assert first["ml"]["inputs"] == {"number": {"x": 1.5}}
    assert second["ml"]["missing"] == {"null": ["x"]}


def test_an_array_of_times_is_sliced(captured: Captured) -> None:
    """A column of times is looked at a slice at a time, not all of it for each slice."""

    class Counted(np.ndarray[Any, Any]):
        listed = 0

        def tolist(self) -> Any:
            Counted.listed += self.size
            return super().tolist()

    n = 5_000
    times = np.arange(n).astype("datetime64[s]").view(Counted)
    captured.log.batch({"x": np.arange(n), "t": times}, time="t")
    assert len(captured.events("prediction")) == n
    assert Counted.listed == n
