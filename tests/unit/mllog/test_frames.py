from __future__ import annotations

import datetime as dt
import decimal
import enum
import math
from collections import Counter
from typing import Any

import numpy as np
import pandas as pd
import polars as pl
import pyarrow as pa
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from mllog.confidence import MARGIN, MARGIN_EDGES, SCORES, UNUSABLE
from mllog.counting import count_columns, segment_value, tally
from mllog.errors import CardError
from mllog.frames import columns, to_times
from mllog.ruler import LABEL, LATENCY, LATENCY_EDGES, SCORE, SCORE_EDGES, Feature, Pair, Ruler
from mllog.shapes import LENGTH, LENGTH_EDGES, MARK_EDGES, MARKS, SCRIPT, SCRIPT_EDGES

UTC = dt.UTC
SHAPE = {LENGTH: LENGTH_EDGES, SCRIPT: SCRIPT_EDGES, MARKS: MARK_EDGES}
RULER = Ruler(
    (
        Feature("n", "number", edges=(-1.0, 0.0, 0.1, 5.0), low=-5.0, high=5.0, sentinels=frozenset({"-999"})),
        Feature("a:b.'\"\n", "number", edges=(0.0,), low=0.0, high=1.0),
        Feature("c", "category", categories=("UA", "5", "it's"), known=frozenset({"UA", "5", "it's", "rare"}), sentinels=frozenset({"N/A"})),
        Feature("id", "category", open=True),
        Feature("b", "boolean", categories=("false", "true"), known=frozenset({"false", "true"})),
        Feature("t", "text", vocabulary=frozenset({"late", "0"})),
        Feature("t2", "text", vocabulary=frozenset({"late"})),
        Feature("o", "other"),
        Feature(SCORE, "number", edges=SCORE_EDGES),
        Feature(LABEL, "category", categories=("late", "5"), known=frozenset({"late", "5"})),
        Feature(MARGIN, "number", edges=MARGIN_EDGES),
        Feature(UNUSABLE, "number"),
        *(Feature(f"{prefix}t2", "number", edges=edges) for prefix, edges in SHAPE.items()),
        Feature(LATENCY, "number", edges=LATENCY_EDGES),
    ),
    segments=("c", "b"),
    time_zone="Asia/Kolkata",
    pairs=(Pair("n", "a:b.'\"\n", 1, 0),),
)  # fmt: skip
NAMES = [feature.name for feature in RULER.inputs]
START = dt.datetime(2026, 3, 6, 17, 5, tzinfo=UTC)
OF_SEGMENTS = np.array([what not in {"both", "concordant"} for _, what, _ in RULER.cells], dtype=np.int64)
"""What is counted of all events only."""

values = st.one_of(
    st.sampled_from([
        None, math.nan, math.inf, 0, 0.0, -0.0, 1, 1.0, True, False, 5, 5.0, "5", -1, 0.1, 5.1, -999, "-999", "N/A", "", " ", "UA", "it's", "rare",
        "ZZ", "true", 2, [1], {"a": 1}, "late new Late 12", "new new", 10**400, "Ã©t Ã©", "…",
    ]),
    st.floats(), st.integers(), st.text(max_size=8),
)  # fmt: skip
outputs_ = st.fixed_dictionaries({
    SCORE: st.sampled_from([None, math.nan, 0.0, 0.05, 1.0]), LABEL: st.sampled_from([None, "late", 5.0, "odd"]),
    LATENCY: st.sampled_from([None, 0.0, 0.01, math.inf]),
    SCORES: st.sampled_from([None, [0.5, 0.5], {"a": 0.2, "b": 0.7, "c": None}, {"a": 1.0, "b": 0.0}, [math.nan, 1.0], ["x", 1.0], [1.0]]),
})  # fmt: skip


@settings(deadline=None)
@given(st.lists(st.tuples(st.tuples(*[values] * len(NAMES)), outputs_), max_size=12), st.sets(st.sampled_from(NAMES)), st.booleans())
def test_columns_count_as_rows_do(rows: list[Any], gone: set[str], timed: bool) -> None:
    """Whole columns give the counts, strata, segments and names of the same rows measured one by one."""
    table = {name: [row[k] for row, _ in rows] for k, name in enumerate(NAMES) if name not in gone}
    table["New"] = [row[0] for row, _ in rows]
    outputs = {name: [out[name] for _, out in rows] for name in (SCORE, LABEL, LATENCY, SCORES)}
    times = [START + dt.timedelta(minutes=11 * k) for k in range(len(rows))]
    counted = count_columns(RULER, table, times=times if timed else None, outputs=outputs)
    names: dict[str, Counter[str]] = {}
    cells: dict[Any, Any] = {}
    for k, (_, out) in enumerate(rows):
        row = {name: column[k] for name, column in table.items()}
        label = None if out[LABEL] is None else "5" if out[LABEL] == 5 else out[LABEL]
        one = tally(RULER, row, names, score=out[SCORE], label=label, latency=out[LATENCY], scores=out[SCORES])
        stratum = RULER.stratum(times[k]) if timed else "*"
        of = {("", "")} | {(s, v) for s in RULER.segments if (v := segment_value(RULER.by_name[s], row.get(s))) in RULER.by_name[s].categories}
        for segment in of:
            held = one if segment == ("", "") else one * OF_SEGMENTS
            cells[stratum, segment] = cells.get((stratum, segment), 0) + held
    assert counted.cells.keys() == cells.keys()
    for key, counts in cells.items():
        assert counted.cells[key].dtype == np.int64
        assert counted.cells[key].tolist() == counts.tolist()
    assert {kind: dict(c) for kind, c in counted.names.items()} == {kind: dict(c) for kind, c in names.items()}
    assert (counted.start, counted.end) == ((min(times), max(times)) if timed and rows else (None, None))


def test_a_column_of_numbers_counts_as_its_rows_do() -> None:
    """Plain numbers at once, and those that aren't among them: sentinels, truths, what is infinite, too wide or a text."""
    column = [
        -999, -999.0, "-999", -999.5, -5, -5.0, -5.1, 5, 5.0, 5.1, -1, 0.0, -0.0, 0.1, True, False, None, math.nan, math.inf,
        -math.inf, 2**53 + 1, 2**63, -(2**63), 10**400, "5", "", [1],
    ]  # fmt: skip
    for name in ("n", "a:b.'\"\n"):
        (counted,) = count_columns(RULER, {name: column}).cells.values()
        rows = sum(tally(RULER, {name: value}, {}) for value in column)
        assert counted.tolist() == rows.tolist()


@settings(deadline=None)
@given(st.tuples(*[values] * len(NAMES)))
def test_an_event_has_each_feature_in_one_way(row: tuple[Any, ...]) -> None:
    """Missing, of a wrong type, or counted once: the ways of each input add up to the number of events."""
    counts = tally(RULER, dict(zip(NAMES, row, strict=True)), {})
    for feature in RULER.inputs:
        ways = {"missing", "bin", "category", "other", "texts", "present"}
        found = sum(
            int(counts[RULER.index[key]]) for key in feature.cells()
            if key[1] in ways or key[1:] in {("violation", "type"), ("violation", "category")}
        )  # fmt: skip
        assert found == 1


def test_a_row_without_a_stratum() -> None:
    """No rows give no cells, a frame without known columns has all of them absent."""
    assert count_columns(RULER, {}).cells == {}
    assert count_columns(RULER, {"n": []}, times=[]).cells == {}
    assert count_columns(RULER, {"x": []}).names == {}
    absent = count_columns(RULER, {}, times=[START, START]).cells["d22", ("", "")]
    assert absent[0] == absent[RULER.index["n", "missing", "absent"]] == 2


class Colour(enum.Enum):
    """An enumeration."""

    RED = "red"


@pytest.mark.parametrize(
    ("given_", "typed"),
    [(np.float64(2.5), 2.5), (np.int64(3), 3), (np.bool_(True), True), (np.str_("x"), "x"), (pd.NA, None), (pd.NaT, None),
     (np.datetime64("NaT"), None), (decimal.Decimal("1.5"), 1.5), (Colour.RED, "red"), (10**400, math.inf), (2**70, float(2**70)),
     (pa.scalar(5), 5), (pa.scalar(None), None), (np.datetime64("2026-01-02T03:04:05.000000006"), dt.datetime.fromisoformat("2026-01-02T03:04:05")),
     (np.array([1, 2]), [1, 2]), (b"ab", "YWI=")],
    ids=str,
)  # fmt: skip
def test_values_are_typed_as_the_logger_types_them(given_: Any, typed: Any) -> None:
    """Whatever a frame holds becomes what the logger would write."""
    (value,) = columns({"x": [given_]})["x"]
    assert value == typed
    assert type(value) is type(typed)


def test_long_texts_are_cut_as_on_the_wire() -> None:
    """A text beyond the logger's limit is measured as the logger measures it, cut."""
    from mllog.values import typed

    text = "late " * 3000
    assert columns({"x": [text]})["x"] == [typed(text)]


def test_column_names_are_the_loggers() -> None:
    """Numbers as column names become the names that the logger gives them, in every kind of frame."""
    assert columns(pd.DataFrame({0: [1], 1: [2]})) == columns({0: [1], 1: [2]}) == {"0": [1], "1": [2]}
    assert list(columns({"": [1]})) == ["unnamed"]
    assert columns(pl.DataFrame({"a": [1, None]})) == columns(pa.table({"a": [1, None]})) == {"a": [1, None]}


@pytest.mark.parametrize(
    ("value", "time"),
    [("2026-03-06T10:00:00", dt.datetime(2026, 3, 6, 10, tzinfo=UTC)), ("2026-03-06T10:00:00+02:00", dt.datetime(2026, 3, 6, 8, tzinfo=UTC)),
     ("2026-03-06", dt.datetime(2026, 3, 6, tzinfo=UTC)), (dt.date(2026, 3, 6), dt.datetime(2026, 3, 6, tzinfo=UTC)), (0, dt.datetime(1970, 1, 1, tzinfo=UTC)),
     (0.5, dt.datetime(1970, 1, 1, 0, 0, 0, 500_000, tzinfo=UTC)), (pd.Timestamp("2026-03-06 10:00", tz="Europe/Berlin"), dt.datetime(2026, 3, 6, 9, tzinfo=UTC)),
     (pd.Timestamp("2026-03-06 10:00:00.123456789"), dt.datetime(2026, 3, 6, 10, 0, 0, 123456, tzinfo=UTC)), (dt.datetime.fromisoformat("2026-03-06"), dt.datetime(2026, 3, 6, tzinfo=UTC))],
    ids=str,
)  # fmt: skip
def test_times(value: Any, time: dt.datetime) -> None:
    """Datetimes, dates, ISO 8601 strings and epoch seconds are times; without a zone they are UTC."""
    assert to_times([value], "at") == [time]


@pytest.mark.parametrize("make", [pd.Series, pl.Series, lambda v: pa.chunked_array([v])], ids=["pandas", "polars", "pyarrow"])
def test_time_columns_of_frames(make: Any) -> None:
    """Each library's timestamps come out as the same moments."""
    moment = dt.datetime(2026, 3, 6, 10, 30, tzinfo=UTC)
    frame = {"at": make([moment, moment])}
    assert to_times(columns(frame)["at"], "at") == [moment, moment]


def test_a_bad_time_is_named() -> None:
    """The message names column, row and value."""
    with pytest.raises(CardError, match="column 'at', row 1: 'x' is no time"):
        to_times(["2026-01-01", "x"], "at")


@pytest.mark.parametrize(("value", "segment"), [("UA", "UA"), (5.0, "5"), (None, None), (math.nan, None), ("", None), ("N/A", None), ([1], None)])
def test_segment_values(value: Any, segment: str | None) -> None:
    """What is missing or of a wrong type belongs to no segment."""
    assert segment_value(RULER.by_name["c"], value) == segment
