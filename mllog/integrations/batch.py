"""Frames as events: one for each row of a pandas, polars or pyarrow frame, or of a mapping of columns.

A frame is logged in slices, each a snapshot of its columns and one entry of the queue. Where numpy isn't installed, or
a draw decides on each prediction, every row is logged by a call of its own.
"""

from __future__ import annotations

import importlib.util
import logging
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from functools import cache
from itertools import repeat
from typing import TYPE_CHECKING, Any, Final

from mllog.events import RECORD_SIZE, prediction_key
from mllog.values import name_of

if TYPE_CHECKING:
    from mllog.delivery.engine import Engine
    from mllog.delivery.rows import Rows
    from mllog.events import Record
    from mllog.logger import ModelLogger

SLICE_ROWS: Final = 1_024
SLICE_SHARE: Final = 8
"""A slice takes at most this part of the queue's bound, so that of a large frame only parts are dropped, if any."""

ID_SIZE: Final = 96
"""Bytes that an event's id is taken to need."""

_OF_FRAMES: Final = ("iterrows", "iter_columns", "to_pydict")
"""Methods by which frames of pandas, polars and pyarrow are told from their columns."""

_log: Final = logging.getLogger("mllog")


@dataclass(frozen=True, slots=True)
class Frame:
    """Columns by name, all of one length.

    Attributes:
        columns: As the frame's library has them.
        rows: Their length.
    """

    columns: dict[Any, Any]
    rows: int

    @classmethod
    def read(cls, frame: Any) -> Frame:
        """The columns of a frame; nothing is converted.

        Raises:
            ValueError: Where it is no frame, or its columns differ in length.
        """
        kind = type(frame)
        if hasattr(kind, "collect_schema") and hasattr(kind, "collect"):  # a lazy frame of polars
            frame = frame.collect()
            kind = type(frame)
        if hasattr(kind, "to_pydict"):  # pyarrow: a table or a record batch
            columns = dict(zip(frame.schema.names, frame.columns, strict=True))
        elif hasattr(kind, "iter_columns"):  # polars
            columns = {column.name: column for column in frame.iter_columns()}
        elif isinstance(frame, Mapping) or hasattr(kind, "iterrows"):
            columns = {name: _sized(column) for name, column in frame.items()}
        else:
            raise ValueError(f"{kind.__name__} is not a frame: give pandas, polars, pyarrow or a mapping of columns")
        lengths = set(map(len, columns.values()))
        if len(lengths) > 1:
            raise ValueError(f"the columns of a frame have one length, not {sorted(lengths)}")
        return cls(columns, lengths.pop() if lengths else 0 if isinstance(frame, Mapping) else len(frame))

    def take(self, name: str | None, what: str) -> Any:
        """Take out a column that is no input; ``None`` where none is meant, or it isn't there."""
        if name is not None and name not in self.columns:
            _warn_of_column(name, what, self.columns)
        return self.columns.pop(name, None) if name is not None else None


@dataclass(frozen=True, slots=True)
class Whole:
    """What takes many rows at once.

    Attributes:
        engine: Takes the slices of a batch.
        template: Makes a record without inputs and output, as the logger makes it for a prediction.
    """

    engine: Engine
    template: Callable[[], Record]


def log_frame(
    log: ModelLogger,
    frame: Any,
    outputs: Any = None,
    *,
    time: str | None = None,
    id_: str | None = None,
    whole: Whole | None = None,
) -> list[str]:
    """Log one prediction for each row.

    Args:
        log: The logger.
        frame: The inputs: a frame, a mapping of columns, or a sequence of mappings.
        outputs: One output a row: a sequence, an array, a column, or a frame of parts of outputs.
        time: Name of the column of event times.
        id_: Name of the column of the caller's ids.
        whole: Takes many rows at once; ``None``: each is logged by a call of its own.

    Returns:
        The events' ids; empty ones where an event could not be made.

    Raises:
        ValueError: Where ``frame`` is no frame.
    """
    if isinstance(frame, Sequence) and all(isinstance(row, Mapping) for row in frame):
        return _log_mappings(log, frame, _answers(outputs, len(frame)), time, id_)
    read = Frame.read(frame)
    answers = _answers(outputs, read.rows)
    times, keys = read.take(time, "time"), read.take(id_, "id")
    names = [name_of(name) for name in read.columns]
    if whole is None or not _has_numpy() or len(set(names)) < len(names):
        return list(_log_each(log, read, answers, times, keys))
    ids: list[str] = []
    try:
        for rows in _slices(whole, read, answers, times, keys):
            whole.engine.accept_rows(rows)
            ids += rows.ids
    except Exception as problem:  # noqa: BLE001 - never into model code; counted
        rest = read.rows - len(ids)
        ids += [whole.engine.refuse(problem) for _ in range(rest)]
    return ids


def columns_of(frame: Any) -> dict[str, Sequence[Any]]:
    """Columns by name, as plain Python values where the frame can give them.

    Raises:
        ValueError: Where it isn't a frame.
    """
    if isinstance(frame, Sequence) and all(isinstance(row, Mapping) for row in frame):
        names = dict.fromkeys(name for row in frame for name in row)
        return {str(name): [row.get(name) for row in frame] for name in names}
    return {str(name): listed_of(column) for name, column in Frame.read(frame).columns.items()}


def listed_of(column: Any) -> Sequence[Any]:
    """A column's values as Python objects."""
    for method in ("tolist", "to_list", "to_pylist"):
        if hasattr(type(column), method):
            listed: Sequence[Any] = getattr(column, method)()
            return listed
    return column if isinstance(column, Sequence) else list(column)


def _slices(whole: Whole, frame: Frame, answers: Any, times: Any, keys: Any) -> Iterator[Rows]:
    from mllog.delivery.columns import typed_output  # noqa: PLC0415 - needs numpy
    from mllog.delivery.rows import Plan, Rows  # noqa: PLC0415 - needs numpy
    from mllog.integrations.sources import objects_of, source_of, times_of  # noqa: PLC0415 - needs numpy

    names = [name_of(name) for name in frame.columns]
    plan = Plan(names, [name for name, given in zip(names, frame.columns, strict=True) if name != given])
    inputs = [source_of(column) for column in frame.columns.values()]
    parts = {name_of(n): source_of(c) for n, c in answers.columns.items()} if isinstance(answers, Frame) else {}
    answer = None if answers is None or parts else source_of(answers, typed_output)
    time, key = (None if times is None else times_of(times)), (None if keys is None else objects_of(keys))
    start, step, bound = 0, SLICE_ROWS, max(whole.engine.max_bytes // SLICE_SHARE, 1)
    while start < frame.rows:
        stop = min(start + step, frame.rows)
        rows = Rows(plan, whole.template(), [], [take(start, stop) for take in inputs])
        rows.outputs = answer(start, stop) if answer else {n: take(start, stop) for n, take in parts.items()} or None
        rows.times = None if time is None else time(start, stop)
        rows.keys = None if key is None else key(start, stop)
        rows.size = RECORD_SIZE + (stop - start) * ID_SIZE + sum(held.size for held in rows.held())
        if rows.size > bound and stop - start > 1:
            # Taken again in smaller parts; the rows behind are as large, most likely.
            step = max((stop - start) * bound // rows.size, 1)
            continue
        rows.ids = whole.engine.ids(stop - start)
        start = stop
        yield rows


def _log_each(log: ModelLogger, frame: Frame, answers: Any, times: Any, keys: Any) -> Iterator[str]:
    """Every row by a call of its own; only a slice of the frame is there as Python objects at any time."""
    for start in range(0, frame.rows, SLICE_ROWS):
        n = min(SLICE_ROWS, frame.rows - start)
        columns = [part_of(column, start, n) for column in frame.columns.values()]
        moments, own = part_of(times, start, n), part_of(keys, start, n)
        given = _rows_of(answers, start, n)
        for k, values in enumerate(zip(*columns, strict=True) if columns else repeat((), n)):
            row = dict(zip(frame.columns, values, strict=True))
            yield log.prediction(row, given[k], id=prediction_key(own[k]), time=moments[k])


def _log_mappings(
    log: ModelLogger, frame: Sequence[Mapping[Any, Any]], answers: Any, time: str | None, id_: str | None
) -> list[str]:
    """Rows that are mappings already; a key that one of them lacks is absent."""
    names = {name: None for row in frame for name in row}
    for name, what in ((time, "time"), (id_, "id")):
        if name is not None and name not in names:
            _warn_of_column(name, what, names)
    given = _rows_of(answers, 0, len(frame))
    ids = []
    for row, output in zip(frame, given, strict=True):
        inputs = {name: value for name, value in row.items() if name not in (time, id_)}
        moment, own = (row.get(name) if name is not None else None for name in (time, id_))
        ids.append(log.prediction(inputs, output, id=prediction_key(own), time=moment))
    return ids


def _rows_of(answers: Any, start: int, n: int) -> Sequence[Any]:
    """Outputs of some rows, one each."""
    if isinstance(answers, Frame):
        columns = [part_of(column, start, n) for column in answers.columns.values()]
        return [dict(zip(answers.columns, row, strict=True)) for row in zip(*columns, strict=True)] or [{}] * n
    return part_of(answers, start, n)


def part_of(column: Any, start: int, n: int) -> Sequence[Any]:
    """Some values of a column as Python objects; nothing but ``None`` where there is no column."""
    kind = type(column)
    if column is None:
        return [None] * n
    if hasattr(kind, "iloc"):
        return listed_of(column.iloc[start : start + n])
    if hasattr(kind, "slice"):  # polars and pyarrow
        return listed_of(column.slice(start, n))
    return listed_of(column if isinstance(column, Sequence) else listed_of(column))[start : start + n]


def _answers(outputs: Any, rows: int) -> Any:
    """Outputs as a column, a frame of their parts, or ``None`` where it can't be told which belongs to which row."""
    if outputs is None:
        return None
    kind = type(outputs)
    try:
        if isinstance(outputs, Mapping) or any(hasattr(kind, method) for method in _OF_FRAMES):
            outputs = Frame.read(outputs)
            n = outputs.rows
        else:
            outputs = _sized(outputs)
            n = len(outputs)
    except Exception as problem:  # noqa: BLE001 - the inputs are worth keeping
        _log.warning("mllog: unreadable outputs (%s): the rows are logged without outputs", type(problem).__name__)
        return None
    if n != rows:
        _log.warning("mllog: %d outputs for %d rows: the rows are logged without outputs", n, rows)
        return None
    return outputs


def _sized(column: Any) -> Any:
    return column if hasattr(type(column), "__len__") else list(column)


def _warn_of_column(name: str, what: str, names: Iterable[Any]) -> None:
    _log.warning("mllog: %s %r is not a column; there are %s", what, name, ", ".join(map(name_of, names)))


@cache
def _has_numpy() -> bool:
    return importlib.util.find_spec("numpy") is not None
