"""Columns of pandas, polars, pyarrow and numpy, and plain sequences, as sources of snapshots.

The memory of every column is copied while the caller waits, since it may be the caller's own
(:mod:`mllog.integrations.copies`). An object's type says where it comes from, so none of the libraries is imported
before one of its columns is here.
"""

from __future__ import annotations

import contextlib
from collections.abc import Callable
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
from mllog.integrations.copies import (
    POLARS_NUMBERS,
    arrow_copy,
    is_copied_by_arrow,
    is_copied_by_polars,
    polars_copy,
    polars_read,
)
from mllog.integrations.tables import listed_of, part_of

_UNITS: Final = {"s": 10**9, "ms": 10**6, "us": 10**3, "ns": 1}
_ARROW_NUMBERS: Final = {
    "bool": "bool", "halffloat": "float16", "float": "float32", "double": "float64",
    **{f"{sign}int{bits}": f"{sign}int{bits}" for sign in ("", "u") for bits in (8, 16, 32, 64)},
}  # fmt: skip
_ARROW_TEXTS: Final = frozenset({"string", "large_string"})
_EXACT: Final = 2**53
"""Below that every integer is a float, and no other integer is rounded to it."""


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
        return Held(VALUE_SIZE * (stop - start), partial(Raw, listed(start, stop)))

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
        return of_list(lambda start, stop: array[start:stop].tolist(), convert)
    if hasattr(series.dtype, "pyarrow_dtype") or getattr(series.dtype, "storage", None) == "pyarrow":
        return _pandas_arrow(array)
    if not type(array).__module__.startswith("pandas.") or "object" in str(series.dtype):
        # A copy of such an array may still hold objects that change.
        return of_list(lambda start, stop: array[start:stop].tolist(), convert)

    def take(start: int, stop: int) -> Held:
        copy = array[start:stop].copy()
        return Held(int(copy.nbytes), lambda: Raw(copy.tolist()))

    return take


def _pandas_arrow(array: Any) -> Source:
    """An array that pandas keeps in pyarrow's memory, of which its own ``copy`` makes none."""
    arrow, dtype = array.__arrow_array__(), array.dtype
    if not is_copied_by_arrow(arrow.type):
        return of_objects(lambda start, stop: array[start:stop].tolist())

    def take(start: int, stop: int) -> Held:
        copy = arrow_copy(arrow.slice(start, stop - start))
        return Held(copy.nbytes, lambda: Raw(dtype.__from_arrow__(copy).tolist()))

    return take


def of_objects(take: Callable[[int, int], list[Any]]) -> Source:
    """The source of Python objects that a library makes anew for whoever asks, so that nobody can change them."""

    def snapshot(start: int, stop: int) -> Held:
        listed = take(start, stop)
        size = VALUE_SIZE * len(listed) + sum(len(value) for value in listed if type(value) is str)
        return Held(size, partial(Raw, listed))

    return snapshot


def _polars(series: Any, convert: Convert) -> Source:
    kind = series.dtype.base_type().__name__
    if kind == "Object":
        return of_list(lambda start, stop: series.slice(start, stop - start).to_list(), convert)
    if kind in POLARS_NUMBERS:
        return _polars_numbers(series, kind)
    if not is_copied_by_polars(series.dtype):
        return of_objects(lambda start, stop: series.slice(start, stop - start).to_list())

    def take(start: int, stop: int) -> Held:
        stream = polars_copy(series.slice(start, stop - start))
        return Held(stream.tell(), lambda: Raw(polars_read(stream).to_list()))

    return take


def _polars_numbers(series: Any, kind: str) -> Source:
    # Asked for once: polars plans a query for each such question.
    nulls = cache(series.is_null)

    def take(start: int, stop: int) -> Held:
        piece = series.slice(start, stop - start)
        if not piece.null_count():
            copy = piece.to_numpy(writable=True)
            return Held(copy.nbytes, partial(numbers, copy))
        if kind != "Boolean":
            copy = piece.to_numpy(writable=True)
            null = nulls().slice(start, stop - start).to_numpy()
            if kind.startswith("Float"):
                return Held(copy.nbytes + null.nbytes, partial(numbers, copy, null))
            # Integers with gaps come as floats, which are exact up to there.
            copy[null] = 0
            if np.abs(copy).max() < _EXACT:
                return Held(copy.nbytes + null.nbytes, lambda: numbers(copy.astype(np.int64), null))
        listed = piece.to_list()
        return Held(VALUE_SIZE * len(listed), lambda: typed(Raw(listed)))

    return take


def _arrow(array: Any) -> Source:
    if not is_copied_by_arrow(array.type):
        return of_objects(lambda start, stop: _objects(array.slice(start, stop - start)))
    kind = str(array.type)

    def take(start: int, stop: int) -> Held:
        copy = arrow_copy(array.slice(start, stop - start))

        def load() -> Column | Raw:
            if kind in _ARROW_TEXTS:
                return Raw(_values(copy).tolist())
            if kind not in _ARROW_NUMBERS:
                return Raw(_objects(copy))
            return _numbers(copy, kind)

        return Held(copy.nbytes, load)

    return take


def _numbers(array: Any, kind: str) -> Column:
    """A column of the buffers of an array (https://arrow.apache.org/docs/format/Columnar.html)."""
    if not array.null_count:
        return numbers(_values(array))
    validity, data = array.buffers()
    start, stop = array.offset, array.offset + len(array)
    null = ~_bits(validity, start, stop)
    if kind == "bool":
        return numbers(_bits(data, start, stop), null)
    values = np.frombuffer(data, _ARROW_NUMBERS[kind], count=stop)[start:].copy()
    values[null] = 0
    return numbers(values, null)


def _bits(buffer: Any, start: int, stop: int) -> npt.NDArray[np.bool_]:
    packed = np.frombuffer(buffer, np.uint8)[start // 8 : (stop + 7) // 8]
    return np.unpackbits(packed, bitorder="little")[start % 8 : start % 8 + stop - start].astype(np.bool_)


def _values(array: Any) -> npt.NDArray[Any]:
    """An array of pyarrow as one of numpy, copied where it must be."""
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
