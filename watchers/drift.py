"""`watchers.drift`: one classical statistic of one feature, by name, from profiles; for reports and for the curious."""

from __future__ import annotations

from dataclasses import dataclass
from itertools import pairwise
from typing import Any, Final

import numpy as np

from mllog.card import ModelCard
from mllog.errors import CardError, SettingError
from mllog.ruler import MISSING_KINDS, SCORE, CellKey, Feature, Ruler
from watchers.compare import profile
from watchers.profile import Counts, WindowProfile
from watchers.statistics import Measure, measure
from watchers.statistics.classical import beside, statistic_named

_SIDES: Final = ("the reference", "the current sample")


def drift(
    card: ModelCard | Any,
    current: WindowProfile | Any,
    feature: str,
    statistic: str = "jensen_shannon",
    *,
    reference: WindowProfile | Any = None,
    time: str | None = None,
    **card_options: Any,
) -> Measure:
    """A classical statistic of one feature. It decides no alert: see :func:`watchers.compare` for that.

    Args:
        card: The model's card, or a reference frame.
        current: A profile by that card, or a frame.
        feature: Name of a feature of the card, or of an output (``@score``, ``@label``, ...).
        statistic: One of :data:`watchers.statistics.MEASURES`.
        reference: What to compare with: a profile by that card, or a frame; the card's training counts by default.
        time: Name of the time column of frames (never a feature).
        **card_options: For a reference frame: ``text``, ``segments``, ``target``, ``time_zone`` of
            ``ModelCard.from_frame``.

    Returns:
        A value or a reason, never NaN. What is missing, in any way or of a wrong type, is a cell of its own, or is
        reported beside statistics that need an order. Of texts the known and the unseen words are compared.

    Raises:
        mllog.SettingError: the statistic is unknown.
        mllog.CardError: the feature is unknown, a frame is unusable, or a profile was made by another ruler.
    """
    try:
        asked = statistic_named(statistic)
    except ValueError as error:
        raise SettingError(str(error), field="statistic", value=statistic) from None
    if not isinstance(card, ModelCard):
        card = ModelCard.from_frame(card, "reference", "-", time=time, **card_options)
    ruler = card.ruler
    if feature not in ruler.by_name:
        raise CardError(
            f"{feature!r} is no feature of {card.model!r}; they are {', '.join(sorted(ruler.by_name))}",
            field="feature",
            value=feature,
        )
    sides = [_training(card)]
    for name, side in zip(_SIDES, (reference, current), strict=True):
        if side is None:
            continue
        counted = side if isinstance(side, WindowProfile) else profile(side, card, time)
        if counted.ruler != ruler.hash:
            raise CardError(
                f"the profile of {name} was made by ruler {counted.ruler}, the card of {card.model!r} has ruler "
                f"{ruler.hash}: profile the data with this card"
            )
        if not counted.complete:
            return Measure(asked.name, None, reason=f"{name} could not be counted wholly: {counted.reason}")
        sides.append(counted.total() if counted.cells else np.zeros(len(ruler.cells), dtype=np.int64))
    layout, kind = _Layout.of(ruler.by_name[feature]), ruler.by_name[feature].kind
    if asked.ordered and layout.positions is None:
        reason = f"{feature} has no order (its kind is {kind}), and {asked.name} needs one"
        return Measure(asked.name, None, reason=reason)
    cells, missing = zip(*(layout.counts(ruler, side) for side in sides[-2:]), strict=True)
    if kind == "text":
        # Words and events aren't counted in one unit, so that missing texts are no cell among words.
        present = [int(side[ruler.index[feature, "texts", ""]]) for side in sides[-2:]]
        return beside(measure(asked.name, *cells), present, missing)
    return measure(asked.name, *cells, positions=layout.positions, missing=missing if layout.missing else None)


def bin_positions(feature: Feature) -> list[float]:
    """Where the bins of a number lie: at their middles; an open one at its edge, so that no distance is exaggerated."""
    low, high = (0.0, 1.0) if feature.name == SCORE else (None, None)
    edges = feature.edges
    if not edges:
        return [0.0]
    ends = (edges[0] if low is None else low, *edges, edges[-1] if high is None else high)
    return [a / 2 + b / 2 for a, b in pairwise(ends)]


@dataclass(frozen=True, slots=True)
class _Layout:
    """Where a feature's counts stand in a vector of counts.

    Attributes:
        cells: What is there, in order where there is one.
        missing: All that isn't, values of a wrong type among them; empty for outputs, of which none are missing.
        positions: Of each cell on the line; None where there is no order.
    """

    cells: tuple[CellKey, ...]
    missing: tuple[CellKey, ...]
    positions: list[float] | None = None

    @classmethod
    def of(cls, feature: Feature) -> _Layout:
        """The layout of a feature."""
        name = feature.name
        kinds = [(name, "missing", kind) for kind in MISSING_KINDS]
        missing = (*kinds, (name, "violation", "type")) if feature.is_input else ()
        if feature.kind == "number":
            bins = tuple((name, "bin", str(k)) for k in range(len(feature.edges) + 1))
            return cls(bins, missing, bin_positions(feature))
        if feature.kind == "text":
            return cls(((name, "tokens", ""), (name, "unseen_tokens", "")), missing)
        if feature.kind == "other":
            return cls(((name, "present", ""),), missing)
        listed = tuple((name, "category", value) for value in feature.categories)
        return cls((*listed, (name, "other", ""), (name, "violation", "category")), missing)

    def counts(self, ruler: Ruler, total: Counts) -> tuple[Counts, int]:
        """Counts by cell, and how many are missing."""
        index = ruler.index
        cells = total[[index[key] for key in self.cells]]
        if self.cells[0][1] == "tokens":
            cells = np.array([cells[0] - cells[1], cells[1]])  # the first counts all words
        return cells, int(sum(int(total[index[key]]) for key in self.missing))


def _training(card: ModelCard) -> Counts:
    """Counts of the training data by the ruler's layout, all strata together."""
    total = np.zeros(len(card.ruler.cells), dtype=np.int64)
    for counts in card.training.values():
        for key, count in counts.items():
            total[card.ruler.index[key]] += count
    return total
