"""What each feature contributed to a prediction, in whatever shape an explainer gives it."""

from __future__ import annotations

import math
from itertools import islice
from typing import TYPE_CHECKING, Any, Final

from mllog.marking import named, typed

if TYPE_CHECKING:
    from mllog.events import Record

ATTRIBUTION_LIMIT: Final = 2**16


def attributions_of(record: Record, mark: str, given: Any, names: tuple[str, ...]) -> dict[str, float]:
    """Contributions by feature name, of which only finite numbers are kept.

    Args:
        record: Where it is marked what isn't kept.
        mark: By which name.
        given: A mapping, a Series, or a vector (or a matrix of one row) in the card's order of features.
        names: Names for the values of a vector; ``x0``, ``x1``, … where they don't fit.
    """
    try:
        pairs = _pairs(given, names)
    except Exception:  # noqa: BLE001 - foreign code
        pairs = None
    if pairs is None:
        if given is not None:
            record.mark_replaced(mark)
        return {}
    found: dict[str, float] = {}
    for key, value in pairs[:ATTRIBUTION_LIMIT]:
        name = named(record, mark, key)
        number = typed(record, mark, value)
        if not isinstance(number, int | float) or not math.isfinite(number) or name in found:
            record.mark_replaced(mark)
            continue
        found[name] = float(number)
    if len(pairs) > ATTRIBUTION_LIMIT:
        record.mark_truncated(mark)
    return found


def _pairs(given: Any, names: tuple[str, ...]) -> list[tuple[Any, Any]] | None:
    """Name and value of each attribution; ``None`` where there are no names and no vector."""
    kind = type(given)
    if hasattr(kind, "items"):  # before lists: a Series has both
        return [(key, value) for key, value in islice(given.items(), ATTRIBUTION_LIMIT + 1)]
    to_list = next((name for name in ("tolist", "to_list", "to_pylist") if hasattr(kind, name)), None)
    vector = getattr(given, to_list)() if to_list is not None else given
    if type(vector) is not list and type(vector) is not tuple:
        return None
    if len(vector) == 1 and issubclass(type(vector[0]), list | tuple):
        vector = vector[0]
    fitting = names if len(names) == len(vector) else tuple(f"x{k}" for k in range(len(vector)))
    return list(zip(fitting, vector, strict=True))
