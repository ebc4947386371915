"""Frames of pandas, polars and pyarrow, and mappings, as columns by name; nothing is converted or used up."""

from __future__ import annotations

import logging
from collections.abc import Collection, Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any, Final

from mllog.notices import once
from mllog.structures import field_names, is_frame, named_columns
from mllog.values import name_of, type_name

_log: Final = logging.getLogger("mllog")


class UnreadableError(ValueError):
    """What was given can't be read; the message has types and names, so that a log may show it."""


@dataclass(frozen=True, slots=True)
class Frame:
    """Columns by name, all of one length.

    Attributes:
        columns: As the frame's library has them.
        rows: Their length.
        marked: Names that ``ml.replaced`` has on each event: of columns that could not be read, or all but the last
            of which of that name are left out.
    """

    columns: dict[Any, Any]
    rows: int
    marked: list[str] = field(default_factory=list)

    @classmethod
    def read(cls, frame: Any) -> Frame:
        """The columns of a frame; nothing is converted, and no iterator used up.

        Raises:
            UnreadableError: Where it is no frame, no column can be read, or they differ in length.
        """
        kind = type(frame)
        if hasattr(kind, "collect_schema") and hasattr(kind, "collect"):  # a lazy frame of polars
            frame = frame.collect()
            kind = type(frame)
        if not (isinstance(frame, Mapping) or is_frame(kind)):
            raise UnreadableError(
                f"{kind.__name__} is not a frame: give one of pandas, polars or pyarrow, or a mapping of columns"
            )
        columns: dict[Any, Any] = {}
        marked: list[str] = []
        for name, column in named_columns(frame):
            problem = unreadable(f"column {name_of(name)!r}", column)
            if problem is None and name in columns:
                once(f"two columns are called {name_of(name)!r}, and the last is logged: rename one")
                marked.append(name_of(name))
            if problem is None:
                columns[name] = column
            else:
                once(problem)
                marked.append(name_of(name))
        if marked and not columns:
            raise UnreadableError(f"no column could be read: {', '.join(marked)}")
        lengths = set(map(len, columns.values()))
        if len(lengths) > 1:
            raise UnreadableError(f"the columns of a frame have one length, not {sorted(lengths)}")
        return cls(columns, lengths.pop() if lengths else 0 if isinstance(frame, Mapping) else len(frame), marked)

    def take(self, name: str | None, what: str, features: Collection[str] = ()) -> Any:
        """A column that says something of its row; ``None`` where none is meant, or it isn't there.

        It is taken out of the inputs, but for one of ``features``: what the card knows is an input too, and its
        policy says what may be written of it.
        """
        if name is not None and name not in self.columns:
            warn_of_column(name, what, self.columns)
        if name is None:
            return None
        return self.columns.get(name) if name in features else self.columns.pop(name, None)

    @property
    def has_names(self) -> bool:
        """Whether events have the columns under names that differ."""
        return len(set(map(name_of, self.columns))) == len(self.columns)

    def mark(self, taken: Any) -> Any:
        """``taken``, the snapshot of a row, with this frame's marks."""
        if self.marked and taken is not None:
            taken.replaced = [*(taken.replaced or ()), *self.marked]
        return taken


def are_mappings(frame: Any) -> bool:
    """Whether it is a sequence of rows that are mappings."""
    return (
        isinstance(frame, Sequence)
        and not isinstance(frame, str | bytes | bytearray)
        and all(isinstance(row, Mapping) for row in frame)
    )


def listed_of(column: Any) -> Sequence[Any]:
    """A column's values as Python objects."""
    if field_names(column):  # a structured array's own list has lost the names
        return list(column)
    for method in ("tolist", "to_list", "to_pylist"):
        if hasattr(type(column), method):
            listed: Sequence[Any] = getattr(column, method)()
            return listed
    return column if isinstance(column, Sequence) else list(column)


def part_of(column: Any, start: int, n: int) -> Sequence[Any]:
    """Some values of a column as Python objects; nothing but ``None`` where there is no column."""
    kind = type(column)
    if column is None:
        return [None] * n
    if hasattr(kind, "iloc"):
        return listed_of(column.iloc[start : start + n])
    if hasattr(kind, "shape") and not hasattr(kind, "slice"):
        return listed_of(column[start : start + n])
    if hasattr(kind, "slice"):  # polars and pyarrow
        return listed_of(column.slice(start, n))
    return listed_of(column if isinstance(column, Sequence) else listed_of(column))[start : start + n]


def rows_of(answers: Any, start: int, n: int) -> Sequence[Any]:
    """Outputs of some rows, one each."""
    if isinstance(answers, Frame):
        columns = [part_of(column, start, n) for column in answers.columns.values()]
        return [dict(zip(answers.columns, row, strict=True)) for row in zip(*columns, strict=True)] or [{}] * n
    return part_of(answers, start, n)


def reason_of(problem: Exception) -> str:
    """What a log may say of an exception: the message of another library's may hold somebody's values."""
    return str(problem) if isinstance(problem, UnreadableError) else type_name(problem)


def unreadable(what: str, column: Any) -> str | None:
    """Why a column can't be read, and the remedy."""
    kind = type(column)
    if hasattr(kind, "__len__") and not issubclass(kind, str | bytes | bytearray | Mapping):
        return None
    # Of texts no more than the type: they may be somebody's.
    given = f"{what} is {f'{column} ' if kind in (int, float, bool) else ''}of type {kind.__name__}"
    if hasattr(kind, "__next__"):
        return f"{given}, which could be read only once: give list(…) of it"
    return f"{given}, not a column: give a list or an array with a value for each row"


def warn_of_column(name: str, what: str, names: Iterable[Any]) -> None:
    """Say that there is no column of that name."""
    _log.warning("mllog: %s %r is not a column; there are %s", what, name, ", ".join(map(name_of, names)))
