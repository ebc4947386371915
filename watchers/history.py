"""History: profiles in time order, stacked so that any contrast's sums are arrays, computed once a row."""

from __future__ import annotations

import datetime as dt
import math
import weakref
from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass
from functools import cached_property
from typing import Any, Final

import numpy as np
import numpy.typing as npt
from scipy import sparse

from mllog.card import ModelCard
from watchers.profile import ALL, Segment, WindowProfile
from watchers.statistics.rows import Array, Index, Rows

Quarantine = Sequence[tuple[frozenset[str], dt.datetime, dt.datetime | None]]
"""Spans whose rows must not teach what is normal of some features: (features, from, until)."""


@dataclass(frozen=True)
class Contrasts:
    """Weighted shares to compare: each column has weights for its numerator and marks for its denominator.

    Attributes:
        features: The feature that each contrast is about, length C.
        labels: What each contrast measures, e.g. a category or ``location``, length C.
        weights: Per contrast the (position, weight) pairs of its numerator in a vector of counts.
        base: Per contrast the positions that its denominator sums.
        inflation: Design effect of the sampling.
        skewness: Of one event's weight, per contrast; None for indicators, whose share says it, and where it is small.
        besides: Whether numerators are what the denominators have besides the positions named: the share without any.
        trained: Whether training data says what is usual; of failures and of answers that are gone it has none.
        card_only: Whether the card alone says the weights, so that they hold for any history of it.
    """

    features: tuple[str, ...]
    labels: tuple[str, ...]
    weights: tuple[tuple[tuple[int, float], ...], ...]
    base: tuple[tuple[int, ...], ...]
    inflation: float = 1.0
    skewness: tuple[float, ...] | None = None
    besides: bool = False
    trained: bool = True
    card_only: bool = True

    def __len__(self) -> int:
        return len(self.features)

    @cached_property
    def cells(self) -> Index:
        """The positions that they look at, in order."""
        found = {i for pairs in self.weights for i, _ in pairs}.union(*self.base)
        return np.array(sorted(found), dtype=np.intp)

    def sums(self, counts: npt.NDArray[np.int64]) -> tuple[Array, Array, Array]:
        """Numerators, their squares' sums and denominators.

        Args:
            counts: Counts in :attr:`cells`, shape (..., len(cells)).

        Returns:
            Three arrays of shape (..., C).
        """
        # Cells first, so that a sparse matrix reads them row by row.
        flat = np.ascontiguousarray(counts.reshape(math.prod(counts.shape[:-1]), len(self.cells)).T, dtype=np.float64)
        shape = (*counts.shape[:-1], len(self))
        top, squares, bottom, base = self._matrices
        x = np.ascontiguousarray((top @ flat).T).reshape(shape)
        n = np.ascontiguousarray((bottom @ flat)[base].T).reshape(shape)
        if self.besides:
            x = np.maximum(n - x, 0.0)
        x2 = x if squares is None else np.ascontiguousarray((squares @ flat).T).reshape(shape)
        return x, x2, n

    @cached_property
    def indicators(self) -> bool:
        """Whether they are plain shares."""
        return all(a == 1.0 for pairs in self.weights for _, a in pairs)

    @cached_property
    def _matrices(self) -> tuple[sparse.csr_array, sparse.csr_array | None, sparse.csr_array, Index]:
        """Numerator and squares (None where they are the same) as sparse (C, len(cells)) matrices, denominators.

        Contrasts of one feature share theirs, so that each is summed once: shape (bases, len(cells)), and which base
        is whose.
        """
        place = {int(cell): k for k, cell in enumerate(self.cells)}
        top = [(c, place[i], a) for c, pairs in enumerate(self.weights) for i, a in pairs]
        bases = {positions: b for b, positions in enumerate(dict.fromkeys(self.base))}
        bottom = [(b, place[i], 1.0) for positions, b in bases.items() for i in positions]
        shape = (len(self), len(self.cells))
        squares = None if self.indicators else _sparse([(c, k, a * a) for c, k, a in top], shape)
        own = np.array([bases[positions] for positions in self.base], dtype=np.intp)
        return _sparse(top, shape), squares, _sparse(bottom, (len(bases), len(self.cells))), own


def _sparse(entries: list[tuple[int, int, float]], shape: tuple[int, int]) -> sparse.csr_array:
    """Entries in order of their rows, as they are made."""
    rows, columns, values = zip(*entries, strict=True) if entries else ((), (), ())
    ends = np.cumsum(np.bincount(np.array(rows, dtype=np.intp), minlength=shape[0]))
    starts = np.concatenate([[0], ends]).astype(np.int32)
    return sparse.csr_array(
        (np.array(values, dtype=np.float64), np.array(columns, dtype=np.int32), starts), shape=shape
    )


Builder = Callable[[], Contrasts]

_BUILT: Final[dict[int, dict[str, Contrasts]]] = {}


def built(card: ModelCard) -> dict[str, Contrasts]:
    """What was built of a card's ruler and training counts: once, however many histories are judged by the card."""
    held = _BUILT.get(id(card))
    if held is None:
        held = _BUILT[id(card)] = {}
        weakref.finalize(card, _BUILT.pop, id(card), None)
    return held


STRATA: Final[dict[str, int]] = {
    "*": 0,
    **{f"{day}{hour:02d}": 1 + hour + 24 * (day == "e") for day in "de" for hour in range(24)},
}
"""Strata as small integers."""

_NAMES: Final = {number: name for name, number in STRATA.items()}


class History:
    """Profiles of one model and ruler, oldest first, as rows of counts.

    A profile of one hour is one row; a profile with several strata is several rows of one window. Overlapping and
    repeated spans are kept as they are: history is a list, not a set.

    Args:
        card: The model's card.
        profiles: The first ones.
    """

    def __init__(self, card: ModelCard, profiles: Iterable[WindowProfile] = ()) -> None:
        self.card = card
        self.ruler = ruler = card.ruler
        self._built = built(card)
        self.profiles: list[WindowProfile] = []
        self.segments: list[Segment] = [
            (name, value) for name in ruler.segments for value in ruler.by_name[name].categories
        ]
        self._starts = _Column(np.float64)
        self._totals = np.zeros((1, len(ruler.cells)), dtype=np.int64)
        self._summed = 0
        self._trained: dict[str, Rows] = {}
        self._row_profile = _Column(np.intp)
        self._stratum = _Column(np.intp)
        self._sums: dict[tuple[str, bool], _Growing] = {}
        self._contrasts: dict[str, Contrasts] = {}
        for profile in profiles:
            self.append(profile)

    def append(self, profile: WindowProfile) -> None:
        """Add the next profile.

        Raises:
            ValueError: it was laid out by another ruler.
        """
        if profile.ruler != self.ruler.hash:
            raise ValueError(f"profile of ruler {profile.ruler} can't join a history of ruler {self.ruler.hash}")
        strata = sorted({stratum for stratum, _ in profile.cells})
        if not strata:
            strata = [self.ruler.stratum(profile.window.start) if profile.window.start else "*"]
        for stratum in strata:
            self._row_profile.append(len(self.profiles))
            self._stratum.append(STRATA[stratum])
        start = profile.window.start
        self._starts.append(start.timestamp() if start else np.nan)
        self.profiles.append(profile)

    def __len__(self) -> int:
        return len(self.profiles)

    def rows_of(self, first: int, last: int) -> slice:
        """The rows of profiles ``first`` up to, not including, ``last``."""
        low, high = np.searchsorted(self._row_profile.values, (first, last))
        return slice(int(low), int(high))

    def row_profile(self, rows: slice) -> Index:
        """For each row the position of its profile."""
        return self._row_profile.values[rows]

    def strata(self, rows: slice) -> Index:
        """Stratum of each row, as in :data:`STRATA`."""
        return self._stratum.values[rows]

    def contrasts(self, key: str, build: Builder) -> Contrasts:
        """The contrasts named ``key``, built once."""
        found = self._contrasts.get(key, self._built.get(key))
        if found is None:
            found = build()
            (self._built if found.card_only else self._contrasts)[key] = found
        return found

    def sums(self, key: str, contrasts: Contrasts, *, segmented: bool = False) -> tuple[Array, Array, Array]:
        """Contrast sums of every row: each of shape (rows, C), or (rows, segments * C) with ``segmented``."""
        width = len(contrasts) * (len(self.segments) if segmented else 1)
        held = self._sums.setdefault((key, segmented), _Growing(width, contrasts.indicators))
        total = len(self._row_profile.values)
        if held.rows < total:
            held.extend(contrasts.sums(self._stack(held.rows, total, contrasts.cells, segmented=segmented)), total)
        x = held.x[:total]
        return x, x if held.indicators else held.x2[:total], held.n[:total]

    def _stack(self, first: int, last: int, cells: Index, *, segmented: bool) -> npt.NDArray[np.int64]:
        profiles, strata = self._row_profile.values, self._stratum.values
        if not segmented:
            block = np.zeros((last - first, len(cells)), dtype=np.int64)
            for row in range(first, last):
                counts = self.profiles[profiles[row]].cells.get((_NAMES[strata[row]], ALL))
                if counts is not None:
                    block[row - first] = counts[cells]
            return block
        number = {segment: s for s, segment in enumerate(self.segments)}
        block = np.zeros((last - first, len(number), len(cells)), dtype=np.int64)
        for row in range(first, last):
            name = _NAMES[strata[row]]
            for (stratum, segment), counts in self.profiles[profiles[row]].cells.items():
                if stratum == name and segment in number:
                    block[row - first, number[segment]] = counts[cells]
        return block

    def rows(self, key: str, contrasts: Contrasts, span: slice, *, segmented: bool = False) -> Rows:
        """Rows of a span of profiles for :func:`watchers.statistics.contrast`."""
        x, x2, n = self.sums(key, contrasts, segmented=segmented)
        part = x[span]
        return Rows(part, part if x2 is x else x2[span], n[span], self.strata(span))

    def within(self, rows: slice, spans: Quarantine) -> list[tuple[frozenset[str], npt.NDArray[np.bool_]]]:
        """For each span that touches the rows: its features, and which of the rows lie in it."""
        return _inside(self._starts.values[self._row_profile.values[rows]], spans)

    def within_profiles(
        self, first: int, last: int, spans: Quarantine
    ) -> list[tuple[frozenset[str], npt.NDArray[np.bool_]]]:
        """The same of the profiles ``first`` up to, not including, ``last``."""
        return _inside(self._starts.values[first:last], spans)

    def total(self, first: int, last: int) -> npt.NDArray[np.int64]:
        """Counts of all events of profiles ``first`` up to, not including, ``last``."""
        known, wanted = self._summed, len(self.profiles)
        if known < wanted:
            # Running sums: any span is one subtraction. They grow by doubling.
            if wanted >= len(self._totals):
                grown = np.zeros((max(64, 2 * wanted), self._totals.shape[1]), dtype=np.int64)
                grown[: known + 1] = self._totals[: known + 1]
                self._totals = grown
            for row, profile in enumerate(self.profiles[known:], known):
                self._totals[row + 1] = self._totals[row]
                if profile.cells:
                    self._totals[row + 1] += profile.total()
            self._summed = wanted
        difference: npt.NDArray[np.int64] = self._totals[last] - self._totals[first]
        return difference

    def totals(self, first: Index, last: Index, cells: Sequence[int]) -> npt.NDArray[np.int64]:
        """The same of many spans and some cells, shape (spans, len(cells))."""
        self.total(0, 0)
        places = np.asarray(cells, dtype=np.intp)
        result: npt.NDArray[np.int64] = self._totals[np.ix_(last, places)] - self._totals[np.ix_(first, places)]
        return result

    @cached_property
    def training(self) -> npt.NDArray[np.int64]:
        """Counts of the training data, all strata together."""
        total = np.zeros(len(self.ruler.cells), dtype=np.int64)
        for counts in self.card.training.values():
            for key, count in counts.items():
                total[self.ruler.index[key]] += count
        return total

    def trained(self, key: str, make: Callable[[], Rows]) -> Rows:
        """Training counts as rows of the contrasts named ``key``, made once."""
        if key not in self._trained:
            self._trained[key] = make()
        return self._trained[key]


def _inside(starts: Array, spans: Quarantine) -> list[tuple[frozenset[str], npt.NDArray[np.bool_]]]:
    found = []
    for names, start, end in spans:
        inside = (starts >= start.timestamp()) & (starts < (end.timestamp() if end else np.inf))
        if inside.any():
            found.append((names, inside))
    return found


class _Column:
    """Numbers that grow at their end, by doubling."""

    def __init__(self, dtype: npt.DTypeLike) -> None:
        self._held, self._size = np.zeros(64, dtype=dtype), 0

    def append(self, value: float) -> None:
        if self._size == len(self._held):
            self._held = np.concatenate([self._held, np.zeros_like(self._held)])
        self._held[self._size] = value
        self._size += 1

    @property
    def values(self) -> npt.NDArray[Any]:
        """All of them; what is appended later isn't in it."""
        return self._held[: self._size]


@dataclass
class _Growing:
    """Three tables that grow by rows; of indicators ``x2`` is ``x``, and isn't kept."""

    width: int
    indicators: bool
    rows: int = 0

    def __post_init__(self) -> None:
        self.x, self.x2, self.n = (np.zeros((0, self.width)) for _ in range(3))

    @property
    def _kept(self) -> tuple[str, ...]:
        return ("x", "n") if self.indicators else ("x", "x2", "n")

    def extend(self, parts: tuple[Array, Array, Array], total: int) -> None:
        if total > len(self.x):
            capacity = max(64, 2 * total)
            for name in self._kept:
                table = np.zeros((capacity, self.width))
                table[: self.rows] = getattr(self, name)[: self.rows]
                setattr(self, name, table)
        tables = dict(zip(("x", "x2", "n"), parts, strict=True))
        for name in self._kept:
            part = tables[name]
            getattr(self, name)[self.rows : total] = part.reshape(total - self.rows, self.width)
        self.rows = total
