"""The model's answers are no finite numbers (NaN, infinite, of another type) more often than usual.

Runbook: a division by an input that became 0, the logarithm of one that became negative, half precision that ran over,
an artefact that was loaded without its weights: see the inputs of these very requests, and what was deployed before the
onset. Answers that are all the same number are found by ``stuck``.
"""

from __future__ import annotations

from typing import Final

from mllog.confidence import UNUSABLE
from mllog.ruler import SCORE, VALUE
from watchers.check import FunctionCheck, Tests
from watchers.checks._rates import Rate, indicators, percent
from watchers.finding import Finding, Severity
from watchers.history import Contrasts
from watchers.view import View

FLOOR: Final = 0.002


def _severity(finding: Finding) -> Severity:
    return "critical" if (finding.observed or 0.0) >= 0.5 else "warning"


def _sentence(_: View, finding: Finding, where: str) -> str:
    finding.evidence["query"]["values"] = [f"{UNUSABLE}:0"]
    return (
        f"the model's answer is no finite number in {percent(finding.observed)} of requests "
        f"({percent(finding.reference)} expected){where}"
    )


def _run(view: View) -> list[Tests]:
    if UNUSABLE not in view.ruler.by_name:
        return []
    # It is a fault of what the model answers, and stands with it in reports and incidents.
    answer = next((name for name in (SCORE, VALUE) if name in view.ruler.by_name), UNUSABLE)

    def build() -> Contrasts:
        return indicators([answer], [[view.ruler.index[UNUSABLE, "bin", "0"]]], [[0]])

    return Rate("numeric_stability", build, floor=FLOOR, sentence=_sentence, query="bin", severity=_severity).tests(
        view
    )


check = FunctionCheck("numeric_stability", _run)
