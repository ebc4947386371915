"""Whether odd values come out right, judged by a strict reader.

Each case is one prediction with one odd value. It is right where the call didn't raise, the caller's objects are
unchanged, exactly one line came out for it that a strict parser (:func:`orjson.loads`: no bare ``NaN``, no lone
surrogates) reads, and the value that stands there is the one that the case asks for. Representations are judged
generously: ``"NaN"`` is right for NaN, a decimal text for a Decimal, base64, hex or a repr for bytes.
"""

from __future__ import annotations

import contextlib
import datetime as dt
import math
from collections.abc import Callable, Iterable
from dataclasses import dataclass
from decimal import Decimal
from enum import Enum
from typing import Any, Final

import orjson

from benchmarks.logger.contenders import Contender
from benchmarks.logger.workload import FLOATS

FEATURE: Final = FLOATS[0]
ABSENT: Final = object()


@dataclass(frozen=True, slots=True)
class Case:
    """An odd value.

    Attributes:
        name: What is asked, in words.
        value: Makes the value.
        right: Whether what was read back is right; it gets :data:`ABSENT` where there is nothing.
        later: What the caller does to the inputs after the call.
        absent: The key isn't sent at all.
    """

    name: str
    value: Callable[[], Any]
    right: Callable[[Any], bool]
    later: Callable[[dict[str, Any]], None] | None = None
    absent: bool = False


class _Colour(Enum):
    RED = "red"


class _Unprintable:
    def __repr__(self) -> str:
        raise RuntimeError("no name")

    __str__ = __repr__


class _Hostile(dict[str, Any]):
    def __getattribute__(self, name: str) -> Any:
        raise RuntimeError(name)


def _cycle() -> list[Any]:
    cycle: list[Any] = [1]
    cycle.append(cycle)
    return cycle


def _deep() -> list[Any]:
    deep: list[Any] = []
    for _ in range(5_000):
        deep = [deep]
    return deep


def _change(row: dict[str, Any]) -> None:
    row[FEATURE] = 2.0


def _append(row: dict[str, Any]) -> None:
    row[FEATURE].append(3)


def _is(expected: object) -> Callable[[Any], bool]:
    return lambda value: type(value) is type(expected) and value == expected


def _number(expected: float) -> Callable[[Any], bool]:
    return lambda value: isinstance(value, int | float) and not isinstance(value, bool) and value == expected


def _like(*texts: str, number: float | None = None) -> Callable[[Any], bool]:
    def right(value: Any) -> bool:
        if number is not None and isinstance(value, int | float):
            return float(value) == number
        return isinstance(value, str) and value.lower() in texts

    return right


def _nan(value: Any) -> bool:
    if isinstance(value, str):
        return value.lower() == "nan"
    return isinstance(value, float) and math.isnan(value)


def _infinite(value: Any) -> bool:
    if isinstance(value, str):
        return value.lower() in {"inf", "infinity"}
    return isinstance(value, float) and math.isinf(value)


def _anything(value: Any) -> bool:
    return value is not ABSENT


def cases() -> list[Case]:
    """All odd values."""
    import numpy as np  # noqa: PLC0415 - loaded after everything that is timed

    stamp = dt.datetime(2026, 11, 23, 20, 6, 1, tzinfo=dt.UTC)

    def iso(value: Any) -> bool:
        return isinstance(value, str) and value.replace(" ", "T").startswith("2026-11-23T20:06:01")

    return [
        Case("NaN is no null", lambda: math.nan, _nan),
        Case("infinity is no null", lambda: math.inf, _infinite),
        Case("null is kept", lambda: None, lambda value: value is None),
        Case("absent stays absent", lambda: None, lambda value: value is ABSENT, absent=True),
        Case("empty text is no null", lambda: "", _is("")),
        Case("numpy.float32 is a number", lambda: np.float32(1.5), _number(1.5)),
        Case("numpy.float64 NaN is no null", lambda: np.float64("nan"), _nan),
        Case("numpy.int64 is a number", lambda: np.int64(7), _number(7)),
        Case("numpy.bool is a boolean", lambda: np.bool_(True), _is(True)),
        Case("numpy array is a list of numbers", lambda: np.array([1.5, 2.5]), _is([1.5, 2.5])),
        Case("numpy.datetime64 is a time", lambda: np.datetime64("2026-11-23T20:06:01"), iso),
        Case("datetime is a time", lambda: stamp, iso),
        Case("Decimal", lambda: Decimal("1.5"), _like("1.5", number=1.5)),
        Case("enumeration's value", lambda: _Colour.RED, _is("red")),
        Case("set is a list", lambda: {1, 2}, lambda value: isinstance(value, list) and sorted(value) == [1, 2]),
        Case("bytes", lambda: b"\xff\x00", _like("/wa=", "ff00", "b'\\xff\\x00'")),
        Case("lone surrogate", lambda: "a\ud800", lambda value: isinstance(value, str) and value.startswith("a")),
        Case("integer beyond 64 bits", lambda: 2**70, _like(str(2**70), number=2.0**70)),
        Case("keys that are no text", lambda: {5: 1}, _is({"5": 1})),
        Case("later change isn't logged", lambda: 1.0, _number(1.0), later=_change),
        Case("later change of a list isn't logged", lambda: [1, 2], _is([1, 2]), later=_append),
        Case("repr that raises", _Unprintable, _anything),
        Case("attributes that raise", _Hostile, _anything),
        Case("cycle", _cycle, _anything),
        Case("depth of 5,000", _deep, _anything),
    ]


def judge(contender: Contender, lines: Callable[[], Iterable[bytes]]) -> tuple[list[str], int]:
    """Log every case.

    Args:
        contender: Writes them.
        lines: What it wrote, once it was flushed.

    Returns:
        Names of the cases that came out wrong, and how many there were.
    """
    wrong: list[str] = []
    odd = cases()
    for case in odd:
        row = {FLOATS[1]: 1.0}
        if not case.absent:
            row[FEATURE] = case.value()
        held = dict(row)
        try:
            contender.call(row, {"label": "late", "score": 0.5}, case.name)
        except Exception:  # noqa: BLE001 - whatever comes out of a logger into model code
            wrong.append(case.name)
        if list(row) != list(held) or any(row[name] is not held[name] for name in held):
            wrong.append(case.name)
        if case.later is not None:
            case.later(row)
    with contextlib.suppress(Exception):
        contender.flush()
    found: dict[str, list[Any]] = {}
    for line in lines():
        with contextlib.suppress(Exception):
            read = contender.read(orjson.loads(line))
            if read is not None:
                found.setdefault(read[0], []).append(read[1].get(FEATURE, ABSENT))
    for case in odd:
        values = found.get(case.name, [])
        if len(values) != 1 or not case.right(values[0]):
            wrong.append(case.name)
    return list(dict.fromkeys(wrong)), len(odd)
