"""Copies of slices of pyarrow's and polars' columns.

Neither changes its memory, but the memory need not be its own: ``pa.table({"a": array})``, ``pl.from_numpy``,
``pa.Array.from_buffers`` and pandas' Arrow types share the caller's, who may write to it. So the caller pays for a
copy of the buffers, which the writer turns into values later.
"""

from __future__ import annotations

import io
from typing import Any, Final

_ARROW_NESTED: Final = ("is_struct", "is_list", "is_large_list", "is_fixed_size_list", "is_map")
_ARROW_FLAT: Final = (
    "is_primitive", "is_decimal", "is_string", "is_large_string", "is_binary", "is_large_binary",
    "is_fixed_size_binary", "is_null",
)  # fmt: skip

_POLARS_FLAT: Final = frozenset({"String", "Binary", "Date", "Time", "Datetime", "Duration", "Decimal", "Int128"})
POLARS_NUMBERS: Final = frozenset(
    {"Boolean", "Float32", "Float64"} | {f"{sign}Int{bits}" for sign in ("", "U") for bits in (8, 16, 32, 64)}
)


def is_copied_by_arrow(kind: Any) -> bool:
    """Whether :func:`arrow_copy` copies everything of a type of pyarrow: not of views, dictionaries and extensions.

    Args:
        kind: A ``pyarrow.DataType``.
    """
    from pyarrow import types  # noqa: PLC0415 - the column is pyarrow's

    if any(getattr(types, name)(kind) for name in _ARROW_FLAT):
        return True
    nested = any(getattr(types, name)(kind) for name in _ARROW_NESTED)
    return nested and all(is_copied_by_arrow(kind.field(k).type) for k in range(kind.num_fields))


def arrow_copy(array: Any) -> Any:
    """An array, or a chunked array as one, in memory of its own."""
    import pyarrow as pa  # noqa: PLC0415 - as above

    chunks = array.chunks if hasattr(array, "chunks") else [array]
    return pa.concat_arrays(chunks) if chunks else pa.array([], array.type)


def is_copied_by_polars(kind: Any) -> bool:
    """Whether :func:`polars_copy` takes a type of polars: not where it would copy more than the slice, or can't.

    Args:
        kind: A ``polars.DataType``.
    """
    name = kind.base_type().__name__
    if name in {"List", "Array"}:
        inner = kind.inner
        return inner.base_type().__name__ in POLARS_NUMBERS or (
            inner.base_type().__name__ in {"List", "Array"} and is_copied_by_polars(inner)
        )
    return name in _POLARS_FLAT


def polars_copy(series: Any) -> io.BytesIO:
    """A series as a stream of Arrow's format, which is cheaper than a list of its values."""
    stream = io.BytesIO()
    series.to_frame().write_ipc_stream(stream)
    return stream


def polars_read(stream: io.BytesIO) -> Any:
    """The series of :func:`polars_copy`."""
    import polars as pl  # noqa: PLC0415 - the column is polars'

    stream.seek(0)
    return pl.read_ipc_stream(stream).to_series()
