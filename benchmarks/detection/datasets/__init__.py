"""Data that contenders are tried on: real rows in order of time, and where to break them.

A data set is one module with a function that gives a :class:`DataSet`; it is listed here and nowhere else.
"""

from __future__ import annotations

import importlib
from collections.abc import Iterator
from dataclasses import dataclass, field
from typing import Any, Final

import numpy as np
import pandas as pd

TIME: Final = "time"
DAY: Final = "day"
"""Local day of each row; beside the features, and never one."""

PLANTED_NULLS: Final = 0.01
"""Share of nulls in the features in which nulls are to rise from 1 %."""

SEGMENT_SHARE: Final = 0.02


class MissingDataError(RuntimeError):
    """The package that ships the data isn't installed."""


@dataclass(frozen=True)
class DataSet:
    """Rows, what they mean, and where faults go.

    Attributes:
        name: As in tables.
        frame: Rows in order of :data:`TIME` (UTC), with :data:`DAY`.
        numbers: Names of numeric features.
        categories: Names of categories.
        texts: Names of free texts, which peers aren't given.
        segments: Categories by whose values everything is also counted.
        zone: IANA time zone of its people.
        nulls: Features with 1 % of planted nulls.
        shifted: Categories whose shares are moved.
        moved: Numbers that are moved, spread and multiplied.
        calm: Whether each row is of a day on which nothing is known to have happened.
        groups: Features by kind of origin, for tables.
        source: Where the rows come from.
    """

    name: str
    frame: pd.DataFrame
    numbers: tuple[str, ...]
    categories: tuple[str, ...]
    texts: tuple[str, ...]
    segments: tuple[str, ...]
    zone: str
    nulls: tuple[str, ...]
    shifted: tuple[str, ...]
    moved: tuple[str, ...]
    calm: np.ndarray[Any, np.dtype[np.bool_]]
    groups: dict[str, tuple[str, ...]] = field(default_factory=dict)
    source: str = ""

    @property
    def features(self) -> tuple[str, ...]:
        """All of them."""
        return (*self.numbers, *self.categories, *self.texts)

    @property
    def columns(self) -> list[str]:
        """Features and time."""
        return [*self.features, TIME]

    def segment(self) -> tuple[str, str]:
        """The value of a segment field whose share of the rows is nearest to 2 %."""
        best = min(
            (abs(share - SEGMENT_SHARE), name, str(value))
            for name in self.segments
            for value, share in self.frame[name].value_counts(normalize=True).items()
        )
        return best[1], best[2]


def plant_nulls(frame: pd.DataFrame, names: tuple[str, ...], seed: int) -> pd.DataFrame:
    """Set 1 % of each named column to null, where the column itself has fewer."""
    rng = np.random.default_rng(seed)
    frame = frame.copy()
    for name in names:
        hit = rng.random(len(frame)) < PLANTED_NULLS
        frame[name] = frame[name].astype(float if frame[name].dtype.kind in "fi" else object).mask(hit, None)
    return frame


MODULES: Final = {
    "flights": ("flights", "load"),
    "pizzas": ("rdata", "pizzas"),
    "stops": ("rdata", "stops"),
    "tweets": ("rdata", "tweets"),
}
"""Name -> module and function."""


def load(name: str) -> DataSet:
    """Load one.

    Raises:
        MissingDataError: its package isn't installed.
    """
    module, function = MODULES[name]
    result: DataSet = getattr(importlib.import_module(f"{__name__}.{module}"), function)()
    return result


def names(*, others: bool) -> Iterator[str]:
    """Flights, and the others where they are wanted."""
    yield "flights"
    if others:
        yield from (name for name in MODULES if name != "flights")
