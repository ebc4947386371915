"""Frames as events: one for each row of a pandas, polars or pyarrow frame, or of a mapping of columns."""

from __future__ import annotations

import logging
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from itertools import repeat
from typing import Any, Final

_log: Final = logging.getLogger("mllog")


@dataclass(frozen=True, slots=True)
class Row:
    """One row of a frame."""

    inputs: dict[str, Any]
    output: Any = None
    time: Any = None
    id: str | None = None


def rows(
    frame: Any, outputs: Any = None, *, time: str | None = None, id_: str | None = None
) -> Iterator[Row]:
    """Rows of ``frame`` with their outputs.

    Raises:
        ValueError: Where it is no frame.
    """
    columns = columns_of(frame)
    n = max(map(len, columns.values()), default=0)
    times: Iterable[Any] = _take(columns, time, "time")
    ids: Iterable[Any] = _take(columns, id_, "id")
    given = list(_outputs(outputs))
    if outputs is not None and len(given) != n:
        # The inputs are worth keeping; which output belongs to which row can't be known.
        _log.warning("mllog: %d outputs for %d rows: the rows are logged without outputs", len(given), n)
        given = []
    names = list(columns)
    made = zip(*columns.values(), strict=True) if columns else repeat((), n)
    for values, output, moment, key in zip(made, given or repeat(None, n), times, ids, strict=False):
        yield Row(dict(zip(names, values, strict=True)), output, moment, None if key is None else str(key))


def columns_of(frame: Any) -> dict[str, Sequence[Any]]:
    """Columns by name, as plain Python values where the frame can give them.

    Raises:
        ValueError: Where it isn't a frame.
    """
    kind = type(frame)
    if hasattr(kind, "to_pydict"):  # pyarrow
        return dict(frame.to_pydict())
    if hasattr(kind, "collect") and not hasattr(kind, "columns"):  # a lazy frame
        frame = frame.collect()
    if hasattr(kind, "to_dicts"):  # polars
        return dict(frame.to_dict(as_series=False))
    if isinstance(frame, Mapping):
        return {str(name): _plain(column) for name, column in frame.items()}
    if hasattr(kind, "iterrows"):  # pandas
        return {str(name): _plain(column) for name, column in frame.items()}
    if isinstance(frame, Sequence) and all(isinstance(row, Mapping) for row in frame):
        names = dict.fromkeys(name for row in frame for name in row)
        return {str(name): [row.get(name) for row in frame] for name in names}
    raise ValueError(f"{kind.__name__} is not a frame: give pandas, polars, pyarrow or a mapping of columns")


def _outputs(outputs: Any) -> Iterable[Any]:
    if outputs is None:
        return ()
    if (
        isinstance(outputs, Mapping)
        or hasattr(type(outputs), "iterrows")
        or hasattr(type(outputs), "to_dicts")
    ):
        columns = columns_of(outputs)
        return [dict(zip(columns, row, strict=True)) for row in zip(*columns.values(), strict=True)]
    return _plain(outputs)


def _plain(column: Any) -> Sequence[Any]:
    for method in ("tolist", "to_list", "to_pylist"):
        if hasattr(type(column), method):
            plain: list[Any] = getattr(column, method)()
            return plain
    return column if isinstance(column, Sequence) else list(column)


def _take(columns: dict[str, Sequence[Any]], name: str | None, what: str) -> Iterable[Any]:
    if name is None:
        return repeat(None)
    if name not in columns:
        _log.warning("mllog: %s %r is not a column; there are %s", what, name, ", ".join(columns))
        return repeat(None)
    return columns.pop(name)
