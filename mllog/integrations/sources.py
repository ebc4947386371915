"""Columns of pandas, polars, pyarrow and numpy, and plain sequences, as sources of snapshots.

What a column's library never changes in place is held as it is; what it may change is copied. None of them is imported
here: an object's type says where it comes from.
"""

from __future__ import annotations

import contextlib
from functools import cache, partial
from typing import Any, Final

import numpy as np
import numpy.typing as npt

from mllog.delivery.columns import (
    Column,
    Convert,
    Held,
    Raw,
    Source,
    numbers,
    of_array,
    of_codes,
    of_list,
    typed,
    typed_input,
)
from mllog.delivery.loops.plain import VALUE_SIZE
from mllog.integrations.batch import listed_of, part_of

_UNITS: Final = {"s": 10**9, "ms": 10**6, "us": 10**3, "ns": 1}
_ARROW_NUMBERS: Final = {
    "bool": "bool", "halffloat": "float16", "float": "float32", "double": "float64",
    **{f"{sign}int{bits}": f"{sign}int{bits}" for sign in ("", "u") for bits in (8, 16, 32, 64)},
}  # fmt: skip
_ARROW_TEXTS: Final = frozenset({"string", "large_string", "string_view"})
_EXACT: Final = 2**53
"""Below that every integer is a float, and no other integer is rounded to it."""

_POLARS_NUMBERS: Final = frozenset(
    {"Boolean", "Float32", "Float64"} | {f"{sign}Int{bits}" for sign in ("", "U") for bits in (8, 16, 32, 64)}
)


def source_of(column: Any, convert: Convert = typed_input) -> Source:
    """The source of a column's values, as Python has them where the library hands out a row.

    Args:
        column: Of a library, an array, or anything that holds Python objects.
        convert: Types objects that may change before the writer gets to them.
    """
    if isinstance(column, np.ndarray):
        return of_array(column, convert)
    library = library_of(column)
    if library == "pandas":
        return _pandas(column, convert)
    if library == "polars":
        return _polars(column, convert)
    if library == "pyarrow":
        return _arrow(column)
    listed = listed_of(column)
    return of_list(lambda start, stop: list(listed[start:stop]), convert)


def times_of(column: Any) -> Source:
    """The source of a column of times: nanoseconds since 1970 where its library keeps integers."""
    integers: npt.NDArray[np.int64] | None = None
    unit = ""
    library = library_of(column)
    with contextlib.suppress(Exception):  # then value by value
        if library == "polars" and column.dtype.base_type().__name__ == "Datetime" and not column.null_count():
            integers, unit = column.to_physical().to_numpy(), column.dtype.time_unit
        elif library == "pyarrow" and str(column.type).startswith("timestamp") and not column.null_count:
            integers, unit = column.cast("int64").to_numpy(), column.type.unit
        elif library == "pandas" and column.dtype.kind == "M" and not column.hasnans:
            naive = column if column.dt.tz is None else column.dt.tz_convert("UTC").dt.tz_localize(None)
            integers, unit = naive.to_numpy().astype(np.int64), naive.dt.unit
    if integers is None or not len(integers) or int(np.abs(integers).max()) * _UNITS[unit] >= 2**63:
        return objects_of(column)
    return of_array(integers * _UNITS[unit])


def objects_of(column: Any) -> Source:
    """The source of a column of times or ids: Python objects as they are, since these don't change."""
    library = library_of(column)

    def listed(start: int, stop: int) -> list[Any]:
        values = part_of(column, start, stop - start)
        if library == "pandas":  # whose NA says that there is none, as its rows do with None
            return [None if type(value).__name__ == "NAType" else value for value in values]
        return list(values)

    def take(start: int, stop: int) -> Held:
        size = VALUE_SIZE * (stop - start)
        if library in {"polars", "pyarrow"}:  # never changed, so they can wait
            return Held(size, lambda: Raw(listed(start, stop)))
        return Held(size, partial(Raw, listed(start, stop)))

    return take


def library_of(column: Any) -> str | None:
    """Which of the libraries a column comes from."""
    kind = type(column)
    library = kind.__module__.partition(".")[0]
    typical = {"pandas": "iloc", "polars": "to_physical", "pyarrow": "null_count"}.get(library)
    return library if typical is not None and hasattr(kind, typical) else None


def _pandas(series: Any, convert: Convert) -> Source:
    if isinstance(series.dtype, np.dtype) and series.dtype.kind not in "mM":
        return of_array(series.to_numpy(), convert)
    array = series.array
    if series.dtype.name == "category":
        n = len(array.categories)
        places = [*range(n), -1] if (array.codes < 0).any() else list(range(n))
        # Made of the codes, since pandas may write integers as floats where a value is missing.
        given = type(array).from_codes(places, dtype=array.dtype).tolist()
        if n < len(array):
            return of_codes(array.codes, given)

    if not type(array).__module__.startswith("pandas.") or "object" in str(series.dtype):
        # A copy of such an array may still hold objects that change.
        return of_list(lambda start, stop: array[start:stop].tolist(), convert)

    def take(start: int, stop: int) -> Held:
        copy = array[start:stop].copy()
        return Held(int(copy.nbytes), lambda: Raw(copy.tolist()))

    return take


def _polars(series: Any, convert: Convert) -> Source:
    kind = series.dtype.base_type().__name__
    size = series.estimated_size() / max(len(series), 1)
    if kind == "Object":
        return of_list(lambda start, stop: series.slice(start, stop - start).to_list(), convert)
    # Asked for once: polars plans a query for each such question.
    nulls = cache(series.is_null)

    def take(start: int, stop: int) -> Held:
        piece = series.slice(start, stop - start)

        def load() -> Column | Raw:
            if kind not in _POLARS_NUMBERS:
                return Raw(piece.to_list())
            if not piece.null_count():
                return numbers(piece.to_numpy())
            if kind == "Boolean":
                return typed(Raw(piece.to_list()))
            array, null = piece.to_numpy(), nulls().slice(start, stop - start).to_numpy()
            if kind.startswith("Float"):
                return numbers(array, null)
            # Integers with gaps come as floats, which are exact up to there.
            array[null] = 0
            if np.abs(array).max() < _EXACT:
                return numbers(array.astype(np.int64), null)
            return typed(Raw(piece.to_list()))

        return Held(int(size * (stop - start)), load)

    return take


def _arrow(array: Any) -> Source:
    kind = str(array.type)
    size = array.nbytes / max(len(array), 1)

    def take(start: int, stop: int) -> Held:
        piece = array.slice(start, stop - start)

        def load() -> Column | Raw:
            if kind in _ARROW_TEXTS:
                return Raw(_values(piece).tolist())
            if kind not in _ARROW_NUMBERS:
                return Raw(_objects(piece))
            return _numbers(piece, kind)

        return Held(int(size * (stop - start)), load)

    return take


def _numbers(array: Any, kind: str) -> Column:
    """A column of the buffers of an array (https://arrow.apache.org/docs/format/Columnar.html)."""
    if getattr(array, "num_chunks", 1) == 1:
        one = array.chunk(0) if hasattr(array, "num_chunks") else array
    else:
        one = array.combine_chunks()
    if not one.null_count:
        return numbers(_values(one))
    validity, data = one.buffers()
    start, stop = one.offset, one.offset + len(one)
    null = ~_bits(validity, start, stop)
    if kind == "bool":
        return numbers(_bits(data, start, stop), null)
    array = np.frombuffer(data, _ARROW_NUMBERS[kind], count=stop)[start:].copy()
    array[null] = 0
    return numbers(array, null)


def _bits(buffer: Any, start: int, stop: int) -> npt.NDArray[np.bool_]:
    packed = np.frombuffer(buffer, np.uint8)[start // 8 : (stop + 7) // 8]
    return np.unpackbits(packed, bitorder="little")[start % 8 : start % 8 + stop - start].astype(np.bool_)


def _values(array: Any) -> npt.NDArray[Any]:
    """An array or chunked array of pyarrow as one of numpy, copied where it must be."""
    values: npt.NDArray[Any] = array.to_numpy(zero_copy_only=False)
    return values


def _objects(array: Any) -> list[Any]:
    """Python objects; those that Python has no type for are what they are in pyarrow."""
    try:
        listed: list[Any] = array.to_pylist()
    except Exception:  # noqa: BLE001 - a single value may be beyond Python's range
        listed = [_object(scalar) for scalar in array]
    return listed


def _object(scalar: Any) -> Any:
    try:
        return scalar.as_py()
    except Exception:  # noqa: BLE001 - as above
        return str(scalar)
