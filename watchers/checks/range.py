"""Numbers outside of the range that training had, more often than usual and than their wandering explains.

Runbook: far outside by a constant factor is a unit; by a constant value, a sentinel; just outside, growth.
"""

from __future__ import annotations

from dataclasses import replace
from typing import Final

import numpy as np

from mllog.ruler import Feature
from watchers.check import FunctionCheck, Tests
from watchers.checks._rates import Rate, indicators, percent
from watchers.finding import Finding, Severity
from watchers.history import Contrasts
from watchers.view import View, inputs_of

FLOOR = 0.002

TAIL: Final = 0.1
"""The outermost bins that hold at most this share of training, on either side, are a feature's tails."""

WANDERING: Final = 3.0
"""Where windows' tails differ from each other, so many times as much may lie just outside: spring follows winter."""

FAR = 0.02
"""Just outside of what training happened to have is recorded; this share *far* outside (a whole range away) pages."""

MOST = 0.5
"""... and so does this share outside at any distance, and any other value of what was constant."""


def _sentence(view: View, finding: Finding, where: str) -> str:
    feature = view.ruler.by_name[finding.feature or ""]
    return (
        f"`{finding.feature}` is outside of [{feature.low:g}, {feature.high:g}] in "
        f"{percent(finding.observed)} of requests ({percent(finding.reference)} expected){where}"
    )


def _run(view: View) -> list[Tests]:
    index = view.ruler.index

    def build() -> Contrasts:
        names = [feature.name for feature in inputs_of(view.ruler, "number")]
        return indicators(names, [[index[name, "violation", "range"]] for name in names], [[0] for _ in names])

    def severity(finding: Finding) -> Severity:
        feature = view.ruler.by_name[finding.feature or ""]
        far = view.at(view.total, *((feature.name, "bin", str(k)) for k in feature.far_bins))
        constant = feature.low == feature.high
        return "warning" if far >= FAR * view.n or constant or (finding.observed or 0.0) >= MOST else "info"

    found = Rate("range", build, floor=FLOOR, sentence=_sentence, query="range", severity=severity).tests(view)
    return [_beyond_wandering(view, tests) for tests in found]


def _beyond_wandering(view: View, tests: Tests) -> Tests:
    """The tests without those whose excess the tails' natural variance explains, unless it lies far outside."""
    names = [str(name) for name in tests.features]
    features = [view.ruler.by_name[name] for name in names]

    def build() -> Contrasts:
        tails = [_tails(view, feature) for feature in inputs_of(view.ruler, "number")]
        kept = [(name, side) for name, sides in zip(names, tails, strict=True) for side in sides]
        bins = {f.name: [view.ruler.index[f.name, "bin", str(k)] for k in range(len(f.edges) + 1)] for f in features}
        return indicators([name for name, _ in kept], [side for _, side in kept], [bins[name] for name, _ in kept])

    contrasts, tails = view.contrast("range:tails", build)
    wanders = dict.fromkeys(names, 0.0)
    for i, name in enumerate(contrasts.features):
        wanders[name] = max(wanders[name], float(np.sqrt(tails.natural[i])))
    _, c = view.contrast("range", lambda: contrasts)
    far = np.array([view.at(view.total, *((f.name, "bin", str(k)) for k in f.far_bins)) for f in features])
    explained = c.r < WANDERING * np.array([wanders[name] for name in names])
    return replace(tests, passes=tests.passes & (~explained | (far >= FLOOR * view.n)))


def _tails(view: View, feature: Feature) -> list[list[int]]:
    """Positions of the bins of the lower and the upper tail, without a side that has none."""
    cells = [view.ruler.index[feature.name, "bin", str(k)] for k in range(len(feature.edges) + 1)]
    shares = view.training[cells] / max(view.training[cells].sum(), 1)
    sides = []
    for order in (range(len(cells)), range(len(cells) - 1, -1, -1)):
        taken, total = [], 0.0
        for k in order:
            total += shares[k]
            if total > TAIL:
                break
            taken.append(cells[k])
        if taken:
            sides.append(taken)
    return sides


check = FunctionCheck("range", _run, trained=True)
