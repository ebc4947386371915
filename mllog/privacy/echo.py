"""Protected values that come back in the free texts of the same event: ``KeyError: 'jane@example.com'``."""

from __future__ import annotations

import re
from typing import TYPE_CHECKING, Any, Final

if TYPE_CHECKING:
    from collections.abc import Callable

SHORTEST: Final = 4
"""Shorter values stand in half of all sentences by chance, so they aren't looked for."""

_HEAD: Final = 64
"""Of a longer value its beginning is looked for, and everything behind it goes too: it may have been cut."""


class Echo:
    """The protected values of one event."""

    __slots__ = ("_forms", "_names")

    def __init__(self) -> None:
        self._names: dict[str, str] = {}
        self._forms: dict[str, str] | None = None

    def add(self, name: str, value: Any) -> None:
        """Look for a feature's value, and for what it is made of."""
        if isinstance(value, dict):
            for item in value.values():
                self.add(name, item)
        elif isinstance(value, list):
            for item in value:
                self.add(name, item)
        elif isinstance(value, str):
            self._names.setdefault(value, name)
        elif isinstance(value, int | float) and not isinstance(value, bool):
            self._names.setdefault(repr(value), name)
            if isinstance(value, float) and value.is_integer():
                self._names.setdefault(str(int(value)), name)

    def text(self) -> Callable[[str], str] | None:
        """A function from a text to one with ``<feature>`` in place of a value; ``None`` where there are no values."""
        return self._cleaned if self._names else None

    def _cleaned(self, text: str) -> str:
        if self._forms is None:
            self._forms = {
                form[:_HEAD].lower(): name
                for value, name in self._names.items()
                for form in (value.strip(), repr(value)[1:-1].strip())
                if len(form) >= SHORTEST
            }
        lower = text.lower()
        found = [form for form in self._forms if form in lower]
        for form in sorted(found, key=len, reverse=True):
            # A number isn't looked for within a longer one.
            before = r"(?<!\d)" if form[0].isdigit() else ""
            behind = "(?s:.*)" if len(form) == _HEAD else r"(?!\d)" if form[-1].isdigit() else ""
            pattern = f"(?i:{before}{re.escape(form)}{behind})"
            text = re.sub(pattern, f"<{self._forms[form]}>".replace("\\", r"\\"), text)
        return text
