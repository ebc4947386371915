"""Objects that are more than one value: what they hold by name, and what is said of long vectors.

Vectors that are too long to be kept (embeddings, pixels) become a few figures that drift when they do.
"""

from __future__ import annotations

import math
from collections.abc import Iterable, Mapping
from types import SimpleNamespace
from typing import Any


def members(value: Any) -> Mapping[Any, Any] | None:
    """Values by name, of the types that are made of such."""
    kind = type(value)
    if isinstance(value, Mapping) or kind is SimpleNamespace:
        return vars(value) if kind is SimpleNamespace else value  # type: ignore[no-any-return]
    if issubclass(kind, tuple) and hasattr(kind, "_fields") and hasattr(kind, "_asdict"):
        return dict(zip(kind._fields, value, strict=True))
    names = getattr(kind, "__dataclass_fields__", None) or [a.name for a in getattr(kind, "__attrs_attrs__", ())]
    return {name: getattr(value, name) for name in names} if names else None


def summary(numbers: list[float], length: int) -> dict[str, Any]:
    """Length, mean, Euclidean norm, least and greatest of a vector; of its finite numbers, and how many those are.

    Args:
        numbers: The vector without what is null.
        length: Of the vector.
    """
    finite = [x for x in numbers if math.isfinite(x)]
    found: dict[str, Any] = {"length": length, "finite": len(finite)}
    if finite:
        found |= {
            "mean": math.fsum(x / len(finite) for x in finite),
            "norm": math.hypot(*finite),
            "min": min(finite),
            "max": max(finite),
        }
    return found


def array_summary(array: Any, length: int, shape: Iterable[Any]) -> dict[str, Any]:
    """The same of an array with a mean() of its own (numpy, pandas, torch), in its own arithmetic: no min and max.

    Raises:
        TypeError: Where it doesn't hold numbers (or whatever its library raises).
    """
    # Squares of small integers would overflow.
    numbers = array.astype(float) if hasattr(type(array), "astype") else array
    square = float((numbers * numbers).sum())
    return {
        "length": length,
        "mean": float(numbers.mean()),
        "norm": math.sqrt(square),
        "shape": [int(n) for n in shape],
    }
