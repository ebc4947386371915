"""Calls that didn't fail have no answer more often than usual: no score, no value, no class.

Runbook: the model returned nothing, or what logs it no longer finds the answer (a response that was renamed, another
shape of output after a deployment). Answers that are there and no numbers are found by ``numeric_stability``, failures
by ``failures``.
"""

from __future__ import annotations

from dataclasses import replace
from typing import Final

import numpy as np

from mllog.confidence import UNUSABLE
from mllog.ruler import LABEL, SCORE, VALUE
from watchers.check import FunctionCheck, Tests
from watchers.checks._rates import Rate, indicators, percent
from watchers.checks._said import answered
from watchers.checks.failures import failing
from watchers.finding import Finding, Severity
from watchers.history import Contrasts
from watchers.view import View

FLOOR: Final = 0.005
NOTABLE: Final = 0.02
"""A smaller increase is recorded, and pages nobody."""

CRITICAL: Final = 0.5
_WORDS: Final = {SCORE: "score", VALUE: "value", LABEL: "class"}


def _severity(finding: Finding) -> Severity:
    more = (finding.observed or 0.0) - (finding.reference or 0.0)
    return "critical" if more >= CRITICAL else "warning" if more >= NOTABLE else "info"


def _sentence(view: View, finding: Finding, where: str) -> str:
    answer = view.ruler.by_name[finding.feature or ""]
    if answer.kind == "number":
        finding.evidence["query"]["values"] = [f"{answer.name}:{k}" for k in range(len(answer.edges) + 1)]
        finding.evidence["query"]["values"].append(f"{UNUSABLE}:0")
    return (
        f"the model gives no {_WORDS[answer.name]} in {percent(finding.observed)} of requests "
        f"({percent(finding.reference)} expected){where}"
    )


def _run(view: View) -> list[Tests]:
    # Who compares inputs gives no answers at all: only a history with answers says that there should be some.
    if view.learning or view.larger_floors:
        return []

    def build() -> Contrasts:
        names = [name for name in _WORDS if name in view.ruler.by_name]
        found = indicators(names, [answered(view.ruler, name) for name in names], [[0] for _ in names])
        return replace(found, besides=True, trained=False)

    rate = Rate(
        "unanswered",
        build,
        floor=FLOOR,
        sentence=_sentence,
        query="unanswered",
        severity=_severity,
        segmented=True,
    )
    return [_beside_failures(view, tests) for tests in rate.tests(view)]


def _beside_failures(view: View, tests: Tests) -> Tests:
    """The tests without what more failures than usual explain: these have no answers."""
    failures = failing(view)
    _, c = view.contrast(failures.check, failures.build, segmented=tests.family == "segment")
    # Columns are segment by segment, each with all outputs.
    more = np.repeat(np.maximum(c.r, 0.0), len(tests.p_values) // len(c.r))
    return replace(tests, passes=tests.passes & (tests.size - more > FLOOR))


check = FunctionCheck("unanswered", _run)
