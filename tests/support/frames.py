"""Frames of every kind of column, with values of every kind, and the rows that their libraries hand out."""

from __future__ import annotations

import datetime as dt
import math
import warnings
from decimal import Decimal
from enum import Enum
from typing import TYPE_CHECKING, Any
from uuid import UUID

import numpy as np
import pandas as pd
import polars as pl
import pyarrow as pa
from hypothesis import strategies as st

from mllog.card import ModelCard
from mllog.confidence import MARGIN, MARGIN_EDGES, UNUSABLE
from mllog.ruler import LABEL, SCORE, SCORE_EDGES, VALUE, Feature, Ruler
from mllog.shapes import LENGTH_EDGES, MARK_EDGES, SCRIPT_EDGES

if TYPE_CHECKING:
    from collections.abc import Callable

CARD = ModelCard(
    model="model",
    version="1",
    task="classification",
    ruler=Ruler(
        features=(
            Feature(
                "distance",
                "number",
                edges=(0.0, 100.0, 1000.0),
                low=-5.0,
                high=5000.0,
                sentinels=frozenset({"-999", "0"}),
            ),
            Feature("delay", "number", edges=(1.0,)),
            Feature(
                "carrier",
                "category",
                categories=("UA", "AA"),
                known=frozenset({"UA", "AA", "ü"}),
                sentinels=frozenset({"N/A"}),
            ),
            Feature("hour", "category", categories=("7", "8"), known=frozenset({"7", "8", "true"})),
            Feature("tail", "category", open=True, sentinels=frozenset({"-999"})),
            Feature("night", "boolean", categories=("false", "true"), known=frozenset({"false", "true"})),
            Feature("remarks", "text", vocabulary=frozenset({"late", "gate", "a0"}), sentinels=frozenset({"none"})),
            Feature("notes", "text", vocabulary=frozenset({"late"})),
            Feature("embedding", "other"),
            Feature(SCORE, "number", edges=SCORE_EDGES),
            Feature(VALUE, "number", edges=(0.0, 10.0)),
            Feature(LABEL, "category", categories=("late",), known=frozenset({"late"})),
            Feature(MARGIN, "number", edges=MARGIN_EDGES),
            Feature(UNUSABLE, "number"),
            Feature("@length:remarks", "number", edges=LENGTH_EDGES),
            Feature("@script:remarks", "number", edges=SCRIPT_EDGES),
            Feature("@marks:remarks", "number", edges=MARK_EDGES),
        ),
        repeated=True,
    ),
)


class Colour(Enum):
    RED = "red"


class Hostile:
    def tolist(self) -> Any:
        raise RuntimeError("no list")


TEXTS = st.text(max_size=8) | st.sampled_from(
    [
        "", " ", "UA", "AA", "N/A", "none", "-999", "late", "Late a12 new-word", "ü", "7", "true", "x" * 256, "x" * 257,
        "late " * 60, "w" * 9_000, 'quote",', '","', "back\\slash\\", "\x7f", "\0", "line\nfeed", "\u2028",
        "late don't 'x' 5-6", "Ã©t Ã©", "ok 😀", "…", "Привет", " ".join(f"new{chr(97 + k)}" for k in range(20)), " ".join(f"new{chr(105 + k)}" for k in range(9)),
    ]
)  # fmt: skip
SURROGATES = st.sampled_from(["\ud800", "late \udfff", "UA"])
FLOATS = (
    st.sampled_from(
        [0.0, -0.0, 1.0, 7.0, 8.0, 5.5, -999.0, 1e300, 5000.0, 5000.1, -5.0, math.nan, math.inf, -math.inf, 1e20, 0.5]
    )
    | st.floats()
)
INTEGERS = st.sampled_from([0, 1, 7, 8, -999, 2**53 + 1, -(2**63), 2**63 - 1]) | st.integers(-(2**63), 2**63 - 1)
LARGE = st.sampled_from([2**63, 2**64 - 1, 5])
MOMENTS = st.datetimes(dt.datetime(1971, 1, 1), dt.datetime(2100, 1, 1))  # noqa: DTZ001
NESTED = st.recursive(
    st.none() | FLOATS | TEXTS | st.booleans(),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.sampled_from(["a", "b c", "ü"]), inner, max_size=3),
    max_leaves=5,
)
OBJECTS = (
    st.sampled_from([None, Decimal("1.50"), Decimal("NaN"), Colour.RED, UUID(int=5), b"\xff", {1, 2}, (1, 2), dt.date(2026, 1, 2), dt.timedelta(1)])
    | st.sampled_from([Hostile(), 2**70, -(2**64), np.float32(0.1), np.int64(7), np.datetime64("2026-01-01"), pd.NaT, pd.NA, pd.Timestamp("2026-01-01", tz="UTC")])
    | TEXTS | SURROGATES | FLOATS | INTEGERS | st.booleans() | NESTED
)  # fmt: skip


WITHOUT_ENUMS = OBJECTS.filter(lambda value: not isinstance(value, Enum))
"""For polars, which takes a column that begins with an enumeration's member for one of the enumeration itself."""


def or_null(values: st.SearchStrategy[Any]) -> st.SearchStrategy[Any]:
    return st.none() | values


def column(values: st.SearchStrategy[Any], make: Callable[[list[Any]], Any]) -> st.SearchStrategy[tuple[Any, Any]]:
    """A strategy for the values of a column and for what makes the library's column of them."""
    return st.tuples(st.just(values), st.just(make))


def series(dtype: Any) -> Callable[[list[Any]], pd.Series[Any]]:
    return lambda values: pd.Series(values, dtype=dtype)


PANDAS = st.one_of(
    column(FLOATS, series("float64")),
    column(st.floats(width=32), series("float32")),
    column(st.floats(width=16), series("float16")),
    column(INTEGERS, series("int64")),
    column(st.integers(-128, 127), series("int8")),
    column(LARGE, series("uint64")),
    column(st.booleans(), series("bool")),
    column(or_null(INTEGERS), series("Int64")),
    column(or_null(LARGE), series("UInt64")),
    column(or_null(st.floats(allow_nan=False)), series("Float64")),
    column(or_null(st.booleans()), series("boolean")),
    column(or_null(TEXTS), series("str")),
    column(or_null(TEXTS), series("object")),
    column(OBJECTS, series("object")),
    column(or_null(TEXTS), series("category")),
    column(or_null(st.integers(0, 3)), series("category")),
    column(or_null(MOMENTS), series("datetime64[ns]")),
    column(or_null(MOMENTS), lambda values: pd.Series(values, dtype="datetime64[us]").dt.tz_localize("Europe/Berlin", ambiguous="NaT", nonexistent="NaT")),
    column(or_null(st.timedeltas(dt.timedelta(-9), dt.timedelta(9))), series("timedelta64[ns]")),
    column(st.complex_numbers(max_magnitude=9), series("complex128")),
    column(or_null(st.integers(0, 9)), lambda values: pd.Series(pd.arrays.SparseArray([math.nan if v is None else float(v) for v in values]))),
)  # fmt: skip
POLARS = st.one_of(
    column(or_null(FLOATS), lambda v: pl.Series(v, dtype=pl.Float64)),
    column(or_null(st.floats(width=32)), lambda v: pl.Series(v, dtype=pl.Float32)),
    column(or_null(INTEGERS), lambda v: pl.Series(v, dtype=pl.Int64)),
    column(INTEGERS, lambda v: pl.Series(v, dtype=pl.Int64)),
    column(or_null(LARGE), lambda v: pl.Series(v, dtype=pl.UInt64)),
    column(or_null(st.integers(-(2**100), 2**100)), lambda v: pl.Series(v, dtype=pl.Int128)),
    column(or_null(st.booleans()), lambda v: pl.Series(v, dtype=pl.Boolean)),
    column(or_null(TEXTS), lambda v: pl.Series(v, dtype=pl.String)),
    column(or_null(TEXTS), lambda v: pl.Series(v, dtype=pl.Categorical)),
    column(or_null(MOMENTS), lambda v: pl.Series(v, dtype=pl.Datetime("us"))),
    column(or_null(MOMENTS), lambda v: pl.Series(v, dtype=pl.Datetime("ns")).dt.replace_time_zone("UTC")),
    column(or_null(st.dates(dt.date(1900, 1, 1))), lambda v: pl.Series(v, dtype=pl.Date)),
    column(or_null(st.decimals(-1000, 1000, places=2)), lambda v: pl.Series(v, dtype=pl.Decimal(10, 2))),
    column(or_null(st.lists(FLOATS, max_size=3)), lambda v: pl.Series(v, dtype=pl.List(pl.Float64))),
    column(or_null(st.fixed_dictionaries({"a": or_null(FLOATS), "b": TEXTS})), lambda v: pl.Series(v, dtype=pl.Struct({"a": pl.Float64, "b": pl.String}))),
    column(or_null(st.binary(max_size=5)), lambda v: pl.Series(v, dtype=pl.Binary)),
    column(WITHOUT_ENUMS, lambda v: pl.Series(v, dtype=pl.Object)),
    column(st.none(), lambda v: pl.Series(v, dtype=pl.Null)),
)  # fmt: skip
ARROW = st.one_of(
    column(or_null(FLOATS), lambda v: pa.array(v, pa.float64())),
    column(or_null(st.floats(width=32)), lambda v: pa.array(v, pa.float32())),
    column(or_null(st.floats(width=16)), lambda v: pa.array(v, pa.float16())),
    column(or_null(INTEGERS), lambda v: pa.array(v, pa.int64())),
    column(or_null(LARGE), lambda v: pa.chunked_array([v[:1], v[1:]], pa.uint64())),
    column(or_null(st.integers(0, 255)), lambda v: pa.array(v, pa.uint8())),
    column(or_null(st.booleans()), lambda v: pa.array(v, pa.bool_())),
    column(or_null(TEXTS), lambda v: pa.array(v, pa.string())),
    column(or_null(TEXTS), lambda v: pa.chunked_array([v[:2], v[2:]], pa.large_string())),
    column(or_null(TEXTS), lambda v: pa.array(v, pa.string()).dictionary_encode()),
    column(or_null(MOMENTS), lambda v: pa.array(v, pa.timestamp("ns", "UTC"))),
    column(or_null(MOMENTS), lambda v: pa.array(v, pa.timestamp("ms"))),
    column(or_null(st.decimals(-1000, 1000, places=2)), lambda v: pa.array(v, pa.decimal128(10, 2))),
    column(or_null(st.lists(or_null(FLOATS), max_size=3)), lambda v: pa.array(v, pa.list_(pa.float64()))),
    column(or_null(st.binary(max_size=5)), lambda v: pa.array(v, pa.binary())),
    column(st.none(), lambda v: pa.array(v, pa.null())),
)  # fmt: skip
MAPPING = st.one_of(
    column(OBJECTS, list),
    column(SURROGATES, list),
    column(TEXTS, tuple),
    column(FLOATS, np.array),
    column(or_null(INTEGERS), list),
    column(MOMENTS, lambda values: np.array(values, dtype="datetime64[us]")),
    column(st.lists(FLOATS, min_size=2, max_size=2), lambda values: np.array(values).reshape(-1, 2)),
)
KINDS = {"pandas": PANDAS, "polars": POLARS, "pyarrow": ARROW, "mapping": MAPPING}
NAMES = [
    *(feature.name for feature in CARD.ruler.inputs), "@score", "renamed", "more", 'quote"d', "", "  ", "n" * 300, "ümlaut",
]  # fmt: skip
ODD_NAMES = [5, ("a", "b"), 2.5, "5"]


@st.composite
def frames(draw: Any, library: str) -> tuple[Any, list[dict[Any, Any]]]:
    """A frame and its rows as the library hands them out."""
    n = draw(st.integers(0, 6))
    odd = {"pandas": ODD_NAMES, "mapping": [*ODD_NAMES, None, "\ud800"]}.get(library, [])
    names = draw(st.lists(st.sampled_from([*NAMES, *odd]), max_size=5, unique=True))
    columns = {}
    for name in names:
        values, make = draw(KINDS[library])
        columns[name] = make(draw(st.lists(values, min_size=n, max_size=n)))
    if library == "pandas":
        frame = pd.DataFrame(columns) if columns else pd.DataFrame(index=range(n))
        if names and draw(st.booleans()):
            frame = pd.concat([frame, frame.iloc[:, :1]], axis=1)
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")  # of columns with the same name the last one stays
            return frame, frame.to_dict("records")
    if library == "mapping":
        lists = [one.tolist() if isinstance(one, np.ndarray) else one for one in columns.values()]
        return columns, [dict(zip(columns, row, strict=True)) for row in zip(*lists, strict=True)]
    if library == "polars":
        frame = pl.DataFrame({name: one.alias(name) for name, one in columns.items()})
        return frame, frame.to_dicts()
    table = pa.table(columns)
    return table, table.to_pylist()
