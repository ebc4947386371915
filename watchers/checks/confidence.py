"""The model is less sure of its answers, or surer: the margin of the best class before the next one moved.

Runbook: less sure without an input that moved is traffic that training hardly had, or an artefact that was cut short
(quantised, half loaded). Saturated answers (a margin of 0.999 or more) are a scale that was lost upstream, or a
softmax that ran over: see ``unit_change`` and ``numeric_stability``.
"""

from __future__ import annotations

from typing import Final

from mllog.confidence import MARGIN, SATURATED
from watchers.check import FunctionCheck, Tests
from watchers.checks._rates import Rate, indicators, percent
from watchers.checks._said import named
from watchers.checks._scores import ordered_contrasts
from watchers.checks._shift import Shift
from watchers.finding import Effect, Finding, Severity
from watchers.history import Contrasts
from watchers.view import View

FLOOR: Final = 0.1
LARGER: Final = 0.25
SHARE: Final = 0.02
"""The lower bound of the increase of saturated answers must exceed this."""


def _describe(view: View, finding: Finding, where: str) -> str:
    assert finding.effect is not None
    size = finding.effect.value
    finding.severity = "warning" if abs(size) >= LARGER else "info"
    how = "less sure" if size < 0 else "surer"
    return (
        f"the model is {how} of its answers than {view.usually}: the margin before the next class is "
        f"{'smaller' if size < 0 else 'greater'} by {abs(size):.2g} sd{where}"
    )


def _severity(finding: Finding) -> Severity:
    return "warning" if (finding.observed or 0.0) - (finding.reference or 0.0) >= 0.1 else "info"


def _sentence(view: View, finding: Finding, where: str) -> str:
    edges = view.ruler.by_name[MARGIN].edges
    finding.evidence["query"]["values"] = [f"{MARGIN}:{k}" for k in range(edges.index(SATURATED) + 1, len(edges) + 1)]
    return (
        f"{percent(finding.observed)} of answers are saturated, with a margin of {SATURATED:g} or more before the next "
        f"class ({percent(finding.reference)} expected){where}"
    )


def _run(view: View) -> list[Tests]:
    margin = view.ruler.by_name.get(MARGIN)
    if margin is None:
        return []
    cells = named(view.ruler, margin)
    top = cells[1 + margin.edges.index(SATURATED) :]

    def location() -> Contrasts:
        return ordered_contrasts(view, [margin], spread=False)

    def saturated() -> Contrasts:
        return indicators([MARGIN], [top], [cells])

    # The first that alarms speaks for the margin.
    return [
        *Rate("confidence", saturated, floor=SHARE, sentence=_sentence, query="bin", severity=_severity).tests(view),
        *Shift(
            "confidence",
            "confidence:location",
            location,
            floor=FLOOR,
            larger=LARGER,
            describe=lambda finding, _, where: _describe(view, finding, where),
            effect=lambda r, low, high: Effect("shift in sd", r, low, high),
        ).tests(view),
    ]


check = FunctionCheck("confidence", _run)
