"""WindowProfile: additive counts for one model and a span of time, the only thing that statistics read.

A profile is a sum of cells keyed by (stratum, segment); each holds a vector of counts laid out by the ruler. A stored
profile covers one hour, any longer window is a sum of hours, and sums are exact: no sketch, no rounding.
"""

from __future__ import annotations

import datetime as dt
from collections import Counter
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
from typing import Any, Final

import numpy as np
import numpy.typing as npt

from mllog.ruler import Ruler
from watchers.finding import Window

Segment = tuple[str, str]
"""(field, value)."""

Counts = npt.NDArray[np.int64]

ALL: Final[Segment] = ("", "")
"""The segment of all events."""

NAMES_KEPT: Final = 200
"""How many names of each kind (unseen values, tokens, versions) a profile keeps, the most frequent ones."""


@dataclass(slots=True)
class WindowProfile:
    """Counts of one model's predictions from ``window.start`` up to ``window.end``.

    Attributes:
        model: Model's name.
        ruler: Hash of the ruler that gives the vectors their meaning.
        window: Span; both ends None where the data has no time.
        cells: (stratum, segment) -> counts, shape ``(len(ruler.cells),)``, int64. :data:`ALL` is the segment of
            all events; every other segment's events are among them.
        names: What can't be laid out beforehand, each with its count: ``unseen:<feature>`` values, ``token``,
            ``unexpected`` and ``renamed`` names, ``version``, ``environment``, ``host``.
        manifests: Fingerprint -> package versions, for the environments whose manifest came in this span.
        rejected: Lines that were no events.
        complete: False where the store could not count everything; such a window is ``unknown``.
        reason: Why it isn't complete.
    """

    model: str
    ruler: str
    window: Window = field(default_factory=Window)
    cells: dict[tuple[str, Segment], Counts] = field(default_factory=dict)
    names: dict[str, Counter[str]] = field(default_factory=dict)
    manifests: dict[str, dict[str, str]] = field(default_factory=dict)
    rejected: int = 0
    complete: bool = True
    reason: str = ""

    @property
    def n(self) -> int:
        """Predictions in it."""
        return int(sum(int(counts[0]) for (_, segment), counts in self.cells.items() if segment == ALL))

    def total(self, segment: Segment = ALL) -> Counts:
        """Counts of ``segment`` over all strata, shape ``(len(ruler.cells),)``; zeros where it has no events.

        A profile without any cell doesn't know how many there would be: its total has the shape ``(0,)``.
        """
        vectors = [counts for (_, other), counts in self.cells.items() if other == segment]
        if vectors:
            summed: Counts = np.sum(vectors, axis=0, dtype=np.int64)
            return summed
        size = next((counts.size for counts in self.cells.values()), 0)
        return np.zeros(size, dtype=np.int64)

    def segments(self) -> list[Segment]:
        """The segments that have events, without :data:`ALL`, in order."""
        return sorted({segment for _, segment in self.cells if segment != ALL})

    def add(self, stratum: str, segment: Segment, counts: Counts) -> None:
        """Add counts to a cell."""
        key = (stratum, segment)
        held = self.cells.get(key)
        self.cells[key] = counts.astype(np.int64, copy=True) if held is None else held + counts

    def count(self, kind: str, name: str, by: int = 1) -> None:
        """Count a name (see :attr:`names`)."""
        self.names.setdefault(kind, Counter())[name] += by

    def to_dict(self, ruler: Ruler) -> dict[str, Any]:
        """As JSON types; cells are sparse: positions ``i`` in the ruler's layout and their counts ``c``.

        Raises:
            ValueError: ``ruler`` isn't the one that the counts were laid out by.
        """
        if ruler.hash != self.ruler:
            raise ValueError(f"the profile was made by ruler {self.ruler}, not {ruler.hash}")
        cells = []
        for (stratum, segment), counts in sorted(self.cells.items()):
            positions = np.flatnonzero(counts)
            cells.append({"s": stratum, "f": list(segment), "i": positions.tolist(), "c": counts[positions].tolist()})
        window = {
            "start": self.window.start.isoformat() if self.window.start else None,
            "end": self.window.end.isoformat() if self.window.end else None,
        }
        return {
            "model": self.model,
            "ruler": self.ruler,
            "window": window,
            "n": self.n,
            "cells": cells,
            "names": {kind: dict(counter.most_common(NAMES_KEPT)) for kind, counter in sorted(self.names.items())},
            "manifests": self.manifests,
            "rejected": self.rejected,
            "complete": self.complete,
            "reason": self.reason,
        }

    @classmethod
    def from_dict(cls, data: Mapping[str, Any], ruler: Ruler) -> WindowProfile:
        """Read what :meth:`to_dict` wrote.

        Raises:
            ValueError: it was laid out by another ruler.
        """
        if data["ruler"] != ruler.hash:
            raise ValueError(f"the profile was made by ruler {data['ruler']}, not {ruler.hash}")
        start, end = (
            dt.datetime.fromisoformat(t) if t else None for t in (data["window"]["start"], data["window"]["end"])
        )
        profile = cls(
            model=data["model"],
            ruler=data["ruler"],
            window=Window(start, end),
            names={kind: Counter(counts) for kind, counts in data["names"].items()},
            manifests=dict(data["manifests"]),
            rejected=data["rejected"],
            complete=data["complete"],
            reason=data["reason"],
        )
        for cell in data["cells"]:
            counts = np.zeros(len(ruler.cells), dtype=np.int64)
            counts[cell["i"]] = cell["c"]
            profile.cells[cell["s"], (cell["f"][0], cell["f"][1])] = counts
        return profile


def merge(profiles: Iterable[WindowProfile]) -> WindowProfile:
    """The sum of profiles of one model and ruler; its window reaches from the first start to the last end.

    Raises:
        ValueError: there are none, or they differ in model or ruler.
    """
    parts = list(profiles)
    if not parts:
        raise ValueError("no profiles to add")
    first = parts[0]
    if any((part.model, part.ruler) != (first.model, first.ruler) for part in parts):
        raise ValueError("profiles of different models or rulers can't be added")
    starts = [part.window.start for part in parts if part.window.start]
    ends = [part.window.end for part in parts if part.window.end]
    result = WindowProfile(
        first.model,
        first.ruler,
        Window(min(starts, default=None), max(ends, default=None)),
        rejected=sum(part.rejected for part in parts),
        complete=all(part.complete for part in parts),
        reason="; ".join(sorted({part.reason for part in parts if part.reason})),
    )
    for part in parts:
        for (stratum, segment), counts in part.cells.items():
            key = (stratum, segment)
            held = result.cells.get(key)
            if held is None:
                result.cells[key] = counts.copy()
            else:
                held += counts
        for kind, counter in part.names.items():
            result.names.setdefault(kind, Counter()).update(counter)
        result.manifests.update(part.manifests)
    return result
