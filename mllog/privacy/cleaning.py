"""What the strings and numbers of one event go through: protected values that come back, and patterns."""

from __future__ import annotations

import re
from typing import TYPE_CHECKING, Any, Final

from mllog.privacy.cuts import ELLIPSIS, pieces
from mllog.privacy.rewriting import rewrite

if TYPE_CHECKING:
    from mllog.privacy.echo import Echo
    from mllog.privacy.scrubbing import Scrubber

_OPAQUE: Final = re.compile(
    r"(?=.*[a-f])(?:[0-9a-f]{16}|[0-9a-f]{32})|[0-9a-f]{8}-(?:[0-9a-f]{4}-){3}[0-9a-f]{12}", re.ASCII | re.IGNORECASE
)
"""Hashes, trace and span ids, UUIDs: digits in them are there by chance, and one that is changed joins nothing."""


class Cleaner:
    """Cleans one event.

    Args:
        echo: Its protected values; ``None`` where there are none.
        scrubber: Where the policy has patterns.
    """

    __slots__ = ("_echo", "_scrubber")

    def __init__(self, echo: Echo | None, scrubber: Scrubber | None) -> None:
        self._echo = echo or None
        self._scrubber = scrubber

    def text(self, text: str) -> str:
        """A text with marks; an opaque id only where all of it is a protected value.

        Where the logger cut it, it loses what may be the beginning of a value or of what a pattern finds, and the hash.
        """
        if _OPAQUE.fullmatch(text) is not None and (self._echo is None or not self._echo.is_value(text)):
            return text
        cut, rest = pieces(text)
        if not cut:
            return self._cleaned(text)
        return ELLIPSIS.join((*(self._cleaned(piece, was_cut=True) for piece in cut), self._cleaned(rest)))

    def number(self, number: float) -> float | str:
        """A number, or a mark where it is a protected value or a number only by its type."""
        told = self.figure(number)
        return told if isinstance(told, str) or self._scrubber is None else self._scrubber.number(told)

    def figure(self, number: float) -> float | str:
        """A number that is surely one, or a mark where it is a protected value."""
        return number if self._echo is None else self._echo.number(number)

    def value(self, value: Any) -> Any:
        """A typed value with marks in its strings, keys and numbers; nothing that was given is changed."""
        return rewrite(value, self.text, self.number)

    def figures(self, value: Any) -> Any:
        """The same where numbers are surely such."""
        return rewrite(value, self.text, self.figure)

    def pattern(self, value: Any) -> Any:
        """A typed value with marks of patterns only."""
        return value if self._scrubber is None else rewrite(value, self._scrubber.text, self._scrubber.number)

    def trace(self, trace: str) -> str:
        """A traceback of which the logger cut off the beginning, from its first whole line on."""
        rest = trace if self._echo is None else self._echo.rest(trace)
        # Only then: a value that begins in the first line may go on behind it.
        return self.text(rest).partition("\n")[2]

    def _cleaned(self, text: str, *, was_cut: bool = False) -> str:
        if self._echo is not None:
            text = self._echo.text(text, was_cut=was_cut)
        return text if self._scrubber is None else self._scrubber.piece(text, was_cut=was_cut)
