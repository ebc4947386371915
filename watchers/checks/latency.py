"""Requests take longer than at these hours.

Runbook: see host and version of the slow ones; a dependency change of the same onset is the first suspect.
"""

from __future__ import annotations

import numpy as np

from mllog.ruler import LATENCY, LATENCY_EDGES
from watchers.check import FunctionCheck, Tests
from watchers.checks._shift import Shift
from watchers.finding import Effect, Finding
from watchers.history import Contrasts
from watchers.view import View

RATIO = 1.15
"""The lower bound of the ratio must exceed this."""


def _run(view: View) -> list[Tests]:
    index = view.ruler.index

    def build() -> Contrasts:
        edges = np.log10(LATENCY_EDGES)
        middle = np.concatenate([[edges[0] - 1 / 16], (edges[:-1] + edges[1:]) / 2, [edges[-1] + 1 / 16]])
        cells = tuple(index[LATENCY, "bin", str(k)] for k in range(len(middle)))
        weights = tuple((cell, float(a)) for cell, a in zip(cells, middle, strict=True))
        return Contrasts((LATENCY,), ("location",), (weights,), (cells,))

    def describe(finding: Finding, label: str, where: str) -> str:
        assert finding.effect is not None
        finding.observed = 10 ** (finding.observed or 0.0)
        finding.reference = 10 ** (finding.reference or 0.0)
        finding.severity = "critical" if finding.effect.value >= 5 else "warning"
        finding.evidence["query"] = {"kind": "latency", "feature": None}
        return (
            f"requests take {1e3 * finding.observed:.3g} ms ({1e3 * finding.reference:.3g} ms expected, "
            f"x{finding.effect.value:.2g}, {label} of their logarithms){where}"
        )

    return Shift(
        "latency",
        "latency",
        build,
        floor=float(np.log10(RATIO)),
        larger=float(np.log10(1.5)),
        describe=describe,
        sign=1,
        effect=lambda r, low, high: Effect("ratio", float(10**r), float(10**low), float(10**high)),
    ).tests(view)


check = FunctionCheck("latency", _run)
