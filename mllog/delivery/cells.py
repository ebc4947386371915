"""What one value of one column adds to an event, found by the very code that routes and measures single events."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any, Final

import orjson

from mllog.delivery.routing import MISSING
from mllog.delivery.tokens import TokenCounter
from mllog.events import Record
from mllog.ruler import Feature, Measured
from mllog.values import SCALARS

if TYPE_CHECKING:
    from mllog.delivery.routing import Router
    from mllog.ruler import Ruler

CACHED: Final = 10_000
"""Values of a column whose cells are kept for the rest of the batch."""


@dataclass(slots=True)
class Cell:
    """What one value adds to an event.

    Attributes:
        target: The map of ``ml.inputs`` that it goes to; ``None``: it is left out.
        text: ``"name":value``.
        missing: Its kind in ``ml.missing``.
        violation: Its kind in ``ml.violations``.
        bin: ``"name:bin"``, with the quotes; of a text those of its shape, with commas between them.
        tokens: ``"name":{"tokens":…,"unseen":…}``.
        unseen: Tokens that aren't in the vocabulary.
        truncated: Whether it is marked in ``ml.truncated``.
        replaced: Whether it is marked in ``ml.replaced``.
        odd: Whether UTF-8 can't hold it: only the encoder knows what to write.
    """

    target: str | None = None
    text: bytes = b""
    missing: str | None = None
    violation: str | None = None
    bin: bytes | None = None
    tokens: bytes | None = None
    unseen: list[str] = field(default_factory=list)
    truncated: bool = False
    replaced: bool = False
    odd: bool = False


class Known:
    """The different values of a column that has few of them, by number.

    Attributes:
        places: A number for each value: texts, ``None``, and objects that aren't equal to themselves.
        cells: Their cells, by number.
        made: What was made of the cells so far, by whoever made it.
    """

    def __init__(self) -> None:
        self.places: dict[Any, int] = {}
        self.cells: list[Cell] = []
        self.made: dict[Any, Any] = {}

    def add(self, value: Any, cell: Cell) -> None:
        """Give a value the next number."""
        self.places[value] = len(self.cells)
        self.cells.append(cell)
        self.made.clear()


class Gauge:
    """Measures the values of one column.

    Args:
        name: The column's, as events have it.
        router: The encoder's.
        ruler: The card's, where there is a card.
    """

    def __init__(self, name: str, router: Router, ruler: Ruler | None) -> None:
        self.name = name
        self.key = dumps(name) + b":"
        self.feature: Feature | None = ruler.by_name.get(name) if ruler is not None else None
        if self.feature is not None and not self.feature.is_input:
            self.feature = None
        self.kind = router.kind_of(name)
        self.words = (
            TokenCounter(self.feature.vocabulary, self.feature.tokenizer) if self.feature is not None else None
        )
        self.shape = ruler.shapes.get(name) if ruler is not None else None
        self._router = router
        self._ruler = ruler
        self._cells: dict[tuple[type, Any], Cell] = {}
        self._tokens: dict[tuple[int, int], bytes] = {}
        self.known = Known()

    def cell(self, value: Any) -> Cell:
        """What a typed value adds."""
        kind = type(value)
        if kind not in SCALARS:
            return self._cell(value)
        # 0.0 and -0.0 are equal and written differently; NaN isn't even equal to itself.
        key = (kind, repr(value) if kind is float else value)
        known = self._cells.get(key)
        if known is None:
            known = self._cell(value)
            if len(self._cells) < CACHED:
                self._cells[key] = known
        return known

    def _cell(self, value: Any) -> Cell:
        record = Record("prediction", "predict", 0, "", 0)
        target, written = self._router.place(self.name, value, self.kind, record)
        cell = Cell(truncated=bool(record.truncated), replaced=bool(record.replaced))
        if target in MISSING:
            cell.missing = target if self._ruler is None else None
        else:
            cell.target = target or None
        if self.feature is not None and self._ruler is not None:
            plain = isinstance(value, float | int) and target not in {"keyword", "other"}
            self._measure(cell, self.feature, written if plain else value, self._ruler)
        if cell.target is not None:
            if cell.missing == "sentinel":
                # It stands for missing: where it stayed it would be counted as a value.
                cell.target = "other"
            try:
                cell.text = self.key + orjson.dumps(written)
            except TypeError:
                cell.odd = True
        return cell

    def _measure(self, cell: Cell, feature: Feature, value: Any, ruler: Ruler) -> None:
        measured = Measured()
        ruler.measure_value(feature, value, measured)
        cell.missing = next(iter(measured.missing), None)
        cell.violation = next(iter(measured.violations), None)
        cell.unseen = measured.unseen_tokens
        if measured.bins:
            cell.bin = b",".join(map(dumps, measured.bins))
        for tokens, unseen in measured.texts.values():
            cell.tokens = self.tokens(tokens, unseen)

    def tokens(self, tokens: int, unseen: int) -> bytes:
        """How many tokens a text has, and how many of them training hadn't."""
        known = self._tokens.get((tokens, unseen))
        if known is None:
            known = b'%b{"tokens":%d,"unseen":%d}' % (self.key, tokens, unseen)
            if len(self._tokens) < CACHED:
                self._tokens[tokens, unseen] = known
        return known


def dumps(text: str) -> bytes:
    """A name as JSON; lone surrogates become ``?``, as they do on the wire."""
    return orjson.dumps(text.encode("utf-8", "replace").decode())
