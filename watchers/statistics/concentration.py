"""Is an excess everywhere, or nearly all of it in one segment?"""

from __future__ import annotations

from typing import Final

import numpy as np

from watchers.statistics.rows import Array, Index

MOST: Final = 0.75
"""A segment is named where it holds this share of all excess ..."""

NAMING: Final = 18
"""... which is at least so many events (a handful of one airline's flights all leave from one airport), ..."""

CHANCE: Final = 2.0
"""... where the rest shows no more than so many standard deviations of excess, ..."""

APART: Final = 3.5
"""... and where its share is so many standard deviations above that of an excess which is everywhere: of 18 segments,
one in 200 would be by chance."""

NEARLY_ALL: Final = 0.8
"""A segment with this share of all events is no part of them."""


def concentrated(x: Array, n: Array, expected: Array, whole: tuple[float, float, float, float], se: float) -> Index:
    """The segments that hold nearly all of what is too much (or too little) in a contrast, the densest first.

    Args:
        x: Sums of the contrast in the window by segment, shape (segments,).
        n: Their denominators.
        expected: What history expects of the contrast in each.
        whole: The same of all events: sum, sum of squared weights, denominator, expectation.
        se: Standard error of the contrast of all events, by chance and by nature.

    Returns:
        Positions of segments; none where the excess is everywhere.
    """
    all_x, all_x2, all_n, all_expected = whole
    everywhere = all_x - all_n * all_expected
    excess = np.sign(everywhere) * (x - n * expected)
    everywhere = abs(everywhere)
    # Of an excess that is everywhere a segment gets its share of events, give or take that many draws.
    fair = n / max(all_n, 1.0)
    drawn = np.sqrt(np.maximum((all_x2 or 1.0) * fair * (1 - fair), 1e-12))
    named = (
        (n >= NAMING)
        & (n < NEARLY_ALL * all_n)
        & (excess >= NAMING)
        & (excess >= MOST * everywhere)
        & (everywhere - excess <= CHANCE * se * all_n)
        & (excess - fair * everywhere > APART * drawn)
    )
    found = np.flatnonzero(named)
    return found[np.argsort(-excess[found] / n[found], kind="stable")]
