from __future__ import annotations

import datetime as dt
import math
from typing import Any

import pytest

from mllog.counting import count_columns, tally
from mllog.repeats import repeated_rows
from mllog.ruler import COMPARED, REPEATED, Feature, Ruler

RULER = Ruler(
    (
        Feature("n", "number", edges=(0.0,)), Feature("c", "category", open=True), Feature("b", "boolean"),
        Feature("t", "text"), Feature("o", "other"),
    ),
    segments=("c",), repeated=True,
)  # fmt: skip
START = dt.datetime(2026, 3, 6, 17, 5, tzinfo=dt.UTC)


@pytest.mark.parametrize(
    ("name", "one", "other", "same"),
    [
        ("n", 5, 5.0, True), ("n", 0.0, -0.0, True), ("n", 5, "5", False), ("n", 1, True, False), ("n", 0.1, 0.3 - 0.2, False),
        ("n", math.nan, float("nan"), True), ("n", math.inf, -math.inf, True), ("n", None, math.nan, False),
        ("c", 5, "5", True), ("c", True, "true", True), ("c", "a\ud800", "a?", True), ("c", "UA", "ua", False), ("c", "", " ", True),
        ("c", None, "", False), ("b", 1, True, True), ("b", 2, True, False), ("t", "late", "late ", False), ("t", "late", "late", True),
        ("o", [1, 2], [1, 2], True), ("o", [1, 2], [2, 1], False), ("o", None, math.nan, False), ("new", 5, 5, True), ("new", "5", 5, False),
        ("n", 2**53, 2**53 + 1, True), ("n", {"k": 1}, {"k": 1}, True),
    ],
    ids=repr,
)  # fmt: skip
def test_equal_is_what_is_written_equal(name: str, one: Any, other: Any, same: bool) -> None:
    """Two rows are equal where their events would be, by the types that the logger gives them."""
    assert repeated_rows(RULER, {name: [one, other]}, [0, 0]).tolist() == [False, same]


def test_all_inputs_count_and_the_first_is_no_repeat() -> None:
    """One input that differs makes another row; of three equal ones two repeat, each hour for itself."""
    data = {"n": [1, 1, 1, 1, 2], "c": ["x", "y", "x", "x", "x"]}
    assert repeated_rows(RULER, data, [0] * 5).tolist() == [False, False, True, True, False]
    assert repeated_rows(RULER, data, [0, 0, 0, 1, 1]).tolist() == [False, False, True, False, False]


def test_counts_are_of_hours_and_of_all_events() -> None:
    """An hour of one day isn't that of the next, though they are one stratum; segments count nothing; nor does one event."""
    times = [START, START + dt.timedelta(minutes=50), START + dt.timedelta(minutes=58), START + dt.timedelta(days=3, minutes=1)]
    counted = count_columns(RULER, {"n": [1.0] * 4, "c": ["UA"] * 4}, times=times)
    found = {key: (counts[RULER.index[COMPARED]], counts[RULER.index[REPEATED]]) for key, counts in counted.cells.items()}
    assert found["d17", ("", "")] == (3, 1)
    assert found["d18", ("", "")] == (1, 0)
    assert count_columns(RULER, {"n": [1.0] * 4}).cells["*", ("", "")][RULER.index[REPEATED]] == 3
    assert all(pair == (0, 0) for (_, segment), pair in found.items() if segment != ("", ""))
    assert count_columns(RULER, {}, times=times[:2]).cells["d17", ("", "")][RULER.index[COMPARED]] == 0
    assert tally(RULER, {"n": 1.0}, {})[[RULER.index[COMPARED], RULER.index[REPEATED]]].tolist() == [0, 0]
