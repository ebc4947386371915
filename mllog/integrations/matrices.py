"""What goes into an estimator, as rows by feature name; an iterator is left to the estimator, which needs it whole."""

from __future__ import annotations

import contextlib
import inspect
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from itertools import islice
from typing import Any, Final

from mllog.integrations.tables import Frame, UnreadableError, are_mappings
from mllog.structures import is_frame

DENSE_VALUES: Final = 10**7
"""A sparse matrix of more values becomes dense row by row."""


def matrix_of(method: Callable[..., Any], args: tuple[Any, ...], kwargs: Mapping[str, Any]) -> tuple[bool, Any]:
    """Whether a call has a matrix, and the matrix: the first argument by the method's own order.

    Args:
        method: What is called.
        args: By position.
        kwargs: By name, in any order: ``predict(return_std=True, X=X)``.
    """
    if args:
        return True, args[0]
    names = ["X"]
    with contextlib.suppress(TypeError, ValueError):  # a method of which Python can't tell
        names = [*islice(inspect.signature(method).parameters, 1), "X"]
    for name in names:
        if name in kwargs:
            return True, kwargs[name]
    # A method of **kwargs alone, as those are that pass everything on.
    return len(kwargs) == 1, next(iter(kwargs.values()), None)


def arguments_of(method: Callable[..., Any], args: tuple[Any, ...], kwargs: Mapping[str, Any]) -> dict[str, Any]:
    """A call's arguments by name; those that were given by name, where a method doesn't say what it takes."""
    try:
        return dict(inspect.signature(method).bind(*args, **kwargs).arguments)
    except (TypeError, ValueError):
        return dict(kwargs)


def rows_in(matrix: Any, estimator: Any, names: Sequence[str]) -> Frame | Iterable[Mapping[Any, Any]]:
    """Rows of a frame, a list of mappings, an array, a sparse matrix, or a list of texts; nothing is used up.

    Args:
        matrix: What the estimator is asked about.
        estimator: Knows the names that it was fitted with, where it was fitted with a frame.
        names: Those that the card knows.

    Raises:
        UnreadableError: Where ``matrix`` has no rows that can be read twice.
    """
    kind = type(matrix)
    if are_mappings(matrix) and len(matrix):
        rows: Sequence[Mapping[Any, Any]] = matrix
        return rows
    if isinstance(matrix, Mapping) and matrix and not any(map(_is_column, matrix.values())):
        return [matrix]
    if isinstance(matrix, Mapping) or is_frame(kind):
        frame = Frame.read(matrix)
        named = {str(name): column for name, column in frame.columns.items()}
        return Frame(named, frame.rows, frame.marked) if len(named) == len(frame.columns) else frame
    if hasattr(kind, "tocsr"):
        return _sparse(matrix, lambda width: _names(estimator, names, width))
    if is_array(matrix) and matrix.ndim > 1:
        chosen = _names(estimator, names, matrix.shape[1])
        return Frame({name: matrix[:, k] for k, name in enumerate(chosen)}, len(matrix))
    plain = plain_list(matrix)
    if not plain or not all(map(is_row, plain)):
        (name,) = _names(estimator, names, 1)
        return Frame({name: plain}, len(plain))
    columns = list(zip(*map(plain_list, plain), strict=True))
    return Frame(dict(zip(_names(estimator, names, len(columns)), columns, strict=True)), len(plain))


def _is_column(value: Any) -> bool:
    return hasattr(type(value), "__len__") and not isinstance(value, str | bytes)


def is_row(value: Any) -> bool:
    """Whether it is a sequence of values, and no single one."""
    return isinstance(value, list | tuple) or (hasattr(type(value), "tolist") and getattr(value, "ndim", 1) > 0)


def _sparse(matrix: Any, names: Callable[[int], list[str]]) -> Frame | Iterator[Mapping[Any, Any]]:
    rows, width = matrix.shape
    chosen = names(width)
    if rows * width <= DENSE_VALUES:
        dense = matrix.toarray()
        return Frame({name: dense[:, k] for k, name in enumerate(chosen)}, rows)
    csr = matrix.tocsr()
    return (dict(zip(chosen, csr[k : k + 1].toarray().ravel().tolist(), strict=True)) for k in range(rows))


def _names(estimator: Any, names: Sequence[str], width: int) -> list[str]:
    fitted = getattr(estimator, "feature_names_in_", None)
    if fitted is not None and len(fitted) == width:
        return [str(name) for name in fitted]
    return list(names) if len(names) == width else [f"x{k}" for k in range(width)]


def is_array(value: Any) -> bool:
    """Whether it is numpy's own kind of array: not a matrix or a masked one, whose rows are something else."""
    kind = type(value)
    return kind.__module__ == "numpy" and kind.__name__ in {"ndarray", "memmap"}


def plain_list(values: Any) -> list[Any]:
    """An array, a series or any sequence as a list of Python's own values.

    Raises:
        UnreadableError: Where it may be read only once, or has no values.
    """
    if hasattr(type(values), "toarray"):
        values = values.toarray()
    for method in ("tolist", "to_list", "to_pylist"):
        if hasattr(type(values), method):
            plain: list[Any] = getattr(values, method)()
            return plain
    kind = type(values)
    if not hasattr(kind, "__len__") or hasattr(kind, "__next__") or issubclass(kind, str | bytes | bytearray):
        raise UnreadableError(f"{kind.__name__} can't be read as rows: give a list or an array")
    return list(values)
