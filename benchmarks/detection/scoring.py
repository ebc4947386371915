"""Shares with their intervals, and thresholds at which contenders alarm equally often."""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Final

Z: Final = 1.959963984540054
"""Phi^-1(0.975)."""


@dataclass(frozen=True, slots=True)
class Share:
    """``hits`` of ``of``, with the 95 % interval of Wilson (1927, JASA 22:209), without continuity correction."""

    hits: int
    of: int

    @property
    def value(self) -> float | None:
        """The share; None of nothing."""
        return self.hits / self.of if self.of else None

    @property
    def interval(self) -> tuple[float, float]:
        """``(p + z^2/2n -+ z sqrt(p(1-p)/n + z^2/4n^2)) / (1 + z^2/n)``; everything is possible of nothing."""
        n = self.of
        if not n:
            return 0.0, 1.0
        p, zz = self.hits / n, Z * Z
        middle = (p + zz / (2 * n)) / (1 + zz / n)
        reach = Z * math.sqrt(p * (1 - p) / n + zz / (4 * n * n)) / (1 + zz / n)
        # At 0 and n the formula gives 0 and 1 but for rounding.
        return (0.0 if not self.hits else middle - reach), (1.0 if self.hits == n else middle + reach)

    def __add__(self, other: Share) -> Share:
        return Share(self.hits + other.hits, self.of + other.of)

    def to_dict(self) -> dict[str, float | int | None]:
        """As JSON types."""
        low, high = self.interval
        return {"hits": self.hits, "of": self.of, "value": self.value, "low": low, "high": high}


def share_of(verdicts: Sequence[bool]) -> Share:
    """How many of them are true."""
    return Share(sum(verdicts), len(verdicts))


def threshold_for(scores: Sequence[float], alarms: int) -> float:
    """The least threshold above which at most ``alarms`` of ``scores`` lie: ``score > threshold`` is an alarm.

    Ties are never split: where the next score is as great, fewer alarm.
    """
    ordered = sorted(scores, reverse=True)
    if alarms >= len(ordered):
        return -math.inf
    return ordered[alarms]
