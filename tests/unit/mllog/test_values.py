from __future__ import annotations

import copy
import dataclasses
import datetime as dt
import decimal
import enum
import json
import math
import uuid
from collections import OrderedDict, UserString, namedtuple
from types import SimpleNamespace
from typing import Any, NoReturn

import numpy as np
import orjson
import pandas as pd
import polars as pl
import pyarrow as pa
import pydantic
import pytest
from hypothesis import example, given
from hypothesis import strategies as st

from mllog import values
from mllog.testing import capture_events


class Colour(enum.Enum):
    RED = "red"


class Level(enum.IntEnum):
    HIGH = 3


@dataclasses.dataclass
class Point:
    x: float
    y: float


class Model(pydantic.BaseModel):
    a: int


class Attrs:
    class _Attribute:
        name = "z"

    __attrs_attrs__ = (_Attribute(),)
    z = 5


class Hostile:
    def __repr__(self) -> NoReturn:
        raise ValueError("no")

    def __getattr__(self, name: str) -> NoReturn:
        raise RuntimeError(name)


class HostileMapping(dict[str, int]):
    def items(self) -> NoReturn:
        raise KeyError("no")


Pair = namedtuple("Pair", "a b")  # noqa: PYI024
UUID = uuid.UUID("12345678123456781234567812345678")


@pytest.mark.parametrize(
    ("value", "expected"),
    [
        (None, None),
        (True, True),
        (5, 5),
        (2.5, 2.5),
        ("a", "a"),
        (2**63 - 1, 2**63 - 1),
        (2**63, float(2**63)),
        (10**5000, math.inf),
        (-(10**5000), -math.inf),
        (np.float64(1.5), 1.5),
        (np.float32(0.5), 0.5),
        (np.int64(7), 7),
        (np.bool_(True), True),
        (np.str_("s"), "s"),
        (np.array(3), 3),
        (np.array([1, 2]), [1, 2]),
        (np.datetime64("2026-01-02T03:04:05", "ns"), "2026-01-02T03:04:05"),
        (np.datetime64("NaT"), None),
        (np.timedelta64(1500, "ms"), 1.5),
        (pd.NA, None),
        (pd.NaT, None),
        (pd.Timestamp("2026-01-02T03:04:05"), "2026-01-02T03:04:05"),
        (pd.Series([1, 2]), [1, 2]),
        (pl.Series([1, 2]), [1, 2]),
        (pa.scalar(4), 4),
        (pa.array([1, None]), [1, None]),
        (decimal.Decimal("1.5"), 1.5),
        (decimal.Decimal("1e999"), math.inf),
        (dt.datetime(2026, 1, 2, tzinfo=dt.UTC), "2026-01-02T00:00:00+00:00"),
        (dt.date(2026, 1, 2), "2026-01-02"),
        (dt.time(3, 4), "03:04:00"),
        (dt.timedelta(seconds=2), 2.0),
        (UUID, str(UUID)),
        (Colour.RED, "red"),
        (Level.HIGH, 3),
        (b"ab", "YWI="),
        (bytearray(b"ab"), "YWI="),
        ({3, 1, 2}, [1, 2, 3]),
        ((1, "a"), [1, "a"]),
        (Pair(1, 2), {"a": 1, "b": 2}),
        (Point(1.0, 2.0), {"x": 1.0, "y": 2.0}),
        (Model(a=1), {"a": 1}),
        (Attrs(), {"z": 5}),
        (OrderedDict(a=1), {"a": 1}),
        ({1: "x", None: "y"}, {"1": "x", "None": "y"}),
        (Hostile(), "<Hostile>"),
        (HostileMapping(a=1), "<HostileMapping>"),
    ],
    ids=lambda value: type(value).__name__,
)
def test_each_type_has_its_typed_value(value: object, expected: object) -> None:
    """Types of the standard library, numpy, pandas, polars, pyarrow and pydantic."""
    typed = values.typed(value)
    assert typed == expected
    assert type(typed) is type(expected)


@pytest.mark.parametrize(
    "value", [math.nan, np.float64("nan"), decimal.Decimal("NaN"), decimal.Decimal("sNaN")]
)
def test_nan_stays_nan(value: object) -> None:
    """NaN is kept apart from null: the ruler counts them under different names."""
    assert math.isnan(values.typed(value))


@given(
    st.decimals()
    | st.builds(lambda n, power: decimal.Decimal(f"{n}e{power}"), st.integers(-9, 9), st.integers(-10_000, 10_000))
)
@example(decimal.Decimal("1e999999999999"))
def test_a_decimal_that_no_double_holds_is_replaced(value: decimal.Decimal) -> None:
    """It becomes an infinity, as an integer does, and that is marked; an infinity that was passed is no replacement."""
    walk = values.Walk()
    typed = walk.typed(value)
    finite = not value.is_nan() and not value.is_infinite()
    assert walk.replaced == (finite and math.isinf(typed))
    if finite:
        assert typed == float(value)


@pytest.mark.parametrize(
    "value", [decimal.Decimal("1e400"), decimal.Decimal("-1e400"), 10**400], ids=["decimal", "negative", "integer"]
)
def test_numbers_beyond_all_doubles_are_marked_at_every_door(value: Any) -> None:
    """Alone, in a row of a frame, as an output and as a label."""
    with capture_events() as captured:
        captured.log.prediction({"a": value}, {"value": value}, labels={"b": value})
        captured.log.batch({"a": [value]})
        alone, row = captured.predictions()
    assert sorted(alone["ml"]["replaced"]) == ["@labels", "@output", "@value", "a"]
    assert row["ml"]["replaced"] == ["a"]
    assert alone["ml"]["missing"] == row["ml"]["missing"] == {"infinite": ["a"]}


def test_long_vectors_are_summed_up() -> None:
    """An embedding becomes its length, mean and norm, whatever it is made of."""
    expected: dict[str, Any] = {
        "length": 100,
        "finite": 100,
        "mean": 1.0,
        "norm": 10.0,
        "min": 1.0,
        "max": 1.0,
    }
    assert values.typed([1.0] * 100) == pytest.approx(expected)
    assert values.typed(np.ones(100)) == pytest.approx(expected)
    walk = values.Walk()
    expected = {"length": 10_000, "mean": 1.0, "norm": 100.0, "shape": [100, 100]}
    assert walk.typed(np.ones((100, 100))) == expected
    assert walk.truncated


def test_cuts_are_marked_and_hashed() -> None:
    """What is too long is cut, never silently, and two texts with one head stay apart."""
    walk = values.Walk()
    a, b = walk.typed("x" * 10_000 + "a"), walk.typed("x" * 10_000 + "b")
    assert walk.truncated
    assert a != b
    assert len(a) < values.TEXT_LIMIT + 30
    assert values.typed(b"x" * 10_000).startswith("<10000 bytes #")


@pytest.mark.parametrize("length", [257, 8_192, 8_193, 9_000, 20_000])
def test_long_texts_without_a_card(length: int) -> None:
    """Length and hash are those of the text, however often it was cut, and it is marked once."""
    text = "k" * (length - 1) + "z"
    expected = {"t": {"length": length, "hash": values.text_hash(text)}}
    with capture_events() as captured:
        captured.log.prediction({"t": text}, 0.5)
        captured.log.prediction({"t": UserString(text)}, 0.5)
        captured.log.prediction(SimpleNamespace(t=text), 0.5)
        captured.log.batch({"t": [text, text, "short"]}, [0.5, 0.5, 0.5])
        captured.log.batch(pd.DataFrame({"t": pd.Series([text], dtype="category")}), [0.5])
        events = captured.predictions()
    assert [event["ml"]["inputs"] for event in events if event["ml"]["inputs"] != {"keyword": {"t": "short"}}] == [
        {"other": expected}
    ] * 6
    assert [event["ml"]["truncated"] for event in events if "other" in event["ml"]["inputs"]] == [["t"]] * 6


def test_a_text_is_cut_once() -> None:
    """The hash behind a text that was cut is that of all of it, in whatever part of an event it stands."""
    text = "k" * 9_000
    digest = f"… #{values.text_hash(text)}"

    def answer(features: dict[str, Any]) -> Any:
        del features
        yield text[:5]
        yield text[5:]

    with capture_events() as captured:
        error = ValueError(text)
        captured.log.prediction({"a": 1}, {"label": text, "b": [text]}, message=text, labels={"q": text}, error=error)
        captured.log.prediction({"a": 1}, text, message=UserString(text), id=text)
        captured.log.prediction({"a": 1}, 0.5, id=UserString(text))
        list(captured.log.monitor(answer)({"a": 1}))
        first, second, third, streamed = captured.predictions()
    outputs = first["ml"]["outputs"]
    told = [first["message"], first["error"]["message"], first["labels"]["q"], outputs["label"], *outputs["other"]["b"]]
    told += [second["message"], second["ml"]["outputs"]["label"], streamed["ml"]["outputs"]["label"]]
    assert [one[-len(digest) :] for one in told] == [digest] * len(told)
    assert second["ml"]["prediction_id"] == third["ml"]["prediction_id"] == values.name_of(text)
    assert streamed["ml"]["truncated"] == ["@output"]


def test_what_an_object_says_is_cut_with_a_mark() -> None:
    """A long repr ends in a mark and a hash of all of it, so that two with one head stay apart, and the event says so."""

    class Shown:
        def __init__(self, text: str) -> None:
            self.text = text

        def __repr__(self) -> str:
            return self.text

    short, long, other = "k" * 256, "k" * 257, "k" * 258
    assert values.typed(Shown(short)) == short
    assert values.typed(Shown(long)) == f"{'k' * 237}… #{values.text_hash(long)}"
    assert len(values.typed(Shown(long))) == values.NAME_LIMIT
    assert values.typed(Shown(long)) != values.typed(Shown(other))
    with capture_events() as captured:
        captured.log.prediction({"o": Shown(long), "s": Shown(short)}, Shown(long), labels={"a": Shown(long)}, message=Shown(long))
        (event,) = captured.predictions()
    assert event["ml"]["truncated"] == ["o", "@output", "@labels", "@message"]
    assert event["ml"]["replaced"] == ["o", "s", "@output", "@labels", "@message"]
    assert event["message"] == event["labels"]["a"] == event["ml"]["inputs"]["keyword"]["o"]


def test_cycles_and_depth_end() -> None:
    """A list in itself and a list in a list in a list … come to an end."""
    cycle: list[Any] = [1]
    cycle.append(cycle)
    assert values.typed(cycle) == [1, "<cycle>"]
    deep: list[Any] = []
    for _ in range(10_000):
        deep = [deep]
    walk = values.Walk()
    walk.typed(deep)
    assert walk.truncated
    assert len(orjson.dumps(values.typed({"a": list(map(str, range(10**5)))}))) < 10**6


def test_names_are_usable() -> None:
    """Any key gives a name that isn't blank, not too long, and the same for the same key."""
    assert values.name_of("a") == "a"
    assert values.name_of(5) == "5"
    assert values.name_of("") == "unnamed"
    assert values.name_of("  ") == "unnamed2"
    assert values.name_of(("a", 1)) == "['a', 1]"
    assert len(values.name_of("x" * 1000)) == values.NAME_LIMIT
    assert values.name_of("x" * 1000) != values.name_of("x" * 1001)


scalars = (
    st.none()
    | st.booleans()
    | st.integers()
    | st.floats()
    | st.text()
    | st.characters(categories=("Cs",))
    | st.binary()
    | st.decimals()
    | st.datetimes()
    | st.dates()
    | st.times()
    | st.timedeltas()
    | st.uuids()
    | st.complex_numbers()
    | st.fractions()
    | st.sampled_from([object(), int, len, np.float32(1), np.int8(1), pd.NA, pd.NaT, Colour.RED, range(3)])
)
anything = st.recursive(
    scalars,
    lambda inner: (
        st.lists(inner)
        | st.dictionaries(st.text() | st.integers() | st.none(), inner)
        | st.tuples(inner, inner)
        | st.builds(Point, inner, inner)
    ),
    max_leaves=20,
)


def no_constants(text: str) -> NoReturn:
    raise ValueError(f"{text} is not JSON")


@given(st.dictionaries(st.text() | st.integers() | st.characters(categories=("Cs",)), anything))
def test_every_value_gives_strict_json(row: dict[Any, Any]) -> None:
    """No value raises, none is changed, and a parser that refuses NaN reads what comes out."""
    before = copy.deepcopy(row)
    plain = values.strict(values.typed(row))
    text = orjson.dumps(plain).decode()
    json.loads(text, parse_constant=no_constants)
    assert repr_of(row) == repr_of(before)


def repr_of(value: object) -> str:
    """repr() that survives Hostile and takes objects by type."""
    if isinstance(value, dict):
        return str([(repr_of(k), repr_of(v)) for k, v in value.items()])
    if isinstance(value, list | tuple):
        return str([repr_of(item) for item in value])
    if isinstance(value, Point):
        return repr_of([value.x, value.y])
    return type(value).__name__ if isinstance(value, Hostile) or type(value) is object else repr(value)
