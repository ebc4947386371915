"""Values from a shipper's own files: each is taken only where it is what it should be, whoever wrote it."""

from __future__ import annotations

import math
from typing import Any, Final

_MOST: Final = 10**6


def moment_of(value: Any) -> float | None:
    """Seconds since 1970.

    Raises:
        ValueError: Where it is neither a moment nor ``None``.
    """
    if value is None:
        return None
    if type(value) not in {int, float} or not math.isfinite(value):
        raise ValueError(value)
    return float(value)


def count_of(value: Any) -> int:
    """A number of things.

    Raises:
        ValueError: Where it is none.
    """
    if type(value) is not int or value < 0:
        raise ValueError(value)
    return value


def text_of(value: Any) -> str | None:
    """A text.

    Raises:
        ValueError: Where it is neither a text nor ``None``.
    """
    if value is not None and not isinstance(value, str):
        raise ValueError(value)
    return value


def place_of(value: Any) -> tuple[int, int] | None:
    """Number of a segment, and bytes of it.

    Raises:
        ValueError: Where it is neither two numbers nor ``None``.
        TypeError: The same.
    """
    if value is None:
        return None
    segment, offset = value
    return count_of(segment), count_of(offset)


def ranges(numbers: list[int]) -> list[list[int]]:
    """Ascending numbers as pairs of first and last."""
    found: list[list[int]] = []
    for number in numbers:
        if found and found[-1][1] == number - 1:
            found[-1][1] = number
        else:
            found.append([number, number])
    return found


def numbers_of(value: Any) -> list[int]:
    """The numbers of :func:`ranges`.

    Raises:
        ValueError: Where they are none, or too many to be true.
        TypeError: Where they aren't pairs.
    """
    pairs = [(count_of(first), count_of(last)) for first, last in value]
    if sum(last - first for first, last in pairs) > _MOST:
        raise ValueError(value)
    return [number for first, last in pairs for number in range(first, last + 1)]
