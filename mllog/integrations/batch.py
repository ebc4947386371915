"""Frames as events: one for each row of a pandas, polars or pyarrow frame, or of a mapping of columns.

A frame is logged in slices, each a snapshot of its columns and one entry of the queue. Where numpy isn't installed, or
a draw decides on each prediction, every row is logged by a call of its own.
"""

from __future__ import annotations

import importlib.util
import logging
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from functools import cache
from itertools import repeat
from typing import TYPE_CHECKING, Any, Final

from mllog.delivery.loops.plain import RECORD_SIZE
from mllog.events import prediction_key
from mllog.integrations.tables import (
    Frame,
    UnreadableError,
    are_mappings,
    part_of,
    reason_of,
    rows_of,
    unreadable,
    warn_of_column,
)
from mllog.notices import once
from mllog.structures import is_frame
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

_log: Final = logging.getLogger("mllog")


@dataclass(frozen=True, slots=True)
class Whole:
    """What takes many rows at once.

    Attributes:
        engine: Takes the slices of a batch.
        template: Makes a record without inputs and output, of what a prediction takes besides.
        names: Of the card's inputs.
    """

    engine: Engine
    template: Callable[..., Record]
    names: tuple[str, ...] = ()


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
        The events' ids; empty ones where an event could not be made, none at all where the rows can't be counted.
    """
    if are_mappings(frame):
        return _log_mappings(log, frame, _answers(outputs, len(frame)), time, id_)
    try:
        read = Frame.read(frame)
    except Exception as problem:  # noqa: BLE001 - a library may raise anything; counted
        return _refused(log, frame, problem)
    answers = _answers(outputs, read.rows)
    features = log.feature_names
    times, keys = read.take(time, "time", features), read.take(id_, "id", features)
    if whole is None or not has_numpy() or not read.has_names:
        return list(_log_each(log, read, answers, times, keys))
    ids: list[str] = []
    try:
        for rows in slices(whole, read, answers, times, keys):
            whole.engine.accept_rows(rows)
            ids += rows.ids
    except Exception as problem:  # noqa: BLE001 - never into model code; counted
        rest = read.rows - len(ids)
        ids += [whole.engine.refuse(problem) for _ in range(rest)]
    return ids


def _refused(log: ModelLogger, frame: Any, problem: Exception) -> list[str]:
    once(f"a batch was not logged: {reason_of(problem)}")
    shape = getattr(frame, "shape", None)
    rows = shape[0] if isinstance(shape, tuple) and shape and type(shape[0]) is int else None
    if isinstance(frame, list | tuple):
        rows = len(frame)
    for _ in range(1 if rows is None else rows):
        log.refuse(problem)
    return [""] * (rows or 0)


def slices(whole: Whole, frame: Frame, answers: Any = None, times: Any = None, keys: Any = None) -> Iterator[Rows]:
    """The frame's rows as entries of the queue, each taken when it is asked for; ``frame.has_names``."""
    # `slices` is for the writer, whose thread mustn't import anything, see SpoolSink.
    from mllog.delivery import slices  # noqa: F401, PLC0415 - needs numpy
    from mllog.delivery.columns import output_typer  # noqa: PLC0415 - needs numpy
    from mllog.delivery.rows import Plan, Rows  # noqa: PLC0415 - needs numpy
    from mllog.integrations.sources import objects_of, source_of, times_of  # noqa: PLC0415 - needs numpy

    names = [name_of(name) for name in frame.columns]
    renamed = [name for name, given in zip(names, frame.columns, strict=True) if name != given]
    plan = Plan(names, renamed + frame.marked, whole.names)
    inputs = [source_of(column) for column in frame.columns.values()]
    parts = {name_of(n): source_of(c) for n, c in answers.columns.items()} if isinstance(answers, Frame) else {}
    answer = None if answers is None or parts else source_of(answers, output_typer(whole.names))
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
        given = rows_of(answers, start, n)
        for k, values in enumerate(zip(*columns, strict=True) if columns else repeat((), n)):
            row = dict(zip(frame.columns, values, strict=True))
            taken = frame.mark(log.snapshot(row)) if frame.marked else row
            yield log.prediction(taken, given[k], id=prediction_key(own[k]), time=moments[k])


def _log_mappings(
    log: ModelLogger, frame: Sequence[Mapping[Any, Any]], answers: Any, time: str | None, id_: str | None
) -> list[str]:
    """Rows that are mappings already; a key that one of them lacks is absent."""
    names = {name: None for row in frame for name in row}
    for name, what in ((time, "time"), (id_, "id")):
        if name is not None and name not in names:
            warn_of_column(name, what, names)
    given = rows_of(answers, 0, len(frame))
    left_out = {time, id_} - set(log.feature_names)
    ids = []
    for row, output in zip(frame, given, strict=True):
        inputs = {name: value for name, value in row.items() if name not in left_out}
        moment, own = (row.get(name) if name is not None else None for name in (time, id_))
        ids.append(log.prediction(inputs, output, id=prediction_key(own), time=moment))
    return ids


def _answers(outputs: Any, rows: int) -> Any:
    """Outputs as a column, a frame of their parts, or ``None`` where it can't be told which belongs to which row."""
    if outputs is None:
        return None
    try:
        if isinstance(outputs, Mapping) or is_frame(type(outputs)):
            outputs = Frame.read(outputs)
            n = outputs.rows
        else:
            problem = unreadable("outputs", outputs)
            if problem is not None:
                raise UnreadableError(problem)  # noqa: TRY301
            n = len(outputs)
    except Exception as problem:  # noqa: BLE001 - the inputs are worth keeping
        _log.warning("mllog: unreadable outputs (%s): the rows are logged without outputs", reason_of(problem))
        return None
    if n != rows:
        _log.warning("mllog: %d outputs for %d rows: the rows are logged without outputs", n, rows)
        return None
    return outputs


@cache
def has_numpy() -> bool:
    """Whether columns can be written as such."""
    return importlib.util.find_spec("numpy") is not None
