"""Numbers as people read them."""

from __future__ import annotations

from typing import Final

_UNITS: Final = ("B", "kB", "MB", "GB", "TB", "PB")
_SPANS: Final = (("days", 86_400.0), ("hours", 3600.0), ("minutes", 60.0), ("seconds", 1.0))


def bytes_of(size: float) -> str:
    """E.g. ``1.5 GB``, in powers of a thousand."""
    for unit in _UNITS:
        if size < 1000 or unit == _UNITS[-1]:
            break
        size /= 1000
    return f"{size:.0f} {unit}" if unit == "B" else f"{size:.1f} {unit}"


def span_of(seconds: float) -> str:
    """E.g. ``2.5 hours``; the greatest unit of which there are two."""
    name, length = next((unit for unit in _SPANS if seconds >= 2 * unit[1]), _SPANS[-1])
    number = seconds / length
    return f"{number:.0f} {name}" if number >= 10 else f"{number:.1f} {name}".replace(".0 ", " ")


def counted(number: int, noun: str) -> str:
    """E.g. ``1 event``, ``2 processes``."""
    if number == 1:
        return f"1 {noun}"
    return f"{number} {noun}{'es' if noun.endswith('s') else 's'}"


def some(names: list[str], limit: int = 3) -> str:
    """A list that says how many more there are."""
    more = len(names) - limit
    return ", ".join(names[:limit]) + (f" and {more} more" if more > 0 else "")
