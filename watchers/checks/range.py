"""Numbers outside of the range that training had, more often than usual.

Runbook: far outside by a constant factor is a unit; by a constant value, a sentinel; just outside, growth.
"""

from __future__ import annotations

from watchers.checks._rates import Rate, indicators, percent
from watchers.finding import Finding, Severity
from watchers.history import Contrasts
from watchers.view import FunctionCheck, Tests, View, inputs_of

FLOOR = 0.002


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

    return Rate("range", build, floor=FLOOR, sentence=_sentence, query="range", severity=severity).tests(view)


check = FunctionCheck("range", _run)
