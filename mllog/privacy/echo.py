"""Protected values that come back elsewhere in the same event: ``KeyError: 'jane@example.com'``."""

from __future__ import annotations

import contextlib
import math
import re
from typing import TYPE_CHECKING, Any, Final

from mllog import stamps, values
from mllog.privacy.cuts import was_cut
from mllog.privacy.numerals import Numerals, is_telling, may_hold_numbers
from mllog.privacy.spellings import ANYWHERE, HEAD, NO_DIGIT, REST, lowered, texts_of
from mllog.privacy.views import (
    View,
    is_written_otherwise,
    outdented,
    undoubled,
    undoubled_wide,
    unescaped,
    unmarked,
    unquoted,
    unquoted_form,
    views,
    without_margins,
)

if TYPE_CHECKING:
    from collections.abc import Iterator

    from mllog.privacy.spellings import Ending

    Form = tuple[str, Ending]
    """Which feature is written so, and what goes with it."""

    Span = tuple[int, int, str]
    """From where to where a value stands, and which; of what may only be the beginning of one, no name."""

SHORTEST: Final = 4
"""Shorter values stand in half of all sentences by chance, so they aren't looked for."""

_READERS_WITHIN_LINES: Final = (unescaped, unquoted, unquoted_form, unmarked, undoubled, undoubled_wide)
_READERS: Final = (*_READERS_WITHIN_LINES, outdented)
_DATE: Final = re.compile(r"\d{4}-?[\dW]\d")
_PROBE: Final = 16


class Echo:
    """The protected values of one event."""

    __slots__ = ("_forms", "_lined", "_names", "_numerals")

    def __init__(self) -> None:
        self._names: dict[str | int | float, str] = {}
        # Made when they are needed: most events have no text with a digit, and no number beside their inputs.
        self._forms: dict[str, Form] | None = None
        self._numerals: Numerals | None = None
        self._lined = False

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
        elif hasattr(value, "isoformat"):  # a frame's times stay what they are
            self.add(name, value.isoformat())

    def text(self, text: str, *, was_cut: bool = False) -> str:
        """A text with ``<feature>`` in place of each value of :data:`SHORTEST` characters or more.

        Args:
            text: The text.
            was_cut: Whether the logger cut it at its end: then it also loses what may be the beginning of a value.
        """
        if not self._names:
            return text
        spans = self._spans(text, was_cut=was_cut)
        if not spans:
            return text
        spans.sort(key=lambda span: (span[0], -span[1]))
        parts: list[str] = []
        last = 0
        for start, end, name in _joined(spans):
            parts += text[last:start], f"<{name}>" if name else ""
            last = end
        return "".join((*parts, text[last:]))

    def number(self, number: float) -> float | str:
        """A number, or ``<feature>`` where it is a value of :data:`DIGITS` digits or more, whatever its sign."""
        if not self._names or isinstance(number, bool) or (self._numerals is None and not is_telling(number)):
            return number
        name = self._known().by_value.get(abs(number))
        return number if name is None else f"<{name}>"

    def is_value(self, text: str) -> bool:
        """Whether all of a text is a value."""
        stripped = text.strip()
        spans = self._spans(stripped) if self._names else []
        return any(start == 0 and end == len(stripped) for start, end, _ in spans)

    def is_moment(self, time: int) -> bool:
        """Whether a time (nanoseconds since 1970) is a value, to the microsecond, in which events have theirs."""
        for value in self._names:
            if _DATE.match(value) is not None if isinstance(value, str) else is_telling(value):
                with contextlib.suppress(ValueError, OverflowError):
                    if stamps.moment(value) // 1_000 == time // 1_000:
                        return True
        return False

    def rest(self, trace: str) -> str:
        """A text of which the logger cut off the beginning, without the rest of a value that began before."""
        view = outdented(View(trace)) or View(trace)
        read = lowered(view.text)
        lost = 0
        for value in self._names:
            if isinstance(value, str) and "\n" in value:
                if was_cut(value):  # nobody knows how it goes on
                    return ""
                lost = max(lost, _continued(lowered(without_margins(value)), read))
        return trace[view.origin(lost) :]

    def _spans(self, text: str, *, was_cut: bool = False) -> list[Span]:
        if self._forms is None:
            self._forms = self._spelled()
            self._lined = any("\n" in form for form in self._forms)
        if not was_cut and not self._lined and not is_written_otherwise(text):
            return self._found(lowered(text))
        spans: list[Span] = []
        for view in views(text, _READERS if self._lined else _READERS_WITHIN_LINES):
            lower = lowered(view.text)
            found = self._found(lower)
            if was_cut:
                starts = (_overlap(lower, view.read, form) for form in self._forms)
                begun = min((self._known().begun(lower, view.read), *starts))
                if begun < view.read:
                    found.append((begun, len(lower), ""))
            spans += ((view.origin(start), view.origin(end), name) for start, end, name in found)
        return spans

    def _found(self, lower: str) -> list[Span]:
        found: list[Span] = []
        for form, (name, ending) in (self._forms or {}).items():
            if form in lower:
                found += ((start, end, name) for start, end in _places(form, ending, lower))
        if self._numerals is not None or may_hold_numbers(lower):
            found += self._known().spans(lower)
        return found

    def _known(self) -> Numerals:
        if self._numerals is None:
            self._numerals = Numerals(self._names)
        return self._numerals

    def _spelled(self) -> dict[str, Form]:
        """Feature by what is looked for, in lower case."""
        found: dict[str, Form] = {}
        for value, name in self._names.items():
            for spelling, ending in texts_of(value):
                stripped = spelling.strip()
                if len(stripped) < SHORTEST:
                    continue
                for form in (stripped,) if stripped == spelling else (stripped, spelling):
                    head = lowered(form[:HEAD])
                    own = REST if len(head) == HEAD else NO_DIGIT if head[-1].isdigit() else ANYWHERE
                    found.setdefault(head, (name, ending or own))
        return found


def _places(form: str, ending: Ending, lower: str) -> Iterator[tuple[int, int]]:
    """Where a form stands, also where it overlaps itself; a number isn't found within a longer one."""
    at = lower.find(form)
    while at >= 0:
        within = at > 0 and form[0].isdigit() and lower[at - 1].isdigit()
        match = None if within else ending.match(lower, at + len(form))
        if match is not None:
            yield at, match.end()
        at = -1 if match is not None and match.end() == len(lower) else lower.find(form, at + 1)


def _joined(spans: list[Span]) -> Iterator[Span]:
    """Spans that increase, without what overlaps; the first, and longest, says whose value it is."""
    start, end, name = spans[0]
    for following in spans[1:]:
        if following[0] < end:
            end, name = max(end, following[1]), name or following[2]
        else:
            yield start, end, name
            start, end, name = following
    yield start, end, name


def _overlap(lower: str, end: int, form: str) -> int:
    """The first place before ``end`` from which on a text is the beginning of a form; ``end`` where there is none."""
    for start in range(max(end - len(form), 0), end):
        if form.startswith(lower[start:end]):
            return start
    return end


def _continued(value: str, text: str) -> int:
    """How many characters at the beginning of a text may be the end of a value, or the middle of it."""
    probe = text[:_PROBE]
    at = value.find(probe) if len(probe) == _PROBE else -1
    while at >= 0:
        rest = value[at:]
        if text.startswith(rest) or rest.startswith(text):
            return min(len(rest), len(text))
        at = value.find(probe, at + 1)
    return next((n for n in range(min(_PROBE, len(value), len(text)), 0, -1) if text.startswith(value[-n:])), 0)
