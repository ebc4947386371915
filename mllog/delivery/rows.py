"""Many predictions as one entry of the queue: a slice of a batch, held as columns and written as lines."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass, field
from functools import cached_property
from typing import TYPE_CHECKING, Any, Final, TypeAlias

from mllog.delivery.answers import value_of
from mllog.delivery.columns import Column, Convert, Held, Numbers, Raw, Values, output_typer, typed
from mllog.delivery.writer import YIELD_EVENTS
from mllog.events import prediction_key
from mllog.stamps import moment
from mllog.values import INT64, NAME_LIMIT, float_of, name_of, strict

if TYPE_CHECKING:
    from mllog.delivery.cells import Gauge
    from mllog.delivery.encoder import Encoder
    from mllog.events import Record

_STAND_IN: Final = "x" * (NAME_LIMIT + 1)

Chunk: TypeAlias = tuple[bytes, int]
"""Whole lines and how many; ``(b"", 0)`` is a chance for other threads."""


@dataclass(slots=True)
class Plan:
    """What the slices of one batch have in common.

    Attributes:
        names: The inputs' names as events have them, in the frame's order; all different.
        marked: Names that ``ml.replaced`` has on every event: of columns that the caller calls otherwise, has twice, or
            gave in a form that can't be read.
        features: Names of the card's inputs, for explanations that are vectors.
        gauges: Measures of the columns, once the writer has made them.
    """

    names: list[str]
    marked: list[str] = field(default_factory=list)
    features: tuple[str, ...] = ()
    gauges: list[Gauge] | None = None

    @property
    def convert(self) -> Convert:
        """Types an output."""
        return output_typer(self.features)

    @property
    def is_writable(self) -> bool:
        """Whether UTF-8 can hold every name as it is; others are marked on each event that has them."""
        return all(strict(name) == name for name in self.names)


@dataclass
class Rows:
    """Some rows of a batch.

    Attributes:
        plan: What they have in common with the others.
        template: A record without inputs and output, as the logger makes it for a prediction of this call.
        ids: The events' ids.
        inputs: A slice of each column.
        outputs: A slice of the outputs, or of each part of them by name.
        times: A slice of the column of times; integers are nanoseconds since 1970.
        keys: A slice of the column of the caller's ids.
        size: Bytes that all of it is taken to need.
        number: ``ml.sequence.number`` of the first row; 0 until there is one.
    """

    plan: Plan
    template: Record
    ids: list[str]
    inputs: list[Held]
    outputs: Held | Mapping[str, Held] | None = None
    times: Held | None = None
    keys: Held | None = None
    size: int = 0
    number: int = 0

    @property
    def rows(self) -> int:
        """How many events these are."""
        return len(self.ids)

    def held(self) -> Iterator[Held]:
        """Every slice of a column."""
        yield from self.inputs
        if isinstance(self.outputs, Held):
            yield self.outputs
        else:
            yield from (self.outputs or {}).values()
        yield from (held for held in (self.times, self.keys) if held is not None)

    def lines(self, encoder: Encoder, reject: Callable[[Exception], None]) -> Iterator[Chunk]:
        """Their lines, all of them in the last chunk.

        Columns are treated as a whole, unless a policy keeps something back, which is decided on each event.

        Args:
            encoder: Of single events.
            reject: Called for each row that can't be written, before the last chunk.
        """
        from mllog.delivery.slices import woven  # noqa: PLC0415 - needs this module; who makes rows has imported it

        loaded = Loaded(self)
        if encoder.rules.guard is not None or not self.plan.is_writable:
            yield from self.one_by_one(loaded, encoder, reject)
            return
        try:
            yield from woven(loaded, encoder, reject)
        except Exception:  # noqa: BLE001 - whatever it is, most rows can be written without columns
            yield from self.one_by_one(loaded, encoder, reject)

    def one_by_one(self, loaded: Loaded, encoder: Encoder, reject: Callable[[Exception], None]) -> Iterator[Chunk]:
        """The lines of :meth:`lines`, each from the encoder of single events."""
        lines: list[bytes] = []
        problems: list[Exception] = []
        for row in range(self.rows):
            if row % YIELD_EVENTS == 0:
                yield b"", 0
            try:
                lines.append(encoder.line(loaded.record(row)))
            except Exception as problem:  # noqa: BLE001 - counted; a row must not stop those behind it
                problems.append(problem)
        for one in problems:
            reject(one)
        yield b"".join(lines), len(lines)


class Loaded:
    """A slice as values.

    Args:
        rows: The slice.
    """

    def __init__(self, rows: Rows) -> None:
        self.rows = rows
        self._columns: dict[int, Column | Raw] = {}

    def raw(self, number: int) -> Column | Raw:
        """One column of the inputs, perhaps not typed yet."""
        known = self._columns.get(number)
        if known is None:
            known = self._columns[number] = self._load(self.rows.inputs[number])
        return known

    def column(self, number: int) -> Column:
        """One column of the inputs."""
        column = self.raw(number)
        if isinstance(column, Raw):
            column = self._columns[number] = typed(column)
        return column

    @cached_property
    def outputs(self) -> Column | dict[str, Column] | None:
        """The outputs, or their parts by name."""
        given = self.rows.outputs
        if given is None:
            return None
        if isinstance(given, Held):
            return within_64_bits(typed(self._load(given), self.rows.plan.convert))
        return {name: typed(self._load(one)) for name, one in given.items()}

    @cached_property
    def marked_outputs(self) -> tuple[set[int], set[int]]:
        """Rows whose output was cut, and rows whose output could not be kept as it was."""
        columns = self.outputs.values() if isinstance(self.outputs, dict) else [self.outputs]
        marked = [column for column in columns if isinstance(column, Values)]
        return set().union(*(one.cut for one in marked)), set().union(*(one.replaced for one in marked))

    @cached_property
    def moments(self) -> tuple[list[int], set[int]] | None:
        """When each row happened, and the rows of whose times that can't be read."""
        if self.rows.times is None:
            return None
        column, now = self._load(self.rows.times), self.rows.template.time
        if isinstance(column, Numbers) and column.null is None and column.array.dtype.kind == "i":
            return column.array.tolist(), set()
        moments, unreadable = [], set()
        for row, value in enumerate(_listed(column, self.rows.rows)):
            try:
                moments.append(now if value is None else moment(value))
            except Exception:  # noqa: BLE001 - whatever stands there; marked on the event
                moments.append(now)
                unreadable.add(row)
        return moments, unreadable

    @cached_property
    def keys(self) -> list[str | None]:
        """The caller's ids."""
        if self.rows.keys is None:
            return [None] * self.rows.rows
        given = map(prediction_key, _listed(self._load(self.rows.keys), self.rows.rows))
        return [key if key is None or type(key) is str else name_of(key) for key in given]

    def record(self, row: int) -> Record:
        """One row as the record that a single call makes of it."""
        rows = self.rows
        record = rows.template.copy(id=rows.ids[row], number=rows.number + row, prediction_id=self.keys[row])
        inputs: dict[str, Any] = {}
        truncated: list[str] = []
        replaced: list[str] = []
        if self.moments is not None:
            moments, unreadable = self.moments
            record.time = moments[row]
            if row in unreadable:
                replaced.append("@timestamp")
        replaced += rows.plan.marked
        for number, name in enumerate(rows.plan.names):
            column = self.column(number)
            inputs[name] = column.value(row)
            if isinstance(column, Values):
                if row in column.cut:
                    truncated.append(name)
                if row in column.replaced:
                    replaced.append(name)
        cut, kept_otherwise = self.marked_outputs
        record.inputs = inputs
        record.truncated = truncated + ["@output"] * (row in cut) or None
        record.replaced = replaced + ["@output"] * (row in kept_otherwise) or None
        output = value_of(self.outputs, row)
        if not isinstance(self.outputs, dict):
            record.output = output
            return record
        # Parts are typed once more together; those that were cut before must not be cut again.
        done = {n: output[n] for n, c in self.outputs.items() if isinstance(c, Values) and row in c.cut}
        record.give({**output, **dict.fromkeys(done, _STAND_IN)}, self.rows.plan.features)
        record.output = {**record.output, **done}
        return record

    def _load(self, held: Held) -> Column | Raw:
        try:
            return held.load()
        except Exception as problem:  # noqa: BLE001 - a library that can't read its own column
            n = self.rows.rows
            return Values([f"<{type(problem).__name__}>"] * n, replaced=set(range(n)), kinds=frozenset({str}))


def _listed(column: Column | Raw, rows: int) -> list[Any]:
    return column.values if isinstance(column, Raw) else [column.value(row) for row in range(rows)]


def within_64_bits(column: Column) -> Column:
    """Outputs whose integers JSON's readers take: wider ones as the nearest floats, as for single events."""
    if isinstance(column, Values) and int in column.kinds:
        for row, value in enumerate(column.values):
            if type(value) is int and value not in INT64:
                column.values[row] = float_of(value)
                column.replaced.add(row)
    return column
