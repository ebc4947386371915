"""Rows of one call: taken as they came in, logged once it is known what came out."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping
from typing import TYPE_CHECKING, Any, Final

from mllog.delivery.snapshot import WHOLE, Snapshot
from mllog.integrations.batch import has_numpy, slices
from mllog.integrations.estimates import Scores
from mllog.integrations.tables import Frame, part_of, rows_of
from mllog.values import VECTOR_LIMIT

if TYPE_CHECKING:
    from mllog.delivery.columns import Held
    from mllog.delivery.rows import Rows
    from mllog.integrations.batch import Whole
    from mllog.logger import ModelLogger

WHOLE_ROWS: Final = 32
"""From so many rows on they are logged as columns; fewer are cheaper one by one."""


class Pending:
    """Rows that wait for their outputs.

    Attributes:
        left: How many aren't logged yet, while they are being logged.

    Args:
        log: Where they will go.
        given: The rows; ``None`` where they can't be read: then there is an event for each output, and its inputs are
            marked.
    """

    def __init__(self, log: ModelLogger, given: Frame | Iterable[Mapping[Any, Any]] | None) -> None:
        self._log = log
        self.left = 0
        self._slices: list[Rows] = []
        self._singles: list[Any] = []
        self._unread = given is None
        if given is not None:
            self._take(given)

    @property
    def rows(self) -> int | None:
        """How many there are; ``None`` where nobody knows."""
        return None if self._unread else len(self._singles) + sum(rows.rows for rows in self._slices)

    def finish(self, answers: Any, **known: Any) -> None:
        """Log them.

        Args:
            answers: One output a row, as :func:`mllog.integrations.estimates.outputs_of` gives them, or ``None``.
            **known: Of each event, what :meth:`mllog.ModelLogger.prediction` takes besides.
        """
        if self._unread:
            self._unread = False
            self._take(Frame({}, 1 if answers is None else length_of(answers), [WHOLE]))
        self.left = self.rows or 0
        if self._singles:
            outputs = rows_of(answers, 0, len(self._singles))
            for row, output in zip(self._singles, outputs, strict=True):
                self._log.prediction(row, output, **known)
                self.left -= 1
        if self._slices:
            self._finish_slices(answers, known)

    def _take(self, given: Frame | Iterable[Mapping[Any, Any]]) -> None:
        if not isinstance(given, Frame):
            self._singles = [self._log.snapshot(row) for row in given]
            return
        whole = self._log.whole()
        if whole is not None and given.columns and given.rows >= WHOLE_ROWS and given.has_names and has_numpy():
            self._slices = list(slices(whole, given))
            return
        columns = [part_of(column, 0, given.rows) for column in given.columns.values()]
        if not columns:
            self._singles = [given.mark(Snapshot({}, 0)) for _ in range(given.rows)]
        for values in zip(*columns, strict=True):
            row = dict(zip(given.columns, values, strict=True))
            self._singles.append(given.mark(self._log.snapshot(row)))

    def _finish_slices(self, answers: Any, known: Mapping[str, Any]) -> None:
        whole = self._log.whole()
        assert whole is not None  # slices are made where there is one
        give = None if answers is None else _giver(whole, answers)
        template = whole.template(**known)
        start = 0
        for rows in self._slices:
            stop = start + rows.rows
            rows.template = template
            if give is not None:
                before = sum(held.size for held in rows.held())
                rows.outputs = give(start, stop)
                rows.size += sum(held.size for held in rows.held()) - before
            whole.engine.accept_rows(rows)
            self.left -= rows.rows
            start = stop


def _giver(whole: Whole, answers: Any) -> Callable[[int, int], Held | dict[str, Held]]:
    """Takes the outputs of some rows, copied."""
    import numpy as np  # noqa: PLC0415 - here is an array, or a frame

    from mllog.delivery.columns import Held, Raw, Values, of_list, output_typer  # noqa: PLC0415 - needs numpy
    from mllog.integrations.sources import source_of  # noqa: PLC0415 - needs numpy

    if isinstance(answers, Frame):
        parts = {name: source_of(column) for name, column in answers.columns.items()}
        return lambda start, stop: {name: take(start, stop) for name, take in parts.items()}
    if not isinstance(answers, Scores):
        return of_list(lambda start, stop: list(answers[start:stop]), output_typer(whole.names))
    array, make = answers.array, answers.make

    def take(start: int, stop: int) -> Held:
        copy = array[start:stop].copy()

        def load() -> Raw | Values:
            made = make(copy.tolist())
            # Finite numbers under names that are typed already need no second look.
            is_typed = len(copy.shape) <= 2 and copy.shape[-1] <= VECTOR_LIMIT and bool(np.isfinite(copy).all())
            return Values(made, kinds=frozenset({dict})) if is_typed else Raw(made)

        return Held(copy.nbytes, load)

    return take


def length_of(answers: Any) -> int:
    """How many outputs there are."""
    return answers.rows if isinstance(answers, Frame) else len(answers)
