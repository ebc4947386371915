"""Batches: ids, numbers, snapshots, kinds of frames and outputs."""

from __future__ import annotations

import datetime as dt
import subprocess
import sys
from typing import TYPE_CHECKING, Any
from uuid import UUID

import numpy as np
import orjson
import pandas as pd
import polars as pl
import pyarrow as pa
import pytest

from mllog.card import ModelCard
from mllog.delivery.encoder import EVENT_LIMIT
from mllog.integrations.batch import SLICE_ROWS
from mllog.ruler import Feature, Ruler
from mllog.testing import Captured, capture_events

if TYPE_CHECKING:
    from collections.abc import Callable

N = 2 * SLICE_ROWS + 500
MAKERS = {"pandas": pd.DataFrame, "polars": pl.DataFrame, "pyarrow": pa.table, "mapping": dict}
makers = pytest.mark.parametrize("make", MAKERS.values(), ids=MAKERS)


def columns(n: int = N) -> dict[str, list[Any]]:
    return {
        "number": [k / 8 for k in range(n)],
        "integer": list(range(n)),
        "category": [f"c{k % 5}" for k in range(n)],
        "text": [f"text {k}" for k in range(n)],
        "flag": [k % 3 == 0 for k in range(n)],
    }


@makers
def test_ids_and_numbers(captured: Captured, make: Any) -> None:
    """Ids are unique and in the order of the rows, and so are the numbers, without a hole."""
    before = captured.log.prediction({})
    ids = captured.log.batch(make(columns()))
    after = captured.log.prediction({})
    assert before < min(ids)
    assert max(ids) < after
    assert {UUID(one).version for one in ids} == {7}
    events = captured.events("prediction")[1:-1]
    assert ids == [event["event"]["id"] for event in events]
    assert ids == sorted(set(ids))
    assert len(ids) == N
    assert [event["ml"]["sequence"]["number"] for event in events] == list(range(3, N + 3))
    assert [event["ml"]["inputs"]["number"]["integer"] for event in events] == list(range(N))
    assert captured.log.status().written == N + 3
    assert captured.log.status().queued == 0


@makers
def test_columns_are_treated_as_columns(captured: Captured, make: Any) -> None:
    """The encoder of single events is asked for one line a slice, not for one a row."""
    encoder = captured.log._engine._encoder
    line, asked = encoder.line, []

    def counted(record: Any) -> bytes:
        asked.append(record)
        return line(record)

    encoder.line = counted  # type: ignore[method-assign]
    captured.log.batch(make(columns()), outputs={"score": np.linspace(0, 1, N), "label": ["late"] * N})
    assert len(captured.events("prediction")) == N
    assert len(asked) == -(-N // SLICE_ROWS)


def _change_frame(frame: Any) -> None:
    frame.loc[:, "number"] = -1.0
    frame["nested"].iloc[0].append(-1)


def _change_arrays(frame: dict[str, Any]) -> None:
    frame["number"][:] = -1.0
    frame["category"][:] = ["changed"] * len(frame["category"])
    frame["nested"][0].append(-1)


@pytest.mark.parametrize(
    ("make", "change"),
    [
        (pd.DataFrame, _change_frame),
        (lambda given: {**given, "number": np.array(given["number"])}, _change_arrays),
        (lambda given: pl.DataFrame({k: v for k, v in given.items() if k != "nested"}).with_columns(pl.Series("nested", given["nested"], dtype=pl.Object)),
         lambda frame: frame["nested"][0].append(-1)),
    ],
    ids=["pandas", "arrays", "polars"],
)  # fmt: skip
def test_later_changes_are_not_logged(make: Any, change: Callable[[Any], None]) -> None:
    """What is logged is what was passed, whatever the caller does with it afterwards; and the caller keeps it as it was."""
    given = columns(3) | {"nested": [[1], [2], [3]]}
    outputs = np.array([0.1, 0.2, 0.3])
    with capture_events(flush_interval=3600) as captured:
        frame = make(given)
        captured.log.batch(frame, outputs)
        assert orjson.dumps(given) == orjson.dumps(columns(3) | {"nested": [[1], [2], [3]]})
        change(frame)
        outputs[:] = 0.9
        events = captured.events("prediction")
    assert [event["ml"]["inputs"]["number"]["number"] for event in events] == columns(3)["number"]
    assert [event["ml"]["inputs"]["keyword"]["category"] for event in events] == columns(3)["category"]
    assert [event["ml"]["inputs"]["other"]["nested"] for event in events] == [[1], [2], [3]]
    assert [event["ml"]["outputs"]["score"] for event in events] == [0.1, 0.2, 0.3]


def test_changed_outputs_are_not_logged() -> None:
    """The same for outputs that are objects."""
    outputs = [{"label": "a", "scores": {"a": 1.0}}, {"label": "b", "scores": {"a": 0.0}}]
    with capture_events(flush_interval=3600) as captured:
        captured.log.batch({"x": [1, 2]}, outputs)
        outputs[0]["scores"]["a"] = 5.0  # type: ignore[index]
        outputs[1]["label"] = "c"
        told = [event["ml"]["outputs"] for event in captured.events("prediction")]
    assert told == [{"label": "a", "scores": {"a": 1.0}}, {"label": "b", "scores": {"a": 0.0}}]


@pytest.mark.parametrize("outputs", [[1.0], 5, object(), {"a": [1], "b": [1, 2]}, np.float64(3.0)], ids=repr)
def test_outputs_that_do_not_fit(captured: Captured, outputs: Any, caplog: pytest.LogCaptureFixture) -> None:
    """The inputs are logged without outputs, and a warning says so."""
    assert len(captured.log.batch(pd.DataFrame(columns(3)), outputs)) == 3
    assert ["outputs" in event["ml"] for event in captured.events("prediction")] == [False] * 3
    assert "without outputs" in caplog.text


def test_a_row_that_cannot_be_written_is_counted_alone(captured: Captured) -> None:
    """The rows around it are there, and no other number is missing."""
    line = captured.log._engine._encoder.line

    def failing(record: Any) -> bytes:
        if record.number == 3:
            raise ValueError("a bug")
        return line(record)

    captured.log._engine._encoder.line = failing  # type: ignore[method-assign]
    captured.log.batch({"x": ["a", "\ud800", "c"]})
    events = captured.events("prediction")
    assert [event["ml"]["sequence"]["number"] for event in events] == [2, 4]
    assert captured.log.status().rejected == 1


def test_a_clock_that_raises() -> None:
    """Every row is counted, and has no id."""

    def broken() -> int:
        raise OSError("no clock")

    with capture_events(clock=broken) as captured:
        assert captured.log.batch({"x": [1, 2, 3]}) == ["", "", ""]
        assert captured.log.status().rejected >= 3


@pytest.mark.parametrize(
    "frame",
    [
        pl.LazyFrame({"x": [1.0, 2.0]}),
        pa.RecordBatch.from_pydict({"x": [1.0, 2.0]}),
        pd.DataFrame({"x": [1.0, 2.0]}, index=[7, 7]),
        {"x": {1: 1.0, 2: 2.0}.values()},
        {"x": pd.Series([1.0, 2.0]), "y": pl.Series([None, None])},
        [{"x": 1.0}, {"x": 2.0}],
    ],
    ids=["lazy", "record batch", "index", "view", "mixed", "rows"],
)
def test_kinds_of_frames(captured: Captured, frame: Any) -> None:
    """Whatever holds columns, or rows."""
    captured.log.batch(frame)
    assert [event["ml"]["inputs"] for event in captured.events("prediction")] == [
        {"number": {"x": 1.0}},
        {"number": {"x": 2.0}},
    ]


def test_a_key_that_a_row_lacks_is_absent(carded: Captured) -> None:
    """Rows given as mappings need not have the same keys."""
    carded.log.batch([{"distance": 50.0, "carrier": "UA"}, {"carrier": None}])
    first, second = (event["ml"]["missing"] for event in carded.events("prediction"))
    assert "distance" not in first["absent"]
    assert "distance" in second["absent"]
    assert second["null"] == ["carrier"]


def test_a_frame_without_columns(captured: Captured) -> None:
    """A column of times alone makes events without inputs."""
    captured.log.batch({"t": [1, 2]}, time="t")
    assert [event["ml"]["inputs"] for event in captured.events("prediction")] == [{}, {}]
    assert captured.log.batch({}) == []
    assert captured.log.batch(pd.DataFrame()) == []


def test_a_line_that_is_too_long_is_shortened() -> None:
    """One row beyond the bound of an event among others that aren't."""
    names = [f"t{k}" for k in range(140)]
    card = ModelCard(model="model", version="1", ruler=Ruler(tuple(Feature(name, "text") for name in names)))
    frame = {name: ["short", "x" * 8_000, "short"] for name in names}
    with capture_events(card=card) as captured:
        captured.log.batch(pl.DataFrame(frame))
        lines = [line for line in captured.lines if b'"predict"' in line]
    assert all(len(line) < EVENT_LIMIT for line in lines)
    inputs = [orjson.loads(line)["ml"]["inputs"] for line in lines]
    assert [len(one.get("text", ())) for one in inputs] == [140, 0, 140]
    assert orjson.loads(lines[1])["ml"]["truncated"] == ["inputs"]


def test_more_columns_than_names_have_fields(captured: Captured) -> None:
    """Without a card columns beyond the bound go to ``other``, as they do for single events."""
    frame = {f"x{k}": [float(k), None] for k in range(310)}
    captured.log.batch(pl.DataFrame(frame))
    first, second = (event["ml"]["inputs"] for event in captured.events("prediction"))
    assert len(first["number"]) == 300
    assert first["other"] == {f"x{k}": float(k) for k in range(300, 310)}
    assert second == {"other": {f"x{k}": None for k in range(300, 310)}}


WITHOUT_NUMPY = """
import sys
{block}
import polars, pyarrow
from mllog.testing import capture_events
with capture_events() as captured:
    captured.log.prediction({{"x": 1.0}})
    assert {unwanted} not in {{name for name, module in sys.modules.items() if module is not None}}
    for frame in (polars.DataFrame({{"x": [1.0, None], "t": ["a", "b"]}}), pyarrow.table({{"x": [1.0, None], "t": ["a", "b"]}})):
        captured.log.batch(frame, [0.5, 0.6])
    print(len(captured.events("prediction")), [event["ml"]["inputs"] for event in captured.events("prediction")[3:]])
"""


@pytest.mark.parametrize(
    ("block", "unwanted"), [("sys.modules['numpy'] = None", "'numpy'"), ("", "'mllog.delivery.columns'")]
)
def test_numpy_is_not_needed(block: str, unwanted: str) -> None:
    """Frames of libraries that do without numpy are logged without it; and nothing for batches is loaded before one is logged."""
    script = WITHOUT_NUMPY.format(block=block, unwanted=unwanted)
    done = subprocess.run([sys.executable, "-c", script], capture_output=True, text=True, check=True)
    expected = [{"number": {"x": 1.0}, "keyword": {"t": "a"}}, {"keyword": {"t": "b"}}]
    assert done.stdout.strip() == f"5 {expected}"


def test_a_time_that_is_none_is_marked(captured: Captured) -> None:
    """NaT in a column of times: the event is there, at the time of the call, and says so."""
    times = pd.Series([pd.Timestamp("2026-01-02", tz="UTC"), pd.NaT])
    captured.log.batch(pd.DataFrame({"x": [1.0, 2.0], "t": times}), time="t")
    first, second = captured.events("prediction")
    assert first["@timestamp"] == "2026-01-02T00:00:00.000000Z"
    assert "replaced" not in first["ml"]
    assert second["ml"]["replaced"] == ["@timestamp"]
    assert second["@timestamp"][:4] == str(dt.datetime.now(dt.UTC).year)
