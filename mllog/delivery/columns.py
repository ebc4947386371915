"""Columns of a batch: a snapshot of a slice of each, taken by the caller, and what the writer makes of it.

The caller pays for a copy of the memory; turning it into values is the writer's work. Only what a copy of the memory
doesn't keep as it is, Python objects, is typed at once.
"""

from __future__ import annotations

import contextlib
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from functools import partial
from typing import Any, Final, TypeAlias

import numpy as np
import numpy.typing as npt

from mllog import values
from mllog.delivery.loops.plain import VALUE_SIZE, is_numpy
from mllog.events import Record

_NONE: Final = type(None)
_TEXTS: Final = frozenset({str, _NONE})
_FLAGS: Final = {False: 0, True: 1, None: 2}


@dataclass(slots=True)
class Numbers:
    """Integers or floats, all of one kind.

    Attributes:
        array: Shape ``(n,)``, ``int64`` or ``float64``, contiguous.
        null: Where there is none, shape ``(n,)``; ``None``: nowhere.
    """

    array: npt.NDArray[Any]
    null: npt.NDArray[np.bool_] | None = None

    def value(self, row: int) -> Any:
        """One value, typed."""
        return None if self.null is not None and self.null[row] else self.array[row].item()


@dataclass(slots=True)
class Codes:
    """Few different values.

    Attributes:
        codes: Position in ``values``, shape ``(n,)``.
        values: Typed.
    """

    codes: npt.NDArray[np.intp]
    values: list[Any]

    def value(self, row: int) -> Any:
        """One value, typed."""
        return self.values[self.codes[row]]


@dataclass(slots=True)
class Values:
    """Any typed values.

    Attributes:
        values: One a row.
        cut: Rows whose value was cut on the way here.
        replaced: Rows whose value could not be kept as it was.
        kinds: Their types.
    """

    values: list[Any]
    cut: set[int] = field(default_factory=set)
    replaced: set[int] = field(default_factory=set)
    kinds: frozenset[type] = frozenset()

    def value(self, row: int) -> Any:
        """One value, typed."""
        return self.values[row]


Column: TypeAlias = Numbers | Codes | Values


@dataclass(slots=True)
class Raw:
    """Python objects that nobody can change, as their library has them.

    Attributes:
        values: One a row.
    """

    values: list[Any]


@dataclass(slots=True)
class Held:
    """The snapshot of a column's slice.

    Attributes:
        size: Bytes it is taken to need.
        load: Makes the column of it.
    """

    size: int
    load: Callable[[], Column | Raw]


Source: TypeAlias = Callable[[int, int], Held]
"""Takes the snapshot of the rows from the first number up to the second."""

Convert: TypeAlias = Callable[[Any], tuple[Any, bool, bool]]
"""A value as a typed one, whether it was cut, and whether it could not be kept as it was."""


def typed_input(value: Any) -> tuple[Any, bool, bool]:
    """One input, typed as :func:`mllog.delivery.snapshot.snapshot` types it."""
    with contextlib.suppress(Exception):  # a class may refuse to be named
        if is_numpy(type(value)):
            return value.item(), False, False
    walk = values.Walk()
    return walk.typed(value), walk.truncated, walk.replaced


def typed_output(value: Any, names: tuple[str, ...] = ()) -> tuple[Any, bool, bool]:
    """One output, typed as :meth:`mllog.events.Record.give` types it."""
    record = Record("prediction", "predict", 0, "", 0)
    record.give(value, names)
    return record.output, bool(record.truncated), bool(record.replaced)


def output_typer(names: tuple[str, ...]) -> Convert:
    """:func:`typed_output` of a model with these features."""
    return partial(typed_output, names=names)


def of_array(array: npt.NDArray[Any], convert: Convert = typed_input) -> Source:
    """The source of a numpy array, whatever it holds."""
    if array.dtype.names:  # whose own list has lost the names
        return of_list(lambda start, stop: list(array[start:stop]), convert)
    plain = array.ndim == 1 and array.dtype.kind in "biuf" and array.dtype.itemsize <= np.dtype(np.int64).itemsize
    if not plain or isinstance(array, np.ma.MaskedArray):  # whose list has None where it is masked
        return of_list(lambda start, stop: array[start:stop].tolist(), convert)

    def take(start: int, stop: int) -> Held:
        copy = array[start:stop].copy()
        return Held(copy.nbytes, partial(numbers, copy))

    return take


def of_list(take: Callable[[int, int], list[Any]], convert: Convert = typed_input) -> Source:
    """The source of Python objects; ``take`` gives a list of our own."""

    def snapshot(start: int, stop: int) -> Held:
        typed = typed_values(take(start, stop), convert)
        size = VALUE_SIZE * len(typed.values) + sum(len(value) for value in typed.values if isinstance(value, str))
        return Held(size, partial(narrowed, typed))

    return snapshot


def of_codes(codes: npt.NDArray[Any], given: Sequence[Any]) -> Source:
    """The source of a categorical column.

    Args:
        codes: Position in ``given``, shape ``(n,)``; -1 is the last of them.
        given: The values.
    """
    typed = typed_values(list(given))
    if typed.cut or typed.replaced:
        # Such values are marked on each event that has one.
        return of_list(lambda start, stop: [given[code] for code in codes[start:stop].tolist()])
    n = len(typed.values)

    def take(start: int, stop: int) -> Held:
        copy = codes[start:stop].astype(np.intp)
        return Held(copy.nbytes, lambda: Codes(np.where(copy < 0, n - 1, copy), typed.values))

    return take


def numbers(array: npt.NDArray[Any], null: npt.NDArray[np.bool_] | None = None) -> Column:
    """The column of an array of booleans, integers or floats of any width up to 64 bits."""
    kind = array.dtype.kind
    if null is not None and not null.any():
        null = None
    if kind == "b":
        codes = array.astype(np.intp)
        if null is not None:
            codes[null] = 2
        return Codes(codes, list(_FLAGS))
    if kind == "f":
        return Numbers(np.ascontiguousarray(array, dtype=np.float64), null)
    if array.dtype == np.uint64 and array.size and array.max() > np.uint64(values.INT64[-1]):
        listed = array.tolist()
        if null is not None:
            listed = [None if gone else value for value, gone in zip(listed, null, strict=True)]
        return Values(listed, kinds=frozenset(map(type, listed)))
    return Numbers(np.ascontiguousarray(array, dtype=np.int64), null)


def typed(column: Column | Raw, convert: Convert = typed_input) -> Column:
    """The column of typed values."""
    return narrowed(typed_values(column.values, convert)) if isinstance(column, Raw) else column


def typed_values(given: list[Any], convert: Convert = typed_input) -> Values:
    """Python objects as typed values.

    Args:
        given: The objects; the list becomes the result's.
        convert: Types those that are no scalars, or long.
    """
    try:
        kinds = frozenset(map(type, given))
    except Exception:  # noqa: BLE001 - a class may refuse to be hashed; its values are marked below
        kinds = frozenset({object})
    result = Values(given, kinds=kinds)
    limit, scalars = values.TEXT_LIMIT, values.SCALARS
    if kinds <= scalars:
        texts = filter(None, given) if kinds <= _TEXTS else (value for value in given if type(value) is str)
        if str not in kinds or max(map(len, texts), default=0) <= limit:
            return result
    for row, value in enumerate(given):
        with contextlib.suppress(Exception):  # as above
            if type(value) in scalars and (type(value) is not str or len(value) <= limit):
                continue
        given[row], cut, replaced = convert(value)
        if cut:
            result.cut.add(row)
        if replaced:
            result.replaced.add(row)
    result.kinds = frozenset(map(type, given))
    return result


def narrowed(column: Values) -> Column:
    """Numbers or codes of values that are all of one kind; else the values as they are."""
    given, kinds = column.values, column.kinds - {_NONE}
    if column.cut or column.replaced or len(kinds) != 1:
        return column
    (kind,) = kinds
    if kind is bool:
        return Codes(np.fromiter(map(_FLAGS.__getitem__, given), np.intp, len(given)), list(_FLAGS))
    if kind not in (int, float):
        return column
    null = None
    if _NONE in column.kinds:
        null = np.array([value is None for value in given], np.bool_)
        given = [kind() if value is None else value for value in given]
    try:
        return numbers(np.array(given, dtype=np.int64 if kind is int else np.float64), null)
    except OverflowError:  # integers beyond 64 bits
        return column
