"""Odd objects: everything that model code was ever seen to pass, and what only an enemy would.

An odd object is made out of bytes, so that hypothesis and a coverage-guided fuzzer make them in the same way: the bytes
choose among :data:`LEAVES` and :data:`CONTAINERS`, and bytes that have run out choose the simplest.
"""

from __future__ import annotations

import array
import collections
import contextlib
import ctypes
import dataclasses
import datetime as dt
import decimal
import enum
import fractions
import itertools
import math
import pathlib
import struct
import sys
import threading
import types
import uuid
import weakref
from typing import TYPE_CHECKING, Any, NamedTuple

import attrs
import numpy as np
import pandas as pd
import polars as pl
import pyarrow as pa
import pydantic
from support.hostile import HOSTILE, Keeper

if TYPE_CHECKING:
    from collections.abc import Callable

DEPTH = 6


class Choices:
    """Bytes that make decisions; zeros when they have run out.

    Args:
        data: The bytes.
    """

    def __init__(self, data: bytes) -> None:
        self._data = data
        self._at = 0

    def take(self, n: int) -> bytes:
        """The next ``n`` bytes."""
        found = self._data[self._at : self._at + n]
        self._at += n
        return found.ljust(n, b"\0")

    def below(self, n: int) -> int:
        """A number in [0, n), n up to 65,536."""
        return int.from_bytes(self.take(1 if n <= 256 else 2), "little") % n

    def integer(self) -> int:
        """An integer: mostly small, sometimes at an edge, sometimes beyond 64 bits."""
        edge = self.below(8)
        if edge < 4:
            return int.from_bytes(self.take(2), "little", signed=True)
        if edge == 7:
            return (1 << self.below(1200)) * (-1 if self.below(2) else 1)
        return EDGES[self.below(len(EDGES))] + self.below(3) - 1

    def real(self) -> float:
        """A double of any bits."""
        bits: float = struct.unpack("<d", self.take(8))[0]
        return (0.5, math.nan, math.inf, -math.inf, -0.0, 5e-324, 1.8e308, bits)[self.below(8)]

    def text(self) -> str:
        """A text: plain, empty, blank, long, with surrogates or what else Unicode has."""
        kind = self.below(8)
        if kind == 5:
            return "x" * (self.below(65_536) % 20_000)
        if kind == 6:
            return self.take(2 * self.below(6)).decode("utf-16-le", "surrogatepass")
        if kind == 7:
            return TEXTS[self.below(len(TEXTS))]
        return self.take(self.below(9)).decode("latin-1")


EDGES = (0, 2**15, 2**31, 2**53, 2**63, -(2**63), 2**64, 10**20, 10**400, -(10**400))
TEXTS = (
    "", " ", "\t\n", "\0", "\ud800", "a\udfffb", "\U0001f600", "e\u0301", "\u202e", "NaN", "null", "-999",
    "event.id", ".", "..", "a.b.c", "@timestamp", "__class__", '"', "\\", "</script>", "\u2028", "\x7f\x85",
)  # fmt: skip


class Colour(enum.Enum):
    """Values of many types."""

    RED = "red"
    MANY = (1, 2)
    LIST = [1]  # noqa: RUF012 - an enumeration may have such a value
    NOT = math.nan


class Level(enum.IntEnum):
    """Numbers."""

    HIGH = 3


class Bits(enum.Flag):
    """Flags."""

    A = 1
    B = 2


class Pair(NamedTuple):
    """A tuple with names."""

    first: Any
    second: Any


@dataclasses.dataclass
class Point:
    """A dataclass."""

    x: Any
    y: Any = None


@dataclasses.dataclass(slots=True)
class Slotted:
    """One without a dict."""

    x: Any


@attrs.define
class Described:
    """A class of attrs."""

    name: Any


class Model(pydantic.BaseModel):
    """A class of pydantic."""

    model_config = pydantic.ConfigDict(arbitrary_types_allowed=True)
    a: Any
    b: Any = None


class Text(str):
    """A text that says it is another."""

    __slots__ = ()

    def __str__(self) -> str:
        return "another"

    def __len__(self) -> int:
        return 3


class Number(float):
    """A number that says it is another."""

    __slots__ = ()

    def __float__(self) -> float:
        return 7.0

    def __repr__(self) -> str:
        return "seven"


class Whole(int):
    """An integer that isn't equal to itself."""

    __slots__ = ()

    def __eq__(self, other: object) -> bool:
        return False

    def __hash__(self) -> int:
        return 5


class Array(ctypes.c_int * 3):
    """An array of C."""


def _function(x: int) -> int:
    return x


def _generate(values: list[Any]) -> Any:
    yield from values


LEAVES: tuple[Callable[[Choices], Any], ...] = (
    lambda _: None,
    lambda c: c.integer(),
    lambda c: c.real(),
    lambda c: c.text(),
    lambda c: bool(c.below(2)),
    lambda c: c.take(c.below(12)),
    lambda c: bytes(c.below(65_536)),
    lambda c: bytearray(c.take(4)),
    lambda c: memoryview(c.take(8))[:: c.below(2) + 1],
    lambda c: decimal.Decimal(("0.1", "NaN", "sNaN", "-Infinity", "1e999", "1e-999", "-0", "9" * 40)[c.below(8)]),
    lambda c: fractions.Fraction(c.integer(), c.below(9) + 1),
    lambda c: complex(c.real(), c.real()),
    lambda c: dt.datetime(c.below(9999) + 1, 1, 2, 3, 4, 5, c.below(65_536), (None, dt.UTC)[c.below(2)]),
    lambda c: dt.date(c.below(9999) + 1, 2, 3),
    lambda c: dt.time(c.below(24), tzinfo=dt.timezone(dt.timedelta(hours=c.below(12)))),
    lambda c: dt.timedelta(c.below(65_536) - 30_000, c.below(65_536)),
    lambda c: (Colour.RED, Colour.MANY, Colour.LIST, Colour.NOT, Level.HIGH, Bits.A | Bits.B)[c.below(6)],
    lambda c: uuid.UUID(bytes=c.take(16)),
    lambda c: pathlib.PurePosixPath("a") / c.text().replace("\0", ""),
    lambda c: Text(c.text()),
    lambda c: Number(c.real()),
    lambda c: Whole(c.integer()),
    lambda c: NUMPY[c.below(len(NUMPY))](c.below(100)),
    lambda c: np.datetime64(c.below(65_536), ("ns", "s", "D", "Y", "h")[c.below(5)]),
    lambda c: np.timedelta64(c.below(65_536), ("ns", "s", "D", "M", "h")[c.below(5)]),
    lambda c: (np.datetime64("NaT"), np.timedelta64("NaT"), pd.NaT, pd.NA, np.ma.masked)[c.below(5)],
    lambda c: np.full(SHAPES[c.below(len(SHAPES))], c.below(100), dtype=DTYPES[c.below(len(DTYPES))]),
    lambda c: np.array([c.real(), c.real(), None, c.text()], dtype=object),
    lambda c: np.array([(1, 2.5, b"x")], dtype=[("a", "i4"), ("b", "f8"), ("c", "S3")])[[0, slice(None)][c.below(2)]],
    lambda c: np.ma.masked_array([c.real(), 2.0], mask=[True, False]),
    lambda c: pd.Timestamp(c.below(65_536), unit="s", tz=(None, "UTC")[c.below(2)]),
    lambda c: pd.Timedelta(c.below(65_536), "ms"),
    lambda c: (pd.Period("2026-01"), pd.Interval(0, 1), pd.Categorical(["a", None]), pd.offsets.Hour())[c.below(4)],
    lambda c: pd.Series([c.real(), None]),
    lambda c: pd.DataFrame({"a": [c.integer() % 1000], "b": [c.text()]}),
    lambda c: pd.Index([1, 2]),
    lambda c: pl.Series("s", [c.real(), None]),
    lambda c: pl.DataFrame({"a": [1, 2][: c.below(2) + 1]}),
    lambda c: (pl.col("a"), pl.LazyFrame({"a": [1]}), pl.Int64)[c.below(3)],
    lambda c: pa.scalar((1, None, 2.5, "x", [1], {"a": 1}, dt.date(2026, 1, 1), math.nan)[c.below(8)]),
    lambda c: pa.array([c.real(), None]),
    lambda c: pa.table({"a": [1, 2]}),
    lambda c: array.array("d", [c.real()] * c.below(50)),
    lambda c: range(c.below(100)),
    lambda _: range(10**12),
    lambda _: itertools.count(),
    lambda c: iter([c.integer()]),
    lambda c: map(str, [c.integer()]),
    lambda c: _generate([c.integer()]),
    lambda c: (_function, len, Point, int, sys, np, types, "".join, Point.__init__, Ellipsis, NotImplemented)[
        c.below(11)
    ],
    lambda _: lambda x: x,
    lambda _: object(),
    lambda _: threading.Lock(),
    lambda c: (ValueError("no"), KeyError(), StopIteration(5), ExceptionGroup("many", [OSError(2, "x")]))[c.below(4)],
    lambda c: (ctypes.c_int(5), ctypes.c_char_p(b"x"), Array(1, 2, 3), ctypes.pointer(ctypes.c_int(1)))[c.below(4)],
    lambda _: weakref.ref(Keeper.one),
    lambda _: weakref.proxy(Keeper.one),
    lambda _: weakref.proxy(Keeper()),  # whose referent is gone at once
    lambda c: HOSTILE[c.below(len(HOSTILE))](),
    lambda c: HOSTILE[c.below(len(HOSTILE))](),
    lambda c: HOSTILE[c.below(len(HOSTILE))](),
)

NUMPY = (
    np.int8, np.int64, np.uint64, np.float16, np.float32, np.float64, np.longdouble, np.complex64, np.bool_, np.str_,
    np.bytes_,
)  # fmt: skip
DTYPES = ("f8", "f4", "f2", "i1", "u8", "i8", "?", "c16", "U3", "M8[s]", "m8[s]", "O", "S2")
SHAPES = ((), (0,), (3,), (40,), (2, 3), (50, 50), (1, 0, 3))

CONTAINERS: tuple[Callable[[Choices, list[Any]], Any], ...] = (
    lambda _, items: items,
    lambda _, items: tuple(items),
    lambda c, items: _dict(c, items),  # noqa: PLW0108
    lambda c, items: _dict(c, items),  # noqa: PLW0108
    lambda c, items: _dict(c, items),  # noqa: PLW0108
    lambda _, items: Point(*(items or [1])[:2]),
    lambda _, items: Slotted(items),
    lambda _, items: Described(items),
    lambda _, items: Pair(items, None),
    lambda _, items: Model(a=items),
    lambda c, items: collections.OrderedDict(_dict(c, items)),
    lambda c, items: collections.defaultdict(list, _dict(c, items)),
    lambda c, items: types.MappingProxyType(_dict(c, items)),
    lambda c, items: collections.ChainMap(_dict(c, items), {"x": 1}),
    lambda c, items: collections.UserDict(_dict(c, items)),
    lambda _, items: collections.deque(items),
    lambda _, items: collections.UserList(items),
    lambda _, items: dict(enumerate(items)).values(),
    lambda _, items: dict(enumerate(items)).items(),
    lambda _, items: set(_hashable(items)),
    lambda _, items: frozenset(_hashable(items)),
    lambda _, items: _cycle(items),
    lambda _, items: _cycle_of_dicts(items),
    lambda c, items: _nested(items, c.below(120)),
    lambda c, items: items * (c.below(65_536) // (len(items) + 1)),
    lambda c, items: {f"{c.text()}{k}": items for k in range(c.below(65_536) % 12_000)},
    lambda _, items: types.SimpleNamespace(items=items),
    lambda _, items: np.array([*items, None], dtype=object) if all(map(_is_flat, items)) else items,
    lambda _, items: _generate(items),
    lambda _, items: zip(items, items, strict=True),
)


def odd(choices: Choices, depth: int = 0) -> Any:
    """An odd object, with others in it; ``None`` where a library refuses to make it."""
    try:
        if depth < DEPTH and choices.below(3) == 2:
            items = [odd(choices, depth + 1) for _ in range(choices.below(4))]
            return CONTAINERS[choices.below(len(CONTAINERS))](choices, items)
        return LEAVES[choices.below(len(LEAVES))](choices)
    except Exception:  # noqa: BLE001 - whatever it raises
        return None


def odd_row(choices: Choices) -> Any:
    """Inputs of a prediction: mostly a dict of odd objects, sometimes an odd object."""
    if choices.below(4) == 3:
        return odd(choices)
    return _dict(choices, [odd(choices) for _ in range(choices.below(5))])


def _key(choices: Choices) -> Any:
    """Anything that a dict takes for a key; mostly a text."""
    kind = choices.below(8)
    if kind < 5:
        return choices.text()
    leaf = LEAVES[choices.below(len(LEAVES))](choices)
    return leaf if _is_hashable(leaf) else choices.text()


def _dict(choices: Choices, items: list[Any]) -> dict[Any, Any]:
    """A dict of ``items`` under odd keys, where those don't fight among themselves."""
    made: dict[Any, Any] = {}
    for item in items:
        with contextlib.suppress(Exception):
            made[_key(choices)] = item
    return made


def _is_hashable(value: Any) -> bool:
    try:
        hash(value)
        {value: 1}  # noqa: B018 - what a dict does with it
    except Exception:  # noqa: BLE001 - foreign code
        return False
    return True


def _hashable(items: list[Any]) -> list[Any]:
    """Those that a set takes, where they don't fight among themselves.

    Not those that are hashed by their place in memory: two sets of such, made in the same way, differ in their order.
    """
    fitting = [item for item in items if _is_hashable(item) and type(item).__hash__ is not object.__hash__]
    try:
        set(fitting)
    except Exception:  # noqa: BLE001 - foreign code
        return []
    return fitting


def _is_flat(value: Any) -> bool:
    return type(value) in (str, int, float, type(None))


def _cycle(items: list[Any]) -> list[Any]:
    items.append(items)
    return items


def _cycle_of_dicts(items: list[Any]) -> dict[str, Any]:
    first: dict[str, Any] = {"items": items}
    first["second"] = {"first": first}
    return first


def _nested(value: Any, depth: int) -> Any:
    for level in range(depth):
        value = [value] if level % 2 else {"a": value}
    return value
