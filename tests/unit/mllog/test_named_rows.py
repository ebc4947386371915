"""Rows that have names, though their types are those of sequences and arrays: each value is logged under its own."""

from __future__ import annotations

import itertools
import math
import sqlite3
from collections import UserDict
from collections.abc import Sequence
from typing import TYPE_CHECKING, Any, NamedTuple

import numpy as np
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from mllog.card import ModelCard
from mllog.ruler import Feature, Ruler
from mllog.testing import Captured, capture_events

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

# The card's order is another one than that of the rows.
CARD = ModelCard(model="model", version="1", ruler=Ruler((Feature("a", "number"), Feature("b", "number"))))
TABLE = np.array([(1.0, 2.0)], dtype=[("b", "f8"), ("a", "f8")])


class Row(Sequence[Any]):
    """A row as SQLAlchemy 2 has it: a sequence, and no tuple."""

    def __init__(self, **values: Any) -> None:
        self._fields = tuple(values)
        self._values = tuple(values.values())

    def __len__(self) -> int:
        return len(self._values)

    def __getitem__(self, key: Any) -> Any:
        return self._values[key]

    def _asdict(self) -> dict[str, Any]:
        return dict(zip(self._fields, self._values, strict=True))


class MappedRow(Row):
    """One that gives its mapping without a call."""

    @property
    def _mapping(self) -> UserDict[str, Any]:
        return UserDict(self._asdict())


class Point(NamedTuple):
    """A named tuple."""

    b: float
    a: float


def sqlite_row() -> sqlite3.Row:
    connection = sqlite3.connect(":memory:")
    connection.row_factory = sqlite3.Row
    row: sqlite3.Row = connection.execute("select 1.0 as b, 2.0 as a").fetchone()
    connection.close()
    return row


ROWS: dict[str, Callable[[], Any]] = {
    "record of an array": lambda: TABLE[0],
    "array of one row": lambda: TABLE,
    "array without dimensions": lambda: TABLE.reshape(()),
    "matrix of one row": lambda: TABLE.reshape(1, 1),
    "np.record": lambda: np.rec.array(TABLE)[0],
    "recarray of one row": lambda: np.rec.array(TABLE),
    "masked record": lambda: np.ma.array(TABLE)[0],
    "masked array of one row": lambda: np.ma.array(TABLE),
    "sequence with _asdict": lambda: Row(b=1.0, a=2.0),
    "sequence with _mapping": lambda: MappedRow(b=1.0, a=2.0),
    "sqlite3.Row": sqlite_row,
    "named tuple": lambda: Point(1.0, 2.0),
}


@pytest.fixture
def carded() -> Iterator[Captured]:
    """A logger with the card above."""
    with capture_events(card=CARD) as captured:
        yield captured


@pytest.mark.parametrize("kind", ROWS)
def test_each_value_is_logged_under_its_own_name(carded: Captured, kind: str) -> None:
    """By every door that takes one row; what stands beside it in a decorated function's arguments is an input too."""
    carded.log.prediction(ROWS[kind]())
    with carded.log.request(ROWS[kind]()):
        pass

    @carded.log.monitor
    def predict(row: Any, limit: int = 3) -> None: ...

    predict(ROWS[kind]())
    predict(ROWS[kind](), 4)
    first, second, third, fourth = (event["ml"] for event in carded.predictions())
    for ml in (first, second, third):
        assert ml["inputs"] == {"number": {"a": 2.0, "b": 1.0}}
    assert fourth["inputs"] == {"number": {"a": 2.0, "b": 1.0}, "other": {"limit": 4}}
    for ml in (first, second, third, fourth):
        assert ml.keys().isdisjoint({"missing", "replaced", "truncated"})


@pytest.mark.parametrize("kind", [kind for kind in ROWS if kind != "sqlite3.Row"])
def test_inside_of_other_values_too(carded: Captured, kind: str) -> None:
    """An input, an output and an item of either keep their names."""
    carded.log.prediction({"new": ROWS[kind](), "list": [ROWS[kind]()]}, {"detail": ROWS[kind]()})
    (event,) = carded.predictions()
    named = {"a": 2.0, "b": 1.0}
    assert event["ml"]["inputs"]["other"] == {"new": named, "list": [named]}
    assert event["ml"]["outputs"] == {"other": {"detail": named}}


def test_outputs_and_columns_of_records(captured: Captured) -> None:
    """A record may be an output; an array of them is a column, or outputs, of which each row has its names."""
    answers = np.array([("late", 0.9), ("on time", 0.2)], dtype=[("label", "U8"), ("score", "f8")])
    weather = np.array([(1, 2.0), (3, 4.0)], dtype=[("wind", "i4"), ("rain", "f4")])
    flights: dict[str, Any] = {"distance": [1.0, 2.0], "weather": weather}
    captured.log.batch(flights, answers)
    for k in range(2):
        captured.log.prediction({name: column[k] for name, column in flights.items()}, answers[k])
    *batch, first, second = (
        {name: event["ml"][name] for name in ("inputs", "outputs")} for event in captured.predictions()
    )
    assert batch == [first, second]
    assert first["outputs"] == {"label": "late", "score": 0.9}
    assert first["inputs"]["other"] == {"weather": {"wind": 1, "rain": 2.0}}


def test_batches_without_columns_keep_the_names() -> None:
    """Sampling decides row by row."""
    answers = np.array([("late", 0.9), ("on time", 0.2)], dtype=[("label", "U8"), ("score", "f8")])
    with capture_events(sampling=1.0) as captured:
        captured.log.batch({"distance": [1.0, 2.0]}, answers)
        assert [event["ml"]["outputs"]["label"] for event in captured.predictions()] == ["late", "on time"]


def test_several_records_keep_their_names(captured: Captured) -> None:
    """A table in an input is a list of rows with names."""
    captured.log.prediction({"legs": np.repeat(TABLE, 2)})
    (event,) = captured.predictions()
    assert event["ml"]["inputs"]["other"] == {"legs": [{"b": 1.0, "a": 2.0}] * 2}


def test_what_is_missing_or_odd_in_a_record_is_told_by_its_name(carded: Captured) -> None:
    """As in a dict: NaN is missing and no loss, a masked value is null, times of nanoseconds are times."""
    carded.log.prediction(np.array([(math.nan, 2.0)], dtype=TABLE.dtype)[0])
    carded.log.prediction(Point(math.nan, 2.0))
    carded.log.prediction(np.ma.array(TABLE, mask=[(True, False)])[0])
    carded.log.prediction(np.array([(5.0, "2026-01-02")], dtype=[("a", "f8"), ("b", "M8[ns]")]))
    carded.log.prediction(Row(a=2.0, b=1 + 2j))
    nan, point, masked, timed, odd = (event["ml"] for event in carded.predictions())
    assert nan["missing"] == point["missing"] == {"nan": ["b"]}
    assert masked["missing"] == {"null": ["b"]}
    assert timed["inputs"]["keyword"] == {"b": "2026-01-02T00:00:00"}
    assert odd["replaced"] == ["b"]
    assert [ml.get("replaced") for ml in (nan, point, masked, timed)] == [None] * 4


NAMES = st.lists(st.sampled_from(["a", "b", "c", "distance", "ü", "x0"]), min_size=1, max_size=5, unique=True)


@settings(max_examples=60, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(names=NAMES, data=st.data())
def test_a_record_says_what_a_dict_of_it_says(carded: Captured, names: list[str], data: Any) -> None:
    """Whatever its names and values, and however it is given."""
    numbers = st.floats(width=32) | st.integers(-5, 5).map(float)
    values = [data.draw(numbers) for _ in names]
    table = np.array([tuple(values)], dtype=[(name, data.draw(st.sampled_from(["f8", "f4"]))) for name in names])
    make = data.draw(st.sampled_from([lambda: table, lambda: table[0], lambda: np.rec.array(table)[0]]))
    carded.log.prediction(make())
    carded.log.prediction(dict(zip(names, values, strict=True)))
    record, row = (event["ml"] for event in carded.predictions()[-2:])
    del record["sequence"], row["sequence"]
    assert record == row


class Raises(Row):
    """Its mapping can't be had."""

    @property
    def _mapping(self) -> Any:
        raise RuntimeError("closed")

    def _asdict(self) -> dict[str, Any]:
        raise RuntimeError("closed")


class Nonsense(Row):
    """What it has by these names is something else."""

    _mapping = 5
    _asdict = None  # type: ignore[assignment]


class Endless(UserDict[str, Any]):
    """A mapping that never ends."""

    def items(self) -> Any:
        return ((str(k), k) for k in itertools.count())

    def __len__(self) -> int:
        return 2


class EndlessRow(Row):
    """Its mapping never ends."""

    @property
    def _mapping(self) -> Any:
        return Endless()


class TwiceNamed(Row):
    """Two of its columns have one name."""

    def _asdict(self) -> dict[str, Any]:
        return {"a": 2.0}


class Pairs(UserDict[str, Any]):
    """A mapping with one name for two values, as SQLAlchemy makes it of two columns of one name."""

    def items(self) -> Any:
        return [("a", 1.0), ("a", 2.0)]

    def __len__(self) -> int:
        return 2


class PairsRow(Row):
    """Its mapping has one name twice."""

    @property
    def _mapping(self) -> Any:
        return Pairs()


class FalseArray:
    """Something whose type says that it has fields."""

    size = 1
    dtype = type("Type", (), {"names": ("a", "b")})()

    def __getitem__(self, key: Any) -> Any:
        raise RuntimeError("no")

    def __repr__(self) -> str:
        return "<false>"


@pytest.mark.parametrize(
    ("make", "inputs", "replaced"),
    [
        (lambda: Raises(b=1.0, a=2.0), {"number": {"a": 1.0, "b": 2.0}}, None),
        (lambda: Nonsense(b=1.0, a=2.0), {"number": {"a": 1.0, "b": 2.0}}, None),
        (lambda: TwiceNamed(b=1.0, a=2.0), {"other": {"value": "<TwiceNamed>"}}, ["@inputs"]),
        (lambda: PairsRow(b=1.0, a=2.0), {"number": {"a": 2.0}}, ["@inputs"]),
        (FalseArray, {"other": {"value": "<FalseArray>"}}, ["@inputs"]),
    ],
    ids=["raises", "nonsense", "twice", "pairs", "false array"],
)
def test_rows_that_do_not_tell_their_names(
    carded: Captured, make: Any, inputs: dict[str, Any], replaced: list[str] | None
) -> None:
    """Without names it is the sequence that it says it is; whose names don't fit is marked, as a frame is."""
    carded.log.prediction(make(), make())
    (event,) = carded.predictions()
    assert event["ml"]["inputs"] == inputs
    assert [name for name in event["ml"].get("replaced", ()) if name != "@output"] == (replaced or [])
    assert carded.log.status().rejected == 0


def test_a_row_that_never_ends(captured: Captured) -> None:
    """It is cut, as a mapping is."""
    captured.log.prediction(EndlessRow(a=1.0, b=2.0))
    captured.log.prediction({"row": EndlessRow(a=1.0, b=2.0)})
    first, second = (event["ml"] for event in captured.predictions())
    assert first["truncated"][0] == "@inputs"
    assert second["truncated"] == ["row"]
