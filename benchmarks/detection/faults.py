"""Faults of stated size, put into a window; rows and words are drawn, sizes are not.

A rate is put in exactly: of 2,000 rows at 3 % exactly 60 are null, whatever there was before.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator
from dataclasses import dataclass
from typing import Any, Final

import numpy as np
import pandas as pd

from benchmarks.detection.datasets import DataSet

NEW_CATEGORY: Final = "never-seen"
FACTOR: Final = 1_000.0
SHARE_OF_UNITS: Final = 0.05
VARIANCE: Final = 1.3

Change = Callable[[pd.DataFrame, np.random.Generator], pd.DataFrame]


@dataclass(frozen=True)
class Fault:
    """One way to break one feature.

    Attributes:
        kind: What is broken and by how much, as in tables.
        feature: The feature.
        change: Window and generator -> the broken window, a copy.
        segment: The only rows that are hit, by field and value.
    """

    kind: str
    feature: str
    change: Change
    segment: tuple[str, str] | None = None

    def __call__(self, window: pd.DataFrame, seed: int) -> pd.DataFrame:
        """The window with this fault."""
        return self.change(window.reset_index(drop=True).copy(), np.random.default_rng(seed))


def faults_of(data: DataSet, *, one_feature: bool = False) -> list[Fault]:
    """Every fault that can be put into a data set; with ``one_feature`` each kind into its first feature only."""
    found = list(_faults(data))
    return list({fault.kind: fault for fault in reversed(found)}.values())[::-1] if one_feature else found


def _faults(data: DataSet) -> Iterator[Fault]:
    # By the rows that everything is drawn from: a window's own moments would make the fault depend on the window.
    spread = {name: float(data.frame[name].std()) for name in data.moved}
    middle = {name: float(data.frame[name].mean()) for name in data.moved}
    for name in data.nulls:
        yield Fault("nulls 1% to 3%", name, _nulls(name, 0.03))
        yield Fault("nulls 1% to 10%", name, _nulls(name, 0.10))
        yield Fault("vanished", name, _nulls(name, 1.0))
    for name in data.shifted:
        for points in (5, 10, 20):
            yield Fault(f"category shift {points} points", name, _shifted(name, points / 100))
        for share in (0.005, 0.02):
            yield Fault(f"new category {share:.1%}".replace(".0%", "%"), name, _renewed(name, share))
    for name in data.texts:
        for points in (1, 5):
            yield Fault(f"unseen tokens +{points} point{'s' * (points > 1)}", name, _words(name, points / 100))
    for name in data.moved:
        for size in (0.1, 0.25, 0.5):
            yield Fault(f"mean +{size:g} sd", name, _affine(name, 1.0, size * spread[name]))
        root = VARIANCE**0.5
        yield Fault(f"variance x{VARIANCE:g}", name, _affine(name, root, middle[name] * (1 - root)))
        yield Fault(f"x{FACTOR:g} on {SHARE_OF_UNITS:.0%} of rows", name, _unit(name))
    place = data.segment()
    for name in data.nulls:
        if name != place[0]:
            yield Fault("segment of 2%: all null", name, _within(place, _nulls(name, 1.0)), place)
    for name in data.moved:
        yield Fault("segment of 2%: mean +1 sd", name, _within(place, _affine(name, 1.0, spread[name])), place)


def measured(before: pd.DataFrame, after: pd.DataFrame, name: str) -> dict[str, Any]:
    """What became of a feature: share of nulls, of rows changed, and the mean's shift (numbers)."""
    old, new = before[name].reset_index(drop=True), after[name].reset_index(drop=True)
    same = (old == new) | (old.isna() & new.isna())
    numeric = new.dtype.kind == "f"
    return {
        "nulls": float(new.isna().mean()),
        "changed": float((~same).mean()),
        "shift": float(new.mean() - old.mean()) if numeric else None,
    }


def _nulls(name: str, share: float) -> Change:
    def change(window: pd.DataFrame, rng: np.random.Generator) -> pd.DataFrame:
        held = np.flatnonzero(window[name].notna())
        wanted = round(share * len(window)) - (len(window) - len(held))
        if wanted > 0:
            window.loc[rng.choice(held, wanted, replace=False), name] = None
        return window

    return change


def _shifted(name: str, share: float) -> Change:
    """Rows of the most frequent category get the second one's; where they don't suffice, those of the next too."""

    def change(window: pd.DataFrame, rng: np.random.Generator) -> pd.DataFrame:
        order = window[name].value_counts().index.tolist()
        if len(order) < 2:
            return window
        target, sources = order[1], [order[0], *order[2:]]
        wanted = round(share * len(window))
        for source in sources:
            rows = np.flatnonzero(window[name] == source)
            part = min(wanted, len(rows))
            window.loc[rng.choice(rows, part, replace=False), name] = target
            wanted -= part
            if not wanted:
                break
        return window

    return change


def _renewed(name: str, share: float) -> Change:
    def change(window: pd.DataFrame, rng: np.random.Generator) -> pd.DataFrame:
        held = np.flatnonzero(window[name].notna())
        window.loc[rng.choice(held, max(round(share * len(window)), 1), replace=False), name] = NEW_CATEGORY
        return window

    return change


def _words(name: str, share: float) -> Change:
    """So many of all words become words that never were: sixty different ones, as a new source would bring."""

    def change(window: pd.DataFrame, rng: np.random.Generator) -> pd.DataFrame:
        texts = [value.split() if isinstance(value, str) else [] for value in window[name]]
        places = [(row, k) for row, words in enumerate(texts) for k in range(len(words))]
        for at in rng.choice(len(places), round(share * len(places)), replace=False):
            row, k = places[at]
            letters = "".join("abcdefghij"[int(digit)] for digit in str(rng.integers(10, 70)))
            texts[row][k] = f"zq{letters}x"
        window[name] = [" ".join(words) if words else value for words, value in zip(texts, window[name], strict=True)]
        return window

    return change


def _affine(name: str, factor: float, offset: float) -> Change:
    def change(window: pd.DataFrame, _: np.random.Generator) -> pd.DataFrame:
        window[name] = window[name] * factor + offset
        return window

    return change


def _unit(name: str) -> Change:
    def change(window: pd.DataFrame, rng: np.random.Generator) -> pd.DataFrame:
        held = np.flatnonzero(window[name].notna())
        rows = rng.choice(held, min(round(SHARE_OF_UNITS * len(window)), len(held)), replace=False)
        window.loc[rows, name] *= FACTOR
        return window

    return change


def _within(place: tuple[str, str], change: Change) -> Change:
    def within(window: pd.DataFrame, rng: np.random.Generator) -> pd.DataFrame:
        hit = (window[place[0]] == place[1]).to_numpy()
        part = change(window[hit].reset_index(drop=True), rng)
        for name in window.columns:
            window.loc[hit, name] = part[name].to_numpy()
        return window

    return within
