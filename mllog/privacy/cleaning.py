"""What the strings and numbers of one event go through: protected values that come back, and patterns."""

from __future__ import annotations

import re
from typing import TYPE_CHECKING, Any, Final

from mllog.privacy.protection import rewrite

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
        echo: Its protected values.
        scrubber: Where the policy has patterns.
    """

    __slots__ = ("_echo", "_scrubber")

    def __init__(self, echo: Echo, scrubber: Scrubber | None) -> None:
        self._echo = echo
        self._scrubber = scrubber

    def __bool__(self) -> bool:
        return self._scrubber is not None or bool(self._echo)

    def text(self, text: str) -> str:
        """A text with marks; an opaque id only where all of it is a protected value."""
        if _OPAQUE.fullmatch(text) is not None and not self._echo.is_value(text):
            return text
        text = self._echo.text(text)
        return text if self._scrubber is None else self._scrubber.text(text)

    def number(self, number: float) -> float | str:
        """A number, or a mark where it is a protected value or a number only by its type."""
        told = self._echo.number(number)
        return told if isinstance(told, str) or self._scrubber is None else self._scrubber.number(told)

    def figure(self, number: float) -> float | str:
        """A number that is surely one, or a mark where it is a protected value."""
        return self._echo.number(number)

    def value(self, value: Any) -> Any:
        """A typed value with marks in its strings, keys and numbers; nothing that was given is changed."""
        return rewrite(value, self.text, self.number) if self else value

    def pattern(self, value: Any) -> Any:
        """A typed value with marks of patterns only."""
        return value if self._scrubber is None else rewrite(value, self._scrubber.text, self._scrubber.number)
