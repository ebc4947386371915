"""A feature is missing more often than it is at these hours.

Runbook: look at which kind rose (absent: the caller dropped the key; null: a join found nothing; NaN: a computation
failed upstream), then at the segment: a single origin, client or host points at the source that feeds it.
"""

from __future__ import annotations

from mllog.ruler import MISSING_KINDS
from watchers.check import FunctionCheck, Tests
from watchers.checks._rates import Rate, indicators, percent
from watchers.finding import Finding, Severity
from watchers.history import Contrasts
from watchers.view import View

FLOOR = 0.005
NOTABLE = 0.01
"""A smaller increase is recorded, and pages nobody."""


def _severity(finding: Finding) -> Severity:
    observed = finding.observed or 0.0
    if observed - (finding.reference or 0.0) < NOTABLE:
        return "info"
    return "critical" if observed >= 0.5 else "warning"


def _sentence(view: View, finding: Finding, where: str) -> str:
    feature = finding.feature or ""
    counts = {kind: view.at(view.total, (feature, "missing", kind)) for kind in MISSING_KINDS}
    before = {kind: view.at(view.past_total, (feature, "missing", kind)) for kind in MISSING_KINDS}
    scale = view.n / max(int(view.past_total[0]), 1)
    worst = max(counts, key=lambda kind: counts[kind] - scale * before[kind])
    observed, expected = percent(finding.observed), percent(finding.reference)
    return f"`{feature}` is {worst} in {observed} of requests ({expected} expected){where}"


def _run(view: View) -> list[Tests]:
    index = view.ruler.index

    def build() -> Contrasts:
        names = [feature.name for feature in view.ruler.inputs]
        tops = [[index[name, "missing", kind] for kind in MISSING_KINDS] for name in names]
        return indicators(names, tops, [[0] for _ in names])

    return Rate(
        "missing",
        build,
        floor=FLOOR,
        sentence=_sentence,
        query="missing",
        severity=_severity,
        segmented=True,
    ).tests(view)


check = FunctionCheck("missing", _run, trained=True)
