"""Two numbers that used to go together no longer do, or go against each other, though each alone looks as always.

Runbook: a join that went by the wrong key, a column that was sorted or filled on its own, a sign that was turned. The
finding names the feature that parted from most of its partners: look at the step that puts it beside the others.
"""

from __future__ import annotations

from collections import Counter
from dataclasses import replace
from typing import Final

import numpy as np
import numpy.typing as npt

from watchers.check import FunctionCheck, Tests
from watchers.checks._rates import indicators
from watchers.checks._shift import Shift
from watchers.finding import Effect, Finding
from watchers.history import Contrasts
from watchers.view import View

FLOOR: Final = 0.1
"""Of the share of events in which both lie on the same side: a fifth of a correlation."""

LARGER: Final = 0.2

MOVED: Final = 0.05
"""A feature that is high so much more or less often has shifted itself, and other checks speak of it ..."""

SURE: Final = 3.0
"""... where it is more than noise, in standard errors."""

HINT: Final = 0.01
"""A pair of such a p value has no alert of its own, and helps to say which feature parted."""

PARTED: Final = 0.5
"""A correlation that keeps more than this of its size, and its sign, is recorded and pages nobody ..."""

TOGETHER: Final = 0.2
"""... as is one that serving never had, whatever training said."""


def _quadrant(share: float | None) -> float:
    return 2 * (share or 0.0) - 1


def _how(before: float, now: float) -> str:
    """What became of a correlation, in words."""
    if now * before < 0 and abs(now) > PARTED * abs(before):
        return "have turned against each other" if before > 0 else "have begun to go together"
    verb = "go together" if before > 0 else "go against each other"
    return f"{verb} {'less' if abs(now) < abs(before) else 'more'} than they did"


def _shifted(view: View) -> set[tuple[str, int]]:
    """The ends of pairs (a feature and where it is divided) that are high more or less often than at these hours."""
    ruler = view.ruler
    ends = list(dict.fromkeys(end for pair in ruler.pairs for end in pair.ends))

    def build() -> Contrasts:
        bins = [
            [ruler.index[name, "bin", str(k)] for k in range(len(ruler.by_name[name].edges) + 1)] for name, _ in ends
        ]
        highs = [cells[low + 1 :] for cells, (_, low) in zip(bins, ends, strict=True)]
        return indicators([name for name, _ in ends], highs, bins)

    _, c = view.contrast("correlation_side", build)
    return {end for end, moved in zip(ends, (np.abs(c.r) > MOVED) & (np.abs(c.t) > SURE), strict=True) if moved}


def _shift(view: View) -> Shift:
    """One test for each end of each pair."""
    pairs, index = view.ruler.pairs, view.ruler.index

    def build() -> Contrasts:
        # Each pair stands under both names, since what is known to be wrong with either must not teach.
        cells = [pair for pair in pairs for _ in pair.ends]
        contrasts = indicators(
            [name for pair in pairs for name, _ in pair.ends],
            [[index[pair.concordant]] for pair in cells],
            [[index[pair.both]] for pair in cells],
        )
        return replace(contrasts, labels=tuple(name for pair in pairs for name, _ in reversed(pair.ends)))

    def describe(finding: Finding, partner: str, where: str) -> str:
        before, now = _quadrant(finding.reference), _quadrant(finding.observed)
        lost = now * before <= 0 or abs(now) < PARTED * abs(before)
        finding.severity = "warning" if lost and abs(before) >= TOGETHER else "info"
        finding.evidence |= {"partner": partner, "correlation": {"before": before, "now": now}}
        return (
            f"`{finding.feature}` and `{partner}` {_how(before, now)}: quadrant correlation {now:.2f} "
            f"({before:.2f} {view.usually}){where}, while each lies on either side of its middle as often as always"
        )

    return Shift(
        "correlation",
        "correlation",
        build,
        floor=FLOOR,
        larger=LARGER,
        describe=describe,
        effect=lambda r, low, high: Effect("change of quadrant correlation", 2 * r, 2 * low, 2 * high),
        shares=True,
    )


def _run(view: View) -> list[Tests]:
    pairs = view.ruler.pairs
    answers = _shift(view).tests(view) if pairs else []
    if not answers:
        return []
    (tests,) = answers
    shifted = _shifted(view)
    steady = np.array([shifted.isdisjoint(pair.ends) for pair in pairs], dtype=bool)
    by_pair: npt.NDArray[np.bool_] = tests.passes.reshape(-1, 2) & steady[:, None]
    moved: npt.NDArray[np.bool_] = by_pair[:, 0] | by_pair[:, 1]
    suspicious = moved | (steady & (tests.p_values.reshape(-1, 2).min(axis=1) < HINT))
    parted = Counter(name for pair, hit in zip(pairs, suspicious, strict=True) if hit for name, _ in pair.ends)
    chosen = []
    for k, pair in enumerate(pairs):
        sides = [side for side in (0, 1) if by_pair[k, side]] or [0]
        chosen.append(2 * k + max(sides, key=lambda side: parted[pair.ends[side][0]]))
    finding = tests.finding
    assert finding is not None
    return [
        Tests(
            [tests.features[i] for i in chosen],
            np.where(steady, tests.p_values[chosen], 1.0),
            moved,
            tests.size[chosen],
            lambda i: finding(chosen[i]),
        )
    ]


check = FunctionCheck("correlation", _run)
