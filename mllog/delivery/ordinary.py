"""What an ordinary value of a feature looks like: one that needs no second look to be measured and written."""

from __future__ import annotations

import math
import sys
from bisect import bisect_right
from typing import TYPE_CHECKING, Any, Final

from mllog.bloom import Bloom
from mllog.delivery.loops.plain import EXACT
from mllog.ruler import category_key

if TYPE_CHECKING:
    from collections.abc import Container, Iterable

    from mllog.ruler import Feature

_LARGEST: Final = sys.float_info.max


def cells_of(feature: Feature) -> tuple[tuple[float, ...], tuple[str | None, ...]]:
    """Where numbers are ordinary values of ``feature``: points that increase, and the bins between them.

    NaN is behind every point, as :func:`bisect.bisect_right` sees it, so like the infinities it is never ordinary.
    """
    limits = (*feature.edges, feature.low or 0, feature.high or 0)
    if any(type(limit) is int and abs(limit) > EXACT for limit in limits):
        return (), (None,)  # perhaps no float is equal to it
    low, high = (-_LARGEST, _LARGEST) if feature.low is None or feature.high is None else (feature.low, feature.high)
    sentinels = _numbers_of(feature.sentinels)
    beside = (math.nextafter(number, math.inf) for number in (high, *sentinels))
    points = sorted({*feature.edges, low, *sentinels, *beside, -_LARGEST, math.inf})
    cells: list[str | None] = [None]
    for point in points:
        ordinary = low <= point <= high and abs(point) <= _LARGEST and point not in sentinels
        cells.append(f"{feature.name}:{bisect_right(feature.edges, point)}" if ordinary else None)
    return tuple(points), tuple(cells)


def _numbers_of(keys: Iterable[str]) -> set[float]:
    """Numbers that may be counted under one of these keys."""
    numbers = set()
    for key in keys:
        try:
            numbers.add(float(key))
        except ValueError:
            continue
    return {number for number in numbers if abs(number) <= _LARGEST}


def ordinary_of(feature: Feature) -> Container[Any]:
    """The ordinary values of a category or a boolean, as they are sent."""
    if feature.open:
        return _AnyString(feature.sentinels)
    if isinstance(feature.known, Bloom):
        return _AnyString(feature.sentinels, feature.known)
    known = feature.known - feature.sentinels
    if feature.kind == "boolean":
        return frozenset(flag for flag in (True, False) if category_key(flag) in known)
    return frozenset(text for text in known if text.strip() and category_key(text) == text)


class _AnyString:
    """The ordinary strings of a category whose values are new every day, or too many to be listed."""

    def __init__(self, sentinels: frozenset[str], known: Container[str] | None = None) -> None:
        self._sentinels, self._known = sentinels, known

    def __contains__(self, value: object) -> bool:
        plain = type(value) is str and value.isascii() and value != "" and not value.isspace()
        return plain and value not in self._sentinels and (self._known is None or value in self._known)
