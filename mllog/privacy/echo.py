"""Protected values that come back elsewhere in the same event: ``KeyError: 'jane@example.com'``."""

from __future__ import annotations

import json
import math
import re
from typing import TYPE_CHECKING, Any, Final
from urllib.parse import quote, quote_plus

from mllog import values

if TYPE_CHECKING:
    from collections.abc import Iterator

SHORTEST: Final = 4
"""Shorter values stand in half of all sentences by chance, so they aren't looked for."""

DIGITS: Final = 4
"""Numbers of fewer digits (0, 1, 0.5, 120) are equal by chance; leading zeros don't count."""

_HEAD: Final = 64
"""Of a longer value its beginning is looked for, and everything behind it goes too: it may have been cut."""

_SIMPLE: Final = re.compile(r"[\w.-]*", re.ASCII)
"""Texts that are written alike in Python, JSON and URLs."""
_NUMERAL: Final = re.compile(r"\s*[+-]?\d{1,30}(\.\d{0,30})?\s*", re.ASCII)
_DIGIT: Final = re.compile(r"\d")
_DATE: Final = re.compile(r"(\d{4}-\d\d-\d\d)[T ]", re.ASCII)
_THOUSANDS: Final = (",", ".", " ", "'", "_", "\u00a0", "\u202f")


class Echo:
    """The protected values of one event."""

    __slots__ = ("_figures", "_forms", "_names", "_numerals")

    def __init__(self) -> None:
        self._names: dict[str | int | float, str] = {}
        # Made when they are needed: most events have no text with a digit, and no number beside their inputs.
        self._forms: dict[str, str] | None = None
        self._numerals: dict[str, str] | None = None
        self._figures: dict[int | float, str] | None = None

    def __bool__(self) -> bool:
        return bool(self._names)

    def add(self, name: str, value: Any) -> None:
        """Look for a feature's value, and for what it is made of; to be called before anything is looked at."""
        if isinstance(value, dict):
            for item in value.values():
                self.add(name, item)
        elif isinstance(value, list):
            for item in value:
                self.add(name, item)
        elif isinstance(value, str | int | float) and not isinstance(value, bool) and value == value:  # noqa: PLR0124 - NaN
            if isinstance(value, int) and math.isinf(values.float_of(value)):
                self._names.setdefault(values.integer_text(value), name)  # as digits; no number can be written so
            else:
                self._names.setdefault(value, name)

    def text(self, text: str) -> str:
        """A text with ``<feature>`` in place of each value of :data:`SHORTEST` characters or more."""
        if not self._names:
            return text
        lower = text.lower()
        forms = self._forms
        if forms is None:
            forms = self._forms = self._spelled(str)
        found = {form: name for form, name in forms.items() if form in lower}
        if _DIGIT.search(lower) is not None:
            if self._numerals is None:
                self._numerals = self._spelled((int, float))
            found |= {form: name for form, name in self._numerals.items() if form not in found and form in lower}
        if not found:
            return text
        longest_first = sorted(found, key=len, reverse=True)
        if len(lower) != len(text):  # there are letters that become two
            text = lower
        parts: list[str] = []
        last = 0
        for match in re.finditer("|".join(f"({_pattern(form)})" for form in longest_first), lower):
            parts += text[last : match.start()], f"<{found[longest_first[(match.lastindex or 1) - 1]]}>"
            last = match.end()
        return "".join((*parts, text[last:])) if parts else text

    def number(self, number: float) -> float | str:
        """A number, or ``<feature>`` where it is a value of :data:`DIGITS` digits or more, whatever its sign."""
        if not self._names or isinstance(number, bool):
            return number
        if self._figures is None:
            self._figures = {}
            for value, given in self._names.items():
                for figure in _figures(value):
                    self._figures.setdefault(figure, given)
        name = self._figures.get(abs(number))
        return number if name is None else f"<{name}>"

    def is_value(self, text: str) -> bool:
        """Whether all of a text is a value."""
        if self.text(text) == text:
            return False
        return text.strip().lower()[:_HEAD] in {**(self._forms or {}), **(self._numerals or {})}

    def _spelled(self, kind: type | tuple[type, ...]) -> dict[str, str]:
        """Feature by what is looked for: every spelling of the values of one kind, in lower case."""
        found: dict[str, str] = {}
        for value, name in self._names.items():
            for form in _spellings(value) if isinstance(value, kind) else ():
                stripped = form.strip()
                if len(stripped) >= SHORTEST:
                    found.setdefault(stripped[:_HEAD].lower(), name)
        return found


def _pattern(form: str) -> str:
    # A number isn't looked for within a longer one.
    before = r"(?<!\d)" if form[0].isdigit() else ""
    behind = "(?s:.*)" if len(form) == _HEAD else r"(?!\d)" if form[-1].isdigit() else ""
    return f"{before}{re.escape(form)}{behind}"


def _spellings(value: str | float) -> Iterator[str]:
    """How a value is written: by Python, in JSON and in URLs; a number with separators and with two decimals too."""
    if isinstance(value, str):
        yield value
        if _SIMPLE.fullmatch(value) is None:
            yield repr(value)[1:-1]
            yield json.dumps(value)[1:-1]
            yield quote(value, errors="replace")
            yield quote(value, safe="", errors="replace")
            yield quote_plus(value, errors="replace")
            date = _DATE.match(value)
            if date is not None:
                yield date[1]
                yield value.replace("T", " ", 1)
        return
    if not math.isfinite(value):
        return
    value = abs(value)
    yield repr(value)
    whole = int(value) if value == int(value) else None
    if whole is not None:
        yield str(whole)
    if digits_of(value) < DIGITS:
        return
    rounded = f"{value:,.2f}"
    if sum(map(str.isdigit, rounded.lstrip("0.,"))) >= DIGITS:
        yield rounded
        yield rounded.replace(",", "")
        yield rounded.translate({44: 46, 46: 44})  # 54.321,25
        yield rounded.replace(",", "").replace(".", ",")
    if whole is not None:
        for separator in _THOUSANDS:
            yield f"{whole:,}".replace(",", separator)


def _figures(value: str | float) -> Iterator[int | float]:
    """The numbers, without their sign, that are equal to a value of enough digits."""
    if isinstance(value, str):
        numeral = _NUMERAL.fullmatch(value)
        if numeral is None:
            return
        value = int(value) if numeral[1] is None else float(value)
    if digits_of(value) >= DIGITS:
        yield abs(value)
        yield abs(float(value))


def digits_of(number: float) -> int:
    """Digits of a number as Python writes it, leading zeros and exponent aside; 0 of what isn't finite."""
    if not math.isfinite(number):
        return 0
    written = str(int(number)) if number == int(number) else repr(number)
    return sum(map(str.isdigit, written.partition("e")[0].lstrip("-0.")))
