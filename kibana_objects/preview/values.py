"""Values as a dashboard shows them, by the formats of their columns."""

from __future__ import annotations

import datetime as dt
from collections.abc import Mapping
from typing import Any

from mllog.fields import Unit


def shown(value: Any, column: Mapping[str, Any]) -> str:
    """A value of a column as text."""
    if value is None:
        return "-"
    if isinstance(value, dt.datetime):
        return f"{value:%d %b %H:%M}"
    if not isinstance(value, int | float) or isinstance(value, bool):
        return str(value)
    held = column.get("params", {}).get("format") or {}
    params = held.get("params", {})
    decimals = int(params.get("decimals", 2))
    if held.get("id") == "percent":
        return f"{100 * value:.{decimals}f} %"
    if held.get("id") == "duration":
        return duration(value / 1e9)
    text = f"{value:,.{decimals}f}" if not float(value).is_integer() or decimals == 0 else f"{value:,.0f}"
    return text + str(params.get("suffix", ""))


def in_unit(value: Any, unit: Unit) -> str:
    """A number of a field as text; whatever else stands there as it is."""
    if not isinstance(value, int | float) or isinstance(value, bool):
        return str(value)
    if unit == "share":
        return f"{100 * value:.1f} %"
    return duration(value / 1e9 if unit == "nanoseconds" else value)


def duration(seconds: float) -> str:
    """Seconds in the unit that fits."""
    for size, unit in ((1.0, "s"), (1e-3, "ms"), (1e-6, "µs")):
        if seconds >= size:
            return f"{seconds / size:.1f} {unit}"
    return f"{seconds * 1e9:.0f} ns"


def dotted(document: Mapping[str, Any], name: str) -> Any:
    """A field of a document by its dotted name; None where it isn't there."""
    held: Any = document
    rest = name
    while rest:
        if not isinstance(held, Mapping):
            return None
        if rest in held:
            return held[rest]
        first, _, rest = rest.partition(".")
        held = held.get(first)
    return held
