"""Frames of pandas, polars and pyarrow as columns of typed values, through narwhals."""

from __future__ import annotations

import datetime as dt
import math
from collections.abc import Mapping, Sequence
from typing import Any

import narwhals as nw

from mllog.errors import CardError
from mllog.values import INT64, TEXT_LIMIT, cut, float_of, name_of, typed


def columns(frame: Any) -> dict[str, list[Any]]:
    """A frame's columns as lists of typed values, as the logger would write them; times stay what they are.

    Args:
        frame: pandas, polars or pyarrow frame, or a mapping of names to sequences.

    Raises:
        CardError: it is no frame, its columns differ in length, or two have the same name.
    """
    if isinstance(frame, Mapping):
        named = list(frame.items())
    else:
        try:
            native = nw.from_native(frame, eager_only=True)
        except TypeError as error:
            raise CardError(
                f"a frame was expected (pandas, polars, pyarrow, or a dict of columns), not {type(frame).__name__}"
            ) from error
        except nw.exceptions.DuplicateError as error:
            raise CardError(f"two columns of the frame have the same name ({error}); rename one") from error
        named = [(series.name, _nulls(series.to_list())) for series in native.iter_columns()]
    data: dict[str, list[Any]] = {}
    for given, values in named:
        name = name_of(given)
        if name in data:
            raise CardError(f"two columns of the frame are called {name!r}; rename one")
        data[name] = [typed_value(value) for value in values]
    lengths = {len(values) for values in data.values()}
    if len(lengths) > 1:
        raise CardError(f"the columns of a frame have one length, not {sorted(lengths)}")
    return data


def _nulls(values: list[Any]) -> list[Any]:
    """Pandas writes a missing string as NaN: among strings it is a null, as in every other library."""
    if any(type(value) is str for value in values):
        return [None if type(value) is float and math.isnan(value) else value for value in values]
    return values


def typed_value(value: Any) -> Any:
    """A frame's value as the logger types it: numpy's and pandas' scalars as Python's; NA and NaT as None."""
    kind = type(value)
    if kind is str:
        return value if len(value) <= TEXT_LIMIT else cut(value)
    if kind is int:
        return value if value in INT64 else float_of(value)
    if value is None or kind is float or kind is bool:
        return value
    if kind.__name__ in {"NAType", "NaTType"}:
        return None
    if isinstance(value, dt.date | dt.time):
        return value
    if kind.__name__ == "datetime64":
        return value.astype("datetime64[us]").item()
    if hasattr(kind, "as_py"):
        return typed_value(value.as_py())
    return typed(value)


def to_times(values: Sequence[Any], name: str) -> list[dt.datetime]:
    """Event times of a column: datetimes (naive ones are UTC), dates, ISO 8601 strings, or epoch seconds.

    Raises:
        CardError: a value is no time; the message names column, row and value.
    """
    times = []
    for row, value in enumerate(values):
        try:
            if isinstance(value, str):
                moment = dt.datetime.fromisoformat(value)
            elif isinstance(value, int | float) and not isinstance(value, bool):
                moment = dt.datetime.fromtimestamp(value, dt.UTC)
            elif hasattr(value, "to_pydatetime"):
                moment = value.to_pydatetime(warn=False)
            elif type(value) is dt.date:
                moment = dt.datetime(value.year, value.month, value.day, tzinfo=dt.UTC)
            else:
                moment = value
            times.append(moment if moment.tzinfo else moment.replace(tzinfo=dt.UTC))
        except (ValueError, TypeError, AttributeError, OverflowError, OSError) as error:
            raise CardError(
                f"column {name!r}, row {row}: {value!r} is no time; give datetimes, ISO 8601 strings or epoch seconds"
            ) from error
    return times
