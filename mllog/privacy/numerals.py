"""Protected numbers in texts: numerals are read and compared by value, since one number is written in many ways.

As Python writes it (``54321.25``, ``5.432125e4``, ``54_321.25``, with more zeros or, of a decimal, more digits), with
separators of thousands and either sign of decimals, with two decimals, as a float of fewer bits, and as a duration.
"""

from __future__ import annotations

import datetime as dt
import math
import re
import struct
from typing import TYPE_CHECKING, Final

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping

DIGITS: Final = 4
"""Numbers of fewer digits (0, 1, 0.5, 120) are equal by chance; leading zeros don't count."""

_THOUSAND: Final = 10 ** (DIGITS - 1)
_MANTISSA: Final = 2**24
"""Integers beyond it aren't all 32-bit floats, and neighbours would be taken for each other."""

_NUMERAL: Final = re.compile(r"\s*[+-]?\d{1,30}(\.\d{0,30})?\s*", re.ASCII)
_BETWEEN: Final = "[.,'’_ \u00a0\u2009\u202f]"
_RUN: Final = re.compile(rf"\d+(?:{_BETWEEN}\d+)*(?:e[+-]?\d+)?")
_WRITTEN: Final = re.compile(r"(?:\d(?:_?\d)*(?:\.\d(?:_?\d)*)?|\.\d(?:_?\d)*)(?:e[+-]?\d+)?")
_WHOLE: Final = re.compile(r"\d{4,}")
_DECIMAL: Final = re.compile(r"(?<!\d)(?=(\d+)[.,](\d+))")
_GROUPED: Final = re.compile(rf"(?<!\d)(?=(\d{{1,3}}({_BETWEEN})\d{{3}}(?:\2\d{{3}}){{0,9}})(?:[.,](\d+))?(?!\d))")
_LENGTHS: Final = (
    (
        re.compile(r":\d\d:\d"),
        re.compile(
            r"(?<!\d)(?:(?P<days>\d{1,9}) days?,? )?"
            r"(?P<hours>\d\d?):(?P<minutes>\d\d):(?P<seconds>\d\d(?:\.\d{1,6})?)(?!\d)"
        ),
    ),
    (
        re.compile(r"timedelta\("),
        re.compile(
            r"timedelta\((?:days=(?P<days>\d{1,9}))?(?:, )?(?:seconds=(?P<seconds>\d+))?(?:, )?"
            r"(?:microseconds=(?P<microseconds>\d+))?\)"
        ),
    ),
    (
        re.compile(r"pt\d|p\d+d"),
        re.compile(
            r"p(?:(?P<days>\d{1,9})d)?(?:t(?:(?P<hours>\d+)h)?(?:(?P<minutes>\d+)m)?(?:(?P<seconds>\d+(?:\.\d+)?)s)?)?"
        ),
    ),
)
"""Durations as Python and pandas say them, as Python shows them, and of ISO 8601; and what is found faster."""
_BEGUN: Final = re.compile(
    r"(?:timedelta\([^)]*|p(?:\d+d)?t[\dhm.]*|(?:\d+ days?,? )?\d[\d.,'’_:e+ \u00a0\u2009\u202f-]*)\Z"
)
_BEGUN_LENGTH: Final = 64


class Numerals:
    """The protected numbers of one event.

    Args:
        names: Feature by its value.
    """

    __slots__ = ("_lengths", "_written", "by_value")

    def __init__(self, names: Mapping[str | int | float, str]) -> None:
        self.by_value: dict[int | float, str] = {}
        self._lengths: dict[float, str] = {}
        for value, name in names.items():
            for figure in figures_of(value):
                self.by_value.setdefault(figure, name)
                if type(value) is float:
                    self._lengths.setdefault(abs(value), name)
        self._written = self.by_value.copy()
        for figure, name in self.by_value.items():
            rounded = figure if isinstance(figure, int) else round(figure, 2)
            if rounded != figure and is_telling(rounded):
                self._written.setdefault(rounded, name)

    def spans(self, lower: str) -> Iterator[tuple[int, int, str]]:
        """Where in a text, which is in lower case, one of the numbers stands, and which."""
        for first, last in _runs(lower) if self._written else ():
            for start, end, number in _numbers(lower[first:last]):
                name = self._written.get(number)
                if name is not None:
                    yield first + start, first + end, name
        for length in _lengths(lower) if self._lengths else ():
            name = self._lengths.get(_seconds(length.groupdict("0")))
            if name is not None:
                yield *length.span(), name

    def begun(self, lower: str, end: int) -> int:
        """Where the end of a text begins that may be the beginning of a number."""
        match = _BEGUN.search(lower, max(end - _BEGUN_LENGTH, 0), end) if self._written else None
        return end if match is None else match.start()


def may_hold_numbers(lower: str) -> bool:
    """Whether a text holds a number of enough digits, or a duration; most texts hold small ones, if any."""
    return next(_runs(lower), None) is not None or next(_lengths(lower), None) is not None


def figures_of(value: str | float) -> Iterator[int | float]:
    """The numbers, without their sign, that are equal to a value of enough digits, also once it is a 32-bit float."""
    number = _number(value)
    if number is None or not is_telling(number):
        return
    number = abs(number)
    yield number
    yield float(number)
    for figure in _singles(number) if isinstance(number, float) else ():
        if is_telling(figure):
            yield figure


def is_telling(number: float) -> bool:
    """Whether a number has enough digits not to be equal by chance."""
    if isinstance(number, int):  # which may be beyond all floats
        return abs(number) >= _THOUSAND
    return math.isfinite(number) and (abs(number) >= _THOUSAND or digits_of(number) >= DIGITS)


def digits_of(number: float) -> int:
    """Digits of a number as Python writes it, leading zeros and exponent aside; 0 of what isn't finite."""
    if not math.isfinite(number):
        return 0
    written = str(int(number)) if number == int(number) else repr(number)
    return sum(map(str.isdigit, written.partition("e")[0].lstrip("-0.")))


def _number(value: str | float) -> int | float | None:
    """A value as a number; ``None`` of a text that is none, or a very long one."""
    if not isinstance(value, str):
        return value
    numeral = _NUMERAL.fullmatch(value)
    if numeral is None:
        return None
    return int(value) if numeral[1] is None else float(value)


def _singles(number: float) -> Iterator[float]:
    """What a number is as a float of fewer bits, and what that is written as."""
    for code, digits in (("f", range(6, 10)), ("e", range(3, 6))):
        try:
            (single,) = struct.unpack(code, struct.pack(code, number))
            if single != number and (code == "e" or number >= _MANTISSA):
                continue  # a half says too little of a number that was none
            yield single
            for precision in digits:
                short = float(f"{single:.{precision}g}")
                if struct.unpack(code, struct.pack(code, short))[0] == single:
                    yield short
                    break
        except OverflowError:
            continue


def _runs(lower: str) -> Iterator[tuple[int, int]]:
    """Where so many digits stand, with nothing between them that can't stand within a number."""
    for run in _RUN.finditer(lower):
        start, end = run.span()
        if end - start >= DIGITS:
            yield start - (lower[start - 1 : start] == "."), end


def _lengths(lower: str) -> Iterator[re.Match[str]]:
    for sign, pattern in _LENGTHS:
        if sign.search(lower) is not None:
            yield from pattern.finditer(lower)


def _numbers(run: str) -> Iterator[tuple[int, int, int | float]]:
    """Every number that may be read in a run, within others too, but not within a longer row of digits."""
    if run.isdecimal():
        yield 0, len(run), _read(run)
        return
    for match in _WRITTEN.finditer(run):
        yield *match.span(), _read(match.group().replace("_", ""))
    for match in _WHOLE.finditer(run):
        yield *match.span(), _read(match.group())
    for match in _DECIMAL.finditer(run):
        yield match.start(1), match.end(2), _read(f"{match[1]}.{match[2]}")
    for match in _GROUPED.finditer(run):
        digits = match[1].replace(match[2], "")
        yield match.start(1), match.end(1), _read(digits)
        if match[3] is not None:
            yield match.start(1), match.end(3), _read(f"{digits}.{match[3]}")


def _read(numeral: str) -> int | float:
    number = float(numeral)
    return int(numeral) if number < 2**64 and numeral.isdecimal() else number


def _seconds(parts: Mapping[str, str]) -> float:
    try:
        return dt.timedelta(**{unit: float(count) for unit, count in parts.items()}).total_seconds()
    except OverflowError:
        return math.nan
