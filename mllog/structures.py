"""Objects that are more than one value: what they hold by name, and what is said of long vectors.

Vectors that are too long to be kept (embeddings, pixels) become a few figures that drift when they do.
"""

from __future__ import annotations

import math
from collections.abc import Iterable, Mapping, Sequence
from contextlib import suppress
from types import SimpleNamespace
from typing import Any

_FRAMES = ("iterrows", "iter_columns", "to_pydict")
"""Methods by which frames of pandas, polars and pyarrow are told from their columns."""


def is_frame(kind: type) -> bool:
    """Whether a type is that of a frame of pandas, polars or pyarrow."""
    return any(hasattr(kind, method) for method in _FRAMES)


def named_columns(frame: Any) -> Iterable[tuple[Any, Any]]:
    """Names and columns of a frame or of a mapping of columns, in their order; names may repeat."""
    kind = type(frame)
    if hasattr(kind, "to_pydict"):  # pyarrow: a table or a record batch
        return zip(frame.schema.names, frame.columns, strict=True)
    if hasattr(kind, "iter_columns"):  # polars
        return ((column.name, column) for column in frame.iter_columns())
    return frame.items()  # type: ignore[no-any-return]


def row_of(frame: Any) -> dict[Any, Any] | None:
    """The only row of a frame by the names of its columns; ``None`` where it has more rows, or none."""
    if len(frame) != 1:
        return None
    return {name: _first(column) for name, column in named_columns(frame)}


def _first(column: Any) -> Any:
    """The only value of a column, as the column's library hands it out with a row."""
    method = next(name for name in ("tolist", "to_list", "to_pylist") if hasattr(type(column), name))
    return getattr(column, method)()[0]


def members(value: Any) -> Mapping[Any, Any] | None:
    """Values by name, of the types that are made of such.

    Raises:
        Exception: Foreign code may raise anything, and so does what has names that don't fit.
    """
    kind = type(value)
    if isinstance(value, Mapping) or kind is SimpleNamespace:
        return vars(value) if kind is SimpleNamespace else value  # type: ignore[no-any-return]
    if issubclass(kind, tuple) and hasattr(kind, "_fields") and hasattr(kind, "_asdict"):
        return dict(zip(kind._fields, value, strict=True))
    fields = field_names(value)
    if fields:
        return _record(value, fields) if value.size == 1 else None
    if issubclass(kind, Sequence) and (hasattr(kind, "_mapping") or hasattr(kind, "_asdict")):
        return _by_its_names(value)
    names = getattr(kind, "__dataclass_fields__", None) or [a.name for a in getattr(kind, "__attrs_attrs__", ())]
    return {name: getattr(value, name) for name in names} if names else None


def field_names(value: Any) -> tuple[str, ...]:
    """Names of the fields of a structured array or record (numpy's); none of anything else."""
    with suppress(Exception):  # arrays of other libraries may say of their type what they like
        names = value.dtype.names if hasattr(type(value), "dtype") else None
        return names if type(names) is tuple else ()
    return ()


def _record(value: Any, fields: tuple[str, ...]) -> dict[str, Any]:
    """A structured record, or the only one of an array, by the names of its fields."""
    only = value[(0,) * len(value.shape)]
    record = only if field_names(only) else value  # a masked record has its fields and nothing else
    return {name: record[name] for name in fields}


def _by_its_names(row: Any) -> Mapping[Any, Any] | None:
    """A row of a result that knows the names of its columns though it is a sequence (SQLAlchemy's, say).

    Raises:
        ValueError: Where two columns have one name: by order they would get others' names.
    """
    for name in ("_mapping", "_asdict"):
        with suppress(Exception):  # then it is the sequence that it says it is
            given = getattr(row, name)
            found = given() if name == "_asdict" else given
            if isinstance(found, Mapping):
                break
    else:
        return None
    if len(found) != len(row):
        raise ValueError("there isn't a name for each value")
    return found


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
