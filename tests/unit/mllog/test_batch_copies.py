"""Batches of columns that share the caller's memory: what is logged is what was there when the call returned."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import numpy as np
import pandas as pd
import polars as pl
import pyarrow as pa
import pytest

from mllog.testing import capture_events

if TYPE_CHECKING:
    from collections.abc import Callable

NUMBERS: dict[str, Callable[[Any], Any]] = {
    "polars": lambda array: pl.DataFrame({"a": array}),
    "from_numpy": lambda array: pl.from_numpy(array.reshape(-1, 1), schema=["a"]),
    "from_arrow": lambda array: pl.from_arrow(pa.table({"a": array})),
    "pyarrow": lambda array: pa.table({"a": array}),
    "chunks": lambda array: pa.table({"a": pa.chunked_array([pa.array(array[:1]), pa.array(array[1:])])}),
    "record batch": lambda array: pa.RecordBatch.from_arrays([pa.array(array)], ["a"]),
    "ArrowDtype": lambda array: pd.DataFrame({"a": pd.array(pa.array(array), dtype=pd.ArrowDtype(pa.float64()))}),
    "pandas": lambda array: pd.DataFrame({"a": array}, copy=False),
    "mapping": lambda array: {"a": array},
    "masked": lambda array: {"a": np.ma.array(array, mask=False, copy=False)},
}


def told(frame: Any, change: Callable[[], None], outputs: Any = None) -> list[tuple[Any, Any]]:
    """The input ``a`` and the score of each event of a frame that is changed before the writer gets to it."""
    with capture_events(flush_interval=3600) as captured:
        captured.log.batch(frame, outputs)
        change()
        events = [event["ml"] for event in captured.events("prediction")]
    values = [next((of_type["a"] for of_type in ml["inputs"].values() if "a" in of_type), None) for ml in events]
    return [(value, ml.get("outputs", {}).get("score")) for value, ml in zip(values, events, strict=True)]


@pytest.mark.parametrize("kind", NUMBERS)
def test_numbers_that_are_changed_later(kind: str) -> None:
    """Constructors that share an array of the caller's: its values at the time of the call are logged."""
    array = np.array([1.0, 2.0])
    frame = NUMBERS[kind](array)

    def change() -> None:
        array[:] = 99.0

    assert [value for value, _ in told(frame, change)] == [1.0, 2.0]


@pytest.mark.parametrize(
    "share",
    [pa.array, lambda array: pl.from_arrow(pa.array(array)), lambda array: {"score": pa.array(array)}],
    ids=["pyarrow", "polars", "parts"],
)
def test_outputs_that_are_changed_later(share: Any) -> None:
    """The same of outputs."""
    array = np.array([0.25, 0.5])
    outputs = share(array)

    def change() -> None:
        array[:] = 0.99

    assert [score for _, score in told({"x": [1, 2]}, change, outputs)] == [0.25, 0.5]


class Shared:
    """Arrays of pyarrow over memory of ours, which :meth:`overwrite` changes.

    Attributes:
        texts: Two strings of 20 letters, too long to be copied into a view.
        gaps: 1, null, 3 and 4.
        flags: True and False, eight in all.
        times: Two moments.
    """

    def __init__(self) -> None:
        self._letters = bytearray(b"a" * 20 + b"b" * 20)
        offsets = np.array([0, 20, 40], np.int32)
        self.texts = pa.Array.from_buffers(pa.string(), 2, [None, pa.py_buffer(offsets), pa.py_buffer(self._letters)])
        self._numbers = np.array([1, 2, 3, 4], np.int64)
        self._valid = np.array([0b1101], np.uint8)
        buffers = [pa.py_buffer(self._valid), pa.py_buffer(self._numbers)]
        self.gaps = pa.Array.from_buffers(pa.int64(), 4, buffers)
        self._bits = np.array([0b00001111], np.uint8)
        self.flags = pa.Array.from_buffers(pa.bool_(), 8, [None, pa.py_buffer(self._bits)])
        self._moments = np.array([0, 86_400_000_000], np.int64)
        self.times = pa.Array.from_buffers(pa.timestamp("us"), 2, [None, pa.py_buffer(self._moments)])

    def overwrite(self) -> None:
        """Change all of it."""
        self._letters[:] = b"z" * 40
        self._numbers[:] = 99
        self._valid[:] = 0b0011
        self._bits[:] = 0b11110000
        self._moments[:] = 5


COLUMNS: dict[str, tuple[Callable[[Shared], Any], list[Any]]] = {
    "texts": (lambda shared: shared.texts, ["a" * 20, "b" * 20]),
    "views": (lambda shared: shared.texts.cast(pa.string_view()), ["a" * 20, "b" * 20]),
    "dictionary": (lambda shared: pa.DictionaryArray.from_arrays([0, 1], shared.texts), ["a" * 20, "b" * 20]),
    "lists": (lambda shared: pa.ListArray.from_arrays([0, 1, 2], shared.texts), [["a" * 20], ["b" * 20]]),
    "structs": (lambda shared: pa.StructArray.from_arrays([shared.texts], ["s"]), [{"s": "a" * 20}, {"s": "b" * 20}]),
    "gaps": (lambda shared: shared.gaps, [1, None, 3, 4]),
    "flags": (lambda shared: shared.flags, [True] * 4 + [False] * 4),
    "times": (lambda shared: shared.times, ["1970-01-01T00:00:00", "1970-01-02T00:00:00"]),
}
LIBRARIES: dict[str, Callable[[Any], Any]] = {
    "pyarrow": lambda array: pa.table({"a": array}),
    "polars": lambda array: pl.from_arrow(pa.table({"a": array})),
    "pandas": lambda array: pd.DataFrame({"a": pd.array(array, dtype=pd.ArrowDtype(array.type))}),
    "str": lambda array: pd.DataFrame({"a": pd.array(array.cast(pa.string()), dtype=pd.StringDtype("pyarrow"))}),
}


@pytest.mark.parametrize(
    ("kind", "library"),
    [
        (kind, library)
        for kind in COLUMNS
        for library in LIBRARIES
        if library != "str" or kind in {"texts", "views", "dictionary"}
    ],
)
def test_buffers_that_are_changed_later(kind: str, library: str) -> None:
    """Texts, validity, flags, times and what is nested, over buffers of the caller's."""
    shared = Shared()
    make, expected = COLUMNS[kind]
    frame = LIBRARIES[library](make(shared))
    assert [one for one, _ in told(frame, shared.overwrite)] == expected


@pytest.mark.parametrize("library", ["pyarrow", "polars"])
def test_times_and_ids_that_are_changed_later(library: str) -> None:
    """The same of the columns of event times and of the caller's ids."""
    shared = Shared()
    table = pa.table({"x": [1, 2], "t": shared.times, "id": shared.texts})
    frame = table if library == "pyarrow" else pl.from_arrow(table)
    with capture_events(flush_interval=3600) as captured:
        captured.log.batch(frame, time="t", id="id")
        shared.overwrite()
        events = captured.events("prediction")
    assert [event["@timestamp"][:10] for event in events] == ["1970-01-01", "1970-01-02"]
    assert [event["ml"]["prediction_id"] for event in events] == ["a" * 20, "b" * 20]
