"""A feature comes in another type than in training (a number as a string, an object in place of a value).

Runbook: look at the serialiser of the caller that the segment or the deployment points at.
"""

from __future__ import annotations

from watchers.check import FunctionCheck, Tests
from watchers.checks._rates import Rate, indicators, percent
from watchers.finding import Finding, Severity
from watchers.history import Contrasts
from watchers.view import View

FLOOR = 0.002


def _severity(finding: Finding) -> Severity:
    return "critical" if (finding.observed or 0) >= 0.5 else "warning"


def _sentence(view: View, finding: Finding, where: str) -> str:
    kind = view.ruler.by_name[finding.feature or ""].kind
    return (
        f"`{finding.feature}` is no {kind} in {percent(finding.observed)} of requests "
        f"({percent(finding.reference)} expected){where}"
    )


def _run(view: View) -> list[Tests]:
    index = view.ruler.index

    def build() -> Contrasts:
        names = [feature.name for feature in view.ruler.inputs if feature.kind != "other"]
        return indicators(names, [[index[name, "violation", "type"]] for name in names], [[0] for _ in names])

    return Rate("type_change", build, floor=FLOOR, sentence=_sentence, query="type", severity=_severity).tests(view)


check = FunctionCheck("type_change", _run, trained=True)
