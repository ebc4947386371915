"""What a batch writes of a row is what a call for that row alone writes."""

from __future__ import annotations

import datetime as dt
import math
import random
from typing import Any
from uuid import UUID

import numpy as np
import orjson
import pandas as pd
import polars as pl
import pyarrow as pa
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from support import oracles
from support.frames import CARD, FLOATS, INTEGERS, KINDS, MOMENTS, OBJECTS, TEXTS, WITHOUT_ENUMS, frames, or_null

from mllog.card import ModelCard
from mllog.delivery.rows import Rows
from mllog.integrations.batch import SLICE_ROWS
from mllog.testing import capture_events
from mllog.values import name_of

NOON = 1_767_355_200_000_000_000
REGRESSION = ModelCard(model="model", version="1", task="regression", ruler=CARD.ruler)
CARDS = {"no card": None, "card": CARD, "regression": REGRESSION}

PROBABILITIES = st.sampled_from([0.0, 0.5, 1.0])
OUTPUTS = {
    "none": st.none(),
    "scores": PROBABILITIES | st.floats(0, 1),
    "numbers": FLOATS,
    "integers": st.integers(-3, 3),
    "labels": st.sampled_from(["late", "on time", "", "\ud800"]),
    "flags": st.booleans(),
    "anything": OBJECTS,
    "dicts": st.fixed_dictionaries({"label": or_null(TEXTS | FLOATS), "score": or_null(FLOATS), "value": INTEGERS}),
    "whole": st.fixed_dictionaries(
        {
            "scores": st.lists(PROBABILITIES, max_size=3),
            "explanation": st.dictionaries(st.sampled_from("ab"), FLOATS),
            "extra": OBJECTS,
        }
    ),
}


def told(event: dict[str, Any]) -> bytes:
    """What an event says; lists of names are sets, and ids and numbers are each event's own."""
    ml = event["ml"]
    assert ml.get("fingerprint") == (oracles.fingerprint(ml) if "card" in ml else None)
    del event["event"]["id"], ml["sequence"]
    for field in ("bins", "truncated", "replaced"):
        if field in ml:
            ml[field] = sorted(set(map(name_of, ml[field])))
    for field in ("missing", "violations"):
        for names in ml.get(field, {}).values():
            names.sort()
    return orjson.dumps(event, option=orjson.OPT_SORT_KEYS)


@pytest.fixture(autouse=True)
def no_second_chance(monkeypatch: pytest.MonkeyPatch) -> None:
    """Where columns fail, rows are lost here, instead of being written one by one."""
    one_by_one = Rows.one_by_one

    def only_where_it_is_meant(self: Rows, *arguments: Any) -> Any:
        assert not self.plan.is_writable
        return one_by_one(self, *arguments)

    monkeypatch.setattr(Rows, "one_by_one", only_where_it_is_meant)


def twice_in(frame: Any) -> list[str]:
    """Names that more than one column of a frame has, as marks."""
    names = list(frame.columns) if isinstance(frame, pd.DataFrame) else []
    return sorted({name_of(name) for name in names if names.count(name) > 1})


def check(
    card: ModelCard | None, frame: Any, rows: list[dict[Any, Any]], outputs: Any, each: list[Any], **options: Any
) -> None:
    """Both ways write the same of each row, and refuse the same rows."""
    moments, keys = options.pop("moments", [None] * len(rows)), options.pop("keys", [None] * len(rows))
    with (
        capture_events(card=card, clock=lambda: NOON) as whole,
        capture_events(card=card, clock=lambda: NOON) as single,
    ):
        ids = whole.log.batch(frame, outputs, **options)
        for row, output, moment, key in zip(rows, each, moments, keys, strict=True):
            single.log.prediction(row, output, id=key, time=moment)
        events, expected = whole.events("prediction"), single.events("prediction")
        for event in expected if twice_in(frame) else ():
            event["ml"]["replaced"] = [*event["ml"].get("replaced", ()), *twice_in(frame)]
        assert list(map(told, whole.events("prediction"))) == list(map(told, expected))
        assert whole.log.status().rejected == single.log.status().rejected
        assert [event["event"]["id"] for event in events] == [
            one for one in ids if one in {e["event"]["id"] for e in events}
        ]
        assert len(ids) == len(rows) == len(set(ids))
        numbers = [event["ml"]["sequence"]["number"] for event in events]
        assert numbers == sorted(numbers)


RELAXED = settings(
    deadline=None,
    max_examples=40,
    suppress_health_check=[HealthCheck.function_scoped_fixture, HealthCheck.too_slow, HealthCheck.data_too_large],
)


@pytest.mark.parametrize("card", [None, CARD], ids=["no card", "card"])
@pytest.mark.parametrize("library", KINDS)
@RELAXED
@given(data=st.data())
def test_every_row_is_written_as_by_a_call_of_its_own(library: str, card: ModelCard | None, data: Any) -> None:
    """Frames of any columns: each event says what the same row logged alone says."""
    frame, rows = data.draw(frames(library))
    check(card, frame, rows, None, [None] * len(rows))


@pytest.mark.parametrize("card", CARDS)
@pytest.mark.parametrize("kind", OUTPUTS)
@RELAXED
@given(data=st.data())
def test_outputs_are_written_as_by_a_call_of_its_own(kind: str, card: str, data: Any) -> None:
    """Outputs of any kind, as a list of them."""
    outputs = data.draw(st.lists(OUTPUTS[kind], min_size=3, max_size=3))
    frame = {"distance": [1.0, 2.0, 3.0]}
    check(CARDS[card], frame, [{"distance": value} for value in frame["distance"]], outputs, outputs)


CLASSES = TEXTS | FLOATS | st.sampled_from([math.nan, "nan", math.inf, "inf", 1, 1.0, True, 2**53 + 1, 2**64])
PARTS = {
    "label": or_null(CLASSES),
    "score": or_null(FLOATS),
    "value": st.integers(-3, 2**64),
    "scores": st.lists(PROBABILITIES, max_size=3),
    "top_k": or_null(CLASSES) | st.lists(or_null(CLASSES), max_size=3) | st.just([{"label": "late"}]),
    "explanation": or_null(FLOATS) | st.sampled_from(["late", True]) | st.dictionaries(st.sampled_from("ab"), or_null(FLOATS)),
    "extra": OBJECTS,
}


@pytest.mark.parametrize("card", CARDS)
@pytest.mark.parametrize(
    "names", [("label",), ("score",), ("label", "score"), ("label", "score", "value"), ("top_k",), tuple(PARTS)]
)
@RELAXED
@given(data=st.data())
def test_parts_of_outputs_are_written_as_by_a_call_of_its_own(names: tuple[str, ...], card: str, data: Any) -> None:
    """Outputs in columns, as a mapping of them, say what the same outputs say as mappings."""
    parts = {name: data.draw(st.lists(PARTS[name], min_size=3, max_size=3)) for name in names}
    each = [dict(zip(parts, values, strict=True)) for values in zip(*parts.values(), strict=True)]
    frame = {"distance": [1.0, 2.0, 3.0]}
    check(CARDS[card], frame, [{"distance": value} for value in frame["distance"]], parts, each)


MOMENTS_OF = {
    "datetimes": (or_null(MOMENTS), {"pandas": lambda v: pd.Series(v, dtype="datetime64[ns]"), "polars": pl.Series, "pyarrow": lambda v: pa.array(v, pa.timestamp("us")), "mapping": list}),
    "zones": (or_null(MOMENTS), {"pandas": lambda v: pd.Series(v, dtype="datetime64[s]").dt.tz_localize("UTC"), "polars": lambda v: pl.Series(v, dtype=pl.Datetime("ms", "Asia/Tokyo")), "pyarrow": lambda v: pa.array(v, pa.timestamp("ns", "UTC")), "mapping": list}),
    "no nulls": (MOMENTS, {"pandas": lambda v: pd.Series(v, dtype="datetime64[us]"), "polars": lambda v: pl.Series(v, dtype=pl.Datetime("ns")), "pyarrow": lambda v: pa.array(v, pa.timestamp("ms")), "mapping": tuple}),
    "nanoseconds": (st.integers(-(2**62), 2**62), {"pandas": pd.Series, "polars": lambda v: pl.Series(v, dtype=pl.Int64), "pyarrow": lambda v: pa.array(v, pa.int64()), "mapping": np.array}),
    "seconds": (or_null(st.floats(-1e9, 1e11)), {"pandas": lambda v: pd.Series(v, dtype="float64"), "polars": lambda v: pl.Series(v, dtype=pl.Float64), "pyarrow": lambda v: pa.array(v, pa.float64()), "mapping": list}),
    "texts": (or_null(st.sampled_from(["2026-01-02", "2026-01-02T03:04:05+02:00", "no time", ""])), {"pandas": pd.Series, "polars": lambda v: pl.Series(v, dtype=pl.String), "pyarrow": lambda v: pa.array(v, pa.string()), "mapping": list}),
    "anything": (WITHOUT_ENUMS | MOMENTS, {"pandas": lambda v: pd.Series(v, dtype="object"), "polars": lambda v: pl.Series(v, dtype=pl.Object), "mapping": list}),
}  # fmt: skip
KEYS = or_null(
    st.sampled_from(["a", "b", "", "\ud800", "x" * 300, 5, 2.5, True, math.nan, dt.date(2026, 1, 2), UUID(int=1)])
)


@pytest.mark.parametrize("kind", MOMENTS_OF)
@pytest.mark.parametrize("library", KINDS)
@RELAXED
@given(data=st.data())
def test_times_and_ids_are_those_of_a_call_of_its_own(library: str, kind: str, data: Any) -> None:
    """Columns of times and of the caller's ids, of any type; one that is missing is none."""
    values, make = MOMENTS_OF[kind]
    if library not in make:
        return
    n = data.draw(st.integers(1, 4))
    times = make[library](data.draw(st.lists(values, min_size=n, max_size=n)))
    keys = data.draw(st.lists(KEYS, min_size=n, max_size=n))
    if library == "pandas":
        frame = pd.DataFrame({"x": range(n), "when": times, "key": pd.Series(keys, dtype="object")})
        rows = frame.to_dict("records")
    elif library == "polars":
        frame = pl.DataFrame({"x": range(n), "when": times, "key": pl.Series(keys, dtype=pl.Object)})
        rows = frame.to_dicts()
    elif library == "pyarrow":
        keys = [str(key) if key is not None and key != "\ud800" else None for key in keys]
        frame = pa.table({"x": list(range(n)), "when": times, "key": keys})
        rows = frame.to_pylist()
    else:
        frame = {"x": range(n), "when": times, "key": keys}
        listed = times.tolist() if isinstance(times, np.ndarray) else times
        rows = [{"x": x, "when": time, "key": key} for x, time, key in zip(range(n), listed, keys, strict=True)]
    moments = [row.pop("when") for row in rows]
    own = [None if isinstance(key, float) and math.isnan(key) else key for key in (row.pop("key") for row in rows)]
    check(None, frame, rows, None, [None] * n, time="when", id="key", moments=moments, keys=own)


@pytest.mark.parametrize("card", [None, CARD], ids=["no card", "card"])
@pytest.mark.parametrize("library", ["pandas", "polars", "pyarrow"])
def test_many_rows_are_written_as_by_calls_of_their_own(library: str, card: ModelCard | None) -> None:
    """Several slices of columns with few and with many different values, some of them missing or odd."""
    rng = random.Random(3)
    n = 2 * SLICE_ROWS + 100

    def draw(*choices: Any) -> list[Any]:
        return [rng.choice(choices) for _ in range(n)]

    columns = {
        "distance": [rng.choice([None, math.nan, math.inf, -999.0, rng.gauss(100, 900), 50.0]) for _ in range(n)],
        "delay": [rng.gauss(0, 3) for _ in range(n)],
        "carrier": draw("UA", "AA", "ZZ", "N/A", None, ""),
        "hour": draw(7, 8, 9),
        "tail": [f"N{rng.randrange(500)}" for _ in range(n)],
        "night": draw(True, False, None),
        "remarks": [
            " ".join(rng.choices(["late", "gate", "a12", "new", "Late,"], k=rng.randrange(6))) for _ in range(n)
        ],
        "notes": draw("late", "x" * 300, None),
        "more": [None] * (n - 1) + [1.0],
    }
    frame = {"pandas": pd.DataFrame, "polars": pl.DataFrame, "pyarrow": pa.table}[library](columns)
    rows = (
        frame.to_dict("records")
        if library == "pandas"
        else frame.to_dicts()
        if library == "polars"
        else frame.to_pylist()
    )
    scores = [rng.random() for _ in range(n)]
    outputs = {"score": np.array(scores), "label": draw("late", "on time")}
    each = [{"score": score, "label": label} for score, label in zip(scores, outputs["label"], strict=True)]
    check(card, frame, rows, outputs, each)


def test_a_batch_and_its_rows_have_one_fingerprint() -> None:
    """Whatever else is in the slice, holes first included; where an input of that name was cut there is none."""
    rows = [
        {"distance": None, "delay": 0.5, "carrier": "UA", "hour": None, "remarks": "late"},
        {"distance": math.nan, "delay": None, "carrier": "UA", "hour": "7", "remarks": ""},
        {"distance": 50.0, "delay": 99.0, "carrier": "XX", "hour": "7", "remarks": "new"},
    ] * 3
    frame = {name: [row[name] for row in rows] for name in rows[0]}
    check(CARD, frame, rows, None, [None] * len(rows))
    check(CARD, {"inputs": ["w" * 9_000, "x"]}, [{"inputs": "w" * 9_000}, {"inputs": "x"}], None, [None] * 2)
