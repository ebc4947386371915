"""How sure a model was of an answer, and whether it gave a number at all: what follows from its outputs."""

from __future__ import annotations

import math
from bisect import bisect_right
from collections.abc import Collection, Mapping
from dataclasses import dataclass
from typing import Any, Final

MARGIN: Final = "@margin"
UNUSABLE: Final = "@unusable"
SCORES: Final = "@scores"
"""Of frames: the column of the scores of all classes, which isn't measured itself."""

SATURATED: Final = 0.999
"""A margin from here on is that of a model which has no doubt."""

MARGIN_EDGES: Final = (1e-9, *(k / 20 for k in range(1, 20)), 0.99, SATURATED, 0.9999, 1.0)
"""The first bin is a tie, which rounding may miss by a little; the last one is a margin of exactly 1."""


@dataclass(frozen=True, slots=True)
class Confidence:
    """Bins of ``@margin`` and ``@unusable``.

    Attributes:
        edges: Of the margin; None where it isn't measured.
        binary: Whether there are two classes at most, so that one score tells the other.
        unusable: Whether answers that are no numbers are counted.
    """

    edges: tuple[float, ...] | None = None
    binary: bool = False
    unusable: bool = False

    def margin(self, outputs: Mapping[str, Any]) -> float | None:
        """By how much the best class is ahead of the next one; None where that isn't told.

        Args:
            outputs: ``ml.outputs``: ``scores`` of two or more classes, else ``score``.
        """
        numbers = _scores(outputs.get("scores"))
        if numbers is not None:
            if not all(map(_is_finite, numbers)):
                return None
            second, first = sorted(numbers)[-2:]
            return float(first) - float(second)
        score = outputs.get("score")
        if self.binary and isinstance(score, int | float) and 0 <= score <= 1:
            return abs(2.0 * score - 1.0)
        return None

    @staticmethod
    def is_unusable(outputs: Mapping[str, Any], replaced: Collection[str] = ()) -> bool:
        """Whether a number of the answer is NaN or infinite.

        Args:
            outputs: ``score``, ``value`` and ``scores`` as the model gave them, or ``ml.outputs``.
            replaced: Of ``ml.outputs``: the marks of what could not be written.
        """
        for name in ("score", "value"):
            number = outputs.get(name)
            if f"@{name}" in replaced if number is None else not _is_finite(number):
                return True
        return not all(map(_is_finite, _scores(outputs.get("scores")) or ()))

    def bins(self, outputs: Mapping[str, Any], replaced: Collection[str] = ()) -> list[str]:
        """What stands in ``ml.bins``; arguments as for :meth:`is_unusable`."""
        found = []
        if self.edges is not None:
            margin = self.margin(outputs)
            if margin is not None:
                found.append(f"{MARGIN}:{bisect_right(self.edges, margin)}")
        if self.unusable and self.is_unusable(outputs, replaced):
            found.append(f"{UNUSABLE}:0")
        return found


def _scores(given: Any) -> list[Any] | None:
    """Scores of two or more classes, by class or as a list; None stands for NaN, which JSON doesn't know."""
    if isinstance(given, dict):
        given = list(given.values())
        if len(given) == 1 and isinstance(given[0], list):  # as an event has those without names
            given = given[0]
    if not isinstance(given, list) or len(given) < 2:
        return None
    fits = all(score is None or (isinstance(score, int | float) and not isinstance(score, bool)) for score in given)
    return given if fits else None


def _is_finite(number: Any) -> bool:
    try:
        return isinstance(number, int | float) and math.isfinite(number)
    except OverflowError:  # an integer beyond the largest double
        return False
