"""What a column adds to the events of a slice: fragments of JSON, made for all rows at once.

Only what is plain is treated by the column: finite numbers, and texts. Everything else, and every value of a
column with few different ones, comes from :class:`mllog.delivery.cells.Gauge`.
"""

from __future__ import annotations

from bisect import bisect_right
from collections.abc import Sequence
from dataclasses import dataclass, field
from math import isnan
from typing import Any, Final

import numpy as np
import numpy.typing as npt
import orjson

from mllog.delivery.cells import Cell, Gauge, dumps
from mllog.delivery.columns import Codes, Column, Numbers, Values
from mllog.delivery.loops import shape_of
from mllog.delivery.routing import ANY
from mllog.delivery.strands import Mask, Rows, Strand, Texts, members_of, texts_of
from mllog.delivery.tokens import TokenCounter
from mllog.fields import KEYWORD_LENGTH
from mllog.ruler import UNSEEN_TOKENS_PER_EVENT, Feature, category_key
from mllog.shapes import LENGTH_EDGES, WITHHELD, Shape
from mllog.values import INT64

FEW: Final = 4
"""A column has few different values where each is there so many times on average."""

MANY: Final = 1_000
"""Different values of a column beyond these aren't remembered from slice to slice."""

_LEARNED: Final = frozenset({str, float, type(None)})
_DELETE: Final = "\x7f"
"""JSON strings needn't escape it, and orjson doesn't; texts that contain it are taken one by one."""

_PROBE: Final = "mllog"


@dataclass(slots=True)
class Share:
    """What one column adds to the events of a slice.

    Attributes:
        maps: Members of the maps of ``ml.inputs``, by the map's name.
        bins: Members of ``ml.bins``.
        tokens: Members of ``ml.text``.
        unseen: Tokens that training hadn't, by row.
        missing: Rows by kind.
        violations: Rows by kind.
        truncated: Rows whose value was cut on the way into the event.
        replaced: Rows whose value was changed on the way into the event.
        odd: Rows that only the encoder of single events can write.
    """

    maps: dict[str, Strand] = field(default_factory=dict)
    bins: Strand | None = None
    tokens: Strand | None = None
    unseen: dict[int, list[str]] = field(default_factory=dict)
    missing: dict[str, Rows] = field(default_factory=dict)
    violations: dict[str, Rows] = field(default_factory=dict)
    truncated: list[int] = field(default_factory=list)
    replaced: list[int] = field(default_factory=list)
    odd: list[int] = field(default_factory=list)

    def mark(self, cell: Cell, rows: list[int]) -> None:
        """Note what the cell of these rows is marked with."""
        if cell.truncated:
            self.truncated += rows
        if cell.replaced:
            self.replaced += rows
        if cell.odd:
            self.odd += rows


def share_of(column: Column, gauge: Gauge) -> Share:
    """What ``column`` adds, measured by ``gauge``."""
    if isinstance(column, Codes):
        values, codes = column.values, column.codes
        if len(values) > len(codes):
            used, codes = np.unique(codes, return_inverse=True)
            values = [values[k] for k in used.tolist()]
        return _of_cells([gauge.cell(value) for value in values], codes)
    if isinstance(column, Numbers):
        if gauge.kind in {"category", "boolean"}:
            return _of_cells(*_different(column, gauge))
        return _of_numbers(column, gauge)
    marked = sorted(column.cut | column.replaced)
    if marked:
        kept = column.values.copy()
        for row in marked:
            kept[row] = None
        column = Values(kept, kinds=column.kinds | {type(None)})
    share = _of_values(column, gauge)
    share.odd += marked
    return share


def share_of_known(given: list[Any], gauge: Gauge) -> Share | None:
    """What a column adds whose values were all there before; ``None`` where one of them is new."""
    known = gauge.known
    try:
        codes = np.fromiter(map(known.places.__getitem__, given), np.intp, len(given))
    except (KeyError, TypeError):  # TypeError: what can't be hashed
        return None
    return _of_cells(known.cells, codes, known.made)


def _of_cells(cells: Sequence[Cell], codes: Rows, made: dict[Any, Any] | None = None) -> Share:
    """A share of values by their number in ``cells``; ``made`` keeps what is made of these cells."""
    made = {} if made is None else made
    table = made.get("table")
    if table is None:
        table = made["table"] = _Table.of(cells)
    share = Share()
    for target, texts in table.maps.items():
        share.maps[target] = texts.strand(codes)
    share.bins = None if table.bins is None else table.bins.strand(codes)
    share.tokens = None if table.tokens is None else table.tokens.strand(codes)
    share.missing = {kind: np.flatnonzero(chosen[codes]) for kind, chosen in table.missing.items()}
    share.violations = {kind: np.flatnonzero(chosen[codes]) for kind, chosen in table.violations.items()}
    if table.marked is not None:
        for row in np.flatnonzero(table.marked[codes]).tolist():
            cell = cells[codes[row]]
            share.mark(cell, [row])
            if cell.unseen:
                share.unseen[row] = cell.unseen
    return share


@dataclass(slots=True)
class _Table:
    """Cells by what is asked of them, each list by number."""

    maps: dict[str, Texts]
    bins: Texts | None
    tokens: Texts | None
    missing: dict[str, Mask]
    violations: dict[str, Mask]
    marked: Mask | None

    @classmethod
    def of(cls, cells: Sequence[Cell]) -> _Table:
        targets = dict.fromkeys(cell.target for cell in cells if cell.target is not None)
        marked = np.array([c.truncated or c.replaced or c.odd or bool(c.unseen) for c in cells], np.bool_)
        return cls(
            {t: Texts([cell.text if cell.target == t else b"" for cell in cells]) for t in targets},
            texts_of([cell.bin or b"" for cell in cells]),
            texts_of([cell.tokens or b"" for cell in cells]),
            _by_kind([cell.missing for cell in cells]),
            _by_kind([cell.violation for cell in cells]),
            marked if marked.any() else None,
        )


def _by_kind(kinds: list[str | None]) -> dict[str, Mask]:
    return {kind: np.array([one == kind for one in kinds], np.bool_) for kind in dict.fromkeys(kinds) if kind}


def _different(column: Numbers, gauge: Gauge) -> tuple[list[Cell], Rows]:
    found, codes = np.unique(column.array, return_inverse=True)
    cells = [gauge.cell(value) for value in found.tolist()]
    if column.null is not None:
        codes = np.where(column.null, len(cells), codes)
        cells.append(gauge.cell(None))
    return cells, codes


def _of_numbers(column: Numbers, gauge: Gauge) -> Share:
    array, feature = column.array, gauge.feature
    plain = np.isfinite(array) if array.dtype.kind == "f" else np.ones(len(array), np.bool_)
    others = _Others()
    if column.null is not None:
        plain &= ~column.null
        others.add(gauge.cell(None), *np.flatnonzero(column.null).tolist())
    if not plain.all():
        for row in np.flatnonzero(~plain if column.null is None else ~(plain | column.null)).tolist():
            others.add(gauge.cell(array.item(row)), row)
    for sentinel in _sentinels(feature, array.dtype.kind):
        rows = np.flatnonzero(plain & (array == sentinel))
        plain[rows] = False
        for row in rows.tolist():
            others.add(gauge.cell(array[row].item()), row)

    def make(separator: bytes) -> list[bytes]:
        text = orjson.dumps(array, option=orjson.OPT_SERIALIZE_NUMPY)[1:-1]
        return members_of(text, b",", separator + gauge.key)

    share = others.over(len(array), "other" if gauge.kind in {None, "other"} else "number", Strand(make))
    if feature is not None and feature.kind == "number":
        share.bins, outside = _binned(array, plain, feature, gauge)
        if outside.size:
            share.violations["range"] = outside
    elif feature is not None and feature.kind == "text":
        share.violations["type"] = np.flatnonzero(plain)
    return share


def _sentinels(feature: Feature | None, kind: str) -> list[float]:
    """The numbers that stand for *missing*: those whose :func:`category_key` is listed."""
    found: list[float] = []
    for key in feature.sentinels if feature is not None else ():
        try:
            number = float(key) if kind == "f" else int(key)
        except ValueError:
            continue
        if category_key(number) == key and (kind == "f" or number in INT64):
            found.append(number)
    return found


def _binned(array: npt.NDArray[Any], plain: Mask, feature: Feature, gauge: Gauge) -> tuple[Strand, Rows]:
    """Members of ``ml.bins``, and the rows outside of the training range."""
    numbers = array.astype(np.float64, copy=False)
    places = np.searchsorted(np.array(feature.edges), numbers, side="right")
    last = len(feature.edges) + 1
    holes = None if plain.all() else ~plain
    if holes is not None:
        places[holes] = last

    def make(separator: bytes) -> list[bytes]:
        texts = [b'%b%b:%d"' % (separator, gauge.key[:-2], k) for k in range(last)]
        members: list[bytes] = np.array([*texts, b""], dtype=object).take(places).tolist()
        return members

    outside = np.empty(0, np.intp)
    if feature.low is not None and feature.high is not None:
        outside = np.flatnonzero(plain & ((numbers < feature.low) | (numbers > feature.high)))
    return Strand(make, holes), outside


def _of_values(column: Values, gauge: Gauge) -> Share:
    given, known = column.values, gauge.known
    if str in column.kinds and column.kinds <= _LEARNED:
        different = dict.fromkeys(given)
        new = [value for value in different if value not in known.places and (type(value) is not float or isnan(value))]
        if len(different) * FEW <= len(given) and len(known.cells) + len(new) <= MANY:
            for value in new:
                known.add(value, gauge.cell(value))
            learned = share_of_known(given, gauge)
            if learned is not None:
                return learned
    if gauge.kind in {"number", "boolean"} or str not in column.kinds:
        return _of_each(given, gauge)
    return _of_texts(given, gauge)


def _of_each(given: list[Any], gauge: Gauge) -> Share:
    return _of_cells([gauge.cell(value) for value in given], np.arange(len(given)))


def _of_texts(given: list[Any], gauge: Gauge) -> Share:
    """Many different texts, for inputs of any kind but numbers and booleans."""
    kind, feature = gauge.kind, gauge.feature
    texts = [value if type(value) is str else "" for value in given]
    odd = {row for row, text in enumerate(map(str.strip, texts)) if not text}
    if kind == ANY and max(map(len, texts)) > KEYWORD_LENGTH:
        odd.update(row for row, text in enumerate(texts) if len(text) > KEYWORD_LENGTH)
    if feature is not None and feature.sentinels:
        odd.update(row for row, text in enumerate(texts) if category_key(text) in feature.sentinels)
    others = _Others()
    for row in sorted(odd):
        others.add(gauge.cell(given[row]), row)
        texts[row] = ""
    joined = _DELETE.join(texts)
    if joined.count(_DELETE) != len(texts) - 1:
        return _of_each(given, gauge)
    try:
        text = orjson.dumps(joined)[1:-1]
    except TypeError:  # lone surrogates
        return _of_each(given, gauge)

    def make(separator: bytes) -> list[bytes]:
        return members_of(text, _DELETE.encode(), separator + gauge.key + b'"', b'"')

    share = others.over(len(given), gauge.cell(_PROBE).target, Strand(make))
    if feature is not None and feature.kind == "category" and not feature.open:
        unseen = [row for row, value in enumerate(texts) if value and category_key(value) not in feature.known]
        if unseen:
            _add(share.violations, "category", unseen)
    elif feature is not None and feature.kind == "text" and gauge.words is not None:
        _count_words(share, texts, gauge, gauge.words)
        if gauge.shape is not None:
            share.bins = _shapes(texts, gauge.shape)
    return share


def _count_words(share: Share, texts: list[str], gauge: Gauge, words: TokenCounter) -> None:
    """Add what the ruler says of texts; empty ones stand for what is no text."""
    counts, strange = words.count_all(texts)
    known = {count: gauge.tokens(count, 0) for count in set(counts)}
    members = list(map(known.__getitem__, counts))
    for row, unseen in strange.items():
        share.unseen[row] = list(dict.fromkeys(unseen))[:UNSEEN_TOKENS_PER_EVENT]
        members[row] = gauge.tokens(counts[row], len(unseen))
    holes = None
    if "" in texts:
        holes = np.array([not text for text in texts], np.bool_)
        for row in np.flatnonzero(holes).tolist():
            members[row] = b""

    def make(separator: bytes) -> list[bytes]:
        return [separator + member if member else b"" for member in members] if separator else members.copy()

    share.tokens = Strand(make, holes)


def _shapes(texts: list[str], shape: Shape) -> Strand:
    """Members of ``ml.bins``; empty texts stand for what is no text."""
    found = [shape_of(text) if text and text != WITHHELD else None for text in texts]
    places = {one: k for k, one in enumerate(dict.fromkeys(found))}
    members = [b""] * len(places)
    for one, k in places.items():
        if one is not None:
            length, script, marks = one
            bins = (shape.lengths[bisect_right(LENGTH_EDGES, length)], shape.scripts[script], shape.marks[marks])
            members[k] = b",".join(map(dumps, bins))
    return Texts(members).strand(np.fromiter(map(places.__getitem__, found), np.intp, len(found)))


def _add(found: dict[str, Rows], kind: str, rows: list[int]) -> None:
    known = found.get(kind)
    found[kind] = np.array(rows, np.intp) if known is None else np.sort(np.append(known, rows))


class _Others:
    """Rows whose value isn't plain, with their cells."""

    def __init__(self) -> None:
        self._found: dict[int, tuple[Cell, list[int]]] = {}

    def add(self, cell: Cell, *rows: int) -> None:
        """Note rows."""
        self._found.setdefault(id(cell), (cell, []))[1].extend(rows)

    def over(self, n: int, target: str | None, plain: Strand) -> Share:
        """The share of ``n`` rows of which all but these are ``plain`` members of the map ``target``."""
        share = Share()
        found = list(self._found.values())
        targets = dict.fromkeys([target, *(cell.target for cell, _ in found)])
        for one in targets:
            if one is not None:
                share.maps[one] = self._strand(n, one, plain if one == target else None)
        for cell, rows in found:
            for kinds, kind in ((share.missing, cell.missing), (share.violations, cell.violation)):
                if kind is not None:
                    _add(kinds, kind, rows)
            share.mark(cell, rows)
        return share

    def _strand(self, n: int, target: str, plain: Strand | None) -> Strand:
        holes = np.full(n, plain is None)
        texts: list[tuple[bytes, list[int]]] = []
        for cell, rows in self._found.values():
            text = cell.text if cell.target == target else b""
            holes[rows] = not text
            texts.append((text, rows))

        def make(separator: bytes) -> list[bytes]:
            members = [b""] * n if plain is None else plain.make(separator)
            for text, rows in texts:
                member = separator + text if text else b""
                for row in rows:
                    members[row] = member
            return members

        return Strand(make, holes if holes.any() else None)
